"""A run over changed files against a full run over the same files, both on top of the same generation.

    python -m benchmarks incremental --records 1000000 --change 0.01 --json

Of the changed rows six in ten have other values (those of another row), two in ten are new, two in ten are gone, in
every file alike. The files are whole exports, so both runs read all of them. What both publish is compared, table by
table; a difference is an error.
"""

import shutil
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

import unify
from benchmarks.generate import KEY_COLUMNS, Customers, project
from unify.core.reports import RunReport
from unify.instance import Instance

UPDATED, INSERTED, DELETED = 0.6, 0.2, 0.2
MOMENT = "ConflationMatchPairs_ModifiedOn"


def measure(customers: Customers, change: float, seed: int = 7) -> dict[str, Any]:
    """Seconds of both runs, whole and by stage, and what the incremental one took over.

    change   share of the records that change. ValueError when it is not between 0 and 1, AssertionError when the runs
             come to different tables.
    """
    if not 0 <= change <= 1:
        raise ValueError(f"--change {change}: a share of the records is between 0 and 1")
    with tempfile.TemporaryDirectory(prefix="incremental-") as folder:
        base = Path(folder)
        for name in KEY_COLUMNS:
            shutil.copyfile(customers.folder / f"{name}.parquet", base / f"{name}.parquet")
        plan = project(base)
        with unify.open(base / "instance", create=True) as acme:
            acme.run(plan, base=base)
            changed = {name: _change(base / f"{name}.parquet", key, change, seed) for name, key in KEY_COLUMNS.items()}
            shutil.copytree(base / "instance", base / "twin")
            with unify.open(base / "twin") as twin:
                whole = twin.run(plan, base=base, full=True)
                part = acme.run(plan, base=base)
                _compare(acme, twin)
            again = acme.run(plan, base=base)
    return {
        "records": customers.records,
        "change": change,
        "changed": changed,
        "full": _times(whole),
        "incremental": _times(part),
        "nothing_changed": _times(again),
        "ratio": round(part.seconds / whole.seconds, 4),
        "reconsidered": part.incremental.reconsidered if part.incremental else None,
        "stages": [stage.as_dict() for stage in part.incremental.stages] if part.incremental else [],
    }


def _times(report: RunReport) -> dict[str, Any]:
    return {"seconds": report.seconds, "stages": {s.stage: s.seconds for s in report.stages}}


def _change(path: Path, key: str, share: float, seed: int) -> Mapping[str, int]:
    """Change a file in place; returns how many rows were updated, inserted and deleted."""
    table = pq.read_table(path)
    draws = np.random.default_rng([seed, len(table)])
    count = int(len(table) * share)
    rows = draws.permutation(len(table))
    updated, inserted, deleted = (int(count * part) for part in (UPDATED, INSERTED, DELETED))
    other = np.arange(len(table))
    other[rows[:updated]] = rows[updated : 2 * updated]
    keys = table.column(key)
    changed = table.take(pa.array(other)).set_column(table.schema.get_field_index(key), key, keys)
    gone = np.ones(len(table), dtype=np.bool_)
    gone[rows[updated : updated + deleted]] = False
    new = table.take(pa.array(rows[:inserted]))
    prefixes = pa.array([f"N{number:09d}" for number in draws.choice(10**9, inserted, replace=False)], pa.string())
    new = new.set_column(table.schema.get_field_index(key), key, prefixes)
    pq.write_table(pa.concat_tables([changed.filter(pa.array(gone)), new]), path, compression="zstd")
    return {"updated": updated, "inserted": inserted, "deleted": deleted}


def _compare(one: Instance, other: Instance) -> None:
    """Both hold the same rows in every table, but for the moment of the run."""
    paths = [acme.status().published for acme in (one, other)]
    with duckdb.connect() as connection:
        for name, generation in zip(("one", "other"), paths, strict=True):
            assert generation is not None
            connection.execute(f"ATTACH '{generation.path}' AS {name} (READ_ONLY)")
        tables = connection.execute(
            "SELECT table_name FROM duckdb_tables() WHERE database_name = 'other' AND schema_name = 'main'"
        ).fetchall()
        for (table,) in tables:
            columns = f"* EXCLUDE ({MOMENT})" if table == "ConflationMatchPairs" else "*"
            sides = [f'SELECT {columns} FROM {name}.main."{table}"' for name in ("one", "other")]
            either = f"({sides[0]} EXCEPT ALL {sides[1]}) UNION ALL ({sides[1]} EXCEPT ALL {sides[0]})"
            [[different]] = connection.execute(f"SELECT count(*) FROM ({either})").fetchall()
            if different:
                raise AssertionError(f"{different} rows of {table} differ between the incremental run and the full one")
