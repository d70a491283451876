"""Adapters for the platforms that run functions: AWS Lambda, Vercel, any ASGI server."""
