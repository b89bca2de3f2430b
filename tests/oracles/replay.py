"""Incremental replay as one would tell it: a dict per key, one event after the other."""

from collections import defaultdict
from datetime import datetime, timedelta

FIRST = datetime.fromisoformat("0001-01-01")


def replay(rows, deletes):
    """`rows`: (key, updated, hour, value) with hour None = full data; `deletes`: (key, updated, hour).

    Returns (kept rows, counts) with the words of ReplayCounts.
    """
    events = defaultdict(list)
    kept = [row for row in rows if row[0] is None]
    for row in rows:
        key, updated, hour, _ = row
        if key is not None:
            end = hour + timedelta(hours=1) if hour else FIRST
            events[key].append((updated or end, hour or FIRST, 0, row))
    unknown = applied = superseded_deletes = deleted = superseded = 0
    known = set(events)
    for key, updated, hour in deletes:
        if key not in known:
            unknown += 1
        else:
            events[key].append((updated or hour + timedelta(hours=1), hour, 1, None))
    for happened in events.values():
        last = max((at, hour, kind) for at, hour, kind, _ in happened)
        living = [event for event in happened if event[2] == 0]
        if last[2] == 1:
            deleted += len(living)
            applied += 1
            superseded_deletes += len(happened) - len(living) - 1
            continue
        superseded_deletes += len(happened) - len(living)
        for at, hour, _, row in living:
            if hour == last[1] and (hour == FIRST or at == last[0]):
                kept.append(row)
            else:
                superseded += 1
    counts = {
        "rows": len(rows),
        "kept": len(kept),
        "from_upserts": sum(row[2] is not None for row in kept),
        "superseded": superseded,
        "deleted": deleted,
        "deletes": len(deletes),
        "deletes_applied": applied,
        "deletes_superseded": superseded_deletes,
        "deletes_unknown": unknown,
    }
    return kept, counts
