"""Keys and tokens: what opens, what does not, and what is told to whoever knocks with the wrong thing."""

import asyncio
import base64
import hmac as hmac_module
import json
import time
from typing import Any

import httpx
import pytest
from joserfc import jwt
from joserfc.jwk import ECKey, OctKey, RSAKey

from unify.core.errors import SpecError
from unify.service.access import keys as keys_module
from unify.service.access.changes import Changes
from unify.service.access.issuers import IssuerKeys
from unify.service.access.rates import Rates
from unify.service.access.register import Registry
from unify.service.access.signing import Signing
from unify.service.caller import EVERYWHERE, Role
from unify.service.errors import ServiceError
from unify.service.settings import Issuer

ME = "/v1/instances"
ISSUER, AUDIENCE = "https://login.example/contoso", "api://unify"
OPEN_ID = "client_credentials"


@pytest.fixture
def world(tmp_path, world_of):
    return world_of(tmp_path / "root")


RSA = RSAKey.generate_key(2048, {"kid": "r1", "use": "sig"})
EC = ECKey.generate_key("P-256", {"kid": "e1", "use": "sig"})


@pytest.fixture
def federated(tmp_path, world_of):
    jwks = tmp_path / "keys.json"
    jwks.write_text(json.dumps({"keys": [RSA.as_dict(private=False), EC.as_dict(private=False)]}))
    return world_of(tmp_path / "root", (Issuer(issuer=ISSUER, audience=AUDIENCE, jwks=str(jwks)),))


def claims(**other: Any) -> dict[str, Any]:
    now = int(time.time())
    said = {"iss": ISSUER, "aud": AUDIENCE, "sub": "ann", "iat": now, "nbf": now, "exp": now + 600, "roles": ["admin"]}
    return {k: v for k, v in (said | other).items() if v is not None}


def signed(key: Any = RSA, alg: str = "RS256", header: dict[str, Any] | None = None, **other: Any) -> str:
    kid = {"kid": key.kid} if key.kid else {}
    return jwt.encode({"alg": alg, **kid, **(header or {})}, claims(**other), key, algorithms=[alg])


def part(value: dict[str, Any]) -> str:
    return base64.urlsafe_b64encode(json.dumps(value).encode()).rstrip(b"=").decode()


# ── keys ─────────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_key_opens_and_its_secret_is_nowhere(world):
    assert world.ask(key=world.admin.text).status_code == 200
    secret = world.admin.text.rsplit("_", 1)[0] and keys_module.parts(world.admin.text)[1]
    for file in (world.service.settings.root / ".service").iterdir():
        assert secret.encode() not in file.read_bytes(), file


def wrong_keys(world: Any) -> list[str]:
    id_, secret = keys_module.parts(world.admin.text)
    return [
        "", "x", id_, f"{id_}_", f"{id_}_{secret[:-1]}", f"{id_}_{secret}x", f"{id_}_{'A' * 43}", secret, world.admin.text.upper(),
        f"uk_{'a' * 12}_{secret}", f" {world.admin.text} x", world.admin.text.replace("uk_", "ku_"), "é" * 50, f"{id_}_{secret}\x00",
    ]  # fmt: skip


def test_other_keys_open_nothing_and_learn_nothing(world):
    answers = []
    for wrong in wrong_keys(world):
        try:
            answers.append(world.ask(headers={"Ocp-Apim-Subscription-Key": wrong.encode("latin-1", "ignore")}))
        except (httpx.LocalProtocolError, ValueError):
            continue
    assert len(answers) >= 10
    assert {a.status_code for a in answers} == {401}
    assert len({a.text for a in answers}) == 1
    assert {a.headers["www-authenticate"] for a in answers} == {'Bearer realm="unify", error="invalid_token"'}


def test_secrets_are_compared_in_constant_time(monkeypatch):
    compared = []
    monkeypatch.setattr(hmac_module, "compare_digest", lambda a, b: compared.append((a, b)) or a == b)
    assert keys_module.same(keys_module.hashed("s", b"p"), "s", b"p")
    assert not keys_module.same(b"\0" * 32, "s", b"p")
    assert len(compared) == 2
    assert all(len(a) == len(b) == 32 for a, b in compared)


