"""Webhooks as Dataverse registers them: rows of `serviceendpoint`, and how a request shows who sends it.

    authtype 4  WebhookKey        ?code=<authvalue>
             5  HttpHeader        headers      } authvalue: <settings><setting name="Key1" value="Value1" /></settings>,
             6  HttpQueryString   ?Key1=Value1 } or {"Key1": "Value1"}

Beside that a request is signed as our own webhooks are, where the row has a `saskey`: the secret, `whsec_…`.
"""

import base64
import json
import re
from binascii import Error as Base64Error
from collections.abc import Mapping
from typing import Final
from urllib.parse import quote, urlsplit
from xml.etree import ElementTree as ET

from unify.custom.errors import invalid
from unify.dataverse.errors import DataverseError
from unify.records import Value

WEBHOOK: Final = 8
"""contract."""
KEY, HEADER, QUERY = 4, 5, 6
AUTHTYPES: Final = {KEY: "WebhookKey", HEADER: "HttpHeader", QUERY: "HttpQueryString"}
TOKEN: Final = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]{1,100}\Z")
OURS: Final = re.compile(r"(?i)(host|content-.*|transfer-encoding|connection|user-agent|webhook-.*|x-ms-.*)\Z")
"""Headers that a request has anyway."""
VALUE: Final = re.compile(r"[\x20-\x7e]{0,1000}\Z")
SECRET: Final = "whsec_"
LEAST_SECRET: Final = 16
"""Bytes of a secret, as the specification of webhooks wants (24 to 64 are recommended)."""


def check_endpoint(values: dict[str, Value], row: Mapping[str, Value]) -> None:
    """A row of serviceendpoint, and the columns that tell whether secrets are set. DataverseError 400."""
    if int(str(row.get("contract") or WEBHOOK)) != WEBHOOK:
        raise _wrong("Only webhooks can be told here.", "contract", "set contract to 8")
    check_url(str(row["url"]))
    kind = row.get("authtype")
    if kind is not None:
        if kind not in AUTHTYPES:
            known = ", ".join(f"{number} {word}" for number, word in AUTHTYPES.items())
            raise _wrong("Webhooks take another mode of authentication.", "authtype", known)
        if not row.get("authvalue"):
            raise _wrong(f"AuthValue is required for {AUTHTYPES[int(str(kind))]}.", "authvalue", "")
        credentials(int(str(kind)), str(row["authvalue"]))
    if row.get("saskey"):
        _check_secret(str(row["saskey"]))
    values["isauthvalueset"], values["issaskeyset"] = bool(row.get("authvalue")), bool(row.get("saskey"))


def check_url(url: str) -> None:
    """Its form. Whether the address may be sent to is seen before every attempt."""
    try:
        parts = urlsplit(url)
        whole = parts.scheme in ("https", "http") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        raise _wrong(f"'{url[:100]}' is not a valid URL.", "url", "https://host/path") from None
    if not whole or any(ord(c) <= 32 or ord(c) > 126 for c in url):
        raise _wrong(f"'{url[:100]}' is not a valid URL.", "url", "https://host/path, of visible ASCII")
    if parts.username is not None or parts.password is not None or parts.fragment:
        raise _wrong("A URL of a webhook has no name, password or fragment.", "url", "use authtype and authvalue")


def credentials(kind: int, value: str) -> tuple[dict[str, str], str]:
    """Headers, and text for the query, that show who sends. DataverseError 400 for an authvalue that says neither."""
    if kind == KEY:
        return {}, "code=" + quote(value, safe="")
    pairs = _pairs(value)
    if kind == QUERY:
        return {}, "&".join(f"{quote(name, safe='')}={quote(text, safe='')}" for name, text in pairs.items())
    for name, text in pairs.items():
        if not TOKEN.match(name) or OURS.match(name) or not VALUE.match(text):
            raise _wrong(f"The header '{name[:60]}' cannot be sent.", "authvalue", "visible ASCII, a name of your own")
    return pairs, ""


def _pairs(value: str) -> dict[str, str]:
    try:
        found = _json(value) if value.lstrip().startswith("{") else _xml(value)
    except (ValueError, ET.ParseError):
        found = {}
    if not found:
        hint = '<settings><setting name="Key1" value="Value1" /></settings>, or {"Key1": "Value1"}'
        raise _wrong("AuthValue has no pairs of keys and values.", "authvalue", hint)
    return found


def _json(value: str) -> dict[str, str]:
    said = json.loads(value)
    if not isinstance(said, dict) or not all(isinstance(text, str) for text in said.values()):
        raise ValueError(value)
    return said


def _xml(value: str) -> dict[str, str]:
    if "<!" in value:  # no document types: their entities can grow without end
        raise ValueError(value)
    settings = ET.fromstring(value).iter("setting")
    return {each.attrib["name"]: each.attrib["value"] for each in settings if {"name", "value"} <= each.attrib.keys()}


def _check_secret(secret: str) -> None:
    try:
        whole = len(base64.b64decode(secret.removeprefix(SECRET), validate=True)) >= LEAST_SECRET
    except (Base64Error, ValueError):
        whole = False
    if not secret.startswith(SECRET) or not whole:
        raise _wrong("SASKey is no secret to sign with.", "saskey", "whsec_ and base64 of 24 to 64 random bytes")


def _wrong(message: str, where: str, hint: str) -> DataverseError:
    return invalid(message, where=where, hint=hint)
