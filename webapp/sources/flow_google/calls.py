"""Calls to flow.google.com: how one is asked, and what every one of them may be refused with."""

import itertools
from dataclasses import dataclass
from urllib.parse import urlencode

from webapp.errors import FlowChanged, FlowError, FlowUnavailable, SignedOut, SlowDown, UnusualActivity
from webapp.sources.flow_google import frames
from webapp.sources.flow_google.frames import Reply
from webapp.sources.flow_google.start_page import SIGNED_OUT, Start, StartPage, is_within
from webapp.sources.flow_google.values import Unreadable
from webapp.sources.http import Response, host_of
from webapp.sources.outline import outline_of
from webapp.sources.refusals import changed, check_destination, check_not_page, check_passing
from webapp.sources.signed_in import SignedInRequests

CALL_PATH = "/_/AiSandboxAngularFrontend/data/batchexecute"

INVALID, NOT_FOUND, DENIED, EXHAUSTED, UNAUTHENTICATED = 3, 5, 7, 8, 16
# Unknown, deadline, aborted, internal, unavailable: failures of the service's own.
PASSING = (2, 4, 10, 13, 14)
UNUSUAL_ACTIVITY = "PUBLIC_ERROR_UNUSUAL_ACTIVITY"
COOLDOWN_SECONDS = 3600.0
_LOOK_AT_BYTES = 20_000
# A payload that only says so is short; in a longer one it may be somebody's prompt.
_MAX_NOTICE_CHARACTERS = 500


@dataclass(frozen=True, slots=True)
class Caller:
    """What a call without a token brings: it is refused, and the refusal says who asks."""

    is_signed_in: bool
    number: str | None = None


