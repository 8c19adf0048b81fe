"""Requests to labs.google with a profile's cookies, which any answer may renew."""

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
    """The labs service as one profile sees it. Threads may share it."""

    def __init__(self, config: Config, credentials: Credentials, http: HttpClient) -> None:
        self.url = config.labs_url
        self._flow_url = config.flow_url
        self._signed_in = SignedInRequests(credentials, http, labs_renewal)

    @property
    def origin(self) -> str:
        """Scheme, host and port, as the media service wants to hear them."""
        return "{}://{}".format(*urlsplit(self.url)[:2])

    def cookies(self) -> dict[str, str]:
        """The cookies kept at this moment. Raises SignedOut when there are none."""
        return self._signed_in.cookies()

    def get(self, path: str, limit_bytes: int) -> Response:
        """The answer of the service, of any status below 500, which is no redirect.

        The headers are those of the web page (PROTOCOL.md, part 1). Raises SignedOut,
        AccountMoved, FlowChanged, SlowDown, FlowUnavailable.
        """
        response = self._send(f"{self.url}{path}", limit_bytes)
        check_destination(response, self._flow_url)
        return response

    def get_page(self, path: str, limit_bytes: int) -> Response:
        """Like `get`, but follows redirects that stay on the site, as to another spelling of the path."""
        response = self._send(f"{self.url}{path}", limit_bytes)
        for _ in range(MAX_REDIRECTS):
            target = redirect_target(response)
            if response.location is None or not same_site(target, self.url):
                break
            response = self._send(target, limit_bytes)
        check_destination(response, self._flow_url)
        return response

    def _send(self, url: str, limit_bytes: int) -> Response:
        headers = {"Content-Type": "application/json", "Referer": f"{self.url}{FLOW_PATH}"}
        response = self._signed_in.get(url, headers, limit_bytes)
        check_passing(response)
        return response
