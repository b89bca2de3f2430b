"""The parts of an xlsx workbook that its rows need: sheets, shared strings, which styles are dates.

An xlsx is a zip of XML. It is read by the same archive and the same parser as the package around it, so what those
refuse is refused here too; and nothing is allocated by what a file claims about itself: a sheet that says to have a
million rows and sixteen thousand columns costs what its cells cost.
"""

import posixpath
import re
import tempfile
from collections.abc import Iterable, Mapping
from typing import BinaryIO, Final, cast

from ingest.packages.archive import Archive, Member
from ingest.packages.errors import DamagedPackageError, EntityFileError, HostilePackageError
from ingest.packages.escapes import unescaped
from ingest.packages.nouns import PackageLimits
from ingest.packages.xml import Node, local, parse, tree
from unify.core.errors import did_you_mean

_OLE: Final = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
_SPOOL: Final = 1 << 24
_RELATIONS: Final = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
_DATES: Final = frozenset((*range(14, 23), *range(27, 37), 45, 47, *range(50, 59)))
"""Numbers of built-in formats that show a date or a time of day; 46 is a span of hours, which is a number."""
_LITERAL: Final = re.compile(r'"[^"]*"|\\.|_.|\*.|\[(?!h|m|s)[^\]]*\]', re.IGNORECASE)
_STYLES: Final = 65_536


class Workbook:
    """An open workbook. `strings` are the shared ones; `dates` the numbers of cell styles that are dates."""

    def __init__(self, pieces: Iterable[bytes], limits: PackageLimits, where: str) -> None:
        """Raises HostilePackageError, DamagedPackageError, EntityFileError (no workbook)."""
        self.limits, self.where = limits, where
        self._file = tempfile.SpooledTemporaryFile(max_size=_SPOOL)  # noqa: SIM115 - closed by close()
        try:
            for piece in pieces:
                self._file.write(piece)
            self._refuse_old()
            self._archive = Archive(cast("BinaryIO", self._file), where, limits)
            self._path = self._main()
            root = self._tree(self._path)
            self.is_1904 = _is_1904(root)
            self._targets = self._relations(self._path)
            self.sheets = self._sheets(root)
            self.strings = self._strings()
            self.dates = self._date_styles()
        except BaseException:
            self._file.close()
            raise

    def _refuse_old(self) -> None:
        """A compound file is no zip: who has one needs another hint than who has no workbook at all."""
        self._file.seek(0)
        if self._file.read(len(_OLE)) == _OLE:
            message = "the file is an .xls workbook, or one with a password"
            raise EntityFileError(message, where=self.where, hint="save it as .xlsx, without a password")

    def close(self) -> None:
        """Remove what was spooled."""
        self._file.close()

    def sheet(self, name: str) -> Member:
        """The member with the rows of a sheet, by its name as a manifest writes it (`Customers$`); "" is the first.

        Raises EntityFileError.
        """
        wanted = name.strip("'").removesuffix("$").casefold()
        if not wanted:
            return next(iter(self.sheets.values()))
        for sheet, member in self.sheets.items():
            if sheet.casefold() == wanted:
                return member
        if len(self.sheets) == 1:
            return next(iter(self.sheets.values()))
        hint = did_you_mean(name, self.sheets)
        raise EntityFileError(f"the workbook has no sheet {name!r}", where=self.where, hint=hint)

    def chunks(self, member: Member) -> Iterable[bytes]:
        """The bytes of one part."""
        return self._archive.chunks(member)

    def _tree(self, path: str) -> Node:
        member = self._archive.find(path)
        if member is None:
            raise DamagedPackageError(f"the workbook has no part {path!r}", where=self.where, hint="save it again")
        return tree(self._archive.read(member, self.limits.xml_bytes), self.limits, f"{self.where}: {path}")

    def _main(self) -> str:
        """The part that is the workbook itself."""
        if self._archive.find("_rels/.rels") is not None:
            for node in self._tree("_rels/.rels").children:
                if node.attributes.get("Type", "").endswith("/officeDocument"):
                    return _resolved("", node.attributes.get("Target", ""), self.where)
        if self._archive.find("xl/workbook.xml") is None:
            hint = "an .xlsx file is meant; .xls and .xlsb are not read: save it as .xlsx"
            raise EntityFileError("the file is no Excel workbook", where=self.where, hint=hint)
        return "xl/workbook.xml"

    def _relations(self, path: str) -> dict[str, tuple[str, str]]:
        """By id: kind and path of the parts that the workbook refers to."""
        folder, _, name = path.rpartition("/")
        at = posixpath.join(folder, "_rels", f"{name}.rels")
        if self._archive.find(at) is None:
            return {}
        found = {}
        for node in self._tree(at).children:
            a = node.attributes
            if a.get("TargetMode", "").casefold() != "external":
                kind = a.get("Type", "").rpartition("/")[2]
                found[a.get("Id", "")] = (kind, _resolved(folder, a.get("Target", ""), self.where))
        return found

    def _sheets(self, root: Node) -> dict[str, Member]:
        found: dict[str, Member] = {}
        for group in root.children:
            for node in group.children if local(group.name) == "sheets" else ():
                _, path = self._targets.get(node.attributes.get(f"{_RELATIONS} id", ""), ("", ""))
                member = self._archive.find(path) if path else None
                if member is not None:
                    found[node.attributes.get("name", "")] = member
        if not found:
            raise EntityFileError("the workbook has no sheet", where=self.where, hint="save it again")
        return found

    def _part(self, kind: str) -> Member | None:
        return next((self._archive.find(path) for k, path in self._targets.values() if k == kind), None)

    def _strings(self) -> list[str]:
        member = self._part("sharedStrings")
        if member is None:
            return []
        gathered = SharedStrings(self.limits, f"{self.where}: {member.name}")
        parse(self._archive.chunks(member), gathered, self.limits, gathered.where)
        return gathered.found

    def _date_styles(self) -> frozenset[int]:
        member = self._part("styles")
        if member is None:
            return frozenset()
        root = self._tree(member.name)
        codes: dict[str, str] = {}
        for group in root.children:
            if local(group.name) == "numFmts":
                codes = {n.attributes.get("numFmtId", ""): n.attributes.get("formatCode", "") for n in group.children}
        for group in root.children:
            if local(group.name) == "cellXfs":
                kinds = (node.attributes.get("numFmtId", "0") for node in group.children[:_STYLES])
                return frozenset(place for place, kind in enumerate(kinds) if _is_date(kind, codes))
        return frozenset()


