"""The road of a call: stages in order, what is undone, who may, how deep, what happens after the commit."""

from dataclasses import dataclass
from typing import Any, TypedDict

import pytest

from unify.custom import Context, EntityReference, Image, OperationRefused, custom_api, plugin, step
from unify.custom.background import work_off
from unify.dataverse.errors import DataverseError

SEEN: list[Any] = []


@pytest.fixture(autouse=True)
def fresh():
    SEEN.clear()


@dataclass(frozen=True)
class Said:
    reversed: str
    times: int | None = None


@custom_api("acme_Reverse", steps="all")
def reverse(context: Context, text: str, times: int = 1) -> Said:
    """Turns a text round."""
    SEEN.append(("main", int(context.stage), dict(context.inputs)))
    context.trace(f"turning {text}")
    if text == "no":
        raise OperationRefused("No is no text", 7, help_link="https://acme.example/no")
    if text == "crash":
        raise ZeroDivisionError("secret")
    if text == "write":
        context.writes.create("account", {"name": "made"})
    if text == "write, then no":
        context.writes.create("account", {"name": "made"})
        raise OperationRefused("no")
    return Said(text[::-1] * times)


@step("acme_Reverse", stage=10, rank=1)
def first(context: Context) -> None:
    SEEN.append(("10", context.inputs["Text"]))
    context.shared["by"] = "first"


@step("acme_Reverse", stage=10, rank=2)
def second(context: Context) -> None:
    SEEN.append(("10b", context.shared["by"]))


@step("acme_Reverse", stage=20)
def before(context: Context) -> None:
    SEEN.append(("20", context.inputs["Text"]))
    context.inputs["Text"] += "!"


@step("acme_Reverse", stage=40)
def after(context: Context) -> None:
    SEEN.append(("40", dict(context.outputs)))
    context.outputs["Times"] = 9


@step("acme_Reverse", mode="async")
def later(context: Context) -> None:
    SEEN.append(("async", dict(context.inputs), dict(context.outputs), context.shared, context.caller, context.depth))


def test_stages_come_in_order_and_hand_on(world):
    world.load(reverse, first, second, before, after, later)
    assert world.call("acme_Reverse", {"Text": "ab"}) == {"Reversed": "!ba", "Times": 9}
    assert SEEN == [
        ("10", "ab"), ("10b", "first"), ("20", "ab"), ("main", 30, {"Text": "ab!"}),
        ("40", {"Reversed": "!ba", "Times": None}),
    ]  # fmt: skip
    SEEN.clear()
    assert work_off(world.path, world.loaded) == 1
    assert SEEN == [
        ("async", {"Text": "ab!"}, {"Reversed": "!ba", "Times": 9}, {"by": "first"}, "ann", 1)
    ]  # fmt: skip
    assert work_off(world.path, world.loaded) == 0, "once is enough"


def test_a_refusal_says_what_the_handler_said(world):
    world.load(reverse)
    with pytest.raises(OperationRefused) as refused:
        world.call("acme_Reverse", {"Text": "no"})
    error = refused.value
    assert (error.code, error.status, error.message) == ("0x80040265", 400, "No is no text")
    assert (error.sub_code, error.help_link, error.trace) == (7, "https://acme.example/no", "turning no")
    assert world.failures == [], "a refusal is no failure"


def test_a_crash_says_nothing_of_its_inside(world):
    world.load(reverse)
    with pytest.raises(DataverseError) as failed:
        world.call("acme_Reverse", {"Text": "crash"}, correlation="c-1")
    assert failed.value.status == 500
    assert "secret" not in str(failed.value)
    [(what, correlation, error)] = world.failures
    assert (what, correlation, type(error)) == ("acme_Reverse", "c-1", ZeroDivisionError)


@pytest.mark.parametrize("text", ["write", "write, then no"])
def test_what_is_refused_is_undone(world, text):
    world.load(reverse, later)
    if text == "write":
        world.call("acme_Reverse", {"Text": text})
    else:
        with pytest.raises(OperationRefused):
            world.call("acme_Reverse", {"Text": text})
    kept = int(text == "write")
    assert len(world.rows("account")) == len(world.rows("asyncoperation")) == kept


@step("acme_Reverse", stage=40)
def veto(context: Context) -> None:
    raise OperationRefused("cancelled")


