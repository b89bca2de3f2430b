"""run, ingest, conflate, rollback, validate, init: on the small project and on broken ones."""

import json
from pathlib import Path

import pytest

import unify
from unify.core.documents import project_schema, read_project

SAMPLE = Path(__file__).parents[2] / "sample_data" / "project.yaml"


def test_run_reports_and_publishes(cli, tiny):
    said = cli("run", tiny, "--json")
    assert (said.code, said.err) == (0, "")
    assert said.json["clusters"]["customers"] == 4
    assert cli("status", "-i", tiny.parent / "tiny", "--json").json["customers"] == 4


def test_run_says_where_the_result_is(cli, tiny):
    said = cli("run", tiny)
    assert said.code == 0
    assert "4" in said.out
    assert f"generation 1 is published in {tiny.parent / 'tiny'}" in said.out.replace("\n", "")
    assert said.err == "", "progress is for a terminal"


@pytest.mark.parametrize(("said", "place"), [("instance: deep/er\n", "deep/er"), ("", "tiny")])
def test_instance_of_the_project_is_relative_to_its_file(cli, tiny, monkeypatch, tmp_path_factory, said, place):
    tiny.write_text(said + tiny.read_text())
    monkeypatch.chdir(tmp_path_factory.mktemp("elsewhere"))
    assert cli("run", tiny, "--json").code == 0
    assert (tiny.parent / place / "catalog.sqlite").is_file()


def test_instance_said_wins(cli, tiny, tmp_path, monkeypatch):
    monkeypatch.setenv("UNIFY_INSTANCE", str(tmp_path / "from_environment"))
    assert cli("run", tiny, "--json").code == 0
    assert cli("run", tiny, "-i", tmp_path / "said", "--json").code == 0
    assert (tmp_path / "from_environment" / "catalog.sqlite").is_file()
    assert (tmp_path / "said" / "catalog.sqlite").is_file()
    assert not (tmp_path / "tiny").exists()


def test_ingest_then_conflate_then_rollback(cli, tiny):
    instance = tiny.parent / "tiny"
    assert cli("ingest", tiny, "--json").json["clusters"] is None
    assert "Customer" not in [t["table"] for t in cli("tables", "-i", instance, "--json").json]
    assert cli("conflate", "-i", instance, "--json").json["clusters"]["customers"] == 4
    other_plan = tiny.read_text().replace("field: EMail, normalize: [lower]", "field: EMail")
    tiny.write_text(other_plan)
    assert cli("conflate", tiny, "--json").json["clusters"]["customers"] == 5
    assert [g["generation"] for g in cli("generations", "-i", instance, "--json").json] == [3, 2, 1]
    back = cli("rollback", "2", "-i", instance, "--json").json
    assert (back["generation"], back["current"]) == (2, True)
    assert cli("status", "-i", instance, "--json").json["customers"] == 4
    gone = cli("rollback", "9", "-i", instance, "--json")
    assert (gone.code, gone.error["hint"]) == (4, "kept are 3, 2, 1")


def test_conflate_without_an_instance(cli, tiny):
    said = cli("conflate", tiny, "--json")
    assert (said.code, said.error["error"]) == (4, "InstanceNotFoundError")
    assert not (tiny.parent / "tiny").exists(), "conflate makes no instance"


def test_options_reach_the_engine(cli, tiny):
    assert cli("run", tiny, "--memory-limit", "512MB", "--threads", "1", "--wait", "1", "-q", "--json").code == 0
    wrong = cli("run", tiny, "--memory-limit", "much", "--json")
    assert wrong.code not in (0, 1), wrong.err
    assert cli("run", tiny, "--threads", "0").code == 2
    assert cli("run", tiny, "--wait", "-1").code == 2


def test_too_little_memory_is_no_bug(cli, tiny):
    said = cli("run", tiny, "--memory-limit", "4MB", "--json")
    assert (said.code, said.error["error"]) == (4, "StoreError")
    assert "out of memory" in said.error["message"]
    assert "memory_limit" in said.error["hint"]


def _broken(text, tiny):
    tiny.write_text(text)
    return tiny


