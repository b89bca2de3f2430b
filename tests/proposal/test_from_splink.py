"""Splink's settings as a plan: what is carried over, that it runs well, and that nothing is dropped in silence."""

import json
import re
from functools import cache
from pathlib import Path

import duckdb
import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st
from typer.testing import CliRunner

import unify
from benchmarks.score import pairwise
from unify.cli.app import app
from unify.conflation.evidence.levels import similarity
from unify.core.documents import parse_project
from unify.core.errors import SpecError
from unify.proposal.splink.carried import fewer
from unify.proposal.splink.conditions import Alike, Edits, Equal, Missing, understand

FILES = sorted((Path(__file__).parent / "splink").glob("*.json"))
FAKE = Path(__file__).parents[2] / ".." / "shared" / "data" / "fake_1000" / "fake_1000.csv"
BY_NAME = {path.stem: path for path in FILES}
EACH_FILE = pytest.mark.parametrize("path", FILES, ids=[path.stem for path in FILES])


def level(condition, label="", **more):
    return {"sql_condition": condition, "label_for_charts": label or condition, **more}


def comparison(column, *levels):
    null = level(f'"{column}_l" IS NULL OR "{column}_r" IS NULL', is_null_level=True)
    return {"output_column_name": column, "comparison_levels": [null, *levels, level("ELSE")]}


def equal(column, **more):
    return level(f'"{column}_l" = "{column}_r"', **more)


def settings(*comparisons, **more):
    return {"link_type": "dedupe_only", "unique_id_column_name": "Id", "comparisons": list(comparisons), **more}


ROWS = [{"Id": str(k), "Name": f"Ada Okafor {k}", "City": "Oslo", "Born": f"1980-01-{k + 10}"} for k in range(9)]


def converted(said, rows=ROWS, **more):
    tables = {"crm.People": rows, **more}
    sources = {}
    for entity in tables:
        source, name = entity.split(".")
        sources.setdefault(source, {})[name] = {"key": "Id"}
    return unify.suggest({"name": "people", "sources": sources}, frames=tables, splink=said)


def evidence(found):
    [rule] = found.project.conflation.rules
    return {e.field: e for e in rule.score}


def fits(path):
    """Rows with every column that a settings file names: texts of ten characters."""
    text = path.read_text(encoding="utf-8")
    columns = set(re.findall(r"\b(\w+?)_[lr]\b", text)) | {json.loads(text).get("unique_id_column_name")}
    return [{**dict.fromkeys(sorted(columns - {"id"}), "abcdefghij"), "Id": str(k)} for k in range(3)]


@cache
def of_file(path):
    """What becomes of a settings file."""
    return converted(path, fits(path))


# ── conditions ───────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("sql", "terms"),
    [
        ('"a_l" = "a_r"', (Equal("a"),)),
        ("a_r = a_l", (Equal("a"),)),
        ("`first name_l` == `first name_r`", (Equal("first name"),)),
        ('"a ""b""_l" = "a ""b""_r"', (Equal('a "b"'),)),
        ('lower("a_l") = lower("a_r")', (Equal("a"),)),
        ('CAST("a_l" AS VARCHAR) = "a_r"::text', (Equal("a"),)),
        ("strptime(a_l, '%Y') = strptime(a_r, '%Y')", (Equal("a"),)),
        ("(a_l IS NULL) OR (a_r is null)", (Missing("a"),)),
        ("(a_l IS NULL OR a_r IS NULL) AND (b_l IS NULL OR b_r IS NULL)", (Missing("a"), Missing("b"))),
        ("jaro_winkler_similarity(a_l, a_r) >= 0.9", (Alike("a", "jaro_winkler", 0.9),)),
        ("0.9 <= jaro_winkler(a_l, a_r)", (Alike("a", "jaro_winkler", 0.9),)),
        ("jaro_sim(a_l, a_r) > .8", (Alike("a", "jaro", 0.8),)),
        ("levenshtein(lower(a_l), lower(a_r)) <= 2", (Edits("a", "levenshtein", 2),)),
        ("damerau_levenshtein(a_l, a_r) < 3", (Edits("a", "damerau_levenshtein", 2),)),
        (" and ".join(["((levenshtein(a_l, a_r)) <= 1)"] * 60), (Edits("a", "levenshtein", 1),)),
        ("((a_l = a_r)) and (levenshtein(b_l, b_r) <= 1)", (Equal("a"), Edits("b", "levenshtein", 1))),
        ("(levenshtein(a_l, a_r)) <= 1 or a_l = a_r", (Edits("a", "levenshtein", 1), Equal("a"))),
    ],
)
def test_what_a_condition_asks(sql, terms):
    said = understand(sql)
    assert (said.terms, said.reason) == (terms, "")


