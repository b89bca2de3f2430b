"""Sources and plans that change between runs, stages run apart, generations kept."""

import shutil
from pathlib import Path
from typing import Any

import crash_harness as harness
import pyarrow as pa
import pytest
import whole_jobs as jobs
import yaml

import unify
from unify.core.errors import QueryError, SchemaDriftError, SourceError, SpecError, StoreError, UnifyError
from unify.instance import Instance

PLAN: dict[str, Any] = {
    "sources": {"crm": {"P": {"key": "Id"}}, "web": {"P": {"key": "Id"}}},
    "conflation": {
        "order": ["crm.P", "web.P"],
        "match": {"web.P -> crm.P": [{"name": "mail", "when": [{"field": "Mail"}]}]},
    },
}


@pytest.fixture
def acme(tmp_path: Path) -> Any:
    with unify.open(tmp_path / "acme", create=True) as instance:
        yield instance


def frame(**columns: Any) -> pa.Table:
    return pa.table(columns)


CRM = frame(Id=["a1", "a2"], Mail=["x@x", "y@y"], Size=[1, 2])
WEB = frame(Id=["b1"], Mail=["x@x"])


def plan(**more: Any) -> dict[str, Any]:
    """PLAN with other words for crm.P."""
    changed = yaml.safe_load(yaml.safe_dump(PLAN))
    changed["sources"]["crm"]["P"] |= more
    return changed


def run(acme: Instance, crm: pa.Table, **more: Any) -> Any:
    return acme.run(plan(**more), frames={"crm.P": crm, "web.P": WEB})


@pytest.mark.parametrize(
    ("crm", "said"),
    [
        (CRM.drop_columns("Size"), "Size"),
        (CRM.drop_columns("Mail"), "Mail"),
        (frame(Id=["a1"], Mail=["x@x"], Size=["large"]), "Size"),
    ],
    ids=["removed", "removed, and a rule needs it", "retyped"],
)
def test_drift_stops(acme: Instance, crm: pa.Table, said: str) -> None:
    run(acme, CRM)
    before = acme.customers().rows()
    with pytest.raises(SchemaDriftError, match=said) as caught:
        run(acme, crm)
    assert caught.value.hint
    assert acme.published().number == 1
    assert acme.customers().rows() == before
    assert acme.status().last_run.state == "failed"
    with pytest.raises(QueryError, match="failed"):
        acme.report(2)


@pytest.mark.parametrize(
    "crm",
    [CRM.drop_columns("Size"), frame(Id=["a1"], Mail=["x@x"], Size=["large"]), CRM.append_column("New", [["n", "m"]])],
    ids=["removed", "retyped", "added"],
)
def test_drift_accepted(acme: Instance, crm: pa.Table) -> None:
    run(acme, CRM)
    report = run(acme, crm, drift="accept")
    assert any("Size" in w or "New" in w for w in report.warnings)
    assert ("Size" in acme.customers().columns) == ("Size" in crm.column_names)
    assert run(acme, crm).warnings == []


def test_a_column_that_a_rule_needs_is_missing_although_drift_is_accepted(acme: Instance) -> None:
    run(acme, CRM)
    with pytest.raises(UnifyError, match="Mail"):
        run(acme, CRM.drop_columns("Mail"), drift="accept")
    assert acme.published().number == 1


def test_an_entity_comes_and_goes(acme: Instance) -> None:
    run(acme, CRM)
    smaller = plan()
    smaller["sources"].pop("web")
    smaller["conflation"] = {
        "order": ["crm.P"],
        "dedupe": {"crm.P": [{"name": "mail", "when": [{"field": "Mail"}]}]},
    }
    acme.run(smaller, frames={"crm.P": CRM})
    assert acme.entities() == ["crm.P"]
    assert not [table for table in acme.tables() if table.startswith("web_")]
    assert {row["CustomerId"] for row in acme.customers().rows()}
    run(acme, CRM)
    assert acme.entities() == ["crm.P", "web.P"]
    assert len(acme.customers()) == 2


def test_ingest_then_conflate(acme: Instance) -> None:
    frames = {"crm.P": CRM, "web.P": WEB}
    report = acme.ingest(PLAN, frames=frames)
    assert report.clusters is None
    assert "Customer" not in acme.tables()
    with pytest.raises(QueryError, match="Customer"):
        acme.customers()
    assert len(acme.table("crm.P")) == 2
    acme.conflate()
    assert len(acme.customers()) == 2
    with unify.open(acme.path.parent / "other", create=True) as other:
        other.run(PLAN, frames=frames)
        assert other.customers().rows() == acme.customers().rows()
        assert other.table("members").rows() == acme.table("members").rows()


