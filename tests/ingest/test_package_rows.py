"""Rows of entity files: what becomes a value, what becomes an error, and that nothing else happens to a row."""

import csv
import io
import random
from datetime import date, datetime, time
from xml.etree import ElementTree as ET

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ingest.packages import EntityFileError, FileKind, PackageLimits, SourceFormat, read_package
from tests.oracles import package_files as made


def opened(raw, **more):
    return read_package(io.BytesIO(raw), **more)


def read(raw, entity=0, **more):
    """All rows as tuples without RowId, their RowIds, and the errors."""
    with opened(raw) as package:
        batches = list(package.rows(package.manifest.entities[entity], **more))
    rows = [row for batch in batches for row in batch.rows.to_pylist()]
    errors = [error for batch in batches for error in batch.errors]
    return [tuple(r.values())[1:] for r in rows], [r["RowId"] for r in rows], errors


# ── delimited ────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_null_and_empty_text():
    rows, ids, errors = read(made.simple(b'ID,NAME\n1,\n2,""\n3," "\n'))
    assert rows == [("1", None), ("2", ""), ("3", " ")]
    assert (ids, errors) == ([1, 2, 3], [])


@pytest.mark.parametrize(
    ("name", "delimiter"),
    [("CSV", ","), ("CSV", ";"), ("CSV", "\t"), ("CSV", "|"), ("CSV", ":"), ("Semicolon", ";"), ("TAB", "\t"),
     ("Tab delimited", "\t"), ("Bar", "|"), ("Colon", ":"), ("comma-separated", ","), ("CSV-Unicode", ";")],
)  # fmt: skip
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32"])
@pytest.mark.parametrize("ending", ["\n", "\r\n", "\r"])
def test_delimiters_and_encodings(name, delimiter, encoding, ending):
    lines = [["ID", "NAME"], ["1", f'a{delimiter}"b"'], ["2", "é😀\nz"]]
    text = ending.join(delimiter.join(f'"{v.replace(chr(34), chr(34) * 2)}"' for v in line) for line in lines)
    rows, ids, errors = read(made.simple(text.encode(encoding), source_format=name))
    assert (rows, ids, errors) == ([tuple(line) for line in lines[1:]], [1, 2], [])


def test_a_delimiter_is_the_one_that_fits_the_map():
    """The header has more commas than semicolons; the map says which split is meant."""
    rows, _, _ = read(made.simple(b'ID;"NAME, first, last, other"\n1;x\n', fields=("ID", "NAME, first, last, other")))
    assert rows == [("1", "x")]


def test_what_is_wrong_with_a_line():
    raw = made.simple(b'ID,NAME\n1,a\n2\n\n3,b,c\n4,"x"y\n5,\x00\n6,"open\n7,z\n')
    rows, ids, errors = read(raw)
    assert rows == [("1", "a"), ("7", "z")]
    assert ids == [1, 7]
    assert [(e.row_id, e.line, e.reason, e.value) for e in errors] == [
        (2, 3, "wrong number of columns", "1 columns instead of 2"),
        (3, 5, "wrong number of columns", "3 columns instead of 2"),
        (4, 6, "bad quoting", "text after a closing quote, or a quote that is never closed"),
        (5, 7, "NUL character", ""),
        (6, 8, "bad quoting", "text after a closing quote, or a quote that is never closed"),
    ]
    assert [e.raw for e in errors] == ["2", "3,b,c", '4,"x"y', "5,\x00", '6,"open']


def test_a_row_in_another_encoding_costs_itself_alone():
    raw = made.simple("ID,NAME\n1,é\n".encode() + "\n2,é,\r\n3,é\n".encode("cp1252") + '4,"a\nb"\n5,é\n'.encode())
    rows, ids, errors = read(raw)
    assert rows == [("1", "é"), ("4", "a\nb"), ("5", "é")]
    assert ids == [1, 4, 5]
    assert [(e.row_id, e.line, e.column, e.raw) for e in errors] == [
        (2, 4, "", "2,\ufffd,"),
        (3, 5, "NAME", "3,\ufffd"),
    ]
    assert errors[1].reason == "no text in the encoding of the file"


