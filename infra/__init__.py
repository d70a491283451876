"""The infrastructure around the functions: packages, rehearsals of deployments, alarms."""
