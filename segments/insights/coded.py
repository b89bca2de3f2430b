"""Attributes as small numbers: values numbered, numbers cut at quantiles. One code per customer and attribute."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any

import numpy as np
import pyarrow.compute as pc
from numpy.typing import NDArray

from segments.insights import columns as c
from segments.model import Model
from unify.core.engine import Engine
from unify.core.insight_reports import LeftOut
from unify.core.steps import Query

Codes = NDArray[np.int32]
Doubles = NDArray[np.float64]
EPOCH = datetime(1970, 1, 1)  # noqa: DTZ001 - UTC throughout


@dataclass(frozen=True)
class Coded:
    """One attribute of many customers, in the order of their ordinals.

    codes    0 to bins − 1; the last code is a missing value
    values   of values: the value of each code but the last
    cuts     of numbers and dates: code i is cuts[i − 1] < x ≤ cuts[i]; one code more than cuts, and the missing one
    """

    column: c.Column
    codes: Codes
    values: tuple[Any, ...] = ()
    cuts: tuple[Any, ...] = ()

    @property
    def ordered(self) -> bool:
        """Whether codes stand for ranges of numbers."""
        return self.column.kind != "value"

    @property
    def bins(self) -> int:
        """Number of codes, the one of missing values included."""
        return (len(self.cuts) + 1 if self.ordered else len(self.values)) + 1

    def label(self, code: int) -> str:
        """A code in words."""
        if code == self.bins - 1:
            return "missing"
        if not self.ordered:
            return str(self.values[code])
        low, high = [*(None, *self.cuts), None][code], [*self.cuts, None][code]
        if low is None:
            return "any value" if high is None else f"up to {_said(high)}"
        return f"above {_said(low)}" if high is None else f"above {_said(low)} to {_said(high)}"


def _said(value: Any) -> str:
    if isinstance(value, float):
        return f"{value:.6g}"
    return value.isoformat() if isinstance(value, date) else str(value)


@dataclass(frozen=True)
class CodedCustomers:
    """Customers by ordinal, ascending, `side` (1 members, 0 others), their coded attributes, and what was left out."""

    ordinals: NDArray[np.int64]
    side: NDArray[np.bool_]
    columns: tuple[Coded, ...]
    left_out: tuple[LeftOut, ...]


def coded(
    engine: Engine, model: Model, columns: Sequence[c.Column], *, most_values: int, most_bins: int
) -> CodedCustomers:
    """The customers of SIDES (columns.load_sides) with their codes.

    most_values   attributes with more different values than that are left out
    most_bins     ranges of a number
    """
    looked, out = c.without_ids(engine, model, columns)
    ordinals, side, found = np.empty(0, np.int64), np.empty(0, bool), list[Coded]()
    for batch in c.batches(looked) if looked else iter([list[c.Column]()]):
        listed = "".join(f", {_taken(x)} AS v{i}" for i, x in enumerate(batch))
        answer = engine.fetch(Query(f"SELECT c.ordinal AS ordinal, s.side AS side{listed} FROM {c.source(model)}"))
        order = np.argsort(answer.column("ordinal").to_numpy())
        ordinals = answer.column("ordinal").to_numpy()[order].astype(np.int64)
        side = answer.column("side").to_numpy()[order] == 1
        for i, column in enumerate(batch):
            values = answer.column(f"v{i}")
            made = (
                _value(column, values, order) if column.kind == "value" else _number(column, values, order, most_bins)
            )
            reason = _reason(made, most_values)
            if reason:
                out.append(LeftOut(attribute=column.name, reason=reason))
            else:
                found.append(made)
    return CodedCustomers(ordinals, side, tuple(found), tuple(out))


def _taken(column: c.Column) -> str:
    return column.text if column.kind == "value" else column.number


def _reason(made: Coded, most: int) -> str:
    if made.column.type.kind in ("time", "guid"):
        return f"it is {made.column.type.kind}; text, flags, numbers and dates are looked at"
    if not made.ordered and len(made.values) > most:
        return f"it has {len(made.values):,} different values, more than {most}"
    return ""


def _value(column: c.Column, values: Any, order: NDArray[np.int64]) -> Coded:
    """Values numbered in the order of their text."""
    found = values.combine_chunks().dictionary_encode()
    texts = found.dictionary.to_pylist()
    by_text = sorted(range(len(texts)), key=lambda i: texts[i])
    place = np.empty(len(texts) + 1, dtype=np.int32)
    place[by_text] = np.arange(len(texts))
    place[-1] = len(texts)
    codes = pc.fill_null(found.indices, len(texts)).to_numpy()
    is_flag = column.type.kind == "boolean"
    kept = tuple(texts[i] == "true" if is_flag else texts[i] for i in by_text)
    return Coded(column, place[codes][order], values=kept)


def _number(column: c.Column, values: Any, order: NDArray[np.int64], most: int) -> Coded:
    """Cut at quantiles that are values of the data; equal ones are one cut."""
    numbers = c.as_doubles(values)[order]
    there = numbers[np.isfinite(numbers)]
    shares = np.arange(1, most) / most
    cuts = np.unique(np.quantile(there, shares, method="inverted_cdf")) if len(there) else np.empty(0)
    if len(cuts) and cuts[-1] == there.max():
        cuts = cuts[:-1]  # nothing is above it
    codes = np.searchsorted(cuts, numbers, "left").astype(np.int32)
    codes[np.isnan(numbers)] = len(cuts) + 1
    return Coded(column, codes, cuts=tuple(_typed(column, x) for x in cuts.tolist()))


def _typed(column: c.Column, value: float) -> Any:
    """A double as the column's type has it."""
    match column.type.kind:
        case "integer" | "duration":
            return round(value)
        case "decimal":
            return Decimal(repr(value)).quantize(Decimal(1).scaleb(-column.type.scale))
        case "date":
            return (EPOCH + timedelta(days=round(value))).date()
        case "datetime":
            return EPOCH + timedelta(microseconds=round(value))
    return value


