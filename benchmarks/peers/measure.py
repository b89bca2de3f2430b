"""Ours beside its peers: the same data, the same machine, turn by turn, each run in a fresh process.

    python -m benchmarks peers --json
    python -m benchmarks peers --only messy --records 1000000 --peer splink --growth 5000000

In every round ours runs, then each peer. A peer that cannot be installed, fails, or has no answer in `timeout` seconds
is a row that says so. Seconds and memory are medians over the rounds; scores are those of the first round.
"""

import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import median
from typing import Any

from benchmarks import child, quality, sets
from benchmarks.peers import environment
from benchmarks.peers.tables import tables, truth
from benchmarks.scoring import scored
from benchmarks.sets import DataSet

TIMEOUT = 900.0
"""Seconds a peer has for one set."""
SHOWN_LABELS = ("dedupe", "custmatch")
"""Peers that learn from labelled pairs; the others never see where the truth lies."""
SLOW = {"dedupe": ("fake_1000",)}
"""Peers that need minutes for a few thousand records run on these sets, on others when asked for by name."""
OURS = "ours"
Row = dict[str, Any]


def measure(
    only: Sequence[str] = (),
    peers: Sequence[str] = (),
    data: Path = sets.DATA,
    *,
    records: int | None = None,
    seed: int = 7,
    timeout: float = TIMEOUT,
    rounds: int = 1,
    growth: int | None = None,
) -> dict[str, Any]:
    """{data set: {records, true_pairs, rows}}, each row one tool with its scores, threshold, seconds, memory, versions.

    growth  ours once more, on `messy` with so many records: its rows stand under `messy_growth`
    ValueError for an unknown set or peer, FileNotFoundError without the publisher's files.
    """
    unknown = [peer for peer in peers if peer not in environment.PEERS]
    if unknown:
        raise ValueError(f"there is no peer {unknown[0]!r}: {', '.join(environment.PEERS)}")
    if growth is not None and growth < 1:
        raise ValueError(f"--growth {growth}: at least 1 record")
    if rounds < 1:
        raise ValueError(f"--rounds {rounds}: at least 1")
    found = {}
    for name in quality.chosen(only, records):
        with sets.prepared(
            name, data, records=sets.MESSY_RECORDS if records is None else records, seed=seed
        ) as prepared:
            found[name] = beside(prepared, _who(name, peers), timeout, rounds)
    if growth is not None:
        found["messy_growth"] = _growth(found.get(sets.MESSY), growth, seed)
    return found


def _who(name: str, peers: Sequence[str]) -> list[str]:
    return [p for p in environment.PEERS if p in peers or (not peers and name in SLOW.get(p, (name,)))]


def beside(data: DataSet, peers: Sequence[str], timeout: float, rounds: int = 1) -> dict[str, Any]:
    """All rows of one prepared set, ours first."""
    turns: dict[str, list[list[Row]]] = {tool: [] for tool in (OURS, *peers)}
    with tempfile.TemporaryDirectory(prefix="tables-") as folder, tempfile.TemporaryDirectory(prefix="shown-") as apart:
        given = {"set": data.name, "across": data.across, "tables": tables(data, Path(folder))}
        shown = truth(data, Path(apart) / "truth.csv")
        for _ in range(rounds):
            for tool, so_far in turns.items():
                if tool == OURS:
                    so_far.append([_ours(data)])
                else:
                    job = {**given, "truth": shown if tool in SHOWN_LABELS else None}
                    so_far.append(_peer(tool, data, job, timeout))
    rows = [row for tool in turns for row in _over_rounds(turns[tool])]
    counts = next((row for row in rows if "true_pairs" in row), {})
    return {
        "records": data.records, "true_pairs": counts.get("true_pairs"),
        "metric": "pairs across the files" if data.across else "all pairs",
        "rows": [{k: v for k, v in row.items() if k not in ("records", "true_pairs")} for row in rows],
    }  # fmt: skip


def _ours(data: DataSet) -> Row:
    found = quality.ours(data)
    if "failed" in found:
        return {"tool": OURS, "failed": found["failed"]}
    stages = {"suggest": found["suggest_seconds"], "run": found["run_seconds"]}
    kept = (
        "precision",
        "recall",
        "f1",
        "b3",
        "seconds",
        "peak_mib",
        "customers",
        "true_pairs",
        "candidates",
        "versions",
    )
    return {"tool": OURS, "threshold": None, "labels": 0, **{k: found[k] for k in kept}, "stages": stages}


