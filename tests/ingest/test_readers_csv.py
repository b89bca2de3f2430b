"""CSV structure, held against Python's csv module."""

import codecs
import gzip
import random
from importlib.util import module_from_spec, spec_from_file_location
from itertools import pairwise
from pathlib import Path

import pytest
import zstandard
from hypothesis import example, given, settings
from hypothesis import strategies as st

from ingest.csv_exact import Dialect, Exact
from ingest.csv_reader import _parse, _parse_exactly
from ingest.csv_records import Splitter
from ingest.load import load
from ingest.sniff import sniff
from unify.core.errors import DamagedFileError, SourceError, SpecError
from unify.core.names import quote
from unify.core.steps import Query
from unify.engines.duckdb import DuckDBEngine
from unify.spec import CsvOptions, Entity

_spec = spec_from_file_location("oracle_csv", Path(__file__).parents[1] / "oracles" / "csv_reading.py")
assert _spec is not None
assert _spec.loader is not None
oracle = module_from_spec(_spec)
_spec.loader.exec_module(oracle)

NO_NULLS = CsvOptions(null=())
SHARED = Path(__file__).parents[3] / "shared" / "data"


@pytest.fixture
def engine():
    with DuckDBEngine(threads=2) as made:
        yield made


def loaded(engine, tmp_path, text, key="id", *, name="a.csv", **options):
    data = text if isinstance(text, bytes) else text.encode()
    (tmp_path / name).write_bytes(data)
    return load(engine, "s.T", Entity(files=name, key=key, **options), base=tmp_path)


def rows(engine, table="s_T", order="1"):
    return [tuple(r.values()) for r in engine.fetch(Query(f"SELECT * FROM {table} ORDER BY {order}")).to_pylist()]


def corrupt(engine):
    found = engine.fetch(Query("SELECT * FROM s_T_corrupt ORDER BY file, line")).to_pylist()
    return [(r["line"], r["column"], r["reason"]) for r in found]


def split(text: str, width: int, dialect: Dialect, cuts: list[int]):
    """What the splitter makes of a text that arrives in pieces: (rows, bad), like the oracle's."""
    data, splitter, exact = text.encode(), Splitter(dialect, width), Exact(dialect)
    bounds = [0, *sorted(c for c in cuts if c < len(data)), len(data)]
    found, bad = [], []
    for start, end in pairwise(bounds):
        parts = [splitter.feed(data[start:end])]
        if end == len(data):
            parts.append(splitter.feed(b"", final=True))
        for records in parts:
            bad += [(b.line, b.reason) for b in records.bad]
            if not records.lines.size:
                continue
            if records.pieces is not None and (not dialect.is_plain or records.data.startswith(codecs.BOM_UTF8)):
                table = _parse_exactly(records.pieces, exact, NO_NULLS)
            else:
                table = _parse(records, dialect, width, NO_NULLS)
            values = [list(row.values()) for row in table.to_pylist()]
            found += list(zip(records.lines.tolist(), values, strict=True))
    return found, bad


messy = st.text(alphabet='ab",\n\r\x00 é', max_size=60)
tame = st.lists(
    st.lists(
        st.sampled_from(["", "a", "b c", '"x"', '"x,y"', '"x\ny"', '"q""q"', '"\r\n"', 'm"d']), min_size=2, max_size=2
    ),
    max_size=12,
).flatmap(
    lambda table: st.sampled_from(["\n", "\r\n", "\r"]).map(lambda end: end.join(",".join(row) for row in table) + end)
)


broken = st.lists(
    st.sampled_from(
        [
            "a,b\n",
            '"a","b"\n',
            '"x\ny",b\r\n',
            'a"b,c\n',
            '"a,b\n',
            '"a"x,b\n',
            "\n",
            "a\n",
            '"a""",b\n',
            ",\r",
            'a,"\n',
        ]
    ),
    max_size=15,
).map("".join)


