"""What the rooms share of access: the register, the secret, the keys that tokens are signed with, and the rates."""

from functools import cached_property

from unify.service.access.rates import Rates
from unify.service.access.register import Registry
from unify.service.access.secret import Secret
from unify.service.access.signing import Signing
from unify.service.database import ServiceDatabase


class Guard:
    """One per process."""

    def __init__(self, database: ServiceDatabase) -> None:
        self.database = database
        self.registry = Registry(database)
        self.secret = Secret(database.folder)
        self.signing = Signing(database, self.secret)
        self.rates = Rates(database.folder)

    @cached_property
    def pepper(self) -> bytes:
        """What secrets of API keys are hashed with."""
        return self.secret.of("keys")

    def mask_key(self, instance: str) -> str:
        """What tokens in the place of values are made with: none is alike in two instances."""
        return self.secret.of(f"masks {instance}").hex()

    def close(self) -> None:
        """Let go of what is open."""
        self.rates.close()