def test_a_step_after_the_main_operation_undoes_it(world):
    world.load(reverse, veto, later)
    with pytest.raises(OperationRefused, match="cancelled"):
        world.call("acme_Reverse", {"Text": "write"})
    assert world.rows("account") == world.rows("asyncoperation") == []


@pytest.mark.parametrize(
    ("inputs", "code", "where"),
    [
        ({}, "0x80040203", "Text"), ({"Text": None}, "0x80040203", "Text"), ({"Text": 1}, "0x80048d19", "Text"),
        ({"Text": "a", "Times": "2"}, "0x80048d19", "Times"), ({"Text": "a", "Times": True}, "0x80048d19", "Times"),
        ({"Text": "a", "Times": 2**31}, "0x80048d19", "Times"), ({"Text": "a", "More": 1}, "0x80048d19", "More"),
        ({"text": "a"}, "0x80048d19", "text"),
    ],
)  # fmt: skip
def test_parameters_that_do_not_fit(world, inputs, code, where):
    world.load(reverse)
    with pytest.raises(DataverseError) as refused:
        world.call("acme_Reverse", inputs)
    assert (refused.value.status, refused.value.code, refused.value.where) == (400, code, where)
    assert SEEN == [], "the handler is not called"


# ── what a handler returns ───────────────────────────────────────────────────────────────────────────────────────────


class Loose(TypedDict, total=False):
    count: int
    label: str


RETURNS: dict[str, Any] = {
    "short": {}, "whole": {"count": 3, "label": "x"}, "wire": {"Count": 3}, "none": None, "unknown": {"cuont": 3},
    "type": {"count": "3"}, "bool": {"count": True}, "large": {"count": 2**31}, "list": [3],
}  # fmt: skip


@custom_api("acme_Loose")
def loose(context: Context, what: str) -> Loose:
    """Returns what the test says."""
    return RETURNS[what]


@pytest.mark.parametrize(
    ("what", "outputs"),
    [
        ("short", {"Count": 0, "Label": None}), ("none", {"Count": 0, "Label": None}),
        ("whole", {"Count": 3, "Label": "x"}), ("wire", {"Count": 3, "Label": None}),
    ],
)  # fmt: skip
def test_what_a_handler_leaves_open_has_the_default_of_its_type(world, what, outputs):
    world.load(loose)
    assert world.call("acme_Loose", {"What": what}) == outputs


@pytest.mark.parametrize("what", ["unknown", "type", "bool", "large", "list"])
def test_a_wrong_return_is_a_failure_that_names_the_api(world, what):
    world.load(loose)
    with pytest.raises(DataverseError) as failed:
        world.call("acme_Loose", {"What": what})
    assert failed.value.status == 500
    assert world.failures[0][0] == "acme_Loose"
    assert "acme_Loose" in str(world.failures[0][2])


def test_without_a_plug_in_the_defaults_are_answered(world, field_of):
    kinds = {f"P{n}": n for n in range(13)}
    world.api("acme_Empty", CustomAPIResponseProperties=[field_of(name, n) for name, n in kinds.items()])
    found = world.call("acme_Empty")
    assert {name: found[name] for name in ("P0", "P2", "P6", "P7", "P10", "P11", "P3", "P5")} == {
        "P0": False, "P2": 0, "P6": 0.0, "P7": 0, "P10": None, "P11": (), "P3": None, "P5": None,
    }  # fmt: skip
    assert str(found["P12"]) == "00000000-0000-0000-0000-000000000000"
    assert found["P1"].year == 1


def test_a_function_without_a_response_property_is_not_there(world):
    world.api("acme_Nothing", isfunction=True)
    with pytest.raises(DataverseError) as refused:
        world.call("acme_Nothing")
    error = refused.value
    assert (error.status, error.code) == (404, "0x8006088a")
    assert error.message == "Resource not found for the segment 'acme_Nothing'."


def test_code_that_is_not_loaded_any_more_fails(world, field_of):
    world.load(answer)
    key = world.rows("plugintype")[0]["plugintypeid"]
    world.api("acme_Mine", **{"PluginTypeId@odata.bind": f"/plugintypes({key})"})
    assert world.call("acme_Mine") == {}
    world.loaded = type(world.loaded)()
    with pytest.raises(DataverseError) as failed:
        world.call("acme_Mine")
    assert failed.value.status == 500
    assert "acme.answer is not loaded" in str(world.failures[0][2])


