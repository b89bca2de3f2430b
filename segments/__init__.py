"""Questions about customers: segments, measures, OData."""
