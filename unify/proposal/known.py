"""Labelled pairs: somebody said of two records whether they are one customer."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from unify.core.errors import SourceError, did_you_mean

COLUMNS = ("entity1", "key1", "entity2", "key2", "match")
YES = {"1", "1.0", "true", "yes", "y", "same"}
NO = {"0", "0.0", "false", "no", "n", "different"}


@dataclass(frozen=True)
class Known:
    """Two records as (entity, key), and whether they are one customer."""

    a: tuple[str, str]
    b: tuple[str, str]
    same: bool


def known_pairs(rows: Iterable[Mapping[str, Any]], entities: Iterable[str], where: str) -> tuple[Known, ...]:
    """The rows as pairs. SourceError, with the row, for a missing column, an unknown entity or a `match` that says
    neither yes nor no, for a record held against itself and for a pair of which two rows say different things."""
    names = list(entities)
    made: list[Known] = []
    answers: dict[frozenset[tuple[str, str]], tuple[bool, int]] = {}
    for number, row in enumerate(rows, 1):
        missing = [c for c in COLUMNS if row.get(c) is None]
        if missing:
            raise SourceError(
                f"{missing[0]} is missing", where=f"{where}, row {number}", hint=f"columns: {', '.join(COLUMNS)}"
            )
        for column in ("entity1", "entity2"):
            if row[column] not in names:
                raise SourceError(
                    f"{row[column]!r} is no entity of the plan", where=f"{where}, row {number}, {column}",
                    hint=did_you_mean(str(row[column]), names),
                )  # fmt: skip
        said = str(row["match"]).strip().casefold()
        if said not in YES | NO:
            raise SourceError(
                f"{row['match']!r} is neither yes nor no", where=f"{where}, row {number}, match", hint="write 1 or 0"
            )
        pair = Known((row["entity1"], str(row["key1"])), (row["entity2"], str(row["key2"])), said in YES)
        _refuse_nonsense(pair, answers, number, where)
        made.append(pair)
    return tuple(made)


def _refuse_nonsense(
    pair: Known, answers: dict[frozenset[tuple[str, str]], tuple[bool, int]], number: int, where: str
) -> None:
    """SourceError for a pair that is one record, or of which an earlier row says otherwise; notes the answer."""
    if pair.a == pair.b:
        hint = "a label is about two records: leave the row out"
        raise SourceError(f"{pair.a[1]!r} is held against itself", where=f"{where}, row {number}", hint=hint)
    same, earlier = answers.setdefault(frozenset((pair.a, pair.b)), (pair.same, number))
    if same != pair.same:
        said = f"row {earlier} says {'the same' if same else 'different'}, this one does not"
        raise SourceError(said, where=f"{where}, row {number}", hint="leave one of the two rows out")
