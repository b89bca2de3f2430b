"""What header and manifest of a data package say, and what is said of what they say wrong."""

import io

import pytest

from ingest.packages import (
    DamagedPackageError,
    EntityFileError,
    FileKind,
    HostilePackageError,
    ManifestError,
    PackageLimits,
    Severity,
    SourceFormat,
    read_package,
)
from tests.oracles import package_files as made
from unify.core.errors import NotFoundError


def opened(raw, **more):
    return read_package(io.BytesIO(raw), **more)


def texts(package, entity=None):
    entity = entity or package.manifest.entities[0]
    return [row for batch in package.rows(entity) for row in batch.rows.to_pylist()]


SHEET = made.sheet([["MAJORTYPEID", "DESCRIPTION"], ["COMP", "Computer hardware"], ["OFFICE", "Office Items"]])


@pytest.fixture
def vendors():
    """The vendor's own sample, as it is built: UTF-16 with a mark, one Excel entity, map in another order."""
    name = "Fixed asset major type"
    return made.package(
        made.entity(name, f"{name}.xlsx", ["DESCRIPTION", "MAJORTYPEID"], "EXCEL"),
        files={f"{name}.xlsx": made.workbook({"Fixed_asset_major_type": SHEET})},
    )


def test_the_vendors_own_anatomy(vendors):
    with opened(vendors) as package:
        assert package.findings == ()
        assert package.header.description == "Asset-Major-Types"
        assert (package.header.package_type, package.header.package_version) == ("DefinitionGroup", "1")
        assert package.header.manifest_type == made.TYPE
        assert package.manifest.group == "Asset-Major-Types"
        (entity,) = package.manifest.entities
        assert (entity.name, entity.file) == ("Fixed asset major type", "Fixed asset major type.xlsx")
        assert entity.format.kind is FileKind.EXCEL
        assert entity.columns == ("MAJORTYPEID", "DESCRIPTION")
        assert [m.entity_field for m in entity.maps] == ["DESCRIPTION", "MAJORTYPEID"]
        assert (entity.execution_unit, entity.level, entity.sequence) == (1, 1, 1)
        assert entity.run_business_logic
        assert entity.run_business_validation
        assert not entity.fail_unit_on_error
        assert not entity.fail_level_on_error
        assert texts(package) == [
            {"RowId": 1, "DESCRIPTION": "Computer hardware", "MAJORTYPEID": "COMP"},
            {"RowId": 2, "DESCRIPTION": "Office Items", "MAJORTYPEID": "OFFICE"},
        ]


@pytest.mark.parametrize(
    "encode",
    [
        made.utf16,
        lambda t: b"\xfe\xff" + t.encode("utf-16-be"),
        lambda t: t.encode("utf-16-le"),
        lambda t: t.encode(),
        lambda t: b"\xef\xbb\xbf" + t.encode(),
        lambda t: ('<?xml version="1.0" encoding="utf-8"?>\r\n' + t).encode(),
        lambda t: made.utf16('<?xml version="1.0" encoding="utf-8"?>' + t),  # the mark is right, the declaration not
        lambda t: ('<?xml version="1.0" encoding="iso-8859-1"?>' + t).encode("latin-1"),
        lambda t: ('<?xml version="1.0" encoding="windows-1252"?>' + t).encode("cp1252"),
    ],
)
def test_documents_of_any_encoding(encode):
    raw = made.package(made.entity("Städte", "a.csv", ["A"]), files={"a.csv": b"A\n1\n"}, encode=encode)
    with opened(raw) as package:
        assert package.manifest.entities[0].name == "Städte"
        assert package.findings == ()


def test_an_encoding_that_nobody_knows():
    with pytest.raises(DamagedPackageError, match="encoding"):
        opened(
            made.package(
                made.entity("A", "a.csv", ["A"]),
                files={"a.csv": b"A\n"},
                encode=lambda t: f'<?xml version="1.0" encoding="klingon"?>{t}'.encode(),
            )
        )


