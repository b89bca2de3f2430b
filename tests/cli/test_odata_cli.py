"""unify odata: one JSON document or CSV, one page or all, and errors that a script can tell apart."""

import csv
import io

import pytest


def test_one_page_as_json(cli, sample):
    said = cli("odata", "-i", sample, "Customer?$select=FullName,City&$filter=City eq 'Eastwick'&$top=3&$count=true")
    assert said.code == 0
    assert list(said.json) == ["@odata.context", "@odata.count", "value"]
    assert len(said.json["value"]) == 3
    assert {row["City"] for row in said.json["value"]} == {"Eastwick"}
    assert cli("odata", "-i", sample, "Customer?$select=FullName&$top=3", "--json").json["value"] == [
        {"FullName": row["FullName"]} for row in cli("odata", "-i", sample, "Customer?$top=3").json["value"]
    ]


def test_a_next_link_can_be_asked_as_it_stands(cli, sample):
    first = cli("odata", "-i", sample, "Customer?$select=CustomerId&$top=5", "--page-size", 3).json
    second = cli("odata", "-i", sample, first["@odata.nextLink"]).json
    assert [len(first["value"]), len(second["value"])] == [3, 2]
    assert "@odata.nextLink" not in second


@pytest.mark.parametrize("size", [7, 1000])
def test_all_pages_are_one_document(cli, sample, size):
    said = cli("odata", "-i", sample, "Customer?$select=CustomerId&$count=true&$top=20", "--all", "--page-size", size)
    assert list(said.json) == ["@odata.context", "@odata.count", "value"]
    assert len(said.json["value"]) == 20
    assert said.json["@odata.count"] == int(cli("odata", "-i", sample, "Customer/$count").out)


def test_csv_has_one_header_however_many_pages(cli, sample):
    request = "Customer?$select=CustomerId,FullName,DateOfBirth&$top=20"
    said = cli("odata", "-i", sample, request, "--csv", "--all", "--page-size", 6)
    rows = list(csv.DictReader(io.StringIO(said.out, newline="")))
    wanted = cli("odata", "-i", sample, request).json["value"]
    assert rows == [{name: value or "" for name, value in row.items()} for row in wanted]
    assert cli("odata", "-i", sample, f"{request}&$format=text/csv", "--page-size", 20).out == said.out
    assert cli("odata", "-i", sample, f"{request}&$format=text/csv", "--all", "--page-size", 6).out == said.out


def test_the_clock_can_be_set(cli, sample):
    request = "UnifiedActivity/$count?$filter=ActivityTime gt now() sub duration'P30D' and ActivityTime le now()"
    counts = {
        cli("odata", "-i", sample, request, "--clock", day).out.strip()
        for day in ("2025-01-31", "2025-06-30", "1999-01-01")
    }
    assert len(counts) == 3
    assert "0" in counts


def test_values_properties_and_nothing(cli, sample):
    assert "<edmx:Edmx" in cli("odata", "-i", sample, "$metadata").out
    [row] = cli("odata", "-i", sample, "Customer?$filter=Mobile eq null&$top=1").json["value"]
    at = f"Customer('{row['CustomerId']}')"
    assert cli("odata", "-i", sample, f"{at}/FullName/$value").out == f"{row['FullName']}\n"
    assert cli("odata", "-i", sample, f"{at}/Mobile").out == ""
    assert cli("odata", "-i", sample, at).json["FullName"] == row["FullName"]


@pytest.mark.parametrize(
    ("request_", "error", "hint"),
    [
        ("Customers", "NotFoundError", "did you mean Customer"),
        ("Customer?$filter=Ctiy eq 'x'", "BindError", "did you mean City?"),
        ("Customer?$fitler=City eq 'x'", "ODataSyntaxError", "did you mean $filter?"),
        ("Customer/$query", "ODataUnsupportedError", ""),
    ],
)
def test_errors_are_documents_too(cli, sample, request_, error, hint):
    said = cli("odata", "-i", sample, request_, "--json")
    assert (said.code, said.out) == (7, "")
    assert said.error["error"] == error
    assert hint in said.error["hint"]


def test_csv_and_json_cannot_both_go_to_stdout(cli, sample):
    assert cli("odata", "-i", sample, "Customer", "--csv", "--json").code == 2
