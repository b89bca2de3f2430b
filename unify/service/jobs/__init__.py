"""Jobs, schedules, webhooks: everything that happens when nobody waits for the answer. docs/service-jobs.md

    POST …/jobs ─▶ queue ◀─ schedules (cron, on the clock of a zone)
                     │
                  runner           one process per root: whoever holds `.service/jobs.lock`
                     ├─▶ work      one process per job, under the writer's lease of its instance
                     └─▶ announcer   runs of instances ─▶ outbox ─▶ webhooks

All of it is rows of the service's database (schema.sql), so that any process can end at any moment: what is written
is what happened, and whoever comes next goes on from there.
"""
