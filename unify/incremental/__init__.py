"""Runs over changed sources cost what the change costs, and give exactly what a full run would give (docs/adr/0013).

inputs.py      what a stage is made from, as text: equal text, equal outcome
state.py       what a generation keeps for the next run, in a schema that readers do not see
planning.py    before a run: what is as it was, and whether the file of the generation before is taken over
customers.py   customers: carried over, updated, or made anew
carry.py       nothing changed: the tables stand
delta.py       rows that are new, changed or gone, by key
renumber.py    old rids and new ones
stages.py      the stages of a run over changes
values.py      prepared values of two generations
linking.py     links of one rule, from those of the generation before and what changed
touched.py     which customers have to be worked out again
restricted.py  ids, values and output tables of those alone
"""
