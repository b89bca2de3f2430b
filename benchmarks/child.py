"""One measured process: given a job, watched until it has answered, ended when its time is over."""

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

import psutil

LOOK_EVERY = 0.05
"""Seconds between two looks at the memory of the process tree; a look costs about 1 ms."""
SHOWN = 500
"""Characters of the end of stderr that a failure quotes."""


@dataclass
class Outcome:
    """The JSON lines of a process in order, memory of its tree up to the first of them, or why there is none."""

    answers: list[dict[str, Any]] = field(default_factory=list)
    peak_mib: float = 0.0
    failure: str | None = None


def run(
    command: Sequence[str], job: Mapping[str, Any], *, timeout: float, cwd: Path, environment: Mapping[str, str]
) -> Outcome:
    """Start `command` in a session of its own, hand it the job, read its answers. Never raises for what it does.

    A process that has answered once and then fails or runs out of time keeps its first answer.
    """
    outcome = Outcome()
    errors = Path(job["work"]) / "stderr.txt"
    with errors.open("wb") as stderr:
        process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=stderr, cwd=cwd, start_new_session=True,
            env={**os.environ, **environment},
        )  # fmt: skip
    threads = [
        threading.Thread(target=_read, args=(process.stdout, outcome)),
        threading.Thread(target=_watch, args=(process, outcome)),
    ]
    for thread in threads:
        thread.start()
    try:
        with _leaving_in_order():
            _hand_over(process, {**job, "started": time.time()})
            process.wait(timeout)
    except subprocess.TimeoutExpired:
        if not outcome.answers:
            outcome.failure = f"no answer in {timeout:g} s"
    finally:
        _end(process)
        for thread in threads:
            thread.join()
        if process.stdout is not None:
            process.stdout.close()
    if not outcome.answers and outcome.failure is None:
        outcome.failure = f"exit code {process.returncode}: {_last_words(errors)}"
    return outcome


@contextmanager
def _leaving_in_order() -> Iterator[None]:
    """Who ends us by SIGTERM ends what we measure too: it is in a session of its own, no terminal reaches it."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _hand_over(process: "subprocess.Popen[bytes]", job: Mapping[str, Any]) -> None:
    if process.stdin is None:
        return
    try:
        with process.stdin:
            process.stdin.write(json.dumps(job).encode())
    except BrokenPipeError:
        pass  # it ended without reading: its exit code says the rest


def _read(lines: "IO[bytes] | None", outcome: Outcome) -> None:
    for line in lines or ():
        try:
            answer = json.loads(line)
        except ValueError:
            continue  # a library that writes past the protocol
        if isinstance(answer, dict) and "clusters" in answer:
            outcome.answers.append(answer)
            outcome.peak_mib = max(
                outcome.peak_mib, answer.get("own_peak_mib", 0.0) if len(outcome.answers) == 1 else 0.0
            )


def _watch(process: "subprocess.Popen[bytes]", outcome: Outcome) -> None:
    """Resident memory of the tree, shared pages counted in each process, until there is an answer."""
    while process.poll() is None and not outcome.answers:
        outcome.peak_mib = max(outcome.peak_mib, _resident(process.pid))
        time.sleep(LOOK_EVERY)


def _resident(pid: int) -> float:
    try:
        root = psutil.Process(pid)
        tree = [root, *root.children(recursive=True)]
    except psutil.Error:
        return 0.0
    return sum(_or_nothing(lambda p=p: p.memory_info().rss) for p in tree) / 2**20


def _or_nothing(read: Callable[[], int]) -> int:
    try:
        return read()
    except psutil.Error:
        return 0


def _end(process: "subprocess.Popen[bytes]") -> None:
    """The process and all it started; nothing when it is gone already."""
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def _last_words(errors: Path) -> str:
    lines = [line for line in errors.read_text(errors="replace").splitlines() if line.strip()]
    return " | ".join(line.strip() for line in lines[-4:])[-SHOWN:] if lines else "it said nothing"
