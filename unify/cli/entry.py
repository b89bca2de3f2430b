"""From arguments to exit code: the one place where errors become words and numbers.

0 ok · 1 an error of ours · 2 usage or project file · 3 input file · 4 instance · 5 lease · 6 overload · 7 question ·
130 interrupted · 141 the reader of our output went away · 143 terminated. The middle ones are UnifyError.exit_code.
"""

import json
import os
import signal
import sys
import threading
import traceback
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import NoReturn

import typer

from unify.core.errors import StoreError, UnifyError

PROGRAM = "unify"
OURS, USAGE, INTERRUPTED, BROKEN_PIPE, TERMINATED = 1, 2, 130, 141, 143
_ClickException: type[Exception] = next(c for c in typer.BadParameter.__mro__ if c.__name__ == "ClickException")
"""Base of what the argument parser raises; typer carries its own copy of click from 0.20 on, so it is found here."""


class _Interrupts:
    """Signals seen. DuckDB turns a KeyboardInterrupt into an error of its own: the flag tells what it was."""

    def __init__(self) -> None:
        self.code = 0

    def interrupt(self, _number: int, _frame: FrameType | None) -> NoReturn:
        self.code = INTERRUPTED
        raise KeyboardInterrupt

    def terminate(self, _number: int, _frame: FrameType | None) -> NoReturn:
        self.code = TERMINATED
        raise SystemExit(TERMINATED)


def main() -> NoReturn:
    """The console script."""
    sys.exit(run())


def run(arguments: Sequence[str] | None = None) -> int:
    """Do what the arguments (default: the process's) say and return the exit code."""
    args = list(sys.argv[1:] if arguments is None else arguments)
    as_json = "--json" in args[: args.index("--") if "--" in args else None]
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")  # a terminal that cannot show a letter shows its number
    with _signals() as seen:
        try:
            code = _invoke(args or ["--help"])
            if sys.stdout is not None:  # it is None when the shell closed it: `>&-`
                sys.stdout.flush()
        except BrokenPipeError:
            _stop_writing()
            return BROKEN_PIPE
        except OSError as error:
            _stop_writing()
            return _tell(_system(error), as_json, StoreError.exit_code)
        except (KeyboardInterrupt, typer.Abort):
            return _tell(_INTERRUPTED, as_json, seen.code or INTERRUPTED)
        except SystemExit as error:
            return error.code if isinstance(error.code, int) else OURS
        except _ClickException as error:
            return _tell(_usage(error), as_json, USAGE)
        except Exception as error:
            return _failed(error, as_json, seen)
        return code


def _invoke(args: list[str]) -> int:
    from unify.cli.app import app

    command = typer.main.get_command(app)
    if f"_{PROGRAM.upper()}_COMPLETE" in os.environ:
        command.main(args, prog_name=PROGRAM)
    try:
        with command.make_context(PROGRAM, args) as context:
            command.invoke(context)
    except typer.Exit as ended:
        return int(ended.exit_code)
    return 0


@contextmanager
def _signals() -> Iterator[_Interrupts]:
    """Ctrl-C and a polite kill end a run as an error would: it is marked failed, what is published stays."""
    seen = _Interrupts()
    if threading.current_thread() is not threading.main_thread():
        yield seen
        return
    before = {
        signal.SIGINT: signal.signal(signal.SIGINT, seen.interrupt),
        signal.SIGTERM: signal.signal(signal.SIGTERM, seen.terminate),
    }
    try:
        yield seen
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _failed(error: Exception, as_json: bool, seen: _Interrupts) -> int:
    if os.environ.get("UNIFY_DEBUG") == "1":
        traceback.print_exception(error, file=sys.stderr)
    if seen.code:
        return _tell(_INTERRUPTED, as_json, seen.code)
    if isinstance(error, UnifyError):
        hint = error.hint
        if error.exit_code == OURS and not hint:
            hint = _BUG
        return _tell({**error.as_dict(), "hint": hint}, as_json, error.exit_code)
    said = " ".join(str(error).split()) or "no message"
    found = {"error": type(error).__name__, "message": f"{type(error).__name__}: {said}", "where": _place(error)}
    return _tell({**found, "hint": _BUG}, as_json, OURS)


_INTERRUPTED = {"error": "Interrupted", "message": "interrupted", "where": "", "hint": ""}
_BUG = "this is a bug of unify: please report it, with what UNIFY_DEBUG=1 prints"


def _place(error: Exception) -> str:
    frames = traceback.extract_tb(error.__traceback__)
    return f"{Path(frames[-1].filename).name}:{frames[-1].lineno}" if frames else ""


def _usage(error: Exception) -> dict[str, str]:
    context = getattr(error, "ctx", None)
    command = context.command_path if context is not None else PROGRAM
    message = error.format_message() if hasattr(error, "format_message") else str(error)
    return {"error": "UsageError", "message": message, "where": command, "hint": f"`{command} --help`"}


def _tell(found: dict[str, str], as_json: bool, code: int) -> int:
    """One error on stderr: a JSON document, or what, where and the next move in words."""
    if as_json:
        print(json.dumps(found), file=sys.stderr)
        return code
    from unify.cli.output import printable

    place = f"{found['where']}: " if found["where"] else ""
    lines = [*f"{place}{found['message']}".split("\n"), *(f"  → {line}" for line in found["hint"].split("\n") if line)]
    print("\n".join(printable(line) for line in lines), file=sys.stderr)
    return code


def _system(error: OSError) -> dict[str, str]:
    """What the system refused outside of the instance, e.g. a full disk under `> answer.csv`."""
    where = str(error.filename) if error.filename is not None else "the output"
    said = f"{error.strerror or error}"
    return {"error": "OSError", "message": said, "where": where, "hint": "check the disk and the permissions"}


def _stop_writing() -> None:
    """`unify query … | head`: nobody reads on. The interpreter would complain when it flushes at exit."""
    devnull = os.open(os.devnull, os.O_WRONLY)
    os.dup2(devnull, sys.stdout.fileno())
    os.close(devnull)