def test_exit_codes_of_a_run(cli, tiny, tmp_path):
    whole = tiny.read_text()
    assert cli("run", tmp_path / "nothing.yaml", "--json").code == 2
    assert cli("run", _broken("sources: {", tiny), "--json").code == 2
    assert cli("run", _broken(whole.replace("key: LoyaltyId", "key: Loyalty"), tiny), "--json").code == 3
    assert cli("run", _broken(whole.replace("members.csv", "membres.csv"), tiny), "--json").code == 3
    spoilt = whole.replace("field: EMail", "field: Emial")
    said = cli("run", _broken(spoilt, tiny), "--json")
    assert (said.code, said.out) == (2, "")
    assert "EMail" in said.error["message"] + said.error["hint"]
    refuse = whole.replace("  match:", "  max_pairs: 1\n  max_shared: 2\n  overload: refuse\n  match:").replace(
        "{field: EMail, normalize: [lower]}", "{field: FullName, precision: 50}"
    )
    over = cli("run", _broken(refuse, tiny), "--json")
    assert (over.code, over.error["error"]) == (6, "OverloadError")
    (tmp_path / "file").write_text("")
    assert cli("run", _broken(whole, tiny), "-i", tmp_path / "file", "--json").code == 4


class TestValidate:
    """Everything wrong at once, without an instance."""

    def test_the_sample_is_fine(self, cli):
        said = cli("validate", SAMPLE, "--json")
        assert said.code == 0
        assert said.json["ok"]
        assert said.json["problems"] == []
        project = read_project(SAMPLE)
        named = [r.name for p in project.conflation.match for r in p.rules]
        assert [r["name"] for r in said.json["rules"] if r["kind"] == "match"] == named
        assert set(said.json["columns"]) == set(project.entities)

    def test_rules_are_sentences(self, cli, tiny):
        out = " ".join(cli("validate", tiny).out.split())
        assert "match loyalty.Members -> crm.Contacts, 'e-mail': EMail is equal, after: lower" in out
        assert out.endswith("fine")
        assert not (tiny.parent / "tiny").exists()

    def test_all_problems_in_one_round(self, cli, tiny):
        text = tiny.read_text().replace("field: EMail, normalize: [lower]", "field: Emial, normalize: [{bypass: nix}]")
        text = text.replace("key: ContactId}", "key: ContactId, where: [{column: Agee, operator: is_null}]}")
        text += "resolution: {Nothing: {from: crm.Contacts.Nix}}\nlists: {l: {kind: bypass, files: absent.csv}}\n"
        tiny.write_text(text)
        said = cli("validate", tiny, "--json")
        assert said.code == 2
        assert not said.json["ok"]
        problems = "\n".join(said.json["problems"])
        for word in ("'Emial'", "did you mean EMail", "no list 'nix'", "Agee", "Nix", "absent.csv"):
            assert word in problems, word
        assert said.json["problems"] == list(dict.fromkeys(said.json["problems"]))

    def test_mistakes_in_the_file_have_lines(self, cli, tiny):
        tiny.write_text(tiny.read_text().replace("name: tiny", "nmae: tiny").replace("order:", "ordr:"))
        said = cli("validate", tiny, "--json")
        assert said.code == 2
        assert any(p.startswith("line 1: ") and "did you mean name" in p for p in said.json["problems"])
        assert any("conflation.order: is missing" in p for p in said.json["problems"])

    def test_what_only_a_run_would_find_is_found(self, cli, tiny):
        tiny.write_text(tiny.read_text() + "clusters: {Home: {rules: [{name: street, when: [{field: Street}]}]}}\n")
        said = cli("validate", tiny, "--json")
        assert said.code == 2
        assert "Street" in "\n".join(said.json["problems"])

    def test_entities_from_python(self, cli, tiny):
        import pyarrow as pa

        text = tiny.read_text().replace("files: members.csv, ", "")
        tiny.write_text(text)
        said = cli("validate", tiny, "--json")
        assert (said.code, said.json["problems"]) == (0, [])
        assert "loyalty.Members has no files" in said.json["warnings"][0]
        frame = pa.table({"LoyaltyId": ["L-1"], "FullName": ["x"], "EMail": ["y"]})
        seen = unify.validate(tiny, frames={"loyalty.Members": frame})
        assert seen.ok
        assert [r.name for r in seen.rules if r.kind == "match"] == ["e-mail"]
        assert not unify.validate(tiny, frames={"loyalty.Members": frame.drop_columns(["EMail"])}).ok

    def test_schema(self, cli):
        assert cli("validate", "--schema").json == project_schema()
        assert cli("validate", "--json").code == 2

    def test_a_dict_in_python(self):
        report = unify.validate({"sources": {"crm": {"Contacts": {"kee": "x"}}}})
        assert not report.ok
        assert any("unknown key; did you mean key" in p for p in report.problems)