@plugin("acme.answer")
def answer(context: Context) -> dict[str, Any]:
    """As in the document: it reads input parameters, and sets output parameters."""
    text = context.inputs.get("StringParameter", "")
    return {"StringProperty": text[::-1]} if "StringParameter" in context.inputs else {}


def test_the_example_of_the_document(world, field_of):
    world.load(answer)
    key = world.rows("plugintype")[0]["plugintypeid"]
    world.api(
        "sample_CustomAPIExample",
        **{"PluginTypeId@odata.bind": f"/plugintypes({key})"},
        CustomAPIRequestParameters=[field_of("StringParameter")],
        CustomAPIResponseProperties=[field_of("StringProperty")],
    )
    assert world.call("sample_CustomAPIExample", {"StringParameter": "Test"}) == {"StringProperty": "tseT"}


# ── who may, how deep ────────────────────────────────────────────────────────────────────────────────────────────────


@custom_api("acme_Guarded", privilege="prvReadAccount")
def guarded(context: Context) -> None:
    """Counts accounts."""
    SEEN.append(context.records.count("account"))


def test_a_privilege_is_asked_for(world):
    world.load(guarded)
    world.call("acme_Guarded")
    with pytest.raises(DataverseError) as refused:
        world.call("acme_Guarded", who=world.who(may=lambda name: name != "prvReadAccount"))
    assert (refused.value.status, refused.value.code) == (403, "0x80040220")
    assert "missing prvReadAccount privilege" in refused.value.message
    assert SEEN == [0]


def test_who_may_not_see_records_does_not_through_code_of_others(world):
    world.load(guarded, reverse)
    nobody = world.who(records=False)
    for name, inputs in (("acme_Guarded", {}), ("acme_Reverse", {"Text": "write"})):
        with pytest.raises(OperationRefused) as refused:
            world.call(name, inputs, who=nobody)
        assert refused.value.status == 403
    assert world.call("acme_Reverse", {"Text": "ab"}, who=nobody)["Reversed"] == "ba"


@custom_api("acme_Count", function=True)
def counting(context: Context, write: bool = False) -> Loose:
    """A function."""
    if write:
        context.writes.create("account", {"name": "x"})
    return {"count": context.records.count("account")}


def test_a_function_changes_nothing(world):
    world.load(counting)
    assert world.call("acme_Count")["Count"] == 0
    with pytest.raises(DataverseError) as failed:
        world.call("acme_Count", {"Write": True})
    assert failed.value.status == 500
    assert world.rows("account") == []


@custom_api("acme_Down")
def down(context: Context, left: int, swallow: bool = False) -> Loose:
    """Calls itself."""
    if left:
        try:
            return {"count": context.call("acme_Down", Left=left - 1)["Count"]}
        except DataverseError:
            if not swallow:
                raise
            context.writes.create("account", {"name": "in spite of it"})
    return {"count": context.depth}


def test_operations_call_each_other_eight_deep(world):
    world.load(down)
    assert world.call("acme_Down", {"Left": 7}) == {"Count": 8, "Label": None}
    with pytest.raises(DataverseError) as refused:
        world.call("acme_Down", {"Left": 8})
    assert (refused.value.code, refused.value.status) == ("0x80044182", 400)
    assert "infinite loop" in refused.value.message


def test_what_failed_inside_cannot_be_kept_by_who_called_it(world):
    world.load(down)
    with pytest.raises(DataverseError) as failed:
        world.call("acme_Down", {"Left": 8, "Swallow": True})
    assert failed.value.status in (400, 500)
    assert world.rows("account") == []


@step("Create", entity="account")
def again(context: Context) -> None:
    context.writes.create("account", {"name": f"{context.depth}"})


def test_a_step_that_sets_itself_off_ends(world):
    world.load(again)
    with pytest.raises(DataverseError, match="infinite loop"):
        world.create("account", name="0")
    assert world.rows("account") == []


# ── steps of writes ──────────────────────────────────────────────────────────────────────────────────────────────────


@step("Create", entity="contact", stage=20)
def complete(context: Context) -> None:
    SEEN.append(("20", context.message, context.target, context.user_id))
    context.inputs["Target"].values["firstname"] = "Zoe"


@step("Update", entity="contact", filtering=("emailaddress1",),
      images=(Image("was", True, ("emailaddress1",)), Image("is", False)))  # fmt: skip
def changed(context: Context) -> None:
    was, now = context.before["was"], context.after["is"]
    SEEN.append((dict(was.values), now.values["emailaddress1"], now.values["lastname"]))


