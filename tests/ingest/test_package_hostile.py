"""Archives and XML that are made to harm who reads them: each is refused, in its own words, without the harm."""

import io
import stat
import tracemalloc
import zipfile
import zlib

import pytest

from ingest.packages import (
    DamagedPackageError,
    HostilePackageError,
    PackageError,
    PackageLimits,
    Severity,
    read_package,
)
from tests.oracles import package_files as made

ONE = made.entity("A", "a.csv", ["A"])
GOOD = [*made.documents(ONE), {"name": "a.csv", "data": b"A\n1\n2\n"}]
BOMB = b"0" * (3 << 20)
LIMITS = PackageLimits(total_bytes=1 << 24, member_bytes=1 << 23)


def refused(raw, error=HostilePackageError, limits=None):
    """The message; and nothing of any size was held."""
    tracemalloc.start()
    with pytest.raises(error) as caught:
        read_package(io.BytesIO(raw), limits).close()
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 40 << 20
    assert type(caught.value) is error
    return str(caught.value)


def with_entry(**more):
    return made.raw_zip([*GOOD, {"name": "x", "data": b"x"} | more])


def test_the_good_one_is_taken():
    with read_package(io.BytesIO(made.raw_zip(GOOD))) as package:
        assert package.count(package.manifest.entities[0]) == (2, 0)


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("../x", "leaves the package"), ("a/../../x", "leaves the package"), ("a/..", "leaves the package"),
        ("/etc/passwd", "absolute"), ("C:/x", "absolute"), ("c:x", "absolute"), ("C:", "absolute"),
        ("..\\x", "backslash"), ("\\\\host\\share", "backslash"), ("a\\b", "backslash"),
        (b"a.csv\0.exe", "NUL"), ("a\nb", "control character"), ("a\x7f", "control character"),
        ("./x", "empty part"), ("a//b", "empty part"), ("", "0 characters"), ("x" * 2000, "2,000 characters"),
    ],
)  # fmt: skip
def test_names(name, said):
    assert said in refused(with_entry(name=name))


@pytest.mark.parametrize(
    ("name", "said"),
    [("a.csv", "there twice"), ("A.CSV", "also there as 'a.csv'"), ("manifest.XML", "also there as 'Manifest.xml'")],
)
def test_names_that_are_there_already(name, said):
    assert said in refused(with_entry(name=name))


def test_names_that_differ_in_how_an_accent_is_written():
    entries = [*GOOD, {"name": "é", "data": b"1"}, {"name": "e\u0301", "data": b"2"}]
    assert "also there as" in refused(made.raw_zip(entries))


@pytest.mark.parametrize(
    ("more", "error", "said"),
    [
        ({"attributes": (stat.S_IFLNK | 0o777) << 16}, HostilePackageError, "symbolic link"),
        ({"attributes": (stat.S_IFIFO | 0o666) << 16}, HostilePackageError, "a pipe"),
        ({"attributes": (stat.S_IFCHR | 0o666) << 16}, HostilePackageError, "a device"),
        ({"flags": 0x801}, HostilePackageError, "encrypted"),
        ({"flags": 0x841}, HostilePackageError, "encrypted"),
        ({"method": 12, "packed": b"x"}, DamagedPackageError, "packed with bzip2"),
        ({"method": 99, "packed": b"x"}, DamagedPackageError, "packed with method 99"),
        ({"name": "folder/", "data": b"x"}, HostilePackageError, "a folder that has content"),
        ({"method": 0, "size": 9}, HostilePackageError, "two sizes"),
        ({"local_name": b"y"}, HostilePackageError, "called 'y' in its own header"),
        ({"local_size": 5}, HostilePackageError, "say different things"),
        ({"local_length": 1}, HostilePackageError, "say different things"),
        ({"local_crc": 5}, HostilePackageError, "say different things"),
        ({"crc": 5}, DamagedPackageError, "its checksum is"),
        ({"size": 5}, DamagedPackageError, "says 5 bytes, and it has 1"),
        ({"size": 0}, HostilePackageError, "unpacks to more"),
        ({"packed": b"\xff\xff\xff"}, DamagedPackageError, "packed bytes are damaged"),
        ({"packed": b""}, DamagedPackageError, "cut off"),
        ({"packed": b"\3\0\3\0", "data": b""}, DamagedPackageError, "bytes follow its end"),
        ({"offset": 7}, DamagedPackageError, "not where the directory says"),
        ({"offset": 1 << 31}, DamagedPackageError, "not where the directory says"),
        ({"offset": 0, "name": "Manifest.xmk"}, HostilePackageError, "called 'Manifest.xml' in its own header"),
        ({"length": 1 << 20}, HostilePackageError, "reaches into the directory"),
    ],
)  # fmt: skip
def test_members(more, error, said):
    assert said in refused(with_entry(**more), error)


