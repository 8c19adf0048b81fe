"""Proxies and certificates: which way requests leave this machine, and what a failure on that way says."""

import os
import shutil
import ssl
import threading
import time
from contextlib import ExitStack, closing, suppress
from dataclasses import replace
from pathlib import Path

import pytest
from flask import Flask
from networks import Authority, behind_tls, listening, openssl, reply, small_proxy

from webapp import store
from webapp.config import read_config
from webapp.database.states import RunState
from webapp.demo import FlowServer
from webapp.errors import BadRequest, FlowUnavailable, SourceClosed
from webapp.outgoing import parse_proxy
from webapp.sources.http import HttpClient, Network
from webapp.web.services import background_of

HOST = "flow.example"
NAME, PASSWORD = "ada", "p@ss:w/rd#1"
CREDENTIALS = "ada:p%40ss%3Aw%2Frd%231"
SECRETS = (PASSWORD, "p%40ss", "YWRhOnBAc3M6dy9yZCMx")  # the last one is what a proxy gets

pytestmark = pytest.mark.skipif(not shutil.which("openssl"), reason="makes the certificates")


@pytest.fixture(scope="module")
def authority(tmp_path_factory) -> Authority:
    return Authority(tmp_path_factory.mktemp("authority"))


@pytest.fixture
def stopping():
    return threading.Event()


class Far:
    """A server that only the proxy reaches, by http and https, and a client that goes by that proxy."""

    def __init__(self, stack: ExitStack, authority: Authority, stopping: threading.Event) -> None:
        self._stack, self.authority, self._stopping = stack, authority, stopping
        self.timeout_seconds, self.total_seconds = (2.0, 5.0), 300.0

    def enter(self, context):
        return self._stack.enter_context(context)

    def serve(
        self, content: bytes | None = None, *, tls: bool = True, days: int = 2, name: str = HOST, **options
    ):
        """Start the server; `port` is then what the proxy connects to."""
        if content is None:
            content = reply(b"far").replace(b"Connection: close", b"Connection: keep-alive")
        self.server = self.enter(listening(content, **{"keep_open": True} | options))
        self.port = int(self.server.url.rpartition(":")[2])
        if tls:
            context = self.authority.server_context(name, days=days)
            self.port = self.enter(behind_tls(self.port, context))

    def proxy(self, *, tls: bool = False):
        context = self.authority.server_context("localhost") if tls else None
        self.small = self.enter(small_proxy({HOST: getattr(self, "port", 0)}, context))
        return self.small

    def client(
        self, scheme: str, credentials: str = "", host: str = "localhost", port: int = 0, **network
    ) -> HttpClient:
        url = f"{scheme}://{credentials}{'@' * bool(credentials)}{host}:{port or self.small.port}"
        given = Network(parse_proxy(url), **{"ca_bundle": self.authority.certificate} | network)
        return self.client_of(given)

    def client_of(self, network: Network) -> HttpClient:
        times = (self._stopping, self.timeout_seconds, self.total_seconds)
        return self.enter(closing(HttpClient(*times, network=network)))


@pytest.fixture
def far(authority, stopping):
    with ExitStack() as stack:
        yield Far(stack, authority, stopping)


WAYS = ["http", "https", "socks5h"]


@pytest.mark.parametrize("scheme", WAYS)
def test_https_goes_through_the_proxy_which_reads_nothing_of_it(far, scheme):
    far.serve()
    proxy = far.proxy(tls=scheme == "https")
    response = far.client(scheme).get(f"https://{HOST}/a//b?c=d", {"Cookie": "a=secret"})
    assert (response.status, response.body, proxy.names) == (200, b"far", [HOST])
    assert far.server.requests[0].startswith(b"GET /a//b?c=d HTTP/1.1\r\n")
    assert f"Host: {HOST}\r\n".encode() in far.server.requests[0]
    assert all(b"secret" not in head for head in proxy.heads)


