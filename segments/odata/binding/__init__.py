"""OData expressions held against the model: names found, types checked, trees made. docs/odata-semantics.md"""
