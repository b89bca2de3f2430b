import random
from datetime import date, timedelta
from pathlib import Path

import pyarrow as pa
import pytest

from ingest import label_values as looks
from ingest.label_words import LABEL_OF, NAMES
from ingest.labels import LABELS, canonical, check_labels, suggest, suggest_labels
from ingest.words import words
from unify.core.errors import SpecError
from unify.core.names import literal
from unify.core.steps import Query, Step
from unify.engines.duckdb import DuckDBEngine
from unify.spec import Entity

CONTOSO = Path(__file__).parents[2] / ".." / "shared" / "data" / "contoso"
TODAY = date(2024, 6, 1)

PERSON = {
    "FirstName": "Person.FirstName",
    "LastName": "Person.LastName",
    "FullName": "Person.FullName",
    "DateOfBirth": "Person.BirthDate",
    "Gender": "Person.Gender",
    "EMail": "Identity.Service.Email",
    "Telephone": "Identity.Service.Phone",
}
EXPECTED = {
    "Contact": PERSON
    | {
        "PostCode": "Location.PostalCode",
        "StreetAddress": "Location.AddressStreet",
        "City": "Location.City",
        "State": "Location.State",
        "Country": "Location.Country",
        "CreatedOn": "Measurement.DateCreation",
    },
    "Customer-Loyalty": PERSON | {"CreatedOn": "Measurement.DateCreation"},
    "CustomerRecordContoso": PERSON,
    "OnlinePurchases": {"PurchasedOn": "Calendar.Date"},
    "POSPurchases": {"PurchasedOn": "Calendar.Date"},
    "WebsiteReviews_LinkedToEcommerceContacts": {"ReviewDate": "Calendar.Date"},
}


def of_values(**columns) -> dict[str, str]:
    return {name: found.label for name, found in with_reasons(**columns).items()}


def with_reasons(**columns):
    sql = {str: "VARCHAR", date: "DATE", int: "BIGINT", float: "DOUBLE", bool: "BOOLEAN"}
    types = {name: sql[type(values[0])] for name, values in columns.items()}
    return suggest(types, columns, today=TODAY)


def contoso(engine: DuckDBEngine, name: str, *, text: bool) -> None:
    path = CONTOSO / f"{name}.csv"
    if not path.exists():
        pytest.skip("the Contoso files are not beside the repository (shared/data/contoso)")
    read = f"SELECT * FROM read_csv({literal(str(path))}, all_varchar = {text})"
    engine.build(Step("t", Query(read), "read"))


@pytest.mark.parametrize("text", [False, True], ids=["typed", "all text"])
@pytest.mark.parametrize("name", EXPECTED)
def test_contoso_columns(name, text):
    """Every column, also those that deserve no label: ids, prices, yes/no, `Email Subscriber`, `Loyalty Tier`."""
    with DuckDBEngine(threads=1) as engine:
        contoso(engine, name, text=text)
        found = suggest_labels(engine, "t", today=TODAY)
    assert {column: s.label for column, s in found.items()} == EXPECTED[name]
    assert all(0.9 <= s.confidence <= 1 for s in found.values())


def test_contoso_columns_by_values_alone():
    """With names that say nothing, values still betray these; nothing is labelled wrongly."""
    with DuckDBEngine(threads=1) as engine:
        contoso(engine, "Contact", text=False)
        columns = engine.columns("t")
        renamed = ", ".join(f'"{name}" AS c{i}' for i, name in enumerate(columns))
        engine.build(Step("u", Query(f"SELECT {renamed} FROM t"), "hide the names"))
        found = suggest_labels(engine, "u", today=TODAY)
    names = dict(zip((f"c{i}" for i in range(len(columns))), columns, strict=True))
    labels = {names[column]: s.label for column, s in found.items()}
    assert labels["EMail"] == "Identity.Service.Email"
    assert labels["Gender"] == "Person.Gender"
    assert labels["FirstName"] == "Person.FirstName"
    assert labels["FullName"] == "Person.FullName"
    assert labels["Telephone"] == "Identity.Service.Phone"
    assert labels.items() <= (EXPECTED["Contact"] | {"DateOfBirth": "Person.BirthDate"}).items()
    assert all(s.confidence < 0.9 for s in found.values())


def test_the_order_of_rows_changes_nothing():
    rows = [{"a": f"name{i}@example.com" if i % 4 else "none", "Phone": f"030 {i:07}"} for i in range(3000)]
    answers = []
    for seed in (1, 2):
        random.Random(seed).shuffle(rows)
        with DuckDBEngine(threads=2) as engine:
            engine.load("t", pa.Table.from_pylist(rows))
            answers.append(suggest_labels(engine, "t", sample=200, today=TODAY))
    assert answers[0] == answers[1]
    assert answers[0]["Phone"].label == "Identity.Service.Phone"