def test_a_folder_is_no_harm():
    with read_package(io.BytesIO(with_entry(name="folder/", data=b"", method=0))) as package:
        assert package.findings == ()


def test_members_that_share_bytes():
    """The quoted bomb: a member whose bytes are another member, header and all, so that both unpack the same bytes."""
    inner = made.raw_zip([{"name": "l", "data": b"x" * 100, "method": 0}])
    inner = inner[: inner.index(b"PK\1\2")]
    outer = {"name": "k", "data": inner, "method": 0}
    at = made.raw_zip([*GOOD, outer]).rindex(inner)
    quoted = {"name": "l", "data": b"x" * 100, "method": 0, "offset": at, "listed_only": True}
    assert "the members 'k' and 'l' share bytes" in refused(made.raw_zip([*GOOD, outer, quoted]))


def test_a_member_that_is_listed_twice():
    entries = [*GOOD, {"name": "k", "data": b"x" * 100}]
    at = made.raw_zip(entries).rindex(b"PK\3\4")
    twice = {"name": "l", "data": b"x" * 100, "offset": at, "listed_only": True}
    assert "called 'k' in its own header" in refused(made.raw_zip([*entries, twice]))


def test_a_bomb_by_its_ratio():
    assert "times its packed size" in refused(with_entry(data=BOMB))


def test_a_bomb_by_its_size():
    assert "at most 8,388,608 are read" in refused(with_entry(data=b"", size=1 << 30), limits=LIMITS)


def test_a_bomb_of_many_members():
    pieces = [{"name": f"{i}.bin", "data": b"01" * (1 << 19)} for i in range(20)]
    assert "unpack to more than 16,777,216 bytes" in refused(made.raw_zip([*GOOD, *pieces]), limits=LIMITS)


def test_a_bomb_that_lies_about_its_size():
    """The headers say 100 bytes; 300 MB would come. The first piece that is too much ends it."""
    deflate = zlib.compressobj(9, zlib.DEFLATED, -15)
    packed = b"".join(deflate.compress(b"0" * (1 << 20)) for _ in range(300)) + deflate.flush()
    assert "says 100 bytes, and it unpacks to more" in refused(with_entry(data=b"", packed=packed, size=100))


def test_a_bomb_in_the_data():
    """Named by the manifest, so that its rows would be read."""
    raw = made.raw_zip([*made.documents(ONE), {"name": "a.csv", "data": b"A\n" + b"1\n" * (2 << 20)}])
    assert "times its packed size" in refused(raw)


def test_a_bomb_inside_a_workbook():
    book = made.workbook({"S": made.sheet([["A"], ["0" * (3 << 20)]])})
    raw = made.package(made.entity("A", "a.xlsx", ["A"], "EXCEL"), files={"a.xlsx": book}, method=zipfile.ZIP_STORED)
    assert "times its packed size" in refused(raw)


def test_many_members():
    raw = made.packed({f"{i}": b"" for i in range(101)})
    assert "101 members" in refused(raw, limits=PackageLimits(members=100))


def test_a_directory_without_end():
    raw = made.packed({"x" * 900 + str(i): b"" for i in range(300)})
    assert "its directory has" in refused(raw, limits=PackageLimits(members=200))


def test_an_archive_inside_is_not_opened():
    inner = made.packed({"bomb": BOMB})
    with read_package(io.BytesIO(with_entry(name="inner.zip", data=inner))) as package:
        (finding,) = package.findings
        assert finding.severity is Severity.WARNING
        assert "not opened" in finding.message


@pytest.mark.parametrize("kept", [0, 3, 21, 22, 100, 0.5, 0.9, -1, -22])
def test_cut_off(kept):
    raw = made.raw_zip(GOOD)
    end = int(len(raw) * kept) if isinstance(kept, float) else kept
    assert refused(raw[:end], DamagedPackageError)


def test_every_cut_is_refused():
    raw = made.raw_zip(GOOD)
    for end in range(len(raw)):
        with pytest.raises(DamagedPackageError):
            read_package(io.BytesIO(raw[:end]))


def test_no_zip_at_all():
    assert "not a zip archive" in refused(b"MZ" + bytes(5000), DamagedPackageError)
    assert "0 bytes" in refused(b"", DamagedPackageError)
    assert "cut off: its directory is not there" in refused(made.raw_zip(GOOD)[:60], DamagedPackageError)


# ── XML ──────────────────────────────────────────────────────────────────────────────────────────────────────────────