@settings(max_examples=400, deadline=None)
@given(messy | tame | broken, st.lists(st.integers(1, 60), max_size=5), st.integers(1, 3))
@example('1,"abc\n2,def\n3,"gh"\n', [], 2)
@example('"a""b",1\r\n"x\r\ny",2\r\n', [7], 2)
@example('a,b\r\n\r\n\n,\n""', [4], 2)
@example("\ufeffa,b\n", [], 2)
@example('a,b\n"a"x,b\nc,d\n', [8], 2)
def test_records_are_those_of_pythons_csv_module(text, cuts, width):
    expected_rows, expected_bad = oracle.read(text, width)
    found, bad = split(text, width, Dialect(), cuts)
    assert found == expected_rows
    assert bad == expected_bad


ODD = [
    (Dialect(skip_space=True), {"skipinitialspace": True}),
    (Dialect(delimiter=";", quote="'"), {"delimiter": ";", "quotechar": "'"}),
    (Dialect(quote=""), {"quoting": 3}),
    (Dialect(delimiter="\t"), {"delimiter": "\t"}),
]


@settings(max_examples=300, deadline=None)
@given(st.text(alphabet="ab\"',;\n\r \t", max_size=50), st.lists(st.integers(1, 50), max_size=3), st.sampled_from(ODD))
def test_other_dialects_are_those_of_pythons_csv_module(text, cuts, case):
    dialect, arguments = case
    expected_rows, expected_bad = oracle.read(text, 2, **arguments)
    assert split(text, 2, dialect, cuts) == (expected_rows, expected_bad)


def test_an_escape_character_and_a_long_delimiter():
    text = 'a\\,b||"c\\"d||e"||"f""g"\n1||2||3\n1||2\n'
    found, bad = split(text, 3, Dialect(delimiter="||", escape="\\"), [9])
    assert found == [(1, ["a,b", 'c"d||e', 'f"g']), (2, ["1", "2", "3"])]
    assert bad == [(3, "wrong number of columns")]


def test_both_ways_of_splitting_agree_on_a_large_text():
    rng = random.Random(7)
    fields = ["", "x", "long value", '"a,b"', '"line\nline"', '"say ""hi"""', "é"]
    text = "".join(
        ",".join(rng.choice(fields) for _ in range(rng.choice([5] * 50 + [4, 6]))) + "\n" for _ in range(20_000)
    )
    fast = Splitter(Dialect(), 5)
    one = fast.feed(text.encode())
    assert one.pieces is None, "the fast way was not taken"
    slow = Splitter(Dialect(), 5)
    records, _ = slow._slow(text.encode(), True)
    assert one.lines.tolist() == records.lines.tolist()
    assert [(b.line, b.value, b.raw) for b in one.bad] == [(b.line, b.value, b.raw) for b in records.bad]
    assert one.data == records.data


def test_one_stray_quote_costs_one_row(engine, tmp_path):
    lines = [f"{i},name {i}" for i in range(1000)]
    lines[500] = '500,"never closed'
    report = loaded(engine, tmp_path, "id,name\n" + "\n".join(lines) + "\n")
    assert (report.rows_in, report.rows_kept, dict(report.reasons)) == (1000, 999, {"bad quoting": 1})
    assert corrupt(engine) == [(502, None, "bad quoting")]


def test_every_kind_of_broken_row_has_file_line_and_reason(engine, tmp_path):
    text = (
        'id,name,n\r\n1,"a\r\nb",1\r\n2,short\r\n3,long,1,2\r\n\r\n4,"x"y,1\r\n'
        '5,nul\x00,1\r\n6,ok,x\r\n,no key,1\r\n7,"open'
    )
    report = loaded(engine, tmp_path, text, columns={"n": "integer"})
    assert rows(engine) == [(1, "a\r\nb", 1)]
    assert corrupt(engine) == [
        (4, None, "wrong number of columns"),
        (5, None, "wrong number of columns"),
        (7, None, "bad quoting"),
        (8, None, "NUL character"),
        (9, "n", "not an integer"),
        (10, "id", "primary key is null"),
        (11, None, "bad quoting"),
    ]
    assert report.rows_in == 8
    [row] = engine.fetch(Query("SELECT * FROM s_T_corrupt WHERE line = 9")).to_pylist()
    assert row["file"] == "a.csv"
    assert row["value"] == "x"
    assert row["details"] == '[{"column":"n","reason":"not an integer","value":"x"}]'
    assert row["raw"] == '{"id":"6","name":"ok","n":"x"}'
    [row] = engine.fetch(Query("SELECT raw, value FROM s_T_corrupt WHERE line = 4")).to_pylist()
    assert row == {"raw": "2,short", "value": "2 columns instead of 3"}