class Calls:
    """The calls of one profile. Threads may share it."""

    def __init__(self, flow_url: str, requests: SignedInRequests, start: Start) -> None:
        self._flow_url = flow_url
        self._requests = requests
        self._start = start
        self._numbers = itertools.count(100_000, 100_000)

    def ask(self, rpc: str, arguments: list, limit_bytes: int, *, is_about_one: bool = False) -> Reply:
        """What a call brings: a payload, nothing, or INVALID, NOT_FOUND or DENIED as its `code`.

        `is_about_one`: the call is about one project of many, so every code is returned as well but those
        about the whole account.

        Where Flow refuses the start page's values, the page is fetched again, once; where it refuses the
        token, the one that the refusal carries is used. Raises SignedOut, FlowChanged, SlowDown,
        FlowUnavailable, UnusualActivity.
        """
        page = self._start.page()
        try:
            reply, page = self._asked(page, rpc, arguments, limit_bytes, is_about_one)
            if is_unauthenticated(reply) and (fresh := self._fresh_page(page, is_about_one)):
                reply, page = self._asked(fresh, rpc, arguments, limit_bytes, is_about_one)
            if failure := self._failure(reply, is_about_one):
                raise failure
        except SignedOut as error:
            self._start.note_signed_out(page, error)
            raise
        return reply

    def _fresh_page(self, refused: StartPage, is_about_one: bool) -> StartPage | None:
        """Another page than the refused one. None where there is none to be had at the moment and the call is
        about one project: whether the sign-in has ended another call will tell."""
        try:
            return self._start.page(refused=refused)
        except SignedOut:
            if is_about_one:
                return None
            raise

    def ask_once(self, rpc: str, arguments: list, limit_bytes: int) -> Reply:
        """The reply to a single try, whatever it says: for a call whose refusal means nothing."""
        reply, _ = self._asked(self._start.page(), rpc, arguments, limit_bytes, is_about_one=True)
        if _is_unusual_activity(reply):
            raise UnusualActivity(COOLDOWN_SECONDS)
        return reply

    def caller(self, page: StartPage, rpc: str, arguments: list, limit_bytes: int) -> Caller:
        """Send a call without a token, to learn from the refusal whose cookies these are.

        Raises what `ask` raises.
        """
        response = self._send(StartPage("", "", page.build, page.session_id), rpc, arguments, limit_bytes)
        if (token := frames.token_in(response.body)) is not None:
            if not page.token:
                self._start.with_token(page, token)
            return Caller(True, frames.account_number_in(response.body))
        _check_unusual_activity(response)
        check_passing(response)
        if not is_within(response, self._flow_url):
            check_destination(response, "", SIGNED_OUT)
        reply = self._reply(response, rpc, is_about_one=True)
        if failure := self._failure(reply, is_about_one=True):
            raise failure
        return Caller(is_signed_in=not is_unauthenticated(reply) and reply.http_code is None)

    def changed(self, what: str, sample: str) -> FlowChanged:
        """The error of a payload whose shape we do not know; only its outline is kept."""
        return changed(Response(self._flow_url, 200, (), b""), what, self._secrets(), outline_of(sample))

    def _asked(
        self, page: StartPage, rpc: str, arguments: list, limit_bytes: int, is_about_one: bool
    ) -> tuple[Reply, StartPage]:
        response = self._send(page, rpc, arguments, limit_bytes)
        token = frames.token_in(response.body)
        if token is not None:
            page = self._start.with_token(page, token)
            response = self._send(page, rpc, arguments, limit_bytes)
            if frames.token_in(response.body) is not None:
                raise SignedOut(f"Flow refuses even the token that it has just handed out. {SIGNED_OUT}")
        _check_unusual_activity(response)
        check_passing(response)
        if is_within(response, self._flow_url):
            raise changed(response, "it sends a call on to another of its pages")
        check_destination(response, "", SIGNED_OUT)
        return self._reply(response, rpc, is_about_one), page

    def _send(self, page: StartPage, rpc: str, arguments: list, limit_bytes: int) -> Response:
        query = {"rpcids": rpc, "source-path": "/", "bl": page.build, "f.sid": page.session_id, "hl": "en"}
        query |= {"_reqid": str(next(self._numbers)), "rt": "c"}
        fields = {"f.req": frames.request(rpc, arguments)} | ({"at": page.token} if page.token else {})
        headers = {
            "Content-Type": "application/x-www-form-urlencoded;charset=UTF-8",
            "X-Same-Domain": "1",
            "Origin": self._flow_url,
            "Referer": f"{self._flow_url}/",
        }
        url = f"{self._flow_url}{CALL_PATH}?{urlencode(query)}"
        return self._requests.post(url, headers, urlencode(fields).encode(), limit_bytes)

    def _reply(self, response: Response, rpc: str, is_about_one: bool) -> Reply:
        if response.status in (401, 403):
            return Reply(None, http_code=response.status)
        if response.status == 200:
            check_not_page(response, SIGNED_OUT)
        try:
            reply = frames.reply_in(response.body, rpc)
            what = f"the call {rpc} was answered with {response.status} and no result"
        except Unreadable as error:
            reply, what = None, f"the call {rpc} cannot be read ({error})"
        if reply is None and response.status == 200 and frames.is_cut(response.body):
            raise FlowUnavailable(
                f"The answer of {host_of(response.url)} was cut on its way. Trying again is safe."
            )
        if reply is None and is_about_one and 400 <= response.status < 500:
            return Reply(None, http_code=response.status)
        if reply is None or (response.status != 200 and reply.payload is not None):
            raise changed(response, what, self._secrets(), frames.outline_in(response.body))
        return reply

    def _failure(self, reply: Reply, is_about_one: bool) -> FlowError | None:
        """What an error means in every call alike; None when the caller has to judge."""
        host, http_code = host_of(self._flow_url), reply.http_code or 0
        if _is_unusual_activity(reply):
            return UnusualActivity(COOLDOWN_SECONDS)
        if is_unauthenticated(reply):
            return None if is_about_one else SignedOut(SIGNED_OUT)
        if http_code in (429, 503) or (reply.code == EXHAUSTED and not is_about_one):
            return SlowDown(f"{host} asks for fewer requests ({named(reply)}). Flowshelf slows down.")
        if http_code >= 500 or http_code == 408 or (reply.code in PASSING and not is_about_one):
            return FlowUnavailable(f"{host} has a failure of its own ({named(reply)}). Trying again is safe.")
        if is_about_one or (reply.code in (None, INVALID, NOT_FOUND, DENIED) and reply.http_code is None):
            return None
        return self.changed(f"it refuses a call ({named(reply)})", named(reply))

    def _secrets(self) -> list[str]:
        page = self._start.known()
        return [*self._requests.cookies().values(), *((page.token, page.session_id) if page else ())]


def is_unauthenticated(reply: Reply) -> bool:
    return reply.code == UNAUTHENTICATED or reply.http_code in (401, 403)


def _check_unusual_activity(response: Response) -> None:
    """Raises UnusualActivity for an error page that says so; in a frame the reply tells it."""
    if response.status != 200 and UNUSUAL_ACTIVITY.encode() in response.body[:_LOOK_AT_BYTES]:
        raise UnusualActivity(COOLDOWN_SECONDS)


def _is_unusual_activity(reply: Reply) -> bool:
    payload = reply.payload or ""
    is_notice = len(payload) <= _MAX_NOTICE_CHARACTERS and f'"{UNUSUAL_ACTIVITY}"' in payload
    return reply.reason == UNUSUAL_ACTIVITY or is_notice


def named(reply: Reply) -> str:
    """An error in words that hold nothing of the request."""
    return reply.reason or f"error {reply.code if reply.code is not None else reply.http_code}"