def test_half_characters_of_utf16():
    body = (
        "ID,NAME\r\n1,ok\r\n".encode("utf-16")
        + b"2\0,\0"
        + b"\x3d\xd8"
        + b"\r\0\n\0"
        + "3,😀\r\n4,z".encode("utf-16-le")
    )
    rows, ids, errors = read(made.simple(body))
    assert (rows, ids) == ([("1", "ok"), ("3", "😀"), ("4", "z")], [1, 3, 4])
    assert [(e.row_id, e.line, e.column) for e in errors] == [(2, 3, "NAME")]
    rows, ids, errors = read(made.simple(body + b"z"))
    assert (ids, [e.row_id for e in errors]) == ([1, 3], [2, 4])


def test_a_declared_encoding():
    raw = made.simple(
        "ID,NAME\n1,é€\n2,\x81\n".encode("latin-1", "replace").replace(b"?", b"\x80"), source_format="Old"
    )
    with opened(raw, formats={"Old": SourceFormat("Old", FileKind.DELIMITED, ",", encoding="cp1252")}) as package:
        (batch,) = [b for b in package.rows(package.manifest.entities[0]) if b.rows.num_rows]
        assert batch.rows.column("NAME").to_pylist() == ["é€"]
        assert [e.row_id for e in batch.errors] == [2]
    with opened(raw, formats={"Old": SourceFormat("Old", FileKind.DELIMITED, ",", encoding="hex")}) as package:
        assert "unknown encoding 'hex'" in package.findings[0].message


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "no header row"), (b"\n\r\n\n", "no header row"), (b'"ID,NAME\n1,2\n', "bad quoting"),
        (b"ID,NAME,id\n1,2,3\n", "two columns"), (b"ID,NA\x00ME\n", "NUL"), (b"ID,\xff\n", "no text in UTF-8"),
        (b"ID\n1\n", "'NAME', which fills NAME, is not in the file"),
    ],
)  # fmt: skip
def test_headers_that_are_none(content, said):
    raw = made.simple(content)
    with opened(raw) as package:
        assert [said in f.message for f in package.findings] == [True]
        with pytest.raises(EntityFileError, match=said):
            list(package.rows(package.manifest.entities[0]))


def test_a_header_longer_than_a_piece():
    names = [f"C{i:06}{'x' * 300}" for i in range(5_000)]
    raw = made.simple((",".join(names) + "\n" + "," * 4_999 + "\n").encode(), fields=(names[1], names[-1]))
    assert read(raw)[0] == [(None, None)]


CELL = st.text(st.sampled_from('a,;"\n\r é\t\ufeff😀'), max_size=4)


@settings(max_examples=150, deadline=None)
@given(st.lists(st.tuples(CELL, CELL), max_size=6), st.sampled_from(["utf-8", "utf-16"]))
def test_csv_as_python_writes_it(lines, encoding):
    """Python's csv module writes; quoting everything, so a null is not written and an empty text is one."""
    out = io.StringIO(newline="")
    writer = csv.writer(out, quoting=csv.QUOTE_ALL)
    writer.writerows([("ID", "NAME"), *lines])
    rows, ids, errors = read(made.simple(out.getvalue().encode(encoding)))
    assert (rows, ids, errors) == (lines, list(range(1, len(lines) + 1)), [])


@pytest.mark.parametrize("seed", range(6))
def test_long_files_with_broken_lines(seed):
    """Pieces, windows and batches begin and end anywhere: which rows are broken is known here, row by row."""
    random.seed(seed)
    lines, good, bad = [], [], []
    for number in range(1, 4001):
        kind = random.random()
        if kind < 0.01:
            lines.append(f"{number}".encode())
            bad.append(number)
        elif kind < 0.015:
            lines.append(f"{number},\xff".encode("latin-1"))
            bad.append(number)
        else:
            pad = "x" * random.choice([0, 3, 2000]) + random.choice(["", "é", "\n"])
            lines.append(f'{number},"{pad}"'.encode())
            good.append((number, (str(number), pad)))
        if random.random() < 0.01:
            lines.append(b"")
    rows, ids, errors = read(made.simple(b"ID,NAME\n" + b"\n".join(lines)))
    assert list(zip(ids, rows, strict=True)) == good
    assert [e.row_id for e in errors] == bad


# ── XML ──────────────────────────────────────────────────────────────────────────────────────────────────────────────


def xml(text, fields=("ID", "NAME"), source_format="XML-Element", **more):
    return made.simple(text if isinstance(text, bytes) else text.encode(), "rows.xml", fields, source_format, **more)


