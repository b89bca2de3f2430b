"""Cases."""

from unify.dataverse.model.nouns import Cascade, Computed, OneToMany, TableModel, Type
from unify.dataverse.model.shipped.making import (
    audit,
    audit_relationships,
    choice,
    identity,
    lookup,
    memo,
    moment,
    points,
    status,
    table,
    text,
    type_of,
)

INCIDENT = table("Incident", "Case", "Cases", 112, [
    identity("IncidentId", "Case"), text("Title", "Case Title", 200, primary=True), memo("Description", "Description"),
    text("TicketNumber", "Case Number", 100, computed=Computed.NUMBER, update=False, create=False),
    choice("CaseTypeCode", "Case Type", ("Question", "Problem", "Request")),
    choice("PriorityCode", "Priority", ("High", "Normal", "Low"), default=2),
    choice("SeverityCode", "Severity", ("Default",), default=1),
    choice("CaseOriginCode", "Origin", ("Phone", "Email", "Web")), moment("FollowUpBy", "Follow Up By"),
    lookup("CustomerId", "Customer", "account", "contact", kind=Type.CUSTOMER, type_column="customeridtype"),
    type_of("CustomerIdType", "Customer Type"),
    lookup("PrimaryContactId", "Contact", "contact"), lookup("ParentCaseId", "Parent Case", "incident"),
    *status(
        ("Active", {1: "In Progress", 2: "On Hold", 3: "Waiting for Details", 4: "Researching"}),
        ("Resolved", {5: "Problem Solved", 1000: "Information Provided"}),
        ("Cancelled", {6: "Cancelled", 2000: "Merged"})),
    *audit(),
])  # fmt: skip

TABLES: tuple[TableModel, ...] = (INCIDENT,)

RELATIONSHIPS: tuple[OneToMany, ...] = (
    points("incident_customer_accounts", "account", "incident", "customerid", via="customerid_account",
           on_delete=Cascade.CASCADE),
    points("incident_customer_contacts", "contact", "incident", "customerid", via="customerid_contact",
           on_delete=Cascade.CASCADE),
    points("contact_as_primary_contact", "contact", "incident", "primarycontactid"),
    points("incident_parent_incident", "incident", "incident", "parentcaseid"),
    *audit_relationships("incident", "incidents"),
)  # fmt: skip
