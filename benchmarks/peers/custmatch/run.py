"""custmatch 0.1.2 as its guide runs it: 300 random pairs labelled, 100 more that it is least sure of, then `run`.

The labels come from the truth, as a clerk who never errs would give them. Fields are mapped to its own names, what is
left goes into `extra_fields`. Blocking keys beside its own: for FEBRL like Splink's, for historical_50k those and the
block size that custmatch's schema module shows as an example. FEBRL's dates get their dashes. Country profiles: AU for
FEBRL, GB for fake_1000 and historical_50k, US for the rest. Its threshold is its own choice, made on whole customers.
"""

import csv
import json
import os
import shutil
import sys
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1]))
from protocol import Talk

RANDOM_PAIRS, ACTIVE_PAIRS = 300, 100
_FEBRL = {
    "first_name": "given_name", "last_name": "surname", "date_of_birth": "date_of_birth", "ssn": "soc_sec_id",
    "addr_number": "street_number", "addr_street": "address_1", "suburb": "suburb", "postcode": "postcode",
}  # fmt: skip
_CONTOSO = {"first_name": "first_name", "last_name": "last_name", "date_of_birth": "birth_date", "phone": "phone"}
COLUMNS: dict[str, dict[str, str]] = {
    "febrl3": _FEBRL,
    "febrl4": _FEBRL,
    "fake_1000": {"first_name": "first_name", "last_name": "surname", "date_of_birth": "dob", "email": "email",
                  "city": "city"},
    "historical_50k": {"first_name": "first_name", "last_name": "surname", "date_of_birth": "dob",
                       "birth_place": "birth_place", "postcode": "postcode_fake", "occupation": "occupation"},
    "contoso_clean": {**_CONTOSO, "email": "email"},
    "contoso_dirty": _CONTOSO,
    "messy": {**_CONTOSO, "email": "email", "address": "street", "postcode": "postcode"},
}  # fmt: skip
"""custmatch's field: ours."""
OPTIONS: dict[str, dict[str, Any]] = {
    "febrl3": {"country": "AU", "date_order": "YMD", "extra_fields": [
        {"name": "suburb", "compare": "similarity"}, {"name": "postcode", "compare": "exact"}],
        "extra_blocking": [["ssn"], ["date_of_birth"], ["postcode", "first_name"], ["postcode", "last_name"]]},
    "fake_1000": {"country": "GB", "extra_fields": [{"name": "city", "compare": "similarity"}]},
    "historical_50k": {"country": "GB", "max_block": 200,
                       "extra_fields": [{"name": "birth_place", "compare": "exact"},
                                        {"name": "postcode", "compare": "similarity"},
                                        {"name": "occupation", "compare": "exact"}],
                       "extra_blocking": [["last_name", "date_of_birth"], ["postcode"]]},
    "contoso_clean": {"country": "US"},
    "contoso_dirty": {"country": "US"},
    "messy": {"country": "US", "extra_fields": [{"name": "postcode", "compare": "exact"}]},
}  # fmt: skip
OPTIONS["febrl4"] = OPTIONS["febrl3"]


def main() -> None:
    """Read the job, answer it."""
    talk = Talk()
    from importlib.metadata import version

    from custmatch import labels, pipeline

    talk.stage("start")
    name, work = talk.job["set"], talk.work
    _nicknames(work / "lists")
    columns = {"record_id": "record", **COLUMNS[name]}
    tables = [_with_dashes(Path(path), work) if name.startswith("febrl") else path for path in talk.job["tables"]]
    sources = [{"name": f"s{i}", "path": path, "columns": columns} for i, path in enumerate(tables)]
    config = work / "config.json"
    config.write_text(json.dumps({**OPTIONS[name], "sources": sources}))
    with Path(talk.job["truth"]).open(encoding="utf-8") as file:
        person = {row["record"].lower(): row["person"] for row in csv.DictReader(file)}
    talk.stage("load")
    asked, more = work / "random.csv", work / "active.csv"
    labels.sample(str(config), RANDOM_PAIRS, str(asked))
    given = [_labelled(asked, person)]
    _write(work / "labels.csv", given[0])
    matches = sum(row["label"] == "1" for row in given[0])
    if 0 < matches < len(given[0]):  # active learning needs pairs of both kinds
        labels.sample_active(str(config), str(work / "labels.csv"), ACTIVE_PAIRS, str(more))
        given.append(_labelled(more, person))
        _write(work / "labels.csv", [row for rows in given for row in rows])
    talk.stage("label")
    pipeline.run(str(config), str(work / "labels.csv"), str(work / "out"), log=lambda *_: None)
    talk.stage("run")
    spelled = {record.lower(): record for record in _records(talk.job["tables"])}
    with (work / "out" / "clusters.csv").open(encoding="utf-8") as file:
        rows = [(spelled[row["record_id"].lower()], row["customer_id"]) for row in csv.DictReader(file)]
    out = talk.clusters(rows)
    talk.stage("write")
    used = sum(len(rows) for rows in given)
    told = json.loads((work / "out" / "summary.json").read_text())
    talk.answer(
        out, told.get("threshold"), labels=used, matches_among_labels=sum(r["label"] == "1" for g in given for r in g),
        versions={"custmatch": version("custmatch")},
    )  # fmt: skip


def _with_dashes(path: Path, work: Path) -> str:
    """The table with dates as yyyy-mm-dd, which custmatch reads: FEBRL writes yyyymmdd."""
    target = work / path.name
    with path.open(encoding="utf-8") as file, target.open("w", encoding="utf-8", newline="") as out:
        reader = csv.DictReader(file)
        writer = csv.DictWriter(out, reader.fieldnames or [])
        writer.writeheader()
        for row in reader:
            day = row["date_of_birth"]
            writer.writerow({**row, "date_of_birth": f"{day[:4]}-{day[4:6]}-{day[6:]}" if len(day) == 8 else day})
    return str(target)


def _nicknames(folder: Path) -> None:
    """Its list of English nicknames, which it would download: the same list comes with the package `nicknames`."""
    import nicknames

    folder.mkdir()
    shutil.copy(Path(nicknames.__file__).parent / "names.csv", folder / "nicknames.csv")
    os.environ["CUSTMATCH_DATA"] = str(folder)


def _labelled(path: Path, person: dict[str, str]) -> list[dict[str, str]]:
    """The pairs drawn, each with 1 for one person or 0; a record is written source:record."""
    with path.open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    for row in rows:
        one, other = (person[row[side].partition(":")[2].lower()] for side in ("a", "b"))
        row["label"] = "1" if one == other else "0"
    return rows


def _write(path: Path, rows: list[dict[str, str]]) -> None:
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)


def _records(paths: list[str]) -> list[str]:
    found = []
    for path in paths:
        with Path(path).open(encoding="utf-8") as file:
            found += [row["record"] for row in csv.DictReader(file)]
    return found


if __name__ == "__main__":
    main()
