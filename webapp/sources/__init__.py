"""The far side: what a service that keeps a person's images can be asked, in our words.

`Source` is the seam. Everything above it is written against this protocol and these frozen
values; the wire format stops in the modules beside this one.
"""

import re
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Protocol

from webapp.errors import FlowError

KIND_UPLOADED = "uploaded"
KIND_GENERATED = "generated"


# The shapes of Flow's pictures, in its words, as width by height.
ASPECT_RATIOS = {
    "IMAGE_ASPECT_RATIO_LANDSCAPE": 16 / 9,
    "IMAGE_ASPECT_RATIO_PORTRAIT": 9 / 16,
    "IMAGE_ASPECT_RATIO_SQUARE": 1.0,
    "IMAGE_ASPECT_RATIO_LANDSCAPE_FOUR_THREE": 4 / 3,
    "IMAGE_ASPECT_RATIO_PORTRAIT_THREE_FOUR": 3 / 4,
}


def aspect_ratio_of(width: int, height: int) -> str | None:
    """The nearest of Flow's five shapes, when it is within 3 % of width by height; None otherwise."""
    ratio = width / height
    name, exact = min(ASPECT_RATIOS.items(), key=lambda shape: abs(ratio / shape[1] - 1))
    return name if abs(ratio / exact - 1) <= 0.03 else None


_INVISIBLE = re.compile(r"[\s\u200b-\u200d\u2060\ufeff\u00ad]+")


def clean_name(name: str) -> str:
    """A name without white space and zero-width characters, which the service has been seen to put into
    it and does not expect back (labs/PROTOCOL.md, part 1)."""
    return _INVISIBLE.sub("", name)


class Reason(StrEnum):
    """Why a record of a history was not kept as an image."""

    VIDEO = "video"
    SOUND = "sound"
    NOT_READY = "not_ready"
    FAILED = "failed"
    UNRECOGNISED = "unrecognised"
    OTHER_PROFILE = "other_profile"


class Reading(StrEnum):
    """What came of asking for one project.

    READ: every record is of a kind we know. PARTLY: some are not. UNRECOGNISED: none is.
    EMPTY: a good answer without any record. REFUSED: no answer that could be read.
    NOT_FOUND: the service knows no such project.
    """

    READ = "read"
    PARTLY = "partly"
    UNRECOGNISED = "unrecognised"
    EMPTY = "empty"
    REFUSED = "refused"
    NOT_FOUND = "not_found"


@dataclass(frozen=True, slots=True)
class RemoteImage:
    """One usable image of a history page.

    `created_at` is in the form of `webapp.times.timestamp` (27 characters, UTC). It is None only
    for entries at the head of a page that have no readable time and none above them in the page:
    these take the time of the last entry of the page before.

    `is_ingredient`: another project shows it as a reference. What such a record says only fills in
    what is not known yet; title and archived come from the record in the image's own project.
    """

    name: str
    media_key: str
    workflow_id: str
    kind: str | None
    created_at: str | None
    aspect_ratio: str | None = None
    fife_url: str | None = None
    prompt: str | None = None
    model_name: str | None = None
    seed: int | None = None
    project_id: str | None = None
    title: str | None = None
    version: str | None = None
    is_archived: bool | None = None
    width: int | None = None
    height: int | None = None
    is_ingredient: bool = False


@dataclass(frozen=True, slots=True)
class RemoteProject:
    """A project as a listing shows it. `made_at` is when it was made; nothing shows when it changed."""

    id: str
    title: str
    made_at: str | None


@dataclass(frozen=True, slots=True)
class Capabilities:
    """What a source promises of its histories, by their names; `usual_history` is meant when none is named.

    `is_newest_first`: entries come in the order of their making across all pages, so that a walk may
    stop where it meets what is known. Otherwise pages stand beside each other, one for each project,
    and every one that may have changed is read; such a page may be empty.
    `empty_note` is what a person should know when there is nothing at all.
    """

    histories: tuple[str, ...]
    default_history: str
    is_newest_first: bool
    empty_note: str = ""

    @property
    def available(self) -> tuple[str, ...]:
        """All histories that can be asked for here."""
        return tuple(dict.fromkeys((self.default_history, *self.histories)))