def test_an_unknown_id_costs_a_comparison_too(world, monkeypatch):
    calls = []
    right = keys_module.same
    monkeypatch.setattr(keys_module, "same", lambda *a: calls.append(a) or right(*a))
    world.ask(key=f"uk_{'a' * 12}_{'b' * 43}")
    assert len(calls) == 1


def test_a_revoked_key_is_dead_on_every_worker_within_a_second(world):
    other = Registry(world.service.database)  # as another worker has it
    given = world.changes.create_key("rita", roles={EVERYWHERE: Role.READER})
    assert world.ask(key=given.text).status_code == 200
    Changes(world.service.guard).revoke(given.id)
    time.sleep(0.6)
    assert world.ask(key=given.text).status_code == 401
    assert asyncio.run(other.fresh()).keys[given.id].revoked is not None


def test_regenerating_ends_the_old_key_and_keeps_the_limits(world):
    given = world.changes.create_key("rita", roles={EVERYWHERE: Role.READER}, days=10, rate=7, burst=3, daily_rows=9)
    new = world.changes.regenerate(given.id)
    register = world.service.guard.registry.now
    old, now = register.keys[given.id], register.keys[new.id]
    assert (now.rate, now.burst, now.daily_rows, now.slot) == (old.rate, old.burst, old.daily_rows, old.slot)
    assert abs(now.expires - old.expires) < 5
    assert world.ask(key=given.text).status_code == 401
    assert world.ask(key=new.text).status_code == 200
    with pytest.raises(ServiceError, match="no live key"):
        world.changes.regenerate(given.id)


def test_an_expired_key_opens_nothing_and_frees_its_slot(world):
    given = world.changes.create_key("rita", roles={EVERYWHERE: Role.READER}, days=0.3 / 86_400)
    assert world.ask(key=given.text).status_code == 200
    time.sleep(0.4)
    assert world.ask(key=given.text).status_code == 401, "also where it was remembered"
    assert world.changes.create_key("rita").id != given.id


def test_a_slot_holds_one_key(world):
    with pytest.raises(ServiceError, match="has a primary key"):
        world.changes.create_key("boss")
    second = world.changes.create_key("boss", slot="secondary")
    world.changes.revoke(world.admin.id)
    assert world.ask(key=second.text).status_code == 200
    with pytest.raises(ServiceError, match="last key of the last admin"):
        world.changes.revoke(second.id)


def test_the_last_admin_stays(world):
    for change in (lambda: world.changes.unassign("boss", "*"), lambda: world.changes.assign("boss", "*", Role.READER)):
        with pytest.raises(ServiceError, match="last admin") as refused:
            change()
        assert refused.value.status == 409
    assert world.ask(key=world.admin.text, url="/v1/access/keys").status_code == 200
    world.changes.assign("eve", "*", Role.ADMIN)  # comes with tokens of an issuer
    world.changes.unassign("boss", "*")


def test_credentials_stand_once(world):
    twice = [("Ocp-Apim-Subscription-Key", world.admin.text), ("Ocp-Apim-Subscription-Key", world.admin.text)]
    assert world.runner.run(world.client.get(ME, headers=twice)).status_code == 401
    assert world.ask(key=world.admin.text, headers={"Authorization": "Basic eDp5"}).status_code == 401
    assert world.ask(url=f"{ME}?subscription-key={world.admin.text}").status_code == 401, "no key in a URL"


# ── rates ────────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_key_asks_no_faster_than_it_may(world):
    given = world.changes.create_key("rita", roles={EVERYWHERE: Role.READER}, rate=2, burst=3)
    answers = [world.ask(key=given.text) for _ in range(5)]
    assert [a.status_code for a in answers] == [200, 200, 200, 429, 429]
    assert int(answers[-1].headers["retry-after"]) >= 1
    assert world.ask(key=world.admin.text).status_code == 200, "others are not held up"
    time.sleep(1.1)
    assert world.ask(key=given.text).status_code == 200


