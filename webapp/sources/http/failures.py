"""What a failed request means, as a sentence that holds nothing of the request but its host."""

import re
import socket
import ssl
import zlib
from urllib.parse import urlsplit

import urllib3
from requests.exceptions import InvalidSchema, InvalidURL, MissingSchema

from webapp.outgoing import Proxy
from webapp.sources.http.network import BadNetworkSettings, Network

# What OpenSSL, Windows and macOS say of a certificate that is expired or not valid yet, and of one that is
# another host's. Every other refusal means that nobody we trust has issued it.
_BAD_TIMES = {9, 10, 0x800B0101, 0x800B0102, -67818, -67819}
_OTHER_NAME = {62, 64, 0x800B010F, -67602}


class ProxyRefused(urllib3.exceptions.HTTPError):
    """An HTTP proxy does not connect to the host; `status` is its response, None when there is none."""

    def __init__(self, status: int | None) -> None:
        super().__init__()
        self.status = status


def proxy_refusal(error: Exception) -> ProxyRefused:
    """The refusal that http.client reports for a CONNECT. Its text is the only place of the status."""
    match = re.match(r"Tunnel connection failed: (\d{3})\b", str(error))
    return ProxyRefused(int(match[1]) if match else None)


def host_of(url: str) -> str:
    """The host of a URL for a sentence. Nothing else of a URL may be shown, as it may hold secrets."""
    try:
        return urlsplit(url).hostname or "the service"
    except ValueError:
        return "the service"


def sentence_for(error: Exception, url: str, network: Network) -> str:
    """What a failure means and what to do, without anything of the request but its host and its proxy."""
    if isinstance(error, BadNetworkSettings):
        return str(error)
    host = host_of(url)
    proxy = _proxy_for(url, network)
    sentence = _proxy_sentence(error, host, proxy, network) if proxy else None
    return sentence or _tls_sentence(error, host, network) or _sentence(error, host, proxy)


def _proxy_for(url: str, network: Network) -> Proxy | None:
    try:
        return network.proxy_for(url)
    except ValueError:  # also of a URL that cannot be read
        return None


def _proxy_sentence(error: Exception, host: str, proxy: Proxy, network: Network) -> str | None:
    """What a failure at the proxy means; None when the proxy has done its part."""
    text: str | None
    if isinstance(error, ProxyRefused):
        text = _refusal_text(error.status, proxy)
    elif proxy.is_socks:
        text = _socks_text(error, proxy)
    else:
        reasons = _reasons(error)
        if isinstance(error, urllib3.exceptions.ProxyError) and (
            tls := _tls_sentence(error, f"the proxy {proxy}", network)
        ):
            return tls
        texts = (text for kind, text in _PROXY_TEXTS if any(isinstance(each, kind) for each in reasons))
        text = next(texts, None)
    return text and text.format(proxy=proxy, host=host, setting=proxy.setting)


_NOT_FOUND = "The proxy {proxy} was not found. Check its name in {setting}."
_SOCKS_IS_LATE = "The proxy {proxy} did not connect to {host} in time. Trying again is safe."
_NO_CONNECTION = "The proxy {proxy} accepts no connection. It may be down; check {setting}."
_PROXY_TEXTS = (
    (urllib3.exceptions.NameResolutionError, _NOT_FOUND),
    (urllib3.exceptions.NewConnectionError, _NO_CONNECTION),
    (
        urllib3.exceptions.ConnectTimeoutError,
        "The proxy {proxy} could not be reached in time. Check the internet connection, and {setting}.",
    ),
    (
        urllib3.exceptions.ProxyError,
        "The proxy {proxy} did not respond. Check {setting}: most proxies have a URL with http://, not https://.",
    ),
)


def _refusal_text(status: int | None, proxy: Proxy) -> str:
    match status:
        case None:
            return "The proxy {proxy} did not connect to {host}. Trying again is safe; check {setting}."
        case 407 if proxy.has_password:
            return "The proxy {proxy} did not accept the name and password in {setting} (407)."
        case 407:
            return (
                "The proxy {proxy} asks for a name and password (407). Add them to its URL in {setting}: "
                "http://NAME:PASSWORD@{proxy}"
            )
        case 502 | 503 | 504:
            return f"The proxy {{proxy}} cannot reach {{host}} ({status}). Trying again is safe."
    return (
        f"The proxy {{proxy}} refuses to connect to {{host}} ({status}). Whoever runs it has to allow it; or "
        "name another one in {setting}."
    )


