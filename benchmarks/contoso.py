"""The publisher's own sample files: loyalty members matched to contacts, with the true link taken out first.

    python -m benchmarks contoso --json

`clean` may use every column but ContactId; `dirty` only the three with errors planted by the publisher: FullName (order
exchanged, letters replaced), Telephone (+1-, a lost zero, extensions), DateOfBirth (two formats, some wrong years).
The engine reads copies that hold the key and those columns and nothing else; ContactId stays outside as the truth.
"""

import csv
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import duckdb
import yaml

from benchmarks import score
from unify.spec import Project

DATA = Path(__file__).parents[1] / ".." / "shared" / "data" / "contoso"
CONTACTS, LOYALTY = "Contact.csv", "Customer-Loyalty.csv"
LINK = "ContactId"
DIRTY_COLUMNS = ("FullName", "Telephone", "DateOfBirth")

Runner = Callable[[Project, Path], Path]
"""Runs a project whose files are relative to the folder; returns the generation it published (a DuckDB file)."""

SOURCES = """
name: contoso
instance: instance
sources:
  crm:
    Contacts:
      files: Contact.csv
      key: ContactId
      columns: {Telephone: string, DateOfBirth: {type: date, format: M/d/yyyy}}
  loyalty:
    Members:
      files: Customer-Loyalty.csv
      key: LoyaltyId
      columns: {Telephone: string, DateOfBirth: {type: date, format: yyyy-MM-dd}}
"""
CLEAN = """
conflation:
  order: [crm.Contacts, loyalty.Members]
  match:
    loyalty.Members -> crm.Contacts:
      - name: e-mail and first name
        when:
          - {field: EMail, normalize: [lower, whitespace]}
          - &first {field: FirstName, normalize: [lower, name], precision: high}
      - name: phone, first and last name
        when: [{field: Telephone, normalize: [{phone: US}]}, *first, &last {field: LastName, normalize: [lower]}]
      - name: birth date, first and last name
        when: [{field: DateOfBirth}, *first, *last]
      - name: first and last name, e-mail nearly
        when:
          - {field: FirstName, normalize: [lower]}
          - *last
          - {field: EMail, normalize: [lower, whitespace], precision: 90}
"""
DIRTY = """
conflation:
  order: [crm.Contacts, loyalty.Members]
  match:
    loyalty.Members -> crm.Contacts:
      - name: phone and birth date
        when:
          - &phone {field: Telephone, normalize: [{phone: US}]}
          - &born {field: DateOfBirth}
      - name: birth date and name in any order
        when: [*born, &any_order {field: FullName, normalize: [lower], compare: token_sort, precision: 80}]
      - name: phone and name in any order
        when: [*phone, *any_order]
"""
RULES = {"clean": CLEAN, "dirty": DIRTY}


def project(kind: str) -> Project:
    """The project of `clean` or `dirty`; its files are the copies that `prepare` writes."""
    return Project.model_validate(yaml.safe_load(SOURCES + RULES[kind]))


def measure(kind: str, run: Runner, data: Path = DATA) -> dict[str, Any]:
    """Run one of the two and score it: precision, recall, f1, seconds, rows, customers.

    FileNotFoundError when the publisher's files are not in `data`.
    """
    with tempfile.TemporaryDirectory(prefix="contoso-") as folder:
        truth = prepare(kind, Path(folder), data)
        started = time.perf_counter()
        generation = run(project(kind), Path(folder))
        seconds = time.perf_counter() - started
        return _scored(generation, truth) | {"seconds": round(seconds, 3)}


def prepare(kind: str, folder: Path, data: Path = DATA) -> dict[tuple[str, str], str]:
    """Write the copies the engine may see; returns the truth: (entity, key) to person.

    A loyalty row whose ContactId names no contact is a person of its own.
    """
    truth: dict[tuple[str, str], str] = {}
    for entity, name, key in (("crm.Contacts", CONTACTS, "ContactId"), ("loyalty.Members", LOYALTY, "LoyaltyId")):
        if not (data / name).is_file():
            raise FileNotFoundError(f"{data / name}: the publisher's Contoso files are needed for this benchmark")
        with (data / name).open(encoding="utf-8-sig", newline="") as file:
            rows = list(csv.DictReader(file))
        hidden = LINK if key != LINK else ""
        columns = [c for c in rows[0] if c == key or (c != hidden and (kind == "clean" or c in DIRTY_COLUMNS))]
        with (folder / name).open("w", encoding="utf-8", newline="") as file:
            writer = csv.DictWriter(file, columns, extrasaction="ignore")
            writer.writeheader()
            writer.writerows(rows)
        truth |= {(entity, row[key]): row[LINK] or f"only {row[key]}" for row in rows}
    return truth


def _scored(generation: Path, truth: dict[tuple[str, str], str]) -> dict[str, Any]:
    with duckdb.connect(str(generation), read_only=True) as connection:
        rows = connection.execute("SELECT entity, key, CustomerId FROM members ORDER BY rid").fetchall()
    if {(entity, key) for entity, key, _ in rows} != set(truth):
        raise AssertionError(f"{len(truth)} records went in, {len(rows)} came out: rows are not accounted for")
    clusters = [customer for _, _, customer in rows]
    people = [truth[entity, key] for entity, key, _ in rows]
    found = score.pairwise_across(clusters, people, [entity for entity, _, _ in rows])
    return {
        "precision": found.precision, "recall": found.recall, "f1": found.f1,
        "records": len(rows), "customers": len(set(clusters)),
    }  # fmt: skip
