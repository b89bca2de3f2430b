"""Mutated packages: whatever is done to one, it is refused in our own words or every row of it is accounted for.

Rows in a file = rows read + rows in error, numbered 1, 2, 3 … without a gap. How many there are in the file is counted
by others: the csv module, ElementTree, and a zip reader that takes the archive as it is.
"""

import importlib.util
import io
import random
import re
import zipfile
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

from ingest.packages import PackageError, PackageLimits, read_package
from tests.oracles import package_files as made

LIMITS = PackageLimits(total_bytes=1 << 26, member_bytes=1 << 25)
LINES = [(str(i), f"name {i}", ["", "é", '"q"', "a,b", "<&>"][i % 5]) for i in range(1, 31)]
FIELDS = ("ID", "NAME", "NOTE")


def oracle(name):
    path = Path(__file__).parents[1] / "oracles" / f"{name}.py"
    spec = importlib.util.spec_from_file_location(f"{name}_of_packages", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


CSV = oracle("csv_reading")


def csv_file():
    cells = [",".join(f'"{v.replace(chr(34), chr(34) * 2)}"' for v in line) for line in (FIELDS, *LINES)]
    return ("\r\n".join(cells) + "\r\n").encode()


def xml_file(attributes):
    root = ET.Element("Document")
    for line in LINES:
        row = ET.SubElement(root, "ROWENTITY", dict(zip(FIELDS, line, strict=True)) if attributes else {})
        for name, value in () if attributes else zip(FIELDS, line, strict=True):
            ET.SubElement(row, name).text = value
    return ET.tostring(root, "utf-8")


def composite_file():
    root = ET.Element("Document")
    for line in LINES[:10]:
        order = ET.SubElement(root, "ORDERENTITY", dict(zip(FIELDS, line, strict=True)))
        for other in LINES[10:12]:
            ET.SubElement(order, "LINEENTITY", {"ITEM": other[1]})
    return ET.tostring(root, "utf-8")


def excel_parts():
    book = made.workbook(
        {"Rows": made.sheet([FIELDS, *LINES, ["31", '<c r="@"><v>1.5</v></c>', '<c r="@" s="1"><v>45000</v></c>']])},
        strings="<si><t>x</t></si>", styles="<cellXfs><xf numFmtId='0'/><xf numFmtId='14'/></cellXfs>",
    )  # fmt: skip
    with zipfile.ZipFile(io.BytesIO(book)) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


KINDS = {
    "csv": "CSV",
    "element": "XML-Element",
    "attribute": "XML-Attribute",
    "composite": "XML-Attribute",
    "excel": "EXCEL",
}
CONTENT = {
    "csv": csv_file(),
    "element": xml_file(False),
    "attribute": xml_file(True),
    "composite": composite_file(),
    "excel": b"",
}
PARTS = excel_parts()
ENDING = {"csv": "rows.csv", "excel": "rows.xlsx"}


def members(kind, parts=None):
    """The members of a good package, by name."""
    file = ENDING.get(kind, "rows.xml")
    fields = () if kind == "composite" else FIELDS
    content = made.packed(parts or PARTS) if kind == "excel" else CONTENT[kind]
    return {
        file: content,
        "Manifest.xml": made.utf16(made.manifest(made.entity("Rows", file, fields, KINDS[kind]))),
        "PackageHeader.xml": made.utf16(made.header()),
    }


def mangled(rng, raw):
    """Bytes with one to three injuries: flipped, cut, doubled, moved, and marks of the formats where they hurt."""
    raw = bytearray(raw)
    for _ in range(rng.randint(1, 3)):
        if not raw:
            return b""
        at, length = rng.randrange(len(raw)), rng.randint(1, 40)
        kind = rng.randrange(7)
        if kind == 0:
            raw[at] ^= 1 << rng.randrange(8)
        elif kind == 1:
            raw[at] = rng.randrange(256)
        elif kind == 2:
            del raw[at:]
        elif kind == 3:
            del raw[at : at + length]
        elif kind == 4:
            raw[at:at] = raw[at : at + length]
        elif kind == 5:
            other = rng.randrange(len(raw))
            piece = bytes(raw[other : other + length])
            raw[at : at + length] = piece
        else:
            marks = [
                b'"',
                b"\0",
                b"\n",
                b"\r",
                b"<",
                b">",
                b"&",
                b"&#0;",
                b"&a;",
                b"<!DOCTYPE a>",
                b"\xff",
                b"\xfe\xff",
                b"]]>",
                b",",
                b"-1",
                b"1e999",
                b"PK\5\6",
            ]
            raw[at:at] = rng.choice(marks)
    return bytes(raw)


def mutated(seed):
    """What was done, and the package."""
    rng = random.Random(seed)
    kind = rng.choice(list(KINDS))
    way = rng.choice(["archive", "manifest", "file", "file", "file", "part", "members"])
    parts = dict(PARTS)
    if way == "part":
        kind = "excel"
        name = rng.choice(sorted(parts))
        parts[name] = mangled(rng, parts[name])
    files = members(kind, parts)
    if way == "manifest":
        name = rng.choice(["Manifest.xml", "PackageHeader.xml"])
        files[name] = mangled(rng, files[name])
    elif way == "file":
        name = next(iter(files))
        files[name] = mangled(rng, files[name])
    elif way == "members":
        names = sorted(files)
        one, other = rng.sample(names, 2)
        change = rng.randrange(4)
        if change == 0:
            files[one], files[other] = files[other], files[one]
        elif change == 1:
            del files[one]
        elif change == 2:
            files[rng.choice(["../x", "x", one.upper(), "a\\b", "x.zip"])] = files[one]
        else:
            files = dict(sorted(files.items(), key=lambda _: rng.random()))
    raw = made.packed(files)
    return (kind, way), mangled(rng, raw) if way == "archive" else raw


def counted(kind, content):
    """How many rows somebody else finds; None where what he calls a row cannot be said."""
    if kind == "csv":
        text = content.decode("utf-8", "replace").removeprefix("\ufeff")
        if content[:2] in (b"\xff\xfe", b"\xfe\xff") or "\0" in content[:64].decode("latin-1"):
            return None
        rows, bad = CSV.read(text, len(FIELDS))
        return len(rows) + len(bad) - 1
    if kind == "excel":
        with zipfile.ZipFile(io.BytesIO(content)) as book:
            sheet = ET.fromstring(book.read("xl/worksheets/sheet1.xml"))
        rows = [node for node in sheet.iter() if node.tag.rpartition("}")[2] == "row"]
        return sum(any(len(cell) for cell in row) for row in rows) - 1
    root = ET.fromstring(content)
    if kind == "composite":
        return None
    return len(root)


def says_what_and_where(error):
    assert error.message
    assert error.where
    assert not re.search(r"Traceback|object at 0x|\.py\b", str(error))


def check(seed):
    """One mutated package; what came of it."""
    what, raw = mutated(seed)
    try:
        package = read_package(io.BytesIO(raw), LIMITS)
    except PackageError as error:
        says_what_and_where(error)
        return "refused"
    with package:
        for entity in package.manifest.entities:
            ids = []
            try:
                for batch in package.rows(entity, batch_rows=7):
                    ids += batch.rows.column("RowId").to_pylist() + [error.row_id for error in batch.errors]
                    batch.rows.validate(full=True)
                    assert all(error.reason for error in batch.errors), what
            except PackageError as error:
                says_what_and_where(error)
                return "entity refused"
            assert sorted(ids) == list(range(1, len(ids) + 1)), (seed, what)
            kind, way = what
            if way == "archive" or entity.file not in zipfile.ZipFile(io.BytesIO(raw)).namelist():
                continue
            form = entity.format.kind.value
            same = {"csv": "delimited", "excel": "excel"}.get(
                kind, "xml-element" if kind == "element" else "xml-attribute"
            )
            content = zipfile.ZipFile(io.BytesIO(raw)).read(entity.file)
            expected = counted(kind, content) if form == same and content.startswith(CONTENT[kind][:40]) else None
            assert expected in (None, len(ids)), (seed, what, expected, len(ids))
    return "read"


def run(seeds):
    came = {}
    for seed in seeds:
        try:
            outcome = check(seed)
        except Exception as error:
            raise AssertionError(f"package {seed}: {error!r}") from error
        came[outcome] = came.get(outcome, 0) + 1
    return came


def test_the_good_ones_are_read():
    for kind in KINDS:
        with read_package(io.BytesIO(made.packed(members(kind)))) as package:
            assert package.findings == ()
            good, bad = package.count(package.manifest.entities[0])
            assert (good, bad) == ({"excel": 31}.get(kind, 30), 0)


def test_two_thousand_mutated_packages():
    came = run(range(2000))
    assert sum(came.values()) == 2000
    assert set(came) == {"refused", "entity refused", "read"}
    assert min(came.values()) > 150, came  # all of them happen, or the mutations test little


@pytest.mark.soak
def test_thirty_thousand_mutated_packages():
    assert sum(run(range(2000, 32_000)).values()) == 30_000
