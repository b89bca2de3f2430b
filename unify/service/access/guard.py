"""What the rooms share of access: the register and the secret."""

from functools import cached_property

from unify.service.access.register import Registry
from unify.service.access.secret import Secret
from unify.service.database import ServiceDatabase


class Guard:
    """One per process."""

    def __init__(self, database: ServiceDatabase) -> None:
        self.database = database
        self.registry = Registry(database)
        self.secret = Secret(database.folder)

    @cached_property
    def pepper(self) -> bytes:
        """What secrets of API keys are hashed with."""
        return self.secret.of("keys")

    def mask_key(self, instance: str) -> str:
        """What tokens in the place of values are made with: none is alike in two instances."""
        return self.secret.of(f"masks {instance}").hex()
