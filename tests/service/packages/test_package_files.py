"""Files by signed URL: written whole and in blocks, read in ranges, refused when anything about the URL is not as signed."""

import base64
import hashlib
import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
import pytest

from tests.service.packages.conftest import Api, running
from unify.service.database import ServiceDatabase
from unify.service.errors import ServiceError
from unify.service.packages.files import Files
from unify.service.packages.runner import PackageRunner
from unify.service.packages.signing import READ, WRITE, Links, Place, SignatureError
from unify.service.settings import Limits, Settings


def reserve(api: Api, name: str = "a b+ü.zip") -> str:
    return str(json.loads(api.value("GetAzureWriteUrl", uniqueFileName=name))["BlobUrl"])


def reading(settings: Settings, url: str, name: str) -> str:
    """A URL to read what another one wrote."""
    links = Links(ServiceDatabase(settings.root))
    return links.url(url.split("/dmf/", maxsplit=1)[0], Place("acme", name), READ, 60)


def test_what_is_put_is_got_whole_and_in_ranges(quiet: Api, settings: Settings) -> None:
    content = bytes(range(256)) * 10
    url = reserve(quiet)
    md5 = base64.b64encode(hashlib.md5(content, usedforsecurity=False).digest()).decode()
    put = quiet.client.put(url, content=content, headers={"x-ms-blob-type": "BlockBlob", "Content-MD5": md5})
    assert put.status_code == 201
    assert put.headers["content-md5"] == md5
    assert put.headers["etag"]
    assert put.headers["x-ms-version"]
    read = reading(settings, url, "a b+ü.zip")
    got = quiet.client.get(read)
    assert got.content == content
    assert got.headers["etag"] == put.headers["etag"]
    assert quiet.client.get(read, headers={"If-None-Match": got.headers["etag"]}).status_code == 304
    for asked, wanted in {"bytes=0-9": content[:10], "bytes=2550-": content[2550:], "bytes=-5": content[-5:],
                          "bytes=2559-9999": content[2559:]}.items():  # fmt: skip
        for header in ("Range", "x-ms-range"):
            part = quiet.client.get(read, headers={header: asked})
            assert (part.status_code, part.content) == (206, wanted), asked
            assert part.headers["content-range"].endswith("/2560")
    for asked in ("bytes=2560-", "bytes=5-4", "bytes=-", "items=0-1"):
        assert quiet.client.get(read, headers={"Range": asked}).status_code == 416, asked
    head = quiet.client.head(read)
    assert (head.status_code, head.headers["content-length"], head.content) == (200, "2560", b"")
    other = quiet.client.put(url, content=b"other", headers={"x-ms-blob-type": "BlockBlob"})
    assert other.headers["etag"] != put.headers["etag"]
    assert quiet.client.put(url, content=b"x", headers={"If-None-Match": "*"}).status_code == 409
    assert quiet.client.get(read).content == b"other"


def test_an_empty_file_is_a_file(quiet: Api, settings: Settings) -> None:
    url = reserve(quiet, "empty.zip")
    assert quiet.client.put(url, content=b"").status_code == 201
    got = quiet.client.get(reading(settings, url, "empty.zip"))
    assert (got.status_code, got.content, got.headers["content-length"]) == (200, b"", "0")


def test_blocks_are_joined_by_their_list(quiet: Api, settings: Settings) -> None:
    url = reserve(quiet, "blocks.zip")
    names = [base64.b64encode(f"block-{n:04}".encode()).decode() for n in range(3)]
    for place, name in enumerate(names):
        sent = quiet.client.put(
            f"{url}&comp=block&blockid={httpx.QueryParams({'b': name})['b'].replace('=', '%3D')}",
            content=f"<{place}>".encode(),
        )
        assert sent.status_code == 201
    listed = "".join(f"<Latest>{name}</Latest>" for name in (names[2], names[0], names[1], names[0]))
    read = reading(settings, url, "blocks.zip")
    assert quiet.client.get(read).status_code == 404
    missing = quiet.client.put(f"{url}&comp=blocklist", content="<BlockList><Latest>QQ==</Latest></BlockList>")
    assert (missing.status_code, missing.headers["x-ms-error-code"]) == (400, "InvalidBlockList")
    bomb = '<!DOCTYPE x [<!ENTITY a "b">]><BlockList><Latest>&a;</Latest></BlockList>'
    assert quiet.client.put(f"{url}&comp=blocklist", content=bomb).status_code == 400
    joined = quiet.client.put(f"{url}&comp=blocklist", content=f"<?xml version='1.0'?><BlockList>{listed}</BlockList>")
    assert joined.status_code == 201
    assert quiet.client.get(read).content == b"<2><0><1><0>"
    assert quiet.client.put(f"{url}&comp=block&blockid=..%2F..%2Fx", content=b"x").status_code == 400
    assert quiet.client.put(f"{url}&comp=lease", content=b"x").status_code == 400


def test_the_vendors_own_storage_client_writes_and_reads(quiet: Api, settings: Settings) -> None:
    blob = pytest.importorskip("azure.storage.blob", reason="azure-storage-blob is not installed")
    content = bytes(range(256)) * 100
    for name, size in {"at once.zip": 10**6, "in blocks.zip": 1000}.items():
        url = reserve(quiet, name)
        blob.BlobClient.from_blob_url(url, max_single_put_size=size, max_block_size=1000).upload_blob(
            content, overwrite=True
        )
        client = blob.BlobClient.from_blob_url(
            reading(settings, url, name), max_single_get_size=999, max_chunk_get_size=999
        )
        assert client.download_blob().readall() == content
        assert client.get_blob_properties().size == len(content)


