"""What every request passes: rooms, errors, the pool."""

import asyncio
import time
from pathlib import Path

import pytest

from unify.core.errors import SpecError
from unify.core.steps import Query
from unify.instance import Instance
from unify.service.app import Service
from unify.service.errors import ServiceError
from unify.service.settings import Limits, Settings, read_settings


def slow(instance: Instance) -> object:
    return instance.engine().fetch(Query("SELECT sum(a.range * b.range) FROM range(100000000) a, range(100) b"))


def test_the_process_answers(ask):
    assert ask("GET", "/healthz").text == "ok\n"


def test_a_question_ends_with_its_time_and_the_thread_is_free_again(root: Path):
    async def body() -> None:
        async with Service(Settings(root=root, limits=Limits(questions=1, seconds=0.2))) as service:
            hosted = service.roof.get("contoso")
            began = time.monotonic()
            with pytest.raises(ServiceError) as refused:
                await hosted.ask(slow)
            assert refused.value.status == 400
            assert "0.2 seconds" in refused.value.message
            assert time.monotonic() - began < 10
            assert await hosted.ask(lambda acme: acme.published().number) == 1

    asyncio.run(body())


def test_a_question_nobody_waits_for_is_stopped(root: Path):
    async def body() -> None:
        async with Service(Settings(root=root, limits=Limits(questions=1))) as service:
            hosted = service.roof.get("contoso")
            asking = asyncio.create_task(hosted.ask(slow))
            await asyncio.sleep(0.2)
            asking.cancel()
            with pytest.raises(asyncio.CancelledError):
                await asking
            assert await asyncio.wait_for(hosted.ask(lambda acme: acme.published().number), 10) == 1

    asyncio.run(body())


def test_too_many_that_wait_are_refused_with_when_to_come_back(root: Path):
    async def body() -> None:
        limits = Limits(questions=1, waiting=1, seconds=0.5)
        async with Service(Settings(root=root, limits=limits)) as service:
            hosted = service.roof.get("contoso")
            asked = await asyncio.gather(*(hosted.ask(slow) for _ in range(4)), return_exceptions=True)
            assert sorted(e.status for e in asked) == [400, 400, 429, 429]
            assert [e.headers for e in asked if e.status == 429] == [{"Retry-After": "1"}] * 2

    asyncio.run(body())


@pytest.mark.parametrize("id_", ["nobody", "..", ".service", "a/b", "", "x" * 200])
def test_what_is_no_instance_is_told_in_the_same_words(root: Path, id_: str):
    async def body() -> None:
        async with Service(Settings(root=root)) as service:
            with pytest.raises(ServiceError, match="there is no instance") as refused:
                service.roof.get(id_)
            assert refused.value.status == 404

    asyncio.run(body())


def test_settings_come_from_a_file_then_the_environment_then_the_command_line(tmp_path: Path):
    file = tmp_path / "service.yaml"
    file.write_text("root: here\nport: 1\nworkers: 3\nlimits: {seconds: 5, questions: 2}\n")
    environment = {"UNIFY_SERVE_PORT": "2", "UNIFY_SERVE_LIMITS_SECONDS": "7", "HOME": "/nowhere"}
    settings = read_settings(file, environment, port=3, host=None)
    assert (settings.port, settings.workers, settings.limits.seconds, settings.limits.questions) == (3, 3, 7, 2)


@pytest.mark.parametrize(
    ("environment", "given", "said"),
    [
        ({"UNIFY_SERVE_PROT": "1"}, {}, "did you mean root or port"),
        ({}, {"worker": 1}, "did you mean workers"),
        ({}, {"host": "0.0.0.0", "auth": "open"}, "loopback only"),
        ({"UNIFY_SERVE_LIMITS_SECONDS": "-1"}, {}, "limits.seconds"),
        ({}, {"tls_key": "x.pem"}, "belong together"),
    ],
)
def test_settings_that_are_none_are_refused_with_the_next_move(environment, given, said):
    with pytest.raises(SpecError) as refused:
        read_settings(None, environment, root="here", **given)
    assert said in str(refused.value)


def test_only_loopback_is_open():
    assert Settings(root=Path("x")).open
    assert not Settings(root=Path("x"), host="0.0.0.0").open
    assert not Settings(root=Path("x"), auth="required").open
