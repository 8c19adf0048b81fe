"""The examination of flow.google.com: its start page, its calls, and one picture."""

from collections.abc import Iterator, Mapping, Set

from webapp.errors import FlowChanged, SignedOut
from webapp.sources import Account, Describe, Reading, RemoteProject, Step
from webapp.sources.examination import (
    Examiner,
    Look,
    Seen,
    counted,
    image_counts,
    plural,
    reasons_counted,
    refusal_words,
)
from webapp.sources.fields import UnknownShape
from webapp.sources.flow_google import account, contents, images, projects
from webapp.sources.flow_google.calls import Calls, is_unauthenticated
from webapp.sources.flow_google.frames import Reply
from webapp.sources.flow_google.json_stream import Unreadable
from webapp.sources.flow_google.outlines import (
    contents_outline,
    document_of,
    listing_outline,
    response_outline,
)
from webapp.sources.flow_google.start_page import SIGNED_OUT, StartPage, fields_in
from webapp.sources.flow_google.start_page_cache import StartPageCache
from webapp.sources.http import MAX_RESPONSE_BYTES, HttpClient, Response
from webapp.sources.outline import outline
from webapp.sources.signed_urls import fetch_picture, is_picture_url

MAX_PROJECTS = 3
MAX_BYTES = 16 * 1024 * 1024
START = "start page (GET /)"
LISTING = f"list of projects ({projects.LISTING_CALL})"
PROJECT = f"a project ({contents.CONTENTS_CALL})"
URL = f"URL of an image ({images.IMAGE_CALL})"
PICTURE = "image file (GET)"
PERSON = f"e-mail ({account.PERSON_CALL})"
_NO_START = "calls need what the start page says"
_NO_PROJECT = "no project was listed"
_NO_IMAGE = "no image was found"
_NO_URL = "no URL on an allowed host was found"


