"""flow.google.com as a `Source`: the projects of an account and their images.

    transport            what carries the requests
    cookie_transport     ... with cookies
    companion_transport  ... through a paired browser
    start_page           the values that every call has to carry
    start_page_cache     the page that is used at present
    account_search       the profile's account among those that are signed in
    account              the account that is signed in
    calls                one call: its retries, its errors
    frames       the frame around a response
    json_stream  JSON read value by value
    projects     the listing, and cursors between projects
    contents     what a project holds
    records      one record: its kind, and the image that it describes
    model_codes  the numbers of image models
    timestamps   times
    images       the call for one image
    examination  each call once, for a report
    outlines     payloads without their content

Only calls that read are made (PROTOCOL.md), with the person's own cookies or in their own browser.
"""

import functools
import json
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import replace
from typing import Concatenate, ParamSpec, TypeVar

from webapp.config import Config
from webapp.errors import (
    BadPicture,
    CursorRefused,
    FlowUnavailable,
    HistoryRefused,
    ImageRefused,
    ProjectFailed,
    SignedOut,
    SlowDown,
    SourceClosed,
    UnusualActivity,
    WaitingForBrowser,
)
from webapp.sources import (
    Account,
    Capabilities,
    Credentials,
    Describe,
    FetchedImage,
    HistoryPage,
    Reading,
    Reason,
    RemoteProject,
    Skips,
    Step,
    read_all,
)
from webapp.sources.cookies.renewal import google_renewal
from webapp.sources.fields import UnknownShape
from webapp.sources.flow_google import contents, images, projects
from webapp.sources.flow_google.account import find_account
from webapp.sources.flow_google.account_search import AccountSearch
from webapp.sources.flow_google.calls import (
    EXHAUSTED,
    INVALID,
    NOT_FOUND,
    TRANSIENT,
    Calls,
    error_name,
    is_unauthenticated,
)
from webapp.sources.flow_google.companion_transport import Browser, CompanionTransport
from webapp.sources.flow_google.contents import Contents
from webapp.sources.flow_google.cookie_transport import CookieTransport
from webapp.sources.flow_google.examination import Examination
from webapp.sources.flow_google.frames import Reply
from webapp.sources.flow_google.json_stream import JsonStream, Unreadable
from webapp.sources.flow_google.start_page_cache import StartPageCache
from webapp.sources.flow_google.transport import Transport
from webapp.sources.http import MAX_RESPONSE_BYTES, USER_AGENT, HttpClient, Network, TooLarge
from webapp.sources.signed_in import SignedInRequests
from webapp.sources.signed_urls import fetch_picture, is_picture_url

PROJECTS = "PROJECTS"
NO_PROJECTS = (
    "flow.google.com lists no projects for this account. If its images still show at "
    "https://labs.google/fx, Google has not moved it yet: paste the cookies of labs.google instead."
)
MAX_LISTING_BYTES = 16 * 1024 * 1024
MAX_RECORD_BYTES = 4 * 1024 * 1024


P = ParamSpec("P")
T = TypeVar("T")


def _names_the_remedy(
    method: "Callable[Concatenate[FlowGoogleSource, P], T]",
) -> "Callable[Concatenate[FlowGoogleSource, P], T]":
    """Whoever is signed out is told what helps with the transport in use."""

    @functools.wraps(method)
    def call(source: "FlowGoogleSource", /, *args: P.args, **kwargs: P.kwargs) -> T:
        try:
            return method(source, *args, **kwargs)
        except SignedOut as error:
            remedy = source.remedy(error)
            if remedy is error:
                raise
            raise remedy from error

    return call


