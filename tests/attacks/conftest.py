"""A shared Flowshelf with images on a real port, and visitors who send any request."""

import http.client
import json
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from urllib.parse import urlencode, urlsplit

import pytest
from flask import Flask

from webapp import store
from webapp.background import Background
from webapp.database.models import Image
from webapp.database.states import Role
from webapp.demo import FlowServer, World
from webapp.demo.entries import Kind
from webapp.store.gallery import images
from webapp.store.gallery.filters import Filter


@dataclass(frozen=True)
class Response:
    status: int
    headers: http.client.HTTPMessage
    content: bytes

    @property
    def text(self) -> str:
        return self.content.decode(errors="replace")

    @property
    def json(self) -> dict:
        return json.loads(self.content)


class Visitor:
    """An HTTP client that stores cookies, follows no redirects, and can send invalid headers.

    `address` is its own IP address: every 127.x.y.z is this machine.
    """

    def __init__(self, url: str, address: str = "127.0.0.1") -> None:
        self.url = urlsplit(url)
        self.address = address
        self.cookies: dict[str, str] = {}

    def send(self, method: str, path: str, body: bytes | None = None, **headers: str) -> Response:
        """Header names are written with underscores; `Host` replaces the correct one."""
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        if self.cookies:
            named.setdefault("Cookie", "; ".join(f"{name}={value}" for name, value in self.cookies.items()))
        connection = http.client.HTTPConnection(
            self.url.hostname, self.url.port, timeout=20, source_address=(self.address, 0)
        )
        try:
            connection.request(method, path, body, named)
            response = connection.getresponse()
            self._store_cookies(response.headers.get_all("Set-Cookie") or [])
            return Response(response.status, response.headers, response.read())
        finally:
            connection.close()

    def get(self, path: str, **headers: str) -> Response:
        return self.send("GET", path, **headers)

    def post(self, path: str, form: dict | None = None, **headers: str) -> Response:
        sent = {"Content_Type": "application/x-www-form-urlencoded"} | headers
        return self.send("POST", path, urlencode(form or {}).encode(), **sent)

    def call(self, path: str, body: object, method: str = "POST", **headers: str) -> Response:
        sent = {"Content_Type": "application/json"} | headers
        return self.send(method, path, json.dumps(body).encode(), **sent)

    def _store_cookies(self, set_cookies: list[str]) -> None:
        for line in set_cookies:
            name, value = re.match(r"([^=]+)=([^;]*)", line).groups()
            if value.strip('"'):
                self.cookies[name] = value
            else:
                self.cookies.pop(name, None)


@pytest.fixture
def world() -> World:
    return World(uploaded=3, generated=3, tiny_pictures=True, fife_url_kinds=Kind)


@pytest.fixture
def app(running: Callable[..., Flask]) -> Flask:
    return running(share=True, host="127.0.0.1")


@pytest.fixture
def url(app: Flask, serving: Callable) -> Iterator[str]:
    with serving(app) as url:
        yield url


@pytest.fixture
def codes(app: Flask) -> dict[Role, str]:
    """Empty when the app is not shared."""
    if app.extensions["flowshelf.sharing"] is None:
        return {}
    found = app.extensions["flowshelf.sharing"].codes
    return {role: found.code_of(role) for role in (Role.OWNER, Role.GUEST)}


@pytest.fixture
def visit(url: str, codes: dict[Role, str]) -> Callable[..., Visitor]:
    """Makes a visitor, signed in with the link of a role or anonymous."""

    def visit(role: Role = Role.ANONYMOUS, address: str = "127.0.0.1") -> Visitor:
        visitor = Visitor(url, address)
        if role in codes:
            assert visitor.get(f"/enter?code={codes[role]}").status == 303
        return visitor

    return visit


@pytest.fixture
def anonymous(visit: Callable[..., Visitor]) -> Visitor:
    return visit()


@pytest.fixture
def guest(visit: Callable[..., Visitor]) -> Visitor:
    return visit(Role.GUEST)


@pytest.fixture
def owner(visit: Callable[..., Visitor]) -> Visitor:
    return visit(Role.OWNER)


@pytest.fixture
def shelf(work: Background, profile_id: str, flow: FlowServer) -> list[Image]:
    """Six images, newest first. The first two are downloaded, the third is hidden."""
    with store.connection():
        work.syncs.wait(work.syncs.start(profile_id).id)
        newest = [image.id for image in images.list_page(Filter(), limit=6).images]
        work.downloads.wait_for_run(work.downloads.request(profile_id, newest[:2]).id)
        Image.update(hidden_at=Image.created_at).where(Image.id == newest[2]).execute()
        return [images.get_image(image_id) for image_id in newest]
