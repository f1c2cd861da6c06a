"""Progress on stderr: bars on a terminal, plain lines elsewhere."""

import sys
import time
from collections.abc import Callable
from types import TracebackType

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from mtpkd_cli.artifacts.logs import log

PLAIN_EVERY_S = 15.0


class Terminal:
    """The reporter of the command line; a context manager, so that bars are taken down before anything else prints.

    Args:
        quiet: No progress and no notes; notes still go to the log.
    """

    def __init__(self, quiet: bool = False) -> None:
        self.console = Console(stderr=True, highlight=False)
        self.quiet = quiet
        self._bars: Progress | None = None

    def __enter__(self) -> "Terminal":
        if self.console.is_terminal and not self.quiet:
            columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
            times = (TimeElapsedColumn(), TimeRemainingColumn())
            self._bars = Progress(*columns, *times, console=self.console, transient=True)
            self._bars.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._bars is not None:
            self._bars.stop()

    def note(self, text: str) -> None:
        """Prints one line, and writes it to the log."""
        log("note", text=text)
        if not self.quiet:
            try:
                self.console.print(text, markup=False, soft_wrap=True)
            except BrokenPipeError:
                raise
            except OSError:  # a batch log on a full disk: no reason to end the work
                return

    def progress(self, label: str, total: int) -> Callable[[], None]:
        """Begins a count of `total` steps; the returned function adds one."""
        if self._bars is not None:
            return self._bar(self._bars, label, total)
        return self._lines(label, total)

    def _bar(self, bars: Progress, label: str, total: int) -> Callable[[], None]:
        task = bars.add_task(label, total=total)

        def advance() -> None:
            bars.advance(task)
            if bars.tasks and bars._tasks[task].finished:
                bars.remove_task(task)

        return advance

    def _lines(self, label: str, total: int) -> Callable[[], None]:
        done, noted_at = 0, time.monotonic()

        def advance() -> None:
            nonlocal done, noted_at
            done += 1
            # A batch log wants to see that something moves, not every step.
            if done < total and time.monotonic() - noted_at >= PLAIN_EVERY_S:
                noted_at = time.monotonic()
                self.note(f"{label}: {done}/{total}")
                sys.stderr.flush()

        return advance
