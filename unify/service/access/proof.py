"""What a credential proves, and the refusal of one that proves nothing."""

from dataclasses import dataclass
from typing import Final

from unify.service.access.keys import ApiKey
from unify.service.caller import Caller
from unify.service.errors import ServiceError

REALM: Final = 'Bearer realm="unify"'


@dataclass(frozen=True, slots=True)
class Proof:
    """Who asks, by which key (a token of our own was given for one), and until when that may be believed unasked."""

    caller: Caller
    key: ApiKey | None
    until: float


def unauthorised(*, given: bool) -> ServiceError:
    """401, in the same words whatever is wrong: who guesses learns nothing. `given`: a credential was."""
    challenge = f'{REALM}, error="invalid_token"' if given else REALM
    return ServiceError(401, "a valid key or token is needed", headers={"WWW-Authenticate": challenge})
