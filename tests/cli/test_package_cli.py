"""unify package: inspect, import, execute, export, define, entities, history."""

import csv
import io
import json
import zipfile

import pytest

import unify
from tests.oracles import package_files as made
from unify.records import RecordStore

GROUPS = made.simple(b"ID,NAME\n1,Retail\n2,Wholesale\n", fields=("ID", "NAME"))


@pytest.fixture
def groups(tmp_path):
    path = tmp_path / "groups.zip"
    path.write_bytes(GROUPS)
    return path


@pytest.fixture
def instance(tmp_path):
    return tmp_path / "instance"


def test_inspect(cli, groups):
    said = cli("package", "inspect", groups)
    assert said.code == 0
    assert "1 entity" in said.out
    assert [line.split()[-3:] for line in said.out.splitlines() if line.startswith("1.1.1")] == [["2", "2", "0"]]
    document = cli("package", "inspect", groups, "--json").json
    assert document["manifest"]["group"] == "Asset-Major-Types"
    assert document["header"]["package_version"] == "1"
    (entity,) = document["entities"]
    assert (entity["name"], entity["rows"], entity["in_error"], entity["columns"]) == ("Rows", 2, 0, ["ID", "NAME"])
    assert entity["maps"] == {"ID": "ID", "NAME": "NAME"}
    assert document["findings"] == []


def test_inspect_says_what_is_wrong(cli, tmp_path):
    path = tmp_path / "p.zip"
    path.write_bytes(made.package(
        made.entity("Second", "b.csv", ["A"], ExecutionUnit=2), made.entity("Off", "a.csv", ["A"], Disable="true"),
        made.entity("First", "a.csv", ["A"]), made.entity("Transformed", "a.csv", ["A"], EntityTransformList="<X>1</X>"),
        files={"a.csv": b"A\n1\n2,3\n", "b.csv": b"A\n1\n", "more.txt": b""},
    ))  # fmt: skip
    said = cli("package", "inspect", path, "--json")
    assert said.code == 3
    assert [e["name"] for e in said.json["entities"]] == ["First", "Transformed", "Second", "Off"]
    assert [(e["rows"], e["in_error"]) for e in said.json["entities"]] == [(1, 1), (None, None), (1, 0), (None, None)]
    assert {f["severity"] for f in said.json["findings"]} == {"error", "warning", "note"}
    drawn = cli("package", "inspect", path)
    assert drawn.code == 3
    assert "✗ Transformed: transforms (XSLT) are not applied" in drawn.out
    assert "! the manifest does not name this file" in drawn.out


def test_inspect_of_no_package(cli, tmp_path):
    said = cli("package", "inspect", tmp_path / "none.zip", "--json")
    assert (said.code, said.out) == (3, "")
    assert said.error["message"] == "no such file"
    (tmp_path / "bad.zip").write_bytes(made.packed({"../x": b""}))
    assert cli("package", "inspect", tmp_path / "bad.zip", "--json").error["error"] == "HostilePackageError"


def test_an_entity_that_nobody_defined(cli, groups, instance):
    said = cli("package", "import", groups, "-i", instance, "--create", "--json")
    assert said.code == 3
    assert "--key 'Rows=COLUMN'" in said.json["entities"][0]["error"]
    assert cli("package", "import", groups, "-i", instance, "--key", "Rows=").code == 2
    assert cli("package", "import", groups, "--create").code == 2


def test_there_and_back(cli, groups, instance, tmp_path):
    """Import, export in every format, import into an empty instance: equal tables."""
    said = cli("package", "import", groups, "-i", instance, "--create", "--key", "Rows=ID", "--json")
    assert said.code == 0, said
    assert [(e["file_rows"], e["created"]) for e in said.json["entities"]] == [(2, 2)]
    assert said.json["error_files"] == []
    for form in ("csv", "xml", "xlsx", "CSV-Unicode", "xml-attribute"):
        out, other = tmp_path / f"{form}.zip", tmp_path / f"{form}-instance"
        done = cli("package", "export", "Rows", "-i", instance, "--format", form, "-o", out, "--json")
        assert (done.code, done.json["package"]) == (0, str(out))
        again = cli("package", "import", out, "-i", other, "--create", "--json")
        assert again.code == 0, again
        assert [e["created"] for e in again.json["entities"]] == [2]
        found = []
        for path in (instance, other):
            with unify.open(path) as acme, RecordStore(path).read() as reading:
                table = acme.packages.entity("Rows").table
                found.append([dict(row.values) for row in reading.rows(table)])
        assert found[0] == found[1]
        assert found[0] == [{"ID": "1", "NAME": "Retail"}, {"ID": "2", "NAME": "Wholesale"}]