def odata(column: str, coded_as: Coded, allowed: Iterable[int]) -> str:
    """OData filter text: the attribute has one of these codes. Ranges that meet are one; "" when all are allowed."""
    codes = sorted(set(allowed))
    missing, rest = coded_as.bins - 1 in codes, [x for x in codes if x != coded_as.bins - 1]
    if len(codes) == coded_as.bins:
        return ""
    if len(rest) == coded_as.bins - 1:
        said = f"{column} ne null"
    elif not rest:
        return f"{column} eq null"
    else:
        said = (
            _range(column, coded_as, rest) if coded_as.ordered else _listed(column, [coded_as.values[i] for i in rest])
        )
    return f"({said} or {column} eq null)" if missing else said


def _range(column: str, coded_as: Coded, codes: Sequence[int]) -> str:
    """Codes of a range without gaps."""
    parts = []
    if codes[0] > 0:
        parts.append(f"{column} gt {literal(coded_as.cuts[codes[0] - 1])}")
    if codes[-1] < len(coded_as.cuts):
        parts.append(f"{column} le {literal(coded_as.cuts[codes[-1]])}")
    return " and ".join(parts) if len(parts) == 1 else f"({' and '.join(parts)})"


def _listed(column: str, values: Sequence[Any]) -> str:
    if len(values) == 1:
        return f"{column} eq {literal(values[0])}"
    return f"{column} in ({','.join(literal(v) for v in values)})"


def literal(value: Any) -> str:
    """A value as OData writes it.

    >>> literal("O'Hara"), literal(True), literal(Decimal("1.50"))
    ("'O''Hara'", 'true', '1.50')
    """
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return "'" + value.replace("'", "''") + "'"
    if isinstance(value, datetime):
        return value.isoformat() + "Z"
    return value.isoformat() if isinstance(value, date) else repr(value) if isinstance(value, float) else str(value)
