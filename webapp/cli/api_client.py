"""The JSON API, wherever it is: of the server that owns the data folder, or of this very process.

A command never works around a server: it asks the server when there is one. Else it takes the lock
and asks the same API within this process, without a socket.
"""

import http.client
import json
import threading
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Protocol

from flask import Flask

from webapp import create_app, make_data_folder
from webapp.config import Config
from webapp.database.states import Role
from webapp.errors import Busy, FlowshelfError, error_of
from webapp.storage.lock import DataFolderLock
from webapp.web.services import background_of
from webapp.web.sharing.codes import read_codes


class NoResponse(FlowshelfError):
    """The server that owns the data folder went away."""

    code, http_status = "no_answer", 503


class ApiClient(Protocol):
    """`is_here`: the work is done by this process, and ends with it."""

    is_here: bool

    def ask(self, method: str, path: str, body: dict | None = None) -> dict | list:
        """The `data` of the answer. Raises the FlowshelfError that it names."""


class LocalClient:
    """The API of this process, asked through WSGI."""

    is_here = True

    def __init__(self, app: Flask) -> None:
        self._client = app.test_client()
        self.work = background_of(app)

    def ask(self, method: str, path: str, body: dict | None = None) -> dict | list:
        return _data(self._client.open(path, method=method, json=body).get_json())


class RemoteClient:
    """The API of the server that owns the data folder."""

    is_here = False

    def __init__(self, url: str, code: str | None = None) -> None:
        """`code` is the owner's, for a server that is shared and asks everybody who they are."""
        self._url = url.rstrip("/")
        self._headers = {"Content-Type": "application/json"}
        if code:
            self._headers["Authorization"] = f"Bearer {code}"
        # A proxy of the environment has no business between two programs of this machine.
        self._opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))

    def ask(self, method: str, path: str, body: dict | None = None) -> dict | list:
        content = json.dumps(body).encode() if body is not None else None
        request = urllib.request.Request(self._url + path, data=content, method=method, headers=self._headers)
        try:
            return _data(self._response(request))
        except (OSError, ValueError, http.client.HTTPException) as error:
            raise NoResponse(
                f"The Flowshelf at {self._url} does not answer. Look whether it still runs, then try again."
            ) from error

    def _response(self, request: urllib.request.Request) -> dict:
        try:
            with self._opener.open(request) as response:
                return json.load(response)
        except urllib.error.HTTPError as error:
            with error:
                return json.load(error)


@contextmanager
def open_client(config: Config) -> Iterator[ApiClient]:
    """The shelf of a data folder, by whoever owns it."""
    make_data_folder(config)
    lock = DataFolderLock(config.data_dir)
    if not lock.take():
        if not (url := lock.read_url()):
            raise Busy(
                f"Another flowshelf command is working on {config.data_dir}. Try again when it has ended."
            )
        codes = read_codes(config.data_dir)
        yield RemoteClient(url, codes and codes[Role.OWNER])
        return
    try:
        app = create_app(replace(config, share=False))  # nobody signs in to their own process
        work = background_of(app)
        work.start(resumes=False)
        try:
            yield LocalClient(app)
        finally:
            work.stop()
    finally:
        lock.release()


def pause(seconds: float) -> None:
    """Wait; Ctrl-C ends it at once."""
    threading.Event().wait(seconds)


def _data(response: dict) -> dict | list:
    if not isinstance(response, dict):
        raise ValueError("no answer of Flowshelf")
    if response.get("success"):
        return response["data"]
    raise error_of(response.get("code", "error"), response.get("error", "The server gave no reason."))
