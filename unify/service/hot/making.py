"""Snapshots on disk: which one is wanted, made once by one process, whoever needs it; old ones removed.

    <instance>/snapshots/000042-<key>.rows              customers of a generation
    <instance>/snapshots/000042-<key>-<state>.members   who is in which segment, of one state of membership
    <instance>/snapshots/lock                           held by whoever makes one

Names say what the content is made of, so a file that is there is right. They are a cache: removing the folder costs the
time to build it anew, and a directory that cannot be written to is served without.

`python -m unify.service.hot.making INSTANCE NUMBER` makes the files of a generation.
"""

import fcntl
import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from hashlib import sha256
from pathlib import Path
from typing import Any, Final

import numpy as np

from segments.membership.codec import from_bytes
from unify.engines.duckdb import DuckDBEngine
from unify.service.hot.members import write_members
from unify.service.hot.packed import FORMAT, PackWriter
from unify.service.hot.rows import GONE, Rows, write_rows
from unify.service.hot.states import State, state_of
from unify.spec import Project
from unify.store import Generation, Store

FOLDER: Final = "snapshots"
NICENESS: Final = 10
"""Of a process that builds: it takes a tenth of a core that a worker wants too."""
KEPT: Final = 2
"""Snapshots of rows: the one that answers, and the one before, since a rollback asks for it again."""


def rows_path(store: Store, generation: Generation) -> Path:
    """Where the rows of a generation stand, or would. Named by run too: numbers begin anew in a new instance."""
    key = sha256(f"{FORMAT} {generation.run_id} {generation.published.isoformat()}".encode()).hexdigest()[:16]
    return store.path / FOLDER / f"{generation.number:06d}-{key}.rows"


def members_path(rows: Path, state: State) -> Path:
    """Where the members of a state stand, or would."""
    return rows.with_name(f"{rows.stem}-{state.key}.members")


# ── making ───────────────────────────────────────────────────────────────────────────────────────────────────────────


def make(store: Store, number: int) -> None:
    """The files of a generation and its present members, where they are not there yet. Waits for whoever makes them.

    StoreError when the generation is not kept any more; OSError when the folder cannot be written to.
    """
    generation = store.generation(number)
    rows = rows_path(store, generation)
    rows.parent.mkdir(mode=0o700, exist_ok=True)
    with _alone(rows.parent):
        if not rows.exists():
            with store.pin(generation), DuckDBEngine.reading(generation.path, memory_limit="1GiB") as engine:
                write_rows(rows, generation, engine)
        there = Rows(rows)
        state = state_of(store, number, Project.model_validate_json(there.project))
        members = members_path(rows, state)
        if not members.exists():
            _write_members(members, store, there, state)
        _sweep(store, rows, members)


def _write_members(path: Path, store: Store, rows: Rows, state: State) -> None:
    places = np.asarray(rows.places, np.int32)
    with PackWriter(path) as pack:
        said: dict[str, Any] = {}
        for number, one in enumerate(state.segments):
            ordinals = np.array(from_bytes(store.members_file(one.file), one.file).to_array(), np.uint32)
            found = places[ordinals[ordinals < len(places)]]
            mine = np.sort(found[found != GONE]).astype(np.uint32)
            said[one.segment] = write_members(pack, number, mine, rows.count) | {"ends": one.ends, "file": one.file}
        pack.finish({"segments": said, "run": state.run})


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """One builder of an instance at a time. The system lets go of the lock when a builder is killed."""
    descriptor = os.open(folder / "lock", os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def _sweep(store: Store, rows: Path, members: Path) -> None:
    """Remove what nobody will ask for again, and what builders that died have left. We hold the lock: nobody builds."""
    kept = {generation.number for generation in store.generations()}
    others = [p for p in rows.parent.glob("*.rows") if p != rows and int(p.stem.partition("-")[0]) in kept]
    stay = {rows, *sorted(others, key=lambda p: p.stat().st_mtime, reverse=True)[: KEPT - 1]}
    latest: dict[str, Path] = {}
    for path in sorted(rows.parent.glob("*.members"), key=lambda p: p.stat().st_mtime):
        latest[path.stem.rpartition("-")[0]] = path
    stay |= {path for stem, path in latest.items() if rows.with_name(f"{stem}.rows") in stay} | {members}
    for path in [*rows.parent.glob("*.rows"), *rows.parent.glob("*.members"), *rows.parent.glob("*.new")]:
        if path not in stay:
            path.unlink(missing_ok=True)


def forget(store: Store) -> None:
    """Remove all snapshots of an instance. Who has one mapped goes on with it until it looks again."""
    folder = store.path / FOLDER
    if folder.is_dir():
        with _alone(folder):
            for path in folder.iterdir():
                if path.name != "lock":
                    path.unlink(missing_ok=True)


def main(arguments: Sequence[str]) -> None:
    """Of the process that builds."""
    os.nice(NICENESS)
    make(Store.open(arguments[0]), int(arguments[1]))


if __name__ == "__main__":
    main(sys.argv[1:])
