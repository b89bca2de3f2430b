"""What a client wants and takes: versions, formats, preferences."""

import re
from dataclasses import dataclass
from typing import Final

from segments.odata.syntax import ast
from segments.odata.syntax import ast_options as o
from unify.service.data.exchange import Inquiry
from unify.service.errors import ServiceError, bad_request

VERSION: Final = re.compile(r"(\d{1,3})\.(\d{1,3})\Z")
NEWEST: Final = "4.01"
JSON: Final = "application/json"
CSV: Final = "text/csv"
XML: Final = "application/xml"
TEXT: Final = "text/plain"
VARY: Final = (b"vary", b"accept, authorization, ocp-apim-subscription-key, odata-maxversion, prefer")


def version_of(inquiry: Inquiry) -> str:
    """The version to answer in, `4.0` or `4.01`; ServiceError 400 for a client that takes no such one."""
    said = inquiry.header("odata-version")
    if said is not None and said.strip() not in ("4.0", "4.01"):
        hint = "send OData-Version: 4.0 or 4.01"
        raise bad_request(f"OData-Version {said[:20]!r} is not spoken here", where="OData-Version", hint=hint)
    most = inquiry.header("odata-maxversion")
    if most is None:
        return said.strip() if said else NEWEST
    match = VERSION.match(most.strip())
    hint = "send OData-MaxVersion: 4.0 or 4.01"
    if match is None:
        raise bad_request(f"{most[:20]!r} is no version", where="OData-MaxVersion", hint=hint)
    if int(match[1]) < 4:
        raise bad_request(f"OData {most[:20]} is not spoken here", where="OData-MaxVersion", hint=hint)
    return "4.0" if match[0] == "4.0" else NEWEST


def version_or_newest(inquiry: Inquiry) -> str:
    """The version of a refusal, which also goes to who speaks none."""
    return "4.0" if (inquiry.header("odata-maxversion") or "").strip() == "4.0" else NEWEST


# ── formats ──────────────────────────────────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True, slots=True)
class Range:
    """One part of an Accept header."""

    type: str
    parameters: dict[str, str]
    q: float

    def fits(self, media: str) -> bool:
        """Whether the media type is meant, parameters apart."""
        kind = self.type.partition("/")[0]
        return self.type in ("*/*", media) or self.type == f"{kind}/*" == f"{media.partition('/')[0]}/*"

    @property
    def exact(self) -> int:
        """How closely it says what it means."""
        return (self.type != "*/*") + (not self.type.endswith("/*")) + bool(self.parameters)


ANYTHING: Final = Range("*/*", {}, 1.0)


def ranges_of(accept: str) -> list[Range]:
    """The parts of an Accept header that can be read."""
    found: list[Range] = []
    for part in accept.split(","):
        media, *rest = (piece.strip() for piece in part.split(";"))
        parameters: dict[str, str] = {}
        q = 1.0
        for piece in rest:
            name, _, value = piece.partition("=")
            value = value.strip().strip('"')
            if name.strip().lower() == "q":
                q = _quality(value)
                continue
            parameters[name.strip().lower().removeprefix("odata.")] = value.lower()
        if "/" in media:
            found.append(Range(media.lower(), parameters, q))
    return found


def _quality(text: str) -> float:
    try:
        return min(max(float(text), 0.0), 1.0)
    except ValueError:
        return 0.0


def offers_of(request: o.Request) -> tuple[str, ...]:
    """Formats that a resource comes in, the usual one first."""
    segments = request.path.segments
    if segments and isinstance(segments[0], ast.System) and segments[0].name == "$metadata":
        return (XML, JSON)
    last = segments[-1] if segments else None
    if isinstance(last, ast.Count) or (isinstance(last, ast.System) and last.name == "$value"):
        return (TEXT,)
    return (JSON,) if not segments else (JSON, CSV)


def accepted(inquiry: Inquiry, request: o.Request, *, vendor: bool) -> str:
    """The format to answer in, in the words of `$format`; ServiceError 406 when the client takes none that there is.

    `$format` goes before the header. Plain text is given to whoever asks for a number, whatever they take.
    """
    offers = offers_of(request)
    said = inquiry.header("accept")
    if vendor and inquiry.media == CSV and CSV in offers:  # the vendor's documents ask for exports so
        return CSV
    if said is None or offers == (TEXT,) or any(isinstance(x, o.Text) and x.name == "$format" for x in request.options):
        return usual(request)
    ranges = ranges_of(said)
    best: tuple[float, int, int, str] | None = None
    for place, media in enumerate(offers):
        for one in ranges:
            written = _written(media, one) if one.fits(media) else None
            if written is None:
                continue
            refused = any(other.fits(media) and other.q == 0 and other.exact > one.exact for other in ranges)
            if one.q > 0 and not refused:
                rank = (one.q, one.exact, -place, written)
                best = max(best, rank) if best else rank
    if best is None:
        hint = f"send Accept: {' or '.join(offers)}"
        raise ServiceError(406, f"there is no answer in {said[:80]!r}", where="Accept", hint=hint)
    return best[3]


def usual(request: o.Request) -> str:
    """The format for who does not say one."""
    media = offers_of(request)[0]
    return _written(media, ANYTHING) or media


def _written(media: str, one: Range) -> str | None:
    """The format as `$format` spells it; None when its parameters ask for what there is not."""
    if media != JSON:
        return media
    said = dict(one.parameters)
    metadata, ieee754 = said.pop("metadata", "minimal"), said.pop("ieee754compatible", "false")
    if metadata not in ("minimal", "none") or ieee754 not in ("true", "false"):
        return None
    if said.pop("charset", "utf-8") not in ("utf-8", "utf8"):
        return None
    return f"{JSON};odata.metadata={metadata};IEEE754Compatible={ieee754}"


# ── preferences ──────────────────────────────────────────────────────────────────────────────────────────────────────


def preferences(inquiry: Inquiry) -> dict[str, str]:
    """Names in lower case without `odata.`, the first of each counts; values without quotes."""
    found: dict[str, str] = {}
    for part in (inquiry.header("prefer") or "").split(","):
        name, _, value = part.partition(";")[0].partition("=")
        key = name.strip().lower().removeprefix("odata.")
        if key:
            found.setdefault(key, value.strip().strip('"'))
    return found


def page_preferred(inquiry: Inquiry, most: int) -> int | None:
    """Rows a page that a client prefers, `most` at most; None when it prefers nothing that is a number."""
    said = preferences(inquiry).get("maxpagesize", "")
    return min(int(said), most) if said.isascii() and said.isdigit() and len(said) < 19 and int(said) > 0 else None


def matches(known: str, tag: str) -> bool:
    """Whether If-None-Match names the state there is; the literal `null` of some clients is no condition."""
    tags = [part.strip().removeprefix("W/") for part in known.split(",")]
    return "*" in tags or tag.removeprefix("W/") in tags