class TestInit:
    """A first project that works."""

    def test_template_is_a_project(self, cli, tmp_path):
        said = cli("init", tmp_path / "new", "--json")
        assert said.json["path"] == str(tmp_path / "new" / "project.yaml")
        assert read_project(tmp_path / "new" / "project.yaml").conflation is not None

    def test_never_overwrites_without_force(self, cli, tiny):
        before = tiny.read_text()
        said = cli("init", tiny.parent, "--json")
        assert (said.code, said.error["hint"]) == (4, "--force replaces it")
        assert tiny.read_text() == before
        assert cli("init", tiny.parent, "--force").code == 0
        assert tiny.read_text() != before

    def test_from_files_validates_and_runs(self, cli, tiny):
        tiny.unlink()
        folder = tiny.parent
        said = cli("init", folder, "--from", folder / "contacts.csv", folder / "members.csv", "--json")
        assert said.json["entities"] == ["files.Contacts", "files.Members"]
        assert said.json["order"] == ["files.Contacts", "files.Members"]
        project = read_project(folder / "project.yaml")
        assert [e.key for e in project.entities.values()] == ["ContactId", "LoyaltyId"]
        assert project.entities["files.Contacts"].files == ("contacts.csv",)
        assert "#   EMail: Identity.Service.Email" in tiny.read_text()
        assert cli("validate", tiny, "--json").code == 0
        assert cli("run", tiny, "--json").json["clusters"]["customers"] == 4

    def test_from_the_sample_finds_the_people(self, cli, tmp_path):
        files = sorted(p for p in (SAMPLE.parent / "output").glob("*/*") if p.suffix in (".csv", ".jsonl"))
        said = cli("init", tmp_path, "--from", *files, "--json")
        assert said.json["order"] == ["crm.Contacts", "loyalty.Members", "web.Signups"]
        project = read_project(tmp_path / "project.yaml")
        keys = {name: entity.key for name, entity in project.entities.items()}
        assert keys == {
            "crm.Contacts": "ContactId",
            "loyalty.Members": "LoyaltyId",
            "pos.Purchases": "PurchaseId",
            "web.Orders": "OrderId",
            "web.Reviews": "ReviewId",
            "web.Signups": "UserId",
        }
        assert project.entities["web.Orders"].type == "unspecified"
        assert unify.validate(tmp_path / "project.yaml").ok

    def test_awkward_names(self, cli, tmp_path):
        odd = tmp_path / "2024: exports, [all]"
        odd.mkdir()
        (odd / "1 people #new.csv").write_text(
            '"id: #",e-mail,"full, name"\n1,a@b.example,Ann Bo\n2,c@d.example,Cy Do\n'
        )
        said = cli("init", tmp_path, "--from", odd / "1 people #new.csv", "--json")
        assert said.code == 0, said.err
        assert unify.validate(tmp_path / "project.yaml").problems == []

    def test_files_that_are_not_there(self, cli, tmp_path):
        said = cli("init", tmp_path, "--from", tmp_path / "no.csv", "--json")
        assert (said.code, said.error["error"]) == (3, "SourceError")
        assert not (tmp_path / "project.yaml").exists()

    def test_text_names_the_next_move(self, cli, tmp_path):
        out = cli("init", tmp_path).out
        assert "unify validate" in out.replace("\n", " ")


def test_a_json_project_works_too(cli, tiny):
    import yaml

    other = tiny.with_suffix(".json")
    other.write_text(json.dumps(yaml.safe_load(tiny.read_text())))
    tiny.unlink()
    assert cli("run", other, "--json").json["clusters"]["customers"] == 4
