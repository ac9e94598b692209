"""Files are replaced whole or not at all, and by no signal in between."""

import os
import signal
from unittest import mock

from absl.testing import absltest

from common.replacing import replacing


class ReplacingTest(absltest.TestCase):
    def setUp(self):
        super().setUp()
        self.folder = self.create_tempdir().full_path

    def _put(self, name, content):
        path = os.path.join(self.folder, name)
        with open(path, 'wb') as file:
            file.write(content)
        return path

    def test_replacing_is_all_or_nothing(self):
        first, second = self._put('first', b'old'), os.path.join(self.folder, 'second')
        self._put('.first.partial', b'left by a killed run, and longer')
        with self.assertRaises(KeyboardInterrupt), replacing([first, second]) as temporary:
            for path in temporary:
                with open(path, 'ab') as file:
                    file.write(b'new')
            raise KeyboardInterrupt
        self.assertEqual(os.listdir(self.folder), ['first'])
        with open(first, 'rb') as file:
            self.assertEqual(file.read(), b'old')
        self._put('.first.partial', b'left by a killed run, and longer')
        with replacing([first, second]) as temporary, open(temporary[0], 'ab') as file:
            file.write(b'new')
        self.assertCountEqual(os.listdir(self.folder), ['first', 'second'])
        with open(first, 'rb') as file:
            self.assertEqual(file.read(), b'new')

    def test_ctrl_c_waits_until_all_are_replaced(self):
        paths = [self._put(name, b'old') for name in ('first', 'second', 'third')]
        replace = os.replace

        def interrupted_replace(source, target):
            signal.raise_signal(signal.SIGINT)
            replace(source, target)

        with (
            mock.patch.object(os, 'replace', interrupted_replace),
            self.assertRaises(KeyboardInterrupt),
            replacing(paths) as temporary,
        ):
            for path in temporary:
                with open(path, 'wb') as file:
                    file.write(b'new')
        self.assertCountEqual(os.listdir(self.folder), ['first', 'second', 'third'])
        for path in paths:
            with open(path, 'rb') as file:
                self.assertEqual(file.read(), b'new')
        self.assertIs(signal.getsignal(signal.SIGINT), signal.default_int_handler)


if __name__ == '__main__':
    absltest.main()
