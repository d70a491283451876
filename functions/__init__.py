"""What the platforms call: thin adapters, and the applications they serve."""