@pytest.mark.parametrize(
    ("sql", "reason"),
    [
        ("a_l = b_r", "a of one record with b of the other"),
        ("a_l = b_r AND b_l = a_r", "a of one record with b of the other"),
        ("levenshtein(a_l, b_r) <= 1", "a of one record with b of the other"),
        ("substr(a_l, 1, 3) = substr(a_r, 1, 3)", "a part of the value"),
        ("array_length(list_intersect(a_l, a_r)) >= 1", "lists in one column"),
        ("abs(a_l - a_r) < 5", "a difference of numbers"),
        ("abs(date_diff('day', a_l, a_r)) <= 3", "a difference of dates"),
        ("a_l = 'none' and a_r = 'none'", "a certain value"),
        ("try_strptime(a_l, '%Y') IS NULL", "values that cannot be read"),
        ("a_l = a_l", "a condition of its own"),
        ("a_l != a_r", "a condition of its own"),
        ("not a_l = a_r", "a condition of its own"),
        ("levenshtein(a_l, a_r) >= 2", "a condition of its own"),
        ("jaro_winkler(a_l, a_r) <= 0.5", "a condition of its own"),
        ("jaro_winkler(a_l, a_l) >= 0.5", "a condition of its own"),
        ("a_l = a_r and", "a condition of its own"),
        ("a_l = a_r)", "a condition of its own"),
        ("a_l = 'it", "a condition of its own"),
        ("l.a = r.a", "a condition of its own"),
        ("", "a condition of its own"),
        ("(" * 3000 + "a_l = a_r" + ")" * 3000, "a condition of its own"),
    ],
)
def test_what_is_not_understood(sql, reason):
    assert understand(sql).reason == reason
    assert not understand(sql).terms


WORDS = st.sampled_from(['"a_l"', '"a_r"', "b_l", "(", ")", "=", "<=", "and", "or", "is", "null", "levenshtein", ",", "2",
                         "'x", "cast", "as", "text", "::", "é", "else"])  # fmt: skip


@given(st.lists(WORDS, max_size=25).map(" ".join) | st.text(max_size=60))
def test_no_text_breaks_it(sql):
    said = understand(sql)
    assert said.rest + bool(said.terms) + bool(said.reason) == 1


names = st.text("abcdeinorst", min_size=2, max_size=9)


@given(names, names, st.sampled_from([0.88, 0.9, 0.92, 0.95]))
@example("martha", "marhta", 0.95)
@example("robert", "roberto", 0.92)
def test_what_splink_finds_alike_is_at_the_level_that_stands_for_it(a, b, share):
    with duckdb.connect() as own:  # an answer that is not read to its end would block the connection all tests share
        sql = "SELECT jaro_winkler_similarity($1, $2), levenshtein($1, $2)"
        [(jaro_winkler, edits)] = own.execute(sql, [a, b]).fetchall()
    ours = float(similarity([a], [b], wordy=True)[0])
    assume(a != b)
    if jaro_winkler >= share:
        assert 100 * ours >= 100 * share - 10 - 1e-4
    assert ours >= 1 - edits / max(len(a), len(b)) - 1e-6


