"""Checks whether a service can be reached, in the way in which the program reaches it."""

import threading
from contextlib import closing, suppress

from webapp.config import Config
from webapp.sources.http import BadNetworkSettings, HttpClient, Network, TooLarge


def check_connection(config: Config, url: str) -> str:
    """Request the root of a service, without cookies, and return how: directly, or by which proxy.

    Any response will do. Raises FlowUnavailable with the cause and what to do.
    """
    network = Network.of(config)
    client = HttpClient(threading.Event(), config.timeout_seconds, network=network)
    with closing(client), suppress(TooLarge):  # only the arrival of a response counts
        client.get(f"{url}/", limit_bytes=1)
    proxy = network.proxy_for(url)
    return f"by the proxy {proxy}" if proxy else "directly"


def trusted_certificates(config: Config) -> str:
    """Whose certificates are trusted, for a sentence."""
    return Network.of(config).certificates


def proxy_text(config: Config, url: str) -> str:
    """The proxy of a service and where it is set, without its password; for a page."""
    try:
        proxy = Network.of(config).proxy_for(url)
    except BadNetworkSettings as error:
        return str(error)
    return f"{proxy}, from {proxy.setting}" if proxy else "none"
