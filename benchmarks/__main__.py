"""python -m benchmarks <what>: one measurement, printed for people or, with --json, as one JSON document.

contoso    the publisher's sample files, clean and dirty: precision, recall, f1, seconds
pipeline   generated customers, whole run and stages: seconds, peak_mib, rows, links, customers, f1
quality    ours on every data set, no labels, one suggest and one run: precision, recall, f1, b3, seconds, peak_mib
peers      ours beside Splink, recordlinkage, dedupe, custmatch, GoldenMatch: one table per data set
messy      only write the messy records of five systems, and say where
oasis      the published test cases of OData: positive_passed, positive_total, negative_accepted, left_out
segments   fifty segments over generated customers: refresh_s, preview_s, overlap_50x50_ms, membership_us, open_s,
           peak_mib
incremental  a run over changed files against a full run: seconds and stages of both, ratio; tables compared
resolve    records held against generated customers: open_s, held_mib, brief_ms, why_ms (median, p99)
service    the query service under load: noop_rps, membership_rps, lookup_rps, page_rps, their p99 and ratios; swaps,
           swap_failures, mixed_generations; memory of workers
dataverse  rows of Dataverse tables, without HTTP: create_multiple, point reads, and a run that takes them in
packages   a data package of generated rows: seconds, rows_per_s, peak_mib of write, read, import
generate   only write the generated customers, and say where
"""

import argparse
import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from benchmarks import contoso, generate, oasis, sets


def main(arguments: Sequence[str] | None = None) -> int:
    """Exit code 0, or 2 with one line on stderr when the measurement cannot be made."""
    options = _parser().parse_args(arguments)
    try:
        found = options.measure(options)
    except (FileNotFoundError, ValueError) as error:
        print(f"benchmarks: {error}", file=sys.stderr)
        return 2
    print(json.dumps(found, indent=2) if options.json else options.show(found))
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description="Measure quality, time and memory.")
    commands = parser.add_subparsers(required=True, metavar="what")
    common = argparse.ArgumentParser(add_help=False)
    common.add_argument("--json", action="store_true", help="print one JSON document and nothing else")
    common.set_defaults(show=_shown)
    sized = argparse.ArgumentParser(add_help=False)
    sized.add_argument("--records", type=int, default=100_000, help="how many records (default 100000)")
    sized.add_argument("--seed", type=int, default=7, help="another seed, other customers (default 7)")
    command = commands.add_parser("contoso", parents=[common], help="the publisher's sample files")
    command.add_argument(
        "--data", type=Path, default=contoso.DATA, help="folder with Contact.csv, Customer-Loyalty.csv"
    )
    command.set_defaults(measure=_contoso)
    command = commands.add_parser("pipeline", parents=[common, sized], help="generated customers, files to Customer")
    command.set_defaults(measure=_pipeline)
    command = commands.add_parser("quality", parents=[common], help="ours on every data set: how right, how fast")
    _sets(command)
    command.set_defaults(measure=_quality)
    command = commands.add_parser("peers", parents=[common], help="ours beside its peers, in one run")
    _sets(command)
    command.add_argument("--peer", action="append", default=[], metavar="NAME", help="this peer; may stand again")
    command.add_argument("--timeout", type=float, default=900, help="seconds a peer has for one set (default 900)")
    command.add_argument("--rounds", type=int, default=1, help="turns of each; seconds are medians (default 1)")
    command.add_argument("--growth", type=int, metavar="N", help="ours on N records of `messy` too, without peers")
    command.set_defaults(measure=_peers, show=_peers_shown)
    command = commands.add_parser("messy", parents=[common, sized], help="write the messy records of five systems")
    command.set_defaults(measure=_messy)
    command = commands.add_parser("generate", parents=[common, sized], help="write the generated customers")
    command.set_defaults(measure=_generate)
    command = commands.add_parser("incremental", parents=[common, sized], help="a run over changed files, and in full")
    command.add_argument("--change", type=float, default=0.01, help="share of the records that change (default 0.01)")
    command.set_defaults(measure=_incremental)
    command = commands.add_parser("resolve", parents=[common, sized], help="records held against generated customers")
    command.set_defaults(measure=_resolve)
    command = commands.add_parser("service", parents=[common], help="the query service under load, two cores")
    command.add_argument("--records", type=int, default=1_000_000, help="customers (default 1000000)")
    command.add_argument("--seed", type=int, default=7, help="another seed, other customers (default 7)")
    command.add_argument("--seconds", type=float, default=3.0, help="of each route in each round (default 3)")
    command.add_argument("--rounds", type=int, default=5, help="medians are over so many (default 5)")
    command.add_argument("--swaps", type=int, default=1000, help="generations that change under load (default 1000)")
    command.set_defaults(measure=_service)
    command = commands.add_parser("dataverse", parents=[common, sized], help="rows of Dataverse tables, without HTTP")
    command.add_argument("--seconds", type=float, default=3.0, help="of writing and of reading, each (default 3)")
    command.set_defaults(measure=_dataverse)
    command = commands.add_parser("packages", parents=[common], help="a data package written, read, imported")
    command.add_argument("--rows", type=int, default=1_000_000, help="how many (default 1000000)")
    command.add_argument(
        "--format", default="CSV", help="source format: CSV, CSV-Unicode, XML-Element, … (default CSV)"
    )
    command.add_argument("--seed", type=int, default=7, help="another seed, other rows (default 7)")
    command.set_defaults(measure=_packages)
    command = commands.add_parser("oasis", parents=[common], help="the published test cases of OData")
    command.add_argument("--data", type=Path, default=oasis.DATA, help="folder with the two odata-*-testcases.yaml")
    command.set_defaults(measure=_oasis)
    command = commands.add_parser("segments", parents=[common], help="fifty segments over generated customers")
    command.add_argument("--customers", type=int, default=100_000, help="how many (default 100000)")
    command.add_argument("--seed", type=int, default=7, help="another seed, other customers (default 7)")
    command.set_defaults(measure=_segments)
    return parser


