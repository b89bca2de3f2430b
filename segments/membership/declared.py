"""Definitions as membership sees them: where they come from, whether they are in force, and their text."""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import sha256
from typing import Literal

from pydantic import BaseModel

from segments.waterfall import expanded
from unify.core.errors import NotFoundError, QueryError, SpecError, did_you_mean
from unify.spec import Project
from unify.spec.criteria import InSegment
from unify.spec.segment import Segment

Source = Literal["project", "catalog"]
MEANING = {"where", "rules", "query", "members", "sql", "waterfall", "suppress", "timezone"}
"""What decides who is in; the rest is for people, or says when a segment is looked at."""


@dataclass(frozen=True)
class Declared:
    """One segment's definition.

    source    the project file, or the catalog of the instance (made by a verb)
    version   of the catalog's definition; None in the project
    saved     when that version was saved
    part_of   the waterfall that makes it
    """

    name: str
    segment: Segment
    source: Source = "project"
    version: int | None = None
    saved: datetime | None = None
    part_of: str | None = None

    def in_force(self, clock: datetime) -> bool:
        """Whether it is active at that moment: `ends` is the first at which it is not."""
        ends = self.segment.ends
        return self.segment.active and (ends is None or _aware(ends) > _aware(clock))

    def text(self, timezone: str) -> str:
        """What decides who is in, as JSON: equal texts mean the same. `timezone`: the project's."""
        body = self.segment.model_dump(mode="json", by_alias=True, include=MEANING, exclude_defaults=True)
        return json.dumps(body | {"timezone": self.segment.timezone or timezone}, sort_keys=True, ensure_ascii=False)


def hash_of(text: str) -> str:
    """The name of a definition's text."""
    return sha256(text.encode()).hexdigest()[:32]


def _aware(moment: datetime) -> datetime:
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def check_in_force(declared: Mapping[str, Declared], name: str, clock: datetime, where: str = "") -> Declared:
    """The definition of that name. NotFoundError when there is none, QueryError when it is inactive."""
    d = declared.get(name)
    if d is None:
        raise NotFoundError(f"there is no segment {name!r}", where=where, hint=did_you_mean(name, declared))
    if not d.segment.active:
        owner = d.part_of or name
        how = "set `active: true` in the project" if d.source == "project" else f"`unify segment activate {owner}`"
        raise QueryError(f"segment {name} is inactive", where=where, hint=how)
    if not d.in_force(clock):
        raise QueryError(f"segment {name} ended at {d.segment.ends}", where=where, hint="give it a later end, or none")
    return d


def with_parts(declared: Mapping[str, Declared]) -> dict[str, Declared]:
    """The same with the segments that waterfalls make. SpecError when one of their names is taken."""
    declared = {name: d for name, d in declared.items() if d.part_of is None}
    everything = expanded({name: d.segment for name, d in declared.items()})
    owners = {part: d for d in declared.values() for part in d.segment.waterfall}
    found: dict[str, Declared] = {}
    for name, segment in everything.items():
        owner = owners.get(name)
        if name in declared or owner is None:
            found[name] = declared[name]
        else:
            found[name] = Declared(name, segment, owner.source, owner.version, owner.saved, part_of=owner.name)
    return found


def all_declared(project: Project, catalog: Mapping[str, Declared]) -> tuple[dict[str, Declared], list[str]]:
    """Definitions in force or not, the project's first; and warnings. The project's word counts where both have one."""
    own = with_parts({name: Declared(name, segment) for name, segment in project.segments.items()})
    warnings = [
        f"segment {name} is declared in the project; the one that was made by hand (version {d.version}) is not used"
        for name, d in catalog.items()
        if name in own
    ]
    found = dict(own)
    for name, d in catalog.items():
        if name in own:
            continue
        try:
            found |= with_parts(found | {name: d})
        except SpecError as error:
            warnings.append(f"segment {name} is left out: {error.message}")
    return found, warnings


_MEMBER_OF = re.compile(r"IsMemberOfSegment\(\s*(?:'((?:[^']|'')*)'|([A-Za-z_]\w*))\s*\)", re.IGNORECASE)


def names_in(segment: Segment) -> set[str]:
    """The segments that a definition names, read off its text: also of a draft that means nothing yet."""
    found = {*segment.suppress, *segment.waterfall.values()}
    waiting: list[object] = [segment]
    while waiting:
        match waiting.pop():
            case InSegment(segment=name):
                found.add(name)
            case BaseModel() as noun:
                waiting += [getattr(noun, field) for field in type(noun).model_fields]
            case tuple() | list() as many:
                waiting += many
            case dict() as mapping:
                waiting += mapping.values()
            case str() as text:
                found |= {(quoted or bare).replace("''", "'") for quoted, bare in _MEMBER_OF.findall(text)}
            case _:
                pass
    return found


def naming(declared: Mapping[str, Declared], name: str) -> list[str]:
    """The segments that name this one, or a part of its waterfall, sorted; a waterfall for its parts."""
    mine = {name, *(part for part, d in declared.items() if d.part_of == name)}
    return sorted({d.part_of or n for n, d in declared.items() if n not in mine and names_in(d.segment) & mine})
