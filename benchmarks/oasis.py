"""The published test cases of OData 4.01 and of its aggregation extension, read by this project's parser.

    python -m benchmarks oasis --json

A positive case passes when it parses and the printed tree parses into an equal tree. Cases whose rule is no part of a
question (headers, payload values, fragments of answers) are left out and counted. The files stay beside
the checkout, in `../shared/data/odata`.
"""

import json
import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from urllib.parse import quote

import yaml

from segments.odata import (
    OASIS,
    Dialect,
    ODataSyntaxError,
    parse_expression,
    parse_option,
    parse_options,
    parse_path,
    parse_request,
    print_expression,
    print_option,
    print_options,
    print_path,
    print_request,
)
from segments.odata.syntax.ast import EnumLiteral, GeoLiteral, Literal
from segments.odata.syntax.ast import Path as ODataPath
from segments.odata.syntax.lexer import valid_name

DATA = Path(__file__).parents[1] / ".." / "shared" / "data" / "odata"
FILES = ("odata-abnf-testcases.yaml", "odata-aggregation-testcases.yaml")

LEFT_OUT = {
    "odataUri": "where a service root ends is known to the service alone; it cuts it off and hands on the rest",
    "primitiveValue": "a value in a payload or in a model's file, never in a question",
    "context": "a fragment of an answer's context URL",
    "header": "HTTP headers",
    "request-id": "a part of a batch body",
    "prefer": "HTTP headers",
    "preference": "HTTP headers",
    "includeAnnotationsPreference": "HTTP headers",
    "maxpagesizePreference": "HTTP headers",
}
"""Rules that belong to no question, and why."""
FRAGMENT = "a context URL: its fragment describes an answer and never reaches a service"

EXACT = replace(OASIS, any_case=False)
"""Values in payloads are written in one case."""


@dataclass(frozen=True, slots=True)
class Case:
    """One published case; `fail_at` is None for a positive one."""

    name: str
    rule: str
    text: str
    fail_at: int | None
    file: str


def cases(data: Path = DATA) -> list[Case]:
    """All cases of both files. FileNotFoundError when they are not in `data`."""
    found = []
    for file in FILES:
        if not (data / file).is_file():
            raise FileNotFoundError(f"{data / file}: the OASIS test cases are needed for this benchmark")
        text = (data / file).read_text(encoding="utf-8")
        # One input of the file holds a tab, which YAML allows only in quotes.
        text = re.sub(r"(?m)^(\s*Input: )(.*\t.*)$", lambda m: m[1] + json.dumps(m[2]), text)
        for case in yaml.load(text, Loader=yaml.BaseLoader)["TestCases"]:
            fail_at = int(case["FailAt"]) if "FailAt" in case else None
            found.append(Case(case["Name"], case["Rule"], case["Input"], fail_at, file))
    return found


def left_out(case: Case) -> str:
    """Why the case is no question; empty when it is one."""
    if case.rule == "odataRelativeUri" and case.text.startswith("$metadata#"):
        return FRAGMENT
    return LEFT_OUT.get(case.rule, "")


def check(case: Case) -> None:
    """Parse the case and its printed tree. ODataSyntaxError when refused, AssertionError when the trees differ."""
    parse, show = READERS[case.rule]
    tree = parse(case.text)
    again = parse_back(case.rule, show(tree))
    if again != tree:
        raise AssertionError(f"{case.text!r} became {tree!r}, printed as {show(tree)!r}, read as {again!r}")


def parse_back(rule: str, printed: str) -> Any:
    """Printed text, read by the parser of what was printed."""
    back: dict[Any, Callable[[str, Dialect], Any]] = {
        print_expression: parse_expression, print_request: parse_request, print_path: parse_path,
        print_options: parse_options, print_option: parse_encoded_option,
    }  # fmt: skip
    return back[READERS[rule][1]](printed, OASIS)


def parse_encoded_option(printed: str, dialect: Dialect) -> Any:
    """An option as `print_option` writes it: not percent-encoded."""
    return parse_option(quote(printed, safe="$'()*,:;@/?!="), dialect)


def measure(data: Path = DATA) -> dict[str, Any]:
    """Counts of positive and negative cases; the names of accepted negatives; cases left out by rule."""
    failed, accepted, skipped = [], [], dict[str, int]()
    positive = negative = 0
    for case in cases(data):
        if left_out(case):
            skipped[case.rule] = skipped.get(case.rule, 0) + 1
            continue
        positive += case.fail_at is None
        negative += case.fail_at is not None
        try:
            check(case)
        except (ODataSyntaxError, AssertionError) as error:
            if case.fail_at is None:
                failed.append(f"{case.rule}: {case.text}: {error}")
            continue
        if case.fail_at is not None:
            accepted.append(case.name)
    return {
        "positive_passed": positive - len(failed), "positive_total": positive,
        "negative_rejected": negative - len(accepted), "negative_total": negative,
        "negative_accepted": accepted, "positive_failed": failed, "left_out": skipped,
    }  # fmt: skip


