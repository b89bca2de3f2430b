"""Logs: one JSON object a line, on stderr."""

import structlog

logger = structlog.get_logger("unify.service")
