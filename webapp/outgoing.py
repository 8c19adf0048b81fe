"""How requests leave this machine: the URL of a proxy, the trusted certificates, and where notifications go.

All are settings, so this module knows nothing of the network; `webapp.sources.http` connects by them.
"""

import base64
import re
import shlex
import ssl
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path
from urllib.parse import SplitResult, unquote, urlsplit

# By scheme, the port of a proxy whose URL names none. `socks5h` has the proxy look host names up.
DEFAULT_PORTS = {"http": 80, "https": 443, "socks5": 1080, "socks5h": 1080}
SYSTEM_SETTINGS = "the system’s proxy settings (HTTPS_PROXY and the like)"
# The names that OpenSSL looks up in a folder of certificates: a hash of the subject, and a number.
_HASHED_NAME = re.compile(r"[0-9a-f]{8}\.\d+")


class InvalidSecret(ValueError):
    """A text that cannot be used and must not be quoted, because it may hold a password."""


@dataclass(frozen=True, slots=True)
class Proxy:
    """A proxy. `str` and `repr` show its host and port, and nothing else of its URL.

    `setting` says where the URL comes from.
    """

    url: str = field(repr=False)
    address: str
    setting: str
    has_password: bool

    def __str__(self) -> str:
        return self.address

    @property
    def is_socks(self) -> bool:
        return self.url.startswith("socks")


def parse_proxy(text: str, setting: str = "FLOWSHELF_PROXY") -> Proxy:
    """Raises InvalidSecret, which quotes nothing, for a URL that is no proxy's."""
    parts = _split(text)
    if parts is None or not parts.hostname:
        raise InvalidSecret(
            "it must be a URL such as http://proxy.example:3128 or socks5h://name:password@127.0.0.1:1080. "
            "In a name or password, write characters such as @ and / by their code: %40, %2F"
        )
    if parts.scheme not in DEFAULT_PORTS:
        raise InvalidSecret("it must start with http://, https://, socks5:// or socks5h://")
    if parts.scheme.startswith("socks") and find_spec("socks") is None:
        raise InvalidSecret("a SOCKS proxy needs PySocks, so install it: pip install 'requests[socks]'")
    host = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
    address = f"{host}:{parts.port or DEFAULT_PORTS[parts.scheme]}"
    # As urlsplit read it: the scheme may be in capitals, which urllib3 and requests treat differently.
    return Proxy(f"{parts.scheme}://{parts.netloc}", address, setting, bool(parts.password))


def _split(text: str) -> SplitResult | None:
    """The parts of a URL that has nothing after its port: that is a sign of `/`, `?` or `#` in a password."""
    match = re.fullmatch(r"\w+://([!-~]+?)/?", text, re.ASCII)
    if not match or re.search(r"[/?#\\]", match[1]):
        return None
    try:
        parts = urlsplit(text)
        return parts if parts.port != 0 else None
    except ValueError:  # its text quotes what it takes for the port
        return None


@dataclass(frozen=True, slots=True)
class NotifyUrl:
    """Where notifications are posted to. `str` and `repr` show its host and port, and nothing else of its
    URL: the path may be a password.

    `authorization` is the header for the name and password in the URL, None without.
    """

    url: str = field(repr=False)
    address: str
    authorization: str | None = field(repr=False)

    def __str__(self) -> str:
        return self.address


def parse_notify_url(text: str) -> NotifyUrl:
    """Raises InvalidSecret, which quotes nothing, for a text that is no URL of http or https."""
    try:
        parts = urlsplit(text)
        host, port = parts.hostname, parts.port
    except ValueError:
        host = port = None
    if not host or parts.scheme not in ("http", "https") or not re.fullmatch(r"[!-~]+", text):
        raise InvalidSecret("it must be a URL such as https://apprise.example/notify/key")
    netloc = parts.netloc.rpartition("@")[2]
    name = f"{unquote(parts.username or '')}:{unquote(parts.password or '')}"
    authorization = f"Basic {base64.b64encode(name.encode()).decode()}" if parts.username else None
    url = parts._replace(netloc=netloc, fragment="").geturl()
    shown_host = f"[{host}]" if ":" in host else host
    return NotifyUrl(url, f"{parts.scheme}://{shown_host}{f':{port}' if port else ''}/…", authorization)


@dataclass(frozen=True, slots=True)
class NotifyCommand:
    """A program that is started for each notification, and its arguments. `str` and `repr` show its name."""

    words: tuple[str, ...] = field(repr=False)

    def __str__(self) -> str:
        return Path(self.words[0]).name


def parse_notify_command(text: str) -> NotifyCommand:
    """Split a command as a shell would; no shell is started. Raises InvalidSecret, which quotes nothing."""
    try:
        words = tuple(shlex.split(text))
    except ValueError as error:
        raise InvalidSecret("a quotation mark in it is not closed") from error
    if not words:
        raise InvalidSecret("it names no program")
    return NotifyCommand(words)


def parse_ca_bundle(text: str) -> Path:
    """The file or folder of certificates. Raises ValueError unless certificates can be read from it."""
    path = Path(text).expanduser().absolute()
    try:
        load_ca_bundle(ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT), path)
    except FileNotFoundError as error:
        raise ValueError("there is no such file or folder") from error
    except ssl.SSLError as error:
        raise ValueError("it holds no certificate in the PEM format (-----BEGIN CERTIFICATE-----)") from error
    except OSError as error:
        raise ValueError(f"it cannot be read ({error.strerror})") from error
    return path


def load_ca_bundle(context: ssl.SSLContext, path: Path) -> None:
    """Let `context` trust the certificates of a file or folder. Raises OSError, SSLError among them."""
    if not path.is_dir():
        context.load_verify_locations(cafile=path)
        return
    names = sorted(each.name for each in path.iterdir())
    if any(map(_HASHED_NAME.fullmatch, names)):
        context.load_verify_locations(capath=path)
        return
    loaded = [name for name in names if (path / name).is_file() and _is_loaded(context, path / name)]
    if not loaded:
        raise ssl.SSLError(0, "no certificate")


def _is_loaded(context: ssl.SSLContext, path: Path) -> bool:
    try:
        context.load_verify_locations(cafile=path)
    except ssl.SSLError:
        return False  # another kind of file
    return True
