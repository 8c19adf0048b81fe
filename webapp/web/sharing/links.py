"""Links with a code, the addresses of this machine in its networks, and QR codes for phones."""

import io
import ipaddress
import socket
from urllib.parse import urlencode, urlsplit

import segno
from markupsafe import Markup

from webapp.config import EVERY_ADDRESS, LOOPBACK_HOSTS

# Addresses of elsewhere and of usual networks. To ask which way a packet would go there sends none.
_SOMEWHERE = {
    socket.AF_INET: ("198.51.100.1", "192.168.0.1", "10.0.0.1", "172.16.0.1"),
    socket.AF_INET6: ("2001:db8::1", "fd00::1"),
}


def base_urls(host: str, port: int) -> list[str]:
    """Where a server that listens on `host` can be opened from other machines; nowhere from a loopback."""
    if host in LOOPBACK_HOSTS:
        return []
    if host not in (EVERY_ADDRESS, "::"):
        return [base_url(host, port)]
    family = socket.AF_INET6 if host == "::" else socket.AF_INET
    return [base_url(address, port) for address in lan_addresses(family)]


def is_loopback(host: str) -> bool:
    """Whether a Host header names this machine as only it can."""
    return urlsplit(f"//{host}").hostname in LOOPBACK_HOSTS


def base_url(host: str, port: int) -> str:
    return f"http://{f'[{host}]' if ':' in host else host}:{port}"


def enter_url(base: str, code: str) -> str:
    return f"{base.rstrip('/')}/enter?{urlencode({'code': code})}"


def lan_addresses(family: int = socket.AF_INET) -> list[str]:
    """The addresses of this machine that others can reach, the one it would use itself first."""
    found = [_outgoing(family, somewhere) for somewhere in _SOMEWHERE[family]]
    try:
        named = socket.getaddrinfo(socket.gethostname(), None, family, socket.SOCK_STREAM)
    except OSError:
        named = []
    found += [place[0] for *_, place in named]
    return list(dict.fromkeys(address for address in found if address and _is_reachable(address)))


def _outgoing(family: int, somewhere: str) -> str | None:
    with socket.socket(family, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect((somewhere, 9))
            return probe.getsockname()[0]
        except OSError:
            return None


def _is_reachable(address: str) -> bool:
    known = ipaddress.ip_address(address.partition("%")[0])
    return not (known.is_loopback or known.is_unspecified or known.is_link_local)


def qr_svg(text: str) -> Markup:
    """A QR code to stand in a page; always dark on light, as cameras want it."""
    code = segno.make(text, micro=False)
    return Markup(code.svg_inline(border=3, omitsize=True, dark="#000", light="#fff"))


def qr_lines(text: str) -> str:
    """A QR code of block characters, for a terminal with light letters on dark or the other way round."""
    drawn = io.StringIO()
    segno.make(text, micro=False).terminal(drawn, border=2, compact=True)
    return drawn.getvalue()
