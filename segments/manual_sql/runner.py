"""The fenced process: DuckDB in memory, the tables it was handed, no files, no network, capped.

Run by path with a fresh interpreter, and imports nothing of this product: what it cannot reach it cannot leak.

    python -I runner.py FD OFFSET LENGTH      FD: one unnamed file with the tables (Arrow) and, there, the request (JSON)

    parent                          child
      │ request ──────────────────▶ opens DuckDB, maps the tables, shuts the fence
      │ ◀──────────── frame: {"ready": …}
      │ ◀──────────── frame: syntax tree        do = check: waits for one byte before it binds
      │ go ───────────────────────▶
      │ ◀──────────── frame: columns
      │ ◀──────────── frame: {"rows": …}, frame: Arrow          do = run

A frame is its length in 8 bytes, then that many bytes.
"""

import json
import mmap
import os
import resource
import struct
import sys
from typing import Any

GO = b"g"
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
    except Exception as error:  # noqa: BLE001 - whatever goes wrong in here is the parent's to word
        _send({"error": _error(error)})


def _first_to_die() -> None:
    """If the machine runs out of memory all the same, the kernel ends this process and no other. Linux only."""
    try:
        with open("/proc/self/oom_score_adj", "w") as file:  # noqa: PTH123 - pathlib is one more import in here
            file.write("1000")
    except OSError:
        pass


def _open(request: dict[str, Any]) -> Any:
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
    wanted = [
        ("RLIMIT_CPU", request["seconds"] * request["threads"] + 1),
        ("RLIMIT_FSIZE", 0),
        ("RLIMIT_CORE", 0),
        ("RLIMIT_NOFILE", 0),  # what is open stays usable; no file, socket or pipe can be opened any more
    ]
    size = _address_space()
    if size:
        wanted.insert(0, ("RLIMIT_AS", size + request["memory"] + HEADROOM))
    for name, limit in wanted:
        resource.setrlimit(getattr(resource, name), (limit, limit))


def _address_space() -> int:
    """Bytes of address space in use: Python, DuckDB and the mapped tables. 0 where the kernel does not say."""
    try:
        with open("/proc/self/statm") as file:  # noqa: PTH123
            return int(file.read().split()[0]) * resource.getpagesize()
    except OSError:
        return 0


# ── what is asked ────────────────────────────────────────────────────────────────────────────────────────────────────


def _check(connection: Any, request: dict[str, Any]) -> None:
    """The syntax tree; then, when the parent has read it and says go, the names and types of the answer's columns."""
    parse = "SELECT json_serialize_sql($sql, skip_null := true, skip_empty := true)"
    tree = connection.execute(parse, {"sql": request["sql"]}).fetchall()[0][0]
    parsed = json.loads(tree[:64].split(",")[0] + "}") if tree.startswith('{"error":false') else {"error": True}
    if parsed["error"]:
        parsed = json.loads(tree)
        parsed["kinds"] = _kinds(connection, request["sql"])
        tree = json.dumps(parsed)
    _frame(tree.encode())
    if os.read(0, 1) != GO:
        return
    explain = "EXPLAIN "
    try:
        connection.execute(explain + request["sql"]).fetchall()
    except Exception as error:  # noqa: BLE001
        found = _error(error)
        if "position" in found:
            found["position"] = int(found["position"]) - len(explain)
        _send({"error": found})
        return
    answer = connection.sql(request["sql"])
    _send({"columns": [[name, str(kind)] for name, kind in zip(answer.columns, answer.types, strict=True)]})


def _kinds(connection: Any, sql: str) -> list[str]:
    """What the statements are, e.g. DELETE; nothing when they cannot be read."""
    try:
        return [str(s.type).rpartition(".")[2] for s in connection.extract_statements(sql)]
    except Exception:  # noqa: BLE001 - the parser's own error says more
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


def _frame(data: Any) -> None:
    view = memoryview(data).cast("B")
    _write(memoryview(struct.pack(">Q", len(view))))
    _write(view)


def _write(view: memoryview) -> None:
    while view:
        view = view[os.write(1, view) :]


if __name__ == "__main__":
    main(*map(int, sys.argv[1:4]))