# ── what the library writes ──────────────────────────────────────────────────────────────────────────────────────────


@EACH_FILE
def test_every_level_stands_in_the_plan_or_in_the_notes(path):
    said = json.loads(path.read_text(encoding="utf-8"))
    found = of_file(path)
    plan, notes = evidence(found), "\n".join(found.notes)
    seen = set()
    for one in said["comparisons"]:
        for at in one["comparison_levels"]:
            condition = at["sql_condition"]
            same = re.fullmatch(r'(?:lower\()?"?(\w+)_l"?\)? = (?:lower\()?"?\1_r"?\)?', condition)
            alike = re.fullmatch(r'(\w+)\("(\w+)_l", "\2_r"\) >= ([\d.]+)', condition)
            edits = re.fullmatch(r'\w+\("(\w+)_l", "\1_r"\) <= (\d)', condition)
            if condition == "ELSE" or re.fullmatch(r'[("\w)\s]+IS NULL (OR|AND) [("\w)\s]+', condition):
                seen.add("rest")
            elif same:
                assert same[1] in plan
                seen.add("equal")
            elif alike and alike[1] in ("jaro_winkler_similarity", "jaro_similarity", "jaccard"):
                expected = round(100 * float(alike[3]) - (0 if alike[1] == "jaccard" else 10))
                assert expected in plan[alike[2]].levels
                seen.add("alike")
            elif edits:
                assert 100 - 10 * int(edits[2]) in plan[edits[1]].levels
                seen.add("edits")
            else:
                assert at["label_for_charts"] in notes or " ".join(condition.split())[:70] in notes, condition
                seen.add("named")
    assert {"rest", "equal", "alike", "edits"} <= seen


@EACH_FILE
def test_every_key_of_the_file_is_named(path):
    said = json.loads(path.read_text(encoding="utf-8"))
    notes = "\n".join(of_file(path).notes)
    used = {"comparisons", "link_type", "blocking_rules_to_generate_predictions"}
    if said["unique_id_column_name"].casefold() == "id":  # the key that the rows have: used
        used.add("unique_id_column_name")
    assert [key for key in said if key not in used and key not in notes] == []
    for rule in said["blocking_rules_to_generate_predictions"]:
        sql = rule["blocking_rule"] if isinstance(rule, dict) else rule
        assert sql in notes


@EACH_FILE
def test_the_text_reads_back_as_the_plan(path):
    found = of_file(path)
    assert parse_project(found.text) == found.project
    for note in found.notes:
        commented = " ".join(line.strip(" #") for line in found.text.split("\n") if line.startswith("  #"))
        assert " ".join(note.split()) in " ".join(commented.split())
    assert not unify.validate(found.project, frames={"crm.People": fits(path)}).problems


def test_three_versions_say_the_same_of_city_and_mail():
    plans = [evidence(of_file(BY_NAME[f"splink{v}_fake_1000"])) for v in "345"]
    assert plans[1] == plans[2]
    for plan in plans:
        assert plan["city"].levels == ()
        assert plan["city"].term_frequency
        assert not plan["surname"].term_frequency
        assert plan["email"].levels == (78,)


def test_probabilities_of_a_trained_model_are_told_beside():
    path = BY_NAME["splink5_fake_1000_trained"]
    [city] = [c for c in json.loads(path.read_text())["comparisons"] if c["output_column_name"] == "city"]
    m = next(at["m_probability"] for at in city["comparison_levels"] if "m_probability" in at)
    found = of_file(path)
    [note] = [n for n in found.notes if n.startswith("city: the rule learns m and u itself")]
    assert f"Exact match on city m {m:.3g}" in note
    assert evidence(found) == evidence(of_file(BY_NAME["splink5_fake_1000"]))


