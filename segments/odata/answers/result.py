"""What a request is answered with: rows, and how they are written."""

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from html import escape
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from segments.odata.answers.formats import CSV, JSON, TEXT, Format, csv_text, json_text, refuse_csv

if TYPE_CHECKING:
    import pandas as pd
    import polars as pl

SHOWN = 20
"""Rows that a notebook shows."""


@dataclass
class ODataAnswer:
    """One answer, or one page of it.

    value      list of dicts (a set), dict (one row), a value (a property, /$count), None (nothing there)
    table      the same as Arrow, without expansions; None of a property, a count and a document
    context    `$metadata#Customer(CustomerId,City)`
    count      rows in all, when $count=true asked
    next_link  the request of the next page; None: this was the last one
    status     200, or 204 when there is nothing to say: a null, or a relation that leads nowhere
    columns    names of the rows' own properties, in order
    expanded   relation → (whether it is a list, its columns), for CSV

    Values are as docs/odata.md says; a decimal stays a Decimal here, and `json()` writes all its digits.
    """

    value: Any
    context: str = ""
    table: pa.Table | None = None
    count: int | None = None
    next_link: str | None = None
    status: int = 200
    format: Format = field(default_factory=Format)
    columns: Sequence[str] = ()
    expanded: dict[str, tuple[bool, list[str]]] = field(default_factory=dict)
    raw: str | None = None
    media: str = ""
    follow: "Callable[[], ODataAnswer] | None" = field(default=None, repr=False)

    # ── pages ────────────────────────────────────────────────────────────────────────────────────────────────────────

    def next(self) -> "ODataAnswer | None":
        """The next page; None after the last one. NotFoundError when its generation is no longer kept."""
        return self.follow() if self.next_link is not None and self.follow is not None else None

    def pages(self) -> "Iterator[ODataAnswer]":
        """This page and all that follow. Each is asked for when it is wanted."""
        page: ODataAnswer | None = self
        while page is not None:
            yield page
            page = page.next()

    # ── text ─────────────────────────────────────────────────────────────────────────────────────────────────────────

    @property
    def content_type(self) -> str:
        """Of `body()`, for an HTTP answer."""
        return self.media or self.format.content_type

    def body(self) -> str:
        """The answer in the format it was asked for; empty when the status is 204."""
        if self.status == 204:
            return ""
        if self.raw is not None:
            return self.raw
        return self.csv() if self.format.media == CSV else self.json()

    def json(self) -> str:
        """One JSON document."""
        if self.raw is not None and not self.media.startswith(JSON):
            return json_text(self.value, ieee754=self.format.ieee754)
        return self.raw if self.raw is not None else json_text(self.document(), ieee754=self.format.ieee754)

    def document(self) -> dict[str, Any]:
        """The document that `json` writes."""
        head: dict[str, Any] = {}
        if self.format.metadata != "none" and self.context:
            head["@odata.context"] = self.context
        if isinstance(self.value, dict):
            return head | self.value
        if self.count is not None:
            head["@odata.count"] = self.count
        head["value"] = self.value
        if self.next_link is not None:
            head["@odata.nextLink"] = self.next_link
        return head

    def as_dict(self) -> Any:
        """The document as `json.loads` reads it: nothing in it but what `json.dumps` takes, so decimals are floats."""
        return json.loads(self.json())

    def csv(self, *, header: bool = True) -> str:
        """Rows as CSV; what a to-one relation leads to stands in columns `Relation/Name`. QueryError for lists."""
        if self.table is None or (isinstance(self.value, dict) and not self.columns):
            raise refuse_csv("what is no row")
        many = [name for name, (is_list, _) in self.expanded.items() if is_list]
        if many:
            raise refuse_csv(f"the rows of {many[0]} inside a row")
        names = [*self.columns, *(f"{name}/{c}" for name, (_, inner) in self.expanded.items() for c in inner)]
        return csv_text(names, (self._cells(row) for row in self.rows()), header=header)

    def _cells(self, row: dict[str, Any]) -> list[Any]:
        cells = [_at(row, name) for name in self.columns]
        for name, (_, inner) in self.expanded.items():
            found = row[name] or {}
            cells += [found.get(c) for c in inner]
        return cells

    # ── rows ─────────────────────────────────────────────────────────────────────────────────────────────────────────

    def rows(self) -> list[dict[str, Any]]:
        """The rows of this page: one of a single row, none of what is no row."""
        if isinstance(self.value, list):
            return [row for row in self.value if isinstance(row, dict)]
        return [self.value] if isinstance(self.value, dict) else []

    def arrow(self) -> pa.Table:
        """The rows of this page as Arrow, without expansions."""
        return self.table if self.table is not None else pa.table({})

    def df(self) -> "pd.DataFrame":
        """As a pandas frame; needs pandas."""
        frame: pd.DataFrame = self.arrow().to_pandas()
        return frame

    def pl(self) -> "pl.DataFrame":
        """As a polars frame; needs polars."""
        import polars as pl

        frame = pl.from_arrow(self.arrow())
        return frame if isinstance(frame, pl.DataFrame) else frame.to_frame()

    def __len__(self) -> int:
        return len(self.rows())

    def __iter__(self) -> Iterator[dict[str, Any]]:
        return iter(self.rows())

    def _repr_html_(self) -> str:
        rows = self.rows()
        if not rows:
            return f"<p>{escape('nothing' if self.value is None or self.value == [] else str(self.value))}</p>"
        names = list(dict.fromkeys(name for row in rows[:SHOWN] for name in row))
        head = "".join(f"<th>{escape(n)}</th>" for n in names)
        body = "".join(
            "<tr>" + "".join(f"<td>{_shown(row.get(n))}</td>" for n in names) + "</tr>" for row in rows[:SHOWN]
        )
        said = f"{len(rows):,} row{'s' * (len(rows) != 1)}"
        of = f" of {self.count:,}" if self.count is not None else ", more behind the next link" * bool(self.next_link)
        return f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table><p>{said}{of}</p>"


def _at(row: dict[str, Any], name: str) -> Any:
    """A column; `Customer/City`, which $apply may leave, is City of the object Customer."""
    if name in row:
        return row[name]
    here: Any = row
    for step in name.split("/"):
        here = here[step]
    return here


def _shown(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, list):
        return (
            f"{len(value):,} row{'s' * (len(value) != 1)}"
            if all(isinstance(v, dict) for v in value)
            else escape(str(value))
        )
    return escape(json_text(value) if isinstance(value, dict | bool) else str(value))


def text_answer(value: Any, *, media: str = TEXT) -> ODataAnswer:
    """A bare value: `/$count`, `/$value`. Nothing when it is null."""
    if value is None:
        return ODataAnswer(None, status=204, media=media)
    raw = value if isinstance(value, str) else json_text(value)
    return ODataAnswer(value, raw=raw, media=f"{media}; charset=utf-8" if media == TEXT else media)