def _peer(peer: str, data: DataSet, job: Mapping[str, Any], timeout: float) -> list[Row]:
    """The documented row, and the best of the peer's other thresholds if it is another one."""
    try:
        python = environment.python_of(peer)
    except environment.NotInstalledError as error:
        return [{"tool": peer, "failed": f"not installed: {error}"}]
    script = environment.HERE / peer / "run.py"
    with tempfile.TemporaryDirectory(prefix=f"{peer}-") as work:
        outcome = child.run(
            [str(python), str(script)], {**job, "work": work}, timeout=timeout, cwd=Path(work), environment={}
        )
        if not outcome.answers:
            return [{"tool": peer, "failed": outcome.failure}]
        rows = [_row(peer, answer, data) for answer in outcome.answers]
    documented = rows[0] | {"peak_mib": round(outcome.peak_mib, 1)}
    best = max(rows, key=lambda row: float(row["f1"]))
    if best is rows[0] or best["f1"] <= documented["f1"]:
        return [documented]
    kept = ("precision", "recall", "f1", "b3", "customers", "threshold", "labels")
    return [documented, {"tool": peer, "tuned_on_the_truth": True, **{k: best[k] for k in kept}}]


def _row(peer: str, answer: Mapping[str, Any], data: DataSet) -> Row:
    found = scored(data, Path(answer["clusters"]))
    kept = ("precision", "recall", "f1", "b3", "customers", "true_pairs")
    said = {k: v for k, v in answer.items() if k not in ("clusters", "own_peak_mib")}
    return {"tool": peer, **{k: found[k] for k in kept}, **said}


def _over_rounds(turns: Sequence[Sequence[Row]]) -> list[Row]:
    """The first round's rows; seconds, memory and stages as medians, and every round's seconds beside them."""
    rows = [dict(row) for row in turns[0]]
    done = [turn[0] for turn in turns if "seconds" in turn[0]]
    if len(turns) > 1 and "seconds" in rows[0]:
        rows[0]["all_seconds"] = [turn["seconds"] for turn in done]
        for name in ("seconds", "peak_mib"):
            rows[0][name] = median(turn[name] for turn in done)
        rows[0]["stages"] = {s: median(turn["stages"].get(s, 0.0) for turn in done) for s in rows[0]["stages"]}
        if len(done) < len(turns):
            rows[0]["failed_rounds"] = len(turns) - len(done)
    return rows


def _growth(base: Mapping[str, Any] | None, records: int, seed: int) -> dict[str, Any]:
    with sets.prepared(sets.MESSY, records=records, seed=seed) as prepared:
        row = _ours(prepared)
    grown: dict[str, Any] = {"records": records, "metric": "all pairs", "rows": [row]}
    before = base["rows"][0] if base else {}
    if base and "seconds" in row and "seconds" in before:
        grown["times_the_records"] = round(records / base["records"], 2)
        grown["times_the_seconds"] = round(row["seconds"] / before["seconds"], 2)
    return grown


HEADS = ("tool", "precision", "recall", "f1", "b3", "threshold", "labels", "seconds", "stages", "peak MiB", "versions")


def shown(found: Mapping[str, Any]) -> str:
    """One Markdown table per data set."""
    return "\n\n".join(_table(name, of) for name, of in found.items())


def _table(name: str, of: Mapping[str, Any]) -> str:
    counted = f"{of['records']:,} records"
    counted += f", {of['true_pairs']:,} true pairs" if of.get("true_pairs") else ""
    lines = [
        f"{name}: {counted}, scored over {of['metric']}",
        "",
        f"| {' | '.join(HEADS)} |",
        "|---" * len(HEADS) + "|",
    ]
    lines += [f"| {' | '.join(_cells(row))} |" for row in of["rows"]]
    if "times_the_seconds" in of:
        lines += ["", f"{of['times_the_records']:g} times the records take {of['times_the_seconds']:g} times as long"]
    return "\n".join(lines)


def _cells(row: Row) -> list[str]:
    tool = row["tool"] + (", tuned on the truth" if row.get("tuned_on_the_truth") else "")
    if "failed" in row:
        return [tool, str(row["failed"]).replace("|", "/"), *[""] * (len(HEADS) - 2)]
    scores = [f"{row[name]:.4f}" for name in ("precision", "recall", "f1", "b3")]
    threshold = "" if row.get("threshold") is None else f"{row['threshold']:g}"
    seconds = f"{row['seconds']:.1f}" if "seconds" in row and not row.get("tuned_on_the_truth") else ""
    stages = ", ".join(f"{stage} {spent:.1f}" for stage, spent in row.get("stages", {}).items() if stage != "start")
    peak = f"{row['peak_mib']:,.0f}" if "peak_mib" in row else ""
    versions = ", ".join(f"{what} {version}" for what, version in row.get("versions", {}).items())
    return [tool, *scores, threshold, f"{row.get('labels', 0):,}", seconds, stages, peak, versions]
