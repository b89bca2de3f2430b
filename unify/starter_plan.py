"""The simple plan a starter proposes: a few rules that are right for most files about people, on alike labels.

Each rule takes a strong identifier and a name, so that a family mailbox does not become one person.
"""

from collections.abc import Iterator, Sequence
from itertools import combinations
from typing import NamedTuple

import yaml

EMAIL, PHONE, BIRTH = "Identity.Service.Email", "Identity.Service.Phone", "Person.BirthDate"
FULL, FIRST, LAST, POSTCODE = "Person.FullName", "Person.FirstName", "Person.LastName", "Location.PostalCode"


class Person(NamedTuple):
    """An entity of people: label to its best column, and column to type."""

    name: str
    columns: dict[str, str]
    types: dict[str, str]


NORMALIZERS = {
    EMAIL: "[lower, whitespace]",
    PHONE: "[{phone: US}]",
    FULL: "[ascii, lower, symbols, name]",
    FIRST: "[ascii, lower, symbols, name]",
    LAST: "[ascii, lower, symbols]",
    POSTCODE: "[lower, whitespace]",
}
FUZZY = {FULL: "compare: token_sort, precision: 85", FIRST: "compare: jaro_winkler, precision: 88",
         LAST: "precision: high"}  # fmt: skip
NAMES = ((FULL,), (FIRST, LAST))
RULES = (("e-mail", (EMAIL,)), ("phone", (PHONE,)), ("birth date", (BIRTH,)), ("postcode", (POSTCODE,)))
"""In order of trust: a rule is tried where those before it found nothing."""


def plan_lines(people: Sequence[Person]) -> tuple[int, list[str]]:
    """Number of rules, and the YAML of `conflation`; (0, []) when no rule can be made."""
    if not people:
        return 0, []
    match = {(low.name, up.name): list(_rules(low, up)) for up, low in combinations(people, 2)}
    match = {pair: rules for pair, rules in match.items() if rules}
    dedupe = {one.name: list(_rules(one, one)) for one in people}
    dedupe = {name: rules for name, rules in dedupe.items() if rules}
    count = sum(len(rules) for rules in (*match.values(), *dedupe.values()))
    if not count:
        return 0, []
    lines = ["conflation:"]
    if any(PHONE in p.columns for p in people):
        lines.append("  # {phone: US}: numbers without a country code are read as US ones; put your region there")
    lines.append(
        f"  order: [{', '.join(p.name for p in people)}]    # the first is the primary entity: the most trusted"
    )
    anchors: dict[str, str] = {}
    if match:
        lines.append("  match:    # a rule is tried where the rules before it found nothing")
        lines += [line for pair, rules in match.items() for line in _block(f"{pair[0]} -> {pair[1]}", rules, anchors)]
    if dedupe:
        lines.append("  dedupe:    # records of one entity that are one customer")
        lines += [line for name, rules in dedupe.items() for line in _block(name, rules, anchors)]
    return count, lines


def _block(head: str, rules: list[str], anchors: dict[str, str]) -> Iterator[str]:
    """One entry; rules that stand above already are referred to."""
    text = "\n".join(rules)
    if text in anchors:
        yield f"    {head}: *{anchors[text]}"
        return
    anchors[text] = f"rules_{len(anchors) + 1}"
    yield f"    {head}: &{anchors[text]}"
    yield from (f"      {line}" for line in text.split("\n"))


def _rules(left: Person, right: Person) -> Iterator[str]:
    """Rules of one pair of entities, as YAML items."""
    names = next((n for n in NAMES if all(_alike(left, right, label) for label in n)), ())
    for word, labels in RULES:
        if not all(_alike(left, right, label) for label in labels):
            continue
        if not names and labels not in ((EMAIL,), (PHONE,)):
            continue  # a birth date or a postcode alone is shared by strangers
        name = f"{word} and name" if names else word
        conditions = [_condition(left, right, label, fuzzy=False) for label in labels]
        conditions += [_condition(left, right, label, fuzzy=True) for label in names]
        yield "\n".join([f"- name: {name}", "  when:", *(f"    - {c}" for c in conditions)])


def _alike(left: Person, right: Person, label: str) -> bool:
    """Both have the column, of one type; text where it is compared as text."""
    if label not in left.columns or label not in right.columns:
        return False
    kinds = {left.types[left.columns[label]], right.types[right.columns[label]]}
    return len(kinds) == 1 and (label == BIRTH or kinds == {"string"})


def _condition(left: Person, right: Person, label: str, *, fuzzy: bool) -> str:
    one, other = left.columns[label], right.columns[label]
    columns = f"field: {_flow(one)}" if one == other else f"left: {_flow(one)}, right: {_flow(other)}"
    parts = [columns]
    if label in NORMALIZERS:
        parts.append(f"normalize: {NORMALIZERS[label]}")
    if fuzzy:
        parts.append(FUZZY[label])
    return "{" + ", ".join(parts) + "}"


def _flow(text: str) -> str:
    """A string inside `{…}`."""
    dumped = str(yaml.safe_dump([text], default_flow_style=True, width=10_000, allow_unicode=True))
    return dumped.removesuffix("\n")[1:-1]