@pytest.mark.parametrize("version", ["3", "5"])
def test_the_plan_of_fake_1000_is_better_than_splink(version, tmp_path):
    if not FAKE.is_file():
        pytest.skip("fake_1000 is not beside the project")
    said = {"sources": {"people": {"Fake": {"files": str(FAKE.resolve()), "key": "unique_id"}}}}
    found = unify.suggest(said, splink=BY_NAME[f"splink{version}_fake_1000"])
    with unify.open(tmp_path / "i", create=True) as acme:
        acme.run(found.project)
        sql = "SELECT ordinal, cluster FROM members JOIN people_Fake ON key = CAST(unique_id AS VARCHAR)"
        rows = list(acme.sql(sql).rows())
    assert len(rows) == 1000
    assert pairwise([r["ordinal"] for r in rows], [int(r["cluster"]) for r in rows]).f1 > 0.92


# ── one thing at a time ──────────────────────────────────────────────────────────────────────────────────────────────


def test_edits_become_a_share_of_the_usual_length():
    rows = [{"Id": str(k), "Name": "x" * n} for k, n in enumerate([2, 8, 8, 30])]
    said = settings(
        comparison("Name", level("levenshtein(Name_l, Name_r) <= 1"), level("levenshtein(Name_l, Name_r) <= 9"))
    )
    for order in (rows, rows[::-1]):
        found = converted(said, order)
        assert evidence(found)["Name"].levels == (87,)
        assert any("at most 9 is not carried over" in note for note in found.notes)
        assert any(note.startswith("Name: equality is a level of its own") for note in found.notes)


@pytest.mark.parametrize("share", ["1e999", "1", "1.5", "0", "0.1", "0.105"])
def test_shares_that_are_no_level_are_named(share):
    found = converted(settings(comparison("Name", equal("Name"), level(f"jaccard(Name_l, Name_r) >= {share}"))))
    low = share.startswith("0.1")
    assert evidence(found)["Name"].levels == ((10,) if low else ())
    assert low or any("is not carried over: it is everything, or equality" in note for note in found.notes)


def test_columns_of_different_types_are_read_as_texts(tmp_path):
    (tmp_path / "a.csv").write_text("Id,Code\n1,100\n2,200\n", encoding="utf-8")
    (tmp_path / "b.csv").write_text("Id,Code\n1,100\n2,X20\n", encoding="utf-8")
    said = {"sources": {s: {"P": {"files": f"{s}.csv", "key": "Id"}} for s in ("a", "b")}}
    found = unify.suggest(said, base=tmp_path, splink=settings(comparison("Code", equal("Code"))))
    with unify.open(tmp_path / "i", create=True) as acme:
        report = acme.run(found.project, base=tmp_path)
    assert report.rules[0].name == "splink"


def test_columns_are_found_in_other_case_and_per_entity():
    other = [{"Id": str(k), "NAME": "Ada", "Place": "Oslo"} for k in range(3)]
    found = converted(
        settings(comparison("name", equal("name")), comparison("City", equal("City"))), **{"web.Users": other}
    )
    plan = evidence(found)
    assert plan["Name"].of_entity("web.Users", ["Id", "NAME", "Place"]) == ("NAME",)
    assert plan["Name"].of_entity("crm.People", ["Id", "Name", "City"]) == ("Name",)
    assert any("City: not in web.Users" in note for note in found.notes)
    assert any("dedupe_only is about one table, the project has 2" in note for note in found.notes)
    assert parse_project(found.text) == found.project


def test_link_only_implies_no_limit():
    other = [{"Id": str(k), "Name": "Ada"} for k in range(3)]
    found = converted({**settings(comparison("Name", equal("Name"))), "link_type": "link_only"}, **{"web.Users": other})
    assert found.project.conflation.limits == ()
    assert any("`limits: [{at_most_one: crm.People}]`" in note for note in found.notes)
    alone = converted({**settings(comparison("Name", equal("Name"))), "link_type": "link_only"})
    assert any("the project has one, crm.People" in note for note in alone.notes)


