"""docs/refused.md says what is answered today."""

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from refused_page import PAGE, SECTIONS, prepared, told

SAID = PAGE.read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def acme(tmp_path_factory):
    with prepared(tmp_path_factory.mktemp("refused")) as instance:
        yield instance


@pytest.mark.parametrize("section", SECTIONS, ids=lambda section: section.title)
def test_the_page_says_what_is_answered(acme, section):
    title = f"## {section.title}\n"
    found = (title + SAID.split(title)[1].split("\n## ")[0]).strip()
    assert found.splitlines() == told(acme, section).splitlines(), "run python tests/house/refused_page.py"


def test_there_are_many_and_none_is_in_the_words_of_a_library():
    cases = [(section.title, case) for section in SECTIONS for case in section.cases]
    assert len(cases) == len(set(cases)) > 150
    for words in ("Traceback", "Input should be", "validation error", "ctx"):
        assert words not in SAID