class Examination:
    """One examination. Each step stores what the next ones need.

    The call for the e-mail comes last: it is known from a single client, and its refusal may look like the
    end of the session, which ends an examination.
    """

    def __init__(
        self,
        start_pages: StartPageCache,
        calls: Calls,
        http: HttpClient,
        picture_hosts: Set[str],
        describe: Describe,
    ) -> None:
        self._examiner = Examiner(http, response_outline)
        self._start_pages, self._calls, self._http = start_pages, calls, http
        self._hosts, self._describe = picture_hosts, describe
        self._page: StartPage | None = None
        self._has_listing = False
        self._projects: tuple[RemoteProject, ...] = ()
        self._has_records = False
        # Empty until a step has found it.
        self._asset_id = self._url = ""

    def steps(self) -> Iterator[Step]:
        yield self._examiner.step(START, self._look_at_start)
        yield self._call(LISTING, self._look_at_listing)
        yield from self._project_steps()
        yield self._call(URL, self._look_at_url, "" if self._asset_id else _NO_IMAGE)
        yield self._examiner.step(PICTURE, self._look_at_picture, "" if self._url else _NO_URL)
        yield self._call(PERSON, self._look_at_person)

    def _call(self, name: str, look: Look, lacking: str = "") -> Step:
        """A step that makes a call; skipped without a start page, which each call would fetch again."""
        has_start = self._page is not None or self._start_pages.cached() is not None
        return self._examiner.step(name, look, lacking if has_start else _NO_START)

    def _project_steps(self) -> Iterator[Step]:
        """The first listed projects, up to the first one that has records."""
        if not self._projects:
            yield self._call(PROJECT, self._look_at_listing, _NO_PROJECT)
        for project in self._projects[:MAX_PROJECTS]:
            if not self._has_records:
                yield self._project_step(project)

    def _project_step(self, project: RemoteProject) -> Step:
        return self._call(PROJECT, lambda responses: self._look_at_project(project, responses))

    def _look_at_start(self, responses: list[Response]) -> Seen:
        try:
            self._page = page = self._start_pages.fetch()
        except FlowChanged:
            if not responses:
                raise
            found = fields_in(responses[-1].text)
            return Seen(_names(found, True), f"not there: {_names(found, False)}", False, found)
        found, email = page.fields, page.email
        missing = _names(found, False)
        signed_in = "signed in" if email else "the next call tells whether somebody is signed in"
        return Seen(
            f"{_names(found, True)}; {signed_in}",
            f"missing, as it may be: {missing}" if missing else "",
            outline=found,
            account=Account(email[: account.MAX_EMAIL], "") if email else None,
        )

    def _look_at_listing(self, responses: list[Response]) -> Seen:
        reply = self._reply(projects.LISTING_CALL, projects.listing_arguments(None))
        if refusal := _refusal(reply):
            return Seen("", refusal, False, response_outline(responses))
        try:
            document = document_of(reply.payload)
            page = projects.read_listing_page(document, None)
        except Unreadable as error:
            return Seen("", f"its payload cannot be read ({error})", False)
        except UnknownShape as error:
            return Seen("", str(error), False, outline(document))
        self._has_listing, self._projects = True, page.projects
        more = "another page" if page.next_token else "no other page"
        without_id = page.without_id_count
        return Seen(
            f"signed in; {plural(len(page.projects), 'project', 'projects')}, {more}",
            plural(without_id, "card without an id", "cards without an id") if without_id else "",
            not without_id,
            listing_outline(document),
        )

    def _look_at_project(self, project: RemoteProject, responses: list[Response]) -> Seen:
        arguments = contents.contents_arguments(project.id)
        reply = self._reply(contents.CONTENTS_CALL, arguments, MAX_RESPONSE_BYTES)
        if refusal := _refusal(reply):
            return Seen("", refusal, False, response_outline(responses))
        try:
            found = contents.read_contents(reply.payload, project, self._hosts)
        except UnknownShape as error:
            return Seen("", str(error), False, _outline_of(reply))
        self._has_records = found.entry_count > 0
        own = [image for image in found.images if not image.is_ingredient]
        self._asset_id = next((image.media_key for image in [*own, *found.images]), "")
        is_well = found.reading in (Reading.READ, Reading.EMPTY)
        counts = f"{plural(found.record_count, 'record', 'records')}; {image_counts(found.images)}"
        ignored = reasons_counted(found.ignored)
        return Seen(f"{counts}{ignored}", counted(found.unknown), is_well, contents_outline(reply.payload))

    def _look_at_url(self, responses: list[Response]) -> Seen:
        reply = self._reply(images.IMAGE_CALL, [self._asset_id])
        if refusal := _refusal(reply):
            return Seen("", refusal, False, response_outline(responses))
        try:
            record = document_of(reply.payload)
        except Unreadable as error:
            return Seen("", f"its payload cannot be read ({error})", False)
        shown, url = outline(record), images.original_url(record, self._asset_id, self._hosts)
        if url is None:
            missing = "no URL of an original in its places" if record else "nothing there"
            return Seen("", missing, False, shown)
        if not is_picture_url(url, self._hosts):
            return Seen("a URL", "it is on a host that is not allowed", False, shown)
        self._url = url
        return Seen("the URL of an original", "", True, shown)

    def _look_at_picture(self, responses: list[Response]) -> Seen:
        return Seen(self._describe(fetch_picture(self._http, self._url, self._hosts)))

    def _look_at_person(self, responses: list[Response]) -> Seen:
        """A failure here counts only if the start page had no e-mail either."""
        known = self._page.email if self._page else ""
        try:
            reply = self._reply(account.PERSON_CALL, account.PERSON_ARGUMENTS)
        except SignedOut:
            if not self._has_listing:
                raise
            return Seen("", "refused as signed out, unlike the calls before", bool(known))
        if refusal := _refusal(reply):
            return Seen("", refusal, bool(known), response_outline(responses))
        shown = _outline_of(reply)
        try:
            email = account.email_in(document_of(reply.payload))
        except Unreadable:
            email = ""
        if not email:
            return Seen("", "no e-mail in its place", bool(known), shown)
        if not known:
            return Seen("an e-mail", "", True, shown, Account(email, ""))
        is_same = email.lower() == known.lower()
        unrecognised = "" if is_same else "it differs from that of the start page"
        return Seen(
            "the same e-mail as on the start page" if is_same else "an e-mail", unrecognised, is_same, shown
        )

    def _reply(self, rpc: str, arguments: list[object], max_bytes: int = MAX_BYTES) -> Reply:
        reply = self._calls.call(rpc, arguments, max_bytes, is_about_one=True)
        if rpc == projects.LISTING_CALL and is_unauthenticated(reply):
            raise SignedOut(SIGNED_OUT)
        return reply


def _names(fields: Mapping[str, bool], are_there: bool) -> str:
    return ", ".join(name for name, is_there in fields.items() if is_there is are_there)


def _refusal(reply: Reply) -> str:
    """A refusal in words, empty for a reply that is none."""
    if reply.code is None and reply.http_code is None:
        return ""
    return refusal_words(reply.code, reply.http_code, reply.reason)


def _outline_of(reply: Reply) -> object:
    try:
        return outline(document_of(reply.payload))
    except Unreadable:
        return None
