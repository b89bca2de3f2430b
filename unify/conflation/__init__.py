"""Records to customers.

<Source>_<Entity> ─prepare─▶ records, prepared_*   ─links─▶ links, ignored   ─cluster─▶ clusters, cuts
                  ─winners─▶ winners ─identity─▶ members, customer_ids, customer_changes ─merge─▶ Customer, lineage

normalize.py  compare.py    one row per normaliser / comparison: key, SQL, sentence
prepare.py                  records get their rid; the columns that rules need are normalised, once
rules.py                    one rule as SQL: sides, join, conditions, vetoes
similarity/                 fuzzy rules without an exact condition: complete candidate generation
links.py                    all rules in order make `links`
cluster.py  limits.py       links make clusters; limits and never-overrides cut
winners.py  identity.py     who stands for a dedupe group; CustomerIds that stay
merge.py  outputs.py        conflict resolution, lineage, the documented output tables
explain.py                  why, why not, where from: another reader of the same plan
run.py                      conflate(engine, project): the whole stage and its report
"""
