"""Peak memory of this process and of the children it has waited for."""

import resource
import sys

_UNIT = 1 if sys.platform == "darwin" else 1024
"""Bytes in one unit of ru_maxrss: Linux counts KiB, macOS bytes."""


def peak_mib() -> float:
    """Largest resident set this process ever had, in MiB. It never falls: measure one thing per process."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * _UNIT / 2**20


def children_peak_mib() -> float:
    """Largest resident set of any single child that has ended and been waited for, in MiB; 0 without children."""
    return resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss * _UNIT / 2**20
