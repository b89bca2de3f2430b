"""Documents tell the truth: their examples run, their links lead somewhere, what they name exists.

Examples of one page share one folder and one namespace and run in order, as a reader would type them:

    python   runs; a value before `# → text` is compared with the text, as is what stands in `print(…)  # → text`
    bash     `unify …` runs for real, `unify serve …` until the page ends, and `curl …` asks it; of `make x` the target
             must exist, of `python -m benchmarks …` the options
    yaml     behind `<!-- file: name -->` a whole project, written to that file; else a fragment, read as part of one
    text     behind `<!-- from the demo -->`: every line is one that the demo prints, in that order
"""

import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import typer
import yaml
from sybil import Sybil
from sybil.parsers.markdown import CodeBlockParser

import benchmarks.__main__
import unify
from tests.house.served_examples import Served
from unify.cli.app import app
from unify.instance import Instance
from unify.spec import Project

ROOT = Path(__file__).parents[2]
PAGES = [
    ROOT / "README.md",
    ROOT / "CONTRIBUTING.md",
    *sorted((ROOT / "docs").rglob("*.md")),
    ROOT / "benchmarks" / "README.md",
]
PAGE = pytest.mark.parametrize("page", PAGES, ids=[str(p.relative_to(ROOT)) for p in PAGES])
TOP = typer.main.get_command(app)
COMMANDS = TOP.commands
TOP_OPTIONS = {o for p in TOP.params for o in p.opts} | {"--help", "-h"}
TARGETS = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))
CHECKED = re.compile(r"^(\s*)(?:print\((.+)\)|(.+?))\s+# → (.+)$")
DEMO_MARK = "<!-- from the demo -->"
FILE_MARK = re.compile(r"<!-- file: (\S+) -->\s*\Z")


# ── examples ─────────────────────────────────────────────────────────────────────────────────────────────────────────


def served(example):
    """The services of a page; whoever evaluates its examples stops them."""
    return example.namespace.setdefault("_served", Served())


def run_python(example):
    lines = []
    for line in served(example).told(str(example.parsed)).splitlines():
        found = CHECKED.match(line)
        if not found:
            lines.append(line)
            continue
        indent, printed, value, text = found.groups()
        shown = f"str({printed})" if printed else f"repr(({value}))"
        lines.append(f"{indent}_same({shown}, {text!r})")
    code = compile("\n" * example.line + "\n".join(lines), example.path, "exec")

    def same(found, said):
        assert found == said, f"{example.path} says {said!r}"

    exec(code, example.namespace | {"_same": same})


def run_bash(example):
    for line in str(example.parsed).splitlines():
        words = shlex.split(line, comments=True)
        if not words:
            continue
        if words[:2] == ["unify", "serve"]:
            served(example).start(words[1:])
        elif words[0] == "curl":
            served(example).curl(line)
        elif words[:2] == ["pip", "install"]:
            assert re.match(r"unify-customer-data(\[(service)\])?$", words[-1]), line
        elif words[0] == "unify":
            done = subprocess.run(
                [sys.executable, "-m", "unify", *words[1:]], capture_output=True, text=True, check=False
            )
            assert done.returncode == 0, f"{line}\n{done.stdout}{done.stderr}"
        elif words[0] == "make":
            assert set(words[1:]) <= TARGETS, line
        elif words[:3] == ["python", "-m", "benchmarks"]:
            benchmarks.__main__._parser().parse_args(words[3:])
        else:
            pytest.fail(f"nobody checks this line: {line}")


def read_yaml(example):
    said = yaml.safe_load(str(example.parsed))
    mark = FILE_MARK.search(example.document.text[: example.start])
    if mark:
        Path(mark[1]).write_text(str(example.parsed), encoding="utf-8")
        unify.validate(mark[1])
        return
    whole = yaml.safe_load((ROOT / "sample_data" / "project.yaml").read_text(encoding="utf-8"))
    Project.model_validate(merged(whole, said))


def merged(base, over):
    """`over` put into `base`: what is a mapping in both is merged, anything else replaced."""
    if not (isinstance(base, dict) and isinstance(over, dict)):
        return over
    return base | {k: merged(base[k], v) if k in base else v for k, v in over.items()}


def parse(page):
    evaluators = {"python": run_python, "bash": run_bash, "yaml": read_yaml}
    sybil = Sybil([CodeBlockParser(language, evaluator) for language, evaluator in evaluators.items()])
    return sybil.parse(page)


@pytest.fixture(scope="module")
def acme(tmp_path_factory):
    """The instance that the README's project makes: what examples of other pages call `acme`."""
    folder = tmp_path_factory.mktemp("acme")
    [project] = re.findall(
        r"<!-- file: project.yaml -->\s+```yaml\n(.+?)```", PAGES[0].read_text(encoding="utf-8"), re.DOTALL
    )
    (folder / "project.yaml").write_text(project, encoding="utf-8")
    put_sample(folder)
    with unify.open(folder / "acme", create=True) as instance:
        instance.run(folder / "project.yaml")
    return folder


def put_sample(folder):
    shutil.copytree(ROOT / "sample_data", folder / "sample_data", ignore=shutil.ignore_patterns("*.py", "__pycache__"))


