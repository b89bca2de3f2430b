"""Which places of a project use a column of an entity: what breaks when the source drops it."""

from collections.abc import Iterator

from unify.spec import Entity, Project, parts


def dependents_of(project: Project, name: str) -> dict[str, list[str]]:
    """Column of the entity `name` to the places that use it, in the order of the project file.

    Places are sentences for a human: `key`, `filter`, `rule 'e-mail' of loyalty.Members -> crm.Contacts`. Columns that
    only take part because they share a name (default merging) are not listed: nothing was declared about them.
    """
    places: dict[str, list[str]] = {}
    for column, place in (
        *_own(project.entity(name)),
        *_plan(project, name),
        *_resolution(project, name),
        *_related(project, name),
    ):
        if place not in places.setdefault(column, []):
            places[column].append(place)
    return places


def _own(entity: Entity) -> Iterator[tuple[str, str]]:
    yield entity.key, "key"
    if entity.timestamp:
        yield entity.timestamp, "timestamp"
    if entity.incremental:
        yield entity.incremental.updated, "incremental.updated"
    for column, label in entity.labels.items():
        yield column, f"label {label}"
    for column in entity.pii:
        yield column, "pii"
    for column in entity.columns:
        yield column, "columns"
    for row_filter in entity.where:
        yield row_filter.column, "filter"


def _plan(project: Project, name: str) -> Iterator[tuple[str, str]]:
    plan = project.conflation
    if plan is None:
        return
    if name in plan.dedupe:
        spec = plan.dedupe[name]
        for rule in spec.rules:
            for compared in rule.compared:
                for column in (*compared.left_columns, *compared.right_columns):
                    yield column, f"rule {rule.name!r} of dedupe {name}"
        if spec.winner.by:
            yield spec.winner.by, f"winner of dedupe {name}"
        for column, preference in spec.prefer.items():
            yield column, f"prefer of dedupe {name}"
            if preference.by:
                yield preference.by, f"prefer of dedupe {name}"
    for pair in plan.match:
        for rule in pair.rules:
            place = f"rule {rule.name!r} of {pair.left} -> {pair.right}"
            for compared in rule.compared:
                yield from ((c, place) for c in compared.left_columns if pair.left == name)
                yield from ((c, place) for c in compared.right_columns if pair.right == name)
    for rule in plan.rules if _takes_part(project, name) else ():
        for compared in rule.compared:
            own = compared.columns.get(name, compared.left_columns)
            yield from ((part, f"common rule {rule.name!r}") for column in own for part in parts(column))
    for limit in plan.limits:
        if limit.never_two is not None and _takes_part(project, name):
            yield limit.never_two, f"limit {limit}"


def _takes_part(project: Project, name: str) -> bool:
    return project.conflation is not None and name in {ordered.entity for ordered in project.conflation.order}


def _resolution(project: Project, name: str) -> Iterator[tuple[str, str]]:
    """Columns of Customer. Without `from` a resolution takes the columns of its own name from every entity in order."""
    if not _takes_part(project, name):
        return
    for output, resolution in project.resolution.items():
        place = f"resolution {output}"
        for column, sources in (resolution.group or {output: resolution.sources}).items():
            for source in sources:
                entity, _, attribute = source.partition(".")[2].partition(".")
                if f"{source.partition('.')[0]}.{entity}" == name:
                    yield attribute, place
            if not sources:
                yield column, place
        if resolution.by.by:
            yield resolution.by.by, place
    if project.customer.default.by:
        yield project.customer.default.by, "customer.default"
    for column in project.customer.separate:
        yield column, "customer.separate"


def _related(project: Project, name: str) -> Iterator[tuple[str, str]]:
    """Columns that join this entity with others, and those that its activity shows."""
    for title, relationship in project.relationships.items():
        if relationship.from_entity == name:
            yield relationship.from_attribute, f"relationship {title}"
        if relationship.to_entity == name:
            yield relationship.to_attribute, f"relationship {title}"
    for title, activity in project.activities.items():
        if activity.entity == name:
            yield from ((column, f"activity {title}") for column in activity.columns.values())