# ── one reader per rule ──────────────────────────────────────────────────────────────────────────────────────────────

Reader = Callable[[str], Any]


def expression(text: str) -> Any:
    return parse_expression(text, OASIS, encoded=True)


def member(text: str) -> Any:
    tree = expression(text)
    if not isinstance(tree, ODataPath):
        raise ODataSyntaxError("no path", position=0)
    return tree


def literal(text: str) -> Any:
    return only_literal(expression(text))


def only_literal(tree: Any) -> Any:
    if not isinstance(tree, Literal | EnumLiteral | GeoLiteral):
        raise ODataSyntaxError("no literal", position=0)
    return tree


def of_kind(*kinds: str, before: str = "", after: str = "", encoded: bool = True) -> Reader:
    """A literal of one of the kinds; `before` and `after` make a literal of a bare value."""

    def read(text: str) -> Any:
        dialect = OASIS if encoded else EXACT
        tree = only_literal(parse_expression(before + text + after, dialect, encoded=encoded))
        kind = tree.kind if isinstance(tree, Literal) else type(tree).__name__
        if kind not in kinds:
            raise ODataSyntaxError(f"a {kind}", position=0, expected=" or ".join(kinds))
        return tree

    return read


def framed(before: str, after: str) -> Reader:
    """An expression around a part that cannot stand alone."""
    return lambda text: expression(before + text + after)


def identifier(text: str) -> Any:
    if not valid_name(text):
        raise ODataSyntaxError("no name", position=0)
    return member(text)


def option(text: str) -> Any:
    return parse_option(text, OASIS)


NUMBER = ("integer", "decimal", "double")
EXPRESSIONS = ("boolCommonExpr", "boolcommonExpr", "commonExpr", "notExpr", "isofExpr")
ONE_OPTION = (
    "filter", "orderby", "orderBy", "compute", "expand", "select", "search", "deltatoken", "skiptoken",
    "customQueryOption", "systemQueryOption",
)  # fmt: skip
LITERALS: dict[str, Reader] = {
    "binaryLiteral": of_kind("binary"),
    "boolean": of_kind("boolean"),
    "booleanValue": of_kind("boolean", encoded=False),
    "date": of_kind("date"),
    "dateValue": of_kind("date", encoded=False),
    "dateTimeOffsetValue": of_kind("dateTimeOffset", encoded=False),
    "dateTimeOffsetLiteral": of_kind("dateTimeOffset"),
    "dateTimeOffsetValueInUrl": of_kind("dateTimeOffset"),
    "durationValue": of_kind("duration", before="duration'", after="'", encoded=False),
    "durationLiteral": of_kind("duration", "string"),
    "primitiveLiteral": literal,
    "null": of_kind("null"),
    "stringLiteral": of_kind("string"),
    "guid": of_kind("guid"),
    "timeOfDayValue": of_kind("timeOfDay", encoded=False),
    "timeOfDayLiteral": of_kind("timeOfDay"),
    "enumLiteral": of_kind("EnumLiteral", "string"),
    "enumValue": of_kind("EnumLiteral", before="Sales.Pattern'", after="'", encoded=False),
} | {
    f"{system}{shape}": of_kind("GeoLiteral")
    for system in ("geography", "geometry")
    for shape in ("Collection", "LineString", "MultiLineString", "MultiPoint", "MultiPolygon", "Point", "Polygon")
}
for _type in ("decimal", "double", "single", "byte", "sbyte", "int16", "int32", "int64"):
    LITERALS[f"{_type}Literal"] = of_kind(*NUMBER)
    LITERALS[f"{_type}Value"] = of_kind(*NUMBER, encoded=False)
READERS: dict[str, tuple[Reader, Reader]] = {
    **dict.fromkeys(EXPRESSIONS, (expression, print_expression)),
    **dict.fromkeys(ONE_OPTION, (option, print_option)),
    **{rule: (reader, print_expression) for rule, reader in LITERALS.items()},
    "resourcePath": (lambda text: parse_path(text, OASIS), print_path),
    "odataRelativeUri": (lambda text: parse_request(text, OASIS), print_request),
    "queryOptions": (lambda text: parse_options(text, OASIS), print_options),
    "firstMemberExpr": (member, print_expression),
    "propertyPathExpr": (member, print_expression),
    "odataIdentifier": (identifier, print_expression),
    "entitySetName": (identifier, print_expression),
    "functionParameter": (framed("Model.f(", ")"), print_expression),
    "anyExpr": (framed("Items/", ""), print_expression),
    "searchExpr": (lambda text: parse_option("$search=" + text, OASIS), print_option),
    "stringInUrl": (framed("[", "]"), print_expression),
}
