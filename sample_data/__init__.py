"""An invented retail company, its customers and their traps. Every name, address and number here is generated.

words.py      the word lists
people.py     Person, Record, and how one is spelt in each source
ordinary.py   the many people nothing special happens to, and what they bought
traps.py      the people something special happens to, and how each story must end
broken.py     the rows that must not get in
generate.py   writes output/ from a fixed seed: `python -m sample_data.generate`
"""
