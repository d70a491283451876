"""The HTTP function: `app` for Vercel and local servers, `handler` for AWS Lambda."""

from __future__ import annotations

from shared.hosts.asgi import create_api
from shared.hosts.aws import ApiFunction

app = create_api()
handler = ApiFunction(app)
