"""Flowshelf behind a real nginx and a real Caddy, with the commands and configuration of the help page."""

import io
import json
import os
import re
import shlex
import shutil
import signal
import socket
import ssl
import subprocess
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urljoin, urlsplit

import pytest
import requests
from bs4 import BeautifulSoup
from playwright.sync_api import Browser, Page, expect
from requests.adapters import HTTPAdapter
from test_process import Shelf

from webapp import create_app
from webapp.config import Config
from webapp.demo import World

pytestmark = pytest.mark.proof

LOCAL = "127.0.0.1"
OWN_NAME = ("own-name", "shelf.example.org", "")
PATH = ("path", "example.org", "/shelf")
MILLISECONDS = 8000
URL_ATTRIBUTES = ("href", "src", "action", "formaction", "hx-get", "hx-post", "data-url", "data-place")

NGINX = """
daemon off;
worker_processes 1;
pid {folder}/nginx.pid;
{user}
events {{}}
http {{
    access_log off;
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
    server {{
        listen 127.0.0.1:{port};
        {example}
    }}
}}
"""
CADDY = """
{{
    admin off
    default_bind 127.0.0.1
    local_certs
    skip_install_trust
    auto_https disable_redirects
    storage file_system {folder}/caddy
    servers {{
        protocols h1 h2
    }}
}}
{example}
"""


@dataclass(frozen=True)
class Proxied:
    """A shared Flowshelf behind a proxy. `url` is that of the start page, as browsers know it."""

    url: str
    port: int
    prefix: str
    shelf: Shelf
    root_certificate: Path | None = None

    def code(self, role: str) -> str:
        return json.loads((self.shelf.data_dir / "share.json").read_text())[role]

    def visitor(self, address: str = LOCAL) -> "Visitor":
        return Visitor(self, address)


class OneHost(HTTPAdapter):
    """Connects to the proxy for every host, from any address 127.x.y.z: all of them are this machine."""

    def __init__(self, host: str, port: int, address: str) -> None:
        self._host, self._port, self._address = host, port, address
        super().__init__()

    def init_poolmanager(self, *arguments: object, **options: object) -> None:
        super().init_poolmanager(*arguments, source_address=(self._address, 0), **options)

    def get_connection_with_tls_context(self, request, verify, proxies=None, cert=None):
        host, pool = self.build_connection_pool_key_attributes(request, verify, cert)
        if host["scheme"] == "https":
            pool |= {"server_hostname": self._host, "assert_hostname": self._host}
        return self.poolmanager.connection_from_host(LOCAL, self._port, host["scheme"], pool_kwargs=pool)


class Visitor(requests.Session):
    """A browser without scripts: it resolves URLs, stores cookies by path, and follows no redirect."""

    def __init__(self, proxied: Proxied, address: str) -> None:
        super().__init__()
        self.trust_env = False
        self.verify = str(proxied.root_certificate) if proxied.root_certificate else True
        self.base = proxied.url
        self.headers["Host"] = urlsplit(proxied.url).netloc
        host = urlsplit(proxied.url).hostname
        self.mount(f"{urlsplit(proxied.url).scheme}://", OneHost(host, proxied.port, address))

    def request(self, method: str, url: str, **options: object) -> requests.Response:
        options |= {"allow_redirects": False, "timeout": 30}
        return super().request(method, urljoin(self.base, url), **options)

    def page(self, url: str) -> BeautifulSoup:
        response = self.get(url)
        assert response.status_code == 200, (url, response.text)
        return BeautifulSoup(response.text, "html.parser")


@pytest.fixture(scope="session")
def help_page(tmp_path_factory: pytest.TempPathFactory) -> BeautifulSoup:
    client = create_app(Config(data_dir=tmp_path_factory.mktemp("help"))).test_client()
    return BeautifulSoup(client.get("/help/proxies").text, "html.parser")


def required(program: str) -> str:
    """The path of a program. Without it the test is skipped, or fails in CI."""
    path = shutil.which(program, path=f"{os.environ['PATH']}:/usr/sbin")
    if path is None:
        missing = f"no {program} on this machine (Debian: apt-get install {program})"
        if os.environ.get("FLOWSHELF_REQUIRE_BROWSER"):
            pytest.fail(missing)
        pytest.skip(missing)
    return path


