"""Links, rows in rows, many rows at once, single properties, files, and following a table."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.dataverse.asked import NOBODY, NOW, refused, row
from unify.dataverse.errors import DataverseError
from unify.dataverse.model import add_attribute, ready
from unify.dataverse.writes import Writes, changes, token, writer_of
from unify.dataverse.writes.ids import new_id
from unify.records import RecordStore

# ── links ───────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_links(writes: Writes) -> None:
    account = writes.create("account", {"name": "x"}).id
    contact = writes.create(
        "contact", {"lastname": "y", "parentcustomerid_account": {"@odata.id": f"accounts({account})"}}
    ).id
    assert row(writes, "contact", contact)["parentcustomerid"] == account
    writes.associate("account", account, "primarycontactid", f"https://h/api/data/v9.2/contacts({contact})")
    assert row(writes, "account", account)["primarycontactid"] == contact
    writes.disassociate("account", account, "primarycontactid")
    writes.disassociate("account", account, "contact_customer_accounts", contact)
    assert (
        row(writes, "account", account)["primarycontactid"],
        row(writes, "contact", contact)["parentcustomeridtype"],
    ) == (None, None)
    with refused("0x80040217", 404, "is not in"):
        writes.disassociate("account", account, "contact_customer_accounts", f"contacts({contact})")
    writes.associate("account", account, "contact_customer_accounts", f"contacts({contact})")
    assert row(writes, "contact", contact)["parentcustomeridtype"] == "account"
    lead = writes.create("lead", {"subject": "l", "contactleads_association@odata.bind": [f"/contacts({contact})"]}).id
    writes.associate("contact", contact, "contactleads_association", f"/leads({lead})")  # it is there already
    assert writes.writing.count("contactleads") == 1
    writes.disassociate("lead", lead, "contactleads_association", f"/contacts({contact})")
    assert writes.writing.count("contactleads") == 0
    for navigation, target in (("contact_customer_accounts", f"/leads({lead})"), ("nobody", f"/leads({lead})")):
        with pytest.raises(DataverseError):
            writes.associate("account", account, navigation, target)
    with refused("0x80040217", 404):
        writes.associate("account", account, "primarycontactid", f"contacts({NOBODY})")
    with refused("0x80048d19", 400, "Name the row"):
        writes.disassociate("account", account, "contact_customer_accounts")


def test_rows_in_rows(writes: Writes) -> None:
    made = writes.create("account", {
        "name": "x", "primarycontactid": {"lastname": "p"},
        "opportunity_customer_accounts": [{"name": "o", "Opportunity_Tasks": [{"subject": "t"}]}],
        "accountleads_association": [{"subject": "l"}],
    })  # fmt: skip
    deal = next(writes.writing.rows("opportunity")).values
    assert (deal["customerid"], deal["customeridtype"]) == (made.id, "account")
    assert next(writes.writing.rows("task")).values["regardingobjectid"] == deal["opportunityid"]
    assert row(writes, "contact", row(writes, "account", made.id)["primarycontactid"])["lastname"] == "p"
    assert next(writes.writing.rows("accountleads")).values["accountid"] == made.id
    with refused("0x80048d19", 400, "cannot be made in 'primarycontactid' with an update"):
        writes.update("account", made.id, {"primarycontactid": {"lastname": "q"}})
    before = writes.writing.version
    with refused("0x80048d19", 400, "Edm.String"):
        writes.create("account", {"name": "y", "contact_customer_accounts": [{"lastname": "a"}, {"lastname": 5}]})
    assert writes.writing.version == before
    deep: dict[str, Any] = {"name": "leaf"}
    for _ in range(20):
        deep = {"name": "n", "parentaccountid": deep}
    with refused("0x80048d19", 400, "deeper than"):
        writes.create("account", deep)


# ── many rows ───────────────────────────────────────────────────────────────────────────────────────────────────────


def test_many_are_all_or_none(writes: Writes) -> None:
    before = writes.writing.version
    with refused("0x80048d19", 400):
        writes.create_multiple("contact", [{"lastname": "a"}, {"lastname": 5}])
    with refused("0x80040217", 404, f"account With Id = {NOBODY}"):
        writes.create_multiple(
            "contact", [{"lastname": "a"}, {"parentcustomerid_account@odata.bind": f"/accounts({NOBODY})"}]
        )
    assert (writes.writing.count("contact"), writes.writing.version) == (0, before)
    made = writes.create_multiple("contact", [{"lastname": str(i)} for i in range(3)])
    assert [row(writes, "contact", w.id)["lastname"] for w in made] == ["0", "1", "2"]
    assert [writes.writing.get("contact", [w.id]).version for w in made] == [w.version for w in made]
    changed = writes.update_multiple(
        "contact",
        [{"contactid": w.id, "firstname": "f"} for w in made]
        + [{"contactid": made[0].id, "lastname": "z", "@odata.type": "Microsoft.Dynamics.CRM.contact"}],
    )
    assert row(writes, "contact", made[0].id)["fullname"] == "f z"
    assert [writes.writing.get("contact", [w.id]).version for w in changed[1:]] == [w.version for w in changed[1:]]
    with refused("0x80040217", 404):
        writes.update_multiple(
            "contact", [{"contactid": made[0].id, "firstname": "g"}, {"contactid": NOBODY, "firstname": "g"}]
        )
    assert row(writes, "contact", made[0].id)["firstname"] == "f"
    assert writes.delete_multiple("contact", [made[0].id, made[1].id, NOBODY, made[0].id]) == 2
    assert writes.create_multiple("contact", []) == []


def test_rows_of_one_request_may_point_at_each_other(writes: Writes) -> None:
    writes.create_multiple(
        "account",
        [
            {"name": "child", "parentaccountid@odata.bind": f"/accounts({NOBODY})"},
            {"accountid": NOBODY, "name": "parent"},
        ],
    )
    assert writes.writing.count("account") == 2


def test_upsert_of_many_takes_them_in_order(writes: Writes) -> None:
    target = "accounts(accountnumber='{}')"
    done = writes.upsert_multiple("account", [
        {"@odata.id": target.format("A"), "name": "1"}, {"accountnumber": "B", "name": "2"}, {"@odata.id": target.format("a"), "name": "3"},
        {"accountid": NOBODY, "name": "4"}, {"name": "5"}, {"accountid": NOBODY, "name": "6"},
    ])  # fmt: skip
    assert [w.created for w in done] == [True, True, False, True, True, False]
    assert sorted((r.values["accountnumber"] or "", r.values["name"]) for r in writes.writing.rows("account")) == [
        ("", "5"),
        ("", "6"),
        ("A", "3"),
        ("B", "2"),
    ]
    with refused("0x80048d19", 400, "is not one of"):
        writes.upsert_multiple("account", [{"@odata.id": f"contacts({NOBODY})"}])


@settings(max_examples=40)
@given(st.lists(st.tuples(st.integers(0, 4), st.text("ab", max_size=2)), max_size=12))
def test_many_at_once_do_what_one_by_one_does(tmp_path_factory: pytest.TempPathFactory, steps: list) -> None:
    """The same upserts in one request and in many leave the same rows."""
    store = RecordStore(tmp_path_factory.getbasetemp() / "many")
    store.path.parent.mkdir(exist_ok=True)
    ready(store)
    outcomes = []
    for at_once in (True, False):
        with store.write() as writing:
            writes = Writes(writing, writer_of(writing, "t", now=NOW))
            writes.delete_multiple("contact", [str(r.values["contactid"]) for r in writing.rows("contact")])
            targets = [{"contactid": f"00000000-0000-0000-0000-00000000000{n}", "lastname": text} for n, text in steps]
            if at_once:
                writes.upsert_multiple("contact", targets)
            else:
                for each in targets:
                    writes.upsert("contact", each["contactid"], each)
            outcomes.append([dict(r.values) for r in writing.rows("contact")])
    assert outcomes[0] == outcomes[1]


# ── properties, files, following ────────────────────────────────────────────────────────────────────────────────────


def test_single_properties(writes: Writes) -> None:
    id_ = writes.create("contact", {"firstname": "a", "lastname": "b"}).id
    writes.set_property("contact", id_, "firstname", "c")
    writes.clear_property("contact", id_, "lastname")
    assert row(writes, "contact", id_)["fullname"] == "c"
    with refused("0x80048d19", 400, "cannot be changed"):
        writes.set_property("contact", id_, "createdon", "2020-01-01T00:00:00Z")
    with refused("0x80060888", 400, "Could not find a property named 'nobody'"):
        writes.clear_property("contact", id_, "nobody")
    with refused("0x80048d19", 400, "Navigation properties"):
        writes.set_property("contact", id_, "_ownerid_value", NOBODY)
    with refused("0x80048d19", 400, "owner is needed"):
        writes.clear_property("contact", id_, "_ownerid_value")


def test_files(writes: Writes) -> None:
    add_attribute(
        writes.writing,
        "account",
        {"@odata.type": "Microsoft.Dynamics.CRM.FileAttributeMetadata", "SchemaName": "new_Doc", "MaxSizeInKB": 1},
    )
    id_ = writes.create("account", {"name": "x", "new_doc": NOBODY}).id
    assert writes.file("account", id_, "new_doc") is None
    writes.put_file("account", id_, "new_doc", "a.txt", b"one", "text/plain")
    writes.put_file("account", id_, "new_doc", "b.bin", b"two")
    assert writes.file("account", id_, "new_doc") == ("b.bin", "application/octet-stream", b"two")
    assert (row(writes, "account", id_)["new_doc_name"], writes.writing.count("fileattachment")) == ("b.bin", 1)
    with refused("0x80048d19", 413, "takes 1,024 at most"):
        writes.put_file("account", id_, "new_doc", "c", b"x" * 1025)
    with refused("0x80048d19", 400, "holds no files"):
        writes.put_file("account", id_, "name", "c", b"x")
    writes.clear_file("account", id_, "new_doc")
    assert writes.file("account", id_, "new_doc") is None
    writes.put_file("account", id_, "new_doc", "a.txt", b"one")
    writes.delete("account", id_)
    assert writes.writing.count("fileattachment") == 0


def test_following_a_table(store: RecordStore) -> None:
    def write(step) -> None:
        with store.write() as writing:
            step(Writes(writing, writer_of(writing, "t")))

    ids = [f"00000000-0000-0000-0000-00000000000{n}" for n in range(4)]
    write(lambda w: w.create_multiple("contact", [{"contactid": id_, "lastname": id_[-1]} for id_ in ids[:3]]))
    with store.read() as reading:
        since = token(reading, "contact")
        assert changes(reading, "contact", since).rows == []
    write(lambda w: w.delete("contact", ids[0]))
    write(lambda w: w.update("contact", ids[1], {"lastname": "x"}))
    write(lambda w: w.create("contact", {"contactid": ids[3]}))
    write(lambda w: w.create("account", {"name": "of no concern"}))
    with store.read() as reading:
        found = changes(reading, "contact", since)
        assert ([r.values["contactid"] for r in found.rows], [g.id for g in found.gone]) == ([ids[1], ids[3]], [ids[0]])
        assert (changes(reading, "contact", found.token).rows, changes(reading, "contact", found.token).gone) == (
            [],
            [],
        )
        with refused("0x80048d19", 400, "is no delta token"):
            changes(reading, "contact", "x!")
        with refused("0x80048d19", 400, "is of 'contact'"):
            changes(reading, "account", since)
        with refused("0x80044352", 410, "has expired"):
            changes(reading, "contact", since, now=datetime.now(UTC) + timedelta(days=8))
    with store.write() as writing:
        writing.purge(datetime.now(UTC) + timedelta(days=1))
    with store.read() as reading:
        with refused("0x80044352", 410, "has expired"):
            changes(reading, "contact", since)
        assert changes(reading, "contact", found.token).rows == []


def test_drawn_ids_grow_and_never_meet() -> None:
    drawn = [new_id() for _ in range(2000)]
    assert len(set(drawn)) == 2000
    assert [d[:13] for d in drawn] == sorted(d[:13] for d in drawn)
