"""The fenced process: DuckDB in memory, the tables it was handed, no files, no network, capped.

Run by path with a fresh interpreter, and imports nothing of this product: what it cannot reach it cannot leak.

    python -I -S runner.py FD OFFSET LENGTH      FD: one unnamed file with tables (Arrow) and, there, the request (JSON)

    parent                          child
      │ request ──────────────────▶ opens DuckDB, maps the tables, shuts the fence
      │ ◀──────────── {"ready": …}
      │ ◀──────────── {"rows": …}, Arrow         do = run

      │ SQL ──────────────────────▶              do = check, until the parent hangs up
      │ ◀──────────── its syntax tree
      │ "bind", or "skip" ────────▶
      │ ◀──────────── {"columns": …}

Both sides send frames: the length in 8 bytes, then that many bytes.
"""

import json
import mmap
import os
import resource
import struct
import sys
from typing import Any

BIND = b"bind"
MiB = 2**20
HEADROOM = 384 * MiB
"""Address space beyond the memory that DuckDB may use: thread stacks, allocator slack, Arrow's copy of the answer."""
LOCKED = {
    "enable_external_access": "false",
    "autoinstall_known_extensions": "false",
    "autoload_known_extensions": "false",
    "allow_unsigned_extensions": "false",
    "allow_community_extensions": "false",
    "python_enable_replacements": "false",
    "temp_directory": "",
    "errors_as_json": "true",
}


def main(fd: int, offset: int, length: int) -> None:
    """Answer one request."""
    request: dict[str, Any] = json.loads(os.pread(fd, length, offset))
    sys.path[:] = request["path"]
    _first_to_die()
    connection = _open(request)
    _map_tables(connection, fd, request["tables"])
    connection.execute("SET lock_configuration = true")
    _shut(request)
    _send({"ready": sorted(request["tables"])})
    try:
        (_check if request["do"] == "check" else _run)(connection, request)
    except MemoryError:
        _send({"error": {"exception_type": "Out of Memory", "exception_message": "Python ran out of memory"}})
    except Exception as error:
        _send({"error": _error(error)})


def _first_to_die() -> None:
    """If the machine runs out of memory all the same, the kernel ends this process and no other. Linux only."""
    try:
        with open("/proc/self/oom_score_adj", "w") as file:  # noqa: PTH123 - pathlib is one more import in here
            file.write("1000")
    except OSError:
        pass


def _open(request: dict[str, Any]) -> Any:
    sys.modules["numpy"] = None  # type: ignore[assignment]  # optional to pyarrow and duckdb, and half of the start
    import duckdb
    import pyarrow.ipc  # noqa: F401 - nothing can be imported once the fence is shut

    config = LOCKED | {
        "memory_limit": f"{request['memory'] // MiB}MiB",
        "threads": str(request["threads"]),
        "max_expression_depth": "250",
    }
    connection = duckdb.connect(":memory:", config=config)
    connection.execute("SET enable_progress_bar = false")
    connection.execute("SET TimeZone = 'UTC'")
    now, today = request["now"], request["today"]
    for name in request["clock"]:
        moment = f"DATE '{today}'" if name in ("current_date", "today") else f"TIMESTAMP '{now}'"
        connection.execute(f"CREATE MACRO {name}() AS {moment}")
    return connection


def _map_tables(connection: Any, fd: int, tables: dict[str, list[int]]) -> None:
    """The tables, read where they lie in the file: nothing is copied, and pages are shared with the parent."""
    import pyarrow as pa

    if not tables:
        return
    whole = pa.py_buffer(mmap.mmap(fd, 0, prot=mmap.PROT_READ))
    for name, (offset, length) in tables.items():
        connection.register(name, pa.ipc.open_file(whole.slice(offset, length)).read_all())


def _shut(request: dict[str, Any]) -> None:
    """The fence: from here on no memory beyond the cap, no file, no socket, no endless work."""
    _allow_seconds(request["seconds"] * request["threads"])
    wanted = [
        ("RLIMIT_FSIZE", 0),
        ("RLIMIT_CORE", 0),
        ("RLIMIT_NOFILE", 0),  # what is open stays usable; no file, socket or pipe can be opened any more
    ]
    size = _address_space()
    if size:
        wanted.insert(0, ("RLIMIT_AS", size + request["memory"] + HEADROOM))
    for name, limit in wanted:
        resource.setrlimit(getattr(resource, name), (limit, limit))


