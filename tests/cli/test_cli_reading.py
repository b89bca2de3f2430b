"""Reading commands on the sample: drawn for people, one JSON document for programs, the same facts in both."""

import csv
import io
import json

import pytest

import unify

READING = [
    ("status",),
    ("runs",),
    ("runs", "--limit", "1"),
    ("report",),
    ("report", "1"),
    ("tables",),
    ("generations",),
    ("profile",),
    ("profile", "web.Reviews"),
    ("labels",),
    ("labels", "crm.Contacts"),
    ("explain", "C-1001"),
    ("query", "SELECT count(*) AS n FROM Customer"),
    ("doctor",),
]


@pytest.mark.parametrize("args", READING, ids=" ".join)
def test_every_reading_command_prints_one_json_document(cli, sample, args):
    said = cli(*args, "--instance", sample, "--json")
    assert (said.code, said.err) == (0, "")
    assert said.json


@pytest.mark.parametrize("args", READING, ids=" ".join)
def test_every_reading_command_prints_text_without_colour_into_a_pipe(cli, sample, args):
    said = cli(*args, "-i", sample)
    assert (said.code, said.err) == (0, "")
    assert said.out.strip()
    assert "\x1b" not in said.out


def test_json_is_what_python_says(cli, sample):
    with unify.open(sample) as acme:
        assert cli("status", "-i", sample, "--json").json == acme.status().as_dict()
        assert cli("report", "-i", sample, "--json").json == json.loads(json.dumps(acme.report().as_dict()))
        assert {t["table"]: t["rows"] for t in cli("tables", "-i", sample, "--json").json} == acme.tables()
        assert cli("explain", "C-1001", "-i", sample, "--json").json == acme.explain("C-1001").as_dict()


def test_report_names_every_rule_and_customers(cli, sample):
    said = cli("report", "-i", sample).out
    found = cli("report", "-i", sample, "--json").json
    assert found["rules"]
    for rule in found["rules"]:
        assert rule["name"] in said
    assert f"{found['clusters']['customers']:,}" in said


def test_report_as_a_page(cli, sample, tmp_path):
    target = tmp_path / "report.html"
    said = cli("report", "--html", target, "-i", sample, "--json")
    assert said.json == {"run": 1, "html": str(target), "bytes": target.stat().st_size}
    page = target.read_text(encoding="utf-8")
    assert page.lower().startswith("<!doctype html>")
    with unify.open(sample) as acme:
        merges = [m for m in _merges(acme) if m in page]
    assert len(merges) >= 3, "a few merges are shown"
    assert cli("report", "--html", "-", "-i", sample).out.strip() == page.strip()


def _merges(acme):
    """Keys of records in customers of two or more entities, one of each customer."""
    rows = acme.sql(
        "SELECT min(key) AS key FROM members GROUP BY CustomerId HAVING count(DISTINCT entity) > 1 ORDER BY key"
    ).rows()
    return [row["key"] for row in rows]


def test_a_page_and_json_cannot_share_stdout(cli, sample):
    said = cli("report", "--html", "-", "--json", "-i", sample)
    assert said.code == 2
    assert "stdout" in said.error["message"]


def test_explain_a_pair(cli, sample):
    with unify.open(sample) as acme:
        row = acme.sql(
            "SELECT l.key AS a, r.key AS b FROM members l JOIN members r ON l.CustomerId = r.CustomerId "
            "WHERE l.entity = 'crm.Contacts' AND r.entity = 'loyalty.Members' ORDER BY ALL LIMIT 1"
        ).rows()[0]
    same = cli("explain", row["a"], row["b"], "-i", sample, "--json").json
    assert same["kind"] == "same"
    assert same["path"]
    assert same["summary"] in cli("explain", row["a"], row["b"], "-i", sample).out.replace("\n", " ")


