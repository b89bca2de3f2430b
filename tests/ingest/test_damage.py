"""Damaged files are refused whole, with their name, and leave no table."""

import gzip
import random
import struct

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import zstandard

from ingest.load import load
from unify.core.errors import DamagedFileError
from unify.engines.duckdb import DuckDBEngine
from unify.spec import Entity

CSV = ("id,name\n" + "".join(f"{i},name {i * 7919 % 1000}\n" for i in range(20_000))).encode()


def refused(tmp_path, name, data, match, *, good=None):
    """The file is refused by name; a good file beside it does not help."""
    (tmp_path / name).write_bytes(data)
    if good is not None:
        (tmp_path / f"a_good_{name}").write_bytes(good)
    with DuckDBEngine(threads=1) as engine:
        with pytest.raises(DamagedFileError, match=match) as caught:
            load(engine, "s.T", Entity(files=f"*{name}", key="id"), base=tmp_path)
        assert name in caught.value.where
        assert caught.value.hint
        for table in ("s_T", "s_T_corrupt"):
            with pytest.raises(KeyError):
                engine.columns(table)


def accepted(tmp_path, name, data):
    (tmp_path / name).write_bytes(data)
    with DuckDBEngine(threads=1) as engine:
        return load(engine, "s.T", Entity(files=name, key="id"), base=tmp_path).rows_kept


def test_gzip(tmp_path):
    whole = gzip.compress(CSV)
    assert accepted(tmp_path, "ok.csv.gz", whole) == 20_000
    refused(tmp_path, "cut.csv.gz", whole[:-20], "truncated", good=whole)
    refused(tmp_path, "half.csv.gz", whole[: len(whole) // 2], "truncated")
    refused(tmp_path, "head.csv.gz", whole[:5], "truncated")
    crc = bytes([whole[-8] ^ 1])
    refused(tmp_path, "crc.csv.gz", whole[:-8] + crc + whole[-7:], "CRC")
    refused(tmp_path, "length.csv.gz", whole[:-4] + struct.pack("<I", 7), "damaged")
    refused(tmp_path, "tail.csv.gz", whole + b"garbage", "damaged")
    refused(tmp_path, "plain.csv.gz", CSV, "damaged")
    refused(tmp_path, "empty.csv.gz", b"", "empty")


def test_gzip_with_a_flipped_byte_anywhere(tmp_path):
    whole, rng = gzip.compress(CSV), random.Random(3)
    for _ in range(10):
        place = rng.randrange(12, len(whole))
        data = bytearray(whole)
        data[place] ^= 1 << rng.randrange(8)
        refused(tmp_path, "flip.csv.gz", bytes(data), "damaged|truncated")


def test_zstd(tmp_path):
    whole = zstandard.ZstdCompressor(write_checksum=True).compress(CSV)
    assert accepted(tmp_path, "ok.csv.zst", whole + whole[:0]) == 20_000
    refused(tmp_path, "cut.csv.zst", whole[:-3], "truncated", good=whole)
    refused(tmp_path, "half.csv.zst", whole[: len(whole) // 2], "truncated")
    flipped = bytearray(whole)
    flipped[len(whole) // 2] ^= 4
    refused(tmp_path, "flip.csv.zst", bytes(flipped), "damaged")
    refused(tmp_path, "tail.csv.zst", whole + b"garbage!", "damaged")
    refused(tmp_path, "plain.csv.zst", CSV, "damaged")


def parquet(tmp_path, **options):
    table = pa.table({
        "id": [f"C{i}" for i in range(20_000)],
        "n": pa.array([i * 7919 % 10_007 for i in range(20_000)]),
    })  # fmt: skip
    path = tmp_path / "source.bin"
    pq.write_table(table, path, **options)
    return path.read_bytes()


def test_parquet(tmp_path):
    whole = parquet(tmp_path, row_group_size=5000)
    assert accepted(tmp_path, "ok.parquet", whole) == 20_000
    refused(tmp_path, "cut.parquet", whole[:-10], "truncated", good=whole)
    refused(tmp_path, "half.parquet", whole[: len(whole) // 2], "truncated")
    refused(tmp_path, "empty.parquet", b"", "empty")
    refused(tmp_path, "magic.parquet", b"PAR2" + whole[4:], "does not begin with PAR1")
    refused(tmp_path, "tiny.parquet", b"PAR1PAR1", "truncated")
    refused(tmp_path, "text.parquet", CSV, "not a Parquet file")
    refused(tmp_path, "footer.parquet", whole[:-8] + struct.pack("<I", 1 << 30) + b"PAR1", "footer claims")
    refused(tmp_path, "encrypted.parquet", b"PARE" + whole[4:-4] + b"PARE", "encrypted")
    (length,) = struct.unpack("<I", whole[-8:-4])
    garbage = whole[: -8 - length] + b"\xff" * length + whole[-8:]
    refused(tmp_path, "garbage.parquet", garbage, "footer is damaged")
    missing = whole[:4] + whole[5000:]
    refused(tmp_path, "missing.parquet", missing, "lies outside the data")


@pytest.mark.parametrize("compression", ["NONE", "SNAPPY"])
def test_parquet_with_a_flipped_bit_in_a_page(tmp_path, compression):
    whole, rng = parquet(tmp_path, write_page_checksum=True, compression=compression), random.Random(11)
    meta = pq.read_metadata(tmp_path / "source.bin").row_group(0)
    for index in range(2):
        column = meta.column(index)
        start = column.dictionary_page_offset or column.data_page_offset
        for _ in range(3):
            data = bytearray(whole)
            data[start + rng.randrange(60, column.total_compressed_size)] ^= 16
            refused(tmp_path, "flip.parquet", bytes(data), "damaged")


def test_parquet_without_checksums_but_with_garbage_in_a_column(tmp_path):
    whole = parquet(tmp_path)
    column = pq.read_metadata(tmp_path / "source.bin").row_group(0).column(1)
    start = column.dictionary_page_offset or column.data_page_offset
    data = whole[:start] + b"\xde\xad\xbe\xef" * 25 + whole[start + 100 :]
    refused(tmp_path, "garbage.parquet", data, "damaged")
