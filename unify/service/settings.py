"""Settings of the service: a YAML file, then the environment, then the command line; the later wins. docs/service.md

`UNIFY_SERVE_PORT=9000` sets `port`; lists are written with commas. Unknown keys are errors.
"""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final, Literal, Self

from pydantic import Field, ValidationError, field_validator, model_validator

from unify.core.documents import parse_mapping, read_text
from unify.core.errors import SpecError, did_you_mean
from unify.spec.base import Noun

PREFIX: Final = "UNIFY_SERVE_"
LOOPBACK: Final = frozenset(("127.0.0.1", "::1", "localhost"))


class Issuer(Noun):
    """Somebody whose bearer tokens are taken."""

    issuer: str
    """The `iss` of its tokens."""
    audience: str
    """The `aud` that a token must have."""
    jwks: str
    """URL or file of its public keys."""
    algorithms: tuple[str, ...] = ("RS256", "ES256")
    """The only ones that signatures may have."""
    roles_claim: str = "roles"
    """The claim that says what a caller may do."""


class Limits(Noun):
    """What one request may ask for; beyond it is 400, 413 or 429 with the reason."""

    body_bytes: int = Field(default=16 * 2**20, ge=1024)
    """Of a request; uploads of files have `upload_bytes`."""
    upload_bytes: int = Field(default=4 * 2**30, ge=1024)
    """Of a file that is uploaded."""
    url_bytes: int = Field(default=32 * 2**10, ge=256)
    """Of path and query."""
    page_rows: int = Field(default=10_000, ge=1)
    """Of `$top` beyond which a page ends with a next link, and of `odata.maxpagesize`."""
    expanded_levels: int = Field(default=5, ge=1)
    """Of `$expand` inside `$expand`."""
    filter_terms: int = Field(default=500, ge=1)
    """Comparisons, functions and operators of one request."""
    seconds: float = Field(default=30, gt=0)
    """Of a question to DuckDB."""
    questions: int = Field(default=4, ge=1)
    """To DuckDB at once, per worker."""
    waiting: int = Field(default=64, ge=0)
    """Further ones that wait; one more is 429."""
    memory: str = "1GiB"
    """Of DuckDB for each question; beyond it spills."""
    connections: int = Field(default=1000, ge=1)
    """At once, per worker; one more is 503."""
    header_seconds: float = Field(default=10, gt=0)
    """Until a client has sent its request whole, but for a body that keeps coming."""
    batch_requests: int = Field(default=1000, ge=1)
    """In one `$batch`."""
    exports: int = Field(default=2, ge=1)
    """Of whole sets at once, per worker; one more is 429. Each holds one of `questions` for as long as it takes."""
    export_seconds: float = Field(default=3600, gt=0)
    """Of one export."""


