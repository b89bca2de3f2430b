from datetime import date

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingest.dependents import dependents_of
from ingest.drift import Added, Drift, Removed, Retyped, check, drift, same_values
from unify.core.errors import SchemaDriftError
from unify.engines.duckdb import DuckDBEngine
from unify.spec import Entity, Project


def columns(**types: str) -> list[dict[str, str]]:
    return [{"name": name, "type": sqltype, "label": "ignored"} for name, sqltype in types.items()]


BEFORE = columns(Id="VARCHAR", Name="VARCHAR", Mail="VARCHAR", Total="INTEGER")
STOP = Entity(key="Id")
ACCEPT = Entity(key="Id", drift="accept")


def test_no_change_is_no_drift_whatever_the_order():
    found = drift(BEFORE, BEFORE[::-1])
    assert not found
    assert check("crm.Contacts", STOP, found) == []


def test_every_kind_of_change_is_found():
    found = drift(BEFORE, columns(Id="VARCHAR", Total="DOUBLE", Name="VARCHAR", Country="DATE"))
    assert found.removed == (Removed("Mail", "VARCHAR"),)
    assert found.added == (Added("Country", "DATE"),)
    assert found.retyped == (Retyped("Total", "INTEGER", "DOUBLE"),)
    assert found.renamed == ()


@pytest.mark.parametrize(
    ("gone", "come", "reason"),
    [
        ("EMail", "Email", "only case differs"),
        ("Mail", "EMail", "similar name"),
        ("first_name", "FirstName", "similar name"),
        ("Ort", "City", "same place"),
    ],
)
def test_a_rename_is_a_hint(gone, come, reason):
    before = columns(**{"Id": "VARCHAR", gone: "VARCHAR", "Total": "INTEGER"})
    now = columns(**{"Id": "VARCHAR", come: "VARCHAR", "Total": "INTEGER"})
    [guess] = drift(before, now).renamed
    assert (guess.before, guess.now) == (gone, come)
    assert reason in guess.reason


def test_another_type_is_no_rename():
    assert drift(columns(Mail="VARCHAR"), columns(EMail="INTEGER")).renamed == ()


def test_one_column_is_not_renamed_twice_and_the_surest_pair_wins():
    found = drift(columns(Mail="VARCHAR", EMail="VARCHAR"), columns(Email="VARCHAR"))
    assert [(g.before, g.now) for g in found.renamed] == [("EMail", "Email")]


def test_values_tell_a_rename_that_names_do_not():
    def engine(**values):
        made = DuckDBEngine(threads=1)
        made.load("crm_Contacts", pa.table(values))
        return made

    births = [date(1950 + n % 50, 1 + n % 12, 1 + n % 28) for n in range(3000)]
    with engine(Geburt=births, Seit=births[::-1]) as old, engine(A=[date(2024, 1, 1)] * 2950, B=births[50:]) as new:
        alike = same_values(old, new, "crm.Contacts")
        assert alike("Geburt", "B")
        assert not alike("Geburt", "A")
        before, now = columns(Geburt="DATE", Seit="VARCHAR"), columns(A="DATE", B="DATE")
        [guess] = drift(before, now, same_values=alike).renamed
    assert (guess.before, guess.now) == ("Geburt", "B")
    assert "nearly the same values" in guess.reason


def test_stop_names_each_change_the_dependents_and_the_next_move():
    found = drift(BEFORE, columns(Id="VARCHAR", Name="VARCHAR", EMail="VARCHAR", Total="DOUBLE", X="DATE"))
    used = {"Mail": ["rule 'e-mail' of loyalty.Members -> crm.Contacts", "resolution Email"], "Total": ["filter"]}
    with pytest.raises(SchemaDriftError) as caught:
        check("crm.Contacts", STOP, found, used)
    assert caught.value.where == "crm.Contacts"
    assert caught.value.message.splitlines() == [
        "columns in the source data have changed since the last run:",
        f"  - removed Mail (VARCHAR), renamed to EMail? same type, similar name; used by {', '.join(used['Mail'])}",
        "  - retyped Total: INTEGER → DOUBLE; used by filter",
        "  - added EMail (VARCHAR)",
        "  - added X (DATE)",
    ]
    for move in ("restore the removed columns", "declare new columns", "declare the type", "drift: accept"):
        assert move in caught.value.hint


def test_dependents_may_be_a_function():
    with pytest.raises(SchemaDriftError, match="used by key"):
        check("a.B", STOP, Drift(removed=(Removed("Id", "VARCHAR"),)), lambda column: ["key"] if column == "Id" else [])


def test_an_added_column_stops_too_and_nothing_irrelevant_is_advised():
    with pytest.raises(SchemaDriftError) as caught:
        check("a.B", STOP, Drift(added=(Added("X", "DATE"),)))
    assert "restore" not in caught.value.hint
    assert "type of" not in caught.value.hint