def test_a_line_of_ten_megabytes(engine, tmp_path):
    long = "x" * 10_000_000
    report = loaded(engine, tmp_path, f'id,t\n1,a\n2,{long}\n3,"{long}\n"\n4,b\n')
    assert report.rows_kept == 4
    assert rows(engine, order="id")[1] == (2, long)


@pytest.mark.parametrize(
    ("encoding", "declared"),
    [
        ("utf-8", None), ("utf-8-sig", None), ("utf-16", None), ("utf-16-le", "utf-16-le"), ("utf-16-be", "utf-16-be"),
        ("latin-1", "latin-1"), ("cp1252", "cp1252"), ("utf-32", None), ("utf-8-sig", "utf-8"), ("utf-16", "utf-16"),
    ],
)  # fmt: skip
def test_encodings(engine, tmp_path, encoding, declared):
    text = 'id,name\r\nä1,"Zoë\r\nMüller"\r\n'
    report = loaded(engine, tmp_path, text.encode(encoding), csv=CsvOptions(encoding=declared))
    assert rows(engine) == [("ä1", "Zoë\r\nMüller")]
    assert report.rows_in == 1


@pytest.mark.parametrize(
    "codec",
    [codecs.BOM_UTF16_LE + "id,n\n1,é\n".encode("utf-16-le"), codecs.BOM_UTF16_BE + "id,n\n1,é\n".encode("utf-16-be")],
)
def test_utf16_by_its_mark(engine, tmp_path, codec):
    loaded(engine, tmp_path, codec)
    assert rows(engine) == [(1, "é")]


def test_undecodable_bytes_name_file_and_line(engine, tmp_path):
    with pytest.raises(SourceError) as caught:
        loaded(engine, tmp_path, b"id,name\n1,a\n2,Z\xf6e\n")
    assert "a.csv, line 3" in caught.value.where
    assert "f6" in caught.value.message
    assert "cp1252" in caught.value.hint


def test_a_character_cut_off_at_the_end_is_undecodable(engine, tmp_path):
    with pytest.raises(SourceError, match="no text in utf-8"):
        loaded(engine, tmp_path, "id,name\n1,é".encode()[:-1])


def test_unmarked_utf16_and_an_unknown_encoding_are_named(engine, tmp_path):
    with pytest.raises(SourceError, match="looks like UTF-16"):
        loaded(engine, tmp_path, "id,name\n1,a\n".encode("utf-16-le"))
    with pytest.raises(SpecError, match="unknown encoding 'utf-9'"):
        loaded(engine, tmp_path, "id\n1\n", csv=CsvOptions(encoding="utf-9"))
    with pytest.raises(SpecError, match="unknown encoding 'hex'"):
        loaded(engine, tmp_path, "id\n1\n", csv=CsvOptions(encoding="hex"))


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
def test_the_delimiter_is_detected(engine, tmp_path, delimiter):
    text = "\n".join(
        [delimiter.join(["id", "a b", "c"]), *(delimiter.join([str(i), "x, y; z", "t"]) for i in range(5))]
    )
    if delimiter in ",;":
        text = text.replace("x, y; z", '"x, y; z"')
    loaded(engine, tmp_path, text)
    assert rows(engine)[0] == (0, "x, y; z", "t")


def test_single_quotes_are_detected_when_the_header_has_them(engine, tmp_path):
    loaded(engine, tmp_path, "'id','name'\n'1','a, b'\n")
    assert rows(engine) == [(1, "a, b")]


def test_one_column(engine, tmp_path):
    report = loaded(engine, tmp_path, "id\na\n\nb\n")
    assert rows(engine) == [("a",), ("b",)]
    assert report.rows_in == 2


