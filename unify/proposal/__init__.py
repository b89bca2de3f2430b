"""A plan without an expert: which columns are compared, which rules in which order, and how sure they are.

attributes   columns of all entities that mean the same, and how their values are made alike
meanings     what a column without a telling name means, from its values
keys         keys that two systems share, and keys that only look alike
dates        birth dates that one system writes so and another so
study        what agreement is worth, learned from the records (unify/conflation/evidence)
known        labelled pairs, where somebody has some
search       conjunctions of conditions that find much and are rarely wrong
plan         what was found, as nouns of the project
text         the project file, with what every rule was estimated at
run          all of it: a project and its data in, a Suggestion out
splink/      the settings of another tool, read as a plan
"""
