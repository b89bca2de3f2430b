"""What custom APIs are there when a service starts: those of the product, and those that its settings name."""

from unify.custom import STEPS
from unify.custom.errors import HandlerError
from unify.service.database import ServiceDatabase
from unify.service.dataverse.custom_jobs import use_queue
from unify.service.operations.log import logger
from unify.service.settings import Settings
from unify.verbs.custom_apis import loaded


def set_up_custom_apis(settings: Settings, database: ServiceDatabase) -> None:
    """For this process. SpecError for a name that no installed package has, or whose code cannot be imported."""
    STEPS.use(settings.root, loaded(settings.custom_apis), failed)
    use_queue(settings.root, database, runs=settings.jobs)


def failed(what: str, correlation: str, error: BaseException) -> None:
    """Write down that code failed: where in the code, never with what."""
    said = {"reason": str(error)} if isinstance(error, HandlerError) else {}
    logger.error("custom API failed", api=what, correlation=correlation, exc_info=error, **said)
