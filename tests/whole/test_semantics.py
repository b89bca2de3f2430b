"""What the plan promises, end to end: tiny cases written by hand (cases/*.yaml), each run as a user runs a project."""

from pathlib import Path
from typing import Any

import case_files
import pytest

import unify
from unify.core import errors
from unify.instance import Instance

CASES = case_files.cases()


@pytest.mark.parametrize("case", CASES, ids=[case.name for case in CASES])
def test_case(case: Any, tmp_path: Path) -> None:
    with unify.open(tmp_path / "acme", create=True) as acme:
        if case.error is not None:
            kind, *said = case.error
            with pytest.raises(getattr(errors, kind)) as caught:
                acme.run(case.as_project(), frames=case.frames())
            for text in said:
                assert text in str(caught.value)
            assert acme.status().published is None
            return
        report = acme.run(case.as_project(), frames=case.frames())
        check(acme, case, report)


def check(acme: Instance, case: Any, report: Any) -> None:
    """Everything the case states, and what is true of any run."""
    assert all(arrow.balanced for arrow in report.arrows)
    assert case.groups is not None, "a case without an error states its groups"
    assert groups(acme) == sorted(sorted(g.split() if isinstance(g, str) else g) for g in case.groups)
    for key, wanted in case.customer.items():
        row = customer_of(acme, key)
        assert {name: plain(row[name]) for name in wanted} == wanted
    if case.columns is not None:
        assert acme.customers().columns == case.columns
    if case.links is not None:
        assert links(acme) == {rule: sorted(pairs) for rule, pairs in case.links.items()}
    if case.cuts is not None:
        assert cuts(acme) == sorted(case.cuts)
    if case.ignored is not None:
        assert ignored(acme) == sorted(case.ignored)
    members = {row["key"] for row in acme.table("members").rows()}
    records = {row["key"] for row in acme.table("records").rows()}
    assert sorted(records - members) == sorted(case.dropped or [])
    assert report.clusters.dropped == len(case.dropped or [])
    if case.warning is None:
        assert report.warnings == []
    else:
        assert any(case.warning in warning for warning in report.warnings), report.warnings


def groups(acme: Instance) -> list[list[str]]:
    """Keys of the records of every customer."""
    rows = acme.sql("SELECT list(key ORDER BY key) AS keys FROM members GROUP BY CustomerId").rows()
    assert len(rows) == len(acme.customers())
    return sorted(sorted(row["keys"]) for row in rows)


def customer_of(acme: Instance, key: str) -> dict[str, Any]:
    [row] = acme.sql(
        "SELECT c.* FROM Customer AS c JOIN members AS m USING (CustomerId) WHERE m.key = $key", {"key": key}
    ).rows()
    return row


def plain(value: Any) -> Any:
    """As YAML writes it."""
    return value if value is None or isinstance(value, (bool, int, float)) else str(value)


NAMED = """
SELECT x.key AS one, y.key AS other, {what} FROM {table} AS t
JOIN records AS x ON x.rid = t.a JOIN records AS y ON y.rid = t.b {more}"""


def links(acme: Instance) -> dict[str, list[str]]:
    """Rule name to its pairs, `lower upper` in order of rid."""
    found: dict[str, list[str]] = {}
    query = NAMED.format(what="r.name", table="links", more="JOIN rules AS r USING (rule)")
    for row in acme.sql(query).rows():
        found.setdefault(row["name"], []).append(f"{row['one']} {row['other']}")
    return {rule: sorted(pairs) for rule, pairs in found.items()}


def cuts(acme: Instance) -> list[str]:
    return sorted(
        f"{row['one']} {row['other']}: {row['limit']}"
        for row in acme.sql(NAMED.format(what='t."limit"', table="cuts", more="")).rows()
    )


def ignored(acme: Instance) -> list[str]:
    rows = acme.sql("SELECT r.name, i.value FROM ignored AS i JOIN rules AS r USING (rule)").rows()
    return sorted(f"{row['name']}: {row['value']}" for row in rows)
