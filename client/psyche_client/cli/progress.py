"""A progress bar on stderr, for what takes longer than a second; silent where no terminal is."""

from __future__ import annotations

import sys
from types import TracebackType
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from rich.progress import Progress as RichProgress
    from rich.progress import TaskID


class Progress:
    """Bars by name; a name that is new gets a bar of its own.

    Example:
        with Progress() as bar:
            bar.report("shards", done, total)
    """

    def __init__(self) -> None:
        self._rich: RichProgress | None = None
        self._tasks: dict[str, TaskID] = {}

    def __enter__(self) -> Self:
        """Takes the line of the terminal, if there is one."""
        if sys.stderr.isatty():
            from rich.console import Console  # noqa: PLC0415 - only a terminal needs it
            from rich.progress import Progress as RichProgress  # noqa: PLC0415 - as above

            self._rich = RichProgress(console=Console(stderr=True), transient=True)
            self._rich.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Takes the bars away."""
        if self._rich is not None:
            self._rich.stop()

    def report(self, what: str, done: int, total: int) -> None:
        """Sets a bar: `done` of `total`."""
        if self._rich is None:
            return
        if what not in self._tasks:
            self._tasks[what] = self._rich.add_task(what, total=max(total, 1))
        self._rich.update(self._tasks[what], completed=done, total=max(total, 1))
