"""One execution, in a process of its own: `python -m unify.service.packages.work ROOT INSTANCE EXECUTION`.

What it does stands in the instance, step by step: it may be killed at any instant, and the next one goes on.
"""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from unify.core.errors import UnifyError
from unify.instance import Instance
from unify.packages import ExecutionStateError
from unify.service.operations.log import configure, logger
from unify.service.settings import Settings
from unify.store import Store


def main(arguments: Sequence[str] | None = None) -> int:
    """0: it has ended, well or not, as its row says. 1: it could not even begin."""
    parser = argparse.ArgumentParser(prog="python -m unify.service.packages.work")
    parser.add_argument("root", type=Path)
    parser.add_argument("instance")
    parser.add_argument("execution")
    parser.add_argument("--log", default="json")
    parser.add_argument("--log-level", default="info")
    parser.add_argument("--memory")
    parser.add_argument("--threads", type=int)
    said = parser.parse_args(arguments)
    configure(Settings(root=said.root, log=said.log, log_level=said.log_level))
    try:
        store = Store.open(said.root / said.instance)
        with Instance(store, memory_limit=said.memory, threads=said.threads) as acme:
            done = acme.packages.run(said.execution)
    except ExecutionStateError:  # another process has it
        return 0
    except UnifyError as error:
        logger.warning("package failed", instance=said.instance, reason=type(error).__name__)
        return 1
    logger.info("package ended", instance=said.instance, status=done.status.value)
    return 0


if __name__ == "__main__":
    sys.exit(main())
