"""A shared shelf with pictures on a real port, and visitors who send it whatever they like."""

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
class Answer:
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
    """Somebody with a socket: keeps cookies, follows no redirect, sends what it is told to send.

    `address` is where it comes from; every 127.x.y.z is this machine.
    """

    def __init__(self, url: str, address: str = "127.0.0.1") -> None:
        self.place = urlsplit(url)
        self.address = address
        self.cookies: dict[str, str] = {}

    def ask(self, method: str, path: str, body: bytes | None = None, **headers: str) -> Answer:
        """Header names are spelled with underscores; `Host` replaces the right one."""
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        if self.cookies:
            named.setdefault("Cookie", "; ".join(f"{name}={value}" for name, value in self.cookies.items()))
        connection = http.client.HTTPConnection(
            self.place.hostname, self.place.port, timeout=20, source_address=(self.address, 0)
        )
        try:
            connection.request(method, path, body, named)
            response = connection.getresponse()
            self._keep(response.headers.get_all("Set-Cookie") or [])
            return Answer(response.status, response.headers, response.read())
        finally:
            connection.close()

    def get(self, path: str, **headers: str) -> Answer:
        return self.ask("GET", path, **headers)

    def post(self, path: str, form: dict | None = None, **headers: str) -> Answer:
        sent = {"Content_Type": "application/x-www-form-urlencoded"} | headers
        return self.ask("POST", path, urlencode(form or {}).encode(), **sent)

    def call(self, path: str, body: object, method: str = "POST", **headers: str) -> Answer:
        sent = {"Content_Type": "application/json"} | headers
        return self.ask(method, path, json.dumps(body).encode(), **sent)

    def _keep(self, set_cookies: list[str]) -> None:
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
    found = app.extensions["flowshelf.sharing"].codes
    return {role: found.code_of(role) for role in (Role.OWNER, Role.GUEST)}


@pytest.fixture
def come(url: str, codes: dict[Role, str]) -> Callable[..., Visitor]:
    """Somebody who opens the shelf, by the link of a role or by none."""

    def come(role: Role = Role.ANONYMOUS, address: str = "127.0.0.1") -> Visitor:
        visitor = Visitor(url, address)
        if role in codes:
            assert visitor.get(f"/enter?code={codes[role]}").status == 303
        return visitor

    return come


@pytest.fixture
def stranger(come: Callable[..., Visitor]) -> Visitor:
    return come()


@pytest.fixture
def guest(come: Callable[..., Visitor]) -> Visitor:
    return come(Role.GUEST)


@pytest.fixture
def owner(come: Callable[..., Visitor]) -> Visitor:
    return come(Role.OWNER)


@pytest.fixture
def shelf(work: Background, profile_id: str, flow: FlowServer) -> list[Image]:
    """Six images, the newest two of them downloaded and the third hidden; newest first."""
    with store.connection():
        work.syncs.wait(work.syncs.start(profile_id).id)
        newest = [image.id for image in images.list_page(Filter(), limit=6).images]
        work.downloads.wait_for_run(work.downloads.request(profile_id, newest[:2]).id)
        Image.update(hidden_at=Image.created_at).where(Image.id == newest[2]).execute()
        return [images.get_image(image_id) for image_id in newest]
