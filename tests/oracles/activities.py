"""Which customer an activity has, row by row: follow the values by hand."""


def customers_of(rows, tables, hops, members):
    """One answer per activity row: the smallest ordinal that its value leads to, or None; and how many it leads to.

    rows      the activity's rows, dicts
    tables    entity to its rows, dicts
    hops      [(from column, to entity, to column)], from the activity on; the last entity has `members`
    members   key of the last entity's row (column `Id`) to ordinal
    """
    answers = []
    for row in rows:
        here = [row]
        for column, entity, referred in hops:
            here = [
                there
                for one in here
                for there in tables[entity]
                if one[column] is not None and there[referred] is not None and there[referred] == one[column]
            ]
        ordinals = {members[one["Id"]] for one in here if one["Id"] in members}
        answers.append((min(ordinals, default=None), len(ordinals)))
    return answers
