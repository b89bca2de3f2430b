"""What keeps the service running: logs, metrics, health."""