class TestQuery:
    """One SELECT, four ways to print it."""

    SQL = "SELECT entity, count(*) AS records FROM records GROUP BY entity ORDER BY entity"

    def test_formats_agree(self, cli, sample):
        with unify.open(sample) as acme:
            wanted = acme.sql(self.SQL).rows()
        assert cli("query", self.SQL, "-i", sample, "--json").json == wanted
        assert cli("query", self.SQL, "-i", sample, "-f", "json").json == wanted
        lines = cli("query", self.SQL, "-i", sample, "-f", "jsonl").out.splitlines()
        assert [json.loads(line) for line in lines] == wanted
        read = csv.DictReader(io.StringIO(cli("query", self.SQL, "-i", sample, "-f", "csv").out))
        assert [{**row, "records": int(row["records"])} for row in read] == wanted
        table = cli("query", self.SQL, "-i", sample).out
        for row in wanted:
            assert row["entity"] in table
        assert "3 rows" in table

    def test_limit_and_its_caption(self, cli, sample):
        sql = "SELECT * FROM range(1234)"
        assert "the first 50 of 1,234 rows" in cli("query", sql, "-i", sample).out
        assert "the first 2 of 1,234 rows" in cli("query", sql, "-i", sample, "--limit", "2").out
        assert len(cli("query", sql, "-i", sample, "--json").json) == 1234
        assert cli("query", sql, "-i", sample, "--json", "--limit", "0").json == []

    def test_columns_of_one_name_stay_apart(self, cli, sample):
        assert cli("query", "SELECT 1 AS a, 2 AS a", "-i", sample, "--json").json == [{"a": 1, "a_1": 2}]

    def test_values_that_json_does_not_know(self, cli, sample):
        sql = (
            "SELECT DATE '2024-02-29' AS d, 1.50::DECIMAL(9,2) AS m, 'nan'::DOUBLE AS n, [1, NULL] AS l, "
            "{'x': DATE '2024-01-01'} AS s, 'ab'::BLOB AS b, INTERVAL 90 MINUTE AS i, TIME '12:30' AS t, "
            "uuid_nil AS u FROM (SELECT '00000000-0000-0000-0000-000000000000'::UUID AS uuid_nil)"
        )
        [row] = cli("query", sql, "-i", sample, "--json").json
        assert (row["d"], row["m"], row["n"], row["l"], row["s"]) == (
            "2024-02-29",
            "1.50",
            "nan",
            [1, None],
            {"x": "2024-01-01"},
        )
        assert (row["b"], row["t"], row["u"]) == ("6162", "12:30:00", "00000000-0000-0000-0000-000000000000")
        for form in ("table", "csv", "jsonl"):
            assert cli("query", sql, "-i", sample, "-f", form).code == 0

    def test_a_terminal_never_obeys_the_data(self, cli, sample):
        out = cli("query", "SELECT chr(27) || '[31mred [bold]x[/bold]' AS v", "-i", sample).out
        assert "\x1b" not in out
        assert r"\x1b[31mred [bold]x[/bold]" in out

    @pytest.mark.parametrize(
        "sql", ["DROP TABLE Customer", "SELECT 1; SELECT 2", "SELEC 1", "FROM nothing", "FROM read_csv('/etc/passwd')"]
    )
    def test_anything_but_a_select_over_the_tables_is_refused(self, cli, sample, sql):
        said = cli("query", sql, "-i", sample, "--json")
        assert (said.code, said.out, said.error["error"]) == (7, "", "QueryError")


def test_export_writes_what_the_table_holds(cli, sample, tmp_path):
    target = tmp_path / "customers.csv"
    done = cli("export", "Customer", target, "-i", sample, "--json")
    with target.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert done.json == {"path": str(target), "format": "csv", "rows": len(rows), "bytes": target.stat().st_size}
    with unify.open(sample) as acme:
        assert len(rows) == len(acme.customers())
    assert cli("export", "Customer", target, "-i", sample).code == 4
    assert cli("export", "Customer", target, "-i", sample, "--overwrite").code == 0
    wrong = cli("export", "Customr", target, "-i", sample, "--overwrite")
    assert wrong.code == 7
    assert "Customer" in wrong.err
    assert cli("export", "Customer", tmp_path / "x.xls", "-i", sample).code == 2


def test_export_neutralises_unless_told_not_to(cli, sample, tmp_path):
    sql = "SELECT '=1+1' AS formula"
    safe, raw = tmp_path / "safe.csv", tmp_path / "raw.csv"
    assert cli("export", sql, safe, "-i", sample).code == 0
    assert cli("export", sql, raw, "-i", sample, "--no-neutralise").code == 0
    assert "'=1+1" in safe.read_text()
    assert "'" not in raw.read_text()


def test_labels_show_what_is_declared(cli, sample):
    found = cli("labels", "crm.Contacts", "-i", sample, "--json").json
    mail = next(row for row in found if row["column"] == "EMail")
    assert (mail["label"], mail["declared"]) == ("Identity.Service.Email", "Identity.Service.Email")


def test_unknown_names_name_the_nearest(cli, sample):
    assert "crm.Contacts" in cli("profile", "crm.Contact", "-i", sample).err
    assert "crm.Contacts" in cli("labels", "crm.Contact", "-i", sample).err
    assert cli("explain", "X-0", "-i", sample).code == 7


class TestWhichInstance:
    """--instance, UNIFY_INSTANCE, the current directory, its project file: in this order."""

    def test_said_before_environment(self, cli, sample, tmp_path, monkeypatch):
        monkeypatch.setenv("UNIFY_INSTANCE", str(tmp_path / "nowhere"))
        assert cli("status", "-i", sample).code == 0
        assert cli("status").code == 4

    def test_environment(self, cli, sample, tmp_path, monkeypatch):
        monkeypatch.chdir(tmp_path)
        monkeypatch.setenv("UNIFY_INSTANCE", str(sample))
        assert cli("status", "--json").json["path"] == str(sample)

    def test_current_directory(self, cli, sample, monkeypatch):
        monkeypatch.chdir(sample)
        assert cli("status", "--json").json["path"] == str(sample)

    def test_project_file_here(self, cli, tiny, monkeypatch):
        monkeypatch.chdir(tiny.parent)
        before = cli("status", "--json")
        assert before.code == 4
        assert "unify run project.yaml" in before.error["hint"]
        assert cli("run", "project.yaml", "--json").code == 0
        assert cli("status", "--json").json["path"] == str(tiny.parent / "tiny")

    def test_two_project_files_are_not_guessed_between(self, cli, tiny, monkeypatch):
        monkeypatch.chdir(tiny.parent)
        (tiny.parent / "project.json").write_text("{}")
        said = cli("status", "--json")
        assert said.code == 4
        assert "project.yaml and project.json" in said.error["message"]

    def test_none(self, cli, tmp_path, monkeypatch):
        monkeypatch.chdir(tmp_path)
        said = cli("status", "--json")
        assert (said.code, said.error["error"]) == (4, "InstanceNotFoundError")
        assert "--instance" in said.error["hint"]