def test_ingest_leaves_customers_as_they_are(acme: Instance) -> None:
    run(acme, CRM)
    before = {table: acme.table(table).rows() for table in ("Customer", "members", "customer_lineage", "rules")}
    acme.ingest(PLAN, frames={"crm.P": CRM.slice(0, 1), "web.P": WEB})
    assert len(acme.table("crm.P")) == 1
    assert {table: acme.table(table).rows() for table in before} == before
    for record in ("a1", "a2", "b1"):
        assert acme.explain(record).records, "a record whose row is gone is still explained"
    assert acme.explain("crm.P:a2", "web.P:b1").kind == "different"
    report = acme.conflate()
    assert len(acme.customers()) == 1
    assert report.changes.retired == 1


def test_conflate_by_another_plan(acme: Instance) -> None:
    run(acme, CRM)
    other = plan()
    other["conflation"]["match"]["web.P -> crm.P"][0]["when"] = [{"left": "Id", "right": "Mail"}]
    assert len(acme.customers()) == 2
    acme.conflate(other)
    assert len(acme.customers()) == 3
    assert acme.project().conflation.match[0].rules[0].when[0].left == ("Id",)
    acme.conflate()  # by the last one
    assert len(acme.customers()) == 3
    acme.conflate(PLAN)
    assert len(acme.customers()) == 2


def test_conflate_what_was_never_ingested(acme: Instance) -> None:
    with pytest.raises(UnifyError):
        acme.conflate()
    with pytest.raises(SpecError, match=r"crm\.P"):
        acme.conflate(PLAN)
    run(acme, CRM)
    other = plan()
    other["sources"]["app"] = {"Users": {"key": "Id"}}
    with pytest.raises(SpecError, match=r"app\.Users"):
        acme.conflate(other)
    with pytest.raises(SpecError, match=r"key of crm\.P is 'Mail' here, and was 'Id'"):
        acme.conflate(plan(key="Mail"))
    assert acme.published().number == 2


def test_a_project_without_conflation(acme: Instance) -> None:
    only = {"sources": PLAN["sources"]}
    report = acme.run(only, frames={"crm.P": CRM, "web.P": WEB})
    assert report.clusters is None
    assert sorted(t for t in acme.tables() if t.endswith("_P")) == ["crm_P", "web_P"]
    with pytest.raises(SpecError, match="no conflation plan"):
        acme.conflate()
    assert acme.published().number == 1
    assert len(acme.table("web.P")) == 1
    acme.run(PLAN, frames={"crm.P": CRM, "web.P": WEB})
    assert len(acme.customers()) == 2


@pytest.mark.parametrize("keep", [1, 3])
def test_generations_kept(acme: Instance, keep: int) -> None:
    for day in range(5):
        acme.run(plan() | {"keep": keep}, frames={"crm.P": CRM.slice(day % 2), "web.P": WEB})
    assert [g.number for g in acme.generations()] == list(range(5, 5 - keep, -1))
    harness.assert_tidy(acme.path)
    with pytest.raises(StoreError, match="1"):
        acme.rollback(1)
    assert [r.number for r in acme.runs()] == [5, 4, 3, 2, 1]
    assert all(acme.report(n).run == n for n in range(1, 6)), "reports outlive their generations"


# ── files that are not as they should be ────────────────────────────────────────────────────────────────────────────


def project_with(folder: Path, **sections: Any) -> Path:
    jobs.make(folder)
    project = yaml.safe_load(jobs.PROJECT) | sections
    (folder / "project.yaml").write_text(yaml.safe_dump(project))
    return folder / "project.yaml"


@pytest.mark.parametrize("kind", ["always", "bypass"])
def test_a_list_whose_file_is_missing(tmp_path: Path, kind: str) -> None:
    path = project_with(tmp_path / "root", lists={"mine": {"kind": kind, "files": "lists/mine.csv"}})
    with unify.open(tmp_path / "acme", create=True) as acme:
        with pytest.raises(SourceError, match=r"lists/mine\.csv"):
            acme.run(path)
        assert acme.status().published is None
        (path.parent / "lists").mkdir()
        head = {"always": "Table1,Table1Key,Table2,Table2Key", "bypass": "Value"}[kind]
        (path.parent / "lists" / "mine.csv").write_text(f"{head}\n")
        assert len(acme.run(path).entities) == 2