def test_rates_hold_across_workers_and_refill(tmp_path):
    now = [1000.0]
    one, other = (Rates(tmp_path, clock=lambda: now[0]) for _ in range(2))
    granted = sum(not worker.wait(5, 10, 4) for worker in (one, other) * 10)
    assert granted == 4
    now[0] += 0.2
    assert [other.wait(5, 10, 4) for _ in range(3)][:2] == [0.0, 0.0]
    assert one.wait(5, 10, 4) == pytest.approx(0.1)
    assert one.wait(6, 10, 4) == 0.0, "a key of its own"
    assert one.wait(5000, 1, 1) == 0.0, "the file grows"
    assert other.wait(5000, 1, 1) == pytest.approx(1.0)
    now[0] -= 500  # the clock is set back
    assert one.wait(5, 10, 4) == 0.0


def test_days_are_counted_by_rows(tmp_path):
    now = [86_400.0 * 100 + 5]
    rates = Rates(tmp_path, clock=lambda: now[0])
    rates.spend(1, 700)
    rates.spend(1, 50)
    assert rates.rows_today(1) == 750
    assert rates.seconds_of_day_left() == 86_395
    now[0] += 86_400
    assert rates.rows_today(1) == 0


def test_a_budget_of_rows_ends(root, world_of):
    world = world_of(root)
    given = world.changes.create_key("rita", roles={EVERYWHERE: Role.READER}, daily_rows=25)
    url = "/v1/instances/contoso/data/Customer?$top=20&$filter=City ne 'x'"
    answers = [world.ask(key=given.text, url=url) for _ in range(3)]
    assert [a.status_code for a in answers] == [200, 200, 429]
    assert "25 rows of today" in answers[-1].text
    assert 0 < int(answers[-1].headers["retry-after"]) <= 86_400


# ── the service's own tokens ─────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("url", "more"),
    [
        ("/oauth2/token", {}), ("/contoso.example/oauth2/token", {"resource": "https://api.ci.ai.dynamics.com"}),
        ("/oauth2/v2.0/token", {}), ("/72f9/oauth2/v2.0/token", {"scope": "https://api.ci.ai.dynamics.com/.default"}),
    ],
)  # fmt: skip
def test_tokens_for_keys(world, url, more):
    answer = world.token(url=url, client_id=world.admin.id, client_secret=world.admin.text, **more)
    body = answer.json()
    assert (answer.status_code, body["token_type"]) == (200, "Bearer")
    assert answer.headers["cache-control"] == "no-store"
    assert isinstance(body["expires_in"], int if "v2.0" in url else str)
    assert world.ask(bearer=body["access_token"]).status_code == 200
    assert world.ask(bearer=body["access_token"], key=world.admin.text).status_code == 200


def test_a_client_may_say_who_it_is_by_basic(world):
    id_, secret = keys_module.parts(world.admin.text)
    said = base64.b64encode(f"{id_}:{secret}".encode()).decode()
    basic = {"Authorization": f"Basic {said}"}
    assert world.ask("POST", "/oauth2/token", data={"grant_type": OPEN_ID}, headers=basic).status_code == 200
    wrong = {"Authorization": f"Basic {base64.b64encode(f'{id_}:{secret[:-1]}'.encode()).decode()}"}
    refused = world.ask("POST", "/oauth2/token", data={"grant_type": OPEN_ID}, headers=wrong)
    assert (refused.status_code, refused.json()["error"]) == (401, "invalid_client")
    assert refused.headers["www-authenticate"].startswith("Basic")
    both = {"grant_type": OPEN_ID, "client_id": id_, "client_secret": secret}
    assert world.ask("POST", "/oauth2/token", data=both, headers=basic).json()["error"] == "invalid_request"


