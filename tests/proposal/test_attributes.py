"""Columns that mean the same are found; those that say nothing, or twice the same, are left out and named."""

from pathlib import Path

import pyarrow as pa
import pytest

from ingest.load import load
from unify.core.documents import project_of
from unify.engines.duckdb import DuckDBEngine
from unify.proposal.attributes import MOST, find_attributes, repeated
from unify.spec import Joined

GIVEN = ["Anna", "Bert", "Cleo", "Dora", "Emil", "Flora", "Gero", "Hanna", "Ivo", "Jule"]
FAMILY = ["Quill", "Moss", "Fern", "Pike", "Stone", "Marsh", "Vale", "Brook", "Heath", "Thorn", "Wood"]
ROWS = 60


def names(n=ROWS):
    return [GIVEN[i % 10] for i in range(n)], [FAMILY[i % 11] for i in range(n)]


def found_in(frames, labels=None):
    """What is found in frames by entity, each with a key column `Id`."""
    sources = {}
    for entity in frames:
        source, table = entity.split(".")
        sources.setdefault(source, {})[table] = {"key": "Id", "labels": (labels or {}).get(entity, {})}
    project = project_of({"sources": sources})
    with DuckDBEngine() as engine:
        for entity, columns in frames.items():
            n = len(next(iter(columns.values())))
            keys = {"Id": [f"{entity}{i}" for i in range(n)]}
            load(engine, entity, project.entity(entity), pa.table(keys | columns), base=Path())
        return find_attributes(engine, project, list(frames))


def by_name(found):
    return {a.name: a for a in found.attributes}


def mails(n=ROWS):
    return [f"{GIVEN[i % 10]}.{FAMILY[i % 11]}{i}@mail.example".lower() for i in range(n)]


def phones(n=ROWS, start=2_065_550_000):
    return [f"{start + 37 * i}" for i in range(n)]


def test_columns_of_one_label_are_one_attribute_and_several_contacts_are_alternatives():
    frames = {
        "crm.A": {"EMail": mails(), "Telephone": phones(), "Mobile": phones(start=2_075_550_000)},
        "web.B": {"Mail1": mails(), "Mail2": mails()[::-1], "Phone": phones()},
    }
    found = by_name(found_in(frames))
    assert found["EMail"].columns == {"crm.A": ("EMail",), "web.B": ("Mail1", "Mail2")}
    assert found["EMail"].columns_apart() == {"web.B": ("Mail1", "Mail2")}
    assert next(a.columns for a in found.values() if a.label == "Identity.Service.Phone") == {
        "crm.A": ("Telephone", "Mobile"),
        "web.B": ("Phone",),
    }


def test_declared_labels_outrank_what_a_name_suggests():
    frames = {"crm.A": {"EMail": mails(), "Nick": mails()[::-1]}, "web.B": {"Mail": mails()}}
    labels = {"crm.A": {"Nick": "Identity.Service.Email"}}
    found = found_in(frames, labels)
    mail = next(a for a in found.attributes if a.label == "Identity.Service.Email")
    assert set(mail.columns["crm.A"]) == {"EMail", "Nick"}
    assert "Nick" not in found.labels["crm.A"], "declared, so not proposed"


def test_where_one_entity_has_full_names_only_the_others_are_joined():
    first, last = names()
    full = [f"{a} {b}" for a, b in zip(first, last, strict=True)]
    found = by_name(found_in({"crm.A": {"FirstName": first, "LastName": last}, "web.B": {"FullName": full}}))
    assert set(found) == {"FullName"}
    assert found["FullName"].columns == {"web.B": ("FullName",), "crm.A": (Joined(join=("FirstName", "LastName")),)}
    assert [s.kind for s in found["FullName"].normalize] == ["name"]


def test_where_all_have_the_parts_the_full_name_is_left_out_with_the_reason():
    first, last = names()
    full = [f"{a} {b}" for a, b in zip(first, last, strict=True)]
    own = {"FirstName": first, "LastName": last, "FullName": full}
    found = found_in({"crm.A": own, "web.B": dict(own)})
    assert set(by_name(found)) == {"FirstName", "LastName"}
    assert all("say the same" in found.left_out[f"{e}.FullName"] for e in ("crm.A", "web.B"))


@pytest.mark.parametrize(
    ("values", "reason"),
    [
        ([i % 2 == 0 for i in range(ROWS)], "boolean"),
        ([i / 7 for i in range(ROWS)], "double"),
        ([None] * ROWS, "next to no values"),
        (["same"] * ROWS, "next to no values"),
    ],
)
def test_what_says_nothing_is_left_out_with_the_reason(values, reason):
    found = found_in({"crm.A": {"EMail": mails(), "Odd": values}})
    assert set(by_name(found)) == {"EMail"}
    assert reason in found.left_out["crm.A.Odd"]


