"""Which instance an address means: the one that it names, the one of the settings, or the only one."""

from types import SimpleNamespace

import pytest

from unify.service.errors import ServiceError
from unify.service.organization import address_of


def service(*ids, organization=None):
    settings = SimpleNamespace(public_url=None, organization=organization)
    return SimpleNamespace(settings=settings, roof=SimpleNamespace(ids=lambda: list(ids)))


def asked(path):
    return {"raw_path": path, "path": path.decode(), "headers": [(b"host", b"data.example.org")], "scheme": "https"}


def test_a_path_that_names_an_instance_means_it():
    address = address_of(asked(b"/instances/ac%6De/api/data/v9.2/accounts"), service("one", "two"))
    assert (address.instance, address.rest) == ("acme", b"/api/data/v9.2/accounts")
    assert address.root == "https://data.example.org/instances/ac%6De"


@pytest.mark.parametrize(
    ("known", "meant"),
    [(service("only"), "only"), (service("one", "two", organization="two"), "two")],
)
def test_a_bare_path_means_the_one_that_goes_without_saying(known, meant):
    address = address_of(asked(b"/api/data/v9.2/accounts"), known)
    assert (address.instance, address.rest, address.root) == (
        meant,
        b"/api/data/v9.2/accounts",
        "https://data.example.org",
    )


@pytest.mark.parametrize(("ids", "words"), [((), "no instance yet"), (("one", "two"), "several")])
def test_where_none_does_the_answer_says_what_to_do(ids, words):
    with pytest.raises(ServiceError, match=words) as caught:
        address_of(asked(b"/api/data/v9.2/accounts"), service(*ids))
    assert caught.value.status == 404
    assert "organization" in caught.value.hint