@pytest.mark.parametrize("scheme", WAYS)
def test_plain_http_goes_through_the_proxy(far, scheme):
    far.serve(tls=False)
    proxy = far.proxy(tls=scheme == "https")
    response = far.client(scheme).get(f"http://{HOST}/a//b?c=d")
    assert (response.status, response.body, proxy.names) == (200, b"far", [HOST])
    assert far.server.requests[0].startswith(b"GET /a//b?c=d HTTP/1.1\r\n")
    assert f"Host: {HOST}\r\n".encode() in far.server.requests[0]


@pytest.mark.parametrize("scheme", WAYS)
def test_the_password_of_a_proxy_goes_to_the_proxy_alone(far, scheme):
    far.serve()
    proxy = far.proxy(tls=scheme == "https")
    proxy.password = f"{NAME}:{PASSWORD}"
    assert far.client(scheme, CREDENTIALS).get(f"https://{HOST}/").body == b"far"
    assert b"authorization" not in far.server.requests[0].lower()
    with listening(reply(b"near")) as near:
        far.client(scheme, CREDENTIALS).get(near.url)
    assert b"authorization" not in near.requests[0].lower()


def test_a_post_goes_through_the_proxy_whole(far):
    far.serve()
    far.proxy()
    body = b"x" * 200_000 + b"\r\n\r\n"
    assert far.client("http").post(f"https://{HOST}/", {}, body, 1000).body == b"far"
    assert b"POST / " in far.server.requests[0]


@pytest.mark.parametrize("scheme", WAYS)
def test_connections_through_a_proxy_are_reused(far, scheme):
    far.serve()
    proxy = far.proxy(tls=scheme == "https")
    client = far.client(scheme)
    for _ in range(3):
        assert client.get(f"https://{HOST}/").body == b"far"
    assert (proxy.connection_count, far.server.connection_count) == (1, 1)


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "127.8.8.8", "flow.localhost"])
def test_loopback_is_never_asked_through_a_proxy(far, host, monkeypatch):
    far.serve(tls=False)
    proxy = far.proxy()
    for variable in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"):
        monkeypatch.setenv(variable, f"http://127.0.0.1:{proxy.port}")
    for client in (far.client("http"), far.client_of(Network())):
        # Not every machine knows each of these names, or listens on each of these addresses.
        with closing(client), suppress(FlowUnavailable):
            client.get(far.server.url.replace("127.0.0.1", host))
    assert proxy.connection_count == 0


@pytest.mark.parametrize("variable", ["HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"])
def test_without_the_setting_the_usual_variables_hold(far, variable, monkeypatch):
    far.serve()
    proxy = far.proxy()
    monkeypatch.setenv(variable, f"127.0.0.1:{proxy.port}")  # curl accepts it without a scheme too
    client = far.client_of(Network(ca_bundle=far.authority.certificate))
    assert client.get(f"https://{HOST}/").body == b"far"


def test_http_has_a_variable_of_its_own(far, monkeypatch):
    far.serve(tls=False)
    monkeypatch.setenv("HTTP_PROXY", f"http://127.0.0.1:{far.proxy().port}")
    assert far.client_of(Network()).get(f"http://{HOST}/").body == b"far"
    assert Network().proxy_for(f"https://{HOST}/") is None


@pytest.mark.parametrize(
    "listed", ["*", HOST, ".example", "example", f"{HOST}:443", "other.org, flow.example"]
)
def test_no_proxy_exempts_hosts(listed, monkeypatch):
    monkeypatch.setenv("HTTPS_PROXY", "http://proxy.example:3128")
    monkeypatch.setenv("NO_PROXY", listed)
    assert Network().proxy_for(f"https://{HOST}:443/") is None
    assert str(Network().proxy_for("https://elsewhere.net/")) == "proxy.example:3128" or listed == "*"


@pytest.mark.parametrize("address", ["10.1.2.3", "10.1.2.0/24"])
def test_no_proxy_exempts_addresses_and_networks(address, monkeypatch):
    monkeypatch.setenv("ALL_PROXY", "socks5h://proxy.example")
    monkeypatch.setenv("NO_PROXY", address)
    assert Network().proxy_for("https://10.1.2.3/") is None
    assert str(Network().proxy_for("https://10.9.9.9/")) == "proxy.example:1080"


