"""A zip archive of somebody else's, and what it may not do to its reader.

Everything is decided from the directory of the archive and the headers before its members, before a byte is unpacked:
names, links, encryption, sizes, ratios, overlaps. While a member is read its bytes are counted and its checksum is
worked out, so a header that lies about them is found where the lie would begin to cost. Nothing is ever written to a
path that an archive names.
"""

import stat
import struct
import threading
import unicodedata
import zipfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Final, Self

from ingest.packages.errors import DamagedPackageError, HostilePackageError
from ingest.packages.nouns import PackageLimits

_LOCAL: Final = struct.Struct("<4s5H3I2H")
_END: Final = b"PK\x05\x06"
_ENTRY: Final = 46 + 1024
"""Bytes of one entry of the directory: 46, a name, extra fields. What is larger over all members is no package."""
_SMALL: Final = 1 << 20
"""Below 1 MiB a member may have any ratio: it cannot harm anybody."""
_NAME: Final = 1024
_PACKED: Final = {9: "deflate64", 12: "bzip2", 14: "lzma", 93: "zstd", 95: "xz", 98: "ppmd"}
_AGAIN: Final = "copy or export the package again"


@dataclass(frozen=True, slots=True)
class Member:
    """One file of an archive. `start` is where its packed bytes begin."""

    name: str
    size: int
    packed: int
    start: int
    crc: int
    deflated: bool


class Archive:
    """The members of a zip archive that was found harmless. Its readers may take turns."""

    def __init__(self, file: BinaryIO, where: str, limits: PackageLimits, *, owned: bool = False) -> None:
        """Read the directory. Raises HostilePackageError, DamagedPackageError. `owned`: closed with the archive."""
        self.where, self.limits = where, limits
        self._file, self._owned, self._turn = file, owned, threading.Lock()
        try:
            self.members = _members(file, where, limits)
        except BaseException:
            self.close()
            raise

    @classmethod
    def open(cls, source: "Path | str | BinaryIO", limits: PackageLimits) -> Self:
        """An archive by its path, or as a file that can be read and sought."""
        if isinstance(source, Path | str):
            path = Path(source)
            try:
                return cls(path.open("rb"), str(path), limits, owned=True)
            except FileNotFoundError:
                raise DamagedPackageError("no such file", where=str(path), hint="check the path") from None
            except OSError as error:
                raise DamagedPackageError(f"cannot be read: {error.strerror}", where=str(path)) from None
        return cls(source, str(getattr(source, "name", None) or "package"), limits)

    def close(self) -> None:
        """Close the file, if it was opened here."""
        if self._owned:
            self._file.close()

    def find(self, name: str) -> Member | None:
        """The member of that name; where none is spelt so, the one that is but for case."""
        return self.members.get(name) or next(
            (m for m in self.members.values() if m.name.casefold() == name.casefold()), None
        )

    def chunks(self, member: Member, size: int = 1 << 20) -> Iterator[bytes]:
        """The bytes of a member in pieces of at most `size`; raises after the last one what is wrong with the whole."""
        where = f"{self.where}: {member.name}"
        total, crc = 0, 0
        for piece in self._unpacked(member, size, where):
            total += len(piece)
            if total > member.size:
                message = f"its header says {member.size:,} bytes, and it unpacks to more"
                raise HostilePackageError(message, where=where, hint="the archive lies about itself; do not use it")
            crc = zlib.crc32(piece, crc)
            yield piece
        if total != member.size:
            message = f"its header says {member.size:,} bytes, and it has {total:,}"
            raise DamagedPackageError(message, where=where, hint=_AGAIN)
        if crc != member.crc:
            message = f"its checksum is {crc:08x}, and the archive says {member.crc:08x}"
            raise DamagedPackageError(message, where=where, hint=_AGAIN)

    def read(self, member: Member, most: int) -> bytes:
        """All bytes of a small member. Raises HostilePackageError when it has more than `most`."""
        if member.size > most:
            message = f"it has {member.size:,} bytes, and at most {most:,} are read"
            raise HostilePackageError(message, where=f"{self.where}: {member.name}", hint="raise the limit")
        return b"".join(self.chunks(member))

    def _unpacked(self, member: Member, size: int, where: str) -> Iterator[bytes]:
        inflate = zlib.decompressobj(-zlib.MAX_WBITS) if member.deflated else None
        for raw in self._packed(member, where):
            if inflate is None:
                yield from (raw[i : i + size] for i in range(0, len(raw), size))
                continue
            if inflate.eof:
                raise DamagedPackageError("bytes follow its end", where=where, hint=_AGAIN)
            yield from _inflated(inflate, raw, size, where)
        if inflate is not None and (not inflate.eof or inflate.unused_data):
            raise DamagedPackageError("it is cut off, or bytes follow its end", where=where, hint=_AGAIN)

    def _packed(self, member: Member, where: str) -> Iterator[bytes]:
        position, end = member.start, member.start + member.packed
        while position < end:
            with self._turn:
                self._file.seek(position)
                raw = self._file.read(min(end - position, 1 << 18))
            if not raw:
                raise DamagedPackageError("the archive ends inside it", where=where, hint=_AGAIN)
            position += len(raw)
            yield raw


