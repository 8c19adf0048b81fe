"""Calls to flow.google.com: how one is sent, and which errors mean the same for every call."""

from dataclasses import dataclass

from webapp.errors import (
    FlowChanged,
    FlowError,
    FlowUnavailable,
    SignedOut,
    SlowDown,
    UnusualActivity,
    WaitingForBrowser,
)
from webapp.sources.flow_google import frames
from webapp.sources.flow_google.frames import Reply
from webapp.sources.flow_google.json_stream import Unreadable
from webapp.sources.flow_google.start_page import SIGNED_OUT, StartPage, redirects_within
from webapp.sources.flow_google.start_page_cache import StartPageCache
from webapp.sources.flow_google.transport import Transport
from webapp.sources.http import Response, host_of
from webapp.sources.outline import outline_of
from webapp.sources.refusals import changed, check_destination, check_not_page, check_passing

INVALID, NOT_FOUND, DENIED, EXHAUSTED, UNAUTHENTICATED = 3, 5, 7, 8, 16
# Unknown, deadline exceeded, aborted, internal, unavailable: failures of the service, safe to try again.
TRANSIENT = (2, 4, 10, 13, 14)
UNUSUAL_ACTIVITY = "PUBLIC_ERROR_UNUSUAL_ACTIVITY"
COOLDOWN_SECONDS = 3600.0
_SEARCHED_BYTES = 20_000
# A payload that reports unusual activity is short; in a longer one the words may be a person's prompt.
_MAX_NOTICE_CHARACTERS = 500


@dataclass(frozen=True, slots=True)
class Caller:
    """Who makes a call, as the refusal of a call without a token says."""

    is_signed_in: bool
    account_number: str | None = None