def test_the_setting_wins_over_the_variables(far, monkeypatch):
    far.serve()
    far.proxy()
    monkeypatch.setenv("HTTPS_PROXY", "http://127.0.0.1:9")
    monkeypatch.setenv("NO_PROXY", "*")
    assert far.client("http").get(f"https://{HOST}/").body == b"far"


def test_what_is_sealed_sends_nothing_to_other_machines(far, monkeypatch):
    far.serve()
    proxy = far.proxy()
    monkeypatch.setenv("HTTPS_PROXY", f"http://127.0.0.1:{proxy.port}")
    for client in (far.client("http", is_sealed=True), far.client_of(Network(is_sealed=True))):
        with pytest.raises(FlowUnavailable, match="This is the demo"):
            client.get(f"https://{HOST}/")
    assert proxy.connection_count == 0


def failure(client: HttpClient, url: str = f"https://{HOST}/?key=SECRET") -> str:
    """The sentence of a request that fails. It has no cause, which could quote a URL."""
    with pytest.raises(FlowUnavailable) as caught:
        client.get(url)
    assert (caught.value.__cause__, caught.value.__context__) == (None, None)
    sentence = str(caught.value)
    assert not any(secret in sentence for secret in (*SECRETS, NAME, "SECRET")), sentence
    return sentence


HTTP_FAILURES = {
    b"HTTP/1.1 403 Forbidden\r\n\r\n": r"refuses to connect to flow\.example \(403\)",
    b"HTTP/1.1 407 Proxy Authentication Required\r\n\r\n": r"did not accept the name and password",
    b"HTTP/1.1 502 Bad Gateway\r\n\r\n": r"cannot reach flow\.example \(502\)",
    b"HTTP/1.1 504 Gateway Timeout\r\n\r\n": r"cannot reach flow\.example \(504\)",
    b"": r"did not connect to flow\.example",
    b"SSH-2.0-OpenSSH_9.2\r\n": r"did not connect to flow\.example",
}


@pytest.mark.parametrize("response", HTTP_FAILURES)
def test_what_an_http_proxy_refuses_is_said_of_the_proxy(far, response):
    proxy = far.proxy()
    proxy.reply = response
    sentence = failure(far.client("http", CREDENTIALS))
    assert f"proxy localhost:{proxy.port} " in sentence
    with pytest.raises(FlowUnavailable, match=HTTP_FAILURES[response]):
        raise FlowUnavailable(sentence)


@pytest.mark.parametrize("url", [f"https://{HOST}/", f"http://{HOST}/"])
def test_a_proxy_that_asks_for_a_password_is_named_with_the_form_of_its_url(far, url):
    proxy = far.proxy()
    proxy.password = "other:one"
    sentence = failure(far.client("http"), url)
    assert f"http://NAME:PASSWORD@localhost:{proxy.port}" in sentence
    assert "FLOWSHELF_PROXY" in sentence
    assert "did not accept" in failure(far.client("http", CREDENTIALS), url)


def test_an_unknown_host_is_unknown_to_the_proxy(far):
    proxy = far.proxy()
    assert f"proxy localhost:{proxy.port} cannot reach nowhere.example (502)" in failure(
        far.client("http"), "https://nowhere.example/"
    )


@pytest.mark.parametrize("scheme", WAYS)
def test_a_proxy_that_is_down_is_named(far, scheme):
    far.proxy().close()
    port = far.small.port
    assert f"The proxy localhost:{port} accepts no connection" in failure(far.client(scheme, CREDENTIALS))


@pytest.mark.parametrize("scheme", WAYS)
def test_a_proxy_of_an_unknown_name_is_named(far, scheme):
    far.proxy()
    sentence = failure(far.client(scheme, CREDENTIALS, host="proxy.invalid"))
    assert f"The proxy proxy.invalid:{far.small.port} was not found" in sentence