@pytest.mark.parametrize(
    ("more", "counts", "said"),
    [
        ({}, False, None),
        ({"tf_adjustment_column": "Name"}, True, None),
        ({"tf_adjustment_column": "name", "tf_adjustment_weight": 0.5}, True, "tf_adjustment_weight 0.5"),
        ({"tf_adjustment_column": "Name", "tf_adjustment_weight": 0.0}, False, None),
        ({"tf_adjustment_column": "Name", "tf_minimum_u_value": 0.01}, True, "tf_minimum_u_value 0.01"),
        ({"tf_adjustment_column": "Name", "disable_tf_exact_match_detection": True}, True, "disable_tf_exact_match"),
        ({"tf_adjustment_column": "City"}, False, "term frequencies of City are not carried over"),
        ({"fix_m_probability": True}, False, "fixed by the file"),
    ],
)
def test_term_frequencies_and_fixed_probabilities(more, counts, said):
    found = converted(settings(comparison("Name", equal("Name", **more))))
    assert evidence(found)["Name"].term_frequency is counts
    assert said is None or any(said in note for note in found.notes)


def test_what_only_dates_can_say_is_compared_by_edits_instead():
    days = level("abs(date_diff('day', Born_l, Born_r)) <= 9", "within 9 days")
    found = converted(settings(comparison("Born", equal("Born"), days)))
    assert evidence(found)["Born"].levels == (45, 60, 70, 80, 90)
    assert any("'within 9 days', a difference of dates" in note for note in found.notes)
    assert any("default levels of similarity instead" in note for note in found.notes)


def test_two_comparisons_of_one_column_are_one_with_at_most_five_levels():
    shares = [0.99, 0.97, 0.95, 0.92, 0.9, 0.8]
    fuzzy = [level(f"jaro_winkler(Name_l, Name_r) >= {share}") for share in shares]
    found = converted(
        settings(comparison("Name", equal("Name"), *fuzzy[:3]), comparison("Name", equal("Name"), *fuzzy[3:]))
    )
    assert evidence(found)["Name"].levels == (70, 82, 85, 87, 89)
    assert any("left out: 80 %" in note for note in found.notes)
    assert any("is one comparison here, of Name, Name (2)" in note for note in found.notes)


@given(st.sets(st.integers(1, 99).map(float), min_size=1, max_size=12))
def test_fewer_levels_keep_the_highest(levels):
    kept = fewer(levels)
    assert set(kept) <= levels
    assert list(kept) == sorted(kept)
    assert len(kept) == min(5, len(levels))
    assert kept[-1] == max(levels)


def test_more_columns_than_a_rule_compares_are_named():
    columns = [f"C{k:02}" for k in range(22)]
    rows = [{"Id": "1", **dict.fromkeys(columns, "x")}]
    found = converted(settings(*(comparison(c, equal(c)) for c in columns)), rows)
    assert list(evidence(found)) == columns[:20]
    assert any("left out: C20, C21" in note for note in found.notes)


def test_unknown_keys_are_named_with_what_was_meant():
    one = comparison("Name", equal("Name", m_probabilty=0.9))
    said = settings({**one, "levels": 3}, link_typ="x", blocking_rules_to_generate_predictions=[
        {"blocking_rule": "l.Name = r.Name", "salting": 2}])  # fmt: skip
    notes = converted(said).notes
    for name, meant in (("m_probabilty", "m_probability"), ("levels", "comparison_levels"), ("link_typ", "link_type")):
        assert any(f"{name!r} is not known" in note and meant in note for note in notes), name
    assert any("blocking rule 1: the key 'salting'" in note for note in notes)


def test_a_column_that_nobody_has_is_named():
    found = converted(settings(comparison("Name", equal("Name")), comparison("Cty", equal("Cty"))))
    assert list(evidence(found)) == ["Name"]
    assert any(n.startswith("Cty: no entity has this column") and "did you mean City?" in n for n in found.notes)


