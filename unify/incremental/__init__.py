"""Runs over changed sources cost what the change costs, and give exactly what a full run would give.

inputs.py      what a stage is made from, as text: equal text, equal outcome
state.py       what a generation keeps for the next run, in a schema of its own
planning.py    before a run: which sources changed, and whether the file of the generation before is taken over
delta.py       rows that are new, changed or gone, by key
"""
