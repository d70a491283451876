"""What a reader sees of a deployment: logs, metrics, explanations."""
