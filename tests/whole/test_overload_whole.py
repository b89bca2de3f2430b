"""One value on very many records: the run ends, in bounded memory, and names the value."""

from pathlib import Path

import pandas as pd

import unify

SHARED = 5_000


def test_a_value_on_thousands_of_records_is_named_and_harms_nobody(tmp_path: Path) -> None:
    mails = ["noreply@store.example"] * SHARED + [f"u{i // 2}@x.example" for i in range(400)]
    frame = pd.DataFrame({"Id": [f"C{i:05}" for i in range(len(mails))], "EMail": mails})
    project = {
        "sources": {"crm": {"C": {"key": "Id"}}},
        "conflation": {"order": ["crm.C"], "dedupe": {"crm.C": [{"name": "mail", "when": [{"field": "EMail"}]}]}},
    }
    with unify.open(tmp_path / "acme", create=True) as acme:
        report = acme.run(project, frames={"crm.C": frame})
        assert report.clusters is not None
        assert report.clusters.histogram == {1: SHARED, 2: 200}
        assert [(v.value, v.records) for v in report.ignored] == [("noreply@store.example", SHARED)]
        assert any("'noreply@store.example' on 5,000 records" in w for w in report.warnings)


def test_a_huge_customer_is_warned_of_and_stays_linear(tmp_path: Path) -> None:
    frame = pd.DataFrame({"Id": [f"C{i:05}" for i in range(SHARED)], "EMail": ["one@x.example"] * SHARED})
    project = {
        "sources": {"crm": {"C": {"key": "Id"}}},
        "conflation": {
            "order": ["crm.C"],
            "max_shared": 100_000,
            "dedupe": {"crm.C": [{"name": "mail", "when": [{"field": "EMail"}]}]},
        },
    }
    with unify.open(tmp_path / "acme", create=True) as acme:
        report = acme.run(project, frames={"crm.C": frame}, memory_limit="300MiB")
        assert report.clusters is not None
        assert report.clusters.histogram == {SHARED: 1}
        assert any("holds 5,000 records" in w for w in report.warnings)
        keys = acme.sql('SELECT sum(length(Id_Alternate)) AS n FROM "Deduplication_crm_C"').rows()[0]["n"]
        assert keys == SHARED * 7 - 1, "the keys stand once, not once per record"
