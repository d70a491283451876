"""The header fields RateLimit and RateLimit-Policy of a refused enqueue, as the IETF's draft
"RateLimit header fields for HTTP" (draft-ietf-httpapi-ratelimit-headers-10) has them: structured
fields that name a policy, its quota a window, what is left of it, and when there is more."""

from __future__ import annotations

import math

from ..declare.policy import RateLimit

POLICY = "per-key"
"""The name of the policy in both fields."""


def limit_headers(rate: RateLimit, retry_after: float) -> dict[str, str]:
    """The fields of a response to a request that finds nothing left. `retry_after`: seconds.

    Windows are whole seconds there, so the quota is that of the next whole second of `per`.
    """
    window = math.ceil(rate.per)
    quota = max(1, math.floor(rate.rate * window / rate.per))
    return {
        "RateLimit-Policy": f'"{POLICY}";q={quota};w={window}',
        "RateLimit": f'"{POLICY}";r=0;t={max(1, math.ceil(retry_after))}',
    }