class Calls:
    """The calls of one profile. Threads may share it."""

    def __init__(self, flow_url: str, transport: Transport, start_pages: StartPageCache) -> None:
        self._flow_url = flow_url
        self._transport = transport
        self._start_pages = start_pages

    def call(self, rpc: str, arguments: list[object], max_bytes: int, *, is_about_one: bool = False) -> Reply:
        """A reply with a payload, with nothing, or with INVALID, NOT_FOUND or DENIED as its `code`.

        `is_about_one`: the call is about one project of many. Then other codes are returned too, except
        those that concern the whole account.

        If Flow refuses the values of the start page, the page is fetched again, once. If it refuses the
        token, the call is sent again with the token from the refusal. Raises SignedOut, FlowChanged,
        SlowDown, FlowUnavailable, UnusualActivity.
        """
        page = self._start_pages.page()
        try:
            reply, page = self._try(page, rpc, arguments, max_bytes, is_about_one)
            if is_unauthenticated(reply) and (other := self._other_page(page, is_about_one)):
                reply, page = self._try(other, rpc, arguments, max_bytes, is_about_one)
            if failure := self._failure(reply, is_about_one):
                raise failure
        except SignedOut as error:
            self._start_pages.note_signed_out(page, error)
            raise
        return reply

    def call_once(self, rpc: str, arguments: list[object], max_bytes: int) -> Reply:
        """The reply to a single attempt, without retries: for a call whose refusal does not matter."""
        reply, _ = self._try(self._start_pages.page(), rpc, arguments, max_bytes, is_about_one=True)
        if _is_unusual_activity(reply):
            raise UnusualActivity(COOLDOWN_SECONDS)
        return reply

    def identify(self, page: StartPage, rpc: str, arguments: list[object], max_bytes: int) -> Caller:
        """Send a call without a token: its refusal names the account of the cookies.

        Raises what `call` raises.
        """
        response = self._transport.call(page, rpc, arguments, max_bytes, is_anonymous=True)
        if (token := frames.token_in(response.body)) is not None:
            if not page.token:
                self._start_pages.with_token(page, token)
            return Caller(True, frames.account_number_in(response.body))
        _check_unusual_activity(response)
        check_passing(response)
        if not redirects_within(response, self._flow_url):
            check_destination(response, "", SIGNED_OUT)
        reply = self._reply(response, rpc, is_about_one=True)
        if failure := self._failure(reply, is_about_one=True):
            raise failure
        return Caller(is_signed_in=not is_unauthenticated(reply) and reply.http_code is None)

    def changed(self, what: str, sample: str) -> FlowChanged:
        """The error for a payload of an unknown shape. Only the outline of `sample` goes into it."""
        return changed(Response(self._flow_url, 200, (), b""), what, self._secrets(), outline_of(sample))

    def _other_page(self, refused: StartPage, is_about_one: bool) -> StartPage | None:
        """A start page other than the refused one.

        None if there is none at the moment and the call is about one project: then another call has to
        show whether the session has ended.
        """
        try:
            return self._start_pages.page(refused=refused)
        except WaitingForBrowser:
            raise
        except SignedOut:
            if is_about_one:
                return None
            raise

    def _try(
        self, page: StartPage, rpc: str, arguments: list[object], max_bytes: int, is_about_one: bool
    ) -> tuple[Reply, StartPage]:
        """The reply, and the page with the token that was accepted."""
        response = self._transport.call(page, rpc, arguments, max_bytes)
        token = frames.token_in(response.body)
        if token is not None:
            page = self._start_pages.with_token(page, token)
            response = self._transport.call(page, rpc, arguments, max_bytes)
            if frames.token_in(response.body) is not None:
                raise SignedOut(f"Flow refuses even the token that it has just provided. {SIGNED_OUT}")
        _check_unusual_activity(response)
        check_passing(response)
        if redirects_within(response, self._flow_url):
            raise changed(response, "it redirects a call to another of its pages")
        check_destination(response, "", SIGNED_OUT)
        return self._reply(response, rpc, is_about_one), page

    def _reply(self, response: Response, rpc: str, is_about_one: bool) -> Reply:
        if response.status in (401, 403):
            return Reply(None, http_code=response.status)
        if response.status == 200:
            check_not_page(response, SIGNED_OUT)
        try:
            reply = frames.read_reply(response.body, rpc)
            problem = f"the call {rpc} was answered with {response.status} and no result"
        except Unreadable as error:
            reply, problem = None, f"the call {rpc} cannot be read ({error})"
        if reply is None and response.status == 200 and frames.is_cut(response.body):
            raise FlowUnavailable(
                f"The response of {host_of(response.url)} was cut off on its way. Trying again is safe."
            )
        if reply is None and is_about_one and 400 <= response.status < 500:
            return Reply(None, http_code=response.status)
        if reply is None or (response.status != 200 and reply.payload is not None):
            raise changed(response, problem, self._secrets(), frames.outline_in(response.body))
        return reply

    def _failure(self, reply: Reply, is_about_one: bool) -> FlowError | None:
        """What an error code means for every call alike; None if the caller has to decide."""
        host, http_code = host_of(self._flow_url), reply.http_code or 0
        if _is_unusual_activity(reply):
            return UnusualActivity(COOLDOWN_SECONDS)
        if is_unauthenticated(reply):
            return None if is_about_one else SignedOut(SIGNED_OUT)
        if http_code in (429, 503) or (reply.code == EXHAUSTED and not is_about_one):
            return SlowDown(f"{host} asks for fewer requests ({error_name(reply)}). Flowshelf slows down.")
        if http_code >= 500 or http_code == 408 or (reply.code in TRANSIENT and not is_about_one):
            return FlowUnavailable(
                f"{host} reported an internal error ({error_name(reply)}). Trying again is safe."
            )
        if is_about_one or (reply.code in (None, INVALID, NOT_FOUND, DENIED) and reply.http_code is None):
            return None
        return self.changed(f"it refuses a call ({error_name(reply)})", error_name(reply))

    def _secrets(self) -> list[str]:
        page = self._start_pages.cached()
        return [*self._transport.secrets(), *((page.token, page.session_id) if page else ())]


def is_unauthenticated(reply: Reply) -> bool:
    return reply.code == UNAUTHENTICATED or reply.http_code in (401, 403)


def error_name(reply: Reply) -> str:
    """The reason or the code of an error, which hold nothing of the request."""
    return reply.reason or f"error {reply.code if reply.code is not None else reply.http_code}"


def _check_unusual_activity(response: Response) -> None:
    """Raises UnusualActivity for an error page that reports it; inside a frame the reply does."""
    if response.status != 200 and UNUSUAL_ACTIVITY.encode() in response.body[:_SEARCHED_BYTES]:
        raise UnusualActivity(COOLDOWN_SECONDS)


def _is_unusual_activity(reply: Reply) -> bool:
    payload = reply.payload or ""
    is_notice = len(payload) <= _MAX_NOTICE_CHARACTERS and f'"{UNUSUAL_ACTIVITY}"' in payload
    return reply.reason == UNUSUAL_ACTIVITY or is_notice
