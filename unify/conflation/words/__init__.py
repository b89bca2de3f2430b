"""Word tables of the normalisers: small, readable, each with the reason for its choices.

names.py          nickname, spelling variant or title -> one form
addresses.py      part of an address -> its abbreviation
organizations.py  words that say nothing about which organisation it is
"""
