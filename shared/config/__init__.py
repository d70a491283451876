"""Configuration from the environment: settings, secrets, the platform."""
