"""Requests to labs.google with a profile's cookies, which any answer may renew."""

from urllib.parse import urlsplit

from webapp.config import Config
from webapp.sources import Credentials
from webapp.sources.cookies.renewal import labs_renewal
from webapp.sources.http import Answer, HttpClient
from webapp.sources.refusals import check_destination, check_passing, redirect_target, same_site
from webapp.sources.signed_in import SignedInRequests

MOST_REDIRECTS = 3
FLOW_PATH = "/fx/tools/flow"


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

    def get(self, path: str, limit_bytes: int) -> Answer:
        """The answer of the service, of any status below 500, which is no redirect.

        The headers are those of the web page (PROTOCOL.md, part 1). Raises SignedOut,
        AccountMoved, FlowChanged, SlowDown, FlowUnavailable.
        """
        answer = self._send(f"{self.url}{path}", limit_bytes)
        check_destination(answer, self._flow_url)
        return answer

    def get_page(self, path: str, limit_bytes: int) -> Answer:
        """Like `get`, but follows redirects that stay on the site, as to another spelling of the path."""
        answer = self._send(f"{self.url}{path}", limit_bytes)
        for _ in range(MOST_REDIRECTS):
            target = redirect_target(answer)
            if answer.location is None or not same_site(target, self.url):
                break
            answer = self._send(target, limit_bytes)
        check_destination(answer, self._flow_url)
        return answer

    def _send(self, url: str, limit_bytes: int) -> Answer:
        headers = {"Content-Type": "application/json", "Referer": f"{self.url}{FLOW_PATH}"}
        answer = self._signed_in.get(url, headers, limit_bytes)
        check_passing(answer)
        return answer
