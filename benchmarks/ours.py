"""Ours, as a measured script: one `suggest` on a project that only names files and keys, then one `run`.

    python -m benchmarks.ours < job.json

Job and answer are those of benchmarks/peers/protocol.py: ours is measured by the code that measures peers.
"""

import json
from pathlib import Path
from typing import Any

from benchmarks.memory import peak_mib
from benchmarks.peers.protocol import Talk


def main() -> None:
    """Read the job, answer it."""
    talk = Talk()
    import duckdb

    import unify

    base = Path(talk.job["folder"])
    talk.stage("start")
    with unify.open(talk.work / "instance", create=True) as acme:
        project = acme.suggest(talk.job["project"], base=base).project
        talk.stage("suggest")
        suggest_peak = round(peak_mib(), 1)
        report = acme.run(project, base=base)
        talk.stage("run")
        published = acme.status().published
    if published is None:
        raise AssertionError("the run ended without an error and published nothing")
    out = talk.place()
    with duckdb.connect(str(published.path), read_only=True) as connection:
        members = "SELECT entity || '|' || key AS record, ordinal AS cluster FROM members ORDER BY rid"
        connection.execute(f"COPY ({members}) TO '{out}' (HEADER)")
    plan: dict[str, Any] = project.model_dump(mode="json", exclude_defaults=True).get("conflation", {})
    (talk.work / "plan.json").write_text(json.dumps(plan, indent=1))
    talk.stage("write")
    talk.answer(
        str(out),
        None,
        labels=0,
        suggest_peak_mib=suggest_peak,
        run_stages={s.stage: s.seconds for s in report.stages},
        links=sum(r.links for r in report.rules),
        candidates=sum(r.candidates for r in report.rules),
        rows_quarantined=sum(e.rows_quarantined for e in report.entities),
        warnings=len(report.warnings),
        versions={"unify": unify.__version__, "duckdb": duckdb.__version__},
    )


if __name__ == "__main__":
    main()
