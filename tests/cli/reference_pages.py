"""The generated parts of docs/cli.md and docs/project-file.md. `python tests/cli/reference_pages.py` rewrites them.

cli.md            `--help` of every command, 100 columns wide, no colour
service.md        every setting of the service, the same way
project-file.md   every key of every noun: type and default from pydantic, meaning from the noun's own docstrings
"""

import ast
import contextlib
import datetime as dt
import inspect
import io
import itertools
import os
import re
import sys
import textwrap
import types
import typing
from pathlib import Path

import typer
from pydantic import BaseModel
from pydantic_core import PydanticUndefined

from unify import spec
from unify.cli import run
from unify.cli.app import app
from unify.service.settings import Issuer, Limits, Settings
from unify.spec.conditions import Veto

DOCS = Path(__file__).parents[2] / "docs"
BEGIN, END = (
    "<!-- generated from the code: python tests/cli/reference_pages.py -->",
    "<!-- end of what is generated -->",
)

NOUNS = (
    spec.Project, spec.Entity, spec.Column, spec.CsvOptions, spec.RowFilter, spec.Incremental, spec.ValueList,
    spec.ConflationPlan, spec.JunkSpec, spec.OrderedEntity, spec.DedupeSpec, spec.MatchPair, spec.Rule, spec.Criterion, Veto,
    spec.Evidence, spec.Joined,
    spec.NormalizeStep, spec.Limit, spec.BridgeSpec, spec.Resolution, spec.CustomerTable, spec.ClusterSpec,
    spec.Preference,
    spec.Relationship, spec.Activity, spec.Measure, spec.Calculation, spec.Pick, spec.Dimension, spec.Variable,
    spec.Segment, spec.SegmentRule, spec.ListedCustomers, spec.Projected,
)  # fmt: skip
"""Every noun a project file is made of, from the outside in; criteria and the vendor's query have pages of their own."""
ELSEWHERE = ("unify.spec.criteria", "unify.spec.criteria_events", "unify.spec.criteria_values",
             "unify.spec.segmentation_query", "unify.spec.wire", "unify.spec.windows")  # fmt: skip
"""Modules of nouns that docs/segments.md and docs/segmentation-query.md explain."""

MEANING = {
    ("Project", "name"): "What the project is called; also its instance, unless `instance` says otherwise.",
    ("Project", "instance"): "Where the result goes, relative to the project file. Default: `name`, beside the file.",
    ("Project", "sources"): "Source to entity to what it is: `crm: {Contacts: {…}}` is the entity `crm.Contacts`.",
    ("Project", "lists"): "Overrides and value lists by name.",
    ("Project", "conflation"): "Which records are one customer. Without it a run ingests and makes no customers.",
    ("Project", "resolution"): "Output column, or name of a group, to which value wins.",
    ("Project", "customer"): "What the Customer table looks like beyond that.",
    ("Project", "clusters"): "Groupings over customers, e.g. `Household`: a column of that name with the cluster's id.",
    ("Project", "relationships"): "Name to relationship: which column of one entity holds a value of another's.",
    ("Project", "activities"): "Name to activity: what is on the timelines of customers.",
    ("Project", "measures"): "Name to measure: values worked out per customer, or over the business; docs/measures.md.",
    ("Project", "segments"): "Name to segment: sets of customers; docs/segments.md.",
    ("Relationship", "description"): "For people.",
    ("Segment", "title"): "The friendly name.",
    ("Segment", "description"): "For people.",
    ("Segment", "tags"): "At most 20 words to find it by.",
    ("SegmentRule", "where"): "Who it holds for; docs/segments.md.",
    ("SegmentRule", "operation"): "What is done with them to what the rules before left.",
    ("SegmentRule", "name"): "What its count is called; otherwise its number.",
    ("ListedCustomers", "customers"): "CustomerIds and records, `crm.Contacts:C-1`.",
    ("ListedCustomers", "file"): "A CSV file whose first column holds them, relative to the project file.",
    ("Projected", "attributes"): "Names of columns.",
    ("Projected", "path"): "Relations from Customer to the rows.",
    ("Entity", "format"): "How the files are written; otherwise told by their ending.",
    ("Entity", "key"): "The column that identifies a row. Required, but of a record table it is known.",
    (
        "Entity",
        "type",
    ): "`profile`: about people or organisations, may be conflated. `activity`: something that happened.",
    ("Entity", "timestamp"): "When an activity happened: a date or datetime column. Required for activities.",
    ("Entity", "labels"): "Column to semantic label: what it means. `unify labels` suggests them.",
    ("Entity", "columns"): "Column to its type, or `{type, format}`. What is not declared is inferred.",
    ("Entity", "where"): "Row filters, joined by AND. Rows left out are counted.",
    ("Entity", "csv"): "How CSV files are written.",
    ("Entity", "incremental"): "`files` is a folder of full data, upserts and deletes.",
    ("CsvOptions", "delimiter"): "Between two fields; detected.",
    ("CsvOptions", "quote"): "Around a field; detected. `''`: nothing is quoted.",
    ("CsvOptions", "escape"): "Before a quote inside a quoted field; otherwise quotes are doubled.",
    ("CsvOptions", "encoding"): "E.g. `cp1252`; otherwise by byte order mark, else UTF-8.",
    ("CsvOptions", "header"): "Whether the first line names the columns.",
    ("CsvOptions", "decimal"): "The decimal mark of numbers.",
    ("RowFilter", "column"): "The column that is looked at.",
    ("RowFilter", "operator"): "What must hold.",
    ("RowFilter", "value"): "What it is compared with; a list for `any_of`; none for `is_null` and `is_not_null`.",
    ("ValueList", "kind"): "What the list is for.",
    ("ValueList", "files"): "CSV files of the list, relative to the project file; instead of writing it in place.",
    ("ValueList", "records"): "In place, for always and never: `[[crm.Contacts, C-1, loyalty.Members, L-9], …]`.",
    ("ValueList", "values"): "In place, for bypass, genuine, shared and junk.",
    ("ValueList", "pairs"): "In place, for alias: `[[Bill, William], …]`.",
    ("OrderedEntity", "entity"): "`source.Entity`.",
    ("DedupeSpec", "rules"): "Every rule is tried on every row, and what matches is united across rules.",
    ("MatchPair", "left"): "The lower entity, before the arrow of the short form.",
    ("MatchPair", "right"): "The upper entity, after it.",
    ("MatchPair", "rules"): "In order: rule n+1 is tried only for records that rule n left unmatched.",
    ("Rule", "name"): "How links and reports call it; unique within its pair of entities.",
    ("Rule", "unless"): "Exceptions; any of them vetoes the pair. `{all: […]}` is one of several conditions together.",
    ("Evidence", "fields"): "Several columns: the best combination counts.",
    ("Rule", "active"): "False: the rule is kept, but not used.",
    ("Criterion", "fields"): "Several columns, named alike on both sides: any may equal any.",
    ("Joined", "join"): "The columns, in the order in which their values are joined.",
    ("Veto", "all"): "The pair is vetoed when all of these hold.",
    ("NormalizeStep", "kind"): "Which one: docs/normalisers-and-comparisons.md.",
    ("Limit", "normalize"): "Of `never_two`: normalisers before values are compared.",
    ("ClusterSpec", "rules"): "Rules over columns of Customer.",
    ("Preference", "kind"): "How to choose.",
}
"""What the nouns' docstrings leave to the reader of the code."""

