"""o.js and @odata/client over a real server at both roots, where node and the package registry can be reached."""

import json
import shutil
import subprocess
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import pytest

import unify
from unify.service.settings import Settings
from unify.store.written import WrittenRows

ROOTS = {"clean": "/odata/contoso", "vendor": "/v1/instances/contoso/data"}


@pytest.fixture(scope="module")
def installed(npm_installed: Callable[[Path], Path]) -> Path:
    """A temporary folder with the packages."""
    return npm_installed(Path(__file__).parent / "node")


@pytest.fixture(scope="module")
def own(tmp_path_factory: pytest.TempPathFactory, contoso_made: Path) -> Path:
    """A root with `contoso` that the clients write to."""
    folder = tmp_path_factory.mktemp("own")
    shutil.copytree(contoso_made, folder / "contoso")
    return folder


@pytest.fixture(scope="module")
def base(own: Path, served_at: Any) -> Iterator[str]:
    """Base URL of its service."""
    with served_at(Settings(root=own)) as url:
        yield url


@pytest.fixture(scope="module", params=ROOTS)
def found(request: pytest.FixtureRequest, installed: Path, base: str) -> dict[str, Any]:
    """What both clients got at a root, with its `name`, its `url` and the `id` of the customer they asked for."""
    url = base + ROOTS[request.param]
    id_ = httpx.get(f"{url}/Customer?$top=1&$select=CustomerId&$filter=contains(FullName,'a')").json()["value"][0][
        "CustomerId"
    ]
    command = ["node", "clients.js", url, id_]
    done = subprocess.run(command, cwd=installed, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    answers: dict[str, Any] = json.loads(done.stdout)
    return answers | {"id": id_, "url": url, "name": request.param}


def ids(found: dict[str, Any], options: str) -> list[str]:
    """Of customers, asked without either client."""
    rows = httpx.get(f"{found['url']}/Customer?$select=CustomerId&{options}").json()["value"]
    return [row["CustomerId"] for row in rows]


@pytest.mark.parametrize("client", ["o", "client"])
def test_what_both_read(found, client, contoso_made):
    asked = found[client]
    with unify.open(contoso_made) as acme:
        here = acme.sql(
            "SELECT CustomerId, City FROM Customer WHERE City = 'Eastwick' ORDER BY CustomerId DESC LIMIT 3"
        )
        assert asked["listed"] == here.rows()
        segment = acme.segment("big_spenders")
        assert len(asked["members"]) == segment.count() > 0
        assert all(id_ in segment for id_ in asked["members"])
        [row] = acme.sql("SELECT count(*) AS n FROM Customer").rows()
        assert int(asked["count"]) == row["n"]
    assert asked["one"]["CustomerId"] == found["id"]
    assert asked["batch"][:2] == [[200, 1], [200, 2]]


def test_o_js_follows_next_links(found):
    pages = found["o"]["pages"]
    assert [len(page) for page in pages] == [4, 4, 2]
    assert [id_ for page in pages for id_ in page] == ids(found, "$orderby=CustomerId&$top=10")


def test_o_js_hears_of_errors(found):
    asked = found["o"]
    assert asked["missing"] == asked["unknown"] == {"status": 404, "code": "notFound"}
    assert asked["syntax"] == {"status": 400, "code": "syntaxError"}
    assert asked["batch"] == [[200, 1], [200, 2], [404, None]]  # the first refusal ends a batch


def test_odata_client_hears_of_errors_in_the_shape_of_odata_alone(found):
    """It looks for `error` in the body and not at the status: at the vendor's root, whose errors are flat, it hears nothing."""
    asked = found["client"]
    if found["name"] == "clean":
        assert {asked[what]["thrown"] for what in ("missing", "unknown", "syntax")} == {"ODataServerError"}
        assert asked["missing"]["message"] == "there is no Customer with CustomerId 'nobody'"
        assert asked["unknown"]["message"] == "there is no entity set 'Nobody'"
    else:
        assert asked["missing"]["resolved"]["errorCode"] == "notFound"
        assert asked["unknown"] == asked["syntax"] == {"resolved": None}


def test_change_sets(found, own):
    """@odata/client puts each write into a change set of its own, o.js all of a batch into one."""
    if found["name"] == "clean":
        assert found["client"]["written"] == [405, "methodNotAllowed"]
        return
    assert found["client"]["written"] == [202, {"ContactId": "C-node", "City": "Bern"}]
    assert found["o"]["written"] == [[[1, 202], [2, 202]], [[2, 409]]]
    kept = WrittenRows(own / "contoso").all(datetime.now(UTC))["crm.Contacts"]
    assert [row.key for row in kept] == ["C-node", "C-o1", "C-o2"]
