"""What surrounds the functions: packaging, rehearsal of deployments, things for operators."""
