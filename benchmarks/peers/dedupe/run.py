"""dedupe 3 as its documentation does it: String fields, labelled pairs, `train`, then its own clustering at 0.5.

The labels come from the truth: its helper `training_data_dedupe` (or `training_data_link`) draws them from a fifth of
the people, at most 1,000 of either kind. `prepare_training` sees 1,500 records of a file, because on 5,000 it took 16
GB and did not end. Its training draws from a generator without a seed: two runs differ by two points of F1. `join`
with one-to-one is its documented way to link two files.
"""

import csv
import random
import sys
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1]))
from protocol import Talk

THRESHOLD = 0.5
SAMPLE, LABELS, SHARE = 1_500, 1_000, 0.2
_FEBRL = ("given_name", "surname", "street_number", "address_1", "postcode", "date_of_birth")
FIELDS = {
    "febrl3": _FEBRL,
    "febrl4": _FEBRL,
    "fake": ("first_name", "surname", "dob", "city", "email"),
    "historical": ("first_name", "surname", "dob", "birth_place", "postcode_fake"),
    "contoso": ("sorted_name", "birth_date", "phone"),
    "messy": ("first_name", "last_name", "birth_date", "email", "phone", "street", "postcode"),
}


def main() -> None:
    """Read the job, answer it."""
    talk = Talk()
    from importlib.metadata import version

    import dedupe

    talk.stage("start")
    fields = FIELDS[talk.job["set"].partition("_")[0]]
    tables = [_read(path, fields) for path in talk.job["tables"]]
    with Path(talk.job["truth"]).open(encoding="utf-8") as file:
        person = {row["record"]: row["person"] for row in csv.DictReader(file)}
    talk.stage("load")
    random.seed(1)
    variables = [dedupe.variables.String(name, has_missing=True) for name in fields]
    people = sorted(set(person.values()))
    shown = set(random.sample(people, max(2, int(len(people) * SHARE))))
    parts = [{k: {**v, "person": person[k]} for k, v in table.items() if person[k] in shown} for table in tables]
    one_table = len(tables) == 1
    model: Any
    if one_table:
        model = dedupe.Dedupe(variables)
        pairs = dedupe.training_data_dedupe(parts[0], "person", training_size=2 * LABELS)
        model.prepare_training(_some(tables[0]), sample_size=SAMPLE)
    else:
        model = dedupe.RecordLink(variables)
        pairs = dedupe.training_data_link(*parts, "person", training_size=2 * LABELS)
        model.prepare_training(_some(tables[0]), _some(tables[1]), sample_size=SAMPLE)
    pairs = {kind: [_bare(pair, fields) for pair in found[:LABELS]] for kind, found in pairs.items()}
    model.mark_pairs(pairs)
    talk.stage("label")
    model.train(index_predicates=one_table)
    talk.stage("train")
    if one_table:
        rows = [(r, i) for i, (found, _) in enumerate(model.partition(tables[0], THRESHOLD)) for r in found]
    else:
        links = model.join(*tables, THRESHOLD, "one-to-one")
        rows = [(record, i) for i, (pair, _) in enumerate(links) for record in pair]
    out = talk.clusters(rows)
    talk.stage("cluster")
    used = sum(len(found) for found in pairs.values())
    talk.answer(out, THRESHOLD, labels=used, versions={"dedupe": version("dedupe"), "BTrees": version("BTrees")})


def _read(path: str, fields: tuple[str, ...]) -> dict[str, dict[str, str | None]]:
    with Path(path).open(encoding="utf-8") as file:
        return {row["record"]: {f: row[f].strip().lower() or None for f in fields} for row in csv.DictReader(file)}


def _some(table: dict[str, Any]) -> dict[str, Any]:
    return {key: table[key] for key in random.sample(sorted(table), min(SAMPLE, len(table)))}


def _bare(pair: Any, fields: tuple[str, ...]) -> tuple[dict[str, Any], ...]:
    """The pair without the person: that is the answer, not a field."""
    return tuple({name: record[name] for name in fields} for record in pair)


if __name__ == "__main__":
    main()
