"""What the vendor answers when there is nothing to tell."""

from unify.spec.wire import Wire


class OkResult(Wire):
    """Done."""

    status_code: int = 200


class OkObjectResult(Wire):
    """Done, with something."""

    value: str | bool | None = None
    status_code: int = 200
