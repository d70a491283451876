"""The client of the store: upstash-redis over an HTTP layer of ours."""
