"""The records of all entities as one table: what common rules compare.

Column u<i> of that table is one prepared column of every entity that has a value there, null in the others:

    u0   crm.Contacts v3 (EMail) · loyalty.Members v0 (Mail) · web.SignUps v2 (Mail1)
    u1                                                         web.SignUps v3 (Mail2)

It is a subquery over the prepared tables, not a table: a rule reads few of its columns, each twice or thrice, and a
copy would cost more memory than that costs time.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Any

from unify.conflation.letters import letters_of
from unify.conflation.prepare import Prepared
from unify.core.errors import SpecError, did_you_mean
from unify.spec import Compared, Criterion, Evidence, Joined, SourceColumn

EVERY_ENTITY = "every entity"
"""What reports and the table `rules` give as the entity of a common rule."""


@dataclass
class AllRecords:
    """The prepared values of all entities, side by side; plays the part of a `Prepared` in common rules."""

    members: tuple[Prepared, ...]
    columns: dict[tuple[str | None, ...], str] = field(default_factory=dict)
    """A prepared column per member (None: it has none) to the name that they have together (u0, u1, ...)."""
    lettered: set[str] = field(default_factory=set)
    """Those of u0, u1, ... that have a column of letters beside them (letters.py)."""

    @property
    def entity(self) -> str:
        """What stands where another rule has its entity."""
        return EVERY_ENTITY

    @property
    def table(self) -> str:
        """SQL of the table, to select from: rid and every column registered so far."""
        parts = []
        for place, one in enumerate(self.members):
            cells = "".join(f", {made[place] or 'NULL'} AS {name}" for made, name in self.columns.items())
            letters = "".join(
                f", {letters_of(form) if form else 'NULL'} AS {letters_of(name)}"
                for form, name in ((made[place], name) for made, name in self.columns.items() if name in self.lettered)
            )
            parts.append(f"SELECT rid{cells}{letters} FROM {one.table}")
        return f"({' UNION ALL '.join(parts)})"

    def values(
        self, compared: Criterion | Evidence, criterion: Criterion | None = None, letters: bool = False
    ) -> tuple[str, ...]:
        """The columns u<i> that hold these values, as many as the entity with the most columns has; registers them.

        Raises SpecError when no entity has any of the columns.
        """
        own = [
            [
                one.value(column, compared.normalize, criterion, letters)
                for column in compared.of_entity(one.entity, one.types)
            ]
            for one in self.members
        ]
        width = max(map(len, own))
        if not width:
            name = " or ".join(compared.left_columns)
            known = {column for one in self.members for column in one.types}
            raise SpecError(f"no entity of the plan has a column {name!r}", hint=did_you_mean(name, known))
        aligned = (tuple(forms[i] if i < len(forms) else None for forms in own) for i in range(width))
        names = tuple(self.columns.setdefault(made, f"u{len(self.columns)}") for made in aligned)
        if letters:
            self.lettered.update(names)
        return names

    def columns_of(self, compared: Compared, entity: str) -> tuple[SourceColumn, ...]:
        """What a comparison looks at in the records of one entity."""
        return next(compared.of_entity(entity, one.types) for one in self.members if one.entity == entity)

    def forms(self, names: Collection[str]) -> list[tuple[Prepared, str]]:
        """The prepared columns that some of its columns are made of, each once."""
        found = {
            (place, form): (one, form)
            for made, name in self.columns.items()
            if name in names
            for place, (one, form) in enumerate(zip(self.members, made, strict=True))
            if form is not None
        }
        return [found[key] for key in sorted(found, key=lambda at: (at[0], int(at[1][1:])))]


def raw_value(row: Mapping[str, Any], column: SourceColumn) -> Any:
    """The value of a source row as ingested; several columns read as one text are joined. None: there is none.

    >>> raw_value({"First": "Ada ", "Middle": " ", "Last": "Okafor"}, Joined(join=("First", "Middle", "Last")))
    'Ada Okafor'
    """
    if not isinstance(column, Joined):
        return row.get(column)
    texts = (str(value).strip() for part in column.join if (value := row.get(part)) is not None)
    return " ".join(text for text in texts if text) or None
