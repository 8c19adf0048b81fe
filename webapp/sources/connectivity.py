"""Whether an address of the service can be reached at all: name, connection and certificate."""

import socket
import ssl
from urllib.parse import urlsplit

from webapp.errors import FlowUnavailable

PORTS = {"http": 80, "https": 443}


def check_connection(url: str, timeout_seconds: float) -> None:
    """Connect and say nothing. Raises FlowUnavailable with what is in the way and what to do."""
    parts = urlsplit(url)
    place = (parts.hostname or "", parts.port or PORTS[parts.scheme])
    try:
        with socket.create_connection(place, timeout_seconds) as connection:
            if parts.scheme == "https":
                with ssl.create_default_context().wrap_socket(connection, server_hostname=parts.hostname):
                    pass
    except ssl.SSLError as error:
        raise FlowUnavailable(
            f"{parts.hostname} answers with a certificate that cannot be trusted. A proxy or virus scanner "
            "may stand in between, or this machine's clock may be wrong."
        ) from error
    except socket.gaierror as error:
        raise FlowUnavailable(
            f"The name {parts.hostname} is not known. Look whether this machine is online."
        ) from error
    except OSError as error:
        raise FlowUnavailable(
            f"{parts.hostname} cannot be reached ({error.strerror or 'no answer'}). Look whether this "
            "machine is online, and whether a firewall is in the way."
        ) from error
