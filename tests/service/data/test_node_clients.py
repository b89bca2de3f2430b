"""o.js and @odata/client over a real server, where node and the package registry can be reached."""

import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import httpx
import pytest

HERE = Path(__file__).parent / "node"
pytestmark = pytest.mark.soak
"""An installation takes 5 to 15 seconds."""


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A temporary folder with the packages."""
    if shutil.which("node") is None or shutil.which("npm") is None:
        pytest.skip("node is not installed")
    folder = tmp_path_factory.mktemp("node")
    for name in ("package.json", "clients.js"):
        shutil.copy(HERE / name, folder)
    command = ["npm", "install", "--no-audit", "--no-fund", "--prefer-offline", "--fetch-retries=0", "--loglevel=error"]
    try:
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=120, check=False)
    except subprocess.TimeoutExpired:
        pytest.skip("npm did not end within two minutes")
    if done.returncode:
        pytest.skip(f"npm could not install the clients: {done.stderr.strip()[:200]}")
    return folder


@pytest.fixture(scope="module")
def found(installed: Path, shared_server: str) -> dict[str, Any]:
    root = f"{shared_server}/odata/contoso"
    id_ = httpx.get(f"{root}/Customer?$top=1&$select=CustomerId").json()["value"][0]["CustomerId"]
    done = subprocess.run(
        ["node", "clients.js", root, id_], cwd=installed, capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stderr
    answers: dict[str, Any] = json.loads(done.stdout)
    return answers | {"id": id_}


def test_o_js(found):
    asked = found["o"]
    assert asked["filtered"] == [{"City": "Eastwick"}] * 2
    assert asked["one"]["CustomerId"] == found["id"]
    assert asked["refused"] == 404
    assert asked["batch"] == [[200, 1], [200, 2]]


def test_odata_client(found, get):
    asked = found["client"]
    assert asked["one"]["CustomerId"] == found["id"]
    assert asked["filtered"] == [{"City": "Eastwick"}] * 2
    assert asked["count"] == int(get("Customer/$count").text)
    assert asked["batch"] == 1
