"""Flow at labs.google/fx: its history and its images, as one profile sees them.

site           requests with the cookies of a profile
session        whom they sign in, and the token for the media service
api_key        the key that the media service wants as well
history_pages  the call for a page of a history
media          the call for one image
examination    each reading call once, for a report
"""

import threading
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, suppress
from urllib.parse import urlencode

from webapp.config import Config
from webapp.errors import (
    BadPicture,
    CursorRefused,
    FlowChanged,
    FlowError,
    FlowUnavailable,
    HistoryRefused,
    ImageRefused,
)
from webapp.sources import (
    Account,
    Capabilities,
    Credentials,
    Describe,
    FetchedImage,
    HistoryPage,
    RemoteProject,
    Skips,
    Step,
    read_all,
)
from webapp.sources.http import HttpClient, Response, TooLarge
from webapp.sources.labs import history_pages, media
from webapp.sources.labs.api_key import ApiKey
from webapp.sources.labs.examination import LabsCalls, LabsExamination
from webapp.sources.labs.session import SignIn
from webapp.sources.labs.site import BROWSER_USER_AGENT, LabsSite
from webapp.sources.refusals import changed, check_destination, check_not_page, check_passing, read_document
from webapp.sources.signed_urls import fetch_picture

MAX_HISTORY_BYTES = 16 * 1024 * 1024


class LabsSource:
    """The labs service as a `Source`. Errors name what happened and what to do, never a secret."""

    name = "labs.google"

    def __init__(self, config: Config, credentials: Credentials, stopping: threading.Event) -> None:
        self.capabilities = Capabilities(
            config.histories, history_pages.DEFAULT_HISTORY, is_newest_first=True
        )
        self._config = config
        user_agent = credentials.user_agent() or BROWSER_USER_AGENT
        self._http = HttpClient(stopping, config.timeout_seconds, user_agent=user_agent)
        self._site = LabsSite(config, credentials, self._http)
        self._sign_in = SignIn(self._site)
        self._api_key = ApiKey(config, credentials, self._site, self._http)

    def check(self) -> Account:
        """Asks the history too: the session signs in accounts that have moved as well.

        What else the history refuses is no fault of the cookies; the next sync meets it and says so.
        """
        account = self._sign_in.account()
        with suppress(CursorRefused, FlowChanged, HistoryRefused):
            self._page(history_pages.DEFAULT_HISTORY, None, page_size=1)
        return account

    def history_page(self, history: str, cursor: str | None, skips: Skips = read_all) -> HistoryPage:
        return self._page(history, cursor, self._config.page_size)

    def _page(self, history: str, cursor: str | None, page_size: int) -> HistoryPage:
        response, document, secrets = self._history(history, cursor, page_size)
        try:
            return history_pages.read_page(document, self._config.all_picture_hosts)
        except history_pages.UnknownShape as error:
            raise changed(response, str(error), secrets) from error

    def _history(
        self, history: str, cursor: str | None, page_size: int
    ) -> tuple[Response, object, list[str]]:
        """The service's answer that brings a page, its JSON, and the secrets that were sent for it."""
        secrets = [*self._site.cookies().values(), cursor or ""]
        path = history_pages.path(history, cursor, page_size)
        response = self._site.get(path, MAX_HISTORY_BYTES)
        check_not_page(response)
        document = read_document(response, secrets) if response.status != 401 else None
        refused = history_pages.refusal(response, document, history, cursor, secrets)
        if refused:
            raise refused
        return response, document, secrets

    def ping(self) -> None:
        raise HistoryRefused("labs.google has no projects that could fail one by one.")

    def project_page(self, project: RemoteProject) -> HistoryPage:
        raise HistoryRefused("labs.google has no projects that could be read one by one.")

    def fetch_image(self, name: str, media_key: str = "") -> FetchedImage:
        response, secrets = self._media(name)
        if response.status != 200:
            return self._rescued(response, media.refusal(response, secrets))
        response, text = media.lifted(response)
        document = self._document(response, secrets, name)
        url = media.allowed_fife_url(document, self._config.all_picture_hosts)
        content = media.image_bytes(document, text)
        if content is None:
            content = self._content_behind(document)
        return FetchedImage(content, url)

    def preview_url(self, name: str, media_key: str = "") -> str | None:
        response, secrets = self._media(name, returnUriOnly="true")
        url = media.allowed_fife_url(_json_or_none(response), self._config.all_picture_hosts)
        if response.status == 200:
            self._document(response, secrets, name)
        elif response.status != 400 or url is None:
            raise media.refusal(response, secrets)
        return url

    def examine(self, describe: Describe) -> Iterator[Step]:
        calls = LabsCalls(self._sign_in, self._api_key, self._history, self._media, self._document)
        return LabsExamination(calls, self._http, self._config.all_picture_hosts, describe).steps()

    def cancelled_by(self, stop: threading.Event) -> AbstractContextManager[None]:
        return self._http.cancelled_by(stop)

    def close(self) -> None:
        self._http.close()

    def _media(self, name: str, **query: str) -> tuple[Response, list[str]]:
        """The media service's answer, and the secrets that were sent for it. Token and key are renewed
        once each when they are refused."""
        path, refused_token, refused_key = media.path(name), None, None
        while True:
            token, key = self._sign_in.token(refused_token), self._api_key.key(refused_key)
            response = self._ask_media(path, token, {"key": key, "clientContext.tool": "PINHOLE", **query})
            if response.status == 401 and refused_token is None:
                refused_token = token
            elif refused_key is None and media.is_key_refusal(response):
                refused_key = key
            else:
                return response, [token, key]

    def _ask_media(self, path: str, token: str, query: Mapping[str, str]) -> Response:
        origin = self._site.origin
        headers = {"Authorization": f"Bearer {token}", "Origin": origin, "Referer": f"{origin}/"}
        try:
            response = self._http.get(f"{self._config.media_url}{path}?{urlencode(query)}", headers)
        except TooLarge as error:
            raise ImageRefused(str(error)) from error
        check_passing(response)
        check_destination(response, self._config.flow_url)
        if response.status == 200:
            check_not_page(response)
        return response

    def _document(self, response: Response, secrets: list[str], name: str) -> dict:
        try:
            document = read_document(response, secrets)
        except FlowUnavailable as error:
            raise BadPicture(str(error)) from error
        # First of all: what an answer about something else says is no verdict on this image.
        media.check_name(document, name)
        if media.is_video(document):
            raise ImageRefused("This is a video, which Flowshelf does not keep.")
        if not media.is_image(document):
            raise changed(response, "it describes no image", secrets)
        return document

    def _content_behind(self, document: dict) -> bytes:
        url = media.fife_url(document)
        if url is None:
            raise BadPicture("Flow sent neither the image nor an address of it. Trying again is safe.")
        return fetch_picture(self._http, url, self._config.all_picture_hosts)

    def _rescued(self, response: Response, refused: FlowError) -> FetchedImage:
        """The image of an error answer that still carries its URL, as some have been seen to."""
        url = media.allowed_fife_url(_json_or_none(response), self._config.all_picture_hosts)
        if response.status != 400 or url is None:
            raise refused
        try:
            return FetchedImage(fetch_picture(self._http, url, self._config.all_picture_hosts), url)
        except BadPicture:
            raise refused from None


def _json_or_none(response: Response) -> object:
    try:
        return response.json()
    except ValueError:
        return None
