"""Who carries a value, counted naively: no SQL, one value at a time. Names are taken as equal or different as they stand."""


def people(records, column):
    """Value to the number of different people, of dicts with `Name`, `Born` and the column."""
    carriers = {}
    for record in records:
        if record[column]:
            carriers.setdefault(record[column], []).append(record)
    return {value: _people(some) for value, some in carriers.items()}


def _people(records):
    """The smaller of names and birth dates; a name without any birth date counts as one."""
    names = {frozenset(r["Name"].lower().split()) for r in records if r["Name"]}
    dated = {frozenset(r["Name"].lower().split()) for r in records if r["Name"] and r["Born"]}
    dates = {r["Born"] for r in records if r["Born"]}
    if not names:
        return max(1, len(dates))
    return max(1, min(len(names), len(dates) + len(names - dated)))
