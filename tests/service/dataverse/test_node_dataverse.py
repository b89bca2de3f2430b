"""dynamics-web-api, o.js and @odata/client against a real server, where node and the package registry can be reached."""

import json
import re
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from unify.service.settings import Settings


@pytest.fixture(scope="module")
def installed(npm_installed: Callable[[Path], Path]) -> Path:
    """A temporary folder with the packages."""
    return npm_installed(Path(__file__).parent / "node")


@pytest.fixture(scope="module")
def found(installed: Path, acme: Path, serve: Any) -> dict[str, Any]:
    with serve(Settings(root=acme, jobs=False)) as url:
        command = ["node", "clients.js", f"{url}/instances/acme"]
        done = subprocess.run(command, cwd=installed, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    answers: dict[str, Any] = json.loads(done.stdout)
    return answers


def test_dynamics_web_api(found):
    got = found["dynamics"]
    assert re.fullmatch(r"[0-9a-f-]{36}", got.pop("created"))
    quote, missing = got.pop("quote"), got.pop("missing")
    assert (quote["status"], quote["code"]) == (400, "0x80060888")
    assert (missing["status"], missing["code"]) == (404, "0x80040217")
    assert got == {
        "represented": ["contactid", "lastname", "oDataContext"],
        "retrieved": ["Wide World", 10.5],
        "updated": True,
        "stale": False,
        "fresh": "Widest World",
        "value": None,
        "many": 5,
        "page": [["N1", "N2"], 5, True],
        "all": 5,
        "count": 5,
        "fetched": ["N1", "N2"],
        "delta": True,
        "who": ["BusinessUnitId", "OrganizationId", "UserId"],
        "total": ["account"],
        "linked": 2,
        "last": ["Single", None, None],
        "upserted": 36,
        "entity": "accounts",
        "options": 33,
        "batch": ["string", "string", ["B1"]],
        "deleted": True,
        "metadata": True,
    }


def test_o_js(found):
    assert found["o"] == {"made": 204, "filtered": ["from o.js"], "refused": 404, "batch": [[200, 1], [200, 1]]}


def test_odata_client(found):
    assert found["client"] == {"filtered": "from o.js", "one": "from o.js", "count": 1}
