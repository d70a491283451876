"""The process of an isolated job. The parent spawns it by name; no other module imports it."""