def test_a_silent_proxy_is_given_up_after_the_time_to_connect(far):
    far.timeout_seconds = 0.05, 5.0
    proxy = far.proxy()
    proxy.hold = threading.Event()
    assert f"The proxy localhost:{proxy.port} did not connect to {HOST}" in failure(far.client("http"))
    assert f"The proxy localhost:{proxy.port} did not connect to {HOST} in time" in failure(
        far.client("socks5h")
    )


@pytest.mark.parametrize(
    ("code", "reason"), [(1, "General SOCKS server failure"), (2, "not allowed by ruleset"), (5, "refused")]
)
def test_what_a_socks_proxy_refuses_is_said_of_the_proxy(far, code, reason):
    proxy = far.proxy()
    proxy.socks_reply = code
    sentence = failure(far.client("socks5h"))
    assert f"The proxy localhost:{proxy.port} could not connect to {HOST}" in sentence
    assert reason in sentence


def test_a_socks_proxy_that_asks_for_a_password_or_refuses_it_is_named(far):
    proxy = far.proxy()
    proxy.password = "other:one"
    assert f"The proxy localhost:{proxy.port} asks for a name" in failure(far.client("socks5h"))
    assert "did not accept the name and password" in failure(far.client("socks5h", CREDENTIALS))


@pytest.mark.parametrize("response", [b"", b"HTTP/1.1 400 Bad Request\r\n\r\n"])
def test_a_proxy_that_does_not_speak_socks_is_named(far, response):
    proxy = far.proxy()
    proxy.reply = response
    assert f"The proxy localhost:{proxy.port} did not respond as a SOCKS" in failure(far.client("socks5h"))


def test_a_name_that_only_the_proxy_knows_needs_socks5h(far):
    far.proxy()
    assert "socks5h://" in failure(far.client("socks5"), "https://nowhere.invalid/")


def test_a_proxy_without_tls_is_told_from_a_service_without(far):
    far.timeout_seconds = 0.5, 5.0
    proxy = far.proxy()  # waits for the end of a head, which TLS has not
    assert f"proxy localhost:{proxy.port} did not respond" in failure(far.client("https"))
    with listening(b"HTTP/1.1 400 Bad Request\r\n\r\n", request_end=b"") as other:
        port = int(other.url.rpartition(":")[2])
        assert f"secure connection to the proxy localhost:{port}" in failure(far.client("https", port=port))


def test_an_untrusted_certificate_of_a_proxy_is_told_from_one_of_the_service(far, tmp_path):
    far.serve()
    proxy = far.proxy(tls=True)
    stranger = Authority(tmp_path, "Stranger")
    sentence = failure(far.client("https", ca_bundle=stranger.certificate))
    assert f"secure connection to the proxy localhost:{proxy.port}" in sentence
    assert proxy.heads == []
    far.proxy()
    sentence = failure(far.client("socks5h", ca_bundle=stranger.certificate))
    assert f"secure connection to {HOST}" in sentence


def test_invalid_system_settings_are_a_sentence_without_their_value(far, monkeypatch):
    for value in (
        f"http://{CREDENTIALS}@host:99999",
        f"ftp://{CREDENTIALS}@host",
        f"http://{NAME}:{PASSWORD}@x",
    ):
        monkeypatch.setenv("HTTPS_PROXY", value)
        assert "HTTPS_PROXY and the like) is not valid" in failure(far.client_of(Network()))


# Time


def test_a_handshake_behind_a_slow_proxy_has_the_time_to_connect(far):
    """The short timeout with which the proxy's response is read must not stay on the socket."""
    far.serve()
    proxy = far.proxy()
    inner, released = proxy.join, threading.Event()

    def join_late(near, there):
        released.wait(0.4)  # four times as long as one read of a response may block
        inner(near, there)

    proxy.join = join_late
    assert far.client("http").get(f"https://{HOST}/").body == b"far"