def _socks_text(error: Exception, proxy: Proxy) -> str | None:
    """What PySocks reports; it hides in the error that urllib3 makes of it."""
    import socks  # not installed everywhere: only a SOCKS proxy needs it

    if not isinstance(error, urllib3.exceptions.NewConnectionError):
        return _SOCKS_IS_LATE if isinstance(error, urllib3.exceptions.ConnectTimeoutError) else None
    cause = error.__cause__ or error.__context__
    if isinstance(cause, socks.GeneralProxyError) and isinstance(cause.socket_err, socks.ProxyError):
        cause = cause.socket_err
    match cause:
        case socks.ProxyConnectionError():
            text = _NO_CONNECTION
        case socket.gaierror():
            text = _NOT_FOUND
        case socks.GeneralProxyError(socket_err=socket.gaierror()):
            text = (
                "{host} was not found. Check the internet connection, or let the proxy {proxy} look names "
                "up: write socks5h:// in place of socks5://."
            )
        case socks.SOCKS5AuthError():
            has = "did not accept the" if proxy.has_password else "asks for a"
            text = f"The proxy {{proxy}} {has} name and password. Check {{setting}}."
        case socks.SOCKS5Error(msg=reason):
            text = f"The proxy {{proxy}} could not connect to {{host}} ({reason}). Trying again is safe."
        case _:
            text = "The proxy {proxy} did not respond as a SOCKS proxy does. Check {setting}."
    return text


def _tls_sentence(error: Exception, host: str, network: Network) -> str | None:
    """What a failure of TLS means: whose certificate was refused, and for which of the usual reasons."""
    for reason in _reasons(error):
        if isinstance(reason, ssl.SSLCertVerificationError):
            return _certificate_sentence(reason, host, network)
    if any(isinstance(reason, urllib3.exceptions.SSLError | ssl.SSLError) for reason in _reasons(error)):
        return (
            f"There is no secure connection to {host}: what responds there does not speak TLS as it should. "
            "Check the URL, and whether a proxy or firewall intercepts the connection."
        )
    return None


def _certificate_sentence(error: ssl.SSLCertVerificationError, host: str, network: Network) -> str:
    refused = f"There is no secure connection to {host}: its certificate was not accepted"
    if error.verify_code in _BAD_TIMES:
        return f"{refused}, because it is not valid at this time. Check this computer’s clock and date."
    if error.verify_code in _OTHER_NAME:
        return (
            f"{refused}, because it is another host’s. Networks that ask for a sign-in first, as in hotels, "
            "do that: open any page in a browser. Otherwise check the URL."
        )
    if network.ca_bundle:
        return (
            f"{refused}, because none in FLOWSHELF_CA_BUNDLE ({network.ca_bundle}) has issued it. Add the "
            "right one there, or unset it to trust those of the system."
        )
    return (
        f"{refused}, because nobody whom this system trusts has issued it. If a company’s proxy or a virus "
        "scanner reads the connection, name the file of its certificate in FLOWSHELF_CA_BUNDLE."
    )


def _sentence(error: Exception, host: str, proxy: Proxy | None) -> str:
    reasons = _reasons(error)
    for kinds, sentence in _SENTENCES:
        if any(isinstance(reason, kinds) for reason in reasons):
            return sentence.format(host=host)
    by = f" by the proxy {proxy}" if proxy else ""
    return f"The connection to {host}{by} broke before the response was complete. Trying again is safe."


def _reasons(error: Exception) -> list[object]:
    """An error, and what the errors of urllib3 hold: in their arguments, and those in theirs."""
    found: list[object] = [error]
    for part in found:  # grows meanwhile
        if isinstance(part, BaseException):
            inner = (*part.args, getattr(part, "reason", None), getattr(part, "original_error", None))
            found += [each for each in inner if isinstance(each, BaseException) and each not in found]
    return found


# Subclasses before their base classes.
_SENTENCES: tuple[tuple[type[Exception] | tuple[type[Exception], ...], str], ...] = (
    (
        urllib3.exceptions.NameResolutionError,
        "{host} was not found. Check the internet connection; trying again is safe.",
    ),
    (
        urllib3.exceptions.NewConnectionError,
        "{host} accepts no connection. It may be down, or this computer offline; trying again is safe.",
    ),
    (
        urllib3.exceptions.ConnectTimeoutError,
        "{host} could not be reached in time. Check the internet connection; trying again is safe.",
    ),
    (
        (urllib3.exceptions.TimeoutError, TimeoutError),
        "{host} took too long to respond. Trying again is safe.",
    ),
    (
        (InvalidURL, InvalidSchema, MissingSchema, urllib3.exceptions.LocationValueError),
        "The URL of {host} is not valid. Check the URLs in the settings.",
    ),
    (
        ValueError,
        "The request to {host} could not be sent: a stored cookie or token contains invalid characters. "
        "Paste the cookies again.",
    ),
    (
        zlib.error,
        "The response of {host} arrived incomplete or damaged. Trying again is safe.",
    ),
)
