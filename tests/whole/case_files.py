"""Hand-written cases of the whole job: rows in, a plan, customers out. See the head of cases/order.yaml for the words."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pyarrow as pa
import yaml

HERE = Path(__file__).parent / "cases"
WORDS = {"name", "why", "rows", "types", "project", "plan", "groups", "customer", "cuts", "ignored", "dropped", "error",
         "warning", "notes", "links", "columns"}  # fmt: skip


@dataclass(frozen=True)
class Case:
    """One case, as read from its file."""

    name: str
    rows: dict[str, str]
    plan: dict[str, Any]
    project: dict[str, Any] = field(default_factory=dict)
    types: dict[str, str] = field(default_factory=dict)
    why: str = ""
    groups: list[str] | None = None
    customer: dict[str, dict[str, Any]] = field(default_factory=dict)
    columns: list[str] | None = None
    links: dict[str, list[str]] | None = None
    cuts: list[str] | None = None
    ignored: list[str] | None = None
    dropped: list[str] | None = None
    error: list[str] | None = None
    warning: str | None = None
    notes: str = ""

    def frames(self) -> dict[str, pa.Table]:
        """One Arrow table per entity; text unless `types` says otherwise."""
        return {entity_of(letter): table(text, self.types) for letter, text in self.rows.items()}

    def as_project(self) -> dict[str, Any]:
        """The project: every entity `a` is `a.P` with key `Id`."""
        sources = {letter: {"P": {"key": "Id"}} for letter in self.rows}
        for qualified, more in self.project.get("sources", {}).items():
            sources[qualified]["P"] |= more
        rest = {k: v for k, v in self.project.items() if k != "sources"}
        plan = {"order": [entity_of(letter) for letter in self.rows], **self.plan}
        return {"sources": sources, "conflation": plan, **rest}


def entity_of(letter: str) -> str:
    return f"{letter}.P"


def table(text: str, types: dict[str, str]) -> pa.Table:
    """A table from `Id | Name` lines. Empty is null, `''` is the empty text."""
    head, *lines = [[cell.strip() for cell in line.split("|")] for line in text.strip().splitlines()]
    for line in lines:
        assert len(line) == len(head), f"{line} has not the columns {head}"
    columns = {}
    for at, name in enumerate(head):
        texts = [None if line[at] == "" else "" if line[at] == "''" else line[at] for line in lines]
        columns[name] = pa.array(texts, pa.string()).cast(pa.type_for_alias(types.get(name, "string")))
    return pa.table(columns)


def cases() -> list[Case]:
    """Every case of every file; an unknown word or a name used twice is an error."""
    found: list[Case] = []
    for path in sorted(HERE.glob("*.yaml")):
        for said in yaml.safe_load(path.read_text(encoding="utf-8")):
            assert set(said) <= WORDS, f"{path.name}: {said['name']}: unknown {set(said) - WORDS}"
            found.append(Case(**{"plan": {}, **said}))
    names = [case.name for case in found]
    assert len(names) == len(set(names)), "two cases share a name"
    return found