def test_skip_no_header_and_null_texts(engine, tmp_path):
    text = "exported by x\n\n1;NULL;-\n2;b;3\n"
    options = CsvOptions(skip=2, header=False, null=("", "NULL", "-"))
    loaded(engine, tmp_path, text, csv=options, columns={"id": "integer", "name": "string", "n": "integer"})
    assert rows(engine) == [(1, None, None), (2, "b", 3)]
    with pytest.raises(SourceError, match="3 columns, 2 are declared"):
        loaded(engine, tmp_path, text, csv=options, columns={"id": "integer", "name": "string"})
    loaded(engine, tmp_path, text, key="column1", csv=options)
    assert rows(engine)[0][0] == 1


def test_compressed_and_globs_and_folders_and_shuffled_columns(engine, tmp_path):
    folder = tmp_path / "in"
    folder.mkdir()
    (folder / "a.csv").write_bytes(b"id,name\n1,a\n")
    (folder / "b.csv.gz").write_bytes(gzip.compress(b"name,id\nb,2\n") + gzip.compress(b"c,3\n"))
    (folder / "c.csv.zst").write_bytes(zstandard.compress(b"NAME,id\nd,4\n") + zstandard.compress(b"e,5\n"))
    (folder / "_SUCCESS").write_bytes(b"")
    for files in ("in", "in/*.csv*", ["in/a.csv", "in/b.csv.gz", "in/c.csv.zst", "in/a*"]):
        report = load(engine, "s.T", Entity(files=files, key="id"), base=tmp_path)
        assert rows(engine) == [(1, "a"), (2, "b"), (3, "c"), (4, "d"), (5, "e")]
        assert [f.name for f in report.files] == ["in/a.csv", "in/b.csv.gz", "in/c.csv.zst"]
        assert any("'NAME' spelt in other case" in w for w in report.warnings)


def test_other_columns_in_a_second_file_are_an_error(engine, tmp_path):
    (tmp_path / "a.csv").write_text("id,name\n1,a\n")
    (tmp_path / "b.csv").write_text("id,nmae\n1,a\n")
    with pytest.raises(SourceError) as caught:
        load(engine, "s.T", Entity(files="*.csv", key="id"), base=tmp_path)
    assert caught.value.where == "b.csv"
    assert "lacks 'name' and also has 'nmae'" in caught.value.message
    assert "did you mean name?" in caught.value.hint


@pytest.mark.parametrize(
    ("files", "message"),
    [
        ("x.csv", "no such file"),
        ("*.tsv", "no file matches"),
        ("empty", "holds no data file"),
        ("a.dat", "format cannot"),
    ],
)
def test_files_that_are_not_there(engine, tmp_path, files, message):
    (tmp_path / "empty").mkdir()
    (tmp_path / "a.dat").write_text("id\n1\n")
    with pytest.raises(SourceError, match=message):
        load(engine, "s.T", Entity(files=files, key="id"), base=tmp_path)


def test_headers(engine, tmp_path):
    with pytest.raises(SourceError, match="two columns are called 'a' and 'A'"):
        loaded(engine, tmp_path, "id,a,A\n1,2,3\n")
    with pytest.raises(SourceError, match="two columns are called 'a' and 'a'"):
        loaded(engine, tmp_path, "id,a,a\n1,2,3\n")
    with pytest.raises(SourceError, match="no header"):
        loaded(engine, tmp_path, "\n\n")
    with pytest.raises(SourceError, match="header has bad quoting"):
        loaded(engine, tmp_path, '"id"x,a\n1,2\n')
    with pytest.raises(DamagedFileError, match="empty"):
        loaded(engine, tmp_path, "")
    report = loaded(engine, tmp_path, "id,,name \n1,2,3\n")
    assert [c.name for c in report.columns] == ["id", "column2", "name"]
    assert len(report.warnings) == 2
    report = loaded(engine, tmp_path, "id,name\n")
    assert (report.rows_in, report.rows_kept) == (0, 0)
    assert engine.columns("s_T") == {"id": "VARCHAR", "name": "VARCHAR"}


