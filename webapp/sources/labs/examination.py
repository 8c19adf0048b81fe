"""The examination of labs.google: the session, one history page, the key, and one image."""

from collections.abc import Callable, Iterator, Set
from dataclasses import dataclass

from webapp.errors import BadPicture, SignedOut
from webapp.sources import Describe, Reason, Step
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
from webapp.sources.labs import history_pages, images
from webapp.sources.labs.access_token import AccessTokenCache
from webapp.sources.labs.api_key import ApiKeyCache
from webapp.sources.outline import outline
from webapp.sources.signed_urls import fetch_picture

# Small, but large enough that an image is likely among a video or two.
PAGE_SIZE = 6
SESSION = "sign-in (session)"
HISTORY_PAGE = f"a page of the history ({history_pages.DEFAULT_HISTORY})"
KEY = "API key (page and script)"
IMAGE = "an image (media)"
PICTURE = "image file"
_NO_IMAGE = "no image was found"
_NO_DOCUMENT = "the image was not described"


@dataclass(frozen=True, slots=True)
class LabsCalls:
    """The calls of the source that an examination makes.

    `history` and `image` return a response and the secrets sent for it; `document` reads a response of
    `image` and checks that it describes the image.
    """

    access_tokens: AccessTokenCache
    api_keys: ApiKeyCache
    history: Callable[[str, str | None, int], tuple[Response, object, list[str]]]
    image: Callable[[str], tuple[Response, list[str]]]
    document: Callable[[Response, list[str], str], dict[str, object]]


class Examination:
    """One examination. Each step stores what the next ones need."""

    def __init__(
        self, calls: LabsCalls, http: HttpClient, picture_hosts: Set[str], describe: Describe
    ) -> None:
        self._calls, self._http = calls, http
        self._hosts, self._describe = picture_hosts, describe
        self._examiner = Examiner(http, outline_of)
        # Empty until a step has found it.
        self._name = ""
        self._document: dict[str, object] = {}

    def steps(self) -> Iterator[Step]:
        yield self._examiner.step(SESSION, self._look_at_session)
        yield self._examiner.step(HISTORY_PAGE, self._look_at_history_page)
        yield self._examiner.step(KEY, self._look_at_key)
        yield self._examiner.step(IMAGE, self._look_at_image, "" if self._name else _NO_IMAGE)
        yield self._examiner.step(PICTURE, self._look_at_picture, "" if self._document else _NO_DOCUMENT)

    def _look_at_session(self, responses: list[Response]) -> Seen:
        account = self._calls.access_tokens.account()
        email = "an e-mail" if account.email else "no e-mail"
        return Seen(f"signed in; an access token, {email}", outline=outline_of(responses), account=account)

    def _look_at_history_page(self, responses: list[Response]) -> Seen:
        _, document, _ = self._calls.history(history_pages.DEFAULT_HISTORY, None, PAGE_SIZE)
        try:
            page = history_pages.read_history_page(document, self._hosts)
        except UnknownShape as error:
            return Seen("", str(error), False, outline(document))
        self._name = next((image.name for image in page.images), "")
        unrecognised_count = page.ignored.get(Reason.UNRECOGNISED, 0)
        more = "another page" if page.next_cursor else "no other page"
        found = f"{plural(page.entry_count, 'entry', 'entries')}, {more}; {image_counts(page.images)}"
        unrecognised = plural(unrecognised_count, "entry of no known kind", "entries of no known kind")
        return Seen(
            f"{found}{reasons_counted(page.ignored)}",
            unrecognised if unrecognised_count else "",
            not unrecognised_count,
            outline(document),
        )

    def _look_at_key(self, responses: list[Response]) -> Seen:
        self._calls.api_keys.key()
        return Seen("a key" if responses else "a key that was stored or set before: nothing was asked")

    def _look_at_image(self, responses: list[Response]) -> Seen:
        response, secrets = self._calls.image(self._name)
        if response.status != 200:
            refused = images.refusal(response, secrets)
            if isinstance(refused, SignedOut):
                raise refused
            words = refusal_words(None, response.status, images.error_word(response))
            return Seen("", words, False, outline_of(responses))
        self._document = self._calls.document(response, secrets, self._name)
        kind = "an upload" if "userUploadedImage" in self._document else "a generated image"
        return Seen(kind, outline=outline(self._document))

    def _look_at_picture(self, responses: list[Response]) -> Seen:
        """The picture is inside the response before, or else behind the URL in it."""
        content = images.picture_bytes(self._document)
        if content is not None:
            count = plural(len(content), "byte", "bytes")
            return Seen(f"{self._describe(content)}, {count} inside of the response before")
        url = images.fife_url(self._document)
        if url is None:
            raise BadPicture("The response holds neither an image nor a URL of one.")
        return Seen(self._describe(fetch_picture(self._http, url, self._hosts)))