LAUGHS = (
    '<!DOCTYPE a [<!ENTITY a "ha">'
    + "".join(f'<!ENTITY {chr(98 + i)} "&{chr(97 + i)};&{chr(97 + i)};">' for i in range(20))
    + "]>"
)
DOCTYPES = [
    LAUGHS, '<!DOCTYPE a SYSTEM "file:///etc/passwd">', '<!DOCTYPE a [<!ENTITY x SYSTEM "file:///etc/passwd">]>',
    '<!DOCTYPE a [<!ATTLIST a b CDATA "c">]>', "<!DOCTYPE a>", '<!DOCTYPE a [<!ENTITY % p SYSTEM "http://127.0.0.1/x.dtd"> %p;]>',
]  # fmt: skip
INCLUDE = '<xi:include xmlns:xi="http://www.w3.org/2001/XInclude" href="/etc/passwd"/>'


@pytest.mark.parametrize("doctype", DOCTYPES)
@pytest.mark.parametrize("encode", [made.utf16, str.encode])
def test_document_types(doctype, encode):
    for place in ("Manifest.xml", "PackageHeader.xml"):
        documents = {"Manifest.xml": made.manifest(ONE), "PackageHeader.xml": made.header()}
        documents[place] = doctype + documents[place]
        raw = made.packed({n: encode(t) for n, t in documents.items()} | {"a.csv": b"A\n1\n"})
        assert "document type declaration" in refused(raw)
    for source_format in ("XML-Element", "XML-Attribute"):
        raw = made.simple(encode(f"{doctype}<Document><R><A>1</A></R></Document>"), "a.xml", ["A"], source_format)
        assert "document type declaration" in refused(raw)


@pytest.mark.parametrize(
    "place", ["xl/workbook.xml", "xl/worksheets/sheet1.xml", "xl/sharedStrings.xml", "xl/styles.xml", "_rels/.rels"]
)
def test_document_types_in_a_workbook(place):
    book = made.workbook({"S": made.sheet([["A"], ["1"]])}, strings="<si><t>x</t></si>", styles="<cellXfs/>")
    with zipfile.ZipFile(io.BytesIO(book)) as archive:
        files = {n: archive.read(n) for n in archive.namelist()}
    files[place] = LAUGHS.encode() + files[place]
    assert "document type declaration" in refused(made.simple(made.packed(files), "a.xlsx", ["A"], "EXCEL"))


def test_inclusion():
    assert "XInclude" in refused(made.package(ONE, files={"a.csv": b"A\n"}, more=INCLUDE))
    assert "XInclude" in refused(made.simple(f"<Document>{INCLUDE}</Document>".encode(), "a.xml", ["A"], "XML-Element"))


def test_depth():
    deep = "<a>" * 100 + "</a>" * 100
    assert "more than 32 deep" in refused(made.package(ONE, files={"a.csv": b"A\n"}, more=deep))
    deep = "<a>" * 2_000_000
    raw = made.simple(f"<Document>{deep}".encode(), "a.xml", ["A"], "XML-Element")
    assert "deep in one another" in refused(raw, limits=PackageLimits(ratio=2000))


def test_a_tag_without_end():
    raw = made.simple(b"<Document><R A='" + b"x" * (9 << 20), "a.xml", ["A"], "XML-Attribute")
    assert "one tag or value has more than" in refused(raw, limits=PackageLimits(ratio=2000))


def test_a_value_without_end():
    raw = made.simple(b"<Document><R><A>" + b"x" * (9 << 20), "a.xml", ["A"], "XML-Element")
    assert "one value has more than" in refused(raw, limits=PackageLimits(ratio=2000))


def test_kinds_of_rows_without_end():
    rows = "".join(f"<R{i} A='1'/>" for i in range(20_000))
    raw = made.simple(f"<Document>{rows}</Document>".encode(), "a.xml", ["A"], "XML-Attribute")
    assert "kinds of" in refused(raw)


def test_columns_without_end():
    fields = "".join(f"<F{i}/>" for i in range(20_000))
    raw = made.simple(f"<Document><R>{fields}</R></Document>".encode(), "a.xml", ["A"], "XML-Element")
    assert "kinds of elements" in refused(raw)


def test_a_sheet_that_claims_to_be_large():
    """What a sheet says of itself costs nothing; a cell at its far corner costs a cell."""
    sheet = made.sheet(
        [["A"], ["1"], ['<c r="XFD1048576" t="inlineStr"><is><t>x</t></is></c>']], dimension="A1:XFD1048576"
    )
    tracemalloc.start()
    with read_package(io.BytesIO(made.simple(made.workbook({"S": sheet}), "a.xlsx", ["A"], "EXCEL"))) as package:
        assert package.count(package.manifest.entities[0]) == (1, 1)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 10 << 20


def test_shared_strings_without_end():
    strings = "<si><t>x</t></si>" * 50_000
    book = made.workbook({"S": made.sheet([["A"], ["1"]])}, strings=strings)
    raw = made.simple(book, "a.xlsx", ["A"], "EXCEL")
    assert "shared strings need more than" in refused(raw, limits=PackageLimits(strings_bytes=1 << 20, ratio=2000))


