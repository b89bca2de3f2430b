"""The benchmark of data packages measures what it says: all rows, the same each time, all the way in."""

import json

import pytest

from benchmarks import packages
from benchmarks.__main__ import main


@pytest.mark.parametrize("source_format", packages.FORMATS)
def test_the_rows_are_all_there(source_format, tmp_path):
    packages.write(tmp_path, 1200, source_format, 7)
    first = (tmp_path / "package.zip").read_bytes()
    assert packages.read(tmp_path, 1200)["seconds"] >= 0
    packages.write(tmp_path, 1200, source_format, 7)
    assert (tmp_path / "package.zip").read_bytes() == first
    with pytest.raises(ValueError, match="1201 are in the package"):
        packages.read(tmp_path, 1201)


def test_they_are_imported(tmp_path):
    packages.write(tmp_path, 300, "CSV", 7)
    assert packages.imported(tmp_path, 300)["seconds"] > 0


def test_the_command(capsys):
    assert main(["packages", "--rows", "200", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert {name: sorted(found[name]) for name in ("write", "read", "import")} == {
        "write": ["mib", "napkin", "peak_mib", "rows_per_s", "seconds"],
        "read": ["napkin", "open_s", "peak_mib", "rows_per_s", "seconds"],
        "import": ["napkin", "peak_mib", "rows_per_s", "seconds"],
    }
    assert main(["packages", "--rows", "0"]) == 2
    assert main(["packages", "--format", "Fixed width"]) == 2