@pytest.mark.parametrize("encode", [str.encode, made.utf16])
def test_xml_in_both_forms(encode):
    elements = "<Document><R><ID>1</ID><NAME>a&amp;b</NAME></R><R><ID>2</ID><NAME/></R><R><ID> 3 </ID></R></Document>"
    attributes = '<Document><R ID="1" NAME="a&amp;b"/><R ID="2" NAME=""/><R ID=" 3 "/></Document>'
    expected = [("1", "a&b"), ("2", ""), (" 3 ", None)]
    for form, text in (("XML-Element", elements), ("XML-Attribute", attributes)):
        assert read(xml(encode(text), source_format=form)) == (expected, [1, 2, 3], [])


def test_xml_nil_cdata_comments_and_namespaces():
    text = (
        f'<d:Document xmlns:d="urn:x" xmlns:i="{made.XSI}"><!-- c --><d:R><d:ID i:nil="true"/><NAME xml:space="preserve"> x </NAME></d:R>'
        "<d:R><ID><![CDATA[<a>]]></ID><?p i?></d:R></d:Document>"
    )
    assert read(xml(text))[0] == [(None, " x "), ("<a>", None)]


def test_what_is_wrong_with_an_xml_row():
    text = (
        "<Document>\n<R><ID>1</ID><ID>2</ID></R>\n<R><ID x='1'>3</ID></R>\n<R>text<ID>4</ID></R>\n<R><ID>5</ID></R>\n"
        "<R ID='6'><ID>6</ID></R></Document>"
    )
    rows, ids, errors = read(xml(text, fields=("ID",)))
    assert (rows, ids) == ([("5",)], [4])
    assert [(e.row_id, e.line, e.column, e.reason, e.value) for e in errors] == [
        (1, 2, "ID", "a value stands twice", ""), (2, 3, "ID", "a value has an attribute", "x"),
        (3, 4, "", "text outside of a value", "text"), (5, 6, "ID", "a value stands twice", ""),
    ]  # fmt: skip
    assert errors[2].raw == '<R ID="4" />'


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("<Document><A><ID>1</ID></A><B><ID>1</ID></B></Document>", "several kinds: A, B"),
        ("<Document>", "no element found"),
        ("<Document><R></Document>", "mismatched tag"),
        ("", "no element found"),
        ("<Document><R><ID>\x01</ID></R></Document>", "invalid token"),
        ("<Document/><Document/>", "junk after document element"),
    ],
)
def test_xml_that_cannot_be_read(text, said):
    with opened(xml(text)) as package:
        assert said in package.findings[0].message


def test_text_between_rows():
    with (
        opened(xml("<Document><R><ID>1</ID></R>text</Document>", fields=("ID",))) as package,
        pytest.raises(Exception, match="between the rows"),
    ):
        list(package.rows(package.manifest.entities[0]))


def test_xml_without_rows():
    assert read(xml("<Document/>")) == ([], [], [])


COMPOSITE = """<Document>
<OrderEntity SalesID="SO1" CurrencyCode="USD"><LineEntity ItemId="1000" LineNum="1"/><LineEntity ItemId="4401" LineNum="2"><Charge Code="F"/></LineEntity></OrderEntity>
<OrderEntity SalesID="SO2" CurrencyCode="EUR"/>
<OrderEntity SalesID="SO3"><LineEntity ItemId="4402"/></OrderEntity>
</Document>"""
ELEMENTS = """<Document>
<OrderEntity><SalesID>SO1</SalesID><LineEntity><ItemId>1000</ItemId><LineNum>1</LineNum></LineEntity><CurrencyCode>USD</CurrencyCode><LineEntity><ItemId>4401</ItemId><LineNum>2</LineNum><Charge><Code>F</Code></Charge></LineEntity></OrderEntity>
<OrderEntity><SalesID>SO2</SalesID><CurrencyCode>EUR</CurrencyCode></OrderEntity>
<OrderEntity><SalesID>SO3</SalesID><LineEntity><ItemId>4402</ItemId></LineEntity></OrderEntity>
</Document>"""