def test_a_column_without_label_that_one_of_several_entities_has_is_left_out_but_not_that_of_a_single_one():
    shade = [f"shade {i % 9}" for i in range(ROWS)]
    two = found_in({"crm.A": {"EMail": mails(), "Shade": shade}, "web.B": {"Mail": mails()}})
    assert "Shade" not in by_name(two)
    assert "no other entity" in two.left_out["crm.A.Shade"]
    assert "Shade" in by_name(found_in({"crm.A": {"EMail": mails(), "Shade": shade}}))


def test_a_key_is_evidence_only_where_another_entity_knows_it():
    frames = {"crm.A": {"EMail": mails()}, "web.B": {"EMail": mails()}}
    assert "Id" not in by_name(found_in(frames)), "the two have no key in common"
    shared = {entity: own | {"Id": [f"P{i}" for i in range(ROWS)]} for entity, own in frames.items()}
    assert by_name(found_in(shared))["Id"].columns == {"crm.A": ("Id",), "web.B": ("Id",)}
    turned = {**shared, "web.B": shared["web.B"] | {"EMail": mails()[::-1]}}
    assert "Id" not in by_name(found_in(turned)), "who shares a key agrees on nothing else"


@pytest.mark.parametrize(
    ("numbers", "region"),
    [
        (["+1 206 555 01{:02d}"] * 3 + ["206 555 07{:02d}"] * 3, "US"),
        (["+49 30 1234{:02d}"] * 4 + ["030 5678{:02d}"] * 2, "DE"),
        (["00351 21 34567{:02d}"] * 5, "PT"),
        (["030 5678{:02d}"] * 5, None),
    ],
)
def test_the_country_of_phone_numbers_is_the_one_whose_code_stands_on_most(numbers, region):
    values = [numbers[i % len(numbers)].format(i) for i in range(ROWS)]
    [phone] = [a for a in found_in({"crm.A": {"Telephone": values}}).attributes if a.label == "Identity.Service.Phone"]
    [step] = phone.normalize
    assert (step.kind, step.argument) == ("phone", region)


def test_at_most_so_many_attributes_are_compared_and_the_others_are_named():
    frames = {"crm.A": {f"Trait{k:02d}": [f"{k}-{i % (20 + k)}" for i in range(200)] for k in range(MOST + 3)}}
    found = found_in(frames)
    assert len(found.attributes) == MOST
    assert len([w for w in found.left_out.values() if "say more" in w]) == 3


def test_an_entity_whose_column_of_that_name_means_something_else_is_shut_out():
    first, last = names()
    frames = {
        "crm.A": {"Contact": mails(), "FirstName": first, "LastName": last},
        "web.B": {"Contact": [i % 2 == 0 for i in range(ROWS)], "Mail": mails()},
    }
    labels = {"crm.A": {"Contact": "Identity.Service.Email"}, "web.B": {"Mail": "Identity.Service.Email"}}
    mail = next(a for a in found_in(frames, labels).attributes if a.label == "Identity.Service.Email")
    assert mail.name == "Contact"
    assert mail.columns_apart() == {"web.B": ("Mail",)}
    alone = found_in({**frames, "pos.C": {"Contact": [i % 3 == 0 for i in range(ROWS)]}}, labels)
    mail = next(a for a in alone.attributes if a.label == "Identity.Service.Email")
    assert mail.columns_apart() == {"web.B": ("Mail",), "pos.C": ()}


def test_order_of_rows_changes_nothing():
    first, last = names()
    columns = {"FirstName": first, "LastName": last, "EMail": mails(), "Telephone": phones()}
    turned = {name: values[::-1] for name, values in columns.items()}
    one, other = found_in({"crm.A": columns}), found_in({"crm.A": turned})
    assert [(a.name, a.columns, a.normalize) for a in one.attributes] == [
        (a.name, a.columns, a.normalize) for a in other.attributes
    ]


A, B = [f"a{i}" for i in range(40)], [f"b{i}" for i in range(40)]


@pytest.mark.parametrize(
    ("values", "repeats"),
    [
        ({"x": A, "y": A}, {"y": ("x", "")}),
        ({"x": A, "y": B}, {}),
        ({"x": A, "y": B, "z": [a + b for a, b in zip(A, B, strict=True)]}, {"z": ("x", "y")}),
        ({"z": [b + a for a, b in zip(A, B, strict=True)], "x": A, "y": B}, {"z": ("x", "y")}),
        ({"x": A, "y": A[:30] + B[30:]}, {}),  # 75 % are not nearly all
        ({"x": A, "y": A[:33] + B[33:]}, {"y": ("x", "")}),
        ({"x": A, "y": [*A[:19], *[""] * 21]}, {}),  # 19 rows are too few to say
        ({"x": A, "y": [*A[:20], *[""] * 20]}, {"y": ("x", "")}),
    ],
)
def test_repeats(values, repeats):
    assert repeated(values) == repeats
