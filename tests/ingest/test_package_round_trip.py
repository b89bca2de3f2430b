"""What is written is read again as it was: every text, null and empty, types and keys; and the same bytes each time."""

import io
import zipfile
from datetime import UTC, date, datetime
from decimal import Decimal

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ingest.packages import (
    EntityMap,
    FileKind,
    Header,
    Manifest,
    PackageEntity,
    PackageWriteError,
    Part,
    SourceFormat,
    read_package,
    write_package,
)
from ingest.packages.archive import name_problem
from unify.core.errors import SpecError
from unify.records.nouns import Column, Kind, Table

FORMATS = ("CSV", "CSV-Unicode", "Semicolon", "Tab", "XML-Element", "XML-Attribute", "EXCEL")


def described(table: pa.Table, **more) -> Table:
    columns = tuple(Column(name, Kind.TEXT) for name in table.schema.names)
    return Table("t", columns, (columns[0].name,), **more)


def written(table: pa.Table, entity: PackageEntity, *, rows=1000) -> bytes:
    out = io.BytesIO()
    reader = pa.RecordBatchReader.from_batches(table.schema, table.to_batches(max_chunksize=rows))
    counts = write_package(out, Header("d"), Manifest("G", "D", (entity,)), {entity.name: reader})
    assert counts == {entity.name: table.num_rows}
    return out.getvalue()


def again(raw: bytes) -> tuple[PackageEntity, list[dict]]:
    with read_package(io.BytesIO(raw)) as package:
        assert package.findings == ()
        (entity,) = package.manifest.entities
        batches = list(package.rows(entity))
        assert not any(batch.errors for batch in batches)
        return entity, [row for batch in batches for row in batch.rows.to_pylist()]


TEXT = st.text(
    st.one_of(
        st.sampled_from("ab ,;\t|:\"'<>&\r\n_x0041\ufeff"),
        st.characters(exclude_categories=("Cs",), exclude_characters="\0"),
    ),
    max_size=6,
)
NAME = st.text(st.characters(exclude_categories=("Cs", "Cc", "Zl", "Zp", "Zs")), min_size=1, max_size=4)


@settings(max_examples=60, deadline=None)
@given(
    form=st.sampled_from(FORMATS),
    names=st.lists(NAME, min_size=1, max_size=3, unique_by=str.casefold),
    rows=st.lists(st.tuples(TEXT, st.one_of(st.none(), TEXT), st.one_of(st.none(), TEXT)), max_size=6),
)
def test_texts_come_back(form, names, rows):
    """The first column is a key, so never null. Whatever the texts and whatever the columns are called."""
    arrays = [pa.array([row[place] for row in rows], pa.string()) for place in range(len(names))]
    table = pa.table(arrays, names=names)
    if {n.casefold() for n in names} & {"rowid", "parentrowid"}:
        return
    entity, found = again(written(table, PackageEntity("Rows", "", form, table=described(table))))
    assert [{n: row[n] for n in names} for row in found] == table.to_pylist()
    assert [row["RowId"] for row in found] == list(range(1, len(rows) + 1))
    assert entity.table == described(table)


KINDS = pa.table({
    "key": pa.array([1, 2, 3], pa.int32()),
    "whole": pa.array([2**63 - 1, -(2**63), None], pa.int64()),
    "double": pa.array([0.1, -1e300, None]),
    "small": pa.array([1.5, 0.0, None], pa.float32()),
    "yes": pa.array([True, False, None]),
    "day": pa.array([date(2020, 2, 29), date(1, 1, 1), None]),
    "at": pa.array([datetime(2020, 1, 2, 3, 4, 5, 678, UTC), datetime(1999, 12, 31, tzinfo=UTC), None], pa.timestamp("us", "UTC")),
    "second": pa.array([0, 1_600_000_000, None], pa.timestamp("s")),
    "amount": pa.array([Decimal("12.50"), Decimal("-0.01"), None], pa.decimal128(18, 2)),
    "bytes": pa.array([b"\0\xff", b"", None]),
    "word": pa.array(["a", "", None]).dictionary_encode(),
    "large": pa.array(["a", "", None], pa.large_string()),
    "none": pa.nulls(3),
})  # fmt: skip


@pytest.mark.parametrize("form", FORMATS)
def test_kinds_as_text(form):
    _, found = again(written(KINDS, PackageEntity("Rows", "", form, table=described(KINDS))))
    assert [list(row.values())[1:] for row in found] == [
        ["1", "9223372036854775807", "0.1", "1.5", "true", "2020-02-29", "2020-01-02T03:04:05.000678Z", "1970-01-01T00:00:00", "12.50", "AP8=", "a", "a", None],
        ["2", "-9223372036854775808", "-1e+300", "0" if form == "EXCEL" else found[1]["small"], "false", "0001-01-01", "1999-12-31T00:00:00.000000Z", "2020-09-13T12:26:40", "-0.01", "", "", "", None],
        ["3", None, None, None, None, None, None, None, None, None, None, None, None],
    ]  # fmt: skip
    assert float(found[1]["small"]) == 0.0


