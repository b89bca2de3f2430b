"""Words for roles: the vendor's clients say Viewer or Contributor, we say reader or steward."""

from collections.abc import Iterable, Mapping
from typing import Final

from unify.core.errors import did_you_mean
from unify.service.caller import EVERYWHERE, Role
from unify.service.errors import ServiceError

VENDOR: Final[Mapping[Role, str]] = {
    Role.READER: "Viewer",
    Role.ANALYST: "MarketingContributor",
    Role.STEWARD: "Contributor",
    Role.ADMIN: "Admin",
}
"""What answers to the vendor's clients say."""
SAYS: Final[Mapping[Role, str]] = {
    Role.READER: "Asks for data; personal values are masked.",
    Role.ANALYST: "Also makes segments and measures, and sees definitions, profiles and job history.",
    Role.STEWARD: "Also edits sources, plans and relationships, runs jobs, and sees personal values.",
    Role.ADMIN: "Also manages instances, roles, keys, schedules and erasure.",
}
ROLES: Final[Mapping[str, Role]] = {
    **{word.lower(): role for role, word in VENDOR.items()},
    **{role.name.lower(): role for role in Role},
    "owner": Role.ADMIN,
}
"""Every spelling, in lower case."""


def role_of(word: str) -> Role:
    """The role that a word means, in any case; ServiceError 400."""
    found = ROLES.get(word.casefold())
    if found is None:
        hint = did_you_mean(word[:64], [*(r.name.lower() for r in Role), *VENDOR.values(), "Owner"])
        raise ServiceError(400, f"there is no role {word[:64]!r}", hint=hint, key="rbacInvalidRole")
    return found


def roles_said(words: Iterable[object]) -> dict[str, Role]:
    """Roles in a claim of a token: `steward` everywhere, `contoso:reader` in one instance; other words say nothing."""
    found: dict[str, Role] = {}
    for word in words:
        instance, _, name = str(word).rpartition(":")
        role = ROLES.get(name.casefold())
        if role is not None:
            where = instance or EVERYWHERE
            found[where] = max(role, found.get(where, role))
    return found