@contextmanager
def running_program(command: list[str], url: str, folder: Path, wait_until: Callable) -> Iterator[None]:
    with (folder / "proxy.log").open("wb") as log:
        environ = os.environ | {"HOME": str(folder)}
        process = subprocess.Popen(command, stdout=log, stderr=log, env=environ)

    def responds() -> bool:
        """Whether it accepts connections; with https, it first has to make a certificate."""
        assert process.poll() is None, (folder / "proxy.log").read_text()
        host, port = urlsplit(url).hostname, urlsplit(url).port
        try:
            with socket.create_connection((LOCAL, port), timeout=5) as client:
                if url.startswith("https:"):
                    ssl._create_unverified_context().wrap_socket(client, server_hostname=host).close()
        except OSError:
            return False
        return True

    try:
        wait_until(responds)
        yield
    finally:
        process.terminate()
        process.wait(10)


@pytest.fixture
def started(
    config: Config, help_page: BeautifulSoup, tmp_path: Path, wait_until: Callable
) -> Iterator[Callable]:
    """Starts Flowshelf by the command of the help page, and a proxy with the page's configuration for it."""
    shelf = Shelf(config)
    folder = tmp_path / "proxy"
    folder.mkdir()
    programs = []

    def start(program: str, variant: tuple[str, str, str], *, keeps_name: bool = True) -> Proxied:
        kind, host, prefix = variant
        path = required(program)
        words = shlex.split(help_page.select_one(f"#start-{kind}").text)
        at = words.index("flowshelf")
        shelf._environ |= dict(word.split("=", 1) for word in words[:at])
        shelf.serve(*words[at + 1 :])
        with socket.create_server((LOCAL, 0)) as free:
            port = free.getsockname()[1]
        example = help_page.select_one(f"#{program}-{kind}").text
        assert "127.0.0.1:8765" in example
        example = example.replace("127.0.0.1:8765", urlsplit(shelf.url).netloc)
        command, certificate, url = {"nginx": start_nginx, "caddy": start_caddy}[program](
            path, example, host, port, folder
        )
        running = running_program(command, url, folder, wait_until)
        running.__enter__()
        programs.append(running)
        host = urlsplit(url).netloc if keeps_name else f"{LOCAL}:{port}"
        return Proxied(f"{urlsplit(url).scheme}://{host}{prefix}/", port, prefix, shelf, certificate)

    yield start
    for running in programs:
        running.__exit__(None, None, None)
    if shelf.process and shelf.process.poll() is None:
        shelf.kill(signal.SIGTERM)


def start_nginx(path: str, example: str, host: str, port: int, folder: Path) -> tuple:
    user = "user root;" if os.geteuid() == 0 else ""  # otherwise its worker cannot write to the folder
    (folder / "nginx.conf").write_text(NGINX.format(folder=folder, user=user, port=port, example=example))
    command = [path, "-p", str(folder), "-c", str(folder / "nginx.conf"), "-e", "stderr"]
    return command, None, f"http://{host}:{port}"


def start_caddy(path: str, example: str, host: str, port: int, folder: Path) -> tuple:
    """With https, by a certificate authority of its own instead of Let's Encrypt."""
    example = example.replace(f"{host} {{", f"{host}:{port} {{")
    assert f"{host}:{port}" in example
    (folder / "Caddyfile").write_text(CADDY.format(folder=folder, example=example))
    command = [path, "run", "--adapter", "caddyfile", "--config", str(folder / "Caddyfile")]
    return command, folder / "caddy/pki/authorities/local/root.crt", f"https://{host}:{port}"


@pytest.fixture(params=["nginx", "caddy"])
def program(request: pytest.FixtureRequest) -> str:
    return request.param


@pytest.fixture(params=[OWN_NAME, PATH], ids=["own-name", "path"])
def proxied(request: pytest.FixtureRequest, started: Callable, program: str) -> Proxied:
    return started(program, request.param)


@pytest.fixture
def owner(proxied: Proxied) -> Visitor:
    """Signed in by the link."""
    visitor = proxied.visitor()
    response = visitor.get(f"enter?code={proxied.code('owner')}", headers={"Accept": "text/html"})
    assert (response.status_code, response.headers["Location"]) == (303, f"{proxied.prefix}/")
    return visitor


@pytest.fixture
def profile_url(owner: Visitor, world: World) -> str:
    """The path of a profile that was added and synced by forms."""
    added = owner.post("profiles", data={"name": "Ada", "cookies": world.cookie_header()})
    assert added.status_code == 303, added.text
    url = added.headers["Location"]
    synced = owner.post(f"{url}/sync", data={"mode": "new", "here": url})
    assert (synced.status_code, synced.headers["Location"]) == (303, url)
    return url


def local_urls(page: BeautifulSoup) -> list[str]:
    found = [each[name] for name in URL_ATTRIBUTES for each in page.select(f"[{name}]")]
    return [url for url in found if not url.startswith(("#", "data:")) and not urlsplit(url).netloc]


