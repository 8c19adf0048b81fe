"""The one way to the network: bounded requests whose answers are whole, and the one redaction."""

from webapp.sources.http.client import LARGEST_ANSWER_BYTES, HttpClient, TooLarge, host_of
from webapp.sources.http.redaction import redacted
from webapp.sources.http.response import Answer, retry_after_seconds

__all__ = [
    "LARGEST_ANSWER_BYTES",
    "Answer",
    "HttpClient",
    "TooLarge",
    "host_of",
    "redacted",
    "retry_after_seconds",
]