@PAGE
def test_examples_run(page, tmp_path, monkeypatch, request):
    examples = list(parse(page).examples())
    if not examples:
        return
    folder = tmp_path / "reader"
    if page.name == "README.md" and page.parent == ROOT:
        folder.mkdir()
        put_sample(folder)
    else:
        shutil.copytree(request.getfixturevalue("acme"), folder)
    monkeypatch.chdir(folder)
    try:
        for example in examples:
            example.evaluate()
    finally:
        served(examples[0]).stop()


def test_the_readme_has_an_example_of_everything():
    blocks = re.findall(r"^```(\w+)$", PAGES[0].read_text(encoding="utf-8"), re.MULTILINE)
    assert {"python", "bash", "yaml", "text"} <= set(blocks)


def test_what_the_demo_is_said_to_print_it_prints(demo):
    text = PAGES[0].read_text(encoding="utf-8")
    [excerpt] = re.findall(re.escape(DEMO_MARK) + r"\s+```text\n(.+?)```", text, re.DOTALL)
    printed = iter(line.rstrip() for line in demo.said.splitlines())
    missing = [line for line in excerpt.splitlines() if line and line not in printed]
    assert missing == [], "not printed, or in another order"


@pytest.mark.parametrize("kind", ["python", "bash", "yaml"])
def test_a_wrong_example_is_caught(kind, tmp_path, monkeypatch):
    wrong = {
        "python": "1 + 1  # → 3",
        "bash": "unify qury 'SELECT 1'",
        "yaml": "conflation: {limits: [{at_most_two: crm.Contacts}]}",
    }[kind]
    page = tmp_path / "page.md"
    page.write_text(f"```{kind}\n{wrong}\n```\n", encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    [example] = parse(page).examples()
    with pytest.raises((AssertionError, ValueError)):
        example.evaluate()


# ── links ────────────────────────────────────────────────────────────────────────────────────────────────────────────


def without_code(text):
    return re.sub(r"```.*?```|`[^`\n]*`", "", text, flags=re.DOTALL)


def anchors(page):
    """Anchors of a page's headings, as the usual renderers make them."""
    headings = re.findall(r"^#+ (.+)$", page.read_text(encoding="utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@PAGE
def test_links_lead_somewhere(page):
    broken = []
    for target in re.findall(r"\]\(([^)\s]+)\)", without_code(page.read_text(encoding="utf-8"))):
        if re.match(r"https?://", target):
            continue
        path, _, anchor = target.partition("#")
        there = (page.parent / path).resolve() if path else page
        if not there.exists() or (anchor and anchor not in anchors(there)):
            broken.append(target)
    assert broken == []


def test_every_page_can_be_reached_from_the_index():
    index = ROOT / "docs" / "README.md"
    linked = {(index.parent / t).resolve() for t in re.findall(r"\]\(([^)#\s]+)", index.read_text(encoding="utf-8"))}
    assert sorted(p.name for p in (ROOT / "docs").rglob("*.md") if p != index and p not in linked) == []


# ── names ────────────────────────────────────────────────────────────────────────────────────────────────────────────


def spans(page):
    """What stands in backticks or in a block of commands."""
    text = page.read_text(encoding="utf-8")
    blocks = re.findall(r"```bash\n(.*?)```", text, re.DOTALL)
    return [line for b in blocks for line in b.splitlines()] + re.findall(
        r"`([^`\n]+)`", re.sub(r"```.*?```", "", text, flags=re.DOTALL)
    )


FILES = [p for p in ROOT.rglob("*") if p.suffix in (".py", ".sql", ".md", ".toml") and not {".venv", "demo", "dist"} & set(p.relative_to(ROOT).parts)]  # fmt: skip


@PAGE
def test_files_that_are_named_exist(page):
    named = {m for span in spans(page) for m in re.findall(r"(?<![\w/<*.-])[\w./-]*\w\.(?:py|sql|toml|md)\b", span)}
    known = [p.relative_to(ROOT).as_posix() for p in FILES]
    missing = [n for n in sorted(named) if not any(k == n or k.endswith(f"/{n}") for k in known)]
    assert missing == []


@PAGE
def test_commands_and_options_that_are_named_exist(page):
    wrong = []
    for span in spans(page):
        words = span.split("#")[0].split()
        if words[:1] != ["unify"] or len(words) < 2 or words[1] == "…" or words[1] in TOP_OPTIONS:
            continue
        command = COMMANDS.get(words[1])
        if command is None:
            wrong.append(span)
            continue
        for word in words[2:4]:  # `unify access key create` is two groups deep
            command = getattr(command, "commands", {}).get(word, command)
        options = {o for p in command.params for o in (*p.opts, *p.secondary_opts)} | {"--help", "-h"}
        wrong += [
            f"{span}: {w}" for w in words[2:] if w.startswith("-") and w != "-" and w.split("=")[0] not in options
        ]
    assert wrong == []


@PAGE
def test_methods_that_are_named_exist(page):
    text = page.read_text(encoding="utf-8")
    assert {m for m in re.findall(r"\bacme\.([a-z_]+)\(", text) if not hasattr(Instance, m)} == set()
    assert {m for m in re.findall(r"\bunify\.([a-z_]+)\(", text) if m not in unify.__all__} == set()
