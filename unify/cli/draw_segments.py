"""Segments as text for people."""

import json
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from rich.console import Group, RenderableType
from rich.text import Text

from unify.cli.draw import lines_of, plain_table
from unify.cli.output import cell, jsonable, printable

if TYPE_CHECKING:
    from segments.membership.preview import SegmentPreview
    from unify.verbs.segment_answers import SegmentDifference, SegmentInfo
    from unify.verbs.segment_catalog import SegmentVersion

SHOWN = 20
"""Customers of a difference that are shown of each kind; `--json` has all."""


def listed(found: "Sequence[SegmentInfo]") -> RenderableType:
    """One line per segment, and what is wrong with those that fail."""
    if not found:
        return "there are no segments"
    table = plain_table(
        "segment", "kind", "declared in", "state", "members", "as of run", right=("members", "as of run")
    )
    for info in found:
        kind = f"{info.kind}{', static' if info.static else ''}{', outdated' if info.outdated else ''}"
        source = f"waterfall {info.part_of}" if info.part_of else info.source
        members = "" if info.members is None else f"{info.members:,}"
        table.add_row(*map(printable, (info.name, kind, source, info.state, members, cell(info.as_of))))
    wrong = [Text(printable(f"{i.name}: {i.error['message']}")) for i in found if i.error is not None]
    return Group(table, *wrong)


def one(info: "SegmentInfo", definition: Mapping[str, Any], needed_by: Sequence[str]) -> RenderableType:
    """State, definition, who needs it."""
    said = [Text(json.dumps(jsonable(dict(definition)), indent=2, ensure_ascii=False))]
    if needed_by:
        said.append(Text(printable(f"needed by {', '.join(needed_by)}")))
    return Group(listed([info]), Text(""), *said)


def versions(found: "Sequence[SegmentVersion]") -> RenderableType:
    """One line per version."""
    table = plain_table("version", "saved (UTC)", "state", "definition", right=("version",))
    for version in found:
        body = version.as_dict()
        state = "deleted" if body["deleted"] else "active" if body["active"] else "inactive"
        text = "" if body["definition"] is None else json.dumps(body["definition"], ensure_ascii=False)
        table.add_row(str(version.version), f"{version.saved:%Y-%m-%d %H:%M:%S}", state, printable(text))
    return table


def preview(found: "SegmentPreview") -> RenderableType:
    """The count, the rules, the sample."""
    parts: list[RenderableType] = [
        f"{found.members:,} of {found.customers:,} customers, generation {found.generation}, {found.seconds:.2f} s"
    ]
    if found.rules:
        table = plain_table("rule", "customers", "left after it", right=("customers", "left after it"))
        for rule in found.rules:
            table.add_row(printable(rule.rule), f"{rule.own:,}", f"{rule.cumulative:,}")
        parts.append(table)
    if found.sample:
        table = plain_table(*map(printable, found.sample[0]))
        for row in found.sample:
            table.add_row(*map(cell, row.values()))
        parts.append(table)
    parts += [Text(printable(warning)) for warning in found.warnings]
    return Group(*parts)


def history(rows: Sequence[Mapping[str, Any]]) -> RenderableType:
    """One line per run."""
    if not rows:
        return "no run has looked at it yet"
    table = plain_table(
        "run", "generation", "at", "state", "members", "as of run", right=("run", "generation", "members", "as of run")
    )
    for row in rows:
        members = "" if row["members"] is None else f"{row['members']:,}"
        shown = (row["run"], row["generation"], (row["at"] or "")[:19], row["state"], members, row["as_of"])
        table.add_row(*map(cell, shown))
    return table


def difference(found: "SegmentDifference") -> RenderableType:
    """Counts, then who."""
    parts: list[RenderableType] = [lines_of(found.lines())]
    for title, answer in (("entered", found.entered), ("left", found.left), ("carried over", found.carried)):
        if not len(answer):
            continue
        table = plain_table(title, *answer.columns[1:])
        for row in answer.rows()[:SHOWN]:
            table.add_row(*map(cell, row.values()))
        parts.append(table)
        if len(answer) > SHOWN:
            parts.append(Text(f"and {len(answer) - SHOWN:,} more: --json has all", style="dim"))
    return Group(*parts)
