"""One typed tree of conditions, which segments and OData both become, and three ways to evaluate it.

tree        the nodes; tree_json, sentence, simplify: other forms of the same tree
fields      types, tables, relations: the Catalog that a tree is bound against
functions*  every function, one row each: signature, SQL, Python value, words
bind        names and types checked           compile   one SELECT, values bound
bitmaps     leaves by SQL, the rest by sets   values    constants, worked out in Python
"""
