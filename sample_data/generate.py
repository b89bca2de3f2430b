"""Write sample_data/output/ and sample_data/lists/: `python -m sample_data.generate [folder]`.

One seed, no clock, no set or dict order that is not written down: the same bytes on every machine, which a test checks
against what is committed.
"""

import argparse
import csv
import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import yaml

from sample_data import broken, one_person, ordinary, several_people
from sample_data.cases import Case
from sample_data.people import CRM, KEYS, LOYALTY, ORDERS, REVIEWS, STORE, WEB, Dice, Record, World

SEED = 20260101
HERE = Path(__file__).parent

FILES = {
    CRM: "output/crm/contacts.csv", LOYALTY: "output/loyalty/members.csv", WEB: "output/web/signups.jsonl",
    STORE: "output/pos/purchases.csv", ORDERS: "output/web/orders.csv", REVIEWS: "output/web/reviews.csv",
}  # fmt: skip
PROFILES = (CRM, LOYALTY, WEB)
TRUTH, TRAPS = "output/truth.csv", "output/traps.yaml"
LISTS = {"always_list": "lists/always.csv", "never_list": "lists/never.csv"}
Trap = dict[str, Any]


def build() -> tuple[World, list[Trap]]:
    """The invented world, and its traps: a trap's name and story are those of the function that sets it."""
    world = World(Dice(SEED))
    ordinary.populate(world)
    listed = [_trap(world, story) for story in (*one_person.STORIES, *several_people.STORIES)]
    ordinary.shop(world)
    listed += [_trap(world, story) for story in broken.STORIES]
    for records in world.records.values():
        world.dice.shuffle(records)
    return world, listed


def _trap(world: World, story: Callable[[World], list[Case]]) -> Trap:
    return {"name": story.__name__, "what": story.__doc__, "cases": story(world)}


def files(world: World, listed: list[Trap]) -> dict[str, bytes]:
    """Every file to write, by path relative to sample_data/."""
    out = {path: _file_of(entity, world.records[entity]) for entity, path in FILES.items()}
    out[TRUTH] = _table(["source", "entity", "key", "person"], _truth(world))
    out[TRAPS] = _traps(world, listed)
    for trap in listed:
        if trap["name"] in LISTS:
            rows = [_pair(case) for case in trap["cases"]]
            out[LISTS[trap["name"]]] = _table(["Table1", "Table1Key", "Table2", "Table2Key"], rows)
    return out


def _file_of(entity: str, records: list[Record]) -> bytes:
    """CRM out of a spreadsheet (BOM, CRLF), loyalty out of a European till (semicolons), the web as JSON lines."""
    if entity == WEB:
        return "".join(f"{r.raw or json.dumps(r.fields, ensure_ascii=False)}\n" for r in records).encode()
    columns = next(list(r.fields) for r in records)
    lines = [broken.csv_line(entity, columns)]
    lines += [r.raw if r.raw is not None else broken.csv_line(entity, list(r.fields.values())) for r in records]
    if entity == CRM:
        return b"\xef\xbb\xbf" + "".join(f"{line}\r\n" for line in lines).encode()
    return "".join(f"{line}\n" for line in lines).encode()


def _truth(world: World) -> list[list[str]]:
    """One row per accepted profile record: which person it is. Sorted, so that it tells nothing about file order."""
    rows = [
        [*entity.split("."), r.key, r.person]
        for entity in PROFILES
        for r in world.records[entity]
        if r.kept and r.person is not None
    ]
    return sorted(rows, key=lambda row: (row[0], row[1], row[2]))


def _pair(case: Case) -> list[str]:
    """The two records of a case, as a line of an override list."""
    first, second = [ref for group in case["expect"]["groups"] for ref in group]
    return [*first, *second]


def _traps(world: World, listed: list[Trap]) -> bytes:
    """Traps with their cases; a broken row is now named by file and line."""
    head = 2  # a CSV file's first record is on line 2
    place = {
        id(record): (FILES[entity], i + (1 if entity == WEB else head))
        for entity, records in world.records.items()
        for i, record in enumerate(records)
    }

    def settled(case: dict[str, Any]) -> dict[str, Any]:
        expect = dict(case["expect"])
        if expect["kind"] == "quarantined":
            record = expect.pop("record")
            expect["entity"] = record.entity
            expect["file"], expect["line"] = place[id(record)]
        return {"note": case["note"], "expect": expect}

    shown = [{**trap, "cases": [settled(case) for case in trap["cases"]]} for trap in listed]
    text = "# Written by sample_data/generate.py; the kinds of `expect` are explained in docs/sample-data.md.\n"
    text += yaml.safe_dump(shown, sort_keys=False, allow_unicode=True, default_flow_style=None, width=110)
    return text.encode()


def _table(columns: list[str], rows: list[list[str]]) -> bytes:
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows([columns, *rows])
    return text.getvalue().encode()


def main(arguments: list[str] | None = None) -> None:
    """Write all files below the folder given, or below sample_data/."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("folder", nargs="?", type=Path, default=HERE)
    folder: Path = parser.parse_args(arguments).folder
    for path, content in files(*build()).items():
        target = folder / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(content)


if __name__ == "__main__":
    main()

__all__ = ["FILES", "KEYS", "build", "files", "main"]