@pytest.mark.parametrize(("text", "form"), [(COMPOSITE, "XML-Attribute"), (ELEMENTS, "XML-Element")])
@pytest.mark.parametrize("batch_rows", [1, 3, 1000])
def test_composite_entities(text, form, batch_rows):
    raw = xml(text, fields=(), source_format=form)
    with opened(raw) as package:
        (entity,) = package.manifest.entities
        assert entity.is_composite
        assert [(p.name, p.parent, set(p.columns), p.rows) for p in entity.parts] == [
            ("OrderEntity", "", {"SalesID", "CurrencyCode"}, 3), ("LineEntity", "OrderEntity", {"ItemId", "LineNum"}, 3),
            ("Charge", "LineEntity", {"Code"}, 1),
        ]  # fmt: skip
        found = {}
        for batch in package.rows(entity, batch_rows=batch_rows):
            assert not batch.errors
            found.setdefault(batch.part, []).extend(batch.rows.to_pylist())
    by_id = {part: sorted(rows, key=lambda r: r["RowId"]) for part, rows in found.items()}
    orders, lines, charges = by_id["OrderEntity"], by_id["LineEntity"], by_id["Charge"]
    assert [(r["RowId"], r["ParentRowId"], r["SalesID"], r["CurrencyCode"]) for r in orders] == [
        (1, None, "SO1", "USD"), (5, None, "SO2", "EUR"), (6, None, "SO3", None),
    ]  # fmt: skip
    assert [(r["RowId"], r["ParentRowId"], r["ItemId"], r["LineNum"]) for r in lines] == [
        (2, 1, "1000", "1"), (3, 1, "4401", "2"), (7, 6, "4402", None),
    ]  # fmt: skip
    assert [(r["RowId"], r["ParentRowId"], r["Code"]) for r in charges] == [(4, 3, "F")]


def test_a_map_of_a_composite_entity_renames_in_every_part():
    with opened(xml(COMPOSITE, source_format="XML-Attribute", maps=made.entity_map("Item", "ITEMID"))) as package:
        (entity,) = package.manifest.entities
        names = {b.part: b.rows.schema.names[2:] for b in package.rows(entity)}
        assert names["LineEntity"] == ["Item", "LineNum"]
        assert names["OrderEntity"] == ["SalesID", "CurrencyCode"]


def test_at_most_one_composite_entity():
    raw = made.package(
        made.entity("A", "a.xml", (), "XML-Attribute"), made.entity("B", "b.xml", (), "XML-Attribute"),
        files={"a.xml": COMPOSITE.encode(), "b.xml": COMPOSITE.encode()},
    )  # fmt: skip
    with pytest.raises(Exception, match="2 composite entities: A, B"):
        opened(raw)


VALUE = st.text(st.characters(exclude_categories=("Cs", "Cc"), exclude_characters="\ufffe\uffff"), max_size=5)


@settings(max_examples=100, deadline=None)
@given(st.lists(st.fixed_dictionaries({}, optional={"ID": VALUE, "NAME": VALUE}), max_size=5), st.booleans())
def test_xml_as_python_writes_it(lines, attributes):
    root = ET.Element("Document")
    for line in lines:
        row = ET.SubElement(root, "R", line if attributes else {})
        for name, value in ({} if attributes else line).items():
            ET.SubElement(row, name).text = value
    text = ET.tostring(root, "utf-8")
    rows, ids, errors = read(xml(text, source_format="XML-Attribute" if attributes else "XML-Element"))
    assert rows == [(line.get("ID"), line.get("NAME")) for line in lines]
    assert (ids, errors) == (list(range(1, len(lines) + 1)), [])


# ── xlsx ─────────────────────────────────────────────────────────────────────────────────────────────────────────────


def excel(book, fields=("ID", "NAME"), **more):
    return made.simple(book, "rows.xlsx", fields, "EXCEL", **more)