SHORT = {
    "Column": "`DateOfBirth: date` means `DateOfBirth: {type: date}`.",
    "JunkSpec": "`detect` means `{detect: true}`, `off` means `{detect: false}`.",
    "OrderedEntity": "`crm.Contacts` means `{entity: crm.Contacts}`.",
    "DedupeSpec": "A list means `{rules: […]}`.",
    "MatchPair": "`loyalty.Members -> crm.Contacts: [rules]` under `match` is how it is written.",
    "Evidence": "A column's name means `{field: …}`.",
    "Veto": "One condition means `{all: [condition]}`.",
    "NormalizeStep": "`lower`, `{alias: <list>}`, `{bypass: <list>}`, `{phone: US}`.",
    "Relationship": "`web.Orders.ContactId -> crm.Contacts.ContactId` means `{from: …, to: …}`.",
    "Measure": "`AverageOrder: TotalSpend div Orders` means `AverageOrder: {value: …}`.",
    "Dimension": "`product/Category` means `{value: product/Category}`.",
    "Variable": "An expression means `{value: …}`.",
    "Resolution": "`EMail: most recent by ModifiedOn` means `EMail: {by: …}`. A group: `Address: {group: [Street, City]}`.",
    "Preference": "`importance`, `most filled`, `most recent by <column>`, `least recent by <column>`.",
}  # fmt: skip


def help_pages():
    """`--help` of the command and all its commands, as Markdown."""
    root = typer.main.get_command(app)
    sections = [_block(["--help"])]
    for words, _ in commands(root):
        sections.append(f"### unify {' '.join(words)}\n\n{_block([*words, '--help'])}")
    return "\n\n".join(sections)


def commands(group, words=()):
    """Every command below one, groups before what is in them, each with the words that lead to it."""
    for name, command in getattr(group, "commands", {}).items():
        yield (*words, name), command
        yield from commands(command, (*words, name))


def _block(args):
    out = io.StringIO()
    before = dict(os.environ)
    os.environ.update({"COLUMNS": "100", "NO_COLOR": "1", "TERM": "dumb"})
    for name in ("FORCE_COLOR", "PY_COLORS", "GITHUB_ACTIONS", "UNIFY_INSTANCE"):
        os.environ.pop(name, None)
    try:
        with contextlib.redirect_stdout(out):
            assert run(args) == 0
    finally:
        os.environ.clear()
        os.environ.update(before)
    lines = [line.rstrip() for line in out.getvalue().splitlines()]
    return "```text\n" + "\n".join(lines).strip("\n") + "\n```"


