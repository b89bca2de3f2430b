"""Bodies of the user's documents, which write keys with a capital: `ConflationOrder`, `EntityType`, `FromEntity`."""

from pydantic import AliasChoices, AliasGenerator, ConfigDict
from pydantic.alias_generators import to_camel

from unify.spec.wire import Wire


def both(name: str) -> AliasChoices:
    """
    >>> both("entity_type").choices
    ['entityType', 'EntityType']
    """
    said = to_camel(name)
    return AliasChoices(said, said[:1].upper() + said[1:])


class Documented(Wire):
    """Reads `EntityType` and `entityType` alike; what is told is spelled as the vendor's client spells it."""

    model_config = ConfigDict(alias_generator=AliasGenerator(validation_alias=both, serialization_alias=to_camel))
