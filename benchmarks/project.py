"""The project a careful user would write for the generated customers: eight ordered match rules, all of them fuzzy.

Written by hand with the truth of 10,000 and 100,000 records in view, so its F1 is flattering (benchmarks/README.md).
"""

from pathlib import Path

import yaml

from unify.spec import Project

RULES = """
name: benchmark
instance: instance
sources:
  crm:
    Contacts: {files: crm.parquet, key: ContactId}
  loyalty:
    Members: {files: loyalty.parquet, key: LoyaltyId}
  web:
    SignUps: {files: web.parquet, key: UserId}
lists:
  no_mail: {kind: bypass, values: [noreply@store.example]}
  no_phone: {kind: bypass, values: [000-000-0000]}
  no_birth_date: {kind: bypass, values: ["1900-01-01"]}
conflation:
  order: [crm.Contacts, loyalty.Members, web.SignUps]
  match:
    loyalty.Members -> crm.Contacts: &rules
      - name: e-mail and first name
        when:
          - &email {field: EMail, normalize: [lower, {bypass: no_mail}]}
          - &first {field: FirstName, normalize: [lower, symbols, name], compare: jaro_winkler, precision: 85}
        unless: &other_birth_date
          - {field: BirthDate, normalize: [{bypass: no_birth_date}], differs: true}
      - name: e-mail and full name                      # in any order, or with an initial
        when:
          - *email
          - &full {field: FullName, normalize: [lower, symbols, name], compare: token_sort, precision: 80}
        unless: *other_birth_date
      - name: phone, first and last name
        when:
          - &phone {field: Telephone, normalize: [{bypass: no_phone}, {phone: US}]}
          - *first
          - &last {field: LastName, normalize: [lower, symbols], precision: 75}
        unless: *other_birth_date
      - name: phone and full name
        when: [*phone, {field: FullName, normalize: [lower, symbols, name], compare: token_sort, precision: 90}]
        unless: *other_birth_date
      - name: birth date, last name and first name
        when:
          - &born {field: BirthDate, normalize: [{bypass: no_birth_date}]}
          - *last
          - *first
      - name: birth date and exchanged names
        when: [*born, {field: FullName, normalize: [lower, symbols, name], compare: token_sort, precision: 95}]
      - name: address and name
        when:
          - &postcode {field: PostCode}
          - &house {field: HouseNumber}
          - &street {field: Street, normalize: [lower, address], precision: 80}
          - *first
        unless: *other_birth_date
      - name: birth date, last name and initial
        when: [*born, *last, &initial {field: FirstName, normalize: [lower, symbols], compare: prefix, within: 1}]
    web.SignUps -> crm.Contacts: *rules
    web.SignUps -> loyalty.Members: *rules
  dedupe:
    crm.Contacts: &same
      - {name: e-mail and first name, when: [*email, *first], unless: *other_birth_date}
      - {name: "phone, first and last name", when: [*phone, *first, *last], unless: *other_birth_date}
      - {name: "birth date, last name and initial", when: [*born, *last, *initial]}
      - {name: address and first name, when: [*postcode, *house, *street, *first], unless: *other_birth_date}
    loyalty.Members: *same
    web.SignUps: *same
  limits:
    - {max_records: 40}
resolution:
  EMail: most recent by ModifiedOn
  Telephone: most recent by ModifiedOn
  Address: {group: [HouseNumber, Street, City, PostCode], by: most recent by ModifiedOn}
"""


def project(folder: Path) -> Project:
    """The project over crm.parquet, loyalty.parquet and web.parquet of this folder.

    FileNotFoundError when one of them is missing: generate them first (benchmarks.generate.customers).
    """
    plan = Project.model_validate(yaml.safe_load(RULES))
    for entity in plan.entities.values():
        for file in entity.files:
            if not (folder / file).is_file():
                raise FileNotFoundError(f"{folder / file}: generate the customers first")
    return plan