def test_cells_of_every_kind():
    cells = [
        ('<c r="@"><v>12</v></c>', "12"), ('<c r="@"><v>1E+2</v></c>', "100"), ('<c r="@"><v>0.10000000000000001</v></c>', "0.1"),
        ('<c r="@"><v>12345678901234567890</v></c>', "12345678901234567890"), ('<c r="@"><v>-1.5e-7</v></c>', "-1.5e-07"),
        ('<c r="@" t="b"><v>1</v></c>', "true"), ('<c r="@" t="b"><v>0</v></c>', "false"),
        ('<c r="@" t="s"><v>1</v></c>', "rich text"), ('<c r="@" t="s"><v>0</v></c>', ""),
        ('<c r="@" t="str"><f>A1</f><v>made</v></c>', "made"), ('<c r="@"><f>1+1</f><v>2</v></c>', "2"),
        ('<c r="@" s="1"><v>45983</v></c>', "2025-11-22"), ('<c r="@" s="2"><v>45983.5</v></c>', "2025-11-22T12:00:00"),
        ('<c r="@" s="1"><v>59</v></c>', "1900-02-28"), ('<c r="@" s="1"><v>61</v></c>', "1900-03-01"),
        ('<c r="@" s="2"><v>0.75</v></c>', "18:00:00"), ('<c r="@" s="3"><v>1.5</v></c>', "1.5"),
        ('<c r="@" t="d"><v>2025-11-22</v></c>', "2025-11-22"), ('<c r="@" s="1"/>', None), ('<c r="@" t="inlineStr"><is><t></t></is></c>', ""),
        ('<c r="@" t="inlineStr"><is><t>a_x000D_b_x005F_x000D_</t></is></c>', "a\rb_x000D_"),
        ('<c r="@" t="inlineStr"><is><r><t>a</t></r><rPh><t>read</t></rPh><r><t xml:space="preserve"> b</t></r></is></c>', "a b"),
    ]  # fmt: skip
    book = made.workbook(
        {"S": made.sheet([["ID", "NAME"], *([str(i), cell] for i, (cell, _) in enumerate(cells))])},
        strings="<si><t/></si><si><r><t>rich</t></r><r><t xml:space='preserve'> text</t></r><rPh><t>no</t></rPh></si>",
        styles="<numFmts><numFmt numFmtId='164' formatCode='yyyy-mm-dd hh:mm'/><numFmt numFmtId='165' formatCode='[h]:mm'/></numFmts>"
        "<cellXfs><xf numFmtId='0'/><xf numFmtId='14'/><xf numFmtId='164'/><xf numFmtId='165'/></cellXfs>",
    )
    rows, _, errors = read(excel(book))
    assert errors == []
    assert [name for _, name in rows] == [expected for _, expected in cells]


def test_dates_from_1904():
    book = made.workbook(
        {"S": made.sheet([["ID"], ['<c r="@" s="1"><v>1</v></c>']])},
        styles="<cellXfs><xf/><xf numFmtId='14'/></cellXfs>",
        date1904=True,
    )
    assert read(excel(book, fields=("ID",)))[0] == [("1904-01-02",)]


@pytest.mark.parametrize(
    ("cell", "reason", "value"),
    [
        ('<c r="@" t="e"><v>#N/A</v></c>', "an error value", "#N/A"),
        ('<c r="@"><f>1/0</f></c>', "a formula without a value", ""),
        ('<c r="@"><v>abc</v></c>', "not a number", "abc"), ('<c r="@"><v>1e999</v></c>', "not a number", "1e999"),
        ('<c r="@"><v>0x1F</v></c>', "not a number", "0x1F"), ('<c r="@"><v>1_000</v></c>', "not a number", "1_000"),
        ('<c r="@" t="b"><v>2</v></c>', "neither true nor false", "2"),
        ('<c r="@" t="s"><v>7</v></c>', "a text that is not in the workbook", "7"),
        ('<c r="@" t="s"><v>-1</v></c>', "a text that is not in the workbook", "-1"),
        ('<c r="@" s="1"><v>-5</v></c>', "not a date", "-5"), ('<c r="@" s="1"><v>3000000</v></c>', "not a date", "3000000"),
        ('<c r="A2"><v>1</v></c>', "a cell is not where a cell can be", "A2"), ('<c r="zz"><v>1</v></c>', "a cell is not where a cell can be", "zz"),
        ('<c r="@" t="zz"><v>1</v></c>', "not a number", "1"),
    ],
)  # fmt: skip
def test_cells_without_a_value(cell, reason, value):
    book = made.workbook(
        {"S": made.sheet([["ID", "NAME"], ["1", cell], ["2", "ok"]])},
        styles="<cellXfs><xf/><xf numFmtId='14'/></cellXfs>",
    )
    rows, ids, errors = read(excel(book))
    assert (rows, ids) == ([("2", "ok")], [2])
    assert [(e.row_id, e.line, e.reason, e.value) for e in errors] == [(1, 2, reason, value)]


def test_more_cells_than_columns():
    rows, ids, errors = read(excel(made.workbook({"S": made.sheet([["ID", "NAME"], ["1", "a", "b"], ["2"]])})))
    assert (rows, ids) == ([("2", None)], [2])
    assert errors[0].value == "3 columns instead of 2"


def test_empty_rows_are_no_rows():
    sheet = made.sheet([[], [None, None], ["ID", "NAME"], [], ["1", "a"], ['<c r="@" s="1"/>'], ["2", "b"]])
    rows, ids, errors = read(excel(made.workbook({"S": sheet})))
    assert (rows, ids, errors) == ([("1", "a"), ("2", "b")], [1, 2], [])


