"""Packages and their executions as text for people."""

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

from rich.console import Group, RenderableType

from unify.cli.draw import lines_of, plain_table
from unify.cli.output import printable

if TYPE_CHECKING:
    from unify.packages import EntityDefinition, Execution

MARKS = {"error": "✗", "warning": "!", "note": "·"}


def inspected(said: "dict[str, Any]") -> RenderableType:
    """A package: what it is, its entities in the order in which they run, what is odd about it."""
    group = said["manifest"]["group"] or "no project name"
    head = f"{said['package']}: {group}, {_count(len(said['entities']), 'entity')}"
    table = plain_table("unit.level.seq", "entity", "file", "format", "columns", "rows", "in error",
                        right=("columns", "rows", "in error"))  # fmt: skip
    for entity in said["entities"]:
        order = f"{entity['unit']}.{entity['level']}.{entity['sequence']}" if entity["enabled"] else "off"
        counts = (_number(entity["rows"]), _number(entity["in_error"]))
        cells = (order, entity["name"], entity["file"], entity["format"], str(len(entity["columns"])), *counts)
        table.add_row(*map(printable, cells))
    return Group(printable(head), table, findings(said["findings"]))


def _number(value: int | None) -> str:
    return "-" if value is None else f"{value:,}"


def findings(found: "Iterable[Any]") -> RenderableType:
    """What was found about a package, a line each."""
    lines = []
    for one in found:
        about = f"{one['entity']}: " if one["entity"] else ""
        lines.append(f"{MARKS[one['severity']]} {about}{one['message']}")
    return lines_of(lines)


def execution(done: "Execution", files: "Sequence[tuple[str, str]]" = ()) -> RenderableType:
    """What came of an import or export; `files`: of errors, by what they hold."""
    mark = {"Succeeded": "✓", "Failed": "✗", "Canceled": "✗"}.get(done.status.value, "!")
    lines = [f"{mark} {done.operation.value.lower()} {done.project}: {done.status.value} (execution {done.id})"]
    if done.error:
        lines.append(f"✗ {done.error}")
    for run in done.entities:
        name = run.entity + (f" ({run.part})" if run.part else "")
        lines.append(f"  {name}: {_counts(run, done.operation.value)}")
        if run.error:
            lines.append(f"  ✗ {run.error}")
    lines += [f"→ {what}: {path}" for what, path in files]
    return Group(lines_of(lines), findings(f for f in done.findings if f["severity"] != "note"))


def _counts(run: Any, operation: str) -> str:
    if operation == "Export":
        since = " that changed since the last export" if run.since is not None else ""
        return f"{_count(run.exported, 'row')}{since}"
    parts = [f"{_count(run.file_rows, 'row')} in the file"]
    named = ("created", "updated", "unchanged", "refused", "not_run")
    parts += [f"{getattr(run, name):,} {name.replace('_', ' ')}" for name in named if getattr(run, name)]
    if run.staging_errors:
        parts.append(f"{run.staging_errors:,} not readable")
    return ", ".join(parts)


def _count(number: int, what: str) -> str:
    many = {"entity": "entities"}.get(what, f"{what}s")
    return f"{number:,} {what if number == 1 else many}"


def executions(found: "Sequence[Execution]") -> RenderableType:
    """Executions, newest first."""
    table = plain_table("execution", "project", "what", "status", "submitted (UTC)", "rows", right=("rows",))
    for one in found:
        rows = sum(run.exported if one.operation.value == "Export" else run.file_rows for run in one.entities)
        at = f"{one.submitted:%Y-%m-%d %H:%M}"
        table.add_row(*map(printable, (one.id, one.project, one.operation.value, one.status.value, at, f"{rows:,}")))
    return table if found else "nothing was imported or exported in the last seven days"


def entities(found: "Sequence[EntityDefinition]") -> RenderableType:
    """What can be moved."""
    table = plain_table("entity", "table", "columns", "key", "import", "export", right=("columns",))
    for one in found:
        columns = f"{len(one.parts)} parts" if one.parts else str(len(one.columns))
        yes = ["yes" if flag else "no" for flag in (one.allow_import, one.allow_export and not one.parts)]
        table.add_row(*map(printable, (one.name, one.table, columns, ", ".join(one.key), *yes)))
    return table if found else "nothing is defined yet: `unify package define FILE.yaml`"