@dataclass(frozen=True, slots=True)
class HistoryPage:
    """One response of a history, newest first, or all media of one `project`.

    `names` holds the names of all entries, ignored ones too, in order; `ignored` says how many were not
    kept, by the reason. `last_created_at` is the time of the last entry of any kind (None when no entry
    of the page has a readable time). `next_cursor` is None on the last page.

    For a source of projects: `passed` are the projects that the listing showed and that were not asked
    for, `reading` is what came of asking for `project`, `failure` says in a few words why it was not read.
    `sample` is the outline of a record that was not recognised, without any content.
    """

    images: tuple[RemoteImage, ...] = ()
    names: tuple[str, ...] = ()
    entry_count: int = 0
    ignored: Mapping[Reason, int] = field(default_factory=dict)
    last_created_at: str | None = None
    next_cursor: str | None = None
    project: RemoteProject | None = None
    passed: tuple[RemoteProject, ...] = ()
    reading: Reading | None = None
    failure: str = ""
    sample: str = ""

    @property
    def ignored_count(self) -> int:
        return sum(self.ignored.values())


@dataclass(frozen=True, slots=True)
class Account:
    """Whom a set of cookies signs in, as far as the service says.

    `email` and `key` may be empty. `key` is a hash of the account's number; either of the two alone tells
    accounts apart. `project_ids` are the newest projects of its listing, for when neither is known.
    """

    email: str
    name: str
    key: str = ""
    project_ids: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class FetchedImage:
    """The bytes of one image as the service sent them, whole but not yet looked at."""

    content: bytes
    fife_url: str | None = None


@dataclass(frozen=True, slots=True)
class Step:
    """One reading call of an examination, in words for a report that goes to strangers: what was asked,
    what came (statuses, kinds, sizes), and what of it was recognised and what was not.

    `outline` is that of the response (`webapp.sources.outline`). A step that was not asked is well. `account`
    is whom the cookies were found to sign in, `error` what ended the call; neither is for a report.
    """

    asked: str
    came: str
    recognised: str = ""
    unrecognised: str = ""
    is_well: bool = True
    is_asked: bool = True
    outline: object = None
    account: Account | None = field(default=None, repr=False)
    error: FlowError | None = field(default=None, repr=False)


Skips = Callable[[RemoteProject], bool]
Describe = Callable[[bytes], str]


def read_all(project: RemoteProject) -> bool:
    """Skips no project."""
    return False


class Credentials(Protocol):
    """The secrets of one profile, kept by whoever owns the database."""

    def cookies(self) -> dict[str, str]:
        """The cookies to send, by name."""

    def renew_cookies(self, sent: dict[str, str], renewed: dict[str, str], expire_at: str | None) -> None:
        """Keep `renewed` in place of `sent`; nothing happens when other cookies are kept by now.

        `expire_at` is in the form of `webapp.times`, None when the service does not say: then what was
        known stays.
        """

    def key(self) -> str | None:
        """The API key that was kept, if any."""

    def keep_key(self, key: str) -> None: ...


class Source(Protocol):
    """One profile's view of a service. Threads may share it.

    Every method may raise FlowUnavailable or SlowDown (safe to try again), SignedOut,
    AccountMoved and FlowChanged, beside what it names itself. Once it is closed or told to stop,
    each ends with FlowUnavailable, those under way too.
    """

    capabilities: Capabilities
    name: str
    """What a person calls the service, as in “flow.google.com”."""

    def check(self) -> Account:
        """Ask whom the cookies sign in."""

    def history_page(self, history: str, cursor: str | None, skips: Skips = read_all) -> HistoryPage:
        """One page of a history; `cursor` None is the head. A source of projects passes over those that
        `skips` says need not be read; the page is then that of the next one.

        Raises CursorRefused (for the head as well: then the service refuses the first page),
        HistoryRefused when it says that there is no such history. A source of projects also raises
        ProjectFailed; that and FlowUnavailable carry the page to go on with when trying again does not help.
        """

    def responses(self) -> None:
        """Ask for something small, to tell a service that is down from one that fails with a single project.

        Raises HistoryRefused where there are no projects.
        """

    def project_page(self, project: RemoteProject) -> HistoryPage:
        """All media of one project, whether or not a listing shows it; it has no next page.

        Raises HistoryRefused where there are no projects.
        """

    def fetch_image(self, name: str, media_key: str = "") -> FetchedImage:
        """The bytes of one image, by whichever of the two the service goes by.

        Raises ImageRefused, GoneUpstream, KeyRefused, BadPicture.
        """

    def preview_url(self, name: str, media_key: str = "") -> str | None:
        """A fresh signed URL of one image, None when the service has none."""

    def examine(self, describe: Describe) -> Iterator[Step]:
        """Make each reading call once, whatever became of those before, and say what came of it.

        Raises nothing that a Step can say. Signed out, or told of unusual activity, it asks nothing more.
        `describe` says kind and size of a picture by its bytes; it may raise BadPicture.
        """

    def until(self, stop: threading.Event) -> AbstractContextManager[None]:
        """What this thread asks inside of the block ends with SourceClosed as soon as `stop` is set."""

    def close(self) -> None:
        """Let go of connections; requests under way may fail. Idempotent."""
