"""Reports as text for people. The same reports are behind --json; nothing here computes anything."""

import json
import shlex
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from unify.cli.output import cell, jsonable, printable

if TYPE_CHECKING:
    from ingest.profile import EntityProfile
    from unify.answers import Answer
    from unify.core.explanations import Explanation
    from unify.core.reports import RunReport
    from unify.doctor import DoctorReport
    from unify.starter import StarterReport
    from unify.status import Status
    from unify.store import Generation, Run
    from unify.validation import ValidationReport

STYLES = {"✓": "green", "✗": "red", "!": "yellow", "→": "cyan"}


def plain_table(*columns: str, right: Sequence[str] = ()) -> Table:
    """A table without lines; columns named in `right` are set to the right."""
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="bold")
    for column in columns:
        table.add_column(Text(printable(column)), justify="right" if column in right else "left", overflow="fold")
    return table


def lines_of(lines: Iterable[str]) -> RenderableType:
    """Lines, their marks coloured."""
    drawn = []
    for line in (part for text in lines for part in text.split("\n")):
        text = Text(printable(line))
        mark = line.strip()[:1]
        if mark in STYLES:
            start = line.index(mark)
            text.stylize(STYLES[mark], start, start + 1)
        drawn.append(text)
    return Group(*drawn)


def starter(report: "StarterReport") -> RenderableType:
    """What `init` wrote and what to do next."""
    return lines_of([*str(report).split("\n"), f"→ read it, then `unify validate {report.path}`"])


def validation(report: "ValidationReport") -> RenderableType:
    """Problems, columns, rules."""
    return lines_of(report.lines())


def next_steps(path: Path, report: "RunReport") -> RenderableType:
    """Where the result is."""
    page = f"unify report --html report.html --instance {shlex.quote(str(path))}"
    return lines_of([f"✓ generation {report.generation} is published in {path}", f"→ look at it: `{page}`"])


def explanation(found: "Explanation") -> RenderableType:
    """Why, why not, where from."""
    return lines_of(found.lines())


def status(found: "Status") -> RenderableType:
    """The instance in a few lines."""
    table = plain_table("", "")
    table.show_header = False
    table.add_row("instance", printable(str(found.path)))
    published = found.published
    if published is None:
        table.add_row("published", "nothing yet: `unify run PROJECT.yaml`")
    else:
        customers = published.rows.get("Customer")
        counted = f", {customers:,} customers" if customers is not None else ""
        table.add_row(
            "published", f"generation {published.number} of {published.published:%Y-%m-%d %H:%M} UTC{counted}"
        )
    table.add_row("writing now", printable(str(found.writer)) if found.writer else "nobody")
    last = found.last_run
    if last is not None:
        why = f": {' '.join(str(last.error['message']).split())}" if last.error else ""
        table.add_row("last run", printable(f"{last.purpose} {last.number} {last.state}{why}"))
    return table


def runs(listed: "Sequence[Run]") -> RenderableType:
    """One line per run."""
    if not listed:
        return "nothing has run yet: `unify run PROJECT.yaml`"
    table = plain_table("run", "state", "what", "started (UTC)", "seconds", "error", right=("run", "seconds"))
    for run in listed:
        seconds = f"{(run.finished - run.started).total_seconds():.1f}" if run.finished else ""
        why = " ".join(str(run.error["message"]).split()) if run.error else ""
        started = f"{run.started:%Y-%m-%d %H:%M:%S}"
        table.add_row(str(run.number), run.state, printable(run.purpose), started, seconds, printable(why))
    return table


def generations(kept: "Sequence[Generation]") -> RenderableType:
    """One line per generation."""
    if not kept:
        return "nothing has been published yet: `unify run PROJECT.yaml`"
    table = plain_table(
        "generation", "published (UTC)", "MiB", "customers", "", right=("generation", "MiB", "customers")
    )
    for g in kept:
        customers = g.rows.get("Customer")
        counted = f"{customers:,}" if customers is not None else ""
        size, mark = f"{g.bytes / 2**20:,.1f}", "published" if g.current else ""
        table.add_row(str(g.number), f"{g.published:%Y-%m-%d %H:%M:%S}", size, counted, mark)
    return table


def doctor(report: "DoctorReport") -> RenderableType:
    """One line per check, and the next move."""
    found = [*report.lines()]
    if report.instance is None:
        found.append("! no instance was examined: `--instance DIR`")
    return lines_of(found)


def tables(found: Mapping[str, int | None]) -> RenderableType:
    """One line per table."""
    table = plain_table("table", "rows", right=("rows",))
    for name, rows in found.items():
        table.add_row(printable(name), f"{rows:,}" if rows is not None else "view")
    return table


def profiles(found: "Sequence[EntityProfile]") -> RenderableType:
    """The profiles, one after the other."""
    return lines_of("\n\n".join(repr(p) for p in found).split("\n"))


def labels(found: Sequence[Mapping[str, Any]]) -> RenderableType:
    """One line per suggestion."""
    if not found:
        return "no column looks like anything known"
    table = plain_table("entity", "column", "label", "sure", "why", "declared", right=("sure",))
    for row in found:
        said = (
            row["entity"],
            row["column"],
            row["label"],
            f"{row['confidence']:.0%}",
            row["reason"],
            row["declared"] or "",
        )
        table.add_row(*(printable(str(part)) for part in said))
    return table


def answer(names: Sequence[str], rows: Sequence[Sequence[Any]], total: int) -> RenderableType:
    """Rows of a query, and how many there are."""
    table = plain_table(*names)
    for row in rows:
        table.add_row(*(cell(value) for value in row))
    caption = (
        f"{total:,} row{'s' * (total != 1)}" if len(rows) == total else f"the first {len(rows):,} of {total:,} rows"
    )
    return Group(table, Text(caption, style="dim"))


def rows_of(found: "Answer", limit: int | None) -> list[tuple[Any, ...]]:
    """The first rows as tuples: columns of one name stay apart."""
    table = found.arrow()
    table = table if limit is None else table.slice(0, limit)
    columns = [column.to_pylist() for column in table.columns]
    return list(zip(*columns, strict=True)) if columns else []


def unique(names: Sequence[str]) -> list[str]:
    """Column names that differ: `SELECT 1 AS a, 2 AS a` has two of one name.

    >>> unique(["a", "b", "a"])
    ['a', 'b', 'a_1']
    """
    found: list[str] = []
    for name in names:
        chosen, number = name, 0
        while chosen in found:
            number += 1
            chosen = f"{name}_{number}"
        found.append(chosen)
    return found


def csv_cell(value: Any) -> str:
    """A value in CSV: null is empty, lists and structs are JSON."""
    if value is None:
        return ""
    if isinstance(value, (dict, list)):
        return json_line(value)
    return str(jsonable(value))


def json_line(value: Any) -> str:
    """A value as JSON on one line."""
    return json.dumps(jsonable(value), ensure_ascii=False, allow_nan=False)
