"""Customers with activities, generated, and the fifty segments that are measured on them. Nobody here is a real person.

contacts.parquet   one row per customer
orders.parquet     ten per customer on average, unevenly spread
"""

import datetime as dt
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

CITIES = ("Arlen", "Brisk", "Corvale", "Dunmore", "Eastwick", "Fenholt", "Grays", "Holm", "Ivers", "Jarrow")
TIERS = ("bronze", "silver", "gold")
CATEGORIES = ("books", "garden", "kitchen", "music", "sport", "toys")
CHANNELS = ("web", "shop", "phone")
EPOCH = dt.datetime(2026, 1, 1, tzinfo=dt.UTC)
ORDERS_EACH = 10


def write(folder: Path, customers: int, seed: int = 7) -> None:
    """Both files; the same bytes of data for the same seed."""
    draw = np.random.default_rng(seed)
    pq.write_table(_contacts(customers, draw), folder / "contacts.parquet")
    pq.write_table(_orders(customers, customers * ORDERS_EACH, draw), folder / "orders.parquet")


def _contacts(n: int, draw: np.random.Generator) -> pa.Table:
    numbers = np.arange(n)
    born = np.datetime64("1940-01-01") + draw.integers(0, 25_000, n).astype("timedelta64[D]")
    created = np.datetime64("2018-01-01T00:00:00", "us") + draw.integers(0, 8 * 365 * 86_400, n).astype(
        "timedelta64[s]"
    )
    city = _words(CITIES, draw.zipf(1.4, n) % len(CITIES))
    return pa.table(
        {
            "ContactId": _numbered("C", numbers),
            "EMail": pa.array([f"p{i}@mail.invalid" for i in range(n)], pa.string()),
            "City": pa.array(np.where(draw.random(n) < 0.03, None, np.asarray(city)), pa.string()),
            "Tier": _words(TIERS, draw.integers(0, 3, n)),
            "BirthDate": pa.array(born.astype("datetime64[D]")),
            "CreatedOn": pa.array(created),
            "Points": pa.array(draw.integers(0, 10_000, n), pa.int64(), mask=draw.random(n) < 0.2),
            "Newsletter": pa.array(draw.random(n) < 0.4),
        }
    )


def _orders(customers: int, n: int, draw: np.random.Generator) -> pa.Table:
    buyer = (draw.random(n) ** 1.5 * customers).astype(np.int64)
    when = np.datetime64("2023-01-01T00:00:00", "us") + draw.integers(0, 3 * 365 * 86_400, n).astype("timedelta64[s]")
    return pa.table(
        {
            "OrderId": _numbered("O", np.arange(n)),
            "ContactId": _numbered("C", buyer),
            "OrderedOn": pa.array(when),
            "Total": pa.array(np.round(draw.gamma(2.0, 30.0, n), 2)),
            "Category": _words(CATEGORIES, draw.integers(0, len(CATEGORIES), n)),
            "Channel": _words(CHANNELS, draw.integers(0, len(CHANNELS), n)),
        }
    )


def _words(words: tuple[str, ...], which: Any) -> pa.Array:
    return pa.DictionaryArray.from_arrays(pa.array(which, pa.int32()), pa.array(words)).cast(pa.string())


def _numbered(letter: str, numbers: Any) -> pa.Array:
    import pyarrow.compute as pc

    return pc.binary_join_element_wise(pa.scalar(letter), pc.cast(pa.array(numbers), pa.string()), "")


def project() -> dict[str, Any]:
    """The project: one profile entity, one activity entity, fifty segments."""
    return {
        "name": "segments",
        "keep": 2,
        "sources": {
            "crm": {"Contacts": {"files": "contacts.parquet", "key": "ContactId"}},
            "web": {
                "Orders": {"files": "orders.parquet", "key": "OrderId", "type": "activity", "timestamp": "OrderedOn"}
            },
        },
        "conflation": {
            "order": ["crm.Contacts"],
            "dedupe": {"crm.Contacts": [{"name": "mail", "when": [{"field": "EMail"}]}]},
        },
        "relationships": {"orders": "web.Orders.ContactId -> crm.Contacts.ContactId"},
        "activities": {"Orders": {"entity": "web.Orders", "type": "SalesOrder", "display": "Category"}},
        "segments": segments(),
    }


def segments() -> dict[str, str]:
    """Forty over attributes and other segments, ten over activities."""
    found = {f"in_{city.lower()}": f"City eq '{city}'" for city in CITIES}
    found |= {f"is_{tier}": f"Tier eq '{tier}'" for tier in TIERS}
    found |= {f"over_{points}": f"Points gt {points}" for points in range(500, 9500, 1000)}
    found |= {f"since_{year}": f"CreatedOn ge {year}-01-01T00:00:00Z" for year in range(2019, 2025)}
    found |= {f"born_{year}s": f"year(BirthDate) ge {year} and year(BirthDate) lt {year + 10}"
              for year in range(1940, 2000, 10)}  # fmt: skip
    found |= {
        "reachable": "Newsletter eq true and endswith(EMail,'.invalid')",
        "rich_gold": "IsMemberOfSegment('is_gold') and IsMemberOfSegment('over_4500')",
        "no_city": "City eq null",
        "quiet": "not IsMemberOfSegment('reachable')",
        "brisk_or_holm": "City in ('Brisk','Holm') and Points ge 100",
        "arl": "startswith(tolower(City),'arl') or contains(City,'wick')",
    }
    return found | activity_segments()


def activity_segments() -> dict[str, str]:
    """The ten that look at ten activities a customer."""
    found = {
        f"bought_{category}": f"UnifiedActivity/any(a: a/ActivityTypeDisplay eq '{category}')"
        for category in CATEGORIES[:4]
    }
    return found | {
        "recent": "UnifiedActivity/any(a: a/ActivityTime ge 2025-11-01T00:00:00Z)",
        "lapsed": "not UnifiedActivity/any(a: a/ActivityTime ge 2025-01-01T00:00:00Z)",
        "frequent": "UnifiedActivity/$count gt 15",
        "sporty": "UnifiedActivity/$count($filter=ActivityTypeDisplay eq 'sport') ge 3",
        "spender": "web_Orders/aggregate(Total with sum) gt 1200",
        "big_basket": "web_Orders/any(o: o/Total gt 300)",
    }