def test_rows_that_do_not_arrive(cli, instance, tmp_path):
    """Good rows stay; the others are in files beside the package, with reasons; the exit code says so."""
    definition = tmp_path / "entities.yaml"
    definition.write_text("entities: {Rows: {key: ID, columns: {ID: integer, NAME: {kind: text, length: 5}}}}")
    package = tmp_path / "rows.zip"
    package.write_bytes(made.simple(b"ID,NAME\n1,ok\nx,ok\n3,much too long\n4\n5,fine\n"))
    assert cli("package", "define", definition, "-i", instance).code == 4  # there is no instance yet
    assert cli("package", "define", definition, "--create").code == 2
    assert cli("package", "define", definition, "-i", instance, "--create").code == 0
    said = cli("package", "import", package, "-i", instance, "--json")
    assert (said.code, said.json["status"]) == (3, "PartiallySucceeded")
    (run,) = said.json["entities"]
    assert (run["file_rows"], run["staged"], run["staging_errors"], run["created"], run["refused"]) == (5, 3, 2, 2, 1)
    files = {f["path"]: f["what"] for f in said.json["error_files"]}
    assert files == {
        str(tmp_path / "rows.Rows.unread.csv"): "Rows: rows that cannot be read",
        str(tmp_path / "rows.Rows.refused.csv"): "Rows: keys of rows that are refused",
    }
    unread = list(csv.DictReader(io.StringIO((tmp_path / "rows.Rows.unread.csv").read_text("utf-8-sig"))))
    assert [row["RowId"] for row in unread] == ["2", "4"]
    refused = list(csv.DictReader(io.StringIO((tmp_path / "rows.Rows.refused.csv").read_text("utf-8-sig"))))
    assert [row["ID"] for row in refused] == ["3"]
    drawn = cli("package", "import", package, "-i", instance, "--errors", tmp_path / "errors")
    assert drawn.code == 3
    assert "5 rows in the file, 2 unchanged, 1 refused, 2 not readable" in drawn.out
    assert sorted(p.name for p in (tmp_path / "errors").iterdir()) == ["rows.Rows.refused.csv", "rows.Rows.unread.csv"]


def test_stopping_at_staging(cli, groups, instance):
    said = cli("package", "import", groups, "-i", instance, "--create", "--key", "Rows=ID", "--no-execute", "--json")
    assert said.code == 0
    assert [(e["staged"], e["created"], e["not_run"]) for e in said.json["entities"]] == [(2, 0, 2)]
    done = cli("package", "execute", said.json["id"], "-i", instance, "--json")
    assert (done.code, [e["created"] for e in done.json["entities"]]) == (0, [2])
    assert cli("package", "execute", said.json["id"], "-i", instance).code == 7
    assert cli("package", "execute", "nobody", "-i", instance).code == 7


def test_without_overwriting(cli, groups, instance):
    cli("package", "import", groups, "-i", instance, "--create", "--key", "Rows=ID")
    said = cli("package", "import", groups, "-i", instance, "--no-overwrite", "--json")
    assert (said.code, said.json["entities"][0]["refused"]) == (3, 2)
    assert cli("package", "import", groups, "-i", instance, "--json").json["entities"][0]["unchanged"] == 2


def test_changes_only(cli, instance, groups, tmp_path):
    cli("package", "import", groups, "-i", instance, "--create", "--key", "Rows=ID")
    out = tmp_path / "out.zip"
    first = cli(
        "package", "export", "Rows", "-i", instance, "--project", "Nightly", "--changed-only", "-o", out, "--json"
    )
    assert [e["exported"] for e in first.json["entities"]] == [2]
    assert cli("package", "export", "-i", instance, "--project", "Nightly", "--changed-only", "-o", out).code == 4
    (tmp_path / "more.zip").write_bytes(made.simple(b"ID,NAME\n2,Changed\n3,New\n1,Retail\n"))
    assert cli("package", "import", tmp_path / "more.zip", "-i", instance).code == 0
    second = cli(
        "package",
        "export",
        "-i",
        instance,
        "--project",
        "Nightly",
        "--changed-only",
        "-o",
        out,
        "--overwrite",
        "--json",
    )
    assert [e["exported"] for e in second.json["entities"]] == [2]
    with zipfile.ZipFile(out) as archive:
        rows = list(csv.DictReader(io.StringIO(archive.read("Rows.csv").decode("utf-8-sig"))))
    assert sorted(row["ID"] for row in rows) == ["2", "3"]
    drawn = cli("package", "export", "-i", instance, "--project", "Nightly", "--changed-only", "-o", out, "--overwrite")
    assert "0 rows that changed since the last export" in drawn.out


