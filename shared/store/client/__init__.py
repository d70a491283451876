"""The store's client: upstash-redis over our own HTTP code."""
