"""The examination of labs.google: the session, one page of a history, the key, and one image."""

from collections.abc import Callable, Iterator, Set
from dataclasses import dataclass

from webapp.errors import BadPicture, SignedOut
from webapp.sources import Describe, Reason, RemoteImage, Step
from webapp.sources.examination import (
    Examiner,
    Seen,
    image_counts,
    outline_of,
    plural,
    reasons_counted,
    refusal_words,
)
from webapp.sources.fields import UnknownShape
from webapp.sources.http import HttpClient, Response
from webapp.sources.labs import history_pages, media
from webapp.sources.labs.api_key import ApiKey
from webapp.sources.labs.session import SignIn
from webapp.sources.outline import outline
from webapp.sources.signed_urls import fetch_picture

# A page as small as it may be to show an image in spite of a video or two.
PAGE_SIZE = 6
SESSION = "sign-in (session)"
PAGE = f"a page of the history ({history_pages.DEFAULT_HISTORY})"
KEY = "API key (page and script)"
IMAGE = "an image (media)"
PICTURE = "picture"
_NO_IMAGE = "no image was met"
_NO_ADDRESS = "there is no address that Flowshelf asks"


@dataclass(frozen=True, slots=True)
class LabsCalls:
    """The calls of the source: `history` and `media` bring a response and more, `document` reads one of
    `media` and checks that it describes the image."""

    sign_in: SignIn
    api_key: ApiKey
    history: Callable[[str, str | None, int], tuple[Response, object, list[str]]]
    media: Callable[[str], tuple[Response, list[str]]]
    document: Callable[[Response, list[str], str], dict]


class LabsExamination:
    """One examination, which carries what one step found to the next."""

    def __init__(
        self, calls: LabsCalls, http: HttpClient, picture_hosts: Set[str], describe: Describe
    ) -> None:
        self._calls, self._http = calls, http
        self._hosts, self._describe = picture_hosts, describe
        self._examiner = Examiner(http, outline_of)
        self._image: RemoteImage | None = None
        self._document: dict | None = None

    def steps(self) -> Iterator[Step]:
        yield self._examiner.step(SESSION, self._look_at_session)
        yield self._examiner.step(PAGE, self._look_at_page)
        yield self._examiner.step(KEY, self._look_at_key)
        yield self._examiner.step(IMAGE, self._look_at_image, "" if self._image else _NO_IMAGE)
        yield self._examiner.step(PICTURE, self._look_at_picture, "" if self._document else _NO_ADDRESS)

    def _look_at_session(self, responses: list[Response]) -> Seen:
        account = self._calls.sign_in.account()
        email = "an e-mail" if account.email else "no e-mail"
        return Seen(f"signed in; an access token, {email}", outline=outline_of(responses), account=account)

    def _look_at_page(self, responses: list[Response]) -> Seen:
        _, document, _ = self._calls.history(history_pages.DEFAULT_HISTORY, None, PAGE_SIZE)
        try:
            page = history_pages.read_page(document, self._hosts)
        except UnknownShape as error:
            return Seen("", str(error), False, outline(document))
        self._image = next(iter(page.images), None)
        odd_count = page.ignored.get(Reason.UNRECOGNISED, 0)
        more = "another page" if page.next_cursor else "no other page"
        found = f"{plural(page.entry_count, 'entry', 'entries')}, {more}; {image_counts(page.images)}"
        return Seen(
            f"{found}{reasons_counted(page.ignored)}",
            plural(odd_count, "entry of no known kind", "entries of no known kind") if odd_count else "",
            not odd_count,
            outline(document),
        )

    def _look_at_key(self, responses: list[Response]) -> Seen:
        self._calls.api_key.key()
        return Seen("a key" if responses else "a key that is kept or given: nothing was asked")

    def _look_at_image(self, responses: list[Response]) -> Seen:
        name = self._image.name
        response, secrets = self._calls.media(name)
        if response.status != 200:
            refused = media.refusal(response, secrets)
            if isinstance(refused, SignedOut):
                raise refused
            words = refusal_words(None, response.status, media.error_word(response))
            return Seen("", words, False, outline_of(responses))
        self._document = self._calls.document(response, secrets, name)
        kind = "an upload" if "userUploadedImage" in self._document else "a generated image"
        return Seen(kind, outline=outline(self._document))

    def _look_at_picture(self, responses: list[Response]) -> Seen:
        """The bytes are inside of the response before, else behind the address in it."""
        content = media.image_bytes(self._document)
        if content is not None:
            count = plural(len(content), "byte", "bytes")
            return Seen(f"{self._describe(content)}, {count} inside of the response before")
        url = media.fife_url(self._document)
        if url is None:
            raise BadPicture("The response holds neither a picture nor an address.")
        return Seen(self._describe(fetch_picture(self._http, url, self._hosts)))
