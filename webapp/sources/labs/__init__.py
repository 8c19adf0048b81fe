"""labs.google/fx as a `Source`: the history of an account and its images.

site           requests with the profile's cookies
access_token   the token for the media service, and the account it belongs to
api_key        the key that the media service requires as well
history_pages  the call for a history page
images         the call for one image
examination    each call once, for a report
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
from webapp.sources.fields import UnknownShape
from webapp.sources.http import HttpClient, Network, Response, TooLarge
from webapp.sources.labs import history_pages, images
from webapp.sources.labs.access_token import AccessTokenCache
from webapp.sources.labs.api_key import ApiKeyCache
from webapp.sources.labs.examination import Examination, LabsCalls
from webapp.sources.labs.site import BROWSER_USER_AGENT, LabsSite
from webapp.sources.refusals import changed, check_destination, check_not_page, check_passing, read_document
from webapp.sources.signed_urls import fetch_picture

MAX_HISTORY_BYTES = 16 * 1024 * 1024


class LabsSource:
    """labs.google as a `Source`. Errors say what happened and what to do, and hold no secret."""

    name = "labs.google"

    def __init__(self, config: Config, credentials: Credentials, stopping: threading.Event) -> None:
        self.capabilities = Capabilities(
            config.histories, history_pages.DEFAULT_HISTORY, is_newest_first=True
        )
        self._config = config
        self._hosts = config.all_picture_hosts
        user_agent = credentials.user_agent() or BROWSER_USER_AGENT
        self._http = HttpClient(
            stopping, config.timeout_seconds, user_agent=user_agent, network=Network.of(config)
        )
        self._site = LabsSite(config, credentials, self._http)
        self._access_tokens = AccessTokenCache(self._site)
        self._api_keys = ApiKeyCache(config, credentials, self._site, self._http)

    def check(self) -> Account:
        """Asks the history too, because the session call also signs in accounts that have moved.

        Other refusals of the history are no fault of the cookies; the next sync reports them.
        """
        account = self._access_tokens.account()
        with suppress(CursorRefused, FlowChanged, HistoryRefused):
            self._history_page(history_pages.DEFAULT_HISTORY, None, page_size=1)
        return account

    def history_page(self, history: str, cursor: str | None, skips: Skips = read_all) -> HistoryPage:
        return self._history_page(history, cursor, self._config.page_size)

    def ping(self) -> None:
        raise HistoryRefused("labs.google has no projects that could fail one by one.")

    def project_page(self, project: RemoteProject) -> HistoryPage:
        raise HistoryRefused("labs.google has no projects that could be read one by one.")

    def fetch_image(self, name: str, media_key: str = "") -> FetchedImage:
        """The bytes of one image: inside the response, or else behind the URL in it."""
        response, secrets = self._image_response(name)
        if response.status != 200:
            return self._fetch_despite(response, images.refusal(response, secrets))
        response, base64 = images.split_base64(response)
        document = self._image_document(response, secrets, name)
        content = images.picture_bytes(document, base64)
        if content is None:
            content = self._fetch_picture(document)
        return FetchedImage(content, images.allowed_fife_url(document, self._hosts))

    def preview_url(self, name: str, media_key: str = "") -> str | None:
        response, secrets = self._image_response(name, returnUriOnly="true")
        url = images.allowed_fife_url(_json_or_none(response), self._hosts)
        if response.status == 200:
            self._image_document(response, secrets, name)
        elif response.status != 400 or url is None:
            raise images.refusal(response, secrets)
        return url

    def examine(self, describe: Describe) -> Iterator[Step]:
        calls = LabsCalls(
            self._access_tokens,
            self._api_keys,
            self._history_response,
            self._image_response,
            self._image_document,
        )
        return Examination(calls, self._http, self._hosts, describe).steps()

    def cancelled_by(self, stop: threading.Event) -> AbstractContextManager[None]:
        return self._http.cancelled_by(stop)

    def close(self) -> None:
        self._http.close()

    def _history_page(self, history: str, cursor: str | None, page_size: int) -> HistoryPage:
        response, document, secrets = self._history_response(history, cursor, page_size)
        try:
            return history_pages.read_history_page(document, self._hosts)
        except UnknownShape as error:
            raise changed(response, str(error), secrets) from error

    def _history_response(
        self, history: str, cursor: str | None, page_size: int
    ) -> tuple[Response, object, list[str]]:
        """A response that is no refusal, its JSON, and the secrets that an error text must not quote."""
        secrets = [*self._site.cookies().values(), cursor or ""]
        path = history_pages.path(history, cursor, page_size)
        response = self._site.get(path, MAX_HISTORY_BYTES)
        check_not_page(response)
        document = read_document(response, secrets) if response.status != 401 else None
        refused = history_pages.refusal(response, document, history, cursor, secrets)
        if refused:
            raise refused
        return response, document, secrets

    def _image_response(self, name: str, **query: str) -> tuple[Response, list[str]]:
        """The response of the media service, and the secrets that an error text must not quote.

        Token and key are renewed once each if they are refused.
        """
        path, refused_token, refused_key = images.path(name), None, None
        while True:
            token, key = self._access_tokens.token(refused_token), self._api_keys.key(refused_key)
            response = self._send(path, token, {"key": key, "clientContext.tool": "PINHOLE", **query})
            if response.status == 401 and refused_token is None:
                refused_token = token
            elif refused_key is None and images.is_key_refusal(response):
                refused_key = key
            else:
                return response, [token, key]

    def _send(self, path: str, token: str, query: Mapping[str, str]) -> Response:
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

    def _image_document(self, response: Response, secrets: list[str], name: str) -> dict[str, object]:
        """The JSON about the image `name`. Raises BadPicture, ImageRefused, FlowChanged."""
        try:
            document = read_document(response, secrets)
        except FlowUnavailable as error:
            raise BadPicture(str(error)) from error
        # Checked first: a response about another image says nothing about this one.
        images.check_name(document, name)
        if images.is_video(document):
            raise ImageRefused("This is a video. Flowshelf stores images only.")
        if not isinstance(document, dict) or not images.is_image(document):
            raise changed(response, "it describes no image", secrets)
        return document

    def _fetch_picture(self, document: dict[str, object]) -> bytes:
        url = images.fife_url(document)
        if url is None:
            raise BadPicture("Flow sent neither the image nor a URL of it. Trying again is safe.")
        return fetch_picture(self._http, url, self._hosts)

    def _fetch_despite(self, response: Response, refused: FlowError) -> FetchedImage:
        """The image behind the URL that a refusal with status 400 may hold. Raises `refused` otherwise."""
        url = images.allowed_fife_url(_json_or_none(response), self._hosts)
        if response.status != 400 or url is None:
            raise refused
        try:
            return FetchedImage(fetch_picture(self._http, url, self._hosts), url)
        except BadPicture:
            raise refused from None


def _json_or_none(response: Response) -> object:
    try:
        return response.json()
    except ValueError:
        return None
