"""All network access: requests with limits that return complete responses, and redaction of secrets."""

from webapp.sources.http.client import MAX_RESPONSE_BYTES, USER_AGENT, HttpClient, TooLarge
from webapp.sources.http.failures import host_of
from webapp.sources.http.network import BadNetworkSettings, Network
from webapp.sources.http.redaction import redacted
from webapp.sources.http.response import Response, retry_after_seconds

__all__ = [
    "MAX_RESPONSE_BYTES",
    "USER_AGENT",
    "BadNetworkSettings",
    "HttpClient",
    "Network",
    "Response",
    "TooLarge",
    "host_of",
    "redacted",
    "retry_after_seconds",
]
