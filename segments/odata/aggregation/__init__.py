"""`$apply` as one SELECT: each transformation a stage over the one before. docs/odata-semantics.md"""
