"""What an import will do, step by step, before it does any of it: one step per entity, or per part of a composite one.

The plan is kept with the execution, so that it goes on after a kill as it had begun, whatever was defined meanwhile.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

from ingest.packages import Manifest, PackageEntity, Severity
from ingest.packages.nouns import Finding
from unify.core.errors import UnifyError
from unify.packages.catalogue import Catalogue, of_columns, of_table
from unify.packages.errors import NoSuchEntityError, ProjectError
from unify.packages.kept import definition_of
from unify.packages.nouns import CompositePart, EntityDefinition, ImportOptions
from unify.records import Table

COMPANY = "dataareaid"
"""Column that names the company of a row, ignoring case."""


@dataclass(frozen=True, slots=True)
class Plan:
    """Of one step.

    definition           of the entity that the rows go to
    unit, level          where it stands; entities of a level come in the order of their steps
    element              of a composite entity: which rows of the file; "" otherwise
    parent               place of the step of the rows around them; None for the outermost
    link                 own column → column of the parent's
    validate             whether values of options are looked at (RunBusinessValidation)
    error                why it cannot run; "" when it can
    """

    definition: EntityDefinition | None
    unit: int
    level: int
    fail_unit: bool
    fail_level: bool
    validate: bool
    element: str = ""
    parent: int | None = None
    link: Mapping[str, str] | None = None
    error: str = ""

    def as_dict(self) -> dict[str, Any]:
        """As it is kept."""
        return asdict(self)


def plan_of(said: Mapping[str, Any]) -> Plan:
    """From what `as_dict` gave."""
    definition = said["definition"]
    return Plan(**{**said, "definition": definition_of(definition) if definition is not None else None})


def company_column(definition: EntityDefinition) -> str | None:
    """The column that names the company of a row."""
    return next((column.name for column in definition.columns if column.name.casefold() == COMPANY), None)


def plan(
    catalogue: Catalogue, manifest: Manifest, findings: Sequence[Finding], options: ImportOptions
) -> list[tuple[str, Plan]]:
    """Steps in the order in which they run, each with the name of its entity.

    ProjectError where the package as a whole cannot be imported so: overwriting a composite entity, two of them.
    """
    entities = [entity for unit in manifest.execution_order() for level in unit for entity in level]
    _check_composites(entities, options)
    unknown = sorted({name.casefold() for name in options.keys} - {entity.name.casefold() for entity in entities})
    if unknown:
        raise ProjectError(f"the package has no entity {unknown[0]!r}", where="keys")
    steps: list[tuple[str, Plan]] = []
    for entity in entities:
        wrong = "; ".join(
            finding.message for finding in findings
            if finding.severity is Severity.ERROR and finding.entity.casefold() == entity.name.casefold()
        )  # fmt: skip
        steps += [(entity.name, one) for one in _of_entity(catalogue, entity, options, wrong, len(steps))]
    return steps


def _check_composites(entities: Sequence[PackageEntity], options: ImportOptions) -> None:
    composites = [entity.name for entity in entities if entity.is_composite]
    if len(composites) > 1:
        raise ProjectError(
            f"a package holds one composite entity at most, and here are {' and '.join(composites[:2])}",
            where="Manifest.xml",
            hint="send each in a package of its own",
        )
    if composites and options.overwrite:
        raise ProjectError(
            f"{composites[0]} is a composite entity, and those are never overwritten",
            where="overwrite",
            hint="import with overwrite false",
        )


def _of_entity(
    catalogue: Catalogue, entity: PackageEntity, options: ImportOptions, wrong: str, first: int
) -> list[Plan]:
    base = Plan(
        None, entity.execution_unit, entity.level, entity.fail_unit_on_error, entity.fail_level_on_error,
        entity.run_business_validation, error=wrong,
    )  # fmt: skip
    if wrong:
        return [base]
    try:
        definition = resolve(catalogue, entity, options)
        if not definition.allow_import:
            raise ProjectError(f"{entity.name} is read only here: it is made by runs", where=entity.name)
        if bool(definition.parts) != entity.is_composite:
            raise _shapes(entity, definition)
        if not definition.parts:
            return [replace(base, definition=definition)]
        return _parts(catalogue, entity, definition.parts, base, first)
    except UnifyError as error:
        return [replace(base, error=str(error).replace("\n  → ", "; "))]


def _parts(
    catalogue: Catalogue, entity: PackageEntity, parts: Sequence[CompositePart], base: Plan, first: int
) -> list[Plan]:
    known = {part.element.casefold(): place for place, part in enumerate(parts)}
    for found in entity.parts:
        if found.name.casefold() not in known:
            raise ProjectError(f"{entity.name} has no part {found.name!r}", where=entity.file)
        part = parts[known[found.name.casefold()]]
        if found.parent.casefold() != part.parent.casefold():
            raise ProjectError(f"{found.name} stands in {found.parent!r}, not in {part.parent!r}", where=entity.file)
    return [
        replace(
            base,
            definition=catalogue.find(part.entity),
            element=part.element,
            parent=first + known[part.parent.casefold()] if part.parent else None,
            link=dict(part.link),
        )
        for part in parts
    ]


def _shapes(entity: PackageEntity, definition: EntityDefinition) -> ProjectError:
    if definition.parts:
        return ProjectError(
            f"{entity.name} is a composite entity, and its file holds rows of one kind", where=entity.file
        )
    return ProjectError(
        f"rows of {entity.name} hold rows of other kinds ({', '.join(part.name for part in entity.parts)})",
        where=entity.file,
        hint="define a composite entity: its parts, and which columns of each are filled from its parent",
    )


def resolve(catalogue: Catalogue, entity: PackageEntity, options: ImportOptions) -> EntityDefinition:
    """The definition of a package's entity: what is defined; else what the package says; else by the keys given.

    What the package or the keys say is defined by this.
    """
    for name in (entity.name, entity.target):
        if name and (found := catalogue.known(name)) is not None:
            return found
    if entity.table is not None:
        if not entity.table.key:
            raise _unknown(entity)
        return catalogue.define(_from_package(entity, entity.table))
    keys = next((key for name, key in options.keys.items() if name.casefold() == entity.name.casefold()), None)
    if keys is None:
        raise _unknown(entity)
    names = [one.entity_field for one in entity.maps] or list(entity.columns)
    return catalogue.define(of_columns(entity.name, names, keys))


def _from_package(entity: PackageEntity, table: Table) -> EntityDefinition:
    return replace(of_table(table, entity.name), target=entity.target)


def _unknown(entity: PackageEntity) -> NoSuchEntityError:
    return NoSuchEntityError(
        f"nobody has said what {entity.name} is",
        where=entity.file,
        hint=f"define it (`unify package define`, POST …/data/DataManagementEntities), or import with its key columns: "
        f"--key '{entity.name}=COLUMN'",
    )
