"""OData over HTTP: the vendor's `/data/…` and a clean root, batches, exports."""
