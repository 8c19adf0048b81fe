"""Flow at flow.google.com: its projects and their images, as one profile sees them.

    start_page  what every call has to carry
    account     whom the cookies sign in
    calls       one call: asked, refused, asked again
    frames      the frame around its answer
    values      JSON read value by value
    projects    the listing, and places between projects
    media       what a project holds
    records     one record: its kind, and the image that it describes
    models      the numbers of models
    moments     times
    addresses   a fresh signed URL
    examination each call once, for a report
    outlines    payloads without their content

Only reading calls are made (PROTOCOL.md), as an ordinary program with the person's own cookies.
"""

import json
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import AbstractContextManager
from dataclasses import replace

from webapp.config import Config
from webapp.errors import (
    BadPicture,
    CursorRefused,
    FlowUnavailable,
    HistoryRefused,
    ImageRefused,
    ProjectFailed,
    SlowDown,
    SourceClosed,
    UnusualActivity,
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
from webapp.sources.flow_google import addresses, media, projects
from webapp.sources.flow_google.account import find_account
from webapp.sources.flow_google.calls import (
    EXHAUSTED,
    INVALID,
    NOT_FOUND,
    PASSING,
    Calls,
    is_unauthenticated,
    named,
)
from webapp.sources.flow_google.examination import Examination
from webapp.sources.flow_google.frames import Reply
from webapp.sources.flow_google.start_page import Start
from webapp.sources.flow_google.values import Unreadable, Values
from webapp.sources.http import MAX_RESPONSE_BYTES, USER_AGENT, HttpClient, TooLarge
from webapp.sources.signed_in import SignedInRequests
from webapp.sources.signed_urls import fetch_picture, is_picture_url

PROJECTS = "PROJECTS"
NO_PROJECTS = (
    "flow.google.com lists no projects for this account. If its pictures still show at "
    "https://labs.google/fx, Google has not moved it yet: paste the cookies of labs.google instead."
)
MAX_LISTING_BYTES = 16 * 1024 * 1024
MAX_ADDRESS_BYTES = 4 * 1024 * 1024


class FlowGoogleSource:
    """The service at flow.google.com as a `Source`. Errors name what happened and what to do, never a
    secret."""

    name = "flow.google.com"
    capabilities = Capabilities((PROJECTS,), PROJECTS, is_newest_first=False, empty_note=NO_PROJECTS)

    def __init__(self, config: Config, credentials: Credentials, stopping: threading.Event) -> None:
        self._hosts = config.all_picture_hosts
        user_agent = credentials.user_agent() or USER_AGENT
        self._http = HttpClient(stopping, config.timeout_seconds, user_agent=user_agent)
        requests = SignedInRequests(credentials, self._http, google_renewal)
        self._start = Start(requests, config.flow_url)
        self._calls = Calls(config.flow_url, requests, self._start)
        self._projects = projects.Projects(self._listing)

    def check(self) -> Account:
        return find_account(self._calls, self._start.fresh())

    def ping(self) -> None:
        self._listing(None, frozenset())

    def history_page(self, history: str, cursor: str | None, skips: Skips = read_all) -> HistoryPage:
        """All media of one project: the next one behind `cursor` that is not skipped."""
        if history != PROJECTS:
            raise HistoryRefused(f"flow.google.com has no history {history[:60]}, only projects.")
        passed: list[RemoteProject] = []
        for listing, project in self._projects.from_place(cursor):
            if skips(project):
                passed.append(project)
            else:
                return self._project(project, passed, self._projects.place_behind(listing, project))
        # Nothing stands behind the project that was read last: an end, unlike an account without any.
        last_id = projects.read_place(cursor)[1]
        names = tuple(project.id for project in passed) or ((last_id,) if last_id else ())
        return self._counted(HistoryPage(names=names, entry_count=len(names), passed=tuple(passed)))

    def project_page(self, project: RemoteProject) -> HistoryPage:
        return self._project(project, [], None)

    def fetch_image(self, name: str, media_key: str = "") -> FetchedImage:
        """The bytes of one image. A signed URL that has expired on the way is replaced by another, once."""
        asset_id = addresses.asset_of(name, media_key)
        url = self._address(asset_id)
        try:
            return FetchedImage(fetch_picture(self._http, url, self._hosts), url)
        except BadPicture:
            url = self._address(asset_id)
        return FetchedImage(fetch_picture(self._http, url, self._hosts), url)

    def preview_url(self, name: str, media_key: str = "") -> str | None:
        asset_id = addresses.asset_of(name, media_key)
        reply = self._address_reply(asset_id)
        if reply.code is None and self._document(reply) in (None, []):
            return None
        url = self._address_in(reply, asset_id)
        return url if is_picture_url(url, self._hosts) else None

    def examine(self, describe: Describe) -> Iterator[Step]:
        return Examination(self._start, self._calls, self._http, self._hosts, describe).steps()

    def cancelled_by(self, stop: threading.Event) -> AbstractContextManager[None]:
        return self._http.cancelled_by(stop)

    def close(self) -> None:
        self._http.close()

    def _listing(self, cursor: str | None, seen: frozenset[str]) -> projects.Listing:
        reply = self._calls.ask(projects.LISTING_CALL, projects.listing_arguments(cursor), MAX_LISTING_BYTES)
        if reply.code == INVALID:
            raise CursorRefused("Flow does not accept the place in the list of projects any more.")
        if reply.code is not None:
            raise self._calls.changed(f"the list of projects is refused ({reply.reason})", reply.reason)
        try:
            return projects.read_listing(self._document(reply), cursor, seen)
        except UnknownShape as error:
            raise self._calls.changed(str(error), reply.payload or "") from error

    def _project(
        self, project: RemoteProject, passed: list[RemoteProject], next_cursor: str | None
    ) -> HistoryPage:
        """What a project holds, or why it was not to be had: it must not keep a walk from those behind it.

        Raises ProjectFailed and FlowUnavailable for what may pass, with the page to go on with if it does
        not.
        """

        def refused(failure: str, reading: Reading = Reading.REFUSED) -> HistoryPage:
            return media.page_of(project, media.Contents(reading, failure), passed, next_cursor)

        arguments = media.media_arguments(project.id)
        try:
            reply = self._calls.ask(media.MEDIA_CALL, arguments, MAX_RESPONSE_BYTES, is_about_one=True)
        except TooLarge:
            return self._counted(refused("its answer is too large"))
        except (SourceClosed, UnusualActivity):
            raise
        except SlowDown:
            raise  # about the whole profile, whichever project it met
        except FlowUnavailable as error:
            error.page = refused("no answer")
            raise
        if is_unauthenticated(reply):
            self.ping()  # raises SignedOut when it is not about this project
        if reply.code in (EXHAUSTED, *PASSING):
            raise ProjectFailed(f"Flow fails with a project ({named(reply)}).", refused(named(reply)))
        if reply.code == NOT_FOUND:
            return self._counted(refused("not found", Reading.NOT_FOUND))
        if reply.code is not None or reply.http_code is not None:
            return self._counted(refused(named(reply)))
        try:
            contents = media.read_media(reply.payload, project, self._hosts)
        except UnknownShape as error:
            raise self._calls.changed(str(error), reply.payload or "") from error
        return self._counted(media.page_of(project, contents, passed, next_cursor))

    def _counted(self, page: HistoryPage) -> HistoryPage:
        """The page with the cards that had no id among its entries."""
        count = self._projects.take_odd_count()
        if not count:
            return page
        ignored = Counter(page.ignored) + Counter({Reason.UNRECOGNISED: count})
        sample = page.sample or json.dumps({"card without an id": count})
        return replace(page, ignored=ignored, entry_count=page.entry_count + count, sample=sample)

    def _address(self, asset_id: str) -> str:
        return self._address_in(self._address_reply(asset_id), asset_id)

    def _address_reply(self, asset_id: str) -> Reply:
        try:
            return self._calls.ask(addresses.ADDRESS_CALL, [asset_id], MAX_ADDRESS_BYTES)
        except TooLarge as error:
            raise ImageRefused(str(error)) from error

    def _address_in(self, reply: Reply, asset_id: str) -> str:
        if reply.payload is None:
            raise addresses.refusal(reply)
        record = self._document(reply)
        url = addresses.address_in(record, asset_id, self._hosts)
        if url is None and addresses.is_video(record):
            raise ImageRefused("This is a video, which Flowshelf does not keep.")
        if url is None and record in (None, []):
            raise addresses.refusal(Reply(None))
        if url is None:
            raise self._calls.changed("it names no address of an image", reply.payload)
        return url

    def _document(self, reply: Reply) -> object:
        if reply.payload is None:
            return None
        try:
            return Values(reply.payload).value()
        except Unreadable as error:
            raise self._calls.changed(f"a payload cannot be read ({error})", reply.payload) from error
