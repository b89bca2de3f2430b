"""Steps, images and endpoints as rows: what is let in, what is refused."""

import base64

import pytest

from unify.custom import Context, custom_api, plugin
from unify.custom.endpoints import credentials
from unify.custom.types import id_of
from unify.dataverse.errors import DataverseError

SEEN: list[str] = []


@plugin("acme.seen")
def seen(context: Context) -> None:
    SEEN.append(f"{context.message} {context.configuration}")


@custom_api("acme_Closed")
def closed(context: Context) -> None:
    """No steps."""


@custom_api("acme_Events", steps="async")
def events(context: Context) -> None:
    """Asynchronous steps."""


@custom_api("acme_All", steps="all")
def everything(context: Context) -> None:
    """All steps."""


@pytest.fixture
def ready(world):
    SEEN.clear()
    world.load(seen, closed, events, everything)
    return world


def on(message: str, **more):
    handler = f"/plugintypes({id_of('plugintype', 'acme.seen')})"
    return {
        "sdkmessageid@odata.bind": f"/sdkmessages({id_of('sdkmessage', message)})",
        "eventhandler_plugintype@odata.bind": handler, **more,
    }  # fmt: skip


def of(message: str, table: str):
    return {"sdkmessagefilterid@odata.bind": f"/sdkmessagefilters({id_of('sdkmessagefilter', message, table)})"}


def test_a_step_as_a_row_is_called(ready):
    made = ready.create("sdkmessageprocessingstep", **on("acme_All", stage=20, configuration="a"))
    ready.call("acme_All")
    assert SEEN == ["acme_All a"]
    [row] = ready.rows("sdkmessageprocessingstep")
    assert (row["name"], row["mode"], row["rank"]) == ("acme_All of any entity", 0, 1)
    ready.write(lambda w: w.update("sdkmessageprocessingstep", made.id, {"statecode": 1}))
    ready.call("acme_All")
    assert SEEN == ["acme_All a"], "a disabled step is not called"
    ready.write(lambda w: w.delete("sdkmessageprocessingstep", made.id))


def test_steps_go_with_their_message(ready):
    api = ready.api("acme_Mine", allowedcustomprocessingsteptype=2)
    ready.create("sdkmessageprocessingstep", **on("acme_Mine"))
    ready.write(lambda w: w.delete("customapi", api.id))
    assert ready.rows("sdkmessageprocessingstep") == []


@pytest.mark.parametrize(
    ("body", "where"),
    [
        (on("acme_Closed"), "sdkmessageid"), (on("acme_Closed", mode=1), "sdkmessageid"),
        (on("acme_Events"), "sdkmessageid"), (on("acme_All", stage=30), "stage"),
        (on("acme_All", stage=20, mode=1), "mode"), (on("acme_All", filteringattributes="name"), "filteringattributes"),
        (on("Update", filteringattributes="name"), "filteringattributes"),
        ({**on("Update", filteringattributes="nmae"), **of("Update", "account")}, "filteringattributes"),
        ({**on("Update"), **of("Create", "account")}, "sdkmessagefilterid"),
        ({"sdkmessageid@odata.bind": f"/sdkmessages({id_of('sdkmessage', 'Update')})"}, "eventhandler"),
        ({k: v for k, v in on("Update").items() if "handler" in k}, "sdkmessageid"),
    ],
)  # fmt: skip
def test_steps_that_cannot_be(ready, body, where):
    with pytest.raises(DataverseError) as refused:
        ready.create("sdkmessageprocessingstep", **body)
    assert (refused.value.status, refused.value.where) == (400, where)


def test_steps_of_each_kind_that_can_be(ready):
    for body in (on("acme_Events", mode=1), on("acme_All", stage=10), on("acme_All", mode=1),
                 {**on("Update", filteringattributes="name, telephone1"), **of("Update", "account")}):  # fmt: skip
        ready.create("sdkmessageprocessingstep", **body)


@pytest.mark.parametrize(
    ("message", "image", "where"),
    [
        ("acme_All", {"imagetype": 0}, "sdkmessageprocessingstepid"), ("Create", {"imagetype": 0}, "imagetype"),
        ("Create", {"imagetype": 2}, "imagetype"), ("Delete", {"imagetype": 1}, "imagetype"),
        ("Update", {"attributes": "nmae"}, "attributes"), ("Update", {"entityalias": None}, "entityalias"),
    ],
)  # fmt: skip
def test_images_that_cannot_be(ready, message, image, where):
    more = {} if message == "acme_All" else of(message, "account")
    made = ready.create("sdkmessageprocessingstep", **on(message), **more)
    bound = {"sdkmessageprocessingstepid@odata.bind": f"/sdkmessageprocessingsteps({made.id})"}
    with pytest.raises(DataverseError) as refused:
        ready.create("sdkmessageprocessingstepimage", **{"entityalias": "a", **image, **bound})
    assert (refused.value.status, refused.value.where) == (400, where)


