"""Deployments rehearsed without an account: `python -m infra.rehearse`, or `make rehearse`."""