@pytest.fixture
def gallery(owner: Visitor, profile_url: str, wait_until: Callable) -> BeautifulSoup:
    """The first page of the gallery after the sync."""
    wait_until(lambda: len(owner.page("").select("#cards .card")) >= 40)
    return owner.page("")


def test_pages_panels_and_static_files_work_through_the_proxy(
    proxied: Proxied, owner: Visitor, profile_url: str, gallery: BeautifulSoup
):
    prefix = proxied.prefix
    assert profile_url.startswith(f"{prefix}/profiles/")
    for path in ("", "profiles", "activity", "overview", "share", "settings", "help", "help/proxies"):
        urls = local_urls(owner.page(path))
        assert urls
        assert [url for url in urls if not url.startswith(f"{prefix}/")] == [], path
    style = owner.get(gallery.select_one("link[rel=stylesheet]")["href"])
    assert (style.status_code, style.headers["Content-Type"]) == (200, "text/css; charset=utf-8")
    assert "immutable" in style.headers["Cache-Control"]
    panel = owner.get(gallery.select_one("#status")["hx-get"], headers={"HX-Request": "true"})
    assert BeautifulSoup(panel.text, "html.parser").select_one("#status").find_parent("body") is None


def test_forms_downloads_and_zips_work_through_the_proxy(
    proxied: Proxied, owner: Visitor, gallery: BeautifulSoup, wait_until: Callable
):
    prefix = proxied.prefix
    image_ids = [card["id"].removeprefix("card-") for card in gallery.select("#cards .card")][:2]
    theme = owner.post("theme", data={"theme": "dark", "here": f"{prefix}/?q=a"})
    assert (theme.status_code, theme.headers["Location"]) == (303, f"{prefix}/?q=a")
    assert owner.page("").html["data-theme"] == "dark"
    asked = owner.post("downloads", data={"image_id": image_ids, "here": f"{prefix}/"})
    assert (asked.status_code, asked.headers["Location"]) == (303, f"{prefix}/")
    cards = ", ".join(f"#card-{each} img[src*='/thumbnail']" for each in image_ids)
    wait_until(lambda: len(owner.page("").select(cards)) == 2)
    thumbnail = owner.get(owner.page("").select_one(cards)["src"])
    assert (thumbnail.status_code, thumbnail.headers["Content-Type"]) == (200, "image/webp")
    original = owner.get(f"images/{image_ids[0]}/file")
    assert original.content in {path.read_bytes() for path in proxied.shelf.files()}
    part = owner.get(f"images/{image_ids[0]}/file", headers={"Range": "bytes=0-9"})
    assert (part.status_code, part.content) == (206, original.content[:10])

    export = owner.post("exports", data={"image_id": image_ids}).headers["Location"]
    assert export.startswith(f"{prefix}/exports/")
    wait_until(lambda: owner.get(f"{export}/file").status_code == 200)
    with zipfile.ZipFile(io.BytesIO(owner.get(f"{export}/file").content)) as opened:
        assert opened.testzip() is None
        assert len(opened.namelist()) >= 2

    command = proxied.shelf.json("profiles")  # past the proxy
    assert command["data"][0]["downloaded"] == 2


def test_anonymous_visitors_guests_and_scripts_get_their_part(proxied: Proxied, owner: Visitor):
    anonymous, guest = proxied.visitor(), proxied.visitor()
    refused = anonymous.get("activity?profile=1")
    assert refused.status_code == 401
    sign_in = BeautifulSoup(refused.text, "html.parser")
    assert sign_in.select_one("[name=next]")["value"] == f"{proxied.prefix}/activity?profile=1"
    assert anonymous.get("healthz").json() == {"status": "ok"}
    form = {"code": proxied.code("guest"), "next": f"{proxied.prefix}/help"}
    origin = proxied.url.removesuffix(f"{proxied.prefix}/")
    signed_in = guest.post("sign-in", data=form, headers={"Origin": origin})
    assert (signed_in.status_code, signed_in.headers["Location"]) == (303, f"{proxied.prefix}/help")
    assert guest.get("").status_code == 200
    assert guest.get("activity").status_code == 403
    assert guest.post("sign-out", headers={"Origin": "https://evil.example"}).status_code == 403
    assert guest.post("sign-out").headers["Location"] == f"{proxied.prefix}/sign-in"
    assert guest.get("").status_code == 401
    bearer = {"Authorization": f"Bearer {proxied.code('owner')}"}
    assert anonymous.get("api/profiles", headers=bearer).json() == {"success": True, "data": []}
    links = [each.text for each in owner.page("share").select("code") if "/enter?" in each.text]
    assert links
    assert all(link.startswith(f"{proxied.url}enter?code=") for link in links)


