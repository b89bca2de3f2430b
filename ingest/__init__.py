"""Files in, typed tables out: readers, types, keys, profiles, semantic labels.

load.load(engine, "crm.Contacts", entity, data=None, base=…)  → LoadReport
    files.py          paths, globs, folders → files in a fixed order
    damage.py         gzip, zstd, Parquet: damaged files are refused whole
    text.py           any encoding → UTF-8
    csv_*.py  jsonl_reader.py  parquet_reader.py  frames.py  → rows.Source: numbered rows in Arrow batches
    infer.py  types.py  dates.py  columns.py   what each column becomes
    incremental.py  filters.py  keys.py        which rows stand
    corrupt.py        the quarantine
sniff.sniff(entity, base)             column to type, from the first rows
entities.write_entities(engine, entities, reports)
drift.py  profile.py  labels.py       what changed, what is in it, what it means
"""
