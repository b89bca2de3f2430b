"""How right ours is and what it costs, on every data set, with one `suggest` and one `run` and nothing else said.

    python -m benchmarks quality --json
    python -m benchmarks quality --only messy --records 1000000

No labels, no settings, no code per data set: the project names files and keys, `suggest` writes the plan, `run` obeys
it. Both happen in one fresh process; `seconds` is that process from its start to the answer, imports included,
`peak_mib` the largest memory it had.
"""

import json
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from benchmarks import child, sets
from benchmarks.scoring import scored
from benchmarks.sets import DataSet

TIMEOUT = 3_600.0
"""Seconds after which a run of ours counts as not finished."""
ROOT = Path(__file__).parents[1]
OURS = (sys.executable, "-m", "benchmarks.ours")


def measure(
    only: Sequence[str] = (),
    data: Path = sets.DATA,
    *,
    records: int | None = None,
    seed: int = 7,
    timeout: float = TIMEOUT,
) -> dict[str, Any]:
    """{data set: figures}. Without `only`: the public sets, and `messy` too when `records` says how large.

    A set on which ours fails has `failed` instead of scores. ValueError for an unknown set, FileNotFoundError without
    the publisher's files.
    """
    return dict(
        _measured(chosen(only, records), data, sets.MESSY_RECORDS if records is None else records, seed, timeout)
    )


def chosen(only: Sequence[str], records: int | None) -> tuple[str, ...]:
    """The sets asked for. ValueError for a name that is none."""
    known = (*sets.PUBLIC, sets.MESSY)
    unknown = [name for name in only if name not in known]
    if unknown:
        raise ValueError(f"there is no data set {unknown[0]!r}: {', '.join(known)}")
    return tuple(only) or (*sets.PUBLIC, *((sets.MESSY,) if records is not None else ()))


def _measured(
    names: Sequence[str], data: Path, records: int, seed: int, timeout: float
) -> Iterator[tuple[str, dict[str, Any]]]:
    for name in names:
        with sets.prepared(name, data, records=records, seed=seed) as prepared:
            yield name, ours(prepared, timeout)


def ours(data: DataSet, timeout: float = TIMEOUT) -> dict[str, Any]:
    """Figures of ours on one prepared set, measured in a process of its own."""
    with tempfile.TemporaryDirectory(prefix="ours-") as work:
        job = {"set": data.name, "folder": str(data.folder), "project": data.bare_project(), "work": work}
        outcome = child.run(OURS, job, timeout=timeout, cwd=ROOT, environment={})
        if not outcome.answers:
            return {"failed": outcome.failure}
        answer = outcome.answers[0]
        found = scored(data, Path(answer["clusters"]))
        plan = json.loads((Path(work) / "plan.json").read_text())
    stages = answer["stages"]
    return {
        **{name: found[name] for name in ("precision", "recall", "f1", "b3")},
        "seconds": answer["seconds"],
        "peak_mib": round(outcome.peak_mib, 1),
        "suggest_seconds": stages["suggest"],
        "run_seconds": stages["run"],
        "suggest_peak_mib": answer["suggest_peak_mib"],
        **{name: found[name] for name in found if name not in ("precision", "recall", "f1", "b3")},
        **{
            name: answer[name]
            for name in ("rows_quarantined", "links", "candidates", "warnings", "run_stages", "versions")
        },
        "rules": _rules(plan),
    }


def _rules(plan: dict[str, Any]) -> list[str]:
    """Names of the plan's rules, each once, in the order of the plan."""
    specs = [spec.get("rules", ()) for spec in plan.get("dedupe", {}).values()]
    specs += [plan.get("rules", ()), *(pair["rules"] for pair in plan.get("match", ()))]
    return list(dict.fromkeys(rule["name"] for rules in specs for rule in rules))
