"""The examination of flow.google.com: its start page, its calls, and one picture."""

from collections.abc import Iterator, Mapping, Set

from webapp.errors import FlowChanged, SignedOut
from webapp.sources import Account, Describe, Reading, RemoteImage, RemoteProject, Step
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
from webapp.sources.flow_google import account, addresses, media, projects
from webapp.sources.flow_google.calls import Calls, is_unauthenticated
from webapp.sources.flow_google.frames import Reply
from webapp.sources.flow_google.outlines import (
    contents_outline,
    document_of,
    listing_outline,
    response_outline,
)
from webapp.sources.flow_google.start_page import SIGNED_OUT, Start, StartPage, fields_in
from webapp.sources.flow_google.values import Unreadable
from webapp.sources.http import MAX_RESPONSE_BYTES, HttpClient, Response
from webapp.sources.outline import outline
from webapp.sources.signed_urls import fetch_picture, is_picture_url

MAX_PROJECTS = 3
LIMIT_BYTES = 16 * 1024 * 1024
START = "start page (GET /)"
LISTING = f"list of projects ({projects.LISTING_CALL})"
PROJECT = f"a project ({media.MEDIA_CALL})"
ADDRESS = f"address of an image ({addresses.ADDRESS_CALL})"
PICTURE = "picture (GET)"
PERSON = f"e-mail ({account.PERSON_CALL})"
_NO_START = "calls need what the start page says"
_NO_PROJECT = "no project was listed"
_NO_IMAGE = "no image was met"
_NO_ADDRESS = "there is no address that Flowshelf asks"


class Examination:
    """One examination, which carries what one step found to the next.

    The call for the e-mail comes last: it is known from a single client, and a refusal of it could be taken
    for the end of the sign-in.
    """

    def __init__(
        self, start: Start, calls: Calls, http: HttpClient, picture_hosts: Set[str], describe: Describe
    ) -> None:
        self._examiner = Examiner(http, response_outline)
        self._start, self._calls, self._http = start, calls, http
        self._hosts, self._describe = picture_hosts, describe
        self._page: StartPage | None = None
        self._has_listing = False
        self._projects: tuple[RemoteProject, ...] = ()
        self._image: RemoteImage | None = None
        self._has_records = False
        self._url: str | None = None

    def steps(self) -> Iterator[Step]:
        yield self._examiner.step(START, self._look_at_start)
        yield self._call(LISTING, self._look_at_listing)
        yield from self._project_steps()
        yield self._call(ADDRESS, self._look_at_address, "" if self._image else _NO_IMAGE)
        yield self._examiner.step(PICTURE, self._look_at_picture, "" if self._url else _NO_ADDRESS)
        yield self._call(PERSON, self._look_at_person)

    def _call(self, asked: str, look: Look, lacking: str = "") -> Step:
        """Without a start page no call is made: each would ask for that page again."""
        has_start = self._page is not None or self._start.known() is not None
        return self._examiner.step(asked, look, lacking if has_start else _NO_START)

    def _project_steps(self) -> Iterator[Step]:
        """Up to the first project that has records, of the first ones listed."""
        if not self._projects:
            yield self._call(PROJECT, self._look_at_listing, _NO_PROJECT)
        for project in self._projects[:MAX_PROJECTS]:
            if not self._has_records:
                yield self._call(
                    PROJECT, lambda responses, project=project: self._look_at_project(project, responses)
                )

    def _look_at_start(self, responses: list[Response]) -> Seen:
        try:
            self._page = self._start.fresh()
        except FlowChanged:
            if not responses:
                raise
            found = fields_in(responses[-1].text)
            return Seen(_names(found, True), f"not there: {_names(found, False)}", False, found)
        found, email = self._page.fields, self._page.email
        missing = _names(found, False)
        signed_in = "signed in" if email else "the next call tells whether somebody is signed in"
        return Seen(
            f"{_names(found, True)}; {signed_in}",
            f"missing, as it may be: {missing}" if missing else "",
            outline=found,
            account=Account(email[: account.MAX_EMAIL], "") if email else None,
        )

    def _look_at_listing(self, responses: list[Response]) -> Seen:
        reply = self._ask(projects.LISTING_CALL, projects.listing_arguments(None))
        if refusal := _refusal(reply):
            return Seen("", refusal, False, response_outline(responses))
        try:
            document = document_of(reply.payload)
            listing = projects.read_listing(document, None)
        except Unreadable as error:
            return Seen("", f"its payload cannot be read ({error})", False)
        except UnknownShape as error:
            return Seen("", str(error), False, outline(document))
        self._has_listing, self._projects = True, listing.projects
        more = "another page" if listing.next_cursor else "no other page"
        count, odd_count = len(listing.projects), listing.odd_count
        return Seen(
            f"signed in; {plural(count, 'project', 'projects')}, {more}",
            plural(odd_count, "card without an id", "cards without an id") if odd_count else "",
            not odd_count,
            listing_outline(document),
        )

    def _look_at_project(self, project: RemoteProject, responses: list[Response]) -> Seen:
        reply = self._ask(media.MEDIA_CALL, media.media_arguments(project.id), MAX_RESPONSE_BYTES)
        if refusal := _refusal(reply):
            return Seen("", refusal, False, response_outline(responses))
        try:
            contents = media.read_media(reply.payload, project, self._hosts)
        except UnknownShape as error:
            return Seen("", str(error), False, _outline_of(reply))
        self._has_records = contents.entry_count > 0
        own = [image for image in contents.images if not image.is_ingredient]
        self._image = next(iter([*own, *contents.images]), None)
        is_well = contents.reading in (Reading.READ, Reading.EMPTY)
        found = f"{plural(contents.record_count, 'record', 'records')}; {image_counts(contents.images)}"
        ignored = reasons_counted(contents.ignored)
        unknown = counted(contents.unknown)
        return Seen(f"{found}{ignored}", unknown, is_well, contents_outline(reply.payload))

    def _look_at_address(self, responses: list[Response]) -> Seen:
        asset_id = addresses.asset_of(self._image.name, self._image.media_key)
        reply = self._ask(addresses.ADDRESS_CALL, [asset_id])
        if refusal := _refusal(reply):
            return Seen("", refusal, False, response_outline(responses))
        try:
            record = document_of(reply.payload)
        except Unreadable as error:
            return Seen("", f"its payload cannot be read ({error})", False)
        shown, url = outline(record), addresses.address_in(record, asset_id, self._hosts)
        if url is None:
            empty = "nothing there" if not record else "no address of an original in its places"
            return Seen("", empty, False, shown)
        if not is_picture_url(url, self._hosts):
            return Seen("an address", "it is at a host that Flowshelf does not ask", False, shown)
        self._url = url
        return Seen("the address of an original", "", True, shown)

    def _look_at_picture(self, responses: list[Response]) -> Seen:
        return Seen(self._describe(fetch_picture(self._http, self._url, self._hosts)))

    def _look_at_person(self, responses: list[Response]) -> Seen:
        """What goes wrong here matters only where the page tells no e-mail either."""
        known = self._page.email if self._page else ""
        try:
            reply = self._ask(account.PERSON_CALL, account.PERSON_ARGUMENTS)
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
        unrecognised = "" if is_same else "it is another than that of the start page"
        return Seen(
            "the same e-mail as on the start page" if is_same else "an e-mail", unrecognised, is_same, shown
        )

    def _ask(self, rpc: str, arguments: list, limit_bytes: int = LIMIT_BYTES) -> Reply:
        reply = self._calls.ask(rpc, arguments, limit_bytes, is_about_one=True)
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
