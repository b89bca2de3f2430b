"""Peak memory is in MiB and counts what was used."""

import numpy as np

from benchmarks import memory


def test_peak_grows_by_what_is_touched():
    before = memory.peak_mib()
    block = np.ones(64 * 2**20, dtype=np.uint8)
    assert 10 < before < 100_000
    assert memory.peak_mib() >= before
    assert memory.peak_mib() > block.nbytes / 2**20


def test_children_count_only_when_there_were_some():
    assert memory.children_peak_mib() >= 0
