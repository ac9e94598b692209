"""Lets a loop finish its step when it is asked to stop, or nobody reads what it prints."""

import contextlib
import signal
import sys
import threading
from collections.abc import Callable
from typing import Any, TextIO

from common.descriptors import divert_to_stderr


class StopSignals:
    """While entered, a signal to end only sets `reason`, and so does a closed standard output.

    A second SIGINT or SIGTERM stops at once; not so SIGHUP, which a closed terminal sends beside
    others. What `nohup` has told to be ignored stays so. Used outside the main thread, where
    Python delivers no signals, only standard output is watched.
    """

    SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGUSR1)

    def __init__(self):
        self.reason: str | None = None  # to stop: name of the signal, or what became of the output
        self._previous: dict[signal.Signals, Any] = {}
        self._output = contextlib.ExitStack()

    def __enter__(self) -> 'StopSignals':
        self._output.enter_context(contextlib.redirect_stdout(_WatchedOutput(sys.stdout, self)))
        if threading.current_thread() is threading.main_thread():
            for number in self.SIGNALS:
                if number == signal.SIGHUP and signal.getsignal(number) == signal.SIG_IGN:
                    continue
                self._previous[number] = signal.signal(number, self._on_signal)
        return self

    def __exit__(self, *exception) -> None:
        for number, handler in self._previous.items():
            signal.signal(number, handler)
        self._output.close()

    def _on_signal(self, number: int, frame) -> None:
        if self.reason is not None and number in (signal.SIGINT, signal.SIGTERM):
            raise KeyboardInterrupt
        self.reason = self.reason or signal.Signals(number).name


class _WatchedOutput:
    """Standard output that, when it cannot be written, asks to stop in place of an error."""

    def __init__(self, output: TextIO, stop: StopSignals):
        self._output = output
        self._stop = stop

    def write(self, text: str) -> int:
        self._try(lambda: self._output.write(text))
        return len(text)

    def flush(self) -> None:
        self._try(self._output.flush)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._output, name)

    def _try(self, action: Callable[[], object]) -> None:
        try:
            action()
        except OSError as error:
            self._stop.reason = self._stop.reason or f'standard output ({error.strerror})'
            divert_to_stderr(self._output)
