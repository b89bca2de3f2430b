"""A plan without an expert: which columns are compared, which rules in which order, and how sure they are.

attributes   columns of all entities that mean the same, and how their values are made alike
sample       the records that are looked at when there are many
study        what agreement is worth, learned from the records (unify/conflation/evidence)
search       conjunctions of conditions that find much and are rarely wrong
plan         what was found, as nouns of the project
text         the project file, with what every rule was estimated at
run          all of it: a project and its data in, a Suggestion out
"""
