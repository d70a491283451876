"""Adapters for the platforms that run functions: AWS Lambda, Vercel, any ASGI server."""

from .start import collector_paused

with collector_paused():  # cold start: what every host loads
    from .. import deployment as deployment
