"""What a long command is doing, on stderr, when somebody sits there: a pipe, a log and `--quiet` hear nothing."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from time import perf_counter
from typing import TYPE_CHECKING

from unify.core.progress import Progress, silent

if TYPE_CHECKING:
    from rich.progress import Progress as Bar
    from rich.progress import TaskID


@contextmanager
def progress_of(*, quiet: bool) -> Iterator[Progress]:
    """A progress callback for as long as the block lasts."""
    if quiet or not sys.stderr.isatty():
        yield silent
        return
    from rich.console import Console
    from rich.progress import Progress as Bar
    from rich.progress import SpinnerColumn, TextColumn, TimeElapsedColumn

    console = Console(stderr=True, highlight=False, markup=False, emoji=False)
    columns = (SpinnerColumn(), TimeElapsedColumn(), TextColumn("{task.fields[said]}", markup=False))
    with Bar(*columns, console=console, transient=True) as bar:
        yield _Live(bar, bar.add_task("", total=None, said="wait for the lease"))


class _Live:
    """One line that says stage and sentence; a finished stage leaves a line with its seconds."""

    def __init__(self, bar: "Bar", task: "TaskID") -> None:
        self._bar, self._task = bar, task
        self._stage, self._since = "", perf_counter()

    def __call__(self, stage: str, sentence: str) -> None:
        from unify.cli.output import printable

        if stage != self._stage:
            if self._stage:
                self._bar.console.print(f"  ✓ {self._stage}  {perf_counter() - self._since:.1f} s")
            self._stage, self._since = stage, perf_counter()
        self._bar.update(self._task, said=printable(f"{stage}: {sentence}"))
