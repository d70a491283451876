"""Access rights: tokens and roles."""
