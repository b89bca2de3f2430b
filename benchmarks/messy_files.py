"""The five exports: what each system calls its columns, how it writes its files, and the rows that are broken."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pa_csv
import pyarrow.parquet as pq

from benchmarks.fields import Draws, join
from benchmarks.messy_rates import RATE
from benchmarks.messy_records import Records, _chosen

_2015, _TEN_YEARS = 1_420_070_400, 315_000_000
"""Seconds from 1970-01-01 to 2015-01-01, and about ten years of them."""
_NEVER = pa.array(["2/30/1985", "13/45/1990", "unknown", "n/a"])


@dataclass(frozen=True)
class File:
    """file's name, its key column, and {column: value it shows}, in the file's order."""

    file: str
    key: str
    columns: dict[str, str]


FILES = {
    "crm.Contacts": File("contacts.csv", "ContactId", {
        "ContactId": "key", "FirstName": "first", "LastName": "last", "DateOfBirth": "birth", "EMail": "email",
        "Telephone": "phone", "Mobile": "mobile", "Street": "street", "City": "city", "PostCode": "postcode",
        "CreatedOn": "created",
    }),
    "loyalty.Members": File("members.csv", "CardNumber", {
        "CardNumber": "key", "FullName": "full", "Birthday": "birth", "MailAddress": "email", "PhoneNumber": "phone",
        "Address": "street", "Town": "city", "Zip": "postcode", "Tier": "tier",
        "Points": "points", "MemberSince": "created",
    }),
    "web.Accounts": File("accounts.jsonl", "account_id", {
        "account_id": "key", "name": "full", "login_email": "email", "contact_phone": "phone", "ship_street": "street",
        "ship_city": "city", "ship_postcode": "postcode", "newsletter": "newsletter", "signed_up": "moment",
    }),
    "support.Callers": File("callers.parquet", "CallerNo", {
        "CallerNo": "key", "Caller": "full", "CallbackNumber": "phone", "ReplyTo": "email", "Area": "postcode",
        "LastCall": "moment",
    }),
    "pos.Customers": File("till.csv", "CUSTNO", {
        "CUSTNO": "key", "SURNAME": "last", "FORENAME": "first", "TEL": "phone", "POSTAL": "postcode",
    }),
}  # fmt: skip


class Writer:
    """One export, written chunk by chunk."""

    def __init__(self, path: Path, source: str, seed: int) -> None:
        self.file = FILES[source]
        self._source = source
        self._draws = Draws(seed, 1_000_000 + list(FILES).index(source))
        self._to: Any = None
        self._path = path
        self._write: Callable[[pa.Table], None] = {".csv": self._csv, ".jsonl": self._json, ".parquet": self._parquet}[
            path.suffix
        ]

    def write(self, made: Records, keys: pa.Array) -> None:
        """These records, each with the rows that the export has beside it."""
        values = {**made.values, **_filled(made), "key": keys}
        self._write(self._with_double_rows(pa.table({name: values[what] for name, what in self.file.columns.items()})))

    def close(self) -> None:
        """An export without a record has no file: nobody would send it."""
        if self._to is not None:
            self._to.close()

    def _with_double_rows(self, table: pa.Table) -> pa.Table:
        """Some rows twice, some with another content, some without key: after the others of the chunk."""
        n, draws = table.num_rows, self._draws

        def some(what: str) -> pa.Table:
            return table.filter(pa.array(draws.happens(RATE[what], n)))

        twice, again, keyless = some("identical row"), some("key twice"), some("no key")
        for name, what in self.file.columns.items():
            place = table.column_names.index(name)
            if what in ("email", "phone"):
                again = again.set_column(place, name, pa.nulls(again.num_rows, table.schema.field(name).type))
            if what == "key":
                keyless = keyless.set_column(place, name, pa.nulls(keyless.num_rows, pa.string()))
        return pa.concat_tables([table, twice, again, keyless])

    def _csv(self, table: pa.Table) -> None:
        """Quoted only where needed; the CRM's out of a spreadsheet."""
        semicolons, spreadsheet = self._source == "loyalty.Members", self._source == "crm.Contacts"
        first = self._to is None
        to: IO[bytes] = self._open()
        sink = pa.BufferOutputStream()
        options = pa_csv.WriteOptions(
            include_header=first, delimiter=";" if semicolons else ",", quoting_style="needed"
        )
        pa_csv.write_csv(table, sink, options)
        text = sink.getvalue().to_pybytes()
        cut = b";" if semicolons else b","
        broken = [
            line.replace(b"Z", b'Z"?"', 1) if i % 2 else line.rsplit(cut, 3)[0]
            for i, line in enumerate(self._broken(text))
        ]
        text += b"".join(line + b"\n" for line in broken)
        if spreadsheet:
            text = (b"\xef\xbb\xbf" if first else b"") + text.replace(b"\n", b"\r\n")
        to.write(text)

    def _json(self, table: pa.Table) -> None:
        """A column without a value is not written. No value here has a quote or a backslash to escape."""
        parts = [_member(name, table[name].combine_chunks()) for name in table.column_names]
        lines = join("{", pc.utf8_slice_codeunits(join(*parts), 2), "}")
        text = "".join(f"{line}\n" for line in lines.to_pylist()).encode()
        to: IO[bytes] = self._open()
        to.write(text + b"".join(line[: len(line) // 2] + b"\n" for line in self._broken(text)))

    def _parquet(self, table: pa.Table) -> None:
        if self._to is None:
            self._to = pq.ParquetWriter(self._path, table.schema, compression="zstd")
        self._to.write_table(table)

    def _open(self) -> IO[bytes]:
        if self._to is None:
            self._to = self._path.open("wb")
        to: IO[bytes] = self._to
        return to

    def _broken(self, text: bytes) -> list[bytes]:
        """Copies of a few lines, under keys of their own, to be broken."""
        lines = text.splitlines()[1:]
        picked = np.flatnonzero(self._draws.happens(RATE["broken row"], len(lines)))
        return [lines[i].replace(self._source[0].upper().encode(), b"Z", 1) for i in picked]


def _member(name: str, column: pa.Array) -> pa.Array:
    """`, "name": value` per row, nothing for a null."""
    quote = "" if pa.types.is_boolean(column.type) else '"'
    return pc.fill_null(join(f', "{name}": {quote}', column.cast(pa.string()), quote), "")


def _filled(made: Records) -> dict[str, pa.Array]:
    """Values as the source writes them: dates as text, and the columns that say nothing about a person."""
    n, draws = made.n, made.draws
    moment = pa.array(_2015 + draws.below(_TEN_YEARS, n), pa.timestamp("s"))
    filled = {"moment": pc.strftime(moment, "%Y-%m-%dT%H:%M:%S"), "created": pc.strftime(moment, "%Y-%m-%d")}
    if made.source == "support.Callers":
        filled["moment"] = moment.cast(pa.timestamp("us"))
    if made.source == "loyalty.Members":
        filled["birth"] = _impossible(made, made.values["birth"].cast(pa.string()))
        points = pa.array(draws.below(5_000, n)).cast(pa.string())
        filled["points"] = _chosen(made.happens("no number"), pa.scalar("12O"), points)
        filled["tier"] = pa.array(["bronze", "silver", "gold"]).take(pa.array(draws.below(3, n)))
    if made.source == "web.Accounts":
        filled["newsletter"] = pa.array(draws.happens(0.4, n))
    if made.source == "crm.Contacts":
        filled["created"] = _us(moment.cast(pa.date32()))
        birth = made.values["birth"]
        there = birth.is_valid().to_numpy(zero_copy_only=False)
        pasted = made.mark("other date format", there & made.happens("other date format"))
        filled["birth"] = _impossible(made, _chosen(pasted, birth.cast(pa.string()), _us(birth)))
    return filled


def _impossible(made: Records, written: pa.Array) -> pa.Array:
    where = made.mark("impossible birth date", made.happens("impossible birth date"))
    return _chosen(where, _NEVER.take(pa.array(made.draws.below(len(_NEVER), made.n))), written)


def _us(days: pa.Array) -> pa.Array:
    """m/d/yyyy."""
    parts = (pc.month(days), pc.day(days), pc.year(days))
    month, day, year = (part.cast(pa.string()) for part in parts)
    return join(month, "/", day, "/", year)
