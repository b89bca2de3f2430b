"""JSON lines of one layout are taken apart many at a time, and come to what the exact reader makes of them."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ingest import jsonl_reader
from ingest.files import DataFile
from ingest.jsonl_layout import Layout, Taken
from ingest.jsonl_reader import jsonl_source
from ingest.rows import FILE, LINE, slot
from unify.core.errors import SourceError


class _TakesNothing(Layout):
    """Leaves every line to the exact reader."""

    def take(self, text: bytes) -> Taken:
        others = [(i, line) for i, line in enumerate(text.split(b"\n")) if line]
        return Taken(np.empty(0, np.int64), {}, set(), others)


def _read(tmp: Path, texts: Sequence[bytes], window: int, layout: type[Layout]) -> tuple[Any, ...]:
    """Rows by file and line, columns, which are text, bad rows; or the error."""
    files = []
    for number, text in enumerate(texts):
        path = tmp / f"{number}.jsonl"
        path.write_bytes(text)
        files.append(DataFile(path, path.name, "jsonl", "", len(text)))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(jsonl_reader, "Layout", layout)
        patch.setattr(jsonl_reader, "WINDOW", window)
        try:
            source = jsonl_source(files)
        except SourceError as error:
            return "error", error.message
        rows = sorted(
            tuple(row[name] for name in (FILE, LINE, *(slot(i) for i in range(len(source.columns)))))
            for batch in source.reader()
            for row in batch.to_pylist()
        )
    bad = sorted((number, b.line, b.reason, b.value, b.raw) for number, b in source.bad)
    return rows, source.columns, source.quoted, bad, source.rows


KEYS = ("id", "name", "e mail", "größe", "a.b*(c", "")
ODD_KEYS = ('quo"te', "back\\slash", "tab\there", "\x7f")
TEXTS = st.text(st.sampled_from('ab "\\/\n\t\u0001,{}:null1é\u2028😀'), max_size=6)
PLAIN = st.none() | st.booleans() | st.integers(-(10**20), 10**20) | st.sampled_from((1.5, -0.0, 1e30)) | TEXTS
RAW = st.sampled_from((
    "-0", "1.10", "1E5", "007", "+1", ".5", "1.", "NaN", "-Infinity", "tru", "null ", '"\\ud83d\\ude00"', '"\\ud800"',
    '"\\u00e4\\"x\\""', '"\\x"', '"\t"', "'a'", '""', '"null"', '"true"', "[1]", '{"a": 1}', "",
))  # fmt: skip


@st.composite
def _line(draw: st.DrawFn) -> str:
    """An object, mostly of one layout: keys in order, some missing; now and then anything else."""
    kind = draw(st.integers(0, 14))
    if kind == 0:
        return draw(
            st.sampled_from(("", "  ", "[]", "7", "{}", "{ }", "}{", '{"id": 1} {"id": 2}', '{"id": 1},', "\x0b"))
        )
    keys = [key for key in KEYS if draw(st.integers(0, 4))]
    if kind == 1:
        keys = draw(st.permutations(keys))
    if kind == 2:
        keys += [draw(st.sampled_from((*KEYS, *ODD_KEYS, "new")))]
    comma, colon = draw(st.sampled_from(((", ", ": "), (",", ":"), (" ,\t", " :  "))))
    ascii_only = draw(st.booleans())
    cells = []
    for key in keys:
        raw = draw(RAW) if draw(st.integers(0, 30)) == 0 else json.dumps(draw(PLAIN), ensure_ascii=ascii_only)
        cells.append(json.dumps(key, ensure_ascii=ascii_only) + colon + raw)
    end = "," if kind == 3 and draw(st.booleans()) else ""
    blank = draw(st.sampled_from(("", "", "", " ", "\r", "\t\r", "\u00a0")))
    return draw(st.sampled_from(("", "", " "))) + "{" + comma.join(cells) + end + "}" + blank


@settings(deadline=None)
@given(st.lists(st.lists(_line(), max_size=14), min_size=1, max_size=2), st.integers(1, 400), st.booleans())
def test_what_is_taken_apart_is_what_exact_reading_finds(
    tmp_path_factory: pytest.TempPathFactory, files: list[list[str]], window: int, ended: bool
) -> None:
    tmp = tmp_path_factory.mktemp("lines")
    texts = [("\n".join(lines) + "\n" * ended).encode() for lines in files]
    found, exact = (_read(tmp, texts, window, layout) for layout in (Layout, _TakesNothing))
    if exact[0] == "error" and "holds a list" in exact[1]:  # of several such columns another may be named
        assert found[0] == "error"
        assert "holds a list" in found[1]
        return
    assert found == exact


def test_lines_of_one_layout_leave_nothing_to_the_exact_reader() -> None:
    """Keys missing here and there, values of all kinds, escapes: all is taken; the digits stay as written."""
    layout = Layout()
    layout.see(["id", "name"])
    layout.see(["id", "price", "name"])
    lines = ['{"id":1,"price":1.10,"name":"Zo\\u00eb \\"Z\\""}', '{"name": "x"}', "{}", '{"id": null, "name": ""}\r']
    taken = layout.take("\n".join(lines).encode())
    assert layout.keys == ["id", "price", "name"]
    assert taken.others == []
    assert taken.lines.tolist() == [0, 1, 2, 3]
    assert taken.texts == {"name"}
    assert {key: values.to_pylist() for key, values in taken.columns.items()} == {
        "id": ["1", None, None, None],
        "price": ["1.10", None, None, None],
        "name": ['Zoë "Z"', "x", None, None],
    }


def test_half_a_character_is_a_bad_line_not_a_crash(tmp_path: Path) -> None:
    text = b'{"id": 1, "name": "\\ud83d"}\n{"id": 2, "name": "\\ud83d\\ude00"}\n{"id": 3, "\\udfff": 1}'
    rows, columns, _, bad, _ = _read(tmp_path, [text], 1 << 20, Layout)
    assert columns == ("id", "name")
    assert rows == [(0, 2, "2", "😀")]
    assert [(line, reason) for _, line, reason, _, _ in bad] == [(1, "bad JSON"), (3, "bad JSON")]
