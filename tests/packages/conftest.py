"""Instances with packages to import, and packages made by hand: zip, manifest, files."""

import zipfile
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

import unify
from unify.packages import EntityDefinition, Packages
from unify.records import Column, Kind, RecordStore

NAMESPACE = "http://schemas.microsoft.com/dynamics/2015/01/DataManagement"
GROUPS = EntityDefinition(
    "Customer groups",
    "customergroups",
    (
        Column("ID", Kind.TEXT, length=8),
        Column("NAME", Kind.TEXT, length=20, required=True),
        Column("RATE", Kind.DECIMAL, scale=2),
        Column("SINCE", Kind.DATE),
    ),
    ("ID",),
)
HEADER = "ID,NAME,RATE,SINCE"


def make_package(
    path: Path, files: Mapping[str, str | bytes], *, group: str = "Groups", **said: Mapping[str, Any]
) -> Path:
    """A package: entity → its file. `said`: element of the manifest → entity → value, e.g. SourceFormat."""
    entities = ""
    with zipfile.ZipFile(path, "w") as archive:
        for place, (name, content) in enumerate(files.items()):
            form = str(said.get("SourceFormat", {}).get(name, "CSV"))
            file = f"{place}.{'xml' if 'XML' in form else 'xlsx' if form == 'EXCEL' else 'csv'}"
            archive.writestr(file, content)
            more = "".join(
                f"<{element}>{values[name]}</{element}>"
                for element, values in said.items()
                if name in values and element != "SourceFormat"
            )
            entities += (
                f"<DataManagementPackageEntityData><EntityMapList/><EntityName>{name}</EntityName>"
                f"<InputFilePath>{file}</InputFilePath><SourceFormat>{form}</SourceFormat>{more}"
                "</DataManagementPackageEntityData>"
            )
        archive.writestr(
            "Manifest.xml",
            f'<DataManagementPackageManifest xmlns="{NAMESPACE}"><DefinitionGroupName>{group}</DefinitionGroupName>'
            f"<PackageEntityList>{entities}</PackageEntityList></DataManagementPackageManifest>",
        )
        archive.writestr(
            "PackageHeader.xml",
            f'<DataManagementPackageHeader xmlns="{NAMESPACE}"><PackageType>DefinitionGroup</PackageType>'
            "</DataManagementPackageHeader>",
        )
    return path


class World:
    """One instance with its packages."""

    def __init__(self, path: Path) -> None:
        self.path, self.folder = path, path.parent
        self.acme = unify.open(path, create=True)

    @property
    def packages(self) -> Packages:
        return self.acme.packages

    def package(self, files: Mapping[str, str | bytes] | str, name: str = "in.zip", **more: Any) -> Path:
        """A package; a text is the file of the customer groups."""
        given = {GROUPS.name: f"{HEADER}\r\n{files}"} if isinstance(files, str) else files
        return make_package(self.folder / name, given, **more)

    def rows(self, table: str = GROUPS.table) -> list[dict[str, Any]]:
        with RecordStore(self.path).read() as reading:
            return [dict(row.values) for row in reading.rows(table)]

    def versions(self, table: str = GROUPS.table) -> dict[Any, int]:
        with RecordStore(self.path).read() as reading:
            return {next(iter(row.values.values())): row.version for row in reading.rows(table)}


@pytest.fixture
def world_at() -> Iterator[Callable[[Path], World]]:
    made: list[World] = []

    def build(path: Path) -> World:
        made.append(World(path))
        return made[-1]

    yield build
    for one in made:
        one.acme.close()


@pytest.fixture
def world(tmp_path: Path, world_at: Callable[[Path], World]) -> World:
    """An instance that knows the entity `Customer groups`."""
    one = world_at(tmp_path / "acme")
    one.packages.define(GROUPS)
    return one