def _sets(command: argparse.ArgumentParser) -> None:
    command.add_argument("--only", action="append", default=[], metavar="SET", help="this data set; may stand again")
    command.add_argument("--data", type=Path, default=sets.DATA, help="folder with the publishers' files")
    command.add_argument("--records", type=int, help="the generated set `messy` too, with so many records")
    command.add_argument("--seed", type=int, default=7, help="another seed, other records of `messy` (default 7)")


def _contoso(options: argparse.Namespace) -> dict[str, Any]:
    from benchmarks.run import run_project

    return {kind: contoso.measure(kind, run_project, options.data) for kind in contoso.RULES}


def _pipeline(options: argparse.Namespace) -> dict[str, Any]:
    from benchmarks import pipeline

    return dict(pipeline.measure(generate.customers(options.records, seed=options.seed)))


def _quality(options: argparse.Namespace) -> dict[str, Any]:
    from benchmarks import quality

    return quality.measure(options.only, options.data, records=options.records, seed=options.seed)


def _peers(options: argparse.Namespace) -> dict[str, Any]:
    from benchmarks.peers import measure

    return measure.measure(
        options.only, options.peer, options.data, records=options.records, seed=options.seed,
        timeout=options.timeout, rounds=options.rounds, growth=options.growth,
    )  # fmt: skip


def _peers_shown(found: Mapping[str, Any]) -> str:
    from benchmarks.peers import measure

    return measure.shown(found)


def _messy(options: argparse.Namespace) -> dict[str, Any]:
    from benchmarks import messy

    made = messy.customers(options.records, seed=options.seed)
    counts = {"records": made.records, "people": made.people, "true_pairs": made.true_pairs}
    return {"files": str(made.files), "truth": str(made.truth), **counts}


def _incremental(options: argparse.Namespace) -> dict[str, Any]:
    from benchmarks import incremental

    return incremental.measure(generate.customers(options.records, seed=options.seed), options.change, options.seed)


def _resolve(options: argparse.Namespace) -> dict[str, Any]:
    from benchmarks import resolve

    return resolve.measure(generate.customers(options.records, seed=options.seed), options.seed)


def _generate(options: argparse.Namespace) -> dict[str, Any]:
    made = generate.customers(options.records, seed=options.seed)
    return {"folder": str(made.folder), "records": made.records, "people": made.people, "true_pairs": made.true_pairs}


def _segments(options: argparse.Namespace) -> dict[str, Any]:
    from benchmarks import segments

    return segments.measure(options.customers, options.seed)


def _service(options: argparse.Namespace) -> dict[str, Any]:
    from benchmarks import service

    if options.records < 1000:
        raise ValueError("the routes need 1000 customers at least")
    return service.measure(
        options.records, options.seed, seconds=options.seconds, rounds=options.rounds, swaps=options.swaps
    )


def _dataverse(options: argparse.Namespace) -> dict[str, Any]:
    from benchmarks import dataverse

    return dataverse.measure(options.records, options.seed, options.seconds)


def _packages(options: argparse.Namespace) -> dict[str, Any]:
    from benchmarks import packages

    if options.rows < 1:
        raise ValueError("a package of at least one row is measured")
    if options.format not in packages.FORMATS:
        raise ValueError(f"formats are {', '.join(packages.FORMATS)}")
    return packages.measure(options.rows, options.format, options.seed)


def _oasis(options: argparse.Namespace) -> dict[str, Any]:
    return oasis.measure(options.data)


def _shown(found: Mapping[str, Any]) -> str:
    return "\n".join(_lines(found))


def _lines(found: Mapping[str, Any], indent: str = "") -> list[str]:
    """`name  value` per line, nested ones indented below their name."""
    width = max((len(name) for name in found), default=0)
    lines = []
    for name, value in found.items():
        if isinstance(value, Mapping):
            lines += [f"{indent}{name}", *_lines(value, indent + "  ")]
        else:
            shown = (
                f"{value:.6g}" if isinstance(value, float) else f"{value:,}" if isinstance(value, int) else str(value)
            )
            lines.append(f"{indent}{name:<{width}}  {shown}")
    return lines


if __name__ == "__main__":
    sys.exit(main())
