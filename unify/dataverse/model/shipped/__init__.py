"""Tables that every instance has: those of the OpenAPI document, and what they hang on.

sales.py       account, contact, lead, opportunity          service.py   incident
activities.py  activitypointer, task, phonecall, email, appointment
system.py      owner, systemuser, team, businessunit, organization, fileattachment
custom.py      customapi and what belongs to it, steps, endpoints, catalogs of business events
"""

from unify.dataverse.model.nouns import ManyToMany, OneToMany, TableModel
from unify.dataverse.model.shipped import activities, custom, sales, service, system

REVISION = 1
"""Of the tables here: an instance that was made with a lower one is brought up when it is written to."""

TABLES: tuple[TableModel, ...] = (
    *system.TABLES, *sales.TABLES, *service.TABLES, *activities.TABLES, *custom.TABLES,
)  # fmt: skip
ONE_TO_MANY: tuple[OneToMany, ...] = (
    *system.RELATIONSHIPS, *sales.RELATIONSHIPS, *service.RELATIONSHIPS, *activities.RELATIONSHIPS,
    *custom.RELATIONSHIPS,
)  # fmt: skip
MANY_TO_MANY: tuple[ManyToMany, ...] = sales.MANY_TO_MANY
