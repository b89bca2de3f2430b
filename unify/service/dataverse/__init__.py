"""The Dataverse Web API over HTTP: `/api/data/v9.x/…`, as clients of Dataverse ask it (docs/service-dataverse.md)."""