def test_a_source_whose_file_is_missing_or_empty(tmp_path: Path) -> None:
    path = project_with(tmp_path / "root")
    with unify.open(tmp_path / "acme", create=True) as acme:
        acme.run(path)
        before = acme.customers().rows()
        (path.parent / "loyalty.csv").unlink()
        with pytest.raises(SourceError, match=r"loyalty\.csv"):
            acme.run(path)
        (path.parent / "loyalty.csv").touch()
        with pytest.raises(UnifyError, match="loyalty"):
            acme.run(path)
        assert acme.customers().rows() == before
        head = "Name,Mail,Born,ChangedOn,Id,Points\n"
        (path.parent / "loyalty.csv").write_text(head)
        report = acme.run(path)
        assert report.entities[1].rows_in == 0
        assert acme.table("loyalty.Members").columns[0] == "Name"
        (path.parent / "loyalty.csv").write_text(f"{head}too,few\n,no key,2000-01-01,2000-01-01,,1\n")
        report = acme.run(path)
        assert report.entities[1].rows_quarantined == 2
        assert "loyalty_Members_Id" in acme.customers().columns


def test_an_instance_that_was_moved(tmp_path: Path) -> None:
    path = project_with(tmp_path / "root")
    with unify.open(tmp_path / "acme", create=True) as acme:
        acme.run(path)
        before = acme.customers().rows()
    shutil.move(tmp_path / "acme", tmp_path / "elsewhere")
    with unify.open(tmp_path / "elsewhere") as acme:
        assert acme.customers().rows() == before
        acme.run(path)
        assert acme.customers().rows() == before


# ── sizes that are not as usual ─────────────────────────────────────────────────────────────────────────────────────


def test_thirty_entities(acme: Instance) -> None:
    """Each matches the one above it; entity n has a record for each multiple of n."""
    names = [f"s{n:02d}.E" for n in range(1, 31)]
    project = {
        "sources": {name.partition(".")[0]: {"E": {"key": "Id"}} for name in names},
        "conflation": {
            "order": names,
            "match": {
                f"{name} -> s01.E": [{"name": f"number of {name}", "when": [{"field": "No"}]}] for name in names[1:]
            },
        },
    }
    frames = {
        name: frame(Id=[f"{n}-{k}" for k in range(n, 61, n)], No=[str(k) for k in range(n, 61, n)])
        for n, name in enumerate(names, 1)
    }
    report = acme.run(project, frames=frames)
    assert all(arrow.balanced for arrow in report.arrows)
    assert len(acme.customers()) == 60
    sizes = acme.sql(
        "SELECT c.s01_E_Id AS id, count(*) AS n FROM members AS m JOIN Customer AS c USING (CustomerId) GROUP BY ALL"
    ).rows()
    assert {row["id"]: row["n"] for row in sizes} == {
        f"1-{k}": sum(k % n == 0 for n in range(1, 31)) for k in range(1, 61)
    }


def test_entities_that_are_empty_or_have_one_row(acme: Instance) -> None:
    empty = pa.table({"Id": pa.array([], pa.string()), "Mail": pa.array([], pa.string())})
    for crm, web, customers in ((empty, WEB, 1), (CRM, empty, 2), (empty, empty, 0), (CRM.slice(0, 1), WEB, 1)):
        acme.run(plan(drift="accept"), frames={"crm.P": crm, "web.P": web})
        assert len(acme.customers()) == customers
        assert len(acme.table("members")) == len(crm) + len(web)


@pytest.mark.parametrize("length", [10_000, 200_000])
def test_very_long_keys_and_values(acme: Instance, length: int) -> None:
    key, other = "k" * length, "k" * (length - 1) + "K"
    crm = frame(Id=[key, other], Mail=["x@x" + "y" * length, "z"], Size=[1, 2])
    acme.run(PLAN, frames={"crm.P": crm, "web.P": frame(Id=["b"], Mail=["x@x" + "y" * length])})
    rows = {row["key"]: row["CustomerId"] for row in acme.table("members").rows()}
    assert rows[key] == rows["b"] != rows[other]
    assert acme.explain(f"crm.P:{key}", "web.P:b").path
