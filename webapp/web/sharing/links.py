"""Sign-in links, the addresses of this machine in its networks, and QR codes for phones."""

import io
import ipaddress
import socket
from urllib.parse import urlencode, urlsplit

import segno
from markupsafe import Markup

from webapp.config import EVERY_ADDRESS, LOOPBACK_HOSTS

# Addresses on the internet and in common private networks. Connecting a UDP socket to one of them sends
# nothing, but makes the system choose the local address that it would use.
_PROBES = {
    socket.AF_INET: ("198.51.100.1", "192.168.0.1", "10.0.0.1", "172.16.0.1"),
    socket.AF_INET6: ("2001:db8::1", "fd00::1"),
}


def base_urls(host: str, port: int, prefix: str) -> list[str]:
    """The URLs under which other machines reach a server that listens on `host`; none for a loopback host.

    `prefix` is the path that the shelf is served under, or "". No URL ends with a slash.
    """
    if host in LOOPBACK_HOSTS:
        return []
    if host not in (EVERY_ADDRESS, "::"):
        return [base_url(host, port, prefix)]
    family = socket.AF_INET6 if host == "::" else socket.AF_INET
    return [base_url(address, port, prefix) for address in lan_addresses(family)]


def is_loopback(host: str) -> bool:
    """Whether a Host header is a loopback name, which only works on this machine itself."""
    return urlsplit(f"//{host}").hostname in LOOPBACK_HOSTS


def base_url(host: str, port: int, prefix: str) -> str:
    return f"http://{f'[{host}]' if ':' in host else host}:{port}{prefix}"


def enter_url(base: str, code: str) -> str:
    return f"{base.rstrip('/')}/enter?{urlencode({'code': code})}"


def lan_addresses(family: socket.AddressFamily = socket.AF_INET) -> list[str]:
    """The addresses under which other machines reach this one; that of the default route comes first."""
    candidates = [_local_address(family, target) for target in _PROBES[family]]
    try:
        resolved = socket.getaddrinfo(socket.gethostname(), None, family, socket.SOCK_STREAM)
    except OSError:
        resolved = []
    candidates += [str(sockaddr[0]) for *_, sockaddr in resolved]
    return list(dict.fromkeys(address for address in candidates if address and _is_reachable(address)))


def _local_address(family: socket.AddressFamily, target: str) -> str | None:
    """The local address that the system would use to reach `target`; None without a route."""
    with socket.socket(family, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect((target, 9))
            return probe.getsockname()[0]
        except OSError:
            return None


def _is_reachable(address: str) -> bool:
    parsed = ipaddress.ip_address(address.partition("%")[0])  # without the zone of an IPv6 address
    return not (parsed.is_loopback or parsed.is_unspecified or parsed.is_link_local)


def qr_svg(text: str) -> Markup:
    """A QR code as inline SVG; always dark on light, because many cameras cannot read inverted codes."""
    code = segno.make(text, micro=False)
    return Markup(code.svg_inline(border=3, omitsize=True, dark="#000", light="#fff"))


def qr_lines(text: str) -> str:
    """A QR code of block characters, for terminals with dark or light background."""
    output = io.StringIO()
    segno.make(text, micro=False).terminal(output, border=2, compact=True)
    return output.getvalue()
