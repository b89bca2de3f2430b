"""Why a package is not taken, or not written.

PackageError                 exit 3, a SourceError
├── HostilePackageError          the archive could harm its reader: names that leave the folder, bombs, DTDs
├── DamagedPackageError          truncated, a checksum that does not hold, XML that is none
├── ManifestError                no manifest, an entity named twice, a file that is not there
├── EntityFileError              the file of one entity cannot be read at all; `where` names entity and file
└── PackageWriteError            what was to be written has no form in that format
"""

from unify.core.errors import SourceError


class PackageError(SourceError):
    """Base of what is wrong with a data package. `where` is the package, and the member where there is one."""


class HostilePackageError(PackageError):
    """The archive, or XML in it, is of a kind that harms readers. Nothing of it was unpacked."""


class DamagedPackageError(PackageError):
    """The archive or its XML is truncated, corrupt or contradicts itself."""


class ManifestError(PackageError):
    """Header or manifest say something that cannot be done: missing, contradictory, not understood."""


class EntityFileError(PackageError):
    """The file of one entity cannot be read at all: no header row, a mapped column that is not there."""


class PackageWriteError(PackageError):
    """A value or a name cannot be written in the format that was asked for."""
