"""OData requests answered: entity sets, keys, pages, expansions, formats. docs/odata.md

answer ─▶ path (which rows) ─▶ level (which of them, in what order) ─▶ rows, expand, apply ─▶ result (JSON, CSV)
"""
