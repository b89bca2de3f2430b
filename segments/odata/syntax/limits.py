"""How much of a question is read before it is refused. Every limit has its reason; none can be switched off."""

MAX_LENGTH = 32_768
"""Characters of a URL or of one expression: servers and proxies cut at 8 to 32 KiB, so nobody loses a question that
could have arrived; beyond it a body would be the place."""

MAX_TOKENS = 2_100
"""Names, literals and signs of one option value. A token costs 1 to 4 µs, so this holds a hostile value under 10 ms;
an `in` list of 1,000 customer ids takes 2,002 of them."""

MAX_DEPTH = 50
"""Parentheses, calls, lambdas and nested options inside each other. The parser spends at most 7 Python frames on a
level, so 50 levels fit into Python's 1,000 frames and leave the caller more than half."""

MAX_HEIGHT = 150
"""Nodes from the root of a tree to its deepest leaf: comparing, hashing and printing walk it recursively, with up to
4 frames a node where a tuple lies between. Chains such as `1 add 1 add 1 …` grow to the left without nesting."""

MAX_OPTIONS = 100
"""Parts between `&`. The system query options are 16; the rest are parameter aliases."""

MAX_WORDS = 1_000
"""Words and phrases of one search."""

MAX_SEGMENTS = 100
"""Parts between `/` of a resource path: a hundred hops from one customer lead nowhere a person could name."""

MAX_NAME = 128
"""Characters of one part of a name: the limit of OData 4.01 for identifiers."""

MAX_DIGITS = 38
"""Digits of a number: what a 128-bit DECIMAL or HUGEINT column can hold."""

SHOWN = 40
"""Characters of the offending text that an error message repeats."""
