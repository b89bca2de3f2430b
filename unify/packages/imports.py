"""One import, from where it is to its end: plan, stage every entity, then the target in the order of the manifest."""

import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from itertools import groupby
from pathlib import Path

from ingest.packages import Package, Severity, read_package
from unify.core.errors import UnifyError
from unify.packages import history
from unify.packages.catalogue import Catalogue
from unify.packages.checks import check
from unify.packages.database import PackageDatabase
from unify.packages.errors import ProjectError
from unify.packages.history import Kept, Step
from unify.packages.kept import import_options_of
from unify.packages.nouns import EntityRun, ImportOptions, Status
from unify.packages.plan import Plan, plan, plan_of
from unify.packages.staging import CanceledError, stage
from unify.packages.target import sync, write

Told = Callable[[str], None]


def run(
    database: PackageDatabase, catalogue: Catalogue, execution: Kept, stopped: Callable[[], bool], told: Told
) -> None:
    """Run one, and say in its row how it ended. Raises what nobody can help for; it is Failed then."""
    try:
        status = _run(database, catalogue, execution, stopped, told)
    except CanceledError:
        _cancel(database, execution)
    except UnifyError as error:
        history.ended(database, execution.number, Status.FAILED, error=one_line(error, database))
    except Exception:
        history.ended(database, execution.number, Status.FAILED, error="it failed for a reason inside the product")
        raise
    else:
        history.ended(database, execution.number, status)


def one_line(error: UnifyError, database: PackageDatabase) -> str:
    """An error as a row holds it: a line, and places inside the instance."""
    return str(error).replace("\n  → ", "; ").replace(f"{database.instance}/", "")


def _run(
    database: PackageDatabase, catalogue: Catalogue, execution: Kept, stopped: Callable[[], bool], told: Told
) -> Status:
    options = import_options_of(execution.options)
    if not execution.planned:
        with _opened(database, execution) as package:
            _plan(database, catalogue, execution, package, options)
    steps = history.steps(database, execution.number)
    if any(not step.staging.ended for step in steps):
        with _opened(database, execution) as package:
            for entity, group in groupby(steps, lambda step: step.entity):
                _stage(database, execution, package, entity, list(group), stopped, told)
    if options.execute:
        _to_target(database, execution, options, stopped, told)
    return status_of([step.run for step in history.steps(database, execution.number)], execute=options.execute)


@contextmanager
def _opened(database: PackageDatabase, execution: Kept) -> Iterator[Package]:
    assert execution.package is not None
    path = database.folder_of(execution.number) / execution.package
    with read_package(Path(path)) as package:
        yield package


def _plan(
    database: PackageDatabase, catalogue: Catalogue, execution: Kept, package: Package, options: ImportOptions
) -> None:
    whole = [f for f in package.findings if f.severity is Severity.ERROR and not f.entity]
    if whole:
        raise ProjectError("; ".join(finding.message for finding in whole), where=whole[0].where)
    plans = plan(catalogue, package.manifest, package.findings, options)
    if not plans:
        raise ProjectError("the package has no entity that is switched on", where="Manifest.xml")
    findings = json.dumps([finding.as_dict() for finding in package.findings], ensure_ascii=False)
    with database.write(at_once=False) as db:
        history.planned(
            db, execution.number, [(name, one.element, one.as_dict()) for name, one in plans], findings
        )  # fmt: skip
        for place, (_, one) in enumerate(plans):
            if one.error:
                history.note(db, execution.number, place, staging=Status.FAILED, error=one.error)


def _stage(
    database: PackageDatabase,
    execution: Kept,
    package: Package,
    entity: str,
    steps: Sequence[Step],
    stopped: Callable[[], bool],
    told: Told,
) -> None:
    if all(step.staging.ended for step in steps):
        return
    told(f"stage {entity}")
    plans = [(step.place, _plan_of(step)) for step in steps]
    stage(database, execution.number, package, package.entity(entity), plans, stopped)


def _plan_of(step: Step) -> Plan:
    return plan_of({key: value for key, value in step.body.items() if key not in ("written", "given")})


# ── target ───────────────────────────────────────────────────────────────────────────────────────────────────────────


def _to_target(
    database: PackageDatabase, execution: Kept, options: ImportOptions, stopped: Callable[[], bool], told: Told
) -> None:
    """Entities in their order; the flags of one that has errors keep those behind it from running."""
    places = [step.place for step in history.steps(database, execution.number)]
    unit_stopped: dict[int, str] = {}
    level_stopped: dict[tuple[int, int], str] = {}
    all_stopped = ""
    for entity, group in groupby(places, lambda place: _step(database, execution, place).entity):
        steps = [_step(database, execution, place) for place in group]
        one = _plan_of(steps[0])
        reason = all_stopped or unit_stopped.get(one.unit, "") or level_stopped.get((one.unit, one.level), "")
        if reason:
            _skip(database, execution, steps, f"not run: {reason}")
            continue
        for step in steps:
            _write(database, execution, step.place, options, stopped, told)
        if any(_step(database, execution, step.place).run.failed for step in steps):
            said = f"{entity}, which comes before it, had errors"
            if options.fail_on_error:
                all_stopped = said
            if one.fail_unit:
                unit_stopped[one.unit] = said
            if one.fail_level:
                level_stopped[one.unit, one.level] = said


def _step(database: PackageDatabase, execution: Kept, place: int) -> Step:
    return history.steps(database, execution.number)[place]


def _skip(database: PackageDatabase, execution: Kept, steps: Sequence[Step], reason: str) -> None:
    with database.write() as db:
        for step in steps:
            history.note(db, execution.number, step.place, error=step.run.error or reason)


def _write(
    database: PackageDatabase,
    execution: Kept,
    place: int,
    options: ImportOptions,
    stopped: Callable[[], bool],
    told: Told,
) -> None:
    step = _step(database, execution, place)
    if step.run.error or step.target.ended:
        return
    told(f"write {step.entity}" + (f" ({step.part})" if step.part else ""))
    with database.write(at_once=False) as db:
        history.note(db, execution.number, place, target=Status.EXECUTING)
    if not step.checked:
        check(database, execution.number, step, options)
        step = _step(database, execution, place)
    write(database, execution, step, options, stopped)


def _cancel(database: PackageDatabase, execution: Kept) -> None:
    """What was written stays, and is counted."""
    for step in history.steps(database, execution.number):
        if step.target is Status.EXECUTING and step.checked:
            sync(database, execution, step)
        with database.write() as db:
            for name, status in (("staging", step.staging), ("target", step.target)):
                if not status.ended:
                    history.note(db, execution.number, step.place, **{name: Status.CANCELED})
    history.ended(database, execution.number, Status.CANCELED, error="it was cancelled; what was written stays")


def status_of(runs: Sequence[EntityRun], *, execute: bool) -> Status:
    """Of an import as a whole.

    Succeeded            every row of every entity arrived (with execute false: in staging)
    Failed               not one did, and something went wrong
    PartiallySucceeded   some did, or an entity had nothing wrong
    """
    if not any(run.failed for run in runs):
        return Status.SUCCEEDED
    arrived = sum(run.created + run.updated + run.unchanged if execute else run.staged for run in runs)
    return Status.PARTIALLY_SUCCEEDED if arrived or not all(run.failed for run in runs) else Status.FAILED