@pytest.mark.parametrize(
    ("form", "error", "status"),
    [
        ({"grant_type": "password"}, "unsupported_grant_type", 400), ({"grant_type": ""}, "unsupported_grant_type", 400),
        ({"client_secret": "no"}, "invalid_client", 401), ({"client_id": "uk_nobody"}, "invalid_client", 401),
        ({"hello": "x"}, "invalid_request", 400), ({"client_id": ""}, "invalid_client", 401),
        ({"scope": "a b", "v": "2"}, "invalid_scope", 400), ({"scope": "openid", "v": "2"}, "invalid_scope", 400),
    ],
)  # fmt: skip
def test_the_token_endpoint_refuses_in_the_words_of_oauth(world, form, error, status):
    url = "/oauth2/v2.0/token" if form.pop("v", "") else "/oauth2/token"
    said = {"client_id": world.admin.id, "client_secret": world.admin.text, **form}
    answer = world.token(url=url, **said)
    assert (answer.json()["error"], answer.status_code) == (error, status)
    assert world.admin.text not in answer.text


@pytest.mark.parametrize(
    ("body", "kind"),
    [(b"{}", "application/json"), (b"grant_type=client_credentials&grant_type=x", "application/x-www-form-urlencoded"),
     (b"\xff\xfe=1", "application/x-www-form-urlencoded"), (b"x" * 20_000, "application/x-www-form-urlencoded"), (b"", "")],
)  # fmt: skip
def test_bodies_that_are_no_form(world, body, kind):
    answer = world.ask("POST", "/oauth2/token", content=body, headers={"content-type": kind} if kind else {})
    assert answer.status_code in (400, 413)
    assert answer.json()["error"] == "invalid_request"
    assert world.ask("GET", "/oauth2/token").status_code == 405


def test_a_token_dies_with_its_key(world):
    given = world.changes.create_key("rita", roles={EVERYWHERE: Role.READER})
    token = world.token(client_id=given.id, client_secret=given.text).json()["access_token"]
    assert world.ask(bearer=token).status_code == 200
    world.changes.revoke(given.id)
    assert world.ask(bearer=token).status_code == 401


def test_a_key_beside_a_token_of_somebody_else_opens_nothing(world):
    given = world.changes.create_key("rita", roles={EVERYWHERE: Role.READER})
    token = world.token(client_id=given.id, client_secret=given.text).json()["access_token"]
    assert world.ask(bearer=token, key=world.admin.text).status_code == 401
    assert world.ask(bearer=token, key="uk_nothing").status_code == 401
    assert world.ask(bearer="nothing", key=world.admin.text).status_code == 401


def test_a_token_of_a_key_is_counted_as_the_key(world):
    given = world.changes.create_key("rita", roles={EVERYWHERE: Role.READER}, rate=0.1, burst=2)
    token = world.token(client_id=given.id, client_secret=given.text).json()["access_token"]
    answers = [world.ask(bearer=token), world.ask(key=given.text), world.ask(bearer=token, key=given.text)]
    assert [a.status_code for a in answers] == [200, 200, 429]


def test_signing_keys_turn_and_old_tokens_hold(world):
    signing, month = world.service.guard.signing, 30 * 86_400 + 60
    key = world.service.guard.registry.now.keys[world.admin.id]
    old = signing.token(key)
    signing.token(key, now=time.time() + month)
    kids = [k["kid"] for k in signing.public()]
    assert len(kids) == 2
    assert world.ask(bearer=old).status_code == 200
    assert all("d" not in k for k in world.ask(url="/oauth2/keys").json()["keys"])
    assert Signing(world.service.database, world.service.guard.secret).issuer == signing.issuer


def test_discovery_leads_to_the_keys(world):
    for path in ("", "/contoso.example", "/contoso.example/v2.0"):
        about = world.ask(url=f"{path}/.well-known/openid-configuration").json()
        assert world.ask(url=about["jwks_uri"].removeprefix("http://service")).json()["keys"]
        assert about["token_endpoint"].endswith("/oauth2/token")


# ── tokens of issuers, and forgeries ─────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("make", [signed, lambda: signed(EC, "ES256"), lambda: signed(aud=["x", AUDIENCE])])
def test_a_configured_issuer_is_believed(federated, make):
    assert federated.ask(bearer=make(), url="/v1/access/keys").status_code == 200


