"""Carries the requests to flow.google.com with a profile's cookies."""

import itertools
import re
from dataclasses import replace
from urllib.parse import urlencode, urlsplit

from webapp.errors import FlowChanged, SignedOut
from webapp.sources.flow_google import frames
from webapp.sources.flow_google.start_page import (
    MAX_PAGE_BYTES,
    SIGNED_OUT,
    StartPage,
    read_start_page,
    redirects_within,
)
from webapp.sources.http import Response
from webapp.sources.refusals import check_destination, check_passing, redirect_target
from webapp.sources.signed_in import SignedInRequests

CALL_PATH = "/_/AiSandboxAngularFrontend/data/batchexecute"
MAX_REDIRECTS = 3


class CookieTransport:
    """A `Transport` with the stored cookies, which responses may renew."""

    sign_in_may_return = False

    def __init__(self, requests: SignedInRequests, flow_url: str) -> None:
        self._requests = requests
        self._flow_url = flow_url
        self._request_ids = itertools.count(100_000, 100_000)

    def start_page(self, index: int | None) -> StartPage:
        response = self._start_response(index)
        # A number that nobody has is redirected to the page of the first account.
        number = re.match(r"/u/(\d{1,2})/", urlsplit(response.url).path)
        return replace(read_start_page(response), index=int(number[1]) if number else None)

    def call(
        self,
        page: StartPage,
        rpc: str,
        arguments: list[object],
        max_bytes: int,
        *,
        is_anonymous: bool = False,
    ) -> Response:
        query = {"rpcids": rpc, "source-path": "/", "bl": page.build, "f.sid": page.session_id, "hl": "en"}
        query |= {"_reqid": str(next(self._request_ids)), "rt": "c"}
        token = {"at": page.token} if page.token and not is_anonymous else {}
        headers = {
            "Content-Type": "application/x-www-form-urlencoded;charset=UTF-8",
            "X-Same-Domain": "1",
            "Origin": self._flow_url,
            "Referer": f"{self._flow_url}/",
            **_account_header(page.index),
        }
        url = f"{self._base_url(page.index)}{CALL_PATH}?{urlencode(query)}"
        fields = {"f.req": frames.request_field(rpc, arguments)} | token
        return self._requests.post(url, headers, urlencode(fields).encode(), max_bytes)

    def refresh(self) -> None:
        self._requests.refresh()

    def generation(self) -> int:
        return self._requests.generation()

    def secrets(self) -> list[str]:
        return list(self._requests.cookies().values())

    def signed_out(self, error: SignedOut) -> SignedOut:
        return error

    def _start_response(self, index: int | None) -> Response:
        url = f"{self._base_url(index)}/"
        for _ in range(1 + MAX_REDIRECTS):
            response = self._requests.get(url, _account_header(index), MAX_PAGE_BYTES)
            check_passing(response)
            if not redirects_within(response, self._flow_url):
                check_destination(response, "", SIGNED_OUT)
                return response
            url = redirect_target(response)
        raise FlowChanged(f"{urlsplit(url).hostname} redirects the request for its page again and again.")

    def _base_url(self, index: int | None) -> str:
        return self._flow_url if index is None else f"{self._flow_url}/u/{index}"


def _account_header(index: int | None) -> dict[str, str]:
    return {} if index is None else {"X-Goog-AuthUser": str(index)}
