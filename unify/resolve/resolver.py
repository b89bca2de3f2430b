"""Resolver: answers about one generation, from memory, for as many threads as ask."""

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from types import TracebackType
from typing import Any, Self

import pyarrow as pa

from unify.conflation.evidence.stored import stored
from unify.core.errors import QueryError, did_you_mean
from unify.core.resolutions import Near, Resolution, Verdict
from unify.core.steps import Query
from unify.engines.duckdb import DuckDBEngine
from unify.engines.statements import Statements
from unify.resolve.deciding import Deciding, Outcome
from unify.resolve.evidence import Evidence
from unify.resolve.linking import Asked, Linking
from unify.resolve.memory import NOBODY, Memory
from unify.resolve.pairing import RuleForms
from unify.resolve.reading import Reader, Record
from unify.resolve.remembering import remember
from unify.resolve.similar import Similar
from unify.resolve.telling import Telling
from unify.spec import Project


class Resolver:
    """Tied to one generation, whatever is published later; close it, or use it in a `with`.

        with acme.resolver() as resolver:
            resolver.resolve("crm.Contacts", {"EMail": "ada@example.com"}).customer

    generation   the number of the generation it answers about
    memory_mib   what it holds of it
    """

    def __init__(
        self, engine: DuckDBEngine, project: Project, generation: int, notes: Sequence[str], release: Callable[[], None]
    ) -> None:
        """Reads the generation into memory. `release` lets go of its file. QueryError when it has no customers."""
        self.generation, self._engine, self._release = generation, engine, release
        self._memory: Memory = remember(engine, project)
        self._notes = list(notes)
        self._asked = Statements(engine)
        self._forms = [RuleForms(rule) for rule in self._memory.bound.rules]
        self._similar = Similar()
        rows = engine.fetch(Query("SELECT entity, columns FROM entities")).to_pylist()
        types = {r["entity"]: {c["name"]: c["type"] for c in json.loads(r["columns"])} for r in rows}
        self._readers = {
            name: Reader(engine, self._memory, held, types.get(name, {}))
            for name, held in self._memory.entities.items()
        }
        self._evidence: dict[int, Evidence] = {}
        for forms in self._forms:
            if forms.rule.scored and (learned := stored(engine, forms.rule.number)) is not None:
                self._evidence[forms.rule.number] = Evidence(self._memory, forms, learned)

    @property
    def memory_mib(self) -> int:
        """MiB."""
        return self._memory.nbytes // 2**20

    def resolve(self, entity: str, record: Mapping[str, Any], *, why: bool = True) -> Resolution:
        """Which customer a run would make the record part of.

        record   column to value, as text or as Python has it; columns that are not there are null
        why      also the conditions of the rules, with values, and the customers that came near: it takes longer

        Raises QueryError for an unknown entity or column, for a value that does not fit its column, for an empty key.
        """
        return self._answer(self._reader(entity).read(self._asked, record), why=why)

    def resolve_all(
        self, entity: str, records: "Iterable[Mapping[str, Any]] | Any", *, why: bool = False
    ) -> list[Resolution]:
        """Each record by itself, as if the others were not there. `records`: mappings, or a pandas, polars or Arrow
        table."""
        reader = self._reader(entity)
        return [self._answer(reader.read(self._asked, row), why=why) for row in rows_of(records)]

    def close(self) -> None:
        """Let go of the generation and the memory; twice is harmless."""
        self._engine.close()
        self._release()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    # ── one answer ───────────────────────────────────────────────────────────────────────────────────────────────────

    def _reader(self, entity: str) -> Reader:
        if entity not in self._readers:
            hint = f"{did_you_mean(entity, self._readers)} (only entities of the conflation order have customers)"
            raise QueryError(f"there is no entity {entity!r} to resolve records of", hint=hint)
        return self._readers[entity]

    def _answer(self, record: Record, *, why: bool) -> Resolution:
        asked = self._placed(record)
        if not record.kept:
            return self._filtered(asked)
        linking = Linking(self._memory, self._forms, self._similar, asked)
        linking.run(self._scored)
        outcome = Deciding(self._memory, asked, linking, self._forms).outcome()
        telling = Telling(self._memory, self._forms, asked, linking, outcome)
        near = telling.near() if why else []
        return self._told(asked, outcome, telling, telling.nearest(near), why=why)

    def _scored(self, linking: Linking, forms: RuleForms) -> None:
        if forms.rule.number in self._evidence:
            self._evidence[forms.rule.number](linking)

    def _placed(self, record: Record) -> Asked:
        """Where the record stands: in place of the one with its key, between others, or last when it has no key."""
        held = self._memory.entities[record.entity]
        place, there = len(held.keys), False
        if record.key is not None:
            key = held.as_key(str(record.key))
            place, there = held.find(key)
        rid = held.first + place
        return Asked(self._memory, record, rid if there else None, 2 * rid + 1 if there else 2 * rid)

    def _filtered(self, asked: Asked) -> Resolution:
        return Resolution(
            generation=self.generation, entity=asked.entity, key=_text(asked.record.key), verdict="none", customer=None,
            replaces=asked.update, was=self._was(asked), record=asked.record.given,
            because=[f"the row filter of {asked.entity} leaves it out"], notes=self._notes,
        )  # fmt: skip

    def _was(self, asked: Asked) -> str | None:
        customer = int(self._memory.customers[asked.rid]) if asked.update else NOBODY
        return None if customer == NOBODY else str(self._memory.ids[customer].as_py())

    def _told(self, asked: Asked, outcome: Outcome, telling: Telling, nearest: list[Near], *, why: bool) -> Resolution:
        customer = telling.name(outcome.customer)
        retired = [str(telling.name(c)) for c in outcome.merged]
        verdict: Verdict = (
            "none" if not outcome.member else "new" if customer is None else "merges" if retired else "joins"
        )
        because = []
        if not outcome.member:
            because.append(f"it matches nothing, and {asked.entity} does not include such records")
        return Resolution(
            generation=self.generation, entity=asked.entity, key=_text(asked.record.key), verdict=verdict,
            customer=customer, retired=retired, replaces=asked.update, was=self._was(asked),
            record=asked.record.given, matches=telling.matches(why=why), apart=telling.apart(),
            nearest=nearest, changes=telling.changes(), because=because,
            notes=[*asked.record.junk, *self._notes],
        )  # fmt: skip


def rows_of(records: Any) -> list[Mapping[str, Any]]:
    """The rows of a table, or the mappings of a sequence. QueryError for anything else."""
    if hasattr(records, "__arrow_c_stream__"):
        table = pa.table(records)
        return table.select([c for c in table.column_names if not c.startswith("__index_level_")]).to_pylist()  # type: ignore[no-any-return]
    if not isinstance(records, (str, bytes, Mapping)):
        rows = list(records)
        if all(isinstance(row, Mapping) for row in rows):
            return rows
    raise QueryError(
        f"a {type(records).__name__} is no sequence of records", hint="hand over a list of dicts, or a table"
    )


def _text(key: Any) -> str | None:
    return None if key is None else str(key)
