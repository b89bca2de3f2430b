"""What `make demo` runs: the whole job on the sample, twice, and what came of it in plain words.

    python -m sample_data.demo [FOLDER]        default: demo, in the current folder

makes  FOLDER/instance       the instance: every table of docs/tables.md, to be asked further
       FOLDER/report.html    the run report as one page

Only these two are ever replaced; anything else in FOLDER stays.
"""

import argparse
import csv
import shutil
import sys
import textwrap
from collections import Counter
from collections.abc import Iterable, Iterator
from itertools import groupby
from pathlib import Path
from typing import Any

import yaml
from rich.console import Console
from rich.table import Table
from rich.text import Text

import unify
from benchmarks import score
from sample_data.generate import TRAPS
from unify.core.explanations import Explanation
from unify.core.reports import EntityReport, RunReport
from unify.instance import Instance

SAMPLE = Path(__file__).parent
WIDTH = 80
"""Columns: what a terminal has that nobody made wider, and what a README shows without scrolling."""
BAR = 40
"""Characters of the longest bar."""
OURS = ("instance", "report.html")
"""What this demo makes in its folder, and all that it may remove."""
SHOWN = {"why": ("nicknames", 0), "values": ("moved", 0), "why not": ("bridge", 0)}
"""What is shown in detail: a trap of docs/sample-data.md and which of its cases."""


