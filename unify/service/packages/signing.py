"""URLs of files that prove themselves, in the shape of Azure's shared access signatures.

    https://host/dmf/acme/groups.zip?sv=2020-04-08&sr=b&sp=w&se=2026-11-22T18:00:00Z&si=4f0c…&sig=…

    sp    r: GET and HEAD; w: PUT
    sig   base64 of HMAC-SHA256, by the key `si`, over permission, path, expiry and key id

Whoever has a URL may do what it says until `se`, and nothing else. Keys are the service's own, a new one every month.
"""

import base64
import hashlib
import hmac
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final
from urllib.parse import parse_qsl, quote, unquote, urlencode, urlsplit

from unify.service.database import ServiceDatabase
from unify.service.errors import ServiceError, bad_request
from unify.service.jobs.nouns import stamp

PREFIX: Final = "/dmf/"
VERSION: Final = "2020-04-08"
"""Of the shape. Azure's clients drop parameters that are not theirs, so all of these are."""
ROTATE: Final = timedelta(days=30)
LONGEST: Final = timedelta(days=7)
"""No URL is good for longer: files are kept so long. A key is known for that long after its last signature."""
READ, WRITE = "r", "w"


class SignatureError(ServiceError):
    """403: the URL does not prove what is asked of it."""

    def __init__(self, message: str, *, hint: str = "ask for a new URL") -> None:
        super().__init__(403, message, where="sig", hint=hint, key="AuthenticationFailed")


@dataclass(frozen=True, slots=True)
class Place:
    """What a URL leads to. `name`: of the file, decoded."""

    instance: str
    name: str


class Links:
    """Signs and checks. Blocking (SQLite)."""

    def __init__(self, database: ServiceDatabase) -> None:
        self._database = database

    def url(self, origin: str, place: Place, permission: str, seconds: float, now: datetime | None = None) -> str:
        """A URL for one file and one permission."""
        now = now or datetime.now(UTC)
        until = now + min(timedelta(seconds=seconds), LONGEST)
        se = until.strftime("%Y-%m-%dT%H:%M:%SZ")
        key_id, secret = self._newest(now)
        path = path_of(place)
        query = {"sv": VERSION, "sr": "b", "sp": permission, "se": se, "si": key_id,
                 "sig": _signature(secret, permission, path, se, key_id)}  # fmt: skip
        return f"{origin}{path}?{urlencode(query)}"

    def check(self, path: str, query: Mapping[str, str], permission: str, now: datetime | None = None) -> Place:
        """What a signed path leads to; SignatureError. `path`: as `path_of` writes it."""
        now = now or datetime.now(UTC)
        place = place_of(path)
        secret = self._secret(query.get("si", ""))
        se, sp = query.get("se", ""), query.get("sp", "")
        wanted = _signature(secret or b"\0" * 32, sp, path_of(place), se, query.get("si", ""))
        good = hmac.compare_digest(wanted.encode(), query.get("sig", "").encode("utf-8", "replace"))
        if not good or secret is None or query.get("sr") != "b" or query.get("sv") != VERSION:
            raise SignatureError("the signature of the URL is not valid")
        if not _moment(se) > now:
            raise SignatureError(f"the URL was good until {se}")
        if sp != permission:
            raise SignatureError(f"the URL is for {'writing' if sp == WRITE else 'reading'}")
        return place

    def check_url(self, url: str, origins: frozenset[str], instance: str, now: datetime | None = None) -> str:
        """The name of the file of an instance that a whole URL of ours leads to; ServiceError 400.

        Reading or writing: whoever may write a file may have it imported. Nothing is ever fetched.
        """
        hint = "give the BlobUrl that GetAzureWriteUrl answered with"
        try:
            parts = urlsplit(url)
            query = dict(parse_qsl(parts.query, keep_blank_values=True, strict_parsing=bool(parts.query)))
        except ValueError:
            raise bad_request("it is no URL", where="packageUrl", hint=hint) from None
        if f"{parts.scheme}://{parts.netloc}".casefold() not in {origin.casefold() for origin in origins}:
            raise bad_request("the package is not on this service, and nothing is fetched from elsewhere",
                              where="packageUrl", hint=hint)  # fmt: skip
        try:
            place = self.check(parts.path, query, query.get("sp", "") if query.get("sp") == READ else WRITE, now)
        except ServiceError as error:
            raise bad_request(error.message, where="packageUrl", hint=hint) from None
        if place.instance != instance:
            raise bad_request("the package is another instance's", where="packageUrl", hint=hint)
        return place.name

    def _newest(self, now: datetime) -> tuple[str, bytes]:
        rows = self._database.rows("SELECT * FROM package_keys ORDER BY made DESC, key_id LIMIT 1")
        if rows and rows[0]["made"] > stamp(now - ROTATE):
            return rows[0]["key_id"], rows[0]["secret"]
        key_id, secret = secrets.token_hex(8), secrets.token_bytes(32)
        with self._database.write() as db:
            gone = {"gone": stamp(now - ROTATE - LONGEST)}
            db.execute("DELETE FROM package_keys WHERE made < $gone", gone)
            sql = "INSERT INTO package_keys (key_id, secret, made) VALUES ($key_id, $secret, $made)"
            db.execute(sql, {"key_id": key_id, "secret": secret, "made": stamp(now)})
        return key_id, secret

    def _secret(self, key_id: str) -> bytes | None:
        rows = self._database.rows("SELECT secret FROM package_keys WHERE key_id = $key", {"key": key_id})
        return rows[0]["secret"] if rows else None


def path_of(place: Place) -> str:
    """The one spelling of a path that is signed."""
    return f"{PREFIX}{quote(place.instance, safe='')}/{quote(place.name, safe='')}"


def place_of(path: str) -> Place:
    """The other way round; SignatureError for what is no path of a file."""
    parts = path.split("/")
    if len(parts) != 4 or parts[0] or parts[1] != "dmf" or not parts[2] or not parts[3]:
        raise SignatureError("the path leads to no file")
    return Place(unquote(parts[2]), unquote(parts[3]))


def _signature(secret: bytes, permission: str, path: str, se: str, key_id: str) -> str:
    said = f"{permission}\n{path}\n{se}\n{key_id}".encode("utf-8", "replace")
    return base64.b64encode(hmac.new(secret, said, hashlib.sha256).digest()).decode()


def _moment(se: str) -> datetime:
    try:
        return datetime.strptime(se, "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=UTC)
    except ValueError:
        raise SignatureError("the expiry of the URL is no moment") from None