def test_a_post_image_is_only_there_after(ready):
    made = ready.create("sdkmessageprocessingstep", **on("Update", stage=20), **of("Update", "account"))
    bound = {"sdkmessageprocessingstepid@odata.bind": f"/sdkmessageprocessingsteps({made.id})"}
    with pytest.raises(DataverseError) as refused:
        ready.create("sdkmessageprocessingstepimage", entityalias="a", imagetype=1, **bound)
    assert refused.value.where == "imagetype"
    ready.create("sdkmessageprocessingstepimage", entityalias="a", imagetype=0, attributes="name", **bound)


# ── endpoints ────────────────────────────────────────────────────────────────────────────────────────────────────────

SECRET = "whsec_" + base64.b64encode(b"s" * 32).decode()
XML = '<settings><setting name="Key1" value="Value 1" /><setting name="Key2" value="&amp;2" /></settings>'


@pytest.mark.parametrize(
    ("body", "where"),
    [
        ({"url": "ftp://x.example"}, "url"), ({"url": "https://"}, "url"), ({"url": "https://a:b@x.example"}, "url"),
        ({"url": "https://x.example/#a"}, "url"), ({"url": "https://x.example/ä"}, "url"), ({"url": None}, "url"),
        ({"contract": 2}, "contract"), ({"authtype": 2, "authvalue": "a"}, "authtype"), ({"authtype": 5}, "authvalue"),
        ({"authtype": 5, "authvalue": "x"}, "authvalue"), ({"authtype": 5, "authvalue": '{"Host": "x"}'}, "authvalue"),
        ({"authtype": 5, "authvalue": '{"X-Ms-Own": "x"}'}, "authvalue"),
        ({"authtype": 5, "authvalue": '{"Key": "a\\nb"}'}, "authvalue"),
        ({"authtype": 5, "authvalue": '<!DOCTYPE a [<!ENTITY b "c">]>' + XML}, "authvalue"),
        ({"authtype": 6, "authvalue": "{}"}, "authvalue"), ({"saskey": "secret"}, "saskey"),
        ({"saskey": "whsec_c2hvcnQ="}, "saskey"),
    ],
)  # fmt: skip
def test_endpoints_that_cannot_be(world, body, where):
    with pytest.raises(DataverseError) as refused:
        world.create("serviceendpoint", **{"name": "hook", "url": "https://x.example/hook", **body})
    assert (refused.value.status, refused.value.where) == (400, where)


def test_secrets_are_told_to_be_there_and_nothing_else(world):
    world.create("serviceendpoint", name="hook", url="https://x.example/h", authtype=4, authvalue="abc", saskey=SECRET)
    [row] = world.rows("serviceendpoint")
    assert (row["isauthvalueset"], row["issaskeyset"], row["contract"]) == (True, True, 8)
    with world.store.read() as reading:
        from unify.dataverse.model import model_of

        table = model_of(reading).table("serviceendpoint")
    assert not table.attribute("authvalue").read
    assert not table.attribute("saskey").read


def test_how_a_request_shows_who_sends():
    assert credentials(4, "a b&c") == ({}, "code=a%20b%26c")
    assert credentials(5, XML) == ({"Key1": "Value 1", "Key2": "&2"}, "")
    assert credentials(6, XML) == ({}, "Key1=Value%201&Key2=%262")
    assert credentials(6, '{"Key1": "a"}') == ({}, "Key1=a")


def test_a_webhook_is_told_after_the_commit_only(ready):
    end = ready.create("serviceendpoint", name="hook", url="https://x.example/hook")
    to = {"eventhandler_serviceendpoint@odata.bind": f"/serviceendpoints({end.id})"}
    message = {"sdkmessageid@odata.bind": f"/sdkmessages({id_of('sdkmessage', 'acme_All')})"}
    with pytest.raises(DataverseError) as refused:
        ready.create("sdkmessageprocessingstep", **message, **to)
    assert refused.value.where == "mode"
    ready.create("sdkmessageprocessingstep", **message, **to, mode=1)
    ready.write(lambda w: w.delete("serviceendpoint", end.id))
    assert ready.rows("sdkmessageprocessingstep") == [], "steps go with their endpoint"
