"""Named instants at which a test kills the process, makes it fail, or halts it.

Nothing happens unless the environment says so: `UNIFY_FAILPOINT=publish.before_commit:kill`.

    kill     SIGKILL to itself, as `kill -9` or a power cut would (the default)
    stop     SIGSTOP to itself: halted there until somebody sends SIGCONT
    raise    FailpointError
    enospc   OSError(ENOSPC), as a full disk would
"""

import errno
import os
import signal
from typing import Final

from unify.core.errors import SpecError, did_you_mean

VARIABLE: Final = "UNIFY_FAILPOINT"
ACTIONS: Final = ("kill", "stop", "raise", "enospc")

FAILPOINTS: Final[dict[str, str]] = {
    "migrate.before_commit": "catalog tables made, not committed",
    "migrate.after_commit": "catalog tables committed",
    "create.before_rename": "catalog complete under its temporary name",
    "create.after_rename": "the directory is an instance",
    "lease.after_lock": "lock held, holder not yet written down",
    "begin.before_commit": "run row written, not committed",
    "begin.after_commit": "run row committed, leftovers of earlier runs still there",
    "members.before_fsync": "members written under a temporary name, not yet forced to disk",
    "members.before_rename": "members on disk under a temporary name",
    "members.after_rename": "members have their name; nothing refers to them",
    "members.before_directory_fsync": "all members have their names, on disk perhaps not",
    "members.written": "all members on disk; nothing refers to them",
    "publish.before_fsync": "generation file closed by its builder, not yet forced to disk",
    "publish.after_fsync": "generation file on disk, its directory entry perhaps not",
    "publish.after_directory_fsync": "generation file and directory entry on disk",
    "publish.before_commit": "generation published inside the transaction, not committed",
    "publish.after_commit": "new generation published, old ones not yet removed",
    "sweep.before_unlink": "about to remove a file nobody needs",
    "sweep.after_unlink": "that file is gone",
    "refresh.before_commit": "members of a refresh in force inside the transaction, not committed",
    "refresh.after_commit": "members of a refresh in force, files nobody needs not yet removed",
    "fail.before_commit": "file of the failed run removed, its row not committed",
    "fail.after_commit": "run marked failed",
    "rollback.before_commit": "older generation published inside the transaction, not committed",
    "rollback.after_commit": "older generation published",
    "definition.before_commit": "definition written, not committed",
    "definition.after_commit": "definition committed",
    "lease.before_release": "work done, lock still held",
}
"""Every instant by name, and what is true there. Tests iterate this."""


class FailpointError(RuntimeError):
    """What `raise` raises: no UnifyError, so that nothing treats it as an expected failure."""


def failpoint(name: str) -> None:
    """Do what the environment asks for at this instant; nothing as a rule.

    Raises KeyError for a name that is not listed, SpecError for a variable that names nothing we know.
    """
    said = FAILPOINTS[name]
    wanted = os.environ.get(VARIABLE)
    if not wanted:
        return
    point, _, action = wanted.partition(":")
    _check(point, action)
    if point == name:
        _act(name, said, action or "kill")


def _check(point: str, action: str) -> None:
    if point not in FAILPOINTS:
        raise SpecError(f"unknown fail-point {point!r}", where=VARIABLE, hint=did_you_mean(point, FAILPOINTS))
    if action and action not in ACTIONS:
        raise SpecError(f"unknown action {action!r}", where=VARIABLE, hint=did_you_mean(action, ACTIONS))


def _act(name: str, said: str, action: str) -> None:
    if action == "enospc":
        raise OSError(errno.ENOSPC, f"{os.strerror(errno.ENOSPC)} (fail-point {name})")
    if action == "raise":
        raise FailpointError(f"{name}: {said}")
    os.kill(os.getpid(), signal.SIGSTOP if action == "stop" else signal.SIGKILL)
