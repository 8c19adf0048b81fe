"""By which proxy a URL is requested, and which certificates are trusted."""

import ipaddress
import ssl
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import truststore
from requests.utils import get_environ_proxies, prepend_scheme_if_needed, select_proxy

from webapp.config import Config
from webapp.outgoing import SYSTEM_SETTINGS, InvalidSecret, Proxy, load_ca_bundle, parse_proxy


class BadNetworkSettings(ValueError):
    """The proxy or the certificates that are set cannot be used. The text is a sentence without a secret."""


@dataclass(frozen=True, slots=True)
class Network:
    """How requests leave this machine.

    `proxy` is used for every host but loopback; without it the system's settings hold (`HTTPS_PROXY`,
    `ALL_PROXY`, `NO_PROXY` and so on, as requests reads them). Without `ca_bundle` the system's store of
    certificates is trusted. What `is_sealed` requests nothing but loopback.
    """

    proxy: Proxy | None = None
    ca_bundle: Path | None = None
    is_sealed: bool = False

    @classmethod
    def of(cls, config: Config) -> "Network":
        return cls(config.proxy, config.ca_bundle, config.is_sealed)

    def proxy_for(self, url: str) -> Proxy | None:
        """The proxy for a URL; None when it is asked directly. Raises BadNetworkSettings."""
        if is_loopback(urlsplit(url).hostname or ""):
            return None
        if self.is_sealed:
            raise BadNetworkSettings("This is the demo: it sends nothing to other machines.")
        if self.proxy:
            return self.proxy
        found = select_proxy(url, get_environ_proxies(url))
        if not found:
            return None
        try:
            return parse_proxy(prepend_scheme_if_needed(found, "http"), SYSTEM_SETTINGS)
        except InvalidSecret as error:
            reason = error.args[0]
        except ValueError:
            reason = "it is no URL"
        # Raised outside the handlers: errors of the libraries quote the URL, with its password.
        raise BadNetworkSettings(f"The proxy in {SYSTEM_SETTINGS} is not valid: {reason}.")

    def tls_context(self) -> ssl.SSLContext:
        """A new context, for the connections of one thread.

        One of truststore holds a lock while it shakes hands, so threads that share it would wait for each
        other. It reads the system's store anew for each connection, which takes as long as requests takes to
        read its own bundle. Raises BadNetworkSettings when `ca_bundle` can no longer be read.
        """
        if self.ca_bundle is None:
            return truststore.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        # The certificate that a person was handed may be an intermediate one, without its root.
        context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
        try:
            load_ca_bundle(context, self.ca_bundle)
        except OSError as error:
            raise BadNetworkSettings(
                f"The certificates in {self.ca_bundle} (FLOWSHELF_CA_BUNDLE) can no longer be read. "
                "Put them back, or start Flowshelf with others."
            ) from error
        return context

    @property
    def certificates(self) -> str:
        """What is trusted, for a sentence."""
        return str(self.ca_bundle) if self.ca_bundle else "the system’s store"


def is_loopback(host: str) -> bool:
    """Whether a host name or address is this machine's own. Names are not looked up."""
    name = host.lower().rstrip(".")
    if name == "localhost" or name.endswith(".localhost"):
        return True
    try:
        return ipaddress.ip_address(name).is_loopback
    except ValueError:
        return False
