"""An instance on disk: a directory that one process writes, any number read, and `kill -9` cannot tear.

acme/
  catalog.sqlite              runs, generations, publications, definitions, marks (SQLite, WAL)
  lease.lock                  who writes now; the right itself is an OS lock on this file
  generations/000042.duckdb   everything a reader needs; immutable once published
  memberships/<sha256>.roaring  who is in a segment; rows of the catalog say which run and segment
  incoming/ rejected/

lease ──▶ begin ──▶ run 'running' ──▶ build 000042.duckdb ──▶ publish ──▶ run 'published'   ──▶ purge what nobody reads
                          │                                      └ one SQLite transaction
                          ├──▶ refresh ──▶ run 'published' without a generation: segments found anew on a published one
                          ├──▶ fail          ──▶ run 'failed', file removed, published state untouched
                          └──▶ kill -9, power ──▶ the next begin: run 'killed', leftovers swept

store.py       Store: open, create, begin, rollback, runs, generations, definitions
build.py       Build: one run, from begin to publish, refresh or fail
memberships.py members of segments: files by content, rows that refer to them
reader.py      Reader: answers from the published generation, moves on when told to look
opening.py     how a generation's file is opened for reading
lease.py       Lease: one writer at a time
catalog.py     the SQLite file: connections, transactions, migrations (sql/*.sql)
files.py       names of files, fsync, pins, sweeping leftovers
nouns.py       Generation, Run, Definition, Holder, Sweep
trouble.py     errors of SQLite, DuckDB and the system, said so that a person can act
failpoints.py  named instants at which a test kills the process
"""

from unify.store.build import Build
from unify.store.failpoints import FAILPOINTS, failpoint
from unify.store.files import Pin
from unify.store.lease import Lease
from unify.store.memberships import IdentityStep, Membership, NewMembers, NewMembership
from unify.store.nouns import Definition, Generation, Holder, Run, Sweep
from unify.store.reader import Reader
from unify.store.store import Store
from unify.store.trouble import trouble

__all__ = [
    "FAILPOINTS",
    "Build",
    "Definition",
    "Generation",
    "Holder",
    "IdentityStep",
    "Lease",
    "Membership",
    "NewMembers",
    "NewMembership",
    "Pin",
    "Reader",
    "Run",
    "Store",
    "Sweep",
    "failpoint",
    "trouble",
]