class FlowGoogleSource:
    """flow.google.com as a `Source`. Errors say what happened and what to do, and hold no secret."""

    name = "flow.google.com"
    capabilities = Capabilities((PROJECTS,), PROJECTS, is_newest_first=False, empty_note=NO_PROJECTS)

    def __init__(
        self,
        config: Config,
        credentials: Credentials,
        stopping: threading.Event,
        browser: Browser | None = None,
    ) -> None:
        """`browser` carries the calls; without it the cookies do."""
        self._credentials = credentials
        self._flow_url = config.flow_url
        self._hosts = config.all_picture_hosts
        user_agent = credentials.user_agent() or USER_AGENT
        self._http = HttpClient(
            stopping, config.timeout_seconds, user_agent=user_agent, network=Network.of(config)
        )
        self._transport: Transport
        if browser is None:
            requests = SignedInRequests(credentials, self._http, google_renewal)
            self._transport = CookieTransport(requests, config.flow_url)
        else:
            self._transport = CompanionTransport(browser, self._http, config.flow_url)
        search = AccountSearch(self._transport, credentials)
        self._start_pages = StartPageCache(self._transport, search.page)
        self._calls = Calls(config.flow_url, self._transport, self._start_pages)
        self._projects = projects.ProjectList(self._listing_page)

    @_names_the_remedy
    def check(self) -> Account:
        return find_account(self._calls, self._start_pages.fetch())

    @_names_the_remedy
    def ping(self) -> None:
        self._listing_page(None, frozenset())

    @_names_the_remedy
    def history_page(self, history: str, cursor: str | None, skips: Skips = read_all) -> HistoryPage:
        """Read the first project after `cursor` that `skips` does not skip.

        If none is left, returns a last page that lists only the skipped ones.
        """
        if history != PROJECTS:
            raise HistoryRefused(f"flow.google.com has no history {history[:60]}, only projects.")
        skipped: list[RemoteProject] = []
        for listing_page, project in self._projects.from_cursor(cursor):
            if skips(project):
                skipped.append(project)
            else:
                next_cursor = self._projects.cursor_behind(listing_page, project)
                return self._project_page(project, skipped, next_cursor)
        # A last page has at least one name: without any it would look like an account without projects.
        last_id = projects.read_cursor(cursor)[1]
        names = tuple(project.id for project in skipped) or ((last_id,) if last_id else ())
        last_page = HistoryPage(names=names, entry_count=len(names), passed=tuple(skipped))
        return self._with_cards_without_id(last_page)

    @_names_the_remedy
    def project_page(self, project: RemoteProject) -> HistoryPage:
        return self._project_page(project, [], None)

    @_names_the_remedy
    def fetch_image(self, name: str, media_key: str = "") -> FetchedImage:
        """The bytes of an image. A signed URL that yields no picture may have expired: it is renewed once."""
        asset_id = images.asset_id_for(name, media_key)
        url = self._original_url(asset_id)
        try:
            return FetchedImage(fetch_picture(self._http, url, self._hosts), url)
        except BadPicture:
            url = self._original_url(asset_id)
        return FetchedImage(fetch_picture(self._http, url, self._hosts), url)

    @_names_the_remedy
    def preview_url(self, name: str, media_key: str = "") -> str | None:
        asset_id = images.asset_id_for(name, media_key)
        reply = self._image_reply(asset_id)
        if reply.code is None and self._document(reply) in (None, []):
            return None
        url = self._url_in(reply, asset_id)
        return url if is_picture_url(url, self._hosts) else None

    def examine(self, describe: Describe) -> Iterator[Step]:
        # At the kept number, whoever is signed in there: an examination reports what comes.
        start_pages = StartPageCache(
            self._transport, lambda: self._transport.start_page(self._credentials.account_index())
        )
        calls = Calls(self._flow_url, self._transport, start_pages)
        for step in Examination(start_pages, calls, self._http, self._hosts, describe).steps():
            error = step.error
            yield replace(step, error=self.remedy(error)) if isinstance(error, SignedOut) else step

    def cancelled_by(self, stop: threading.Event) -> AbstractContextManager[None]:
        return self._http.cancelled_by(stop)

    def remedy(self, error: SignedOut) -> SignedOut:
        """The error for a person whose sign-in has ended. It says what helps."""
        return error if isinstance(error, WaitingForBrowser) else self._transport.signed_out(error)

    def close(self) -> None:
        self._http.close()

    def _listing_page(self, token: str | None, seen: frozenset[str]) -> projects.ListingPage:
        reply = self._calls.call(projects.LISTING_CALL, projects.listing_arguments(token), MAX_LISTING_BYTES)
        if reply.code == INVALID:
            raise CursorRefused("Flow no longer accepts this position in the list of projects.")
        if reply.code is not None:
            raise self._calls.changed(f"the list of projects is refused ({reply.reason})", reply.reason)
        try:
            return projects.read_listing_page(self._document(reply), token, seen)
        except UnknownShape as error:
            raise self._calls.changed(str(error), reply.payload or "") from error

    def _project_page(
        self, project: RemoteProject, skipped: list[RemoteProject], next_cursor: str | None
    ) -> HistoryPage:
        """A project as a history page. If it is refused, the page says so, so that a walk can continue.

        ProjectFailed and FlowUnavailable carry a page of this kind, for the case that retries do not help.
        """

        def history_page(found: Contents) -> HistoryPage:
            return contents.history_page_of(project, found, skipped, next_cursor)

        arguments = contents.contents_arguments(project.id)
        try:
            reply = self._calls.call(contents.CONTENTS_CALL, arguments, MAX_RESPONSE_BYTES, is_about_one=True)
        except TooLarge:
            found = Contents(Reading.REFUSED, "its answer is too large")
        except (SourceClosed, UnusualActivity, SlowDown):
            raise  # these concern the whole profile, not this project
        except FlowUnavailable as error:
            error.page = history_page(Contents(Reading.REFUSED, "no answer"))
            raise
        else:
            found = self._contents(reply, project)
        if found.is_transient:
            raise ProjectFailed(f"Flow could not return a project ({found.failure}).", history_page(found))
        return self._with_cards_without_id(history_page(found))

    def _contents(self, reply: Reply, project: RemoteProject) -> Contents:
        """The contents of a project, or why they are refused."""
        if is_unauthenticated(reply):
            self.ping()  # raises SignedOut unless only this project is refused
        if reply.code == NOT_FOUND:
            return Contents(Reading.NOT_FOUND, "not found")
        if reply.code is not None or reply.http_code is not None:
            is_transient = reply.code in (EXHAUSTED, *TRANSIENT)
            return Contents(Reading.REFUSED, error_name(reply), is_transient=is_transient)
        try:
            return contents.read_contents(reply.payload, project, self._hosts)
        except UnknownShape as error:
            raise self._calls.changed(str(error), reply.payload or "") from error

    def _with_cards_without_id(self, page: HistoryPage) -> HistoryPage:
        """The page plus the listing's cards without an id, counted as unrecognised entries."""
        count = self._projects.take_without_id_count()
        if not count:
            return page
        ignored = Counter(page.ignored) + Counter({Reason.UNRECOGNISED: count})
        sample = page.sample or json.dumps({"card without an id": count})
        return replace(page, ignored=ignored, entry_count=page.entry_count + count, sample=sample)

    def _original_url(self, asset_id: str) -> str:
        return self._url_in(self._image_reply(asset_id), asset_id)

    def _image_reply(self, asset_id: str) -> Reply:
        try:
            return self._calls.call(images.IMAGE_CALL, [asset_id], MAX_RECORD_BYTES)
        except TooLarge as error:
            raise ImageRefused(str(error)) from error

    def _url_in(self, reply: Reply, asset_id: str) -> str:
        if reply.payload is None:
            raise images.refusal(reply)
        record = self._document(reply)
        url = images.original_url(record, asset_id, self._hosts)
        if url is not None:
            return url
        if images.is_video(record, asset_id):
            raise ImageRefused("This is a video. Flowshelf stores images only.")
        if record in (None, []):
            raise images.refusal(Reply(None))
        raise self._calls.changed("it holds no URL of an image", reply.payload)

    def _document(self, reply: Reply) -> object:
        if reply.payload is None:
            return None
        try:
            return JsonStream(reply.payload).value()
        except Unreadable as error:
            raise self._calls.changed(f"a payload cannot be read ({error})", reply.payload) from error