def _inflated(inflate: "zlib._Decompress", raw: bytes, size: int, where: str) -> Iterator[bytes]:
    while True:
        try:
            piece = inflate.decompress(raw, size)
        except zlib.error:
            raise DamagedPackageError("its packed bytes are damaged", where=where, hint=_AGAIN) from None
        raw = inflate.unconsumed_tail
        if piece:
            yield piece
        if inflate.eof or (not raw and len(piece) < size):
            return


def _members(file: BinaryIO, where: str, limits: PackageLimits) -> dict[str, Member]:
    entries, directory = _directory(file, where, limits)
    _check_names(entries, where)
    total = 0
    for entry in entries:
        _check_kind(entry, where)
        total += _check_sizes(entry, where, limits)
        if total > limits.total_bytes:
            message = f"its members unpack to more than {limits.total_bytes:,} bytes"
            raise HostilePackageError(message, where=where, hint="export fewer rows or fewer entities at once")
    located = sorted(((_locate(file, entry, where), entry) for entry in entries), key=lambda pair: pair[0])
    _check_places(located, directory, where)
    members = [
        Member(e.filename, e.file_size, e.compress_size, start, e.CRC, e.compress_type == zipfile.ZIP_DEFLATED)
        for (_, start), e in located
        if not e.filename.endswith("/")
    ]
    return {m.name: m for m in sorted(members, key=lambda m: m.name)}


def _directory(file: BinaryIO, where: str, limits: PackageLimits) -> tuple[list[zipfile.ZipInfo], int]:
    """The entries of the archive and where its directory begins."""
    size = file.seek(0, 2)
    file.seek(max(size - (1 << 16) - 22, 0))
    tail = file.read()
    file.seek(0)
    head = file.read(4)
    found = tail.rfind(_END)
    if not size:
        raise DamagedPackageError("the file is empty (0 bytes)", where=where, hint=_AGAIN)
    if found < 0 and head == b"PK\x03\x04":
        raise DamagedPackageError("the archive is cut off: its directory is not there", where=where, hint=_AGAIN)
    if found < 0:
        hint = "a data package is a zip with PackageHeader.xml, Manifest.xml and a file per entity"
        raise DamagedPackageError("not a zip archive", where=where, hint=hint)
    claimed = int.from_bytes(tail[found + 12 : found + 16], "little")
    if claimed == 0xFFFFFFFF and (long := tail.rfind(b"PK\x06\x06", 0, found)) >= 0:
        claimed = int.from_bytes(tail[long + 40 : long + 48], "little")
    if min(claimed, size) > limits.members * _ENTRY:
        message = f"its directory has {min(claimed, size):,} bytes; a package has at most {limits.members:,} members"
        raise HostilePackageError(message, where=where, hint="take a package of fewer files")
    try:
        with zipfile.ZipFile(file) as opened:
            entries, directory = opened.infolist(), opened.start_dir
    except (zipfile.BadZipFile, NotImplementedError, ValueError, OSError, struct.error, EOFError, IndexError):
        raise DamagedPackageError("the directory of the archive is damaged", where=where, hint=_AGAIN) from None
    if len(entries) > limits.members:
        message = f"it has {len(entries):,} members, and at most {limits.members:,} are taken"
        raise HostilePackageError(message, where=where, hint="take a package of fewer files")
    return entries, directory


def _check_names(entries: list[zipfile.ZipInfo], where: str) -> None:
    seen: dict[str, str] = {}
    for entry in entries:
        name = entry.orig_filename
        if problem := name_problem(name):
            hint = "names of members are plain and stay inside the package; do not use this one"
            raise HostilePackageError(f"the member {name[:80]!r} {problem}", where=where, hint=hint)
        folded = unicodedata.normalize("NFC", name).casefold().rstrip("/")
        if (other := seen.get(folded)) is not None:
            same = "there twice" if other == name else f"also there as {other[:80]!r}"
            hint = "each file stands in a package once, whatever its case; build it again"
            raise HostilePackageError(f"the member {name[:80]!r} is {same}", where=where, hint=hint)
        seen[folded] = name


