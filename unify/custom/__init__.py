"""Custom APIs: operations that others add, their definitions, their pipeline, and the events of the product."""
