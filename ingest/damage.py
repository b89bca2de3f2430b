"""Damaged files are refused whole: compressed streams are checked to their last byte, Parquet before its first row.

A check that fails raises DamagedFileError; since rows are staged in a scratch table first, nothing of the entity is
loaded then.
"""

import gzip
import struct
import zlib
from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import zstandard

from ingest.files import DataFile
from unify.core.errors import DamagedFileError

CHUNK = 1 << 24
"""Bytes per read: 16 MiB keep numpy and Arrow busy and memory small."""
_MAGIC = b"PAR1"
_AGAIN = "export or copy the file again; nothing of this entity was loaded"


def raw_chunks(file: DataFile, size: int = CHUNK) -> Iterator[bytes]:
    """The decompressed bytes of a file, in pieces of about `size`; raises DamagedFileError at the end at the latest."""
    if file.compression == "gz":
        yield from _gzip_chunks(file.path, size)
    elif file.compression == "zst":
        yield from _zstd_chunks(file.path, size)
    else:
        with file.path.open("rb") as stream:
            while piece := stream.read(size):
                yield piece


def _gzip_chunks(path: Path, size: int) -> Iterator[bytes]:
    """Python's gzip compares length and CRC of every member and refuses what follows the last one."""
    try:
        with gzip.open(path) as stream:
            while piece := stream.read(size):
                yield piece
    except EOFError:
        raise DamagedFileError("the gzip file is truncated", where=str(path), hint=_AGAIN) from None
    except (gzip.BadGzipFile, zlib.error, struct.error) as error:
        raise DamagedFileError(f"the gzip file is damaged: {error}", where=str(path), hint=_AGAIN) from None


def _zstd_chunks(path: Path, size: int) -> Iterator[bytes]:
    """Frame by frame: the library's own file reader ends silently where a frame is cut off."""
    with path.open("rb") as stream:
        frame = zstandard.ZstdDecompressor().decompressobj()
        open_frame, pending = False, b""
        try:
            while pending or (pending := stream.read(size // 4)):
                piece = frame.decompress(pending)
                pending, open_frame = b"", True
                if frame.eof:
                    pending, open_frame = frame.unused_data, False
                    frame = zstandard.ZstdDecompressor().decompressobj()
                if piece:
                    yield piece
        except zstandard.ZstdError as error:
            raise DamagedFileError(f"the zstd file is damaged: {error}", where=str(path), hint=_AGAIN) from None
        if open_frame:
            raise DamagedFileError("the zstd file is truncated", where=str(path), hint=_AGAIN)


def open_parquet(path: Path) -> pq.ParquetFile:
    """A Parquet file whose magic numbers, footer length and footer are sound; page checksums are checked on reading.

    Raises DamagedFileError.
    """
    size = path.stat().st_size
    with path.open("rb") as stream:
        head = stream.read(4)
        stream.seek(max(size - 8, 0))
        tail = stream.read(8)
    if head != _MAGIC:
        message = "not a Parquet file: it does not begin with PAR1"
        if head == b"PARE":
            message = "the Parquet file is encrypted"
        raise DamagedFileError(message, where=str(path), hint=_AGAIN)
    if size < 12 or tail[4:] != _MAGIC:
        message = "the Parquet file is truncated: it does not end with PAR1"
        raise DamagedFileError(message, where=str(path), hint=_AGAIN)
    footer = int.from_bytes(tail[:4], "little")
    if footer + 12 > size:
        message = f"the Parquet file is damaged: its footer claims {footer} bytes, the file has {size}"
        raise DamagedFileError(message, where=str(path), hint=_AGAIN)
    try:
        opened = pq.ParquetFile(path, page_checksum_verification=True)
    except (pa.ArrowException, OSError) as error:
        raise DamagedFileError(f"the Parquet footer is damaged: {_line(error)}", where=str(path), hint=_AGAIN) from None
    _check_footer(opened.metadata, size - footer - 8, path)
    return opened


def _check_footer(footer: pq.FileMetaData, data_end: int, path: Path) -> None:
    """Row groups add up to the file's rows, and every column chunk lies inside the data."""
    rows = 0
    for number in range(footer.num_row_groups):
        group = footer.row_group(number)
        rows += group.num_rows
        for index in range(group.num_columns):
            column = group.column(index)
            start = column.data_page_offset
            if column.dictionary_page_offset is not None:
                start = min(start, column.dictionary_page_offset)
            if start < 4 or start + column.total_compressed_size > data_end:
                message = f"the Parquet file is damaged: column {column.path_in_schema!r} lies outside the data"
                raise DamagedFileError(message, where=str(path), hint=_AGAIN)
    if rows != footer.num_rows:
        message = f"the Parquet file is damaged: its row groups have {rows} rows, its footer says {footer.num_rows}"
        raise DamagedFileError(message, where=str(path), hint=_AGAIN)


def parquet_batches(path: Path, rows_per_batch: int = 1 << 17) -> Iterator[pa.RecordBatch]:
    """The batches of a Parquet file; raises DamagedFileError when a page is damaged or rows are missing."""
    opened = open_parquet(path)
    seen = 0
    try:
        for batch in opened.iter_batches(batch_size=rows_per_batch):
            seen += batch.num_rows
            yield batch
    except (pa.ArrowException, OSError, UnicodeDecodeError) as error:
        message = f"the Parquet file is damaged in its data: {_line(error)}"
        raise DamagedFileError(message, where=str(path), hint=_AGAIN) from None
    if seen != opened.metadata.num_rows:
        message = f"the Parquet file is damaged: {seen} rows were read, its footer says {opened.metadata.num_rows}"
        raise DamagedFileError(message, where=str(path), hint=_AGAIN)


def _line(error: BaseException) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0]