def _is_1904(root: Node) -> bool:
    """Whether dates are counted from 1904, as old workbooks of Apple computers do."""
    settings = [node.attributes.get("date1904", "") for node in root.children if local(node.name) == "workbookPr"]
    return any(value in ("1", "true") for value in settings)


def _is_date(kind: str, codes: Mapping[str, str]) -> bool:
    if (code := codes.get(kind)) is not None:
        return is_date_format(code)
    return kind.isascii() and kind.isdigit() and len(kind) < 6 and int(kind) in _DATES


def is_date_format(code: str) -> bool:
    """Whether a number format shows a date or a time of day.

    >>> is_date_format("dd/mm/yyyy"), is_date_format('0.00 "days"'), is_date_format("[h]:mm"), is_date_format("General")
    (True, False, False, False)
    """
    plain = _LITERAL.sub("", code.partition(";")[0]).casefold().replace("general", "")
    if re.search(r"\[(h+|m+|s+)\]", plain):
        return False
    return any(c in plain for c in "ymdhs")


def _resolved(folder: str, target: str, where: str) -> str:
    """The path of a part that another part in `folder` refers to."""
    path = target[1:] if target.startswith("/") else posixpath.join(folder, target)
    path = posixpath.normpath(path) if path else ""
    if path.startswith(("..", "/")):
        raise HostilePackageError("a part of the workbook lies outside of it", where=where, hint="do not use it")
    return path


class SharedStrings:
    """Events of the shared strings: plain and rich text, without the readings of Asian names (`rPh`)."""

    def __init__(self, limits: PackageLimits, where: str) -> None:
        self.limits, self.where = limits, where
        self.found: list[str] = []
        self._text: list[str] = []
        self._in_text, self._skip, self._size = False, 0, 0

    def start(self, name: str, attributes: Mapping[str, str], line: int) -> None:
        """An element begins."""
        name = local(name)
        if name == "rPh":
            self._skip += 1
        elif name == "t":
            self._in_text = not self._skip

    def end(self, name: str) -> None:
        """An element ends; `si` is one string."""
        name = local(name)
        if name == "rPh":
            self._skip -= 1
        elif name == "t":
            self._in_text = False
        elif name == "si":
            text = unescaped("".join(self._text))
            self._text.clear()
            self._size += len(text) + 64  # what Python needs for a text beside its characters
            if self._size > self.limits.strings_bytes:
                message = f"its shared strings need more than {self.limits.strings_bytes:,} bytes"
                raise HostilePackageError(message, where=self.where, hint="write the entity as CSV")
            self.found.append(text)

    def text(self, data: str) -> None:
        """Characters; those in `t` count."""
        if self._in_text:
            self._text.append(data)
