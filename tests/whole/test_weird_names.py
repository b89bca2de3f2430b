"""Every reading verb on an instance whose columns, keys and values are called as nobody should call them."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import case_files
import pytest

import unify
from unify.core.errors import QueryError
from unify.instance import Instance

NAMES = ("weird column names", "columns that are called as the engine calls its own", "weird keys")
WEIRD = [case for case in case_files.cases() if case.name in NAMES]


@pytest.fixture(scope="module", params=WEIRD, ids=[case.name for case in WEIRD])
def weird(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Instance, Any]]:
    case = request.param
    with unify.open(tmp_path_factory.mktemp("weird") / 'it\'s "weird" – 名前', create=True) as acme:
        acme.run(case.as_project(), frames=case.frames())
        yield acme, case


def test_explain_every_pair(weird: tuple[Instance, Any]) -> None:
    """Same customer exactly when the case says so; every customer shows all of its values."""
    acme, case = weird
    keys = {}
    for together in case.groups:
        for key in together.split() if isinstance(together, str) else together:
            keys[key] = str(together)
    entity = {row["key"]: row["entity"] for row in acme.table("records").rows()}
    for one, group in keys.items():
        for other, others in keys.items():
            if one != other:
                found = acme.explain(f"{entity[one]}:{one}", f"{entity[other]}:{other}")
                assert (found.kind == "same") == (group == others)
                assert str(found)
        customer = acme.explain(f"{entity[one]}:{one}")
        lineage = acme.sql(
            "SELECT DISTINCT l.* FROM customer_lineage AS l JOIN members USING (CustomerId) WHERE members.key = $key",
            {"key": one},
        ).rows()
        assert len(customer.values) == len(lineage)


def test_profile_and_labels(weird: tuple[Instance, Any]) -> None:
    acme, _ = weird
    for entity in acme.entities():
        profile = acme.profile(entity)
        assert str(profile)
        assert [a.name for a in profile.attributes] == acme.table(entity).columns
        assert isinstance(acme.suggest_labels(entity), dict)


@pytest.mark.parametrize("suffix", ["csv", "parquet", "json", "jsonl"])
def test_export_and_read_back(weird: tuple[Instance, Any], tmp_path: Path, suffix: str) -> None:
    acme, _ = weird
    for table in ("Customer", "a_P", "customer_lineage", "members"):
        path = tmp_path / f"it's {table}.{suffix}"
        done = acme.export(table, path, neutralise=False)
        assert done.rows == len(acme.table(table))
        if suffix == "json":
            assert len(json.loads(path.read_text())) == done.rows


def test_answers_and_reports(weird: tuple[Instance, Any]) -> None:
    acme, _ = weird
    for table in acme.tables():
        answer = acme.table(table)
        assert repr(answer)
        assert answer._repr_html_()
        assert len(answer.df()) == len(answer.pl()) == len(answer)
    report = acme.report()
    assert repr(report)
    assert json.dumps(report.as_dict())
    assert repr(acme)
    assert acme.status().as_dict()["customers"] == len(acme.customers())


@pytest.mark.parametrize(
    "question",
    ["DROP TABLE Customer", "SELECT 1; SELECT 2", "INSERT INTO Customer VALUES (1)", "FROM 'etc/passwd'", "SELEC 1", "",
     "COPY Customer TO 'x.csv'", "ATTACH 'x.db'", "SET memory_limit = '1GB'", "FROM nobody", "PRAGMA database_size",
     "SELECT * FROM read_csv('/etc/passwd')", "SELECT $x", "CREATE TABLE t (i INT)", "\x00"],
)  # fmt: skip
def test_what_is_no_question(weird: tuple[Instance, Any], question: str) -> None:
    acme, _ = weird
    with pytest.raises(QueryError):
        acme.sql(question)
    assert len(acme.customers()), "and the instance lives on"


@pytest.mark.parametrize(
    "name", ["", ":", "a.P:", "a.P:nobody", "nobody", "b.Q:x", "0" * 32, "a.P:'; --", "%", "a.P:\x00"]
)
def test_explain_what_is_not_there(weird: tuple[Instance, Any], name: str) -> None:
    acme, case = weird
    with pytest.raises(QueryError):
        acme.explain(name)
    first = acme.table("records").rows()[0]
    with pytest.raises(QueryError):
        acme.explain(f"{first['entity']}:{first['key']}", name)
    assert case.name
