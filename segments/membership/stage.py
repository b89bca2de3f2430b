"""All segments of a run: which are found, which are carried over, and what is told of those that fail."""

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal

from pyroaring import BitMap

from segments.lowered import Lowered
from segments.membership.declared import Declared, check_in_force, hash_of
from segments.membership.evaluate import Evaluated, Evaluation
from segments.membership.identity import Heirs
from segments.membership.order import needs_of
from segments.model import Model
from unify.core.engine import Engine
from unify.core.errors import QueryError, UnifyError

State = Literal["refreshed", "carried", "failed"]


@dataclass(frozen=True)
class Last:
    """A segment's members as the last good run left them.

    run       that said so
    members   who they were then; heirs: who they are in this generation
    facts     what was noted of them
    """

    run: int
    members: BitMap
    heirs: Heirs
    facts: Mapping[str, Any]

    @property
    def carried(self) -> BitMap:
        """The members in this generation: whoever holds what they held."""
        return self.heirs.all


@dataclass(frozen=True)
class Found:
    """What a run says of one segment. `members` is None when none were ever found."""

    declared: Declared
    state: State
    members: BitMap | None
    facts: dict[str, Any]
    error: UnifyError | None = None
    warnings: tuple[str, ...] = ()


LastOf = Callable[[str], Last | None]


@dataclass
class Stage:
    """What a run needs to find members.

    declared   every definition, parts of waterfalls included
    last       segment → its members before
    in_force   segment → members that stand in this generation already; not found again unless they are wanted
    """

    engine: Engine
    model: Model
    declared: Mapping[str, Declared]
    run: int
    clock: datetime
    last: LastOf
    in_force: Mapping[str, BitMap] = field(default_factory=dict)

    def everything(self) -> list[Found]:
        """A full run: every active segment; static ones are carried over once they have been found."""
        active = [name for name, d in self.declared.items() if d.in_force(self.clock)]
        carried: dict[str, Last] = {}
        for name in active:
            if self.declared[name].segment.static and (last := self.last(name)) is not None:
                carried[name] = last
        known = {name: last.carried for name, last in carried.items()}
        found = self._found([name for name in active if name not in carried], known)
        found |= {name: self._carried(self.declared[name], last) for name, last in carried.items()}
        return [found[name] for name in active]

    def these(self, names: Collection[str]) -> list[Found]:
        """The named segments, static ones too, and whatever they need that has no members here yet.

        QueryError for one that is unknown or inactive.
        """
        for name in names:
            check_in_force(self.declared, name, self.clock)
        known = {name: members for name, members in self.in_force.items() if name not in names}
        found = self._found(list(dict.fromkeys(names)), known)
        return [found[name] for name in sorted(found)]

    def _found(self, names: list[str], known: Mapping[str, BitMap]) -> dict[str, Found]:
        lowered, failed = self.lowered(names, known)
        evaluation = Evaluation(self.engine, self.model, clock=self.clock, known=known)
        evaluated = evaluation.of(lowered, failed)
        return {name: self._told(self.declared[name], one) for name, one in evaluated.items()}

    def lowered(
        self, names: Collection[str], known: Collection[str]
    ) -> tuple[dict[str, Lowered], dict[str, UnifyError]]:
        """The named segments and what they need beyond the known ones, ready to be found; and those that cannot be."""
        from segments.lowering import lower  # OData, SQL and the vendor's models: asking who is in needs none of them

        model = self.model.with_segments(dict.fromkeys(self.declared, self.model.catalog.customers))
        found: dict[str, Lowered] = {}
        failed: dict[str, UnifyError] = {}
        waiting = list(names)
        while waiting:
            name = waiting.pop()
            if name in found or name in failed:
                continue
            try:
                one = lower(self.declared[name].segment, model, name=name)
                needs = needs_of(one)
                for need in sorted(needs):
                    others = {n: d for n, d in self.declared.items() if n != name or n == need}
                    check_in_force(others, need, self.clock, where=f"segments.{name}")
            except UnifyError as error:
                failed[name] = error
                continue
            found[name] = one
            waiting += [need for need in needs if need not in known]
        return found, failed

    def _told(self, declared: Declared, one: Evaluated) -> Found:
        text = hash_of(declared.text(self.model.timezone))
        moment = self.clock.isoformat()
        facts: dict[str, Any] = {"at": moment, "clock": moment, "version": declared.version}
        facts["seconds"] = round(one.seconds, 4)
        if one.members is not None:
            facts |= {"as_of": self.run, "definition": text, "rules": [list(rule) for rule in one.rules]}
            return Found(declared, "refreshed", one.members, facts, warnings=one.warnings)
        last = self.last(declared.name)
        error = one.error or QueryError("it could not be found")
        facts |= {"as_of": None, "definition": None, "tried": text, "error": error.as_dict()}
        if last is None:
            return Found(declared, "failed", None, facts, error)
        facts |= {key: last.facts.get(key) for key in ("as_of", "definition", "clock", "version", "rules")}
        return Found(declared, "failed", last.carried, facts, error)

    def _carried(self, declared: Declared, last: Last) -> Found:
        return Found(declared, "carried", last.carried, {**last.facts, "at": self.clock.isoformat(), "seconds": 0.0})
