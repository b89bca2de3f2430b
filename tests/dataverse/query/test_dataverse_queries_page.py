"""docs/dataverse-queries.md names every condition there is, and none that is not."""

import re
from pathlib import Path

from unify.dataverse.query.operators import BY_FETCH, BY_FUNCTION

PAGE = (Path(__file__).parents[3] / "docs" / "dataverse-queries.md").read_text(encoding="utf-8")
ROWS = [
    line.split("|")[1:3]
    for line in PAGE.partition("### Query functions")[2].partition("## FetchXML")[0].splitlines()
    if line.startswith("| ")
][1:]


def test_every_function_and_operator_stands_in_the_table_side_by_side():
    told = {
        (function.strip(), operator.strip())
        for functions, operators in ROWS
        for function, operator in zip(functions.split(","), operators.split(","), strict=True)
    }
    assert told == {(name, operator.fetch) for name, operator in BY_FUNCTION.items()}


def test_operators_without_a_function_are_named():
    plain = re.search(r"FetchXML also has `([^`]+)`", PAGE)
    assert set(plain[1].split()) == {name for name, operator in BY_FETCH.items() if not operator.function}