@pytest.mark.parametrize("form", FORMATS)
def test_the_same_rows_give_the_same_bytes(form, tmp_path):
    table = pa.table({"k": [str(i) for i in range(5000)], "v": ["x" * (i % 50) for i in range(5000)]})
    entity = PackageEntity("Rows", "", form, table=described(table))
    first = written(table, entity)
    assert first == written(table, entity, rows=7) == written(table, entity, rows=5000)
    reader = pa.RecordBatchReader.from_batches(table.schema, table.to_batches())
    write_package(tmp_path / "p.zip", Header("d"), Manifest("G", "D", (entity,)), {"Rows": reader})
    assert (tmp_path / "p.zip").read_bytes() == first


def test_documents_are_as_the_vendors():
    """Names and order of elements of real packages; UTF-16 with a mark; members flat, data first."""
    table = pa.table({"MAJORTYPEID": ["COMP"], "DESCRIPTION": ["Computer hardware"]})
    entity = PackageEntity("Fixed asset major type", "", "EXCEL", target="AssetMajorTypeEntity")
    with zipfile.ZipFile(io.BytesIO(written(table, entity))) as archive:
        assert archive.namelist() == ["Fixed asset major type.xlsx", "Manifest.xml", "PackageHeader.xml"]
        assert archive.testzip() is None
        assert {i.date_time for i in archive.infolist()} == {(1980, 1, 1, 0, 0, 0)}
        manifest, header = archive.read("Manifest.xml"), archive.read("PackageHeader.xml")
    assert manifest[:2] == header[:2] == b"\xff\xfe"
    ns = "http://schemas.microsoft.com/dynamics/2015/01/DataManagement"
    one = (
        "<EntityMap><ArrayIndex>0</ArrayIndex><EntityField>{0}</EntityField>"
        '<EntityFieldConversionList i:nil="true" /><IsAutoDefault>false</IsAutoDefault>'
        "<IsAutoGenerated>false</IsAutoGenerated><IsDefaultValueEqualNull>false</IsDefaultValueEqualNull>"
        "<UseTextQualifier>false</UseTextQualifier><XMLField>{0}</XMLField></EntityMap>"
    )
    assert manifest.decode("utf-16") == (
        f'<DataManagementPackageManifest xmlns:i="http://www.w3.org/2001/XMLSchema-instance" xmlns="{ns}">'
        "<DefinitionGroupName>G</DefinitionGroupName><Description>D</Description><PackageEntityList>"
        "<DataManagementPackageEntityData><Disable>false</Disable><EntityMapList>"
        f"{one.format('MAJORTYPEID')}{one.format('DESCRIPTION')}</EntityMapList>"
        '<EntityName>Fixed asset major type</EntityName><EntityTransformList i:nil="true" />'
        "<ExcelSheetName>Fixed_asset_major_type$</ExcelSheetName><ExecutionUnit>1</ExecutionUnit>"
        "<FailExecutionUnitOnError>false</FailExecutionUnitOnError><FailLevelOnError>false</FailLevelOnError>"
        "<InputFilePath>Fixed asset major type.xlsx</InputFilePath><LevelInExecutionUnit>1</LevelInExecutionUnit>"
        "<RunBusinessLogic>true</RunBusinessLogic><RunBusinessValidation>true</RunBusinessValidation>"
        "<SequenceInLevel>1</SequenceInLevel><SourceFormat>EXCEL</SourceFormat>"
        "<TargetEntity>AssetMajorTypeEntity</TargetEntity><ValidationStatus>Yes</ValidationStatus>"
        "</DataManagementPackageEntityData></PackageEntityList></DataManagementPackageManifest>"
    )
    assert "<PackageVersion>2</PackageVersion>" in header.decode("utf-16")


def test_types_and_keys_come_back():
    columns = (
        Column("id", Kind.GUID, required=True), Column("n <&>", Kind.TEXT, length=40), Column("amount", Kind.DECIMAL, scale=2),
        Column("at", Kind.DATETIME),
    )  # fmt: skip
    made = Table(
        "t \"'<&>", columns, ("id", "at"), {"by <n>": ("n <&>",)}, {"label": "é", "deep": {"a": [1, None, "\x01"]}}
    )
    table = pa.table({c.name: ["1"] for c in columns})
    entity, _ = again(written(table, PackageEntity("Rows", "", table=made)))
    assert entity.table == made


