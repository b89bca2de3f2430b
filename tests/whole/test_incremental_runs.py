"""A run over changed sources gives exactly what a full run gives: every table, ids included, after any history."""

import random
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import incremental_worlds as worlds
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import unify
from unify.core.names import quote
from unify.core.reports import RunReport
from unify.incremental import stages
from unify.instance import Instance

MOMENTS = {"ConflationMatchPairs": "ConflationMatchPairs_ModifiedOn"}
"""Columns that hold when the run began."""
TIMED = {"seconds", "started", "peak_mib", "stages", "incremental"}


def contents(acme: Instance) -> dict[str, list[tuple[Any, ...]]]:
    """Every table and view that readers see, as sorted rows."""
    with acme.connect() as connection:
        names = connection.execute(
            "SELECT table_name FROM information_schema.tables WHERE table_schema = 'main' ORDER BY 1"
        ).fetchall()
        found = {}
        for (name,) in names:
            columns = f"* EXCLUDE ({quote(MOMENTS[name])})" if name in MOMENTS else "*"
            found[name] = connection.execute(f"SELECT {columns} FROM main.{quote(name)} ORDER BY ALL").fetchall()
    return found


def said(report: RunReport) -> dict[str, Any]:
    """What a report says, but for how long it took."""

    def plain(value: Any) -> Any:
        if isinstance(value, dict):
            return {k: plain(v) for k, v in value.items() if k not in TIMED}
        return [plain(v) for v in value] if isinstance(value, list) else value

    found: dict[str, Any] = plain(report.as_dict())
    return found


@contextmanager
def room() -> Iterator[Path]:
    memory = Path("/dev/shm")
    fits = memory.is_dir() and shutil.disk_usage(memory).free > 200 * 2**20
    with tempfile.TemporaryDirectory(prefix="unify-test-", dir=memory if fits else None) as folder:
        yield Path(folder)


def run_both(folder: Path, acme: Instance, project: Any, **options: Any) -> RunReport | None:
    """Run, and run in full on a copy of the instance; both must come to the same, or fail alike."""
    twin = Path(shutil.copytree(acme.path, folder / "twin"))
    try:
        with unify.open(twin) as other:
            whole, refused = outcome(other, project, full=True, threads=1, **options)
            report, refusal = outcome(acme, project, threads=1, **options)
            assert refusal == refused
            if report is None or whole is None:
                return None
            seen, wanted = contents(acme), contents(other)
            assert seen.keys() == wanted.keys()
            for table, rows in wanted.items():
                assert seen[table] == rows, table
            assert said(report) == said(whole)
    finally:
        shutil.rmtree(twin)
    return report


def outcome(acme: Instance, project: Any, **options: Any) -> tuple[RunReport | None, str]:
    """The report of a run, or what it was refused for."""
    try:
        return acme.run(project, **options), ""
    except unify.SpecError as error:
        return None, f"{error.where}: {error}"


def live(dice: random.Random, steps: int) -> list[RunReport]:
    """A life of an instance: the sources change, now and then the plan, now and then somebody rolls back.

    Small worlds are shaken by small changes: however many customers are touched, they alone are worked out.
    """
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(stages, "MOST", dice.choice((0.5, 1.0, 1.0)))
        patch.setattr(stages, "FEW", dice.choice((0, 0, 0, 100_000)))
        return _live(dice, steps)


def _live(dice: random.Random, steps: int) -> list[RunReport]:
    rows, project = worlds.first_rows(dice), worlds.first_plan(dice)
    reports = []
    with room() as folder, unify.open(folder / "acme", create=True) as acme:
        for _ in range(steps):
            report = run_both(folder, acme, project, frames=worlds.frames(rows, dice))
            if report is None:
                assert worlds.decide_nothing(project), "only contradictions may be refused"
            else:
                reports.append(report)
            event = dice.random()
            if event < 0.25:
                worlds.edit_plan(project, rows, dice)
            if event > 0.15:
                rows = worlds.changed_rows(rows, dice)
            if event > 0.9 and len(acme.generations()) > 1:
                acme.rollback(dice.choice(acme.generations()).number)
    return reports


@settings(max_examples=3, deadline=None, suppress_health_check=list(HealthCheck))
@given(seed=st.integers(0, 2**32))
def test_any_history(seed: int) -> None:
    live(random.Random(seed), 6)


@pytest.mark.soak
@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(seed=st.integers(0, 2**32))
def test_many_histories(seed: int) -> None:
    live(random.Random(seed), 12)