def key_pages():
    """A table per noun, as Markdown."""
    return "\n\n".join(_noun(noun) for noun in NOUNS)


def setting_pages():
    """The same of the settings of the service."""
    return "\n\n".join(_noun(noun) for noun in (Settings, Limits, Issuer))


def _noun(noun):
    told = {
        key: text
        for base in reversed(noun.__mro__)
        if base.__module__.startswith(("unify.spec", "unify.service"))
        for key, text in told_by(base).items()
    }
    lines = [f"### {_title(noun)}", "", _first_paragraph(noun)]
    if noun.__name__ in SHORT:
        lines += ["", f"Short: {SHORT[noun.__name__]}"]
    lines += ["", "| key | value | default | meaning |", "|---|---|---|---|"]
    for name, field in noun.model_fields.items():
        key = field.alias or name
        meaning = told.get(key) or MEANING[noun.__name__, name]
        lines.append(f"| `{key}` | {_cell(_type(field.annotation))} | {_default(field)} | {_cell(meaning)} |")
    return "\n".join(lines)


def _title(noun):
    return " ".join(re.findall(r"[A-Z][a-z]+", noun.__name__)).capitalize()


def _first_paragraph(noun):
    text = inspect.cleandoc(noun.__doc__)
    return " ".join(re.split(r"\n\s*\n|\n(?=\w[\w, /]*  )", text)[0].split())


def told_by(noun):
    """Key to meaning, from the docstring's `key   meaning` lines and the strings under fields."""
    found = {}
    keys = []
    for line in inspect.cleandoc(noun.__doc__).split("\n"):
        head = re.match(r"(\w+(?:[,/] ?\w+)*)\s{2,}(\S.*)", line)
        if head:
            keys = re.split(r"[,/] ?", head[1])
            found |= dict.fromkeys(keys, head[2])
        elif keys and line.startswith("  ") and line.strip():
            for key in keys:
                found[key] += " " + line.strip()
        else:
            keys = []
    body = ast.parse(textwrap.dedent(inspect.getsource(noun))).body[0].body
    for field, text in itertools.pairwise(body):
        is_text = isinstance(text, ast.Expr) and isinstance(text.value, ast.Constant)
        if isinstance(field, ast.AnnAssign) and is_text and isinstance(text.value.value, str):
            found[field.target.id] = " ".join(text.value.value.split())
    known = {f.alias or name for name, f in noun.model_fields.items()}
    return {key: _sentence(meaning) for key, meaning in found.items() if key in known}


def _sentence(meaning):
    text = re.sub(r" \(reference §[\d.]+\)", "", meaning).strip()
    return text[0].upper() + text[1:] + ("" if text.endswith(".") else ".")


def _type(annotation):
    origin, args = typing.get_origin(annotation), typing.get_args(annotation)
    if getattr(annotation, "__name__", "") == "Criteria":
        return "text or criteria"
    if origin is typing.Annotated:
        return _type(args[0])
    if origin is typing.Literal:
        return " ".join(f"`{value}`" for value in args)
    if origin in (typing.Union, types.UnionType):
        return " or ".join(_type(a) for a in args if a is not type(None))
    if origin is tuple:
        return f"list of {_type(args[0])}" if args[-1] is Ellipsis else f"[{', '.join(_type(a) for a in args)}]"
    if origin is dict:
        return f"{_type(args[0])} → {_type(args[1])}"
    if isinstance(annotation, type) and issubclass(annotation, BaseModel) and annotation not in NOUNS:
        return _title(annotation).lower()
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return f"[{_title(annotation).lower()}](#{_title(annotation).lower().replace(' ', '-')})"
    return {str: "text", int: "whole number", float: "number", bool: "true or false",
            dt.datetime: "date and time", Path: "path"}[annotation]  # fmt: skip


def _default(field):
    if field.is_required():
        return "**required**"
    value = field.get_default(call_default_factory=True)
    if value is PydanticUndefined or value is None or value in ((), {}):
        return ""
    if isinstance(value, bool):
        return f"`{str(value).lower()}`"
    if isinstance(value, spec.Preference):
        return f"`{value}`"
    if isinstance(value, BaseModel):
        return ""
    if isinstance(value, tuple) and isinstance(value[0], BaseModel):
        return f"`[{', '.join(map(str, value))}]`"
    return f"`{list(value)}`" if isinstance(value, tuple) else f"`{value}`"


def _cell(text):
    return text.replace("|", "\\|")


PAGES = {"cli.md": help_pages, "project-file.md": key_pages, "service.md": setting_pages}


def with_generated(page, generated):
    """The page's text with its generated part replaced."""
    head, rest = page.split(BEGIN, 1)
    tail = rest.split(END, 1)[1]
    return f"{head}{BEGIN}\n\n{generated}\n\n{END}{tail}"


def main():
    for name, make in PAGES.items():
        path = DOCS / name
        path.write_text(with_generated(path.read_text(encoding="utf-8"), make()), encoding="utf-8")
        print(path.name, file=sys.stderr)


if __name__ == "__main__":
    main()
