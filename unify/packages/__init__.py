"""Data packages as runs: projects, executions, source to staging to target, and exports."""
