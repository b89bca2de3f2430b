"""Who: the organization, its business unit, users, teams, and owners, which are users and teams. No client writes them.

One row of organization and businessunit is made with the tables; a user's when the service first hears of a caller.
"""

from collections.abc import Mapping
from typing import Any, Final

from unify.dataverse.model.nouns import Cascade, OneToMany, Required, TableModel
from unify.dataverse.model.shipped.making import (
    audit,
    audit_relationships,
    choice,
    flag,
    guid,
    identity,
    lookup,
    moment,
    points,
    table,
    text,
    type_of,
    whole,
)

_CLOSED: Final[Mapping[str, Any]] = {"ownership": "None", "writable": False}

ORGANIZATION = table("Organization", "Organization", "Organizations", 1019, [
    identity("OrganizationId", "Organization"), text("Name", "Organization Name", 160, primary=True),
    whole("LanguageCode", "Language"), whole("CurrentCaseNumber", "Current Case Number", 0), *audit(owned=False),
], **_CLOSED)  # fmt: skip
BUSINESS_UNIT = table("BusinessUnit", "Business Unit", "Business Units", 10, [
    identity("BusinessUnitId", "Business Unit"), text("Name", "Name", 160, primary=True),
    lookup("ParentBusinessUnitId", "Parent Business", "businessunit"),
    lookup("OrganizationId", "Organization", "organization"),
    flag("IsDisabled", "Is Disabled"), *audit(owned=False),
], **_CLOSED)  # fmt: skip
SYSTEM_USER = table("SystemUser", "User", "Users", 8, [
    identity("SystemUserId", "User"), text("FullName", "Full Name", 200, primary=True),
    text("FirstName", "First Name", 256), text("LastName", "Last Name", 256),
    text("DomainName", "User Name", 1024), text("InternalEMailAddress", "Primary Email", 100, form="Email"),
    lookup("BusinessUnitId", "Business Unit", "businessunit", required=Required.SYSTEM),
    flag("IsDisabled", "Status", no="Enabled", yes="Disabled"), choice("AccessMode", "Access Mode", (
        "Read-Write", "Administrative", "Read", "Support User", "Non-interactive", "Delegated Admin"), 0),
    *audit(owned=False),
], **_CLOSED)  # fmt: skip
TEAM = table("Team", "Team", "Teams", 9, [
    identity("TeamId", "Team"), text("Name", "Team Name", 160, primary=True),
    choice("TeamType", "Team Type", ("Owner", "Access"), 0),
    flag("IsDefault", "Is Default"), lookup("BusinessUnitId", "Business Unit", "businessunit"), *audit(owned=False),
], **_CLOSED)  # fmt: skip
OWNER = table("Owner", "Owner", "Owners", 7, [
    identity("OwnerId", "Owner"), text("Name", "Name", 200, primary=True), type_of("OwnerIdType", "Owner Type"),
], **{**_CLOSED, 'tracked': False})  # fmt: skip
FILE = table("FileAttachment", "File Attachment", "File Attachments", 55, [
    identity("FileAttachmentId", "File Attachment"), text("FileName", "File Name", 255, primary=True),
    text("MimeType", "Mime Type", 256), text("ObjectTypeCode", "Table", 64), text("RegardingFieldName", "Column", 64),
    guid("ObjectId", "Regarding"), whole("FileSizeInBytes", "File Size", 0), moment("CreatedOn", "Created On"),
], **{**_CLOSED, 'tracked': False})  # fmt: skip
TABLES: tuple[TableModel, ...] = (ORGANIZATION, BUSINESS_UNIT, SYSTEM_USER, TEAM, OWNER, FILE)

RELATIONSHIPS: tuple[OneToMany, ...] = (
    points("organization_business_units", "organization", "businessunit", "organizationid", on_delete=Cascade.RESTRICT),
    points("business_unit_parent_business_unit", "businessunit", "businessunit", "parentbusinessunitid"),
    points("business_unit_system_users", "businessunit", "systemuser", "businessunitid", on_delete=Cascade.RESTRICT),
    points("business_unit_teams", "businessunit", "team", "businessunitid", on_delete=Cascade.RESTRICT),
    *(one for kind in (ORGANIZATION, BUSINESS_UNIT, SYSTEM_USER, TEAM)
      for one in audit_relationships(kind.name, kind.set_name, owned=False)),
)  # fmt: skip