def test_what_is_not_as_it_was_signed_is_refused_as_azure_refuses(quiet: Api, settings: Settings) -> None:
    url = reserve(quiet, "secret.zip")
    quiet.client.put(url, content=b"secret")
    read = reading(settings, url, "secret.zip")
    for wrong in (
        read.replace("sp=r", "sp=w"), read.replace("sp=r", "sp=rw"), read.replace("secret.zip", "other.zip"),
        read.replace("/acme/", "/other/"), read.split("?")[0], read + "A", read.replace("si=", "si=0"),
        read.replace("sr=b", "sr=c"), read.replace("se=20", "se=30"), read.replace("/secret", "/%2e%2e%2fsecret"),
        read.replace("sig=", "sig=%00"), url,
    ):  # fmt: skip
        refused = quiet.client.get(wrong)
        assert (refused.status_code, refused.headers["x-ms-error-code"]) == (403, "AuthenticationFailed"), wrong
        assert refused.text.startswith('<?xml version="1.0" encoding="utf-8"?><Error><Code>AuthenticationFailed</Code>')
        assert b"secret" not in refused.content.replace(b"secret.zip", b"")
    assert quiet.client.put(read, content=b"mine").status_code == 403
    assert quiet.client.delete(url).status_code == 405
    assert quiet.client.get(read).content == b"secret"


def test_a_wrong_digest_and_too_long_a_file_leave_nothing(settings: Settings, quiet: Api) -> None:
    url = reserve(quiet, "digest.zip")
    wrong = quiet.client.put(url, content=b"abc", headers={"Content-MD5": base64.b64encode(b"0" * 16).decode()})
    assert (wrong.status_code, wrong.headers["x-ms-error-code"]) == (400, "Md5Mismatch")
    assert quiet.client.put(url, content=b"abc", headers={"x-ms-blob-type": "PageBlob"}).status_code == 400
    from tests.service.conftest import serving

    small = settings.model_copy(update={"limits": Limits(upload_bytes=1024)})
    with serving(small) as base, httpx.Client(base_url=base) as client:
        other = reserve(Api(client), "long.zip")
        assert client.put(other, content=b"x" * 1025).status_code == 413
        assert client.put(other, content=iter([b"x" * 600] * 2)).status_code == 413
        assert client.get(reading(settings, other, "long.zip")).status_code == 404
    left = [path for path in (settings.root / "acme" / "packages" / "blobs").rglob("*") if path.is_file()]
    assert left == []


def test_urls_expire_and_keys_rotate(tmp_path: Path) -> None:
    links = Links(ServiceDatabase(tmp_path))
    place, start = Place("acme", "a.zip"), datetime(2026, 11, 1, tzinfo=UTC)

    def asked(url: str, now: datetime, permission: str = READ) -> Place:
        path, _, query = url.removeprefix("http://x").partition("?")
        return links.check(path, dict(httpx.QueryParams(query)), permission, now)

    url = links.url("http://x", place, READ, 3600, start)
    assert asked(url, start + timedelta(minutes=59)) == place
    with pytest.raises(SignatureError, match="was good until"):
        asked(url, start + timedelta(hours=1))
    with pytest.raises(SignatureError, match="is for reading"):
        asked(url, start, WRITE)
    week = links.url("http://x", place, READ, 10**9, start + timedelta(days=29))
    key = httpx.URL(week).params["si"]
    assert asked(week, start + timedelta(days=35)) == place
    newer = links.url("http://x", place, READ, 60, start + timedelta(days=31))
    assert httpx.URL(newer).params["si"] != key
    assert asked(week, start + timedelta(days=35, hours=23)) == place
    links.url("http://x", place, READ, 60, start + timedelta(days=62))
    with pytest.raises(SignatureError, match="not valid"):
        asked(week, start + timedelta(days=35))


def test_files_are_taken_away_after_seven_days(quiet: Api, settings: Settings) -> None:
    url = quiet.upload(b"content", "week.zip")
    files = Files(ServiceDatabase(settings.root), settings.root)
    path = files.get("acme", "week.zip").path
    now = datetime.now(UTC)
    assert files.sweep(now + timedelta(days=6, hours=23)) == 0
    assert path.exists()
    runner = PackageRunner(settings, clock=lambda: now + timedelta(days=7, minutes=1))
    runner.tick()
    assert not path.exists()
    with pytest.raises(ServiceError):
        files.get("acme", "week.zip")
    gone = quiet.client.get(reading(settings, url, "week.zip"))
    assert (gone.status_code, gone.headers["x-ms-error-code"]) == (404, "BlobNotFound")
    assert "nothing was uploaded" in quiet.call("ImportFromPackage", packageUrl=url, definitionGroupId="P").text


def test_executions_of_a_week_ago_are_forgotten_by_the_runner(quiet: Api, settings: Settings) -> None:

    submitted = quiet.value(
        "ImportFromPackage", packageUrl=quiet.upload(b"PK no package", "bad.zip"), definitionGroupId="Old"
    )
    with running(settings):
        assert quiet.ended(submitted) == "Failed"
    PackageRunner(settings, clock=lambda: datetime.now(UTC) + timedelta(days=8)).tick()
    assert quiet.call("GetExecutionSummaryStatus", executionId=submitted).status_code == 400
