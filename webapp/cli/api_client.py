"""A client of the JSON API, which a server or this process provides.

A command never bypasses a running server: if one owns the data folder, the command sends it requests.
Otherwise the command takes the lock and calls the same API inside this process, without a socket.
"""

import http.client
import json
import os
import threading
import urllib.error
import urllib.parse
import urllib.request
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from flask import Flask

from webapp import create_app, make_data_folder
from webapp.cli.api_types import (
    AdoptedValue,
    DownloadResult,
    DownloadRunValue,
    ExaminationValue,
    FirefoxLookValue,
    FirefoxValue,
    HandoverValue,
    ProfileValue,
    RunValue,
    SyncRunValue,
)
from webapp.cli.descriptors import limit_threads
from webapp.cli.server import SERVER_THREADS
from webapp.config import Config
from webapp.database.states import Role
from webapp.errors import Busy, FlowshelfError, error_of
from webapp.maintenance.relocation import Move
from webapp.maintenance.unknown_files import UnknownFiles
from webapp.maintenance.verify import VerifyReport
from webapp.storage.lock import DataFolderLock
from webapp.web.services import background_of
from webapp.web.sharing.codes import read_codes

SYNC = "/api/image-veo3/sync-metadata"
BATCH = "/api/image-veo3/download-batch"
ADOPT = "/api/adopt"
HANDOVER = "/api/handover"
BYTES = "application/octet-stream"

Body = Mapping[str, object]


class NoResponse(FlowshelfError):
    """The server that owns the data folder does not respond."""

    code, http_status = "no_answer", 503


class ApiClient(ABC):
    """The calls that the commands make. Each raises the FlowshelfError that the API responds with.

    `is_local`: the work is done by this process and ends with it.
    """

    is_local: bool

    @abstractmethod
    def request(self, method: str, path: str, body: Body | None = None) -> Any:
        """The `data` of a response: JSON of any shape. The methods below say which."""

    def list_profiles(self) -> list[ProfileValue]:
        return self.request("GET", "/api/profiles")

    def add_profile(self, name: str, cookies: str) -> ProfileValue:
        return self.request("POST", "/api/profiles", {"name": name, "cookies": cookies})

    def list_firefox(self) -> list[FirefoxValue]:
        """The profiles of Firefox on this machine."""
        return self.request("GET", "/api/firefox")

    def look_into_firefox(self, key: str) -> FirefoxLookValue:
        """Let Flow say whose sign-in a profile of Firefox has."""
        return self.request("POST", f"/api/firefox/{key}/look")

    def use_firefox(
        self, key: str, *, name: str, container: int | None, number: int, replaces: str | None
    ) -> ProfileValue:
        body = {"name": name, "container": container, "number": number, "replaces": replaces}
        return self.request("POST", f"/api/firefox/{key}/use", body)

    def check_profile(self, profile_id: str) -> ProfileValue:
        """Let Flow check the cookies."""
        return self.request("POST", f"/api/profiles/{profile_id}/check")

    def examine_profile(self, profile_id: str) -> ExaminationValue:
        return self.request("POST", f"/api/profiles/{profile_id}/examine")

    def start_sync(self, profile_id: str, options: Body) -> str:
        """Start a sync run and return its id."""
        body = {"profileId": profile_id, "wait": False, **options}
        return self.request("POST", SYNC, body)["runId"]

    def start_download(self, profile_id: str, images: Body) -> str | None:
        """Queue images, by `imageNames` or `pending`. Returns the id of the run, None if there is nothing to
        do."""
        body = {"profileId": profile_id, "wait": False, **images}
        return self.request("POST", BATCH, body).get("runId")

    def download(self, profile_id: str, names: Sequence[str]) -> DownloadResult:
        """Queue images by name and wait until each is downloaded or failed."""
        return self.request("POST", BATCH, {"profileId": profile_id, "imageNames": names})

    def get_sync_run(self, run_id: str) -> SyncRunValue:
        return self.request("GET", f"/api/runs/{run_id}")

    def get_download_run(self, run_id: str) -> DownloadRunValue:
        return self.request("GET", f"/api/runs/{run_id}")

    def pause_run(self, run_id: str) -> RunValue:
        return self.request("POST", f"/api/runs/{run_id}/pause")

    def resume_run(self, run_id: str) -> RunValue:
        return self.request("POST", f"/api/runs/{run_id}/resume")

    @abstractmethod
    def adopt(self, file: Path) -> AdoptedValue:
        """Send a file to be adopted. Raises OSError when it cannot be read."""

    @abstractmethod
    def hand_over(self, file: Path, profile_id: str | None, *, takes_other: bool) -> HandoverValue:
        """Send a part that the script of a hand-over saved. Raises OSError when it cannot be read."""

    def verify(
        self,
        *,
        deep: bool,
        sets_pending: bool,
        follows_moves: bool,
        keeps_changed: bool,
        moves_unknown: bool,
    ) -> tuple[VerifyReport, UnknownFiles]:
        body: Body = {
            "deep": deep,
            "setPending": sets_pending,
            "followMoves": follows_moves,
            "keepChanged": keeps_changed,
            "moveUnknown": moves_unknown,
        }
        found = self.request("POST", "/api/verify", body)
        moves = [Move(move["from"], Path(move["to"]), move["files"]) for move in found["moves"]]
        unknown = found["unknown"]
        return (
            VerifyReport(
                found["counts"],
                found["problems"],
                found["requeuedCount"],
                moves,
                found["foundCount"],
                found["keptCount"],
            ),
            UnknownFiles(unknown["count"], unknown["files"], unknown["movedCount"]),
        )