def test_blanks_after_the_delimiter(engine, tmp_path):
    report = loaded(engine, tmp_path, 'id, a, b\n1, x,\n2,  , "p, q"\n3, ,  r s \n')
    assert rows(engine) == [(1, "x", None), (2, None, "p, q"), (3, None, "r s ")]
    assert "blanks after the delimiter" in report.warnings[0]


def test_sniff_reads_the_head_only(tmp_path):
    lines = [f"{i},{i % 28 + 1}/5/2020" if i % 12 else f"{i},5/{i % 28 + 1}/2020" for i in range(1)]
    big = "id,when,n\n" + "".join(f"C{i},5/{i % 28 + 1}/2020,{i}\n" for i in range(100_000)) + "x,y\n" + "".join(lines)
    (tmp_path / "a.csv").write_text(big)
    assert sniff(Entity(files="a.csv", key="id"), tmp_path) == {"id": "string", "when": "date", "n": "integer"}
    with pytest.raises(SourceError) as caught:
        sniff(Entity(files="a.csv", key="ID2"), tmp_path)
    assert "did you mean id?" in caught.value.hint


@pytest.mark.skipif(not SHARED.is_dir(), reason="the shared data sets are not beside the checkout")
@pytest.mark.parametrize(
    ("file", "key"),
    [
        ("contoso/Contact.csv", "ContactId"), ("contoso/Customer-Loyalty.csv", "LoyaltyId"),
        ("contoso/CustomerRecordContoso.csv", "ContactId"), ("contoso/OnlinePurchases.csv", "PurchaseId"),
        ("contoso/POSPurchases.csv", "PurchaseId"),
        ("contoso/WebsiteReviews_LinkedToEcommerceContacts.csv", "ReviewId"),
        ("febrl/dataset1.csv", "rec_id"), ("febrl/dataset2.csv", "rec_id"), ("febrl/dataset3.csv", "rec_id"),
        ("febrl/dataset4a.csv", "rec_id"), ("febrl/dataset4b.csv", "rec_id"), ("fake_1000/fake_1000.csv", "unique_id"),
    ],
)  # fmt: skip
def test_real_files_load_without_loss(engine, file, key):
    report = load(engine, "s.T", Entity(files=file, key=key), base=SHARED)
    text = (SHARED / file).read_text(encoding="utf-8-sig")
    header, _, body = text.partition("\n")
    names = [n.strip() for n in header.strip("\r").split(",")]
    expected, bad = oracle.read(body, len(names), skipinitialspace=file.startswith("febrl"))
    assert not bad
    assert report.rows_kept == report.rows_in == len(expected)
    texts = [c.name for c in report.columns if c.type == "string"]
    wanted = ", ".join(quote(t) for t in [key, *texts])
    got = [c.to_pylist() for c in engine.fetch(Query(f"SELECT {wanted} FROM s_T")).columns]
    want = sorted(tuple(v or None for v in (row[names.index(t)] for t in [key, *texts])) for _, row in expected)
    assert sorted(tuple(str(v) if v is not None else None for v in r) for r in zip(*got, strict=True)) == want


@pytest.mark.soak
def test_a_hundred_thousand_random_texts():
    rng = random.Random(20240517)
    lines = ["a,b\n", '"a","b"\n', '"x\ny",b\r\n', 'a"b,c\n', '"a,b\n', '"a"x,b\n', "\n", '"a""",b\n', 'a,"\n', ",\r"]
    for _ in range(100_000):
        letters = "".join(rng.choice('ab"",,,\n\n\r xé') for _ in range(rng.randrange(1, 120)))
        text = letters if rng.random() < 0.5 else "".join(rng.choice(lines) for _ in range(rng.randrange(15)))
        cuts = [rng.randrange(1, len(text.encode()) + 2) for _ in range(rng.randrange(5))]
        width = rng.choice([1, 2, 3])
        assert split(text, width, Dialect(), cuts) == oracle.read(text, width), (text, cuts, width)
