"""The house: sizes, names, words, and what may not stand in it."""

import ast
import re
import subprocess
import sys
from pathlib import Path

import pytest

import unify
import unify.spec

ROOT = Path(__file__).parents[2]
ROOMS = ("unify", "ingest", "segments", "benchmarks", "sample_data")
MODULES = sorted(p for room in ROOMS for p in (ROOT / room).rglob("*.py") if ".venv" not in p.parts)
"""Ours: the environments of the peers that benchmarks measure stand in there too."""
SMELL, FAILS = 400, 600
"""Lines of a file: above the first it is named in a warning, above the second the test fails."""

PUBLIC = [
    "DamagedFileError", "InstanceNotFoundError", "LeaseHeldError", "OverloadError", "Project", "QueryError",
    "SchemaDriftError", "SourceError", "SpecError", "StoreError", "UnifyError", "__version__", "open", "suggest", "validate",
]  # fmt: skip
HEAVY = ("duckdb", "pyarrow", "numpy", "scipy", "networkx", "pandas", "polars", "rapidfuzz", "typer", "rich")

MACHINE = re.compile(r"(?<![\w.~])/(?:" + "work|root|home|tmp|Users" + r")/\w+")
"""Paths of one machine. A path relative to something, such as ../shared, is none."""
LEFTOVERS = re.compile(
    r"\b(" + "|".join(("TO" + "DO", "FIX" + "ME", "HA" + "CK")) + r")\b|" + "(?i:co-authored" + "-by)"
)
"""What is to be done stands in issues; who did it, in the history. Spelt in parts, or this file would be a hit."""


def tracked():
    """Every text file under version control."""
    found = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, check=False)
    if found.returncode != 0:
        pytest.skip("not a git checkout: nobody knows which files are tracked")
    for name in found.stdout.decode().split("\0"):
        path = ROOT / name
        if name and path.is_file() and b"\0" not in path.read_bytes()[:4096]:
            yield name, path.read_text(encoding="utf-8", errors="replace")


def test_no_module_is_too_long(record_property):
    lines = {str(p.relative_to(ROOT)): len(p.read_text(encoding="utf-8").splitlines()) for p in MODULES}
    assert len(lines) > 50, "the rooms were not found"
    smells = {name: n for name, n in sorted(lines.items()) if SMELL < n <= FAILS}
    record_property("above_400_lines", smells)
    if smells:
        print("a smell, not an error:", ", ".join(f"{name} has {n} lines" for name, n in smells.items()))
    assert {name: n for name, n in lines.items() if n > FAILS} == {}


@pytest.mark.parametrize("path", MODULES, ids=lambda p: str(p.relative_to(ROOT)))
def test_every_module_says_what_it_is(path):
    source = path.read_text(encoding="utf-8")
    assert not source or ast.get_docstring(ast.parse(source)), "no docstring"


def test_public_names():
    assert sorted(unify.__all__) == PUBLIC
    for name in PUBLIC:
        assert hasattr(unify, name), name


def test_importing_unify_is_light():
    code = f"import sys, unify; print([m for m in {HEAVY!r} if m in sys.modules])"
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "[]"


@pytest.mark.parametrize("order", [("ingest", "segments", "unify"), ("segments", "ingest"), ("unify", "ingest")])
def test_rooms_import_in_any_order(order):
    subprocess.run([sys.executable, "-c", f"import {', '.join(order)}"], check=True)


def test_no_path_of_one_machine():
    hits = [f"{name}: {m[0]}" for name, text in tracked() for m in MACHINE.finditer(text)]
    assert hits == []


def test_nothing_is_left_lying_about():
    hits = [f"{name}: {m[0]}" for name, text in tracked() for m in LEFTOVERS.finditer(text)]
    assert hits == []


# ── words ────────────────────────────────────────────────────────────────────────────────────────────────────────────

GLOSSARY = (ROOT / "docs" / "glossary.md").read_text(encoding="utf-8")
TERMS = {t.lower() for row in re.findall(r"^\| (\*\*.+?) \|", GLOSSARY, re.MULTILINE) for t in re.findall(r"\*\*(.+?)\*\*", row)}  # fmt: skip
NOUN_TO_TERM = {
    "Activity": "activity", "Relationship": "relationship",
    "BridgeSpec": "bridge", "ClusterSpec": "cluster", "Column": "column", "ConflationPlan": "conflation plan", "Criterion": "criterion",
    "CsvOptions": "csv options", "CustomerTable": "customer", "DedupeSpec": "dedupe", "Entity": "entity",
    "Evidence": "evidence", "Incremental": "incremental folder", "JunkSpec": "junk spec", "Joined": "joined", "Limit": "limit", "MatchPair": "match", "NormalizeStep": "normaliser",
    "OrderedEntity": "conflation order", "Preference": "preference", "Project": "project",
    "Resolution": "conflict resolution", "RowFilter": "row filter", "Rule": "rule", "ValueList": "value list",
    "Segment": "segment", "SegmentRule": "segment rule", "ListedCustomers": "list of customers",
    "Projected": "projected attribute", "Measure": "measure", "Calculation": "calculation",
    "Pick": "pick", "Dimension": "dimension", "Variable": "variable",
}  # fmt: skip
"""Every noun a user declares, and the word of the glossary it is named after."""


def test_every_noun_is_a_word_of_the_glossary():
    assert set(NOUN_TO_TERM) == set(unify.spec.__all__)
    assert {noun: term for noun, term in NOUN_TO_TERM.items() if term not in TERMS} == {}


@pytest.mark.parametrize("noun", unify.spec.__all__)
def test_nouns_refuse_what_they_do_not_know_and_never_change(noun):
    config = getattr(unify.spec, noun).model_config
    assert (config.get("extra"), config.get("frozen")) == ("forbid", True)


def test_every_error_stands_in_the_picture_and_has_an_exit_code():
    from unify.core import errors

    kinds = [e for e in vars(errors).values() if isinstance(e, type) and issubclass(e, unify.UnifyError)]
    picture = dict(re.findall(r"(\w+Error)\b(?: +exit (\d+))?", errors.__doc__))
    assert {e.__name__ for e in kinds} == set(picture)
    assert {e.__name__: str(e.exit_code) for e in kinds if picture[e.__name__]} == {
        n: c for n, c in picture.items() if c
    }