def test_order_of_execution():
    def one(name, unit, level, sequence, **more):
        return made.entity(
            name, "a.csv", ["A"], ExecutionUnit=unit, LevelInExecutionUnit=level, SequenceInLevel=sequence, **more
        )

    raw = made.package(
        one("late", 2, 10, 10), one("b", 1, 20, 5), one("a2", 1, 10, 20), one("a1", 1, 10, 10), one("a3", 1, 10, 20),
        one("off", 1, 10, 1, Disable="true"), files={"a.csv": b"A\n1\n"},
    )  # fmt: skip
    with opened(raw) as package:
        order = [[[e.name for e in level] for level in unit] for unit in package.manifest.execution_order()]
        assert order == [[["a1", "a2", "a3"], ["b"]], [["late"]]]
        assert [e.name for e in package.manifest.entities] == ["late", "b", "a2", "a1", "a3", "off"]


# ── what is wrong, each with its own words ───────────────────────────────────────────────────────────────────────────


def two(**more):
    return made.package(made.entity("A", "a.csv", ["A"], **more), files={"a.csv": b"A\n1\n"})


@pytest.mark.parametrize(
    ("raw", "error", "said"),
    [
        (made.packed({"PackageHeader.xml": made.utf16(made.header())}), ManifestError, "no Manifest.xml"),
        (made.packed({"p/Manifest.xml": b"<a/>"}), ManifestError, "pack the files, not the folder"),
        (made.package(made.entity("A", "b.csv", ["A"]), files={"a.csv": b"A\n"}), ManifestError, "'b.csv' is not in the package"),
        (made.package(made.entity("A", "a.csv"), made.entity("a", "a.csv"), files={"a.csv": b"A\n"}), ManifestError, "'A' is named twice"),
        (made.package(files={"a.csv": b"A\n"}), ManifestError, "names no entity"),
        (made.package(made.entity("", "a.csv"), files={"a.csv": b"A\n"}), ManifestError, "no EntityName"),
        (made.package(made.entity("A", ""), files={"a.csv": b"A\n"}), ManifestError, "no InputFilePath"),
        (made.package(made.entity("A", "../a.csv"), files={"a.csv": b"A\n"}), HostilePackageError, "leaves the package"),
        (made.package(made.entity("A", "C:\\a.csv"), files={"a.csv": b"A\n"}), HostilePackageError, "backslash"),
        (two(ExecutionUnit="one"), ManifestError, "ExecutionUnit is 'one'"),
        (two(ExecutionUnit="-1"), ManifestError, "ExecutionUnit is '-1'"),
        (two(ExecutionUnit="9" * 5000), ManifestError, "ExecutionUnit is"),
        (two(FailLevelOnError="maybe"), ManifestError, "FailLevelOnError is 'maybe'"),
        (two(more="<EntityName>B</EntityName>"), ManifestError, "EntityName stands twice"),
        (two(maps=made.entity_map("A") + made.entity_map("a", "A")), ManifestError, "'a' is mapped twice"),
        (two(maps="<EntityMap><XMLField>A</XMLField></EntityMap>"), ManifestError, "no EntityField"),
        (made.packed({"Manifest.xml": b"<Other/>"}), ManifestError, "the document is a 'Other'"),
        (made.packed({"Manifest.xml": b"<Manifest"}), DamagedPackageError, "not well-formed"),
        (made.packed({"Manifest.xml": b""}), DamagedPackageError, "not well-formed XML: no element found"),
        (made.packed({"Manifest.xml": b"<a/>", "PackageHeader.xml": made.header(kind="Other").encode()}), ManifestError, "package type is 'Other'"),
        (made.packed({"Manifest.xml": b"<a/>", "PackageHeader.xml": made.header(manifest_type="X").encode()}), ManifestError, "manifest type is 'X'"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_said(raw, error, said):
    with pytest.raises(error) as caught:
        opened(raw)
    assert said in str(caught.value)
    assert caught.value.where


@pytest.mark.parametrize(
    ("more", "severity", "said"),
    [
        ({"maps": made.entity_map("A", conversions="<EntityFieldConversionList><X>1</X></EntityFieldConversionList>")}, "error", "conversions of A are not applied"),
        ({"maps": made.entity_map("A", IsAutoGenerated="true")}, "error", "values of A are made by the system"),
        ({"maps": made.entity_map("A", IsAutoDefault="true")}, "error", "the default of A is not in the package"),
        ({"maps": made.entity_map("A", ArrayIndex="2")}, "error", "an element of an array"),
        ({"maps": made.entity_map("A", "")}, "error", "no column of the file is named for A"),
        ({"EntityTransformList": "<T>x.xslt</T>"}, "error", "transforms (XSLT) are not applied"),
        ({"source_format": "Fixed width"}, "error", "'Fixed width' is not known"),
        ({"SkipStaging": "true"}, "note", "rows go through staging"),
        ({"Disable": "true"}, "note", "switched off"),
        ({"Novelty": "7"}, "warning", "the element 'Novelty' is not known"),
        ({"maps": made.entity_map("A", more="<Strange>1</Strange>")}, "warning", "the element 'Strange' is not known"),
        ({"maps": made.entity_map("B", "B")}, "error", "'B', which fills B, is not in the file"),
        ({"maps": made.entity_map("RowId", "A")}, "error", "a field is called RowId"),
    ],
)  # fmt: skip
def test_what_is_not_applied_is_found(more, severity, said):
    raw = made.package(made.entity("A", "a.csv", **{"fields": ["A"]} | more), files={"a.csv": b"A\n1\n"})
    with opened(raw) as package:
        found = [f for f in package.findings if said in f.message]
        assert len(found) == 1, package.findings
        assert found[0].severity.value == severity
        assert found[0].entity == "A"
        assert {f.severity for f in package.findings if f is not found[0]} <= {Severity.WARNING}
        if severity == "error":
            with pytest.raises(EntityFileError):
                package.count(package.manifest.entities[0])


def test_findings_about_the_package():
    raw = made.packed({
        "Manifest.xml": made.manifest(made.entity("A", "a.csv", ["A"]), more="<ProjectCategory>1</ProjectCategory><RulesData>r</RulesData>").replace(made.NS, "urn:x").encode(),
        "a.csv": b"A,B\n1,2\n", "readme.txt": b"x", "inner.zip": b"PK",
    })  # fmt: skip
    with opened(raw) as package:
        said = {(f.severity, f.where.rpartition(": ")[2], f.message.partition(":")[0]) for f in package.findings}
        assert (Severity.WARNING, "PackageHeader.xml", "the package has no header; it is read as version 2") in said
        assert (Severity.WARNING, "readme.txt", "the manifest does not name this file") in said
        assert any("not opened" in f.message for f in package.findings if f.where == "inner.zip")
        assert any("namespace" in f.message for f in package.findings)
        assert any("rules" in f.message for f in package.findings)
        assert any("no field takes this column" in f.message and "B" in f.where for f in package.findings)


def test_what_says_how_an_export_was_made_is_no_finding():
    more = {
        "QueryData": "4a01",
        "QueryFilter": None,
        "TargetEntity": "AssetEntity",
        "DefaultRefreshType": "FullPush",
        "Disable": "false",
    }
    with opened(two(**more)) as package:
        assert package.findings == ()
        assert package.manifest.entities[0].target == "AssetEntity"


def test_defaults_are_applied():
    maps = made.entity_map("A") + made.entity_map("B", IsAutoDefault="true", DefaultValue="none")
    maps += made.entity_map("C", "", IsAutoDefault="true", DefaultValue="all")
    maps += made.entity_map("D", IsAutoDefault="true", IsDefaultValueEqualNull="true")
    raw = made.package(made.entity("A", "a.csv", maps=maps), files={"a.csv": b'A,B,D\n1,,\n2,"",x\n3,y,\n'})
    with opened(raw) as package:
        assert package.findings == ()
        assert [tuple(r.values()) for r in texts(package)] == [
            (1, "1", "none", "all", None), (2, "2", "none", "all", "x"), (3, "3", "y", "all", None),
        ]  # fmt: skip


def test_a_map_renames_ignoring_case():
    raw = made.simple(b"id,Full Name\n1,x\n", maps=made.entity_map("NAME", "FULL NAME") + made.entity_map("Key", "ID"))
    with opened(raw) as package:
        assert texts(package) == [{"RowId": 1, "NAME": "x", "Key": "1"}]


def test_without_a_map_columns_go_to_fields_of_their_names():
    with opened(made.simple(b"a b,c\n1,x\n", fields=())) as package:
        assert texts(package) == [{"RowId": 1, "a b": "1", "c": "x"}]
        assert package.findings == ()


def test_an_entity_that_cannot_be_read_costs_itself_alone():
    raw = made.package(
        made.entity("Good", "a.csv", ["A"]), made.entity("Bad", "b.xml", ["A"], "XML-Element"), made.entity("Empty", "c.csv", ["A"]),
        files={"a.csv": b"A\n1\n", "b.xml": b"<Document><R><A>1</A></R>", "c.csv": b""},
    )  # fmt: skip
    with opened(raw) as package:
        assert [(f.entity, f.severity) for f in package.findings] == [
            ("Bad", Severity.ERROR),
            ("Empty", Severity.ERROR),
        ]
        assert len(texts(package, package.entity("good"))) == 1
        with pytest.raises(DamagedPackageError, match="not well-formed"):
            list(package.rows(package.entity("Bad")))
        with pytest.raises(EntityFileError, match="no header row"):
            list(package.rows(package.entity("Empty")))
        with pytest.raises(NotFoundError, match="no entity 'Goood'") as caught:
            package.entity("Goood")
        assert "Good" in caught.value.hint


def test_rows_of_what_is_switched_off_are_refused():
    with opened(two(Disable="true")) as package, pytest.raises(EntityFileError, match="switched off"):
        package.rows(package.manifest.entities[0])


def test_a_disabled_entity_needs_no_file():
    raw = made.package(
        made.entity("A", "a.csv", ["A"]), made.entity("B", "gone.xlsx", ["A"], Disable="true"), files={"a.csv": b"A\n"}
    )
    with opened(raw) as package:
        assert [f.severity for f in package.findings] == [Severity.NOTE]


def test_a_file_is_found_whatever_its_case():
    raw = made.package(made.entity("A", "ROWS.CSV", ["A"]), files={"rows.csv": b"A\n1\n"})
    with opened(raw) as package:
        assert package.findings == ()
        assert package.count(package.manifest.entities[0]) == (1, 0)


def test_formats_of_ones_own():
    raw = made.simple(b"ID~NAME\n1~'a~b'\n", source_format="Legacy export")
    own = {"LEGACY-EXPORT": SourceFormat("Legacy export", FileKind.DELIMITED, "~", "'")}
    with opened(raw, formats=own) as package:
        assert texts(package) == [{"RowId": 1, "ID": "1", "NAME": "a~b"}]


def test_a_package_is_read_from_a_path(tmp_path, vendors):
    path = tmp_path / "p.zip"
    path.write_bytes(vendors)
    for source in (path, str(path)):
        with read_package(source) as package:
            assert package.where == str(path)
            assert package.count(package.manifest.entities[0]) == (2, 0)
    with pytest.raises(DamagedPackageError, match="no such file"):
        read_package(tmp_path / "q.zip")
    with pytest.raises(DamagedPackageError, match="cannot be read"):
        read_package(tmp_path)


def test_a_file_of_somebody_elses_stays_open(vendors):
    file = io.BytesIO(vendors)
    with read_package(file):
        pass
    assert not file.closed


def test_limits_are_told_by_name():
    with pytest.raises(HostilePackageError, match="members"):
        opened(two(), limits=PackageLimits(members=1))


def notes(raw):
    with opened(raw) as package:
        return [(f.severity.value, f.message) for f in package.findings]


def test_what_is_done_to_names_of_columns_is_told():
    raw = made.simple(b" ID ,NAME,\n1,x,\n", fields=())
    assert notes(raw) == [
        ("note", "blanks around the column name ' ID ' were removed"),
        ("note", "column 3 has no name and is called column3"),
    ]
    book = made.workbook({"S": made.sheet([[" ID ", "NAME"], ["1", "x"]])})
    assert notes(made.simple(book, "a.xlsx", ("ID", "NAME"), "EXCEL")) == [
        ("note", "blanks around the column name ' ID ' were removed")
    ]


def test_a_field_that_no_row_of_xml_fills():
    raw = made.simple(b"<D><R ID='1' NMAE='x'/></D>", "a.xml", ("ID", "NAME"), "XML-Attribute")
    assert notes(raw) == [
        ("warning", "no field takes this column: left out"),
        ("note", "no row has NAME, which fills NAME: it is null in all"),
    ]


def test_columns_of_a_composite_entity_are_all_taken():
    raw = made.simple(b"<D><R ID='1'><L A='2'/></R></D>", "a.xml", ("ID",), "XML-Attribute")
    assert notes(raw) == []