class LocalClient(ApiClient):
    """Calls the API inside this process, through WSGI."""

    is_local = True

    def __init__(self, app: Flask) -> None:
        self._client = app.test_client()
        self.work = background_of(app)

    def request(self, method: str, path: str, body: Body | None = None) -> Any:
        return _data(self._client.open(path, method=method, json=body).get_json())

    def adopt(self, file: Path) -> AdoptedValue:
        return self._upload(ADOPT, {"name": _text_of(file.name)}, file)

    def hand_over(self, file: Path, profile_id: str | None, *, takes_other: bool) -> HandoverValue:
        return self._upload(HANDOVER, _handover_query(profile_id, takes_other), file)

    def _upload(self, path: str, query: Mapping[str, str], file: Path) -> Any:
        with file.open("rb") as content:
            response = self._client.post(
                path,
                query_string=query,
                content_type=BYTES,
                content_length=os.fstat(content.fileno()).st_size,
                input_stream=content,
            )
        return _data(response.get_json())


class RemoteClient(ApiClient):
    """Calls the API of the server that owns the data folder."""

    is_local = False

    def __init__(self, url: str, code: str | None = None) -> None:
        """`code` is the owner's sign-in code, for a server that is shared."""
        self._url = url.rstrip("/")
        self._headers = {"Content-Type": "application/json"}
        if code:
            self._headers["Authorization"] = f"Bearer {code}"
        # No proxy: the server is on this machine, whatever HTTP_PROXY says.
        self._opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))

    def request(self, method: str, path: str, body: Body | None = None) -> Any:
        content = json.dumps(body).encode() if body is not None else None
        return self._send(
            urllib.request.Request(self._url + path, data=content, method=method, headers=self._headers)
        )

    def adopt(self, file: Path) -> AdoptedValue:
        return self._upload(ADOPT, {"name": _text_of(file.name)}, file)

    def hand_over(self, file: Path, profile_id: str | None, *, takes_other: bool) -> HandoverValue:
        return self._upload(HANDOVER, _handover_query(profile_id, takes_other), file)

    def _upload(self, path: str, query: Mapping[str, str], file: Path) -> Any:
        text = urllib.parse.urlencode(query)
        with file.open("rb") as content:
            headers = {
                **self._headers,
                "Content-Type": BYTES,
                "Content-Length": str(os.fstat(content.fileno()).st_size),
            }
            return self._send(
                urllib.request.Request(f"{self._url}{path}?{text}", content, headers, method="POST")
            )

    def _send(self, request: urllib.request.Request) -> Any:
        try:
            return _data(self._response(request))
        except (OSError, ValueError, http.client.HTTPException) as error:
            raise NoResponse(
                f"The Flowshelf server at {self._url} does not respond. Check whether it is still running, "
                "then try again."
            ) from error

    def _response(self, request: urllib.request.Request) -> object:
        try:
            with self._opener.open(request) as response:
                return json.load(response)
        except urllib.error.HTTPError as error:
            with error:
                return json.load(error)


@contextmanager
def open_client(config: Config) -> Iterator[ApiClient]:
    """A client for a data folder: of the server that owns it, else of this process, which owns it meanwhile.

    Raises Busy while another command owns it.
    """
    make_data_folder(config)
    lock = DataFolderLock(config.data_dir)
    if not lock.take():
        if not (url := lock.read_url()):
            raise Busy(f"Another flowshelf command is using {config.data_dir}. Try again when it has ended.")
        codes = read_codes(config.data_dir)
        yield RemoteClient(url, codes[Role.OWNER] if codes else None)
        return
    try:
        # Inside one process there is no sign-in and no proxy.
        app = create_app(
            replace(config, share=False, prefix="", trusted_proxy=None, allowed_hosts=frozenset())
        )
        work = background_of(app)
        limit_threads(work, SERVER_THREADS)
        work.start(resumes=False)
        try:
            yield LocalClient(app)
        finally:
            work.stop()
    finally:
        lock.release()


def pause(seconds: float) -> None:
    """Sleep; Ctrl-C ends it at once."""
    threading.Event().wait(seconds)


def _handover_query(profile_id: str | None, takes_other: bool) -> dict[str, str]:
    query = {"profileId": profile_id} if profile_id else {}
    return query | ({"otherAccount": "true"} if takes_other else {})


def _text_of(name: str) -> str:
    """The name of a file as text that a URL can hold: on Linux it may be any bytes."""
    return name.encode("utf-8", "replace").decode()


def _data(response: object) -> Any:
    if not isinstance(response, dict):
        raise ValueError("not a response of Flowshelf")
    if response.get("success"):
        return response["data"]
    raise error_of(response.get("code", "error"), response.get("error", "The server gave no reason."))
