"""A small company whose data change every day, and what processes do with its instance.

    root/project.yaml    two entities, a fuzzy rule, a limit, a dedupe rule, a household
    root/crm.csv         PEOPLE contacts, some twice
    root/loyalty.csv     members, some with a typo in the name
    root/acme            the instance

Day by day some records go, some come, some are changed: every build has ids created, merged, split and retired.
"""

import csv
import hashlib
import random
from pathlib import Path

import duckdb

import unify
from unify.store import Store

PEOPLE = 120
SEEN = {
    "ConflationMatchPairs": "* EXCLUDE (ConflationMatchPairs_ModifiedOn)",
    "customer_ids": "* REPLACE (founded_run < 3 AS founded_run, retired_run < 3 AS retired_run)",
}
"""Tables that hold the clock or the number of the run, and how to look at them without."""
PROJECT = """
name: small
keep: 3
sources:
  crm: {Contacts: {files: crm.csv, key: Id, columns: {Born: date, ChangedOn: date, Zip: string}}}
  loyalty: {Members: {files: loyalty.csv, key: Id, columns: {Born: date, Points: integer, ChangedOn: date}}}
conflation:
  order: [crm.Contacts, loyalty.Members]
  dedupe: {crm.Contacts: [{name: same mail and birth date, when: [{field: Mail}, {field: Born}]}]}
  match:
    loyalty.Members -> crm.Contacts:
      - {name: mail, when: [{field: Mail, normalize: [lower]}], unless: [{field: Born, differs: true}]}
      - {name: name, when: [{field: Born}, {field: Name, precision: 80}]}
  limits: [{at_most_one: loyalty.Members}]
resolution: {Mail: most recent by ChangedOn}
clusters: {Household: {rules: [{name: address, when: [{field: Street}, {field: Zip}]}]}}
segments: {many_points: Points gt 90, old: {where: Born lt 1970-01-01, static: true}}
"""


def make(root: Path) -> None:
    """The project and the files of day 1; an instance without a generation."""
    root.mkdir(parents=True)
    (root / "project.yaml").write_text(PROJECT)
    write_sources(root, 1)
    unify.open(root / "acme", create=True).close()


def write_sources(root: Path, day: int) -> None:
    """The files of a day: the same for the same day."""
    crm, loyalty = rows_of_day(day)
    for name, rows in (("crm", crm), ("loyalty", loyalty)):
        with (root / f"{name}.csv").open("w", newline="") as file:
            writer = csv.DictWriter(file, list(rows[0]))
            writer.writeheader()
            writer.writerows(rows)


def rows_of_day(day: int) -> tuple[list[dict[str, object]], list[dict[str, object]]]:
    """(contacts, members)."""
    crm: list[dict[str, object]] = []
    loyalty: list[dict[str, object]] = []
    for n in range(PEOPLE):
        dice = random.Random(f"{day}/{n}")
        born, name, mail = f"19{50 + n % 50}-0{1 + n % 9}-1{n % 9}", f"Person{n:03d} Lastname{n % 7}", f"p{n}@x.example"
        changed = f"2020-01-{1 + dice.randrange(28):02d}"
        contact = {"Id": f"C{n:03d}", "Name": name, "Mail": mail, "Born": born, "Street": f"Road {n // 3}",
                   "Zip": f"{n // 3:05d}", "ChangedOn": changed}  # fmt: skip
        if dice.random() < 0.95:
            crm.append(contact)
        if dice.random() < 0.2:
            crm.append({**contact, "Id": f"D{n:03d}", "Zip": ""})
        if dice.random() < 0.7:
            wrong = {**contact, "Name": name.replace("e", "a", 1), "Mail": mail if dice.random() < 0.5 else ""}
            loyalty.append(
                {k: wrong[k] for k in ("Name", "Mail", "Born", "ChangedOn")} | {"Id": f"L{n:03d}", "Points": day * n}
            )
    return crm, loyalty


# ── what processes do ───────────────────────────────────────────────────────────────────────────────────────────────


def run(root: str) -> None:
    """The whole job, as a user's own process does it."""
    with unify.open(Path(root) / "acme") as acme:
        acme.run(Path(root) / "project.yaml", threads=1)


def build_days(root: str, first: int, last: int) -> None:
    """A build per day."""
    for day in range(first, last + 1):
        write_sources(Path(root), day)
        run(root)


# ── what must be true ───────────────────────────────────────────────────────────────────────────────────────────────


def contents(path: Path) -> dict[str, str]:
    """Table to a hash of its rows as a set: what SQL can see, whatever the bytes of the file."""
    with duckdb.connect(str(path), read_only=True) as connection:
        tables = connection.execute(
            "SELECT table_name FROM duckdb_tables() WHERE schema_name = 'main' ORDER BY 1"
        ).fetchall()
        return {
            table: hashlib.sha256(
                repr(
                    connection.execute(f'SELECT {SEEN.get(table, "*")} FROM "{table}" ORDER BY ALL').fetchall()
                ).encode()
            ).hexdigest()
            for (table,) in tables
        }


def published(root: Path) -> tuple[int, dict[str, str]]:
    """Number and contents of what a process that starts now is served."""
    generation = Store.open(root / "acme").published()
    assert generation is not None
    return generation.number, contents(generation.path)
