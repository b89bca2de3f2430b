"""Accounts, contacts, leads, opportunities."""

from unify.dataverse.model.nouns import KeyModel, ManyToMany, OneToMany, TableModel, Type
from unify.dataverse.model.shipped.making import (
    address,
    audit,
    audit_relationships,
    choice,
    day,
    decimal,
    flag,
    full_name,
    identity,
    lookup,
    memo,
    money,
    points,
    status,
    table,
    text,
    type_of,
    whole,
)

INDUSTRIES = (
    "Accounting", "Agriculture and Non-petrol Natural Resource Extraction", "Broadcasting Printing and Publishing",
    "Brokers", "Building Supply Retail", "Business Services", "Consulting", "Consumer Services",
    "Design, Direction and Creative Management", "Distributors, Dispatchers and Processors",
    "Doctor's Offices and Clinics", "Durable Manufacturing", "Eating and Drinking Places", "Entertainment Retail",
    "Equipment Rental and Leasing", "Financial", "Food and Tobacco Processing", "Inbound Capital Intensive Processing",
    "Inbound Repair and Services", "Insurance", "Legal Services", "Non-Durable Merchandise Retail",
    "Outbound Consumer Service", "Petrochemical Extraction and Distribution", "Service Retail", "SIG Affiliations",
    "Social Services", "Special Outbound Trade Contractors", "Specialty Realty", "Transportation",
    "Utility Creation and Distribution", "Vehicle Retail", "Wholesale",
)  # fmt: skip
_REACHED = [
    text("Telephone1", "Business Phone", 50, form="Phone"), text("Telephone2", "Other Phone", 50, form="Phone"),
    text("Fax", "Fax", 50, form="Phone"), text("EMailAddress1", "Email", 100, form="Email"),
    text("EMailAddress2", "Email Address 2", 100, form="Email"), text("WebSiteUrl", "Website", 200, form="Url"),
    flag("DoNotEMail", "Do not allow Emails", no="Allow", yes="Do Not Allow"),
    flag("DoNotPhone", "Do not allow Phone Calls", no="Allow", yes="Do Not Allow"),
    flag("DoNotPostalMail", "Do not allow Mails", no="Allow", yes="Do Not Allow"),
]  # fmt: skip
_ACTIVE = (("Active", {1: "Active"}), ("Inactive", {2: "Inactive"}))

ACCOUNT = table("Account", "Account", "Accounts", 1, [
    identity("AccountId", "Account"), text("Name", "Account Name", 160, primary=True),
    text("AccountNumber", "Account Number", 20), memo("Description", "Description"),
    money("Revenue", "Annual Revenue"), whole("NumberOfEmployees", "Number of Employees", 0, 1_000_000_000),
    choice("IndustryCode", "Industry", INDUSTRIES), *address(), *_REACHED,
    choice("AccountCategoryCode", "Category", ("Preferred Customer", "Standard")),
    choice("CustomerTypeCode", "Relationship Type", (
        "Competitor", "Consultant", "Customer", "Investor", "Partner", "Influencer", "Press", "Prospect", "Reseller",
        "Supplier", "Vendor", "Other")),
    money("CreditLimit", "Credit Limit", 0), flag("CreditOnHold", "Credit Hold"),
    text("TickerSymbol", "Ticker Symbol", 10), text("SIC", "SIC Code", 20),
    lookup("PrimaryContactId", "Primary Contact", "contact"),
    lookup("ParentAccountId", "Parent Account", "account"),
    *status(*_ACTIVE), *audit(),
], keys=[KeyModel("accountnumber", "AccountNumber", "Account Number", ("accountnumber",), custom=False)])  # fmt: skip

CONTACT = table("Contact", "Contact", "Contacts", 2, [
    identity("ContactId", "Contact"), text("FirstName", "First Name", 50), text("MiddleName", "Middle Name", 50),
    text("LastName", "Last Name", 50), full_name(), text("Salutation", "Salutation", 100),
    text("NickName", "Nickname", 100), text("JobTitle", "Job Title", 100), text("Department", "Department", 100),
    text("MobilePhone", "Mobile Phone", 50, form="Phone"), *_REACHED, *address(), day("BirthDate", "Birthday"),
    choice("GenderCode", "Gender", ("Male", "Female")), memo("Description", "Description"),
    choice("FamilyStatusCode", "Marital Status", ("Single", "Married", "Divorced", "Widowed")),
    money("AnnualIncome", "Annual Income", 0), flag("CreditOnHold", "Credit Hold"),
    text("EmployeeId", "Employee", 50), text("ExternalUserIdentifier", "External User Identifier", 50),
    lookup("ParentCustomerId", "Company Name", "account", "contact", kind=Type.CUSTOMER,
           type_column="parentcustomeridtype"),
    type_of("ParentCustomerIdType", "Parent Customer Type"),
    *status(*_ACTIVE), *audit(),
])  # fmt: skip

