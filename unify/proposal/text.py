"""The project file of a proposal: what the user wrote, the labels, and the plan with its estimates as comments."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import yaml

from unify.core.suggestions import SuggestedRule, estimate
from unify.spec import Compared, Criterion, Evidence, Joined, NormalizeStep, Project, Rule

WIDTH = 118
NEXT_LINE = "\x85"
"""What ends a line in YAML though not in text files."""


def project_text(project: Project, rules: Sequence[SuggestedRule], head: Sequence[str]) -> str:
    """YAML that reads back as `project`; `head`: lines of comment above the plan."""
    said = project.model_dump(mode="json", by_alias=True, exclude_defaults=True)
    plan = said.pop("conflation", {})
    after = {
        k: said.pop(k) for k in list(said) if k not in ("name", "instance", "keep", "timezone", "sources", "lists")
    }
    lines = [*_yaml(said), "conflation:"]
    lines += [f"  # {_comment(line)}" for line in head]
    assert project.conflation is not None
    lines += _indented(_plan(plan, junk=project.conflation.junk.detect), 2)
    lines.append("  rules:")
    for rule, estimated in zip(project.conflation.rules, rules, strict=True):
        lines.append(f"    # {_comment(estimated.name)}{estimate(estimated)}")
        lines += _indented(_rule(rule), 4)
    return "\n".join([*lines, *(_yaml(after) if after else [])]) + "\n"


def _comment(text: str) -> str:
    """On one line, and of characters that may stand in YAML: names of columns may hold any."""
    return "".join(c if c.isprintable() else " " for c in text)


def _plan(said: Mapping[str, Any], *, junk: bool) -> list[str]:
    short = {k: v for k, v in said.items() if k not in ("rules", "junk")}
    short["order"] = [o["entity"] if list(o) == ["entity"] else o for o in said.get("order", [])]
    if junk:
        short["junk"] = "detect"
    return _yaml(short)


def _rule(rule: Rule) -> Iterator[str]:
    yield f"- name: {_flow(rule.name)}"
    if rule.score:
        yield "  score:"
        yield from (f"    - {_flow(evidence(e))}" for e in rule.score)
    if rule.when:
        yield "  when:"
        yield from (f"    - {_flow(criterion(c))}" for c in rule.when)
    if rule.unless:
        yield "  unless:"
        for veto in rule.unless:
            said = [criterion(c) for c in veto.all]
            yield f"    - {_flow(said[0] if len(said) == 1 else {'all': said})}"


def criterion(said: Criterion) -> dict[str, Any]:
    """A condition as people write it."""
    short: dict[str, Any] = _columns(said)
    if said.normalize:
        short["normalize"] = [normalizer(step) for step in said.normalize]
    if said.compare != "exact":
        short |= {"compare": said.compare, "precision": said.precision}
    if said.differs:
        short["differs"] = True
    return short


def evidence(said: Evidence) -> dict[str, Any] | str:
    """A comparison of a scored rule as people write it: its column alone where nothing else is to be said."""
    short = _columns(said)
    if [step.kind for step in said.normalize] != ["lower", "whitespace"]:
        short["normalize"] = [normalizer(step) for step in said.normalize]
    if said.levels != Evidence.model_fields["levels"].default:
        short["levels"] = [int(cut) if cut == int(cut) else cut for cut in said.levels]
    if not said.term_frequency:
        short["term_frequency"] = False
    return said.field if list(short) == ["field"] and said.field else short


def normalizer(step: NormalizeStep) -> str | dict[str, str]:
    """`lower`, or `{phone: US}`."""
    return {step.kind: step.argument} if step.argument else step.kind


def _columns(said: Compared) -> dict[str, Any]:
    columns = {
        entity: _one([{"join": list(c.join)} if isinstance(c, Joined) else c for c in names])
        for entity, names in said.columns.items()
    }
    return {"field": said.field, **({"columns": columns} if columns else {})}


def _one(items: list[Any]) -> Any:
    return items[0] if len(items) == 1 else items


def _yaml(value: Any) -> list[str]:
    return _dump(value, width=WIDTH, default_flow_style=None).rstrip("\n").split("\n")


def _dump(value: Any, **style: Any) -> str:
    """As people read it; all in ASCII where U+0085 is in it, which a reader of YAML takes for the end of a line."""
    text = str(yaml.safe_dump(value, sort_keys=False, allow_unicode=True, **style))
    return text if NEXT_LINE not in text else str(yaml.safe_dump(value, sort_keys=False, allow_unicode=False, **style))


def _flow(value: Any) -> str:
    """On one line."""
    return _dump([value], width=100_000, default_flow_style=True).strip()[1:-1]


def _indented(lines: Any, by: int) -> list[str]:
    return [" " * by + line for line in lines]
