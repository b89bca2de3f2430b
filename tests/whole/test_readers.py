"""Readers in other processes while builds are published: whole answers, never an error, never back in time."""

import json
import time
from pathlib import Path

import crash_harness as harness
import pytest
import whole_jobs as jobs

import unify
from unify.core.errors import StoreError

TOGETHER = """
SELECT
    (SELECT count(*) FROM Customer) AS customers,
    (SELECT count(DISTINCT CustomerId) FROM members) AS of_members,
    (SELECT count(*) FROM customer_ids WHERE retired_run IS NULL) AS active,
    (SELECT count(*) FROM customer_sources) AS sources,
    (SELECT count(*) FROM records) AS records,
    (SELECT count(*) FROM crm_Contacts) + (SELECT count(*) FROM loyalty_Members) AS rows,
    (SELECT sum(rows_kept) FROM entities) AS kept,
    (SELECT sum(Points) FROM loyalty_Members) AS points,
    (SELECT max(greatest(founded_run, coalesce(retired_run, 0))) FROM customer_ids) AS run"""


def look(acme: "unify.instance.Instance") -> int:
    """One question over many tables, then several questions; the generation that answered."""
    [row] = acme.sql(TOGETHER).rows()
    assert row["customers"] == row["of_members"] == row["active"] == row["sources"], row
    assert row["records"] == row["rows"] == row["kept"], row
    with acme.connect() as cursor:  # several questions on one generation
        first = cursor.execute(TOGETHER).fetchall()
        for _ in range(3):
            customers = cursor.execute("SELECT count(*) FROM Customer").fetchall()
            assert customers == cursor.execute("SELECT count(DISTINCT CustomerId) FROM members").fetchall()
            assert cursor.execute(TOGETHER).fetchall() == first
    return int(row["run"])


def read_until(root: str, last: int, out: str, reopen: bool) -> None:
    """Ask all a user asks, again and again, until generation `last` answers."""
    seen: list[int] = []
    acme = unify.open(Path(root) / "acme")
    while not seen or seen[-1] < last:
        if reopen:
            acme.close()
            acme = unify.open(Path(root) / "acme")
        published = acme.published().number
        seen.append(look(acme))
        assert published <= seen[-1], "went back in time"
        assert acme.status().published is not None
        assert {"Customer", "members"} <= set(acme.tables())
        assert acme.report().clusters is not None
        assert acme.customers().columns[0] == "CustomerId"
    assert seen == sorted(seen)
    record = acme.table("members").rows()[-1]["key"]
    assert acme.explain(record).records
    acme.close()
    Path(out).write_text(json.dumps(seen))


@pytest.mark.parametrize(("first", "last"), [(3, 7), pytest.param(3, 40, marks=pytest.mark.soak)])
def test_readers_see_whole_generations(root: Path, first: int, last: int) -> None:
    """Two readers, one that stays and one that opens anew, while day after day is built with keep: 3."""
    readers = [
        harness.start(read_until, str(root), last, str(root / f"seen-{reopen}"), reopen) for reopen in (False, True)
    ]
    harness.finished(jobs.build_days, str(root), first, last)
    assert [harness.end(reader) for reader in readers] == [0, 0]
    for reopen in (False, True):
        seen = json.loads((root / f"seen-{reopen}").read_text())
        assert seen[-1] == last
        assert len(set(seen)) > 1, "no reader saw two generations"
    harness.assert_tidy(root / "acme")


def keep_one(root: Path) -> None:
    path = root / "project.yaml"
    path.write_text(path.read_text().replace("keep: 3", "keep: 1"))


def test_what_was_opened_before_keeps_answering(root: Path) -> None:
    """A connection taken from generation 2 answers from it although keep is 1 and four builds are published."""
    keep_one(root)
    with unify.open(root / "acme") as acme:
        old, pin = acme.store.pin_published()
        cursor = acme.connect()
        count = cursor.execute("SELECT count(*), sum(hash(CustomerId)) FROM Customer").fetchall()
        pending = cursor.execute("SELECT CustomerId FROM Customer ORDER BY 1")
        first = pending.fetchone()
        harness.finished(jobs.build_days, str(root), 3, 6)
        assert old.path.exists(), "the generation was pinned"
        rest = pending.fetchall()
        assert len(rest) + 1 == count[0][0]
        assert first is not None
        assert first[0] < rest[0][0]
        assert cursor.execute("SELECT count(*), sum(hash(CustomerId)) FROM Customer").fetchall() == count
        assert look(acme) == 6  # the instance moves on between two questions; the connection is the user's own
        assert cursor.execute("SELECT count(*), sum(hash(CustomerId)) FROM Customer").fetchall() == count
        harness.finished(jobs.build_days, str(root), 7, 8)
        assert cursor.execute("SELECT count(*), sum(hash(CustomerId)) FROM Customer").fetchall() == count
        pin.close()
        harness.finished(jobs.run, str(root))
        assert not old.path.exists(), "nobody needs it any more"
        assert cursor.execute("SELECT count(*), sum(hash(CustomerId)) FROM Customer").fetchall() == count
        cursor.close()
    harness.finished(jobs.run, str(root))
    harness.assert_tidy(root / "acme")


def test_answers_outlive_the_generation_they_come_from(root: Path) -> None:
    keep_one(root)
    with unify.open(root / "acme") as acme:
        before = acme.customers()
        relation = before.relation()
        rows = len(before)
        harness.finished(jobs.build_days, str(root), 3, 4)
        assert look(acme) == 4
        assert len(before.df()) == len(before.pl()) == rows == len(relation.fetchall())


def test_rollback_is_seen_by_readers(root: Path) -> None:
    with unify.open(root / "acme") as reader, unify.open(root / "acme") as writer:
        two = reader.customers().arrow()
        writer.rollback(1)
        one = reader.customers().arrow()
        assert reader.published().number == 1
        assert not one.equals(two)
        writer.rollback(2)
        assert reader.customers().arrow().equals(two)
        with pytest.raises(StoreError, match="2, 1"):
            writer.rollback(77)


def test_two_writers(root: Path) -> None:
    """The second is told who is writing, at once; or it waits."""
    with harness.halted_at("publish.before_commit", jobs.run, str(root)) as pid, unify.open(root / "acme") as acme:
        started = time.monotonic()
        with pytest.raises(unify.core.errors.LeaseHeldError, match=str(pid)):
            acme.run(root / "project.yaml")
        assert time.monotonic() - started < 5
        holder = acme.status().writer
        assert holder is not None
        assert holder.pid == pid
        assert look(acme) == 2
    with unify.open(root / "acme") as acme:
        assert look(acme) == 3
        acme.run(root / "project.yaml", wait=30)
        assert acme.published().number == 4
