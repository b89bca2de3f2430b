"""The two files of what went wrong with an entity: rows that did not reach staging, and keys that the target refused.

CSV, UTF-8 with a byte order mark (spreadsheets read it right), one line per row of the source; made when somebody asks.
"""

import csv
import json
import uuid
from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing
from itertools import groupby
from pathlib import Path
from typing import Any, Final

from unify.core.names import quote
from unify.packages.database import PackageDatabase
from unify.packages.history import Kept, Step, steps
from unify.packages.plan import plan_of
from unify.packages.staging import table_of

TAIL: Final = ("RowId", "Line", "Field", "ErrorMessage")
"""Columns behind those of the file."""


def staging_errors(database: PackageDatabase, execution: Kept, entity: str) -> Path | None:
    """See Packages.staging_error_file."""
    found = [step for step in _steps(database, execution, entity) if step.run.staging_errors]
    if not found:
        return None
    path = database.folder_of(execution.number) / f"staging-errors-{found[0].place:04d}.csv"
    if not path.exists():
        names = list(dict.fromkeys(name for step in found for name in step.body.get("given", ())))
        header = [*names, *(("Part",) if len(found) > 1 or found[0].part else ()), *TAIL, "Source"]
        _write(path, header, (row for step in found for row in _unstaged(database, execution, step)))
    return path


def target_keys(database: PackageDatabase, execution: Kept, entity: str) -> Path | None:
    """See Packages.target_keys_file."""
    found = [step for step in _steps(database, execution, entity) if step.run.refused]
    if not found:
        return None
    path = database.folder_of(execution.number) / f"target-keys-{found[0].place:04d}.csv"
    if not path.exists():
        names: list[str] = []
        for step in found:
            names += [name for name in _key(step) if name not in names]
        header = [*names, *(("Part",) if len(found) > 1 or found[0].part else ()), "RowId", "Field", "ErrorMessage"]
        _write(path, header, (row for step in found for row in _refused(database, execution, step)))
    return path


def has_refused(database: PackageDatabase, execution: Kept, entity: str) -> bool:
    """Whether the target refused rows of an entity."""
    return any(step.run.refused for step in _steps(database, execution, entity))


def forget(database: PackageDatabase, number: int) -> None:
    """Files of an execution that runs again tell of its first run no more."""
    for name in ("staging-errors-*.csv", "target-keys-*.csv"):
        for path in database.folder_of(number).glob(name):
            path.unlink(missing_ok=True)


def _steps(database: PackageDatabase, execution: Kept, entity: str) -> list[Step]:
    return [step for step in steps(database, execution.number) if step.entity.casefold() == entity.casefold()]


def _key(step: Step) -> tuple[str, ...]:
    definition = plan_of({k: v for k, v in step.body.items() if k not in ("written", "given")}).definition
    return definition.key if definition is not None else ()


def _unstaged(database: PackageDatabase, execution: Kept, step: Step) -> Iterator[dict[str, Any]]:
    with closing(database.connect()) as connection:
        rows = connection.execute(
            "SELECT row_id, line, field, message, said FROM row_errors WHERE execution = $number AND place = $place"
            " AND step = 'staging' ORDER BY row_id, field, message",
            {"number": execution.number, "place": step.place},
        )
        for row_id, group in groupby(rows, lambda row: row["row_id"]):
            found = list(group)
            said = json.loads(found[0]["said"]) if found[0]["said"] else ""
            row: dict[str, Any] = dict(said) if isinstance(said, dict) else {"Source": said}
            yield row | {
                "RowId": row_id, "Line": found[0]["line"], "Part": step.part,
                "Field": "; ".join(one["field"] for one in found),
                "ErrorMessage": "; ".join(one["message"] for one in found),
            }  # fmt: skip


def _refused(database: PackageDatabase, execution: Kept, step: Step) -> Iterator[dict[str, Any]]:
    key = _key(step)
    staging = quote(table_of(execution.number, step.place))
    names = "".join(f"s.{quote(name)}, " for name in key)
    with closing(database.connect()) as connection:
        rows = connection.execute(
            f"SELECT {names}e.row_id, e.field, e.message FROM row_errors AS e JOIN {staging} AS s ON s.RowId = e.row_id"
            " WHERE e.execution = $number AND e.place = $place AND e.step = 'target' ORDER BY e.row_id",
            {"number": execution.number, "place": step.place},
        )
        for row in rows:
            values = dict(zip(key, tuple(row), strict=False))
            yield values | {
                "RowId": row["row_id"], "Part": step.part, "Field": row["field"], "ErrorMessage": row["message"]
            }  # fmt: skip


def _write(path: Path, header: Sequence[str], rows: Iterable[dict[str, Any]]) -> None:
    """Whole or not at all; several who ask at once write the same."""
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f".{uuid.uuid4().hex}.part")
    try:
        with part.open("w", encoding="utf-8-sig", newline="") as file:
            writer = csv.DictWriter(file, header, extrasaction="ignore", lineterminator="\r\n")
            writer.writeheader()
            writer.writerows(rows)
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)