@pytest.mark.parametrize("end", ["pause", "close", "stop"])
def test_waiting_for_a_proxy_ends_at_once_when_the_response_is_not_needed(far, stopping, end):
    proxy = far.proxy()
    proxy.hold = threading.Event()
    client, paused, ended = far.client("http"), threading.Event(), []

    def ask() -> None:
        with client.cancelled_by(paused), pytest.raises(SourceClosed):
            client.get(f"https://{HOST}/")
        ended.append(time.monotonic())

    thread = threading.Thread(target=ask)
    thread.start()
    assert proxy.requested.wait(5)
    began = time.monotonic()
    {"pause": paused.set, "close": client.close, "stop": stopping.set}[end]()
    thread.join(10)
    assert ended[0] - began < 1


def test_closing_ends_a_handshake_inside_of_the_tls_to_a_proxy(far):
    far.serve(b"", tls=False, request_end=b"", hold=threading.Event())  # reads its beginning and is silent
    far.proxy(tls=True)
    client, ended = far.client("https"), []

    def ask() -> None:
        with pytest.raises(SourceClosed):
            client.get(f"https://{HOST}/")
        ended.append(time.monotonic())

    thread = threading.Thread(target=ask)
    thread.start()
    assert far.server.requested.wait(5)
    began = time.monotonic()
    client.close()
    thread.join(10)
    assert ended[0] - began < 1


@pytest.mark.parametrize("scheme", WAYS)
@pytest.mark.parametrize("end", ["pause", "close"])
def test_a_response_through_a_proxy_ends_at_once_when_it_is_not_needed(far, scheme, end):
    hold = threading.Event()
    far.serve(reply(b"x", length=100), hold=hold)
    far.proxy(tls=scheme == "https")
    client, paused, ended = far.client(scheme), threading.Event(), []

    def ask() -> None:
        with client.cancelled_by(paused), pytest.raises(SourceClosed):
            client.get(f"https://{HOST}/")
        ended.append(time.monotonic())

    thread = threading.Thread(target=ask)
    thread.start()
    assert far.server.requested.wait(5)
    began = time.monotonic()
    (paused.set if end == "pause" else client.close)()
    thread.join(10)
    assert ended[0] - began < 1


@pytest.mark.parametrize("scheme", WAYS)
def test_a_silent_service_behind_a_proxy_is_given_up_after_the_read_timeout(far, scheme):
    hold = threading.Event()
    far.serve(reply(b"x", length=100), hold=hold)
    far.proxy(tls=scheme == "https")
    far.timeout_seconds = 2.0, 0.05
    assert failure(far.client(scheme)).startswith(f"{HOST} took too long")


@pytest.mark.parametrize("scheme", WAYS)
def test_a_response_through_a_proxy_has_a_limit_on_its_total_time(far, scheme):
    far.serve()
    far.proxy(tls=scheme == "https")
    far.total_seconds = 0.0
    sentence = failure(far.client(scheme))
    # The response of an HTTP proxy has the limit as well.
    assert ("did not connect" if scheme != "socks5h" else "took too long") in sentence


# Certificates


def test_a_bundle_is_a_file_or_a_folder_hashed_or_not(far, tmp_path):
    far.serve()
    plain, hashed = tmp_path / "plain", tmp_path / "hashed"
    for folder in (plain, hashed):
        folder.mkdir()
        shutil.copy(far.authority.certificate, folder / "own.crt")
    (plain / "README").write_text("not a certificate")
    openssl("rehash", hashed)
    far.proxy()
    for bundle in (far.authority.certificate, plain, hashed):
        with closing(far.client("http", ca_bundle=bundle)) as client:
            assert client.get(f"https://{HOST}/").body == b"far"


def test_without_a_bundle_the_system_decides(far, monkeypatch):
    far.serve()
    far.proxy()
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(far.authority.certificate))
    monkeypatch.setenv("CURL_CA_BUNDLE", str(far.authority.certificate))
    sentence = failure(far.client("http", ca_bundle=None))
    assert f"secure connection to {HOST}" in sentence
    assert "FLOWSHELF_CA_BUNDLE" in sentence
    assert far.server.requests == []
    monkeypatch.setenv("SSL_CERT_FILE", str(far.authority.certificate))  # how OpenSSL's own store is set
    assert far.client("http", ca_bundle=None).get(f"https://{HOST}/").body == b"far"


