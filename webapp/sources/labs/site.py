"""Requests to labs.google with a profile's cookies, which any response may renew."""

from urllib.parse import urlsplit

from webapp.config import Config
from webapp.sources import Credentials
from webapp.sources.cookies.renewal import labs_renewal
from webapp.sources.http import HttpClient, Response
from webapp.sources.refusals import check_destination, check_passing, redirect_target, same_site
from webapp.sources.signed_in import SignedInRequests

MAX_REDIRECTS = 3
FLOW_PATH = "/fx/tools/flow"
# Where the paste named no browser: no request by a program that names itself has been recorded (PROTOCOL.md,
# part 1).
BROWSER_USER_AGENT = (
    "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/141.0.0.0 Safari/537.36"
)


class LabsSite:
    """labs.google as one profile sees it. Threads may share it."""

    def __init__(self, config: Config, credentials: Credentials, http: HttpClient) -> None:
        self.url = config.labs_url
        self._flow_url = config.flow_url
        self._requests = SignedInRequests(credentials, http, labs_renewal)

    @property
    def origin(self) -> str:
        """Scheme, host and port, which the media service expects as `Origin`."""
        return "{}://{}".format(*urlsplit(self.url)[:2])

    def cookies(self) -> dict[str, str]:
        """The cookies of this moment. Raises SignedOut if there are none."""
        return self._requests.cookies()

    def get(self, path: str, max_bytes: int) -> Response:
        """A response of any status below 500 that is no redirect.

        The request has the headers of the web page (PROTOCOL.md, part 1). Raises SignedOut, AccountMoved,
        FlowChanged, SlowDown, FlowUnavailable.
        """
        response = self._send(f"{self.url}{path}", max_bytes)
        check_destination(response, self._flow_url)
        return response

    def get_page(self, path: str, max_bytes: int) -> Response:
        """Like `get`, but follows up to `MAX_REDIRECTS` redirects within the site: the path may be spelt
        in another way."""
        response = self._send(f"{self.url}{path}", max_bytes)
        for _ in range(MAX_REDIRECTS):
            target = redirect_target(response)
            if response.location is None or not same_site(target, self.url):
                break
            response = self._send(target, max_bytes)
        check_destination(response, self._flow_url)
        return response

    def _send(self, url: str, max_bytes: int) -> Response:
        headers = {"Content-Type": "application/json", "Referer": f"{self.url}{FLOW_PATH}"}
        response = self._requests.get(url, headers, max_bytes)
        check_passing(response)
        return response
