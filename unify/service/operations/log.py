"""Logs: one JSON object a line, on stderr. No values of customers, no queries, no keys.

Whoever reads logs need not be allowed to read data.

A request is a line at `info` when it was refused, failed or slow, and at `debug` otherwise; /metrics counts them all.
"""

import logging
import sys
from collections.abc import MutableMapping
from typing import Any, Final

import structlog

from unify.service.settings import Settings

logger: Final[Any] = structlog.get_logger("unify.service")

SAID: Final = frozenset((
    "event", "level", "timestamp", "logger", "exception", "request", "method", "room", "route", "status", "ms",
    "instance", "principal", "job", "operation", "run", "generation", "worker", "pid", "workers", "url", "root",
    "instances", "attempt", "delivery", "seconds", "reason", "side", "code",
    "api", "correlation",
))  # fmt: skip
"""Names of fields that may stand in a line. Anything else is left out: it could hold a value."""
SLOW_MS: Final = 1000.0


def configure(settings: Settings) -> None:
    """Once per process, before the first line."""
    level = getattr(logging, settings.log_level.upper())
    renderer: Any = (
        structlog.processors.JSONRenderer(sort_keys=True)
        if settings.log == "json"
        else structlog.dev.ConsoleRenderer(colors=False)
    )
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            _without_locals,
            only_said,
            renderer,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
        cache_logger_on_first_use=False,  # it would keep a stderr that a test has taken away since
    )


def _without_locals(_logger: Any, _name: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """A traceback as places in the code: its messages quote what was asked, and so do its locals."""
    found = event.pop("exc_info", None)
    if not found:
        return event
    error = found if isinstance(found, BaseException) else sys.exc_info()[1]
    if error is not None:
        event["exception"] = places(error)
    return event


def places(error: BaseException) -> list[str]:
    """`TypeError`, then `file:line function` from the outside in; what caused it after it."""
    said, one = [], error
    while one is not None:
        said.append(type(one).__name__)
        trace = one.__traceback__
        while trace is not None:
            code = trace.tb_frame.f_code
            file = "/".join(code.co_filename.split("/")[-3:])
            said.append(f"{file}:{trace.tb_lineno} {code.co_name}")
            trace = trace.tb_next
        one = one.__cause__ or (None if one.__suppress_context__ else one.__context__)  # type: ignore[assignment]
    return said


def only_said(_logger: Any, _name: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """Drop every field that has no leave to stand in a log."""
    for name in set(event) - SAID:
        del event[name]
    return event
