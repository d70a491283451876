"""How many jobs one request to the store carries, or its reply, and how many bytes of them."""

from __future__ import annotations

MOST_JOBS_A_REQUEST = 500
MOST_BYTES_A_REQUEST = 4 * 2**20
"""Of bodies or records, well below the store's limit of 10 MB. A larger one goes alone."""
