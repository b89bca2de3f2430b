"""The command `unify`: it reads arguments, calls the instance, prints its reports, and knows nothing else.

entry.py      run(argv) → exit code: one place for errors, Ctrl-C and broken pipes
app.py        the commands, in three groups
  build.py      init, validate, run, ingest, conflate      take a project file
  look.py       status, runs, report, profile, labels, explain, tables, query, export
  segment.py    segment …
  manage.py     generations, rollback, doctor
options.py    options that several commands share
where.py      which instance is meant
output.py     text or one JSON document on stdout
draw.py       reports as text; draw_report.py that of a run; draw_segments.py segments
progress.py   what is going on, on stderr, for people only

Exit codes: docs/cli.md. Heavy imports stay inside the commands, so that `unify --help` answers at once.
"""

from unify.cli.entry import main, run

__all__ = ["main", "run"]
