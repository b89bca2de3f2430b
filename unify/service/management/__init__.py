"""The management API: FastAPI over the verbs of an instance; one module per area, each with a `router`."""
