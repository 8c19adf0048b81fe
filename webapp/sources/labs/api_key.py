"""The API key of the media service: given by hand, kept, or read out of the web page's script."""

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
# A page could name any address, also one inside the person's own network.
_SCRIPT_ADDRESS = re.compile(
    r"https://(?:[a-z0-9-]+\.)*(?:google|google\.com|gstatic\.com|googleapis\.com)/[\w./-]+", re.ASCII
)
_KEY = re.compile(r"AIzaSy[A-Za-z0-9_-]{33}")
_BY_HAND = "The key can also be given by hand, in the setting FLOWSHELF_FLOW_NEXT_KEY."


def script_url(page: str, page_url: str) -> str | None:
    """The address of the page's `_app` script, which its text may give whole or in part."""
    match = _SCRIPT.search(page)
    if match is None:
        return None
    start = 1 + max(page.rfind(mark, 0, match.start()) for mark in "\"'`=( \n\t<>")
    try:
        return urljoin(page_url, page[start : match.end()])
    except ValueError:
        return None


def key_in(script: str) -> str | None:
    """The key that occurs most often in a script, on a tie the first; None when there is none."""
    found = Counter(_KEY.findall(script)).most_common(1)
    return found[0][0] if found else None


class ApiKey:
    """The key of one profile, shared by its threads; extracted once, and once more when it is refused."""

    def __init__(
        self,
        config: Config,
        credentials: Credentials,
        site: LabsSite,
        http: HttpClient,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._given = config.flow_next_key
        self._credentials = credentials
        self._site = site
        self._http = http
        self._clock = clock
        self._flight: SingleFlight[str] = SingleFlight()
        self._key: str | None = None
        self._extracted_again_at = float("-inf")

    def key(self, refused: str | None = None) -> str:
        """A key that is not `refused`. Raises KeyRefused when there is none, and what the site raises."""
        if self._given:
            return self._given_key(refused)
        return self._flight.get(lambda: self._kept(refused), lambda: self._extracted(refused))

    def _given_key(self, refused: str | None) -> str:
        if self._given != refused:
            return self._given
        raise KeyRefused(
            "The media service refuses the key in the setting FLOWSHELF_FLOW_NEXT_KEY. "
            "Correct it, or take the setting away: then Flowshelf finds the key by itself."
        )

    def _kept(self, refused: str | None) -> str | None:
        self._key = self._key or self._credentials.key()
        return self._key if self._key != refused else None

    def _extracted(self, refused: str | None) -> str:
        if refused is None:
            self._key = self._extract()
        elif self._clock() - self._extracted_again_at >= EXTRACTION_PAUSE_SECONDS:
            self._key = self._extract()
            self._extracted_again_at = self._clock()
        if self._key == refused:
            raise KeyRefused(f"The media service refuses the key that Flow's own page uses. {_BY_HAND}")
        self._credentials.set_key(self._key)
        return self._key

    def _extract(self) -> str:
        page = self._site.get_page(PAGE_PATH, MAX_PAGE_BYTES)
        url = script_url(page.text, page.url) if page.status == 200 else None
        if url is None or not (same_site(url, self._site.url) or _SCRIPT_ADDRESS.fullmatch(url)):
            raise KeyRefused(
                f"The API key of the media service was not found: the page {self._site.url}{PAGE_PATH} "
                f"({page.status}) names no _app script. {_BY_HAND}"
            )
        script = self._script(url)
        key = key_in(script.text) if script.status == 200 else None
        if key is None:
            raise KeyRefused(
                f"The API key of the media service was not found: there is none in the script {_shown(url)} "
                f"({script.status}). {_BY_HAND}"
            )
        return key

    def _script(self, url: str) -> Response:
        response = self._http.get(url, {"Referer": f"{self._site.url}/"}, MAX_PAGE_BYTES)
        check_passing(response)
        return response


def _shown(url: str) -> str:
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.hostname}{parts.path}"