class Settings(Noun):
    """Everything that can be set."""

    root: Path
    """Folder of the instances."""
    host: str = "127.0.0.1"
    """Address to listen on."""
    port: int = Field(default=8330, ge=0, le=65535)
    """0: any that is free, printed at the start."""
    workers: int = Field(default=1, ge=1, le=64)
    """Processes that answer."""
    auth: Literal["auto", "open", "required"] = "auto"
    """auto: open on loopback, required elsewhere. `open` elsewhere than on loopback is refused."""
    issuers: tuple[Issuer, ...] = ()
    """Of bearer tokens, beside the service's own token endpoint."""
    tls_certificate: Path | None = None
    """PEM file, the chain included; with it the service speaks https only."""
    tls_key: Path | None = None
    """PEM file of its private key."""
    custom_apis: tuple[str, ...] = ()
    """Entry points of the group `unify.custom_apis` whose code is loaded; no other is imported."""
    jobs: bool = True
    """Whether this service runs jobs and schedules; false: it only answers."""
    jobs_at_once: int = Field(default=1, ge=1, le=64)
    """Jobs at work, each of another instance."""
    job_memory: str | None = Field(default=None, pattern=r"(?i)^\d+(\.\d+)?\s*([KMGT]i?)?B$")
    """Of DuckDB for each job, e.g. 4GiB; null: as `unify run`, most of the machine."""
    job_threads: int | None = Field(default=None, ge=1)
    """Of each job; null: one per core."""
    packages_at_once: int = Field(default=2, ge=1, le=64)
    """Imports and exports of data packages at work, each of another data project."""
    package_link_seconds: float = Field(default=3600, ge=1, le=7 * 86_400)
    """How long an URL of a file of a data package is good for."""
    package_values: Literal["string", "object"] = "string"
    """What `value` in answers of the package API is: string, as clients take it; object, as its document shows it."""
    webhook_private: bool = False
    """Whether webhooks may go to private address ranges."""
    log: Literal["json", "plain"] = "json"
    """How lines are written."""
    log_level: Literal["debug", "info", "warning", "error"] = "info"
    """The least that is written."""
    public_url: str | None = Field(default=None, pattern=r"^https?://[^/?#\s]+$")
    """What links begin with, where a proxy stands in front, e.g. `https://data.example.org`; null: as asked."""
    organization: str | None = None
    """The instance that `/api/data/…`, `/api/connector/…` and data packages mean where a path names none; null: the
    only one there is."""
    stale_seconds: float | None = Field(default=None, gt=0)
    """`/readyz` fails when the published generation of any instance is older; null: never."""
    limits: Limits = Limits()
    """What one request may ask for."""

    @field_validator("custom_apis", mode="before")
    @classmethod
    def _listed(cls, said: Any) -> Any:
        """The environment writes lists with commas."""
        return [name for part in said.split(",") if (name := part.strip())] if isinstance(said, str) else said

    @model_validator(mode="after")
    def _whole(self) -> Self:
        if self.auth == "open" and self.host not in LOOPBACK:
            raise ValueError("auth: open is for loopback only; leave `host` at 127.0.0.1, or set auth: required")
        if (self.tls_certificate is None) != (self.tls_key is None):
            raise ValueError("tls_certificate and tls_key belong together; `unify dev-cert` makes both")
        return self

    @property
    def open(self) -> bool:
        """Whether everybody may do everything."""
        return self.auth == "open" or (self.auth == "auto" and self.host in LOOPBACK)


def read_settings(file: Path | None = None, environment: Mapping[str, str] | None = None, **given: Any) -> Settings:
    """The settings; SpecError for what is none. `given`: from the command line, None where nothing was said."""
    said: dict[str, Any] = {}
    if file is not None:
        said = parse_mapping(read_text(file, hint="docs/service.md has an example"), where=str(file))
    _take(said, os.environ if environment is None else environment)
    said |= {key: value for key, value in given.items() if value is not None}
    try:
        return Settings.model_validate(said)
    except ValidationError as error:
        raise SpecError("\n".join(_problem(e) for e in error.errors()), where="settings of the service") from None


def _take(said: dict[str, Any], environment: Mapping[str, str]) -> None:
    """Add what the environment says: `UNIFY_SERVE_LIMITS_SECONDS` is `limits: {seconds: …}`."""
    for variable, text in sorted(environment.items()):
        if not variable.startswith(PREFIX):
            continue
        key = variable.removeprefix(PREFIX).lower()
        if key in Settings.model_fields and key != "limits":
            said[key] = text
        elif key.removeprefix("limits_") in Limits.model_fields:
            said["limits"] = {**said.get("limits", {}), key.removeprefix("limits_"): text}
        else:
            known = [*Settings.model_fields, *(f"limits_{name}" for name in Limits.model_fields)]
            raise SpecError(f"{variable} sets nothing", where="environment", hint=did_you_mean(key, known))


def _problem(error: Any) -> str:
    where = ".".join(str(part) for part in error["loc"])
    if error["type"] == "extra_forbidden":
        known = Limits.model_fields if error["loc"][0] == "limits" else Settings.model_fields
        return f"{where}: unknown; {did_you_mean(str(error['loc'][-1]), known)}"
    return f"{where}: {error['msg']}" if where else str(error["msg"]).removeprefix("Value error, ")