@pytest.mark.parametrize(
    ("said", "status"),
    [(["admin"], 200), (["Owner"], 200), ("admin other", 200), (["contoso:admin"], 403), (["reader"], 403), ([], 403), (None, 403), ([["admin"]], 403)],
)  # fmt: skip
def test_roles_of_a_token(federated, said, status):
    assert federated.ask(bearer=signed(roles=said), url="/v1/access/keys").status_code == status


def test_a_subject_is_never_one_of_ours(federated):
    """Else whoever may choose a subject at some issuer chooses to be our admin."""
    assert federated.ask(bearer=signed(sub="boss", roles=[]), url="/v1/access/keys").status_code == 403
    federated.changes.assign(f"{ISSUER}#ann", "*", Role.ADMIN)
    assert federated.ask(bearer=signed(roles=[]), url="/v1/access/keys").status_code == 200


def forged(federated: Any) -> dict[str, str]:
    good = signed()
    head, body, seal = good.split(".")
    public = RSA.as_pem(private=False)
    thief = RSAKey.generate_key(2048, {"kid": "r1"})
    hs = hmac_module.new(public, f"{part({'alg': 'HS256', 'kid': 'r1'})}.{body}".encode(), "sha256").digest()
    own = federated.service.guard.signing.issuer
    return {
        "no signature": f"{head}.{body}.",
        "alg none": f"{part({'alg': 'none'})}.{body}.",
        "alg None": f"{part({'alg': 'None', 'kid': 'r1'})}.{body}.{seal}",
        "public key as the secret": f"{part({'alg': 'HS256', 'kid': 'r1'})}.{body}.{base64.urlsafe_b64encode(hs).rstrip(b'=').decode()}",
        "another claim": f"{head}.{part(claims(sub='root'))}.{seal}",
        "another key of that name": signed(thief),
        "its own key in the header": signed(thief, header={"jwk": thief.as_dict(private=False)}),
        "a key set of its own": signed(thief, header={"jku": "http://127.0.0.1:9/keys"}),
        "an unknown key": signed(RSAKey.generate_key(2048, {"kid": "zz"})),
        "an algorithm that is not listed": signed(RSA, "RS512"),
        "a critical extension": f"{part({'alg': 'RS256', 'kid': 'r1', 'crit': ['b64'], 'b64': False})}.{body}.{seal}",
        "another issuer": signed(iss="https://login.example/fabrikam"),
        "no issuer": signed(iss=None),
        "our own issuer": signed(iss=own, aud=own, appid=federated.admin.id),
        "another audience": signed(aud="api://other"),
        "no audience": signed(aud=None),
        "ended": signed(exp=int(time.time()) - 120),
        "without end": signed(exp=None),
        "an end in words": signed(exp="tomorrow"),
        "an end that is true": signed(exp=True),
        "not yet": signed(nbf=int(time.time()) + 600),
        "made tomorrow": signed(iat=int(time.time()) + 86_400),
        "nobody": signed(sub=None),
        "an empty subject": signed(sub=""),
        "a list of subjects": signed(sub=["boss"]),
        "five parts": f"{good}.a.b",
        "two parts": f"{head}.{body}",
        "not base64": f"!!.{body}.{seal}",
        "a header that is a list": f"{base64.urlsafe_b64encode(b'[]').decode()}.{body}.{seal}",
        "very long": f"{head}.{body}.{'A' * 20_000}",
        "deep": f"{base64.urlsafe_b64encode(b'[' * 5000).decode().rstrip('=')}.{body}.{seal}",
        "cut": good[:-5],
        "signed with a secret": jwt.encode({"alg": "HS256", "kid": "r1"}, claims(), OctKey.generate_key(256), algorithms=["HS256"]),
    }  # fmt: skip


def test_forged_tokens_open_nothing_and_are_told_nothing(federated):
    assert federated.ask(bearer=signed()).status_code == 200
    answers = {name: federated.ask(bearer=token) for name, token in forged(federated).items()}
    assert {name: a.status_code for name, a in answers.items() if a.status_code != 401} == {}
    assert len({a.text for a in answers.values()}) == 1