@step("Delete", entity="contact", stage=20, images=(Image("was", True),))
def kept(context: Context) -> None:
    assert context.inputs["Target"] == context.target
    if context.before["was"].values["lastname"] == "Keep":
        raise OperationRefused("she stays")


@step("Update", mode="async", entity="contact", images=(Image("was", True, ("lastname",)),))
def heard(context: Context) -> None:
    SEEN.append(("heard", dict(context.before["was"].values), dict(context.inputs["Target"].values)))


def test_steps_of_writes(world):
    world.load(complete, changed, kept, heard)
    made = world.create("contact", lastname="Doe")
    assert [("20", "Create", EntityReference("contact", made.id), world.writer.user)] == SEEN
    [row] = world.rows("contact")
    assert (row["firstname"], row["fullname"]) == ("Zoe", "Zoe Doe")
    SEEN.clear()
    world.write(lambda w: w.update("contact", made.id, {"lastname": "Roe"}))
    assert SEEN == [], "only an e-mail is of interest"
    world.write(lambda w: w.update("contact", made.id, {"emailaddress1": "z@x.example"}))
    assert SEEN == [({"emailaddress1": None}, "z@x.example", "Roe")]
    SEEN.clear()
    assert work_off(world.path, world.loaded) == 2
    assert SEEN == [("heard", {"lastname": "Doe"}, {}), ("heard", {"lastname": "Roe"}, {})]
    world.write(lambda w: w.update("contact", made.id, {"lastname": "Keep"}))
    with pytest.raises(OperationRefused, match="she stays"):
        world.write(lambda w: w.delete("contact", made.id))
    assert len(world.rows("contact")) == 1


def test_steps_of_many_rows_at_once(world):
    world.load(complete, heard)
    world.write(lambda w: w.create_multiple("contact", [{"lastname": f"{n}"} for n in range(3)]))
    assert [row["firstname"] for row in world.rows("contact")] == ["Zoe"] * 3
    assert len(SEEN) == 3


def test_a_step_sets_columns_that_are_there(world):
    world.load(misspelt)
    with pytest.raises(DataverseError, match="Could not find a property named 'frstname'"):
        world.create("contact", lastname="Doe")


@step("Create", entity="contact", stage=20)
def misspelt(context: Context) -> None:
    context.inputs["Target"].values["frstname"] = "Zoe"


# ── after the commit ─────────────────────────────────────────────────────────────────────────────────────────────────


@step("acme_Reverse", mode="async")
def unlucky(context: Context) -> None:
    SEEN.append("tried")
    raise ValueError("secret")


def test_what_fails_after_the_commit_is_tried_three_times(world):
    from datetime import timedelta

    from unify.custom import queue

    world.load(reverse, unlucky)
    world.call("acme_Reverse", {"Text": "ab"})
    for times in range(1, 4):
        assert work_off(world.path, world.loaded, failed=lambda *failure: world.failures.append(failure)) == 1
        assert work_off(world.path, world.loaded) == 0, "it waits"
        [row] = world.rows("asyncoperation")
        assert row["statuscode"] == (31 if times == 3 else 0)
        assert "secret" not in row["message"]
        with world.store.write() as writing:
            if times < 3:
                writing.update("asyncoperation", (row["asyncoperationid"],), {"postponeuntil": None})
    assert SEEN.count("tried") == 3
    assert len(world.failures) == 3
    ended = row["completedon"]
    assert queue.sweep(world.store, ended + timedelta(days=6)) == 0
    assert queue.sweep(world.store, ended + timedelta(days=8)) == 1
    assert world.rows("asyncoperation") == []


def test_what_was_under_way_when_its_process_died_is_tried_again(world):
    from datetime import UTC, datetime, timedelta

    from unify.custom import queue
    from unify.custom.background import steps_of
    from unify.custom.registered import registered

    world.load(reverse, later)
    world.call("acme_Reverse", {"Text": "ab"})
    with world.store.read() as reading:
        steps = steps_of(registered(reading, world.loaded))
    assert len(queue.claim(world.store, steps, endpoints=False)) == 1  # and then it dies
    assert work_off(world.path, world.loaded) == 0
    later_on = datetime.now(UTC) + queue.DEAD_AFTER + timedelta(seconds=1)
    assert len(queue.claim(world.store, steps, endpoints=False, now=later_on)) == 1