def test_parts_outside_of_a_workbook():
    book = made.workbook({"S": made.sheet([["A"]])}, more={
        "_rels/.rels": '<Relationships><Relationship Id="r" Type="x/officeDocument" Target="../../etc/passwd"/></Relationships>',
    })  # fmt: skip
    assert "outside of it" in refused(made.simple(book, "a.xlsx", ["A"], "EXCEL"))


def test_every_refusal_is_of_one_family():
    assert issubclass(HostilePackageError, PackageError)
    assert issubclass(DamagedPackageError, PackageError)


# ── what grows only when it is read ──────────────────────────────────────────────────────────────────────────────────


def test_a_long_text_that_cells_repeat():
    """A cell of a few bytes stands for a text of a megabyte: a row of a hundred is 100 MB."""
    cells = "".join('<c t="s"><v>0</v></c>' for _ in range(100))
    sheet = made.sheet([["A"]]).replace("</sheetData>", f"<row>{cells}</row></sheetData>")
    book = made.workbook({"S": sheet}, strings=f"<si><t>{'x' * (1 << 20)}</t></si>")
    raw = made.simple(book, "a.xlsx", ["A"], "EXCEL")
    assert "repeat long texts" in refused(raw, limits=PackageLimits(ratio=2000))


def test_long_values_are_handed_on_in_small_batches():
    row = f"<R><A>{'x' * (1 << 20)}</A></R>".encode()
    raw = made.simple(b"<D>" + row * 100 + b"</D>", "a.xml", ["A"], "XML-Element")
    with read_package(io.BytesIO(raw), PackageLimits(ratio=2000)) as package:
        sizes = [b.rows.num_rows for b in package.rows(package.manifest.entities[0])]
    assert sum(sizes) == 100
    assert max(sizes) <= 33
    rows = "".join('<row><c t="s"><v>0</v></c></row>' for _ in range(200))
    sheet = made.sheet([["A"]]).replace("</sheetData>", f"{rows}</sheetData>")
    raw = made.simple(
        made.workbook({"S": sheet}, strings=f"<si><t>{'x' * (1 << 20)}</t></si>"), "a.xlsx", ["A"], "EXCEL"
    )
    with read_package(io.BytesIO(raw), PackageLimits(ratio=2000)) as package:
        sizes = [b.rows.num_rows for b in package.rows(package.manifest.entities[0])]
    assert sum(sizes) == 200
    assert max(sizes) <= 65


def test_long_names():
    assert "name of an element" in refused(made.package(ONE, files={"a.csv": b"A\n"}, more=f"<{'x' * 5000}/>"))
    raw = made.simple(f"<D><R {'x' * 5000}='1'/></D>".encode(), "a.xml", ["A"], "XML-Attribute")
    assert "name of an attribute" in refused(raw)


def test_findings_are_not_without_end():
    raw = made.package(ONE, files={"a.csv": b"A\n"}, more="<x/>" * 5000)
    with read_package(io.BytesIO(raw)) as package:
        assert len(package.findings) == 1001
        assert package.findings[-1].message == "4,000 more findings are left out"


# ── archives that are unusual and good ───────────────────────────────────────────────────────────────────────────────


class Pipe(io.RawIOBase):
    """A file that cannot be sought: sizes then stand behind the members."""

    def __init__(self):
        super().__init__()
        self.content = b""

    def writable(self):
        return True

    def write(self, data):
        self.content += bytes(data)
        return len(data)


@pytest.mark.parametrize("streamed", [False, True])
@pytest.mark.parametrize("large", [False, True])
@pytest.mark.parametrize("method", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
@pytest.mark.parametrize("before", [b"", b"#!/bin/sh\n"])
def test_archives_as_others_write_them(streamed, large, method, before):
    out = Pipe() if streamed else io.BytesIO()
    with zipfile.ZipFile(out, "w", method) as archive:
        archive.comment = b"a comment" * 100
        for entry in GOOD:
            with archive.open(zipfile.ZipInfo(entry["name"]), "w", force_zip64=large) as member:
                member.write(entry["data"])
    raw = before + (out.content if streamed else out.getvalue())
    with read_package(io.BytesIO(raw)) as package:
        assert package.count(package.manifest.entities[0]) == (2, 0)


def test_entities_without_end():
    many = [made.entity(f"E{i}", "a.csv", ["A"]) for i in range(2001)]
    assert "names 2,001 entities" in refused(
        made.package(*many, files={"a.csv": b"A\n"}), limits=PackageLimits(ratio=2000)
    )
    few = [made.entity(f"E{i}", "a.csv", ["A"]) for i in range(20)]
    raw = made.package(*few, files={"a.csv": b"A\n" + b"0123456789abcdef\n" * 60_000})
    assert "again and again" in refused(raw, limits=PackageLimits(ratio=2000, total_bytes=1 << 23))
