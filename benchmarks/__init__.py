"""What the engine reaches, measured: quality against a truth it never sees, seconds, peak memory.

generate.py   invented customers by the million, and the truth kept apart
fields.py     their columns, person by person and record by record
names.py      the names they carry
project.py    the rules a careful user would write for them
score.py      precision, recall, F1 of clusters against the truth
memory.py     peak memory of this process
oasis.py      the published test cases of OData, read by our parser
contoso.py    the publisher's own sample files, clean and dirty
"""