def test_cookies_are_for_the_path_and_the_scheme_of_the_proxy(proxied: Proxied, owner: Visitor):
    (session,) = [cookie for cookie in owner.cookies if cookie.name.startswith("flowshelf_")]
    assert session.path == f"{proxied.prefix}/"
    assert session.secure == proxied.url.startswith("https:")
    assert session.name == f"flowshelf_{proxied.port}"


def test_visitors_are_told_apart_by_the_address_that_the_proxy_names(proxied: Proxied):
    one, other = proxied.visitor("127.0.0.2"), proxied.visitor("127.0.0.3")
    for number in range(6):  # an address that the visitor claims does not count
        claimed = {"X-Forwarded-For": f"198.51.100.{number}", "Forwarded": f"for=198.51.100.{number}"}
        last = one.post("sign-in", data={"code": f"wrong-{number}"}, headers=claimed)
    assert last.status_code == 429
    assert other.post("sign-in", data={"code": proxied.code("guest")}).status_code == 303


def test_another_host_name_is_refused_also_when_a_visitor_claims_it(proxied: Proxied):
    claimed = {"X-Forwarded-Host": "evil.example"}
    page = proxied.visitor().get("sign-in", headers=claimed)
    assert page.status_code == 200
    assert "evil.example" not in page.text


def test_what_is_outside_of_the_path_is_not_the_shelf(started: Callable, program: str):
    proxied = started(program, PATH)
    visitor = proxied.visitor()
    assert "Flowshelf" not in visitor.get("/").text
    assert "Flowshelf" not in visitor.get("/shelfish").text
    led = visitor.get("/shelf")
    assert led.status_code in (301, 308)
    assert urlsplit(led.headers["Location"]).path == "/shelf/"
    direct = requests.get(f"{proxied.shelf.url}/", timeout=30)
    assert direct.status_code == 404
    assert "served under /shelf/" in direct.text
    assert requests.get(f"{proxied.shelf.url}/shelf/healthz", timeout=30).json() == {"status": "ok"}


@pytest.mark.browser
def test_a_browser_under_the_path_syncs_downloads_opens_an_image_and_goes_back(
    chromium: Browser, started: Callable, world: World
):
    proxied = started("nginx", PATH, keeps_name=False)
    context = chromium.new_context(reduced_motion="reduce")
    context.set_default_timeout(MILLISECONDS)
    page = context.new_page()
    urls, errors = [], []
    page.on("request", lambda request: urls.append(request.url))
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.on("console", lambda message: message.type == "error" and errors.append(message.text))
    try:
        use(page, proxied, world)
    finally:
        context.close()
    assert errors == []
    local = [url for url in urls if urlsplit(url).netloc == urlsplit(proxied.url).netloc]
    assert [url for url in local if not url.startswith(proxied.url)] == []
    assert any("/shelf/panels/" in url for url in local)


def use(page: Page, proxied: Proxied, world: World) -> None:
    page.goto(f"{proxied.url}enter?code={proxied.code('owner')}")
    expect(page).to_have_url(proxied.url)
    page.get_by_text("Name it (optional)").click()
    page.get_by_label("Name of the profile").fill("Ada")
    page.get_by_label("Flow cookies").fill(world.cookie_header())
    page.get_by_role("button", name="Check and add", exact=True).click()
    expect(page).to_have_url(re.compile(r"/shelf/profiles/profile_\w+$"))
    page.get_by_role("link", name="Gallery", exact=True).click()
    page.get_by_role("button", name="Sync", exact=True).click()
    expect(page.locator("#cards .card")).to_have_count(60, timeout=2 * MILLISECONDS)
    card = page.locator("#cards .card").first
    card.hover()
    card.get_by_role("button", name=re.compile("^Download")).click()
    expect(card.locator("img")).to_have_attribute("src", re.compile("^/shelf/images/.*/thumbnail"))
    page.get_by_role("searchbox").fill("a")
    page.wait_for_url(re.compile(r"/shelf/\?.*q=a"))
    page.get_by_role("searchbox").fill("")
    page.wait_for_url(re.compile(r"/shelf/$"))
    page.locator("#cards .look").first.click()
    expect(page.get_by_role("dialog", name="Image")).to_be_visible()
    page.wait_for_url(re.compile(r"/shelf/images/"))
    page.go_back()
    expect(page.locator("#lightbox")).to_be_hidden()
    expect(page).to_have_url(re.compile(r"/shelf/(\?.*)?$"))
    page.reload()
    expect(page.locator("#cards .card").first).to_be_visible()
    # Another shelf under this host name has messages of its own.
    assert page.evaluate("Object.keys(localStorage)") == ["flowshelf-last-message/shelf"]