def main(arguments: list[str] | None = None) -> int:
    """Run the demo; returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m sample_data.demo", description="The whole job on the sample.")
    parser.add_argument("folder", nargs="?", default="demo", type=Path, help="where the instance goes (default: demo)")
    folder: Path = parser.parse_args(arguments).folder
    try:
        demo(folder, Console(width=WIDTH, highlight=False, markup=False))
    except unify.UnifyError as error:
        print(error, file=sys.stderr)
        return 1
    return 0


def demo(folder: Path, console: Console) -> None:
    """Run the sample project twice in `folder` and tell what happened. UnifyError when something of ours is in use."""
    _clear(folder)
    with unify.open(folder / "instance", create=True) as acme:
        console.print(_wrapped(INTRODUCTION))
        first = acme.run(SAMPLE / "project.yaml")
        _rows(console, acme, first)
        _customers(console, first)
        _rules(console, first)
        _details(console, acme)
        _truth(console, acme)
        _segments(console, acme)
        page = _page(acme, folder)
        _again(console, acme)
        _further(console, folder, page)


INTRODUCTION = """\
An invented shop has three lists of customers: contacts in its CRM, members of its loyalty programme, sign-ups in its \
web shop; and purchases, orders and reviews. Nobody can tell who is who. sample_data/project.yaml says where the files \
are and which records are one person. This is `unify run sample_data/project.yaml`, told step by step."""


def _clear(folder: Path) -> None:
    """Remove what an earlier demo made. UnifyError when `instance` is something else, or somebody is writing to it."""
    instance = folder / "instance"
    if instance.exists() and not _is_ours(instance):
        raise unify.UnifyError("this is not the demo's, or in use", where=str(instance), hint="name another folder")
    for name in OURS:
        path = folder / name
        shutil.rmtree(path) if path.is_dir() else path.unlink(missing_ok=True)
    folder.mkdir(parents=True, exist_ok=True)


def _is_ours(path: Path) -> bool:
    """Whether nothing is lost with this instance: it holds the sample, or nothing yet, and nobody is writing."""
    try:
        with unify.open(path) as instance:
            status = instance.status()
            return status.writer is None and (status.published is None or instance.project().name == "sample")
    except unify.UnifyError:
        return False


def _rows(console: Console, acme: Instance, report: RunReport) -> None:
    _title(console, "Rows in: every one is kept, or set aside with a reason")
    table = _table("entity", ">rows in", ">kept", ">quarantined")
    for entity in report.entities:
        table.add_row(entity.entity, *_numbers(entity.rows_in, entity.rows_kept, entity.rows_quarantined))
    table.add_section()
    totals = [sum(getattr(e, f) for e in report.entities) for f in ("rows_in", "rows_kept", "rows_quarantined")]
    table.add_row("together", *_numbers(*totals))
    console.print(table)
    console.print(_wrapped("Quarantined: " + ", ".join(f"{n} × {reason}" for reason, n in _reasons(report.entities))))
    [bad] = acme.sql(
        'SELECT file, line, "column", value, reason FROM crm_Contacts_corrupt WHERE "column" = $column '
        "ORDER BY line LIMIT 1",
        {"column": "DateOfBirth"},
    ).rows()
    console.print(
        _wrapped(
            f"For example {bad['file']}, line {bad['line']}: {bad['column']} {bad['value']!r} is {bad['reason']}. "
            "All of them are in the tables <Source>_<Entity>_corrupt, with the row as it was written."
        )
    )


def _reasons(entities: Iterable[EntityReport]) -> list[tuple[str, int]]:
    total: Counter[str] = Counter()
    for entity in entities:
        total.update(entity.reasons)
    return sorted(total.items(), key=lambda item: (-item[1], item[0]))


def _customers(console: Console, report: RunReport) -> None:
    clusters = report.clusters
    assert clusters is not None, "the sample's project has a conflation plan"
    _title(console, f"{clusters.records:,} records are {clusters.customers:,} customers")
    most = max(clusters.histogram.values())
    for size, customers in sorted(clusters.histogram.items()):
        bar = "█" * max(1, round(BAR * customers / most))
        console.print(f"  {size} record{'s' if size > 1 else ' '}  {bar} {customers:,}")
    if clusters.cuts:
        cuts = ", ".join(f"{n} × {limit}" for limit, n in sorted(clusters.cuts.items()))
        console.print(_wrapped(f"Links that would have joined what must stay apart, and were cut: {cuts}."))


def _rules(console: Console, report: RunReport) -> None:
    _title(console, "What each rule was good for")
    table = _table("rule, over all pairs of entities", ">compared", ">links", ">only this rule")
    for kind in ("dedupe", "match"):
        rules = [r for r in report.rules if r.kind == kind]
        for name in dict.fromkeys(r.name for r in rules):
            same = [r for r in rules if r.name == name]
            sums = (sum(getattr(r, f) for r in same) for f in ("candidates", "links", "yields"))
            table.add_row(f"{kind}: {name}", *_numbers(*sums))
        table.add_section()
    console.print(table)
    console.print(
        _wrapped(
            "Compared are pairs of records that agree in the rule's exact conditions. The last column counts records "
            "that no other rule linked to anything: what would be lost without it."
        )
    )


def _details(console: Console, acme: Instance) -> None:
    traps = {t["name"]: t["cases"] for t in yaml.safe_load((SAMPLE / TRAPS).read_text(encoding="utf-8"))}
    cases = {shown: traps[trap][case] for shown, (trap, case) in SHOWN.items()}

    _title(console, "Why are two records one customer?")
    _explained(console, acme.explain(*_records(cases["why"])[:2]))

    _title(console, "Where does each value of a customer come from?")
    _values(console, acme.explain(_records(cases["values"])[0]))

    _title(console, "Why are two records not one customer?")
    _explained(console, acme.explain(*_apart(cases["why not"])))


def _records(case: dict[str, Any]) -> list[str]:
    """The records of a case's first customer, as `explain` takes them."""
    return [f"{entity}:{key}" for entity, key in case["expect"]["groups"][0]]


def _apart(case: dict[str, Any]) -> list[str]:
    """The first record of each of a case's customers."""
    return [f"{entity}:{key}" for (entity, key), *_ in case["expect"]["groups"]][:2]


def _explained(console: Console, explanation: Explanation) -> None:
    for line in explanation.lines():
        console.print(_wrapped(line, hang=2))


def _values(console: Console, explanation: Explanation) -> None:
    console.print(_wrapped(explanation.summary))
    table = _table("column", "value", "from")
    for how, values in groupby(explanation.values, key=lambda value: value.how.partition(",")[0]):
        table.add_section()
        table.add_row(Text(how, "italic"))
        for value in values:
            table.add_row(f"  {value.column}", str(value.value), value.record)
            for record, other in value.others.items():
                table.add_row("", Text(f"not {other}", "dim"), Text(record, "dim"))
    console.print(table)


