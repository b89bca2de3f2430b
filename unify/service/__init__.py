"""The query service: the vendor's APIs over HTTP, on many instances under one folder. docs/service.md

    request ─▶ gate (who asks, may they) ─▶ room (one dialect) ─▶ hot snapshot | DuckDB pool | catalog ─▶ answer

    management   instances, sources, entities, plans, relationships, segments, measures, workflows, roles (OpenAPI)
    data         OData: the vendor's `/data/…`, a clean root, batches, exports
    hot          what is answered from memory: keys, memberships, counts, pages of segments
    jobs         the queue, its runner, schedules, webhooks
    access       keys, tokens, roles, columns and rows that somebody may see, the audit log, erasure
    operations   settings, logs, metrics, health

Needs the extra `service`. Nothing here decides what a segment or a customer is: that is `unify.instance`.
"""
