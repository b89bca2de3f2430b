"""An invented retail company, its customers and their traps. Every name, address and number here is generated.

words.py           the word lists
people.py          Person, Record, and how one is spelt in each source
ordinary.py        the many people nothing special happens to, and what they bought
cases.py           how the records of a trap must end
one_person.py      traps: one person who looks like several
several_people.py  traps: several people who look like one
broken.py          traps: rows that must not get in
generate.py        writes output/ and lists/ from a fixed seed: `python -m sample_data.generate`
"""