def test_a_bundle_that_lacks_the_authority_is_named(far, tmp_path):
    far.serve()
    far.proxy()
    bundle = Authority(tmp_path, "Stranger").certificate
    sentence = failure(far.client("http", ca_bundle=bundle))
    assert f"none in FLOWSHELF_CA_BUNDLE ({bundle}) has issued it" in sentence


def test_a_bundle_that_vanished_since_the_start_is_named(far, tmp_path):
    far.serve()
    far.proxy()
    sentence = failure(far.client("http", ca_bundle=tmp_path / "gone.pem"))
    assert f"{tmp_path / 'gone.pem'} (FLOWSHELF_CA_BUNDLE) can no longer be read" in sentence


def test_a_bundle_takes_the_place_of_the_systems_store(far, tmp_path, monkeypatch):
    far.serve()
    far.proxy()
    monkeypatch.setenv("SSL_CERT_FILE", str(far.authority.certificate))
    assert "FLOWSHELF_CA_BUNDLE" in failure(
        far.client("http", ca_bundle=Authority(tmp_path, "Stranger").certificate)
    )


def test_an_expired_certificate_sends_people_to_the_clock(far):
    far.serve(days=-1)
    far.proxy()
    assert "clock" in failure(far.client("http"))


def test_a_certificate_of_another_name_is_told_from_an_untrusted_one(far):
    far.serve(name="wifi.example")
    far.proxy()
    assert "another host’s" in failure(far.client("http"))


def test_a_service_that_does_not_speak_tls_is_not_called_untrusted(far):
    far.serve(b"HTTP/1.1 400 Bad Request\r\n\r\n", tls=False, request_end=b"")
    far.proxy()
    sentence = failure(far.client("http"))
    assert "does not speak TLS" in sentence
    assert "certificate" not in sentence


def test_each_thread_has_a_context_of_its_own():
    contexts = {id(context) for context in [Network().tls_context() for _ in range(3)]}
    assert len(contexts) == 3
    assert all(
        network.tls_context().verify_mode == ssl.CERT_REQUIRED and network.tls_context().check_hostname
        for network in (Network(), Network(ca_bundle=Path(__file__).parent))
        if not network.ca_bundle
    )


# Settings


@pytest.mark.parametrize(
    "url",
    [
        "proxy.example:3128",
        f"ftp://{CREDENTIALS}@proxy.example",
        f"socks4://{CREDENTIALS}@proxy.example",
        f"http://{CREDENTIALS}@",
        f"http://{CREDENTIALS}@proxy.example:99999",
        f"http://{CREDENTIALS}@proxy.example:0",
        f"http://{CREDENTIALS}@proxy.example/path",
        f"http://{NAME}:{PASSWORD}@proxy.example:3128",
        f"http://{CREDENTIALS}@proxy example",
        f"http://{CREDENTIALS}@[::1",
        f"http://{CREDENTIALS}@proxy.example\\@elsewhere",
        f"http://{CREDENTIALS}é@proxy.example",
    ],
)
def test_an_invalid_proxy_is_a_sentence_that_does_not_quote_it(url, tmp_path):
    with pytest.raises(BadRequest, match="FLOWSHELF_PROXY is not valid: it must") as caught:
        read_config({"FLOWSHELF_PROXY": url}, data_dir=tmp_path)
    texts = (str(caught.value), str(caught.value.__cause__), str(caught.value.__cause__.__context__))
    assert not any(secret in text for secret in (*SECRETS, NAME, "proxy example") for text in texts)


def test_a_socks_proxy_without_pysocks_is_a_sentence(tmp_path, monkeypatch):
    monkeypatch.setitem(os.sys.modules, "socks", None)
    with pytest.raises(BadRequest, match=r"pip install 'requests\[socks\]'"):
        read_config({"FLOWSHELF_PROXY": "socks5://127.0.0.1"}, data_dir=tmp_path)


