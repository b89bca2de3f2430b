"""Questions over Dataverse tables: each becomes one SELECT of SQLite over the record store.

    asking = Questions(reading, model_of(reading), Asker(user, business_unit, now), root="https://…/api/data/v9.2/")
    page = asking.query("account", parse_options("$select=name&$filter=contains(name,'a')"), Preferences(page_size=50))

Three ways to ask, one meaning: OData options, FetchXML, and the SQL that the official client sends.
"""

from unify.dataverse.query.facade import Questions
from unify.dataverse.query.nouns import Asker, Options, Page, Preferences, Row, Single
from unify.dataverse.query.options import parse_options

__all__ = ["Asker", "Options", "Page", "Preferences", "Questions", "Row", "Single", "parse_options"]
