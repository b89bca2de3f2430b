"""Subscriptions over HTTP: what may be subscribed to, and that secrets are told once."""

import socket

import pytest

REAL = socket.getaddrinfo


@pytest.fixture(autouse=True)
def _public(monkeypatch: pytest.MonkeyPatch) -> None:
    """Names of the examples stand for a public address; nothing is ever sent."""
    monkeypatch.setattr("unify.service.jobs.addresses.socket.getaddrinfo", _looked_up)


def _looked_up(host: str, port: int, *_: object, **__: object) -> list:
    if host == "127.0.0.1":
        return REAL(host, port, *_, **__)
    if not host.endswith("example.com"):
        raise OSError("not known")
    return [(2, 1, 6, "", ("10.0.0.1" if host.startswith("inside") else "93.184.216.34", port))]


HOOK = {"url": "https://hooks.example.com/unify", "events": ["segment.entered"], "segments": ["big_spenders"]}


def test_a_subscription_from_its_making_to_its_end(http):
    made = http.post("contoso/webhooks", json=HOOK)
    assert made.status_code == 201, made.text
    one = made.json()
    assert one["secret"].startswith("whsec_")
    assert (one["isActive"], one["events"], one["segments"]) == (True, ["segment.entered"], ["big_spenders"])
    path = f"contoso/webhooks/{one['webhookId']}"
    told = {key: value for key, value in one.items() if key != "secret"}
    assert http.get(path).json() == told
    assert http.get("contoso/webhooks").json() == [told]
    changed = http.patch(path, json={"isActive": False, "segments": []}).json()
    assert (changed["isActive"], changed["segments"], changed["url"]) == (False, [], HOOK["url"])
    renewed = http.post(f"{path}/secret").json()["secret"]
    assert renewed != one["secret"]
    assert http.get(f"{path}/deliveries").json() == []
    assert http.get(f"{path}/deliveries?state=dead&top=3").json() == []
    assert http.post(f"{path}/deliveries/evt_1/retry").status_code == 404
    assert http.delete(path).json() is True
    assert http.get(path).status_code == 404
    assert http.delete(path).status_code == 404


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ({}, "is missing"),
        ({"url": "http://hooks.example.com/"}, "https"),
        ({"url": "https://inside.example.com/"}, "no public address"),
        ({"url": "https://nobody.invalid/"}, "is not known"),
        ({"url": "https://ann:pw@hooks.example.com/"}, "password"),
        ({**HOOK, "events": []}, "events"),
        ({**HOOK, "events": ["segment.entred"]}, "events"),
        ({**HOOK, "secret": "mine"}, "unknown key"),
    ],
)
def test_what_cannot_be_subscribed(refused, http, body, said):
    error = refused("POST", "contoso/webhooks", body)
    assert said in f"{error['message']} {error.get('params')}"
    assert http.get("contoso/webhooks").json() == []
