"""A tiny company whose customers merge and split as a column of its records says, and instances of it."""

from pathlib import Path
from typing import Any

import pyarrow as pa

import unify
from unify.instance import Instance

PROJECT: dict[str, Any] = {
    "name": "tiny",
    "keep": 3,
    "sources": {
        "crm": {"Contacts": {"key": "Id", "columns": {"Points": "integer"}}},
        "web": {"Orders": {"key": "OrderId", "columns": {"Total": "integer"}}},
    },
    "relationships": {"orders": "web.Orders.Contact -> crm.Contacts.Id"},
    "conflation": {
        "order": ["crm.Contacts"],
        "dedupe": {"crm.Contacts": [{"name": "same person", "when": [{"field": "Person"}]}]},
    },
}
"""Contacts with the same `Person` are one customer."""

People = dict[str, tuple[str, int]]
"""Contact → who it is, and its points."""


def frames(people: People, orders: dict[str, tuple[str, int]] | None = None) -> dict[str, pa.Table]:
    """The day's data: contacts and orders (order → contact, total)."""
    return {
        "crm.Contacts": pa.table(
            {
                "Id": pa.array(list(people), pa.string()),
                "Person": pa.array([who for who, _ in people.values()], pa.string()),
                "Points": pa.array([points for _, points in people.values()], pa.int64()),
            }
        ),
        "web.Orders": pa.table(
            {
                "OrderId": pa.array(list(orders or {}), pa.string()),
                "Contact": pa.array([who for who, _ in (orders or {}).values()], pa.string()),
                "Total": pa.array([total for _, total in (orders or {}).values()], pa.int64()),
            }
        ),
    }


def run(acme: Instance, people: People, segments: dict[str, Any], orders: Any = None, **more: Any) -> Any:
    """A day: its report."""
    return acme.run({**PROJECT, "segments": segments, **more}, frames=frames(people, orders), threads=1)


def opened(folder: Path) -> Instance:
    """A new instance."""
    return unify.open(folder / "acme", create=True)


def records(acme: Instance, customers: list[str]) -> set[str]:
    """Customers by their contacts, `a+b`: names that a person can read."""
    rows = acme.sql("SELECT CustomerId, string_agg(key, '+' ORDER BY key) AS who FROM members GROUP BY 1").rows()
    names = {row["CustomerId"]: row["who"] for row in rows}
    return {names.get(customer, customer) for customer in customers}


def who(acme: Instance, segment: str) -> set[str]:
    """The members of a segment, by their contacts."""
    return records(acme, acme.segment(segment).members().arrow().column(0).to_pylist())
