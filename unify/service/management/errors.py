"""Errors of the management API: the vendor's ApiErrorResult, whatever went wrong.

message      what is wrong; several problems, one a line, which `ciResults` holds one by one
errorCode    the vendor's key where there is one (`segmentNotFound`), else the status as a word (`notFound`)
name         the kind of error (`SpecError`)
params       `where`: the place, e.g. `instanceMetadata.name` of a body; `hint`: the next move
"""

from collections.abc import Sequence
from http import HTTPStatus
from pathlib import Path
from typing import Annotated, Any, Final, Literal

from pydantic import Field

from unify.core.errors import UnifyError
from unify.service.errors import ServiceError
from unify.service.management.telling import told
from unify.spec.wire import Wire

Culprit = Literal["system", "user", "external"]
Severity = Literal["error", "warning", "recommendation"]
INTERNAL: Final = "the service failed; what happened stands in its log"


class CIResult(Wire):
    """One of several problems."""

    exception_culprit: Culprit | None = None
    error_code: str | None = None
    result_severity: Severity | None = None
    message: str | None = None
    name: str | None = None
    params: dict[str, Any] | None = None
    ci_results: tuple["CIResult", ...] | None = None


class ApiErrorResult(Wire):
    """What every refusal of the management API says."""

    exception: Annotated[None, Field(description="Always absent: no internals are told.")] = None
    http_status_code: str | None = None
    exception_culprit: Culprit | None = None
    error_code: str | None = None
    result_severity: Severity | None = None
    message: str | None = None
    name: str | None = None
    params: dict[str, Any] | None = None
    ci_results: tuple[CIResult, ...] | None = None


class RefusedInputError(ServiceError):
    """400 for several problems at once: pairs of a place (`query.top`, `rules.0.name`) and what is wrong there."""

    def __init__(self, problems: Sequence[tuple[str, str]], *, hint: str = "", key: str = "") -> None:
        self.problems = tuple(problems)
        text = "\n".join(f"{where}: {what}" if where else what for where, what in problems)
        where = self.problems[0][0] if len(self.problems) == 1 else ""
        super().__init__(400, text if len(self.problems) > 1 else self.problems[0][1], where=where, hint=hint, key=key)


def api_error(error: BaseException, status: int, root: Path) -> ApiErrorResult:
    """The body of a refusal. Folders of the server are not named: a path below `root` begins with the instance."""
    culprit: Literal["system", "user"] = "user" if status < 500 else "system"
    code = getattr(error, "key", "") or status_word(status)
    if status == 500 or not isinstance(error, UnifyError):
        return told(
            ApiErrorResult,
            http_status_code=str(status),
            exception_culprit=culprit,
            error_code=code,
            result_severity="error",
            message=INTERNAL if status == 500 else str(error),
            name="Exception",
        )
    params = {k: v for k, v in (("where", error.where), ("hint", error.hint)) if v}
    return told(
        ApiErrorResult,
        http_status_code=str(status),
        exception_culprit=culprit,
        error_code=code,
        result_severity="error",
        message=_inside(error.message, root),
        name=type(error).__name__,
        params={k: _inside(v, root) for k, v in params.items()} or None,
        ci_results=tuple(_each(error, code, root)) or None,
    )


def _each(error: UnifyError, code: str, root: Path) -> list[CIResult]:
    """One by one, where there are several."""
    if isinstance(error, RefusedInputError):
        problems = list(error.problems)
    else:
        lines = error.message.split("\n")
        problems = [(error.where, line) for line in lines if line.strip()] if len(lines) > 1 else []
    return [
        told(
            CIResult,
            exception_culprit="user",
            error_code=code,
            result_severity="error",
            message=_inside(what, root),
            name=type(error).__name__,
            params={"where": _inside(where, root)} if where else None,
        )
        for where, what in problems
    ]


def _inside(text: str, root: Path) -> str:
    return text.replace(f"{root.absolute()}/", "").replace(str(root.absolute()), "the root").replace(f"{root}/", "")


def status_word(status: int) -> str:
    """
    >>> status_word(404), status_word(413)
    ('notFound', 'contentTooLarge')
    """
    words = {413: "Content Too Large", 422: "Unprocessable Content"}  # as newer Pythons call them
    known = {s.value: s.phrase for s in HTTPStatus}
    phrase = words.get(status) or known.get(status, "Refused")
    first, *rest = phrase.replace("-", " ").split()
    return first.lower() + "".join(rest)
