"""Who may do what: keys, tokens, roles, columns and rows, the audit log, erasure."""
