"""Clients of the services that the applications call over HTTP, one module a service.

Each method is one request. It raises what a queue can act on: the response's HTTPStatusError or an
httpx transport error where the same request may succeed later (the engine waits as long as
Retry-After says), Snooze where the service limits the account (a 429: no fault of this job, so it
spends no attempt), and Discard where it never will. None of them retries: the queue does.
"""
