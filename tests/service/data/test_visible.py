"""What somebody may not see is in no answer of either root: pages, exports, batches, sets of segments, documents."""

import csv
import io
from collections.abc import Iterator
from typing import Any

import pytest

from unify.service.access.gate import Gate
from unify.service.caller import Caller, Role
from unify.service.settings import Settings

ROOT = "/odata/contoso/"
ADMIN = Caller("cy", "user", {"contoso": Role.ADMIN})
READER = Caller("ann", "user", {"contoso": Role.READER})
OF_SEGMENT = Caller("bo", "user", {"contoso": Role.STEWARD}, segments={"contoso": ("big_spenders",)})


@pytest.fixture(scope="module")
def ask_as(shared_root, run_service) -> Iterator[Any]:
    """`ask_as(caller, method, url, …)`."""
    said: list[Caller] = [READER]

    async def caller(self: object, scope: object) -> Caller:
        return said[0]

    with pytest.MonkeyPatch.context() as patch, run_service(Settings(root=shared_root)) as ask:
        patch.setattr(Gate, "caller", caller)

        def asked(who: Caller, method: str, url: str, **options: Any) -> Any:
            said[0] = who
            return ask(method, url, **options)

        yield asked


def test_masked_columns_are_masked_in_pages_exports_batches_and_csv(ask_as):
    clear = ask_as(ADMIN, "GET", f"{ROOT}Customer?export=true&$select=CustomerId,EMail").json()["value"]
    secrets = {row["EMail"] for row in clear if row["EMail"]}
    url = f"{ROOT}Customer?$select=CustomerId,EMail"
    texts = [
        ask_as(READER, "GET", f"{url}&export=true"),
        ask_as(READER, "GET", f"{url}&$format=csv"),
        ask_as(READER, "GET", url),
        ask_as(READER, "GET", f"{ROOT}big_spenders?$select=EMail&export=true"),
        ask_as(
            READER,
            "POST",
            f"{ROOT}$batch",
            json={"requests": [{"id": "1", "method": "GET", "url": "Customer?$select=EMail"}]},
        ),
    ]
    for found in texts:
        assert found.status_code == 200, found.text
        assert not [secret for secret in secrets if secret in found.text]
    known = next(iter(sorted(secrets)))
    assert ask_as(READER, "GET", f"{ROOT}Customer/$count?$filter=EMail eq '{known}'").text == "0"


def test_only_members_of_allowed_segments_are_anywhere(ask_as):
    members = {
        row["CustomerId"]
        for row in ask_as(ADMIN, "GET", f"{ROOT}big_spenders?export=true&$select=CustomerId").json()["value"]
    }
    for url in ("Customer?export=true&$select=CustomerId", "big_spenders?export=true&$select=CustomerId"):
        rows = ask_as(OF_SEGMENT, "GET", ROOT + url).json()["value"]
        assert {row["CustomerId"] for row in rows} == members
    rows = list(csv.DictReader(io.StringIO(ask_as(OF_SEGMENT, "GET", f"{ROOT}gone_quiet?$format=csv").text)))
    assert {row["CustomerId"] for row in rows} <= members
    assert ask_as(OF_SEGMENT, "GET", f"{ROOT}Customer/$count").text == str(len(members))


def test_tags_of_different_sights_differ(ask_as):
    tags = {ask_as(who, "GET", f"{ROOT}crm_Contacts?$top=1").headers["etag"] for who in (READER, OF_SEGMENT)}
    assert len(tags) == 2


def test_nobody_without_a_role_learns_that_an_instance_is_there(ask_as):
    nobody = Caller("eve", "user", {"other": Role.ADMIN})
    for method, path in (
        ("GET", "Customer"),
        ("GET", ""),
        ("POST", "$batch"),
        ("OPTIONS", "Customer"),
        ("DELETE", "Customer"),
        ("GET", "Customer('x')"),
    ):
        there = ask_as(nobody, method, ROOT + path, headers={"content-type": "application/json"})
        gone = ask_as(nobody, method, f"/odata/nowhere/{path}", headers={"content-type": "application/json"})
        assert (there.status_code, gone.status_code) == (404, 404), (method, path)
        assert there.text.replace("contoso", "nowhere") == gone.text
