"""Birth dates that one system writes so and another so."""

import datetime as dt

import duckdb
import pytest

import unify

BORN = [dt.date(1950, 1, 1) + dt.timedelta(days=97 * i) for i in range(150)]


def systems(tmp_path, spelled, spoilt=""):
    """A project of two entities: ISO dates in one, `spelled` in the other, where `spoilt` may stand in one row."""
    first, last = ["Ada", "Ben", "Cleo", "Dan", "Eve"], ["Okafor", "Silva", "Tanaka", "Ullmann", "Vance", "Weiss"]
    people = [(f"{first[i % 5]}", f"{last[i % 6]}{'abcde'[i % 5]}{i}", born) for i, born in enumerate(BORN)]
    for name, key, spell in (("one", "A", "%Y-%m-%d"), ("two", "B", spelled)):
        lines = [f"{key}{i},{a},{b},{born.strftime(spell)}" for i, (a, b, born) in enumerate(people)]
        if name == "two" and spoilt:
            lines[7] = f"B7,{people[7][0]},{people[7][1]},{spoilt}"
        (tmp_path / f"{name}.csv").write_text("\n".join(["Id,FirstName,LastName,DateOfBirth", *lines]) + "\n")
    return {
        "name": "two_systems",
        "sources": {
            "one": {"People": {"files": "one.csv", "key": "Id"}},
            "two": {"People": {"files": "two.csv", "key": "Id"}},
        },
    }


@pytest.mark.parametrize(("spelled", "format_"), [("%d.%m.%Y", "dd.MM.yyyy"), ("%d/%m/%Y", "d/M/yyyy")])
def test_dates_of_both_systems_are_compared_as_dates(tmp_path, spelled, format_):
    found = unify.suggest(systems(tmp_path, spelled), base=tmp_path)
    [born] = [a for a in found.attributes if a.name == "DateOfBirth"]
    assert set(born.columns) == {"one.People", "two.People"}
    declared = found.project.entity("two.People").columns["DateOfBirth"]
    assert (declared.type, declared.format) == ("date", (format_,))
    with unify.open(tmp_path / "i", create=True) as acme:
        acme.run(found.project, base=tmp_path)
        assert acme.sql("SELECT typeof(DateOfBirth) AS t FROM two_People LIMIT 1").rows()[0]["t"] == "DATE"
        assert acme.sql("SELECT count(*) AS n FROM Customer").rows()[0]["n"] == len(BORN)


def test_a_value_that_is_no_date_keeps_the_column_text_and_out_of_the_comparison(tmp_path):
    found = unify.suggest(systems(tmp_path, "%d.%m.%Y", spoilt="31.02.1970"), base=tmp_path)
    assert "DateOfBirth" not in [a.name for a in found.attributes]
    assert "declare its type" in found.left_out["two.People.DateOfBirth"]
    assert found.left_out["one.People.DateOfBirth"] == "no other entity has it"
    with unify.open(tmp_path / "i", create=True) as acme:
        report = acme.run(found.project, base=tmp_path)
        assert [e.rows_quarantined for e in report.entities] == [0, 0]


def test_dates_that_were_read_are_those_that_duckdb_reads(tmp_path):
    found = unify.suggest(systems(tmp_path, "%d.%m.%Y"), base=tmp_path)
    with unify.open(tmp_path / "i", create=True) as acme:
        acme.run(found.project, base=tmp_path)
        ours = [r["DateOfBirth"] for r in acme.sql('SELECT DateOfBirth FROM two_People ORDER BY "Id"').rows()]
    sql = f"SELECT try_strptime(DateOfBirth, '%d.%m.%Y')::DATE FROM read_csv('{tmp_path / 'two.csv'}', all_varchar = true) ORDER BY Id"
    assert ours == [row[0] for row in duckdb.sql(sql).fetchall()]
