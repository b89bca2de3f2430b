"""What the container file and the systemd unit say is said to the command as it is."""

import json
import re
import shlex
from pathlib import Path

import click
import pytest
import typer

from unify.cli.app import app
from unify.service.settings import read_settings

DEPLOY = Path(__file__).parents[2] / "docs" / "deploy"
CONTAINER, UNIT = ((DEPLOY / name).read_text(encoding="utf-8") for name in ("Containerfile", "unify.service"))
LINES = [
    *re.findall(r"docker run .* unify (\S+ .*)$", CONTAINER, re.MULTILINE),  # the image is called unify, its entry too
    " ".join(json.loads(re.search(r"^CMD (.*)$", CONTAINER, re.MULTILINE)[1])),
    *re.findall(r"^ExecStart=\S*/unify (.*)$", UNIT, re.MULTILINE),
]


def test_there_is_something_to_try():
    assert len(LINES) == 3


@pytest.mark.parametrize("line", LINES)
def test_every_command_is_understood(line: str) -> None:
    command: click.Command = typer.main.get_command(app)
    words = shlex.split(line)
    context = click.Context(command, info_name="unify")
    while isinstance(command, click.Group):
        command = command.commands[words.pop(0)]
        context = click.Context(command, parent=context, info_name=command.name)
    command.parse_args(context, words)  # UsageError for what it does not take


@pytest.mark.parametrize(("text", "host"), [(CONTAINER, "0.0.0.0"), (UNIT, "127.0.0.1")], ids=["container", "unit"])
def test_their_settings_are_settings(text: str, host: str) -> None:
    settings = read_settings(environment=dict(re.findall(r"(UNIFY_SERVE_\w+)=(\S+)", text)), root="/data")
    assert (settings.host, settings.auth) == (host, "required")