def test_accept_turns_changes_into_warnings():
    found = drift(BEFORE, columns(Id="VARCHAR", Name="VARCHAR", Total="INTEGER", X="DATE"))
    assert check("a.B", ACCEPT, found, {"Mail": ["key"]}) == [
        "a.B: removed Mail (VARCHAR); used by key",
        "a.B: added X (DATE)",
    ]


def test_declaring_is_accepting():
    entity = Entity.model_validate({"key": "Id", "columns": {"X": "date", "Total": "double"}})
    found = drift(BEFORE, [*columns(Id="VARCHAR", Name="VARCHAR", Mail="VARCHAR", Total="DOUBLE"), *columns(X="DATE")])
    assert check("a.B", entity, found) == ["a.B: retyped Total: INTEGER → DOUBLE", "a.B: added X (DATE)"]


def test_a_format_alone_declares_no_type_and_a_removed_column_is_never_declared():
    entity = Entity.model_validate({"key": "Id", "columns": {"Total": {"format": "%d"}, "Mail": "string"}})
    with pytest.raises(SchemaDriftError, match="retyped Total"):
        check("a.B", entity, Drift(retyped=(Retyped("Total", "INTEGER", "DATE"),)))
    with pytest.raises(SchemaDriftError, match="removed Mail"):
        check("a.B", entity, Drift(removed=(Removed("Mail", "VARCHAR"),)))


names = st.sampled_from(["Id", "ID", "Mail", "EMail", "City", "Ort"])
tables = st.dictionaries(names, st.sampled_from(["VARCHAR", "DATE"]), max_size=6)


@given(tables, tables)
def test_every_difference_is_exactly_one_change(before, now):
    found = drift(columns(**before), columns(**now))
    assert {a.name for a in found.added} == now.keys() - before.keys()
    assert {r.name for r in found.removed} == before.keys() - now.keys()
    assert {r.name for r in found.retyped} == {n for n in before.keys() & now.keys() if before[n] != now[n]}
    assert len({g.before for g in found.renamed}) == len({g.now for g in found.renamed}) == len(found.renamed)
    assert {g.before for g in found.renamed} <= {r.name for r in found.removed}


# ── dependents ───────────────────────────────────────────────────────────────────────────────────────────────────────

PROJECT = {
    "sources": {
        "crm": {
            "Contacts": {
                "files": "c",
                "key": "ContactId",
                "labels": {"EMail": "Identity.Service.Email"},
                "columns": {"Born": "date"},
                "where": [{"column": "Status", "operator": "equals", "value": "active"}],
                "incremental": {"updated": "ModifiedOn"},
            }
        },
        "loyalty": {"Members": {"files": "m", "key": "LoyaltyId", "timestamp": "Joined"}},
        "web": {"Visits": {"files": "v", "key": "VisitId"}},
    },
    "conflation": {
        "order": ["crm.Contacts", "loyalty.Members"],
        "dedupe": {
            "crm.Contacts": {
                "rules": [{"name": "same", "when": [{"field": "FullName"}]}],
                "winner": "most recent by Seen",
                "prefer": {"Phone": "least recent by Created"},
            }
        },
        "match": {
            "loyalty.Members -> crm.Contacts": [
                {
                    "name": "mail",
                    "when": [{"left": "Mail", "right": "EMail"}],
                    "unless": [{"field": "Born", "differs": True}],
                }
            ]
        },
        "limits": [{"never_two": "Born"}],
    },
    "resolution": {
        "Email": {"from": ["crm.Contacts.EMail", "loyalty.Members.Mail"], "by": "most recent by Seen"},
        "Address": {"group": {"Street": ["crm.Contacts.Addr.Line"], "City": []}},
        "Nick": "most filled",
    },
    "customer": {"default": "most recent by Touched", "separate": ["Points"]},
}


def test_dependents_name_every_place():
    project = Project.model_validate(PROJECT)
    mail = "rule 'mail' of loyalty.Members -> crm.Contacts"
    assert dependents_of(project, "crm.Contacts") == {
        "ContactId": ["key"],
        "ModifiedOn": ["incremental.updated"],
        "EMail": ["label Identity.Service.Email", mail, "resolution Email"],
        "Born": ["columns", mail, "limit never two Born"],
        "Status": ["filter"],
        "FullName": ["rule 'same' of dedupe crm.Contacts"],
        "Seen": ["winner of dedupe crm.Contacts", "resolution Email"],
        "Phone": ["prefer of dedupe crm.Contacts"],
        "Created": ["prefer of dedupe crm.Contacts"],
        "Addr.Line": ["resolution Address"],
        "City": ["resolution Address"],
        "Nick": ["resolution Nick"],
        "Touched": ["customer.default"],
        "Points": ["customer.separate"],
    }
    members = dependents_of(project, "loyalty.Members")
    assert members["Mail"] == [mail, "resolution Email"]
    assert members["Joined"] == ["timestamp"]
    assert "EMail" not in members


def test_an_entity_outside_the_order_depends_only_on_itself():
    assert dependents_of(Project.model_validate(PROJECT), "web.Visits") == {"VisitId": ["key"]}
