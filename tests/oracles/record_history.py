"""What a row must look like after writes of many at once: the writes that were acknowledged, replayed one by one.

Knows nothing of SQLite, threads or Dataverse: a dict, and the order that the acknowledged versions claim.
"""

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Done:
    """A write that was acknowledged. `seen`: the version that it insisted on; None: on none."""

    row: str
    verb: str
    version: int
    values: dict[str, Any]
    seen: int | None = None


def replay(start: dict[str, tuple[int, dict[str, Any]]], done: list[Done]) -> dict[str, tuple[int, dict[str, Any]]]:
    """Row to version and values after all of them; AssertionError where no order of single writes explains them."""
    rows = {name: (version, dict(values)) for name, (version, values) in start.items()}
    versions = [each.version for each in done]
    assert len(set(versions)) == len(versions), "two writes share a version"
    for each in sorted(done, key=lambda d: d.version):
        before = rows.get(each.row)
        if each.verb == "create":
            assert before is None, f"{each.row} was made twice"
            rows[each.row] = (each.version, dict(each.values))
            continue
        assert before is not None, f"{each.row} was written after it was gone"
        assert each.version > before[0], f"the version of {each.row} did not grow"
        assert each.seen is None or each.seen == before[0], f"{each.row} was not at {each.seen} but at {before[0]}"
        if each.verb == "delete":
            del rows[each.row]
        else:
            rows[each.row] = (each.version, {**before[1], **each.values})
    return rows