def name_problem(name: str) -> str:
    """What makes the name of a member one that no archive should have; "" for a good one.

    >>> name_problem("../../etc/passwd")
    'leaves the package'
    >>> name_problem("Customers.csv")
    ''
    """
    parts = name.removesuffix("/").split("/")
    if not name or len(name) > _NAME:
        return f"has a name of {len(name):,} characters"
    if "\0" in name or any(ord(c) < 32 or ord(c) == 127 for c in name):
        return "has a NUL or another control character in its name"
    if "\\" in name:
        return "has a backslash in its name"
    if name.startswith("/") or (len(name) > 1 and name[1] == ":" and name[0].isascii() and name[0].isalpha()):
        return "has an absolute path"
    if ".." in parts:
        return "leaves the package"
    if "." in parts or "" in parts:
        return "has an empty part in its path"
    return ""


def _check_kind(entry: zipfile.ZipInfo, where: str) -> None:
    at = f"{where}: {entry.filename}"
    kind = stat.S_IFMT(entry.external_attr >> 16)
    if kind == stat.S_IFLNK:
        raise HostilePackageError("it is a symbolic link", where=at, hint="pack the file itself")
    if kind not in (0, stat.S_IFREG, stat.S_IFDIR):
        raise HostilePackageError("it is a device, a pipe or a socket", where=at, hint="pack files only")
    if entry.flag_bits & 0x2041:
        raise HostilePackageError("it is encrypted", where=at, hint="pack it without a password")
    if entry.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        name = _PACKED.get(entry.compress_type, f"method {entry.compress_type}")
        raise DamagedPackageError(f"it is packed with {name}", where=at, hint="pack it with deflate, or not at all")


def _check_sizes(entry: zipfile.ZipInfo, where: str, limits: PackageLimits) -> int:
    at = f"{where}: {entry.filename}"
    if entry.file_size > limits.member_bytes:
        message = f"it unpacks to {entry.file_size:,} bytes, and at most {limits.member_bytes:,} are read"
        raise HostilePackageError(message, where=at, hint="export fewer rows at once")
    if entry.file_size > _SMALL and entry.file_size > limits.ratio * entry.compress_size:
        ratio = entry.file_size // max(entry.compress_size, 1)
        message = f"it unpacks to {ratio:,} times its packed size, and at most {limits.ratio:,} times are taken"
        raise HostilePackageError(message, where=at, hint="a zip bomb; if it is not, pack it without compression")
    if entry.filename.endswith("/") and entry.file_size:
        raise HostilePackageError("a folder that has content", where=at, hint="build the package again")
    if entry.compress_type == zipfile.ZIP_STORED and entry.file_size != entry.compress_size:
        raise HostilePackageError("it is not packed, and has two sizes", where=at, hint="build the package again")
    return entry.file_size


def _locate(file: BinaryIO, entry: zipfile.ZipInfo, where: str) -> tuple[int, int]:
    """Where the header before a member begins, and where its packed bytes do; the two headers agree."""
    at = f"{where}: {entry.filename}"
    file.seek(max(entry.header_offset, 0))
    raw = file.read(_LOCAL.size)
    if entry.header_offset < 0 or len(raw) < _LOCAL.size or not raw.startswith(b"PK\x03\x04"):
        raise DamagedPackageError("its header is not where the directory says", where=at, hint=_AGAIN)
    _, _, flags, method, _, _, crc, packed, size, name_length, extra_length = _LOCAL.unpack(raw)
    name = file.read(name_length)
    encoding = "utf-8" if flags & 0x800 else "cp437"
    if name.decode(encoding, "replace") != entry.orig_filename:
        message = f"it is called {name[:80].decode(encoding, 'replace')!r} in its own header"
        raise HostilePackageError(message, where=at, hint="the archive lies about itself; do not use it")
    open_ones = (
        (0xFFFFFFFF, 0) if flags & 0x8 else (0xFFFFFFFF,)
    )  # told elsewhere: in an extra field, behind the member
    pairs = ((crc, entry.CRC), (packed, entry.compress_size), (size, entry.file_size))
    agree = all(told in (*open_ones, listed) for told, listed in pairs)
    if method != entry.compress_type or flags & 0x2041 or not agree:
        message = "its own header and the directory of the archive say different things"
        raise HostilePackageError(message, where=at, hint="the archive lies about itself; do not use it")
    return entry.header_offset, entry.header_offset + _LOCAL.size + name_length + extra_length


def _check_places(located: list[tuple[tuple[int, int], zipfile.ZipInfo]], directory: int, where: str) -> None:
    end, before = 0, ""
    for (begin, start), entry in located:
        if begin < end:
            message = f"the members {before!r} and {entry.filename!r} share bytes"
            raise HostilePackageError(message, where=where, hint="a zip bomb; do not use it")
        end, before = start + entry.compress_size, entry.filename
    if end > directory:
        message = f"the member {before!r} reaches into the directory of the archive"
        raise HostilePackageError(message, where=where, hint="the archive lies about itself; do not use it")