# ── what is no settings file ─────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("said", "words"),
    [
        ({}, "link_type and comparisons missing"),
        ({"sources": {}}, "no Splink settings"),
        ({"link_type": "dedupe", "comparisons": [1]}, "did you mean dedupe_only"),
        ({"link_type": ["x"], "comparisons": [1]}, "link_type"),
        ({"link_type": "dedupe_only", "comparisons": []}, "there are no comparisons"),
        ({"link_type": "dedupe_only", "comparisons": {}}, "comparisons: a list is wanted"),
        ({"link_type": "dedupe_only", "comparisons": ["x"]}, "comparisons.0: a comparison has comparison_levels"),
        (settings({"comparison_levels": [{}]}), "comparisons.0.comparison_levels.0: a level has an sql_condition"),
        (settings(comparison("Name", equal("Name", m_probability=[1]))), "m_probability: [1] is no number"),
        (settings(comparison("Name", equal("Name")), blocking_rules_to_generate_predictions=[3]), "a rule is SQL text"),
        (settings(comparison("Nam", equal("Nam"))), "did you mean Name?"),
        ({"link_type": "dedupe_only", "comparison_columns": []}, "Splink 1 or 2"),
    ],
)
def test_bad_settings_are_refused_in_words(said, words):
    with pytest.raises(SpecError) as error:
        converted(said)
    assert words in str(error.value)
    assert error.value.where


@pytest.mark.parametrize("text", ["", "[1]", "{", "name: x", '{"link_type": 1, "link_type": 2}'])
def test_a_file_that_is_none_is_refused_with_its_name(text, tmp_path):
    path = tmp_path / "s.json"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(SpecError) as error:
        converted(path)
    assert "s.json" in str(error.value)
    with pytest.raises(SpecError, match="no such file"):
        converted(tmp_path / "not.json")


def test_what_is_neither_path_nor_dict_is_refused():
    with pytest.raises(SpecError, match="create_settings_dict"):
        converted(3)


def test_labels_are_not_for_settings():
    with pytest.raises(SpecError, match="labels sharpen"):
        unify.suggest({"sources": {"a": {"B": {"key": "Id"}}}}, frames={"a.B": ROWS}, splink={}, labels=[])


# ── the command ──────────────────────────────────────────────────────────────────────────────────────────────────────


def test_the_command_writes_a_project_that_runs(tmp_path):
    (tmp_path / "p.csv").write_text("Id,Name\n1,Ada Okafor\n2,Ada Okafor\n3,Bob Stone\n", encoding="utf-8")
    (tmp_path / "p.yaml").write_text("sources: {crm: {People: {files: p.csv, key: Id}}}\n", encoding="utf-8")
    (tmp_path / "s.json").write_text(json.dumps(settings(comparison("Name", equal("Name")))), encoding="utf-8")
    out = tmp_path / "out.yaml"
    words = ["suggest", str(tmp_path / "p.yaml"), "--from-splink", str(tmp_path / "s.json")]
    done = CliRunner().invoke(app, [*words, "-o", str(out), "--json"])
    assert done.exit_code == 0, done.output
    told = json.loads(done.stdout)
    assert told["carried"] == [{"column": "Name", "comparisons": ["Name"], "levels": [], "term_frequency": False}]
    with unify.open(tmp_path / "i", create=True) as acme:
        assert acme.run(out).rules[0].name == "splink"
        assert acme.suggest(splink=tmp_path / "s.json").project.conflation == parse_project(out.read_text()).conflation
    shown = CliRunner().invoke(app, [*words, "-o", str(out), "--force", "--quiet"])
    assert "carried over from s.json: 1 comparisons" in shown.stdout
    both = CliRunner().invoke(app, [*words, "--labels", "x.csv"])
    assert both.exit_code == 2