def test_export_of_what_is_not_there(cli, groups, instance, tmp_path):
    cli("package", "import", groups, "-i", instance, "--create", "--key", "Rows=ID")
    said = cli("package", "export", "Rosw", "-i", instance, "-o", tmp_path / "o.zip", "--json")
    assert said.code == 7
    assert "Rows" in said.error["hint"]
    assert cli("package", "export", "-i", instance, "--project", "New", "-o", tmp_path / "o.zip").code == 2
    said = cli("package", "export", "Rows", "-i", instance, "--format", "exel", "-o", tmp_path / "o.zip", "--json")
    assert (said.code, said.error["where"]) == (2, "--format")
    assert (
        cli(
            "package", "export", "Rows", "-i", instance, "--project", "Asset-Major-Types", "-o", tmp_path / "o.zip"
        ).code
        == 2
    )
    assert not (tmp_path / "o.zip").exists()


def test_composite_entities(cli, instance, tmp_path):
    definition = tmp_path / "entities.json"
    definition.write_text(json.dumps({"entities": {
        "Orders with lines": {"parts": {
            "OrderEntity": {"entity": "Orders"}, "LineEntity": {"entity": "Lines", "parent": "OrderEntity", "link": {"order": "id"}},
        }},
        "Orders": {"key": "id", "columns": {"id": "text"}},
        "Lines": {"key": ["order", "line"], "columns": {"order": "text", "line": "integer"}},
    }}))  # fmt: skip
    package = tmp_path / "orders.zip"
    text = '<Document><OrderEntity id="A"><LineEntity line="1"/><LineEntity line="2"/></OrderEntity></Document>'
    package.write_bytes(
        made.package(made.entity("Orders with lines", "o.xml", (), "XML-Attribute"), files={"o.xml": text.encode()})
    )
    cli("package", "import", package, "-i", instance, "--create")
    assert cli("package", "define", definition, "-i", instance).code == 0
    refused = cli("package", "import", package, "-i", instance, "--json")
    assert refused.code == 3
    assert "never overwritten" in refused.json["error"]
    said = cli("package", "import", package, "-i", instance, "--no-overwrite", "--json")
    assert said.code == 0, said
    assert [(e["part"], e["created"]) for e in said.json["entities"]] == [("OrderEntity", 1), ("LineEntity", 2)]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("entities: {Rows: {key: ID, columns: {ID: wholenumber}}}", "entities.Rows.columns.ID.kind"),
        ("entities: {Rows: {key: ID, colums: {ID: text}}}", "entities.Rows.colums"),
        ("entities: {}", "entities"),
        ("nothing: 1", "nothing"),
        ("entities: {Rows: {key: NO, columns: {ID: text}}}", "NO"),
    ],
)
def test_definitions_that_are_wrong(cli, instance, groups, tmp_path, text, said):
    cli("package", "import", groups, "-i", instance, "--create")
    (tmp_path / "e.yaml").write_text(text)
    answer = cli("package", "define", tmp_path / "e.yaml", "-i", instance, "--json")
    assert answer.code == 2
    assert said in answer.error["message"]


def test_history_and_entities(cli, instance, groups, tmp_path):
    cli("package", "import", groups, "-i", instance, "--create", "--key", "Rows=ID")
    cli("package", "export", "Rows", "-i", instance, "-o", tmp_path / "o.zip")
    said = cli("package", "history", "-i", instance, "--json").json
    assert [(e["operation"], e["project"]) for e in said] == [("Export", "Export"), ("Import", "Asset-Major-Types")]
    assert len(cli("package", "history", "-i", instance, "--project", "Export", "--json").json) == 1
    (entity,) = cli("package", "entities", "-i", instance, "--json").json
    assert (entity["name"], entity["key"], [c["kind"] for c in entity["columns"]]) == ("Rows", ["ID"], ["text", "text"])
    assert "Rows" in cli("package", "entities", "-i", instance).out
