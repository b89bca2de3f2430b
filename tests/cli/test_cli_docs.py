"""docs/cli.md and docs/project-file.md say what the code says."""

import importlib
import importlib.util
from pathlib import Path

import pytest
import typer

from unify.cli.app import app
from unify.core.documents import parse_project, project_schema

HERE = Path(__file__).parent
_spec = importlib.util.spec_from_file_location("reference_pages", HERE / "reference_pages.py")
pages = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(pages)

COMMANDS = {
    "init", "validate", "run", "ingest", "conflate", "status", "report", "explain", "review", "decisions", "tables", "query", "odata", "export", "profile",
    "labels", "suggest", "resolve", "customer", "timeline", "relationship", "refresh", "measure", "segment", "runs", "generations", "rollback", "doctor",
    "serve", "access", "subject", "erase", "dev-cert", "package",
}  # fmt: skip


@pytest.mark.parametrize("name", pages.PAGES)
def test_what_is_generated_is_up_to_date(name):
    page = (pages.DOCS / name).read_text(encoding="utf-8")
    assert pages.with_generated(page, pages.PAGES[name]()) == page, "run: python tests/cli/reference_pages.py"


def test_every_command_is_there_with_json_and_help():
    root = typer.main.get_command(app)
    page = (pages.DOCS / "cli.md").read_text(encoding="utf-8")
    assert set(root.commands) == COMMANDS
    assert {command.rich_help_panel for command in root.commands.values()} <= {"Build", "Look", "Manage"}
    for words, command in pages.commands(root):
        assert f"### unify {' '.join(words)}\n" in page
        if not hasattr(command, "commands") and words != ("serve",):  # it answers nothing: it serves
            options = {option for parameter in command.params for option in parameter.opts}
            assert "--json" in options, words


def test_every_noun_and_key_of_the_schema_is_explained():
    page = (pages.DOCS / "project-file.md").read_text(encoding="utf-8")
    schema = project_schema()
    nouns = {noun.__name__: noun for noun in pages.NOUNS}
    there = {name for name in schema["$defs"] if name not in told_elsewhere()} | {"Project"}
    assert there == set(nouns)
    for name, noun in nouns.items():
        section = page.split(f"\n### {pages._title(noun)}\n")[1].split("\n### ")[0]
        keys = (schema if name == "Project" else schema["$defs"][name])["properties"]
        assert [line.split("`")[1] for line in section.splitlines() if line.startswith("| `")] == list(keys)


def told_elsewhere():
    """Names of what criteria and the vendor's query are made of."""
    return {name for module in pages.ELSEWHERE for name in vars(importlib.import_module(module))} - {
        noun.__name__ for noun in pages.NOUNS
    }


def test_no_meaning_is_written_twice():
    for name, key in pages.MEANING:
        noun = next(n for n in pages.NOUNS if n.__name__ == name)
        assert key in {f.alias or k for k, f in noun.model_fields.items()}, f"{name} has no key {key}"
        assert key not in pages.told_by(noun), f"{name}.{key} is told by its docstring"


def test_the_example_is_a_project():
    page = (pages.DOCS / "project-file.md").read_text(encoding="utf-8")
    project = parse_project(page.split("```yaml\n")[1].split("```")[0])
    assert list(project.entities) == ["crm.Contacts", "loyalty.Members", "web.Purchases"]
    assert project.conflation.match[0].rules[1].unless


def test_the_template_of_init_is_told_the_same_way():
    from unify.starter import TEMPLATE

    assert parse_project(TEMPLATE).conflation.match[0].rules[0].name == "e-mail"