def test_a_package_without_types_has_none():
    table = pa.table({"a": ["_x0041_"]})
    entity, found = again(written(table, PackageEntity("Rows", "", "XML-Element")))
    assert entity.table is None
    assert found[0]["a"] == "_x0041_"


def test_settings_of_an_entity_come_back():
    table = pa.table({"a": ["1"], "b": ["x"]})
    entity = PackageEntity(
        "Städte & <Länder>/regions", "", "Semicolon", target="T", execution_unit=3, level=2, sequence=7,
        fail_unit_on_error=True, fail_level_on_error=True, run_business_logic=False, run_business_validation=False,
        maps=(EntityMap("b", "Be;schreibung", use_text_qualifier=True, is_auto_default=True, default_value=" d "),),
    )  # fmt: skip
    raw = written(table, entity)
    found, rows = again(raw)
    assert (found.name, found.file, found.target) == (entity.name, "Städte & Länderregions.csv", "T")
    assert (found.execution_unit, found.level, found.sequence) == (3, 2, 7)
    assert found.fail_unit_on_error
    assert found.fail_level_on_error
    assert not found.run_business_logic
    assert not found.run_business_validation
    assert found.maps == (EntityMap("a", "a"), *entity.maps)
    assert rows == [{"RowId": 1, "a": "1", "b": "x"}]
    with zipfile.ZipFile(io.BytesIO(raw)) as archive:
        assert archive.read(found.file) == b'\xef\xbb\xbfa;"Be;schreibung"\r\n1;"x"\r\n'


def test_files_of_entities_are_told_apart():
    names = ["A:B", "AB", "a/b", "Manifest.xml", "..", "???", "x" * 300, "A"]
    tables = {
        n: pa.RecordBatchReader.from_batches(t.schema, t.to_batches())
        for n, t in zip(names, [pa.table({"a": ["1"]})] * 8, strict=True)
    }
    out = io.BytesIO()
    with pytest.raises(PackageWriteError):
        write_package(
            out,
            Header(),
            Manifest("G", "", (PackageEntity("A", ""), PackageEntity("a", ""))),
            {"A": tables["AB"], "a": tables["AB"]},
        )
    usable = names[:-1]
    write_package(out, Header(), Manifest("G", "", tuple(PackageEntity(n, "") for n in usable)), tables)
    with zipfile.ZipFile(out) as archive:
        files = archive.namelist()[:-2]
    assert len({f.casefold() for f in files}) == 7
    assert not any(name_problem(f) for f in files)
    with read_package(out) as package:
        assert [e.name for e in package.manifest.entities] == usable


@pytest.mark.parametrize("form", FORMATS)
def test_an_entity_without_rows(form):
    table = pa.table({"a": pa.array([], pa.string()), "b": pa.array([], pa.int64())})
    entity, rows = again(written(table, PackageEntity("Rows", "", form, table=described(table))))
    assert rows == []
    assert [m.entity_field for m in entity.maps] == ["a", "b"]


@pytest.mark.parametrize(
    ("form", "columns", "said"),
    [
        ("CSV", {"a": pa.array(["x", None])}, "is the only one, and is null"),
        ("CSV", {"a": pa.array(["x"]), "b": pa.array(["a\0b"])}, "NUL"),
        ("XML-Element", {"a": pa.array(["a\x01b"])}, "a character that XML cannot hold"),
        ("EXCEL", {"a": pa.array([None, "x"]), "b": pa.array([None, "x"])}, "all values of a row are null"),
        ("EXCEL", {"a": pa.array(["x" * 32_768])}, "32,767"),
        ("CSV", {"a": pa.array([[1]])}, "holds list<"),
        ("CSV", {"a": pa.array([float("nan")])}, "not finite"),
        ("Fixed width", {"a": pa.array(["1"])}, "unknown format 'Fixed width'"),
        ("CSV", {}, "no columns"),
        ("CSV", {"a": pa.array(["1"]), "A ": pa.array(["1"])}, "two columns of the file are called"),
        ("CSV", {" a": pa.array(["1"])}, "cannot be called ' a'"),
        ("CSV", {"a\nb": pa.array(["1"])}, "cannot be called"),
    ],
)  # fmt: skip
def test_what_cannot_be_written_is_refused(form, columns, said, tmp_path):
    table = pa.table(columns)
    reader = pa.RecordBatchReader.from_batches(table.schema, table.to_batches())
    with pytest.raises(PackageWriteError) as caught:
        write_package(
            tmp_path / "p.zip", Header(), Manifest("G", "", (PackageEntity("Rows", "", form),)), {"Rows": reader}
        )
    assert said in str(caught.value)
    assert list(tmp_path.iterdir()) == []  # neither the package nor what it was written in


