"""Checks whether a service can be reached: host name, connection and certificate."""

import socket
import ssl
from urllib.parse import urlsplit

from webapp.errors import FlowUnavailable

PORTS = {"http": 80, "https": 443}


def check_connection(url: str, timeout_seconds: float) -> None:
    """Connect without sending a request. Raises FlowUnavailable with the cause and what to do."""
    parts = urlsplit(url)
    address = (parts.hostname or "", parts.port or PORTS[parts.scheme])
    try:
        with socket.create_connection(address, timeout_seconds) as connection:
            if parts.scheme == "https":
                with ssl.create_default_context().wrap_socket(connection, server_hostname=parts.hostname):
                    pass
    except ssl.SSLError as error:
        raise FlowUnavailable(
            f"The certificate of {parts.hostname} cannot be trusted. A proxy or virus scanner may be "
            "intercepting the connection, or this machine's clock may be wrong."
        ) from error
    except socket.gaierror as error:
        raise FlowUnavailable(
            f"The host name {parts.hostname} was not found. Check whether this machine is online."
        ) from error
    except OSError as error:
        raise FlowUnavailable(
            f"{parts.hostname} cannot be reached ({error.strerror or 'no response'}). Check whether this "
            "machine is online, and whether a firewall blocks it."
        ) from error
