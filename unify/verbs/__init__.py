"""What can be asked of an instance, a file for each noun: what `Instance` hands out, and what its methods do.

segments       acme.segments(): definitions, previews, refreshes      segment   acme.segment("vip")
insights       overlap, suggestions, similar customers; drift         measures  acme.measure("TotalSpend")
odata          acme.odata("Customer?$filter=…")                       spelling  acme.convert(…)
segment_*      what these share: the catalog of definitions, the members in force, the stage of a run
"""