@pytest.mark.parametrize("asked", ["Second", "second$", "'Second$'"])
def test_sheets_by_name(asked):
    book = made.workbook({"First": made.sheet([["X"], ["no"]]), "Second": made.sheet([["ID"], ["yes"]])})
    assert read(excel(book, fields=("ID",), ExcelSheetName=asked))[0] == [("yes",)]


def test_the_first_sheet_and_the_only_one():
    two = {"First": made.sheet([["ID"], ["1"]]), "Second": made.sheet([["ID"], ["2"]])}
    assert read(excel(made.workbook(two), fields=("ID",)))[0] == [("1",)]
    assert read(excel(made.workbook({"Other": two["First"]}), fields=("ID",), ExcelSheetName="Third$"))[0] == [("1",)]
    with opened(excel(made.workbook(two), fields=("ID",), ExcelSheetName="Thrid$")) as package:
        assert "no sheet 'Thrid$'" in package.findings[0].message


@pytest.mark.parametrize(
    ("book", "said"),
    [
        (bytes.fromhex("d0cf11e0a1b11ae1") + b"old", "an .xls workbook, or one with a password"), (b"text", "not a zip archive"), (made.packed({"a": b"b"}), "no Excel workbook"),
        (made.workbook({}), "has no sheet"), (made.workbook({"S": made.sheet([])}), "no header row"),
        (made.workbook({"S": made.sheet([["ID", "id"]])}), "two columns"),
        (made.workbook({"S": made.sheet([['<c r="@" t="e"><v>#REF!</v></c>']])}), "the header row has an error value"),
    ],
)  # fmt: skip
def test_workbooks_that_cannot_be_read(book, said):
    with opened(excel(book)) as package:
        assert said in package.findings[0].message


def test_cells_as_openpyxl_writes_them():
    """A workbook of another writer: shared strings, styles, dates as that library has them."""
    openpyxl = pytest.importorskip("openpyxl", reason="the oracle of this test")
    values = [
        "text", " blank ", "a\nb", "é😀", 12, -1.5, 1e-9, 123456789012345, True, False, date(2020, 2, 29),
        datetime.fromisoformat("1999-12-31T23:59:58"), time(6, 30), None, "=1+1",
    ]  # fmt: skip
    book = openpyxl.Workbook()
    book.active.append(["ID", "NAME"])
    for number, value in enumerate(values):
        book.active.append([number, value])
    out = io.BytesIO()
    book.save(out)
    rows, ids, errors = read(excel(out.getvalue()))
    said = {int(number): name for number, name in rows}
    expected = [
        "text", " blank ", "a\nb", "é😀", "12", "-1.5", "1e-09", "123456789012345", "true", "false", "2020-02-29",
        "1999-12-31T23:59:58", "06:30:00", None,
    ]  # fmt: skip
    assert [said[i] for i in range(len(expected))] == expected
    assert [(e.row_id, e.reason) for e in errors] == [(15, "a formula without a value")]
    assert len(ids) == 14


# ── limits and batches ───────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("form", ["XML-Element", "EXCEL"])
def test_batches(form):
    lines = [(str(i), "x" * (i % 7)) for i in range(1000)]
    if form == "EXCEL":
        raw = excel(made.workbook({"S": made.sheet([["ID", "NAME"], *lines])}))
    else:
        raw = xml("<D>" + "".join(f"<R><ID>{a}</ID><NAME>{b}</NAME></R>" for a, b in lines) + "</D>")
    for batch_rows in (1, 7, 1000, 5000):
        with opened(raw) as package:
            sizes = [b.rows.num_rows for b in package.rows(package.manifest.entities[0], batch_rows=batch_rows)]
        assert sum(sizes) == 1000
        rows, ids, errors = read(raw, batch_rows=batch_rows)
        assert (rows, ids, errors) == (lines, list(range(1, 1001)), [])


def test_readers_take_turns():
    """Entities of one package may be read side by side: units run at the same time."""
    files = {f"{n}.csv": f"A\n{n}1\n{n}2\n".encode() for n in "abc"}
    raw = made.package(*(made.entity(n, f"{n}.csv", ["A"]) for n in "abc"), files=files)
    with opened(raw, limits=PackageLimits()) as package:
        readers = [package.rows(entity) for entity in package.manifest.entities]
        turns = [batch for turn in zip(*readers, strict=True) for batch in turn]
    found = [row["A"] for batch in turns for row in batch.rows.to_pylist()]
    assert sorted(found) == ["a1", "a2", "b1", "b2", "c1", "c2"]
