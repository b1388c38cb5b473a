"""What the platform tells of itself, read off the code: metrics, fields of logs, and the collector that passes them on."""
