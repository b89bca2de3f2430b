"""The committed sample is what the generator writes, its project is valid, its documents say what its traps say."""

import csv
from collections import Counter
from pathlib import Path

import pytest
import yaml

from sample_data import generate
from unify.spec import Project

ROOT = Path(__file__).parents[1]
SAMPLE = ROOT / "sample_data"


@pytest.fixture(scope="module")
def written() -> dict[str, bytes]:
    return generate.files(*generate.build())


@pytest.fixture(scope="module")
def traps() -> list[dict]:
    return yaml.safe_load((SAMPLE / generate.TRAPS).read_text(encoding="utf-8"))


def test_committed_files_are_what_the_generator_writes(written):
    for path, content in written.items():
        assert (SAMPLE / path).read_bytes() == content, f"{path}: run `python -m sample_data.generate`"


def test_no_other_files_lie_in_the_output(written):
    found = {
        p.relative_to(SAMPLE).as_posix() for d in ("output", "lists") for p in (SAMPLE / d).rglob("*") if p.is_file()
    }
    assert found == set(written)


def test_output_is_small(written):
    assert sum(map(len, written.values())) < 1_000_000


def test_two_builds_are_equal(written):
    assert generate.files(*generate.build()) == written


def test_main_writes_into_any_folder(written, tmp_path):
    generate.main([str(tmp_path)])
    assert {p.relative_to(tmp_path).as_posix(): p.read_bytes() for p in tmp_path.rglob("*") if p.is_file()} == written


def test_project_is_valid_and_names_existing_files():
    project = Project.model_validate(yaml.safe_load((SAMPLE / "project.yaml").read_text(encoding="utf-8")))
    for noun in (*project.entities.values(), *project.lists.values()):
        for file in noun.files:
            assert (SAMPLE / file).is_file(), file
    assert {name: project.entity(name).key for name in generate.KEYS} == generate.KEYS


def test_truth_names_each_accepted_record_once():
    with (SAMPLE / generate.TRUTH).open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    records = Counter((row["source"], row["entity"], row["key"]) for row in rows)
    assert max(records.values()) == 1
    assert 600 <= len({row["person"] for row in rows}) <= 1000
    assert all(row["key"] and row["person"] for row in rows)


def test_people_share_no_address_phone_or_mailbox_by_chance():
    """Evidence that two people share is always a trap's doing: otherwise the sample would have unnamed traps."""
    world, listed = generate.build()
    trapped = {
        tuple(ref)
        for trap in listed
        for case in trap["cases"]
        for group in case["expect"].get("groups", [])
        for ref in group
    }
    for column in ("EMail", "Street"):
        people: dict[str, set[str]] = {}
        for entity in generate.PROFILES:
            for record in world.records[entity]:
                if record.kept and record.fields[column] and (entity, record.key) not in trapped:
                    value = record.fields[column].strip().lower() + str(record.fields["PostCode"] or "")
                    people.setdefault(value, set()).add(record.person)
        assert [v for v, who in people.items() if len(who) > 1] == []


def test_every_trap_has_several_cases_and_every_reference_exists(traps):
    world, _ = generate.build()
    keys = {(entity, record.key) for entity, records in world.records.items() for record in records}
    kinds = Counter()
    for trap in traps:
        assert len(trap["cases"]) >= 2, trap["name"]
        for case in trap["cases"]:
            expect = case["expect"]
            kinds[expect["kind"]] += 1
            refs = [ref for group in expect.get("groups", []) for ref in group] + expect.get("records", [])
            refs += [expect[name] for name in ("record", "activity") if name in expect]
            assert {tuple(ref) for ref in refs} <= keys, case
    assert set(kinds) == {"customers", "value", "household", "activity", "orphan", "quarantined", "duplicate"}


def test_quarantined_lines_are_where_the_trap_says(traps):
    """The line named holds what the note says, counted as an editor counts."""
    for trap in traps:
        for case in trap["cases"]:
            expect = case["expect"]
            if expect["kind"] == "quarantined" and trap["name"] in ("impossible_dates", "unparsable_numbers"):
                line = (SAMPLE / expect["file"]).read_text(encoding="utf-8-sig").splitlines()[expect["line"] - 1]
                assert case["note"].split(" ", 1)[1] in line


def test_documentation_lists_the_traps(traps):
    text = (ROOT / "docs" / "sample-data.md").read_text(encoding="utf-8")
    assert _table_of(traps) == text.split("<!-- traps -->\n")[1].split("<!-- /traps -->")[0]


ENDS = {
    "customers": "as grouped", "value": "values of the customer", "household": "one household, different customers",
    "activity": "activity belongs to the customer", "orphan": "activity kept, belongs to nobody",
    "quarantined": "quarantined", "duplicate": "one row kept, the rest quarantined",
}  # fmt: skip


def _table_of(traps: list[dict]) -> str:
    """Markdown: one row per trap; under `end`, what its cases must come to."""
    lines = ["| trap | what it is | cases | end |", "|---|---|---|---|"]
    for trap in traps:
        ends = []
        for case in trap["cases"]:
            expect = case["expect"]
            groups = len(expect.get("groups", []))
            one = groups == 1 and len(expect["groups"][0]) > 1
            end = (
                ("one customer" if one else f"{groups} different customers" if groups > 1 else "a customer alone")
                if groups
                else ENDS[expect["kind"]]
            )
            if expect["kind"] == "quarantined":
                end += f" ({expect['column'] or 'the whole row'})"
            if end not in ends:
                ends.append(end)
        lines.append(f"| `{trap['name']}` | {trap['what']} | {len(trap['cases'])} | {'; '.join(ends)} |")
    return "\n".join(lines) + "\n"
