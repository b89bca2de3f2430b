"""A plain file as a package: one entity, its file, and the manifest that says so."""

import zipfile
from pathlib import Path
from typing import Final
from xml.sax.saxutils import escape

from ingest.packages.formats import source_format
from ingest.packages.nouns import FileKind
from unify.packages.errors import ProjectError
from unify.packages.nouns import ProjectEntity

NAMESPACE: Final = "http://schemas.microsoft.com/dynamics/2015/01/DataManagement"
ENDINGS: Final = {FileKind.DELIMITED: "csv", FileKind.EXCEL: "xlsx"}


def wrap(file: Path, entity: ProjectEntity, project: str, out: Path) -> None:
    """Write a package that holds a file as rows of an entity. ProjectError for a format that is not known.

    >>> import tempfile; from ingest.packages.package import read_package
    >>> folder = Path(tempfile.mkdtemp()); _ = (folder / "in.csv").write_text("ID,NAME\\n1,One\\n")
    >>> wrap(folder / "in.csv", ProjectEntity("Customer groups"), "Groups", folder / "out.zip")
    >>> with read_package(folder / "out.zip") as package: package.manifest.group, package.manifest.entities[0].columns
    ('Groups', ('ID', 'NAME'))
    """
    form = source_format(entity.format)
    if form is None:
        raise ProjectError(f"the format {entity.format!r} is not known", where="SourceFormat")
    name = f"entity.{ENDINGS.get(form.kind, 'xml')}"
    maps = "".join(
        f"<EntityMap><ArrayIndex>0</ArrayIndex><EntityField>{escape(field)}</EntityField>"
        f"<XMLField>{escape(column)}</XMLField></EntityMap>"
        for field, column in entity.fields.items()
    )
    manifest = (
        f'<DataManagementPackageManifest xmlns="{NAMESPACE}">'
        f"<DefinitionGroupName>{escape(project)}</DefinitionGroupName><PackageEntityList><DataManagementPackageEntityData><EntityMapList>{maps}</EntityMapList>"
        f"<EntityName>{escape(entity.entity)}</EntityName><InputFilePath>{name}</InputFilePath>"
        f"<SourceFormat>{escape(entity.format)}</SourceFormat></DataManagementPackageEntityData></PackageEntityList>"
        "</DataManagementPackageManifest>"
    )
    header = (
        f'<DataManagementPackageHeader xmlns="{NAMESPACE}"><PackageType>DefinitionGroup</PackageType>'
        "<PackageVersion>2</PackageVersion></DataManagementPackageHeader>"
    )
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as package:
        package.write(file, name)
        package.writestr("Manifest.xml", manifest)
        package.writestr("PackageHeader.xml", header)


def is_package(file: Path) -> bool:
    """Whether a file is a package, and not the file of one entity: a workbook is a zip too."""
    if not zipfile.is_zipfile(file):
        return False
    with zipfile.ZipFile(file) as archive:
        return any(name.casefold() == "manifest.xml" for name in archive.namelist())
