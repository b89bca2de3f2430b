"""How often what happens in the messy records: one table, with the reason for each figure.

The rates were written down before anything was run on the records, and no result has changed one since. They are of
the size one meets; where even that is a guess the word stands there. A file of yours has other rates: quote a result
on these records together with this table.
"""

RATES = {
    # of people
    "one household": (0.28, "customers who live with another customer: most shops know one person of a home"),
    "same surname": (0.80, "of people in the home of another customer: couples and children, less flat mates"),
    "same first name": (0.02, "of them: father and son, mother and daughter, 20 to 40 years apart"),
    "twin": (0.03, "of third people in a home: twins are 3 in 100 births; surname, birthday and home agree"),
    "family mailbox": (0.25, "of people in the home of another customer: they give the first one's mailbox (guess)"),
    "land line": (0.45, "of homes: about half have one still; whoever lives there gives it now and then"),
    "block of flats": (0.17, "of homes: share in buildings of five homes or more; one door for some twenty homes"),
    "office mailbox": (0.01, "of people: info@… of an employer, shared by eight people on average (guess)"),
    "married name": (0.03, "of people; half of their records have the new surname (guess)"),
    "accents": (0.04, "of people: a name with letters that not every system keeps"),
    "other script": (0.005, "of people: Greek, Cyrillic, Arabic or Chinese, in Latin in systems that know no other"),
    "nothing left": (0.005, "of people: mailbox, phone, home changed and no birth date told; no rule can know (guess)"),
    # of records
    "nickname": (0.15, "of those whose first name has one"),
    "initial": (0.02, "the first name is one letter; at the till (pos) 0.20"),
    "typo in first name": (0.03, "typed by clerks and by thumbs: 3 to 4 % per field is common in such files"),
    "typo in last name": (0.04, "longer than first names, so more often"),
    "names exchanged": (0.015, "first name in the field of the last one (guess)"),
    "capitals": (0.05, "everything in capitals; at the till always"),
    "last, first": (0.03, "where one field has the whole name; at support always"),
    "moved": (0.10, "another home: about 9 in 100 people move a year"),
    "other mailbox": (0.18, "people have about two mailboxes"),
    "other mobile": (0.12, "new number since the older record"),
    "reissued number": (0.02, "of other mobiles: a number that belonged to somebody else before"),
    "mistyped mailbox": (0.015, "one slip in the name of the host"),
    "number forgotten": (0.01, "of mailboxes with a number: anna.lee3@ given as anna.lee@, which is a stranger's"),
    "capital mailbox": (0.03, "as typed on a phone"),
    "mistyped phone": (0.015, "one wrong digit"),
    "call centre's phone": (0.01, "at support and in CRM: the agent's own line, one of three, typed for the caller's"),
    "placeholder mailbox": (0.007, "noreply@… where a mailbox was required"),
    "placeholder phone": (0.007, "000-000-0000 and its like"),
    "default birth date": (0.007, "1900-01-01, now and then 1970-01-01"),
    "wrong birth date": (0.01, "a slip in day, month or year"),
    "day and month exchanged": (0.005, "where both orders make a date"),
    "typo in street": (0.03, "as in names"),
    "street abbreviated": (0.30, "St for Street"),
    "extension": (0.02, "of phones in CRM: x4711"),
    "other date format": (0.03, "of birth dates in CRM: ISO, pasted, among m/d/yyyy"),
    # of rows of a file, beside the records
    "identical row": (0.001, "exported twice, letter by letter"),
    "key twice": (0.0002, "one key, other content: the phone and the mailbox are gone"),
    "no key": (0.0002, "a row without its primary key: nobody can say whose it is; in no truth"),
    "broken row": (0.0001, "too few columns, a quote that nobody doubled, JSON that ends early: in no truth"),
    "no number": (0.0002, "of points of loyalty members: 12O"),
    "impossible birth date": (0.0003, "2/30/1985, unknown; the record is in the truth"),
}  # fmt: skip
"""What happens: (share, of what and why)."""

RATE = {name: share for name, (share, _) in RATES.items()}

SOURCES = {
    # name: (share of records, {column told: share of records that have it})
    "crm.Contacts": (0.35, {"birth": 0.78, "email": 0.75, "phone": 0.80, "mobile": 0.55, "address": 0.90}),
    "loyalty.Members": (0.25, {"birth": 0.88, "email": 0.70, "phone": 0.75, "address": 0.85}),
    "web.Accounts": (0.20, {"email": 0.97, "phone": 0.40, "address": 0.60}),
    "support.Callers": (0.08, {"phone": 0.92, "email": 0.45, "postcode": 0.30}),
    "pos.Customers": (0.12, {"phone": 0.50, "postcode": 0.60}),
}
"""A card asks for the birthday, a web shop for a mailbox, support for a number to call back; a till has no time."""

RECORDS_OF_A_PERSON = (0.595, 0.247, 0.105, 0.041, 0.012)
"""Shares of people with 1 to 5 records: most customers are in one system once."""
HOUSEHOLDS = (0.87, 0.075, 0.035, 0.02)
"""Shares of homes with 1 to 4 customers: 28 % of the customers live with another one."""
