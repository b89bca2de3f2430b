"""Links that alone hold a cluster together: found, weighed, and cut or queued for review as the plan says.

    graph.py      which links are bridges: arrays in, arrays out
    compared.py   what the plan compares, as attributes that any two records have in common
    evidence.py   how doubtful each link is
    stage.py      the stage: makes `doubtful_links`, cuts what the plan tells it to cut

`unify review` lists what is doubtful; docs/review.md has the formula.
"""