@pytest.mark.parametrize(
    ("url", "address"),
    [
        ("http://proxy.example", "proxy.example:80"),
        ("HTTPS://Proxy.Example:8443/", "proxy.example:8443"),
        (f"socks5://{CREDENTIALS}@127.0.0.1", "127.0.0.1:1080"),
        ("socks5h://[::1]:9050", "[::1]:9050"),
    ],
)
def test_a_proxy_shows_its_host_and_port_and_nothing_else(url, address, tmp_path):
    config = read_config({"FLOWSHELF_PROXY": url}, data_dir=tmp_path)
    assert str(config.proxy) == address
    assert address in repr(config)
    assert not any(secret in f"{config} {config!r} {config.proxy!r}" for secret in SECRETS)


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (None, "no such file"),
        ("not a certificate", "no certificate"),
        ("", "no certificate"),
        ({}, "no certificate"),
    ],
)
def test_a_bundle_that_cannot_be_used_is_a_sentence(tmp_path, content, sentence):
    path = tmp_path / "bundle"
    if isinstance(content, str):
        path.write_text(content)
    elif content is not None:
        path.mkdir()
    with pytest.raises(BadRequest, match=f"FLOWSHELF_CA_BUNDLE.*{sentence}"):
        read_config({"FLOWSHELF_CA_BUNDLE": str(path)}, data_dir=tmp_path)


# A whole shelf


@pytest.fixture
def shelf_behind(far, world, config, running):
    """Starts a shelf whose Flow only a proxy reaches, with pictures and all."""

    def start(scheme: str) -> Flask:
        flow = far.enter(FlowServer(world, tls=far.authority.server_context(HOST)))
        flow.service.urls.base = f"https://{HOST}"
        far.port = int(flow.url.rpartition(":")[2])
        proxy = far.proxy(tls=scheme == "https")
        proxy.password = f"{NAME}:{PASSWORD}"
        return running(
            proxy=parse_proxy(f"{scheme}://{CREDENTIALS}@localhost:{proxy.port}"),
            ca_bundle=far.authority.certificate,
            **dict.fromkeys(("labs_url", "media_url", "flow_url"), f"https://{HOST}"),
            picture_hosts=frozenset({HOST}),
        )

    return start


@pytest.mark.parametrize("scheme", WAYS)
@pytest.mark.parametrize("is_moved", [False, True], ids=["labs", "flow"])
def test_a_sync_and_its_downloads_go_through_the_proxy_whole(shelf_behind, world, far, scheme, is_moved):
    if is_moved:
        world.migrate()
    app = shelf_behind(scheme)
    work = background_of(app)
    with store.connection():
        cookies = world.google.cookie_header() if is_moved else world.cookie_header()
        profile = work.accounts.add("Ada", cookies)
        assert work.syncs.wait(work.syncs.start(profile.id).id).state == RunState.DONE
        run = work.downloads.request_pending(profile.id)
        ended = work.downloads.wait_for_run(run.id)
    assert (ended.done_count, ended.failed_count) == (70, 0)
    assert set(far.small.names) == {HOST}


def test_the_settings_page_shows_the_proxy_without_its_password_and_cannot_change_it(shelf_behind, far):
    client = shelf_behind("http").test_client()
    text = client.get("/settings").text
    assert f"localhost:{far.small.port}" in text
    assert "FLOWSHELF_PROXY" in text
    assert str(far.authority.certificate) in text
    assert not any(secret in text for secret in (*SECRETS, NAME + ":"))
    assert client.post("/settings", data={"proxy": "http://elsewhere.example"}).status_code == 303
    assert "elsewhere.example" not in client.get("/settings").text


def test_the_settings_page_shows_the_systems_proxy(client, work, monkeypatch):
    monkeypatch.setenv("HTTPS_PROXY", f"http://{CREDENTIALS}@proxy.example:3128")
    work.settings.current = replace(work.settings.current, flow_url="https://flow.google.com")
    text = client.get("/settings").text
    assert "proxy.example:3128" in text
    assert not any(secret in text for secret in SECRETS)
