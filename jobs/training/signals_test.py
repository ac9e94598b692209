"""Signals that ask to stop, as the system sends them."""

import os
import signal
import unittest

from jobs.training.signals import StopSignals


class SignalsTest(unittest.TestCase):
    def test_a_closed_terminal_asks_once_however_often_it_sends(self):
        with StopSignals() as stop:
            for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGHUP, signal.SIGUSR1):
                os.kill(os.getpid(), number)
            self.assertEqual(stop.reason, 'SIGTERM')

    def test_asking_twice_stops_at_once(self):
        for first in StopSignals.SIGNALS:
            for second in (signal.SIGINT, signal.SIGTERM):
                with self.assertRaises(KeyboardInterrupt), StopSignals():
                    os.kill(os.getpid(), first)
                    os.kill(os.getpid(), second)

    def test_nohup_stays_in_force(self):
        self.addCleanup(signal.signal, signal.SIGHUP, signal.getsignal(signal.SIGHUP))
        signal.signal(signal.SIGHUP, signal.SIG_IGN)
        with StopSignals() as stop:
            os.kill(os.getpid(), signal.SIGHUP)
        self.assertIsNone(stop.reason)

    def test_handlers_are_put_back(self):
        before = [signal.getsignal(number) for number in StopSignals.SIGNALS]
        with StopSignals():
            pass
        self.assertEqual([signal.getsignal(number) for number in StopSignals.SIGNALS], before)


if __name__ == '__main__':
    unittest.main()
