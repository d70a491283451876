"""What the environment says: settings, secrets, the platform."""