@pytest.mark.parametrize(
    ("name", "label"),
    [
        ("E-Mail Address", "Identity.Service.Email"),
        ("BILLING_CITY", "Location.City"),
        ("homePhone2", "Identity.Service.Phone"),
        ("Geburtsdatum", "Person.BirthDate"),
        ("PLZ", "Location.PostalCode"),
        ("Straße", "Location.AddressStreet"),
        ("Prénom", "Person.FirstName"),
        ("nom_de_famille", "Person.LastName"),
        ("CódigoPostal", "Location.PostalCode"),
        ("apellidos", "Person.LastName"),
        ("correo electrónico", "Identity.Service.Email"),
        ("Cognome", "Person.LastName"),
        ("achternaam", "Person.LastName"),
        ("data_nascimento", "Person.BirthDate"),
        ("LastModified", "Measurement.DateModify"),
        ("company", "Organization.Name"),
        ("IP Address", None),
        ("user_name", None),
        ("EmailOptIn", None),
        ("MarketCap", None),
        ("Income", None),
    ],
)
def test_names_in_several_languages(name, label):
    found = suggest({name: "VARCHAR"}, {}, today=TODAY).get(name)
    assert (found and found.label) == label
    if found:
        assert found.confidence <= 0.7, "a name alone is no proof"
        assert "no values" in found.reason


def test_values_overrule_a_name():
    assert of_values(EMail=["yes", "no", "no", "yes", "yes"]) == {}
    assert of_values(Phone=[True, False, True]) == {}
    assert of_values(Gender=["red", "green", "blue"]) == {}
    assert of_values(City=[1, 2, 3]) == {}


def test_values_that_fit_in_part_weaken_a_name():
    sure = with_reasons(EMail=["a@b.de"] * 9 + ["?"])["EMail"]
    half = with_reasons(EMail=["a@b.de"] * 5 + ["?"] * 5)["EMail"]
    assert sure.confidence > half.confidence
    assert "50%" in half.reason


def test_values_alone():
    births = [date(1950, 1, 1) + timedelta(days=700 * i) for i in range(30)]
    recent = [date(2024, 5, 1) - timedelta(days=i) for i in range(30)]
    found = of_values(
        a=["https://example.com/x", "www.example.org"] * 3,
        b=["https://example.com/x.png"] * 6,
        c=["+49 30 1234567", "(030) 7654321", "983.566.0706x9509"] * 2,
        d=["m", "w", "d", "w", "m"],
        e=births,
        f=recent,
        g=["12345", "54321", "10115", "80331", "20095"],
        h=["m", "m", "m", "m", "m"],
        i=["2020-01-31", "2020-02-01", "2020-02-02", "2020-02-03", "2020-02-04"],
    )
    assert found == {
        "a": "Reference.URL",
        "b": "Reference.ImageURL",
        "c": "Identity.Service.Phone",
        "d": "Person.Gender",
        "e": "Person.BirthDate",
    }


def test_few_values_suggest_nothing_by_themselves():
    assert of_values(a=["a@example.com"] * 4) == {}
    assert of_values(a=["a@example.com"] * 5) == {"a": "Identity.Service.Email"}


def test_words_and_tests_are_of_known_labels():
    assert set(NAMES) <= set(LABELS)
    assert set(looks.TESTS) <= set(LABELS)
    assert len(set(LABELS)) == len(LABELS)
    spelled = [name for names in NAMES.values() for name in names.split()]
    assert len(spelled) == len(set(spelled)) == len(LABEL_OF)
    assert all("".join(words(name)) == name for name in spelled), "names stand as words() would join them"


# ── declared labels ──────────────────────────────────────────────────────────────────────────────────────────────────


def entity(**labels: str) -> Entity:
    return Entity(key="Id", labels=labels)


def test_known_labels_and_free_text_pass_without_a_word():
    declared = entity(Id="Shoe size", Mail="Identity.Service.Email", Name="PersonFullName")
    assert check_labels("crm.Contacts", declared, ["Id", "Mail", "Name"]) == []


@pytest.mark.parametrize(
    ("label", "known"),
    [
        ("Identity.Service.Mail", "Identity.Service.Email"),
        ("Person.FulName", "Person.FullName"),
        ("person.birthdate", "Person.BirthDate"),
    ],
)
def test_a_slip_is_warned_about(label, known):
    [warning] = check_labels("crm.Contacts", entity(Mail=label), ["Mail"])
    assert f"did you mean {known}?" in warning
    assert "crm.Contacts.labels.Mail" in warning


def test_a_label_on_no_column_is_an_error():
    with pytest.raises(SpecError) as caught:
        check_labels("crm.Contacts", entity(EMial="Identity.Service.Email", Zip="Location.PostalCode"), ["EMail", "Id"])
    assert "'EMial', 'Zip'" in caught.value.message
    assert "did you mean EMail?" in caught.value.hint
    assert caught.value.where == "crm.Contacts.labels"


def test_the_wire_spelling_is_read():
    assert {canonical(label.replace(".", "")) for label in LABELS} == set(LABELS)