def _allow_seconds(seconds: int) -> None:
    """So much processor time from now on; then SIGXCPU. The parent looks at its own clock besides."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    soft = int(used.ru_utime + used.ru_stime) + seconds + 1
    resource.setrlimit(resource.RLIMIT_CPU, (soft, resource.getrlimit(resource.RLIMIT_CPU)[1]))


def _address_space() -> int:
    """Bytes of address space in use: Python, DuckDB and the mapped tables. 0 where the kernel does not say."""
    try:
        with open("/proc/self/statm") as file:  # noqa: PTH123
            return int(file.read().split()[0]) * resource.getpagesize()
    except OSError:
        return 0


# ── what is asked ────────────────────────────────────────────────────────────────────────────────────────────────────


def _check(connection: Any, request: dict[str, Any]) -> None:
    """Statement after statement: its syntax tree, and when the parent has read that and says so, its columns."""
    while (frame := _receive()) is not None:
        _allow_seconds(request["seconds"])
        sql = frame.decode()
        _frame(_tree(connection, sql))
        if _receive() == BIND:
            _send(_columns(connection, sql))


def _tree(connection: Any, sql: str) -> bytes:
    """What json_serialize_sql says; of what is no SELECT also which kinds of statements it is."""
    parse = "SELECT json_serialize_sql($sql, skip_null := true, skip_empty := true)"
    try:
        tree: str = connection.execute(parse, {"sql": sql}).fetchall()[0][0]
    except Exception as error:
        return json.dumps({"error": _error(error)}).encode()
    if tree.startswith('{"error":true'):
        tree = json.dumps(json.loads(tree) | {"kinds": _kinds(connection, sql)})
    return tree.encode()


def _columns(connection: Any, sql: str) -> dict[str, Any]:
    """Names and types of the answer's columns; the plan is made and nothing is run."""
    explain = "EXPLAIN "
    try:
        connection.execute(explain + sql).fetchall()
    except Exception as error:
        found = _error(error)
        if "position" in found:
            found["position"] = int(found["position"]) - len(explain)
        return {"error": found}
    answer = connection.sql(sql)
    return {"columns": [[name, str(kind)] for name, kind in zip(answer.columns, answer.types, strict=True)]}


def _kinds(connection: Any, sql: str) -> list[str]:
    """What the statements are, e.g. DELETE; nothing when they cannot be read."""
    try:
        return [str(s.type).rpartition(".")[2] for s in connection.extract_statements(sql)]
    except Exception:
        return []


def _run(connection: Any, request: dict[str, Any]) -> None:
    """The answer: the wanted columns by place, distinct when asked, at most so many rows."""
    import pyarrow as pa

    answer = connection.sql(request["sql"])
    names = ", ".join(f"c{i}" for i in range(len(answer.columns)))
    wanted = ", ".join(f"c{i}" for i in request["columns"])
    distinct = "DISTINCT " if request["distinct"] else ""
    shaped = answer.query(
        "answer", f"SELECT {distinct}{wanted} FROM (FROM answer) AS a({names}) LIMIT {int(request['rows'])}"
    )
    table = shaped.to_arrow_table()
    if table.nbytes > request["bytes"]:
        _send({"error": {"exception_type": "Too Large", "exception_message": f"{table.nbytes}"}})
        return
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, table.schema) as writer:
        writer.write_table(table)
    _send({"rows": table.num_rows})
    _frame(sink.getvalue())


def _error(error: Exception) -> dict[str, Any]:
    """DuckDB's error as it says it in JSON, else its text."""
    text = str(error)
    start = text.find("{")
    if start >= 0:
        try:
            found = json.loads(text[start:])
            if isinstance(found, dict) and "exception_message" in found:
                return found
        except ValueError:
            pass
    return {"exception_type": type(error).__name__, "exception_message": text[:4000]}


def _send(message: dict[str, Any]) -> None:
    _frame(json.dumps(message).encode())


def _receive() -> bytes | None:
    """The next frame from the parent; None when it hung up."""
    head = _read(8)
    return _read(struct.unpack(">Q", head)[0]) if len(head) == 8 else None


def _read(length: int) -> bytes:
    data = b""
    while len(data) < length and (piece := os.read(0, length - len(data))):
        data += piece
    return data


def _frame(data: Any) -> None:
    view = memoryview(data).cast("B")
    _write(memoryview(struct.pack(">Q", len(view))))
    _write(view)


def _write(view: memoryview) -> None:
    while view:
        view = view[os.write(1, view) :]


if __name__ == "__main__":
    main(*map(int, sys.argv[1:4]))
