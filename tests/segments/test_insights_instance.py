"""Insights of a whole instance: two sources that change between runs, segments in the project, drift by cause."""

import datetime as dt

import pytest

import unify
from unify.core.errors import NotFoundError, QueryError

PROJECT = {
    "name": "insights",
    "sources": {
        "crm": {"People": {"key": "Id", "columns": {"Points": "integer", "Seen": "date"}}},
        "web": {"Users": {"key": "Id"}},
    },
    "conflation": {
        "order": ["crm.People", "web.Users"],
        "match": {"web.Users -> crm.People": [{"name": "mail", "when": [{"field": "Mail"}]}]},
    },
    "segments": {
        "rich": "Points gt 100",
        "lately": {"where": {"attribute": "Seen", "within_last": "30 days"}},
        "both": "IsMemberOfSegment('rich') and IsMemberOfSegment('lately')",
        "everybody": "CustomerId ne null",
        "frozen": {"where": "Points gt 100", "static": True},
    },
}
DAY = dt.date(2026, 6, 15)
NOW = dt.datetime(2026, 6, 16, tzinfo=dt.UTC)


def people(**changed):
    rows = {
        f"p{i}": {
            "Id": f"p{i}",
            "Mail": f"p{i}@mail.example",
            "Points": 20 * i,
            "Seen": str(DAY - dt.timedelta(days=5 * i)),
        }
        for i in range(12)
    }
    for key, change in changed.items():
        rows[key] = rows[key] | change
    return list(rows.values())


def users(mail="u@mail.example"):
    return [{"Id": "u1", "Mail": mail}]


def frames(rows, web):
    import pyarrow as pa

    return {"crm.People": pa.Table.from_pylist(rows), "web.Users": pa.Table.from_pylist(web)}


def run(acme, project, rows, web, clock):
    acme.run(project, frames=frames(rows, web))
    acme.segments().refresh(clock=clock)


@pytest.fixture(scope="module")
def acme(tmp_path_factory):
    """Run 1 and its refresh 2; then in 3 p1 becomes rich, p11 poor, u1 gets p2's address; 4 is its refresh a month on;
    in 5 the rule of `rich` changes, 6 is its refresh at the same moment."""
    with unify.open(tmp_path_factory.mktemp("insights") / "acme", create=True) as acme:
        run(acme, PROJECT, people(), users(), NOW)
        after = people(p1={"Points": 500}, p11={"Points": 1})
        run(acme, PROJECT, after, users("p2@mail.example"), NOW + dt.timedelta(days=20))
        changed = {**PROJECT, "segments": {**PROJECT["segments"], "rich": "Points gt 150"}}
        run(acme, changed, after, users("p2@mail.example"), NOW + dt.timedelta(days=20))
        yield acme


def causes(found):
    return {c.cause: (c.entered, c.left) for c in found.report.causes if c.entered or c.left}


def test_data_changed(acme):
    found = acme.segment("rich").drift(2, 4)
    assert causes(found) == {"data changed": (1, 1)}
    assert found.report.notes == []
    who = {(row["CustomerId"], row["change"], row["cause"]) for row in found.customers.rows()}
    ids = [acme.customer(f"crm.People:{p}").CustomerId for p in ("p1", "p11")]
    assert who == {(ids[0], "entered", "data changed"), (ids[1], "left", "data changed")}


def test_time_alone(acme):
    """Seen at 15 June minus 5, 10, … days: 20 days later four fewer are within 30 days."""
    found = acme.segment("lately").drift(2, 4)
    assert causes(found) == {"clock moved": (0, 4)}
    assert found.report.before - found.report.left == found.report.after


def test_the_rule_changed_also_in_a_segment_that_needs_it(acme):
    assert causes(acme.segment("rich").drift(4, 6)) == {"rule changed": (0, 2)}
    assert causes(acme.segment("both").drift(4, 6)) == {}
    everything = acme.segment("rich").drift(2, 6)
    assert causes(everything) == {"data changed": (1, 1), "rule changed": (0, 2)}


def test_a_merge_is_no_exit_from_where_both_were(acme):
    """u1 was a customer of his own and became p2's: one customer less, and nobody's data did it."""
    assert causes(acme.segment("everybody").drift(2, 4)) == {"identity changed": (0, 1)}


def test_frozen_members_and_what_is_said_of_them(acme):
    found = acme.segment("frozen").drift(1, 5)
    assert causes(found) == {}
    explained = acme.segment("frozen").explain("crm.People:p11")
    assert explained.stored
    assert not explained.member
    assert "the run had them in it" in explained.notes[0]


def test_runs_in_the_wrong_order(acme):
    with pytest.raises(QueryError, match="run 4 comes after run 2"):
        acme.segment("rich").drift(4, 2)


def test_explained_membership_is_membership(acme):
    for name in ("rich", "lately", "both"):
        handle = acme.segment(name)
        for i in range(12):
            record = f"crm.People:p{i}"
            assert handle.explain(record).member == (record in handle)


def test_the_change_that_is_proposed(acme):
    why = acme.segment("both").explain("crm.People:p0")
    assert [c.change for c in why.nearest] == ["Points is 0, 150 short of 150 and has to exceed it"]
    assert why.tree.parts[0].parts[0].values[0].record == "crm.People:p0"
    assert why.nearest[0].value == 151


def test_overlap_and_differences_of_names(acme):
    found = acme.overlap(["rich", "lately"])
    rich, lately = (set(acme.segment(n).bitmap) for n in ("rich", "lately"))
    assert found.matrix == [[len(rich), len(rich & lately)], [len(rich & lately), len(lately)]]
    assert acme.overlap().sizes.keys() >= {"rich", "lately", "both", "frozen"}
    by = acme.overlap(["rich", "lately"], by="Points")
    assert sum(row.several for row in by.rows) + (by.rest.several if by.rest else 0) == len(rich & lately)
    differ = acme.segment("rich").differ("lately", attributes=["Points"])
    assert (differ.members, differ.others) == (len(rich), len(lately - rich))
    with pytest.raises(NotFoundError, match="no segment 'rihc'"):
        acme.overlap(["rihc", "lately"])
    with pytest.raises(QueryError, match="too few"):
        acme.segment("rich").similar()


def test_a_generation_that_is_gone_is_said(tmp_path):
    """Then what the clock did cannot be told from the data."""
    project = {**PROJECT, "keep": 1, "segments": {"lately": PROJECT["segments"]["lately"]}}
    with unify.open(tmp_path / "short", create=True) as short:
        run(short, project, people(), users(), NOW)
        run(short, project, people(), users(), NOW + dt.timedelta(days=20))
        found = short.segment("lately").drift(2)
        assert causes(found) == {"data changed": (0, 4)}
        assert "generation 1 is no longer kept" in found.report.notes[0]
