"""The only files that know their engine: duckdb.py."""
