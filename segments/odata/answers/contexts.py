"""What an answer says of itself, and links inside its rows."""

from typing import Any

from segments.odata.answers.level import Level


def expanded_columns(level: Level) -> dict[str, tuple[bool, list[str]]]:
    """Relation → whether it is a list, and its columns."""
    return {e.name: (e.many, [column.name for column in e.level.columns]) for e in level.expansions}


def selection(level: Level) -> str:
    """`(CustomerId,UnifiedActivity(Title))`, as a context says what was selected and expanded."""
    expanded = [f"{e.name}{selection(e.level) or '()'}" for e in level.expansions if not e.tail]
    said = [*(level.said or ()), *expanded]
    return f"({','.join(said)})" if said or level.said is not None else ""


def linked(rows: list[dict[str, Any]], root: str, level: Level) -> list[dict[str, Any]]:
    """Links inside rows begin with the root as those outside do."""
    if root and level.expansions:
        for row in rows:
            _link(row, root)
    return rows


def _link(row: dict[str, Any], root: str) -> None:
    for name, value in row.items():
        if name == "@odata.id" or name.endswith("@odata.nextLink"):
            if not str(value).startswith(root):
                row[name] = root + value
        elif isinstance(value, list | dict):
            for inner in value if isinstance(value, list) else [value]:
                if isinstance(inner, dict):
                    _link(inner, root)
