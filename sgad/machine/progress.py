"""Progress that is seen: a bar in a terminal, one line now and then in a log."""

import contextlib
import os
import sys
import time
from collections.abc import Callable
from types import TracebackType
from typing import Any, Self

#: Seconds between two lines where standard error is not a terminal; $SGAD_PROGRESS_SECONDS changes it.
LINE_SECONDS = 15.0
#: Seconds between two states of a bar.
BAR_SECONDS = 0.5
#: Names a file descriptor that gets the lines, too, while standard error goes to a log.
TERMINAL_VARIABLE = "SGAD_PROGRESS_FD"


def clock(seconds: float) -> str:
    """A duration as [hours:]minutes:seconds."""
    minutes, rest = divmod(int(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{rest:02d}" if hours else f"{minutes}:{rest:02d}"


def _say(line: str) -> None:
    """Print a line to standard error and, where a workflow gave us one, to the descriptor of its terminal."""
    # The disk of the log may be full, and whoever gave the descriptor may have closed it: progress is not worth failing for.
    with contextlib.suppress(OSError):
        print(line, file=sys.stderr, flush=True)
    terminal = os.environ.get(TERMINAL_VARIABLE, "")
    if terminal.isdigit():
        with contextlib.suppress(OSError):
            os.write(int(terminal), f"{line}\n".encode())


def _text(note: str | Callable[[], str]) -> str:
    return note if isinstance(note, str) else note()


def _bar(total: int, initial: int, title: str, unit: str) -> Any:
    """Open a bar; None where tqdm is not installed, and lines do."""
    try:
        from tqdm import tqdm
    except ModuleNotFoundError:
        return None
    return tqdm(total=total, initial=initial, desc=title, unit=unit, dynamic_ncols=True, mininterval=BAR_SECONDS)


class Progress:
    """Counts work towards `total`; a bar on a terminal, else a line every LINE_SECONDS."""

    def __init__(self, total: int, *, initial: int = 0, title: str = "", unit: str = "it") -> None:
        self._total, self._done, self._start_count = total, initial, initial
        self._title, self._unit = title, unit
        self._begin = self._last = time.monotonic()
        self._bar = _bar(total, initial, title, unit) if sys.stderr.isatty() else None
        seconds = float(os.environ.get("SGAD_PROGRESS_SECONDS", LINE_SECONDS))
        self._seconds = seconds if self._bar is None else BAR_SECONDS

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._bar is not None:
            self._bar.close()

    def update(self, count: int = 1, note: str | Callable[[], str] = "") -> None:
        """Count work as done; `note` is shown behind the bar, and a function is called only when that will be seen."""
        self._done += count
        now = time.monotonic()
        is_due = now - self._last >= self._seconds or self._done >= self._total
        if is_due:
            self._last = now
        if self._bar is None:
            if is_due:
                _say(self._line(now - self._begin, _text(note)))
            return
        if is_due:
            self._bar.set_postfix_str(_text(note), refresh=False)
        self._bar.update(count)

    def _line(self, seconds: float, note: str) -> str:
        speed = (self._done - self._start_count) / max(seconds, 1e-9)
        left = clock((self._total - self._done) / speed) if speed > 0 else "?"
        share = 100 * self._done // max(self._total, 1)
        text = f"{self._title}: {self._done}/{self._total} {self._unit} ({share} %), {left} left"
        return f"{text}, {note}" if note else text