@pytest.mark.parametrize("algorithms", [("HS256",), ("none",), ("RS256", "HS512"), ()])
def test_symmetric_algorithms_cannot_be_configured(algorithms):
    with pytest.raises(SpecError, match="algorithms"):
        IssuerKeys(Issuer(issuer="i", audience="a", jwks="k.json", algorithms=algorithms))
    with pytest.raises(SpecError, match="plain http"):
        IssuerKeys(Issuer(issuer="i", audience="a", jwks="http://login.example/keys"))


def test_key_sets_are_kept_and_fetched_anew_with_patience():
    now, fetched, answer = [100.0], [], [json.dumps({"keys": [RSA.as_dict(private=False)]}).encode()]

    def fetch(url: str) -> bytes:
        fetched.append(now[0])
        if answer[0] is None:
            raise OSError("down")
        return answer[0]

    issuer = IssuerKeys(
        Issuer(issuer=ISSUER, audience=AUDIENCE, jwks="https://x/keys"), fetch=fetch, clock=lambda: now[0]
    )
    header = {"alg": "RS256", "kid": "r1"}
    assert issuer.claims(signed(), header)
    assert issuer.claims(signed(), header)
    assert len(fetched) == 1, "kept"
    turned = RSAKey.generate_key(2048, {"kid": "r2", "use": "sig"})
    for _ in range(20):
        assert issuer.claims(signed(turned), {"alg": "RS256", "kid": "r2"}) is None
    assert len(fetched) == 1, "an unknown key so soon is no reason to ask"
    now[0] += 11
    answer[0] = json.dumps({"keys": [turned.as_dict(private=False)]}).encode()
    assert issuer.claims(signed(turned), {"alg": "RS256", "kid": "r2"})
    answer[0] = None
    now[0] += 4000
    asked = len(fetched)
    for _ in range(100):
        assert issuer.claims(signed(turned), {"alg": "RS256", "kid": "r2"}), "old keys hold while the issuer is away"
        now[0] += 1
    assert len(fetched) - asked <= 8, "1, 2, 4 … seconds between attempts"


# ── headers and limits ───────────────────────────────────────────────────────────────────────────────────────────────


def test_every_answer_has_security_headers(world):
    for answer in (
        world.ask(),
        world.ask(key=world.admin.text),
        world.ask(url="/healthz"),
        world.ask(url="/nowhere", key=world.admin.text),
    ):
        headers = answer.headers
        assert headers["x-content-type-options"] == "nosniff"
        assert "frame-ancestors 'none'" in headers["content-security-policy"]
        assert headers["referrer-policy"] == "no-referrer"
        assert "no-cache" in headers["cache-control"] or "no-store" in headers["cache-control"]
        assert not [name for name in headers if name.startswith("access-control")]
    asked = world.ask(
        "OPTIONS",
        key=world.admin.text,
        headers={"Origin": "https://evil.example", "Access-Control-Request-Method": "GET"},
    )
    assert "access-control-allow-origin" not in asked.headers


def test_long_urls_and_headers_are_refused(world):
    assert world.ask(url=f"/v1/instances?x={'y' * 40_000}").status_code == 414
    assert world.ask(headers={"X-Long": "y" * 70_000}).status_code == 431


@pytest.mark.parametrize(
    ("method", "headers", "status"),
    [
        ("GET", {"Host": "127.0.0.1:8330"}, 200), ("GET", {"Host": "localhost"}, 200), ("GET", {"Host": "[::1]:8330"}, 200),
        ("GET", {"Host": "evil.example:8330"}, 403), ("GET", {"Host": "127.0.0.1.evil.example"}, 403), ("GET", {"Host": ""}, 200),
        ("GET", {"Host": "127.evil.example"}, 403), ("GET", {"Host": "[::ffff"}, 403),
        ("GET", {"Host": "localhost", "Origin": "http://localhost"}, 200), ("GET", {"Host": "localhost", "Origin": "null"}, 403),
        ("GET", {"Host": "localhost:1", "Origin": "https://evil.example"}, 403),
        ("GET", {"Host": "localhost", "Origin": "http://["}, 403),
    ],
)  # fmt: skip
def test_an_open_service_answers_no_page_of_another_site(root, ask, method, headers, status):
    assert ask(method, "/v1/instances", headers=headers).status_code == status