def _truth(console: Console, acme: Instance) -> None:
    _title(console, "Was it right?")
    with (SAMPLE / "output" / "truth.csv").open(encoding="utf-8", newline="") as file:
        person = {(f"{r['source']}.{r['entity']}", r["key"]): r["person"] for r in csv.DictReader(file)}
    rows = acme.sql("SELECT entity, key, CustomerId FROM members ORDER BY rid").rows()
    judged = [r for r in rows if (r["entity"], r["key"]) in person]
    found = score.pairwise([r["CustomerId"] for r in judged], [person[r["entity"], r["key"]] for r in judged])
    console.print(
        _wrapped(
            f"The generator wrote down who is who. Of {found.true:,.0f} pairs of records that are one person the rules "
            f"found {found.both:,.0f}; {found.found - found.both:,.0f} pairs are wrong. What was missed changed mail, "
            "phone and address at once; docs/sample-data.md has the whole list of traps. The rules were written for "
            "these traps: your data will have others."
        )
    )


def _segments(console: Console, acme: Instance) -> None:
    _title(console, "What is a customer worth, and who is in which segment?")
    spend, revenue = acme.measure("TotalSpend"), acme.measure("Revenue").value()
    card = acme.sql("SELECT CustomerId, FullName FROM Customer JOIN Customer_Measure USING (CustomerId) "
                    "ORDER BY TotalSpend DESC NULLS LAST, CustomerId LIMIT 1").rows()[0]  # fmt: skip
    console.print(
        _wrapped(
            f"Measures: online revenue {revenue:,}; most of it from {card['FullName']}, "
            f"{spend.value(card['CustomerId']):,}. Columns, tables and figures like these are docs/measures.md."
        )
    )
    table = _table("segment", ">members", "who")
    for info in acme.segments():
        table.add_row(info.name, *_numbers(info.members or 0), acme.segments().definition(info.name).description or "")
    console.print(table)
    held = acme.segment("big_spenders")
    console.print(f"Is {card['FullName']} in big_spenders? {'yes' if card['CustomerId'] in held else 'no'}")
    _explained(console, held.explain(card["CustomerId"]))


def _again(console: Console, acme: Instance) -> None:
    again = acme.run(SAMPLE / "project.yaml")
    changes = again.changes
    assert changes is not None
    _title(console, "The same run once more")
    console.print(
        _wrapped(
            f"Customers created: {changes.created}, merged: {changes.merged}, split: {changes.split}, retired: "
            f"{changes.retired}; unchanged: {changes.unchanged:,}. CustomerIds are remembered, not made anew: "
            f"docs/customer-id.md says what may change them. This run took {again.seconds:.1f} seconds; until its last "
            f"step readers saw generation {changes.previous}, from then on generation {again.generation}."
        )
    )


def _page(acme: Instance, folder: Path) -> Path:
    path = folder / "report.html"
    path.write_text(acme.page(), encoding="utf-8")
    return path


def _further(console: Console, folder: Path, page: Path) -> None:
    _title(console, "Look further")
    console.print(f"The first run as a page for your browser: {page}\n", soft_wrap=True)
    command, there = _command(), f"-i {folder / 'instance'}"
    console.print(f"{command} explain C-1541 {there}", soft_wrap=True)
    console.print(f"{command} query {there} 'SELECT * FROM Customer LIMIT 5'", soft_wrap=True)
    console.print(f"{command} --help", soft_wrap=True)


def _command() -> str:
    """How to call `unify` from here: the script beside this Python, as short as it can be said."""
    script = Path(sys.executable).with_name("unify")
    if not script.exists():
        return "python -m unify"
    return str(script.relative_to(Path.cwd())) if script.is_relative_to(Path.cwd()) else str(script)


def _title(console: Console, text: str) -> None:
    console.print()
    console.rule(Text(text, "bold"), align="left", characters="─")


def _table(*columns: str) -> Table:
    """A plain table; `>` before a heading means numbers."""
    table = Table(box=None, pad_edge=False, header_style="bold", padding=(0, 2, 0, 0))
    for column in columns:
        heading = column.removeprefix(">")
        table.add_column(heading, justify="right" if heading != column else "left", overflow="fold")
    return table


def _numbers(*numbers: int) -> Iterator[str]:
    return (f"{n:,}" for n in numbers)


def _wrapped(text: str, hang: int = 0) -> str:
    """`text` in lines of at most WIDTH characters, under its own indentation plus `hang`."""
    indent = text[: len(text) - len(text.lstrip())]
    return textwrap.fill(text, WIDTH, subsequent_indent=indent + " " * hang, break_on_hyphens=False)


if __name__ == "__main__":
    raise SystemExit(main())
