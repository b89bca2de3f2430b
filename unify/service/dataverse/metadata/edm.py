"""Types of columns in CSDL."""

from collections.abc import Mapping
from typing import Final

from unify.dataverse.model import AttributeModel, Type

EDM: Final[Mapping[Type, str]] = {
    Type.STRING: "Edm.String", Type.MEMO: "Edm.String", Type.ENTITY_NAME: "Edm.String", Type.MULTISELECT: "Edm.String",
    Type.INTEGER: "Edm.Int32", Type.PICKLIST: "Edm.Int32", Type.STATE: "Edm.Int32", Type.STATUS: "Edm.Int32",
    Type.BIGINT: "Edm.Int64", Type.DECIMAL: "Edm.Decimal", Type.MONEY: "Edm.Decimal", Type.DOUBLE: "Edm.Double",
    Type.BOOLEAN: "Edm.Boolean", Type.DATETIME: "Edm.DateTimeOffset", Type.GUID: "Edm.Guid", Type.LOOKUP: "Edm.Guid",
    Type.OWNER: "Edm.Guid", Type.CUSTOMER: "Edm.Guid", Type.FILE: "Edm.Guid",
}  # fmt: skip


def edm_of(column: AttributeModel) -> str:
    """`Edm.String`."""
    if column.managed:
        return "mscrm.BooleanManagedProperty"
    return "Edm.Date" if column.date_only else EDM[column.type]
