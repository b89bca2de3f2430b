"""Which customer a record belongs to that is not there yet: the answer of a run, in milliseconds, without one.

    a generation ── remembering.py ─▶ Memory (memory.py): prepared columns, links, customers, held once (columns.py)
    a record ── reading.py ─▶ Record: typed as ingest does, normalised as the run does
      ── linking.py ─▶ links that would be others
            pairing.py, similar.py, alike.py: one rule; evidence.py: a scored one
      ── deciding.py ─▶ clusters and CustomerIds, by the run's own clustering
      ── telling.py ─▶ Resolution (core/resolutions.py)

`Resolver` (resolver.py) keeps the memory of one generation and answers many threads. docs/resolve.md.
"""