def test_more_that_is_refused(tmp_path):
    reader = pa.RecordBatchReader.from_batches(pa.schema([("a", pa.string())]), [])
    parts = (Part("A", "", (), 0), Part("B", "A", (), 0))
    for entity, said in (
        (PackageEntity("Rows", "", parts=parts), "composite"),
        (PackageEntity("Other", ""), "no table is given for 'Other'"),
        (PackageEntity("Rows", "../x"), "leaves the package"),
        (PackageEntity("Rows", "manifest.xml"), "stands twice"),
        (PackageEntity("Rows", "", maps=(EntityMap("b", "b"),)), "'b' is mapped and is no column"),
    ):
        with pytest.raises(PackageWriteError, match=said):
            write_package(tmp_path / "p.zip", Header(), Manifest("G", "", (entity,)), {"Rows": reader})
    for name in ("a\x00b", "a\ud800", "\uffff"):
        with pytest.raises(PackageWriteError, match="XML cannot hold"):
            write_package(
                tmp_path / "p.zip", Header(), Manifest(name, "", (PackageEntity("Rows", ""),)), {"Rows": reader}
            )
    with pytest.raises(Exception, match="cannot be written"):
        write_package(
            tmp_path / "no" / "p.zip", Header(), Manifest("G", "", (PackageEntity("Rows", ""),)), {"Rows": reader}
        )


def test_a_workbook_of_ours_as_openpyxl_reads_it():
    openpyxl = pytest.importorskip("openpyxl", reason="the oracle of this test")
    table = pa.table(
        {"key": pa.array([1, 2], pa.int32()), "text": [" a\nb<&> ", None], "yes": [True, False], "half": [0.5, None]}
    )
    raw = written(table, PackageEntity("Fixed asset/types", "", "EXCEL"))
    with zipfile.ZipFile(io.BytesIO(raw)) as archive:
        book = openpyxl.load_workbook(io.BytesIO(archive.read("Fixed assettypes.xlsx")))
    assert book.sheetnames == ["Fixed_asset_types"]
    assert [tuple(row) for row in book.active.iter_rows(values_only=True)] == [
        ("key", "text", "yes", "half"), (1, " a\nb<&> ", True, 0.5), (2, None, False, None),
    ]  # fmt: skip


def test_pandas_reads_our_delimited_files():
    pandas = pytest.importorskip("pandas")
    table = pa.table({"k": ["1", "2", "3"], "v": ['a,"b"\r\nc', None, "é"]})
    raw = written(table, PackageEntity("Rows", "", "CSV-Unicode"))
    with zipfile.ZipFile(io.BytesIO(raw)) as archive:
        content = archive.read("Rows.csv")
    assert content[:2] == b"\xff\xfe"
    frame = pandas.read_csv(io.BytesIO(content), encoding="utf-16", dtype=str)
    assert frame.astype(object).where(frame.notna(), None).to_dict("list") == table.to_pydict()


OWN = [
    (SourceFormat("Own", FileKind.DELIMITED, "~", "'"), b"\xef\xbb\xbfa~b\r\n1~'x''~y'\r\n"),
    (SourceFormat("Own", FileKind.DELIMITED, "\t", "", "cp1252"), b"a\tb\r\n1\t\xe9\x80\r\n"),
    (SourceFormat("Own", FileKind.DELIMITED, ",", '"', "utf-16"), "\ufeffa,b\r\n1,é\r\n".encode("utf-16-le")),
]


@pytest.mark.parametrize(("form", "expected"), OWN)
def test_formats_of_ones_own_are_written(form, expected):
    value = {"'": "x'~y", "": "é€", '"': "é"}[form.quote]
    raw = written(pa.table({"a": ["1"], "b": [value]}), PackageEntity("Rows", "", "Own", form))
    with zipfile.ZipFile(io.BytesIO(raw)) as archive:
        assert archive.read("Rows.csv") == expected
    with read_package(io.BytesIO(raw), formats={"own": form}) as package:
        (batch,) = [b for b in package.rows(package.entity("Rows")) if b.rows.num_rows]
        assert batch.rows.to_pylist() == [{"RowId": 1, "a": "1", "b": value}]


@pytest.mark.parametrize("value", ["a\tb", "a\nb", "a\rb", "", "\u4e2d"])
def test_what_a_format_without_quotes_cannot_hold(value):
    with pytest.raises(PackageWriteError):
        written(pa.table({"a": ["1"], "b": [value]}), PackageEntity("Rows", "", "Own", OWN[1][0]))


@pytest.mark.parametrize("marks", [(",,", '"'), ("é", '"'), ("\n", '"'), (",", ","), (",", '""'), ("", '"')])
def test_marks_that_cannot_be(marks):
    with pytest.raises(SpecError, match="cannot be used"):
        SourceFormat("Own", FileKind.DELIMITED, *marks)