LEAD = table("Lead", "Lead", "Leads", 4, [
    identity("LeadId", "Lead"), text("Subject", "Topic", 300), text("FirstName", "First Name", 50),
    text("LastName", "Last Name", 50), full_name(), text("CompanyName", "Company Name", 100),
    text("JobTitle", "Job Title", 100), text("MobilePhone", "Mobile Phone", 50, form="Phone"), *_REACHED, *address(),
    memo("Description", "Description"), choice("LeadSourceCode", "Lead Source", (
        "Advertisement", "Employee Referral", "External Referral", "Partner", "Public Relations", "Seminar",
        "Trade Show", "Web", "Word of Mouth", "Other")),
    choice("LeadQualityCode", "Rating", ("Hot", "Warm", "Cold"), default=2),
    choice("IndustryCode", "Industry", INDUSTRIES), money("Revenue", "Annual Revenue", 0),
    whole("NumberOfEmployees", "No. of Employees", 0, 1_000_000), decimal("EstimatedValue", "Est. Value"),
    day("EstimatedCloseDate", "Est. Close Date"),
    lookup("CustomerId", "Customer", "account", "contact", kind=Type.CUSTOMER, type_column="customeridtype"),
    type_of("CustomerIdType", "Customer Type"),
    lookup("ParentAccountId", "Parent Account for lead", "account"),
    lookup("ParentContactId", "Parent Contact for lead", "contact"),
    *status(
        ("Open", {1: "New", 2: "Contacted"}), ("Qualified", {3: "Qualified"}),
        ("Disqualified", {4: "Lost", 5: "Cannot Contact", 6: "No Longer Interested", 7: "Canceled"})),
    *audit(),
])  # fmt: skip

OPPORTUNITY = table("Opportunity", "Opportunity", "Opportunities", 3, [
    identity("OpportunityId", "Opportunity"), text("Name", "Topic", 300, primary=True),
    memo("Description", "Description"), money("EstimatedValue", "Est. Revenue"),
    day("EstimatedCloseDate", "Est. Close Date"), money("ActualValue", "Actual Revenue"),
    day("ActualCloseDate", "Actual Close Date"), whole("CloseProbability", "Probability", 0, 100),
    memo("CurrentSituation", "Current Situation"), memo("CustomerNeed", "Customer Need"),
    memo("ProposedSolution", "Proposed Solution"), text("StepName", "Pipeline Phase", 200),
    money("BudgetAmount", "Budget Amount", 0),
    choice("OpportunityRatingCode", "Rating", ("Hot", "Warm", "Cold"), default=2),
    lookup("CustomerId", "Potential Customer", "account", "contact", kind=Type.CUSTOMER, type_column="customeridtype"),
    type_of("CustomerIdType", "Potential Customer Type"),
    lookup("ParentAccountId", "Account", "account"), lookup("ParentContactId", "Contact", "contact"),
    lookup("OriginatingLeadId", "Originating Lead", "lead"),
    *status(
        ("Open", {1: "In Progress", 2: "On Hold"}), ("Won", {3: "Won"}), ("Lost", {4: "Canceled", 5: "Out-Sold"})),
    *audit(),
], set_name="opportunities", collection="Opportunities")  # fmt: skip

TABLES: tuple[TableModel, ...] = (ACCOUNT, CONTACT, LEAD, OPPORTUNITY)

RELATIONSHIPS: tuple[OneToMany, ...] = (
    points("account_primary_contact", "contact", "account", "primarycontactid"),
    points("account_parent_account", "account", "account", "parentaccountid"),
    points("contact_customer_accounts", "account", "contact", "parentcustomerid", via="parentcustomerid_account"),
    points("contact_customer_contacts", "contact", "contact", "parentcustomerid", via="parentcustomerid_contact"),
    points("lead_customer_accounts", "account", "lead", "customerid", via="customerid_account"),
    points("lead_customer_contacts", "contact", "lead", "customerid", via="customerid_contact"),
    points("lead_parent_account", "account", "lead", "parentaccountid"),
    points("lead_parent_contact", "contact", "lead", "parentcontactid"),
    points("opportunity_customer_accounts", "account", "opportunity", "customerid", via="customerid_account"),
    points("opportunity_customer_contacts", "contact", "opportunity", "customerid", via="customerid_contact"),
    points("opportunity_parent_account", "account", "opportunity", "parentaccountid"),
    points("opportunity_parent_contact", "contact", "opportunity", "parentcontactid"),
    points("opportunity_originating_lead", "lead", "opportunity", "originatingleadid"),
    *audit_relationships("account", "accounts"),
    *audit_relationships("contact", "contacts"),
    *audit_relationships("lead", "leads"),
    *audit_relationships("opportunity", "opportunities"),
)

MANY_TO_MANY: tuple[ManyToMany, ...] = (
    ManyToMany("accountleads_association", "accountleads", "account", "accountid", "accountleads_association",
               "lead", "leadid", "accountleads_association"),
    ManyToMany("contactleads_association", "contactleads", "contact", "contactid", "contactleads_association",
               "lead", "leadid", "contactleads_association"),
)  # fmt: skip
