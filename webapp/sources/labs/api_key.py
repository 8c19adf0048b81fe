"""The API key of the media service: from a setting, from the database, or from the script of the web page."""

import re
import time
from collections import Counter
from collections.abc import Callable
from urllib.parse import urljoin, urlsplit

from webapp.config import Config
from webapp.errors import KeyRefused
from webapp.sources import Credentials
from webapp.sources.http import HttpClient, Response
from webapp.sources.labs.site import LabsSite
from webapp.sources.refusals import check_passing, same_site
from webapp.sources.single_flight import SingleFlight

PAGE_PATH = "/fx"
MAX_PAGE_BYTES = 16 * 1024 * 1024
EXTRACTION_PAUSE_SECONDS = 60.0

_SCRIPT = re.compile(r"_next/static/chunks/pages/_app-[a-f0-9]+\.js")
# Without this check a page could name a URL inside the person's own network.
_SCRIPT_URL = re.compile(
    r"https://(?:[a-z0-9-]+\.)*(?:google|google\.com|gstatic\.com|googleapis\.com)/[\w./-]+", re.ASCII
)
_KEY = re.compile(r"AIzaSy[A-Za-z0-9_-]{33}")
_SETTING_HINT = "You can also set the key yourself, in the setting FLOWSHELF_FLOW_NEXT_KEY."


def script_url(page: str, page_url: str) -> str | None:
    """The URL of the page's `_app` script, which may be relative in the page; None if there is none."""
    match = _SCRIPT.search(page)
    if match is None:
        return None
    start = 1 + max(page.rfind(mark, 0, match.start()) for mark in "\"'`=( \n\t<>")
    try:
        return urljoin(page_url, page[start : match.end()])
    except ValueError:
        return None


def key_in(script: str) -> str | None:
    """The key that occurs most often in a script, on a tie the first; None if there is none."""
    found = Counter(_KEY.findall(script)).most_common(1)
    return found[0][0] if found else None


class ApiKeyCache:
    """The API key of one profile, shared by its threads.

    It is extracted once, and again when it is refused, at most once a minute. One thread extracts it, the
    others wait for its key or its error.
    """

    def __init__(
        self,
        config: Config,
        credentials: Credentials,
        site: LabsSite,
        http: HttpClient,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._setting = config.flow_next_key
        self._credentials = credentials
        self._site = site
        self._http = http
        self._clock = clock
        # The fields below are used only inside `_flight.get`, by one thread at a time.
        self._flight: SingleFlight[str] = SingleFlight()
        self._key: str | None = None
        self._extracted_again_at = float("-inf")

    def key(self, refused: str | None = None) -> str:
        """A key other than `refused`. Raises KeyRefused if there is none, and what the site raises."""
        if self._setting:
            return _checked_setting(self._setting, refused)
        return self._flight.get(lambda: self._usable(refused), lambda: self._renew(refused))

    def _usable(self, refused: str | None) -> str | None:
        self._key = self._key or self._credentials.key()
        return self._key if self._key != refused else None

    def _renew(self, refused: str | None) -> str:
        key = self._key
        if refused is None or key is None:
            key = self._extract()
        elif self._clock() - self._extracted_again_at >= EXTRACTION_PAUSE_SECONDS:
            key = self._extract()
            self._extracted_again_at = self._clock()
        self._key = key
        if key == refused:
            raise KeyRefused(f"The media service refuses the key that Flow's own page uses. {_SETTING_HINT}")
        self._credentials.set_key(key)
        return key

    def _extract(self) -> str:
        page = self._site.get_page(PAGE_PATH, MAX_PAGE_BYTES)
        url = script_url(page.text, page.url) if page.status == 200 else None
        if url is None or not (same_site(url, self._site.url) or _SCRIPT_URL.fullmatch(url)):
            raise KeyRefused(
                f"The API key of the media service was not found: the page {self._site.url}{PAGE_PATH} "
                f"({page.status}) names no _app script. {_SETTING_HINT}"
            )
        script = self._script(url)
        key = key_in(script.text) if script.status == 200 else None
        if key is None:
            raise KeyRefused(
                f"The API key of the media service was not found: there is none in the script "
                f"{_without_query(url)} ({script.status}). {_SETTING_HINT}"
            )
        return key

    def _script(self, url: str) -> Response:
        response = self._http.get(url, {"Referer": f"{self._site.url}/"}, MAX_PAGE_BYTES)
        check_passing(response)
        return response


def _checked_setting(key: str, refused: str | None) -> str:
    if key != refused:
        return key
    raise KeyRefused(
        "The media service refuses the key in the setting FLOWSHELF_FLOW_NEXT_KEY. "
        "Correct it, or remove the setting: then Flowshelf finds the key by itself."
    )


def _without_query(url: str) -> str:
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.hostname}{parts.path}"
