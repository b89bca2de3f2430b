"""Keys, roles, the audit log, certificates and one person's data on the command line."""

import json
import ssl

import pytest

from unify.cli import run


def said(capsys, *words: str) -> dict | list:
    assert run([*words, "--json"]) == 0, capsys.readouterr().err
    return json.loads(capsys.readouterr().out)


def test_a_life_of_keys(tmp_path, capsys):
    root = str(tmp_path)
    made = said(capsys, "access", "key", "create", root, "--role", "admin")
    assert made["key"].startswith(f"{made['id']}_")
    second = said(capsys, "access", "key", "create", root, "--secondary", "--rate", "5", "--days", "9")
    assert run(["access", "key", "create", root]) != 0
    assert "has a primary key" in capsys.readouterr().err
    new = said(capsys, "access", "key", "regenerate", root, second["id"])
    assert new["slot"] == "secondary"
    said(capsys, "access", "key", "revoke", root, made["id"])
    assert run(["access", "key", "revoke", root, new["id"]]) != 0
    assert "last key of the last admin" in capsys.readouterr().err
    listed = said(capsys, "access", "key", "list", root)
    assert [(k["revoked"] is None, k["rate"]) for k in listed] == [(False, None), (False, 5.0), (True, 5.0)]
    assert "key" not in listed[0]


def test_roles(tmp_path, capsys):
    root = str(tmp_path)
    assert said(capsys, "access", "role", root, "ann", "--role", "Contributor", "--on", "contoso")["role"] == "steward"
    assert run(["access", "role", root, "ann", "--role", "boss"]) != 0
    assert run(["access", "role", root, "ann"]) != 0
    assert "either --role or --remove" in capsys.readouterr().err
    assert said(capsys, "access", "role", root, "ann", "--on", "contoso", "--remove")["role"] is None


def test_the_log_is_verified_and_a_break_is_an_error(tmp_path, capsys):
    import asyncio

    from unify.service.access.audit import Audit, Entry
    from unify.service.access.secret import Secret
    from unify.service.database import ServiceDatabase

    database = ServiceDatabase(tmp_path)
    audit = Audit(database, Secret(database.folder))
    asyncio.run(audit.sealed(Entry(at=1.0, who="ann", method="PUT", route="/x", status=200, ms=1.0)))
    audit.close()
    assert said(capsys, "access", "audit", "verify", str(tmp_path))["entries"] == 1
    assert said(capsys, "access", "audit", "list", str(tmp_path))[0]["who"] == "ann"
    with database.write() as db:
        db.execute("DROP TRIGGER access_audit_is_final")
        db.execute("UPDATE access_audit SET entry = '{}'")
    assert run(["access", "audit", "verify", str(tmp_path)]) == 4
    assert "not what was written" in capsys.readouterr().out


def test_a_folder_that_is_not_there(tmp_path, capsys):
    assert run(["access", "key", "list", str(tmp_path / "nowhere")]) == 4
    assert "no such folder" in capsys.readouterr().err


def test_a_certificate_that_its_authority_vouches_for(tmp_path, capsys):
    made = said(capsys, "dev-cert", str(tmp_path / "certs"))
    context = ssl.create_default_context(cafile=made["authority"])
    assert len(context.get_ca_certs()) == 1
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(made["certificate"], made["key"])
    one, other = ssl.MemoryBIO(), ssl.MemoryBIO()
    asks = context.wrap_bio(one, other, server_hostname="localhost")
    answers = server.wrap_bio(other, one, server_side=True)
    for _ in range(6):
        for side in (asks, answers):
            try:
                side.do_handshake()
            except ssl.SSLWantReadError:
                continue
    assert asks.getpeercert()["subject"] == ((("commonName", "localhost"),),)
    for file in made.values():
        assert (tmp_path / "certs").joinpath(file).stat().st_mode & 0o77 == 0
    assert run(["dev-cert", str(tmp_path / "certs")]) == 4
    assert "is there already" in capsys.readouterr().err


@pytest.fixture
def small(tmp_path):
    import pyarrow as pa

    import unify

    plan = {
        "sources": {"a": {"People": {"key": "Id", "columns": {"Id": "string"}}}},
        "conflation": {
            "order": ["a.People"],
            "dedupe": {"a.People": {"rules": [{"name": "id", "when": [{"field": "Id"}]}]}},
        },
    }
    path = tmp_path / "acme"
    with unify.open(path, create=True) as acme:
        acme.run(plan, frames={"a.People": pa.table({"Id": ["P-1", "P-2"], "Name": ["Ann", "Bob"]})})
    return path


def test_subject_and_erase(small, tmp_path, capsys):
    assert run(["subject", "a.People:P-1", "-i", str(small)]) == 0
    assert json.loads(capsys.readouterr().out)["records"]["a.People"][0]["Name"] == "Ann"
    page = tmp_path / "ann.html"
    assert said(capsys, "subject", "a.People:P-1", "-i", str(small), "--out", str(page)) == {"path": str(page)}
    assert "Ann" in page.read_text(encoding="utf-8")
    assert run(["subject", "a.People:P-1", "-i", str(small), "--out", str(page)]) == 4
    assert run(["subject", "a.People:P-1", "-i", str(small), "--out", "x.pdf"]) == 2
    assert run(["subject", "a.People:P-9", "-i", str(small)]) == 7
    capsys.readouterr()
    done = said(capsys, "erase", "a.People:P-1", "-i", str(small), "--reason", "ticket", "--yes")
    assert (done["records"], done["left"]) == (1, [])
    assert run(["subject", "a.People:P-1", "-i", str(small)]) == 7
