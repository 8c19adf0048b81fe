"""The services that Flowshelf reads from, behind one protocol.

All other code uses `Source` and the frozen values below. The wire formats are known to the packages
`labs` and `flow_google` only.
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


# Flow's names for the aspect ratios of its pictures, as width divided by height.
ASPECT_RATIOS = {
    "IMAGE_ASPECT_RATIO_LANDSCAPE": 16 / 9,
    "IMAGE_ASPECT_RATIO_PORTRAIT": 9 / 16,
    "IMAGE_ASPECT_RATIO_SQUARE": 1.0,
    "IMAGE_ASPECT_RATIO_LANDSCAPE_FOUR_THREE": 4 / 3,
    "IMAGE_ASPECT_RATIO_PORTRAIT_THREE_FOUR": 3 / 4,
}


def aspect_ratio_of(width: int, height: int) -> str | None:
    """Flow's name for the nearest aspect ratio; None when none of the five is within 3 %."""
    ratio = width / height
    name, exact = min(ASPECT_RATIOS.items(), key=lambda known: abs(ratio / known[1] - 1))
    return name if abs(ratio / exact - 1) <= 0.03 else None


_INVISIBLE = re.compile(r"[\s\u200b-\u200d\u2060\ufeff\u00ad]+")


def clean_name(name: str) -> str:
    """Remove white space and zero-width characters. The service sometimes inserts them into a name, and does
    not accept them in a request (labs/PROTOCOL.md, part 1)."""
    return _INVISIBLE.sub("", name)


class Reason(StrEnum):
    """Why a record of a history was not stored as an image."""

    VIDEO = "video"
    SOUND = "sound"
    NOT_READY = "not_ready"
    FAILED = "failed"
    UNRECOGNISED = "unrecognised"
    OTHER_PROFILE = "other_profile"


class Reading(StrEnum):
    """How the request for one project ended.

    READ: every record is of a known kind. PARTLY: some are not. UNRECOGNISED: none is.
    EMPTY: a valid response without records. REFUSED: no readable response.
    NOT_FOUND: the service has no such project.
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

    `created_at` is in the form of `webapp.times.timestamp` (27 characters, UTC). An entry without a readable
    time takes that of the entry above it. It is None only at the head of a page, where nothing is
    above: such entries take the time of the last entry of the previous page.

    `is_ingredient`: the record comes from another project, which uses the image as a reference. It only
    fills in what is not known yet; title and archived come from the image's own project. `caption`: what
    Flow writes about an upload. It serves as the title while none is known.
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
    caption: str | None = None
    version: str | None = None
    is_archived: bool | None = None
    width: int | None = None
    height: int | None = None
    is_ingredient: bool = False


@dataclass(frozen=True, slots=True)
class RemoteProject:
    """A project as a listing shows it. `made_at` is when it was created; the time of its last change is not
    shown."""

    id: str
    title: str
    made_at: str | None


@dataclass(frozen=True, slots=True)
class Capabilities:
    """The histories that a source offers, by name, and how they are ordered.

    `default_history` is used when none is named. `is_newest_first`: entries are ordered by creation across
    all pages, so a walk may stop at the first known entry. Otherwise each page is one project and may be
    empty, and every project that may have changed is read. `empty_note` is shown to the person when there
    is nothing at all.
    """

    histories: tuple[str, ...]
    default_history: str
    is_newest_first: bool
    empty_note: str = ""

    @property
    def available(self) -> tuple[str, ...]:
        """All histories that can be requested from this source."""
        return tuple(dict.fromkeys((self.default_history, *self.histories)))


@dataclass(frozen=True, slots=True)
class HistoryPage:
    """One page of a history, newest first, or all media of one `project`.

    `names` holds the names of all entries in order, including ignored ones; `ignored` counts those by reason.
    `last_created_at` is the time of the last entry of any kind (None when no entry of the page has a
    readable time). `next_cursor` is None on the last page.

    For a source of projects: `passed` are the listed projects that were not requested, `reading` is how the
    request for `project` ended, and `failure` says in a few words why it was not read. `sample` is the
    outline of a record that was not recognised, without any content.
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
    """The account that a set of cookies belongs to, as far as the service shows it.

    `email` and `key` may be empty. `key` is a hash of the account's number; each of the two identifies the
    account. `project_ids` are the newest projects of its listing, to compare when neither is known.
    """

    email: str
    name: str
    key: str = ""
    project_ids: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class FetchedImage:
    """The bytes of one image as the service sent them: complete, but not checked to be a picture."""

    content: bytes
    fife_url: str | None = None


@dataclass(frozen=True, slots=True)
class Step:
    """One call of an examination, described for a report that a person may publish.

    `asked` says what was requested, `came` what was received (statuses, kinds, sizes). `recognised` and
    `unrecognised` say which parts of it Flowshelf knows and which it does not. `outline` is that of the
    response (`webapp.sources.outline`). `is_well` is also true for a step that was not made (`is_asked`
    False). `account` is the one that the cookies belong to, `error` the failure of the call; neither goes
    into a report.
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
    """The `Skips` that skips no project."""
    return False


class Credentials(Protocol):
    """Access to the stored secrets of one profile, implemented by the code that uses the database.

    `is_live`: the cookies are those that a browser uses at this moment. It keeps them alive by itself, so
    what responses renew is ignored: two programs that renew one session end it. They are of flow.google.com.
    """

    @property
    def is_live(self) -> bool: ...

    def refresh(self) -> None:
        """Called before a start page is fetched: live cookies are read again, so that it gets the newest.

        Until the next call `cookies` returns the same. Raises SignedOut if the browser has none.
        """

    def cookies(self) -> dict[str, str]:
        """The cookies to send, by name."""

    def renew_cookies(self, sent: dict[str, str], renewed: dict[str, str], expire_at: str | None) -> None:
        """Replace the cookies `sent` by `renewed`, unless others than `sent` are stored by now.

        `expire_at` is in the form of `webapp.times`; None keeps the stored value.
        """

    def user_agent(self) -> str | None:
        """The user agent of the browser that the cookies were copied from, if the paste named it."""

    def account_index(self) -> int | None:
        """The N of `/u/N/` where the account was last found; None stands for the first account."""

    def set_account_index(self, index: int) -> None: ...

    def expected_account(self) -> Account | None:
        """The account that the profile belongs to; None when any account will do."""

    def key(self) -> str | None:
        """The stored API key, if any."""

    def set_key(self, key: str) -> None: ...


class Source(Protocol):
    """One profile's access to a service. Thread-safe.

    Every method may raise FlowUnavailable (with its subclasses), SignedOut, AccountMoved and FlowChanged, and
    the errors in its own docstring. After `close`, or once the program stops, all calls raise SourceClosed,
    including those under way.
    """

    capabilities: Capabilities
    name: str
    """The service's name for a person, such as “flow.google.com”."""

    def check(self) -> Account:
        """Find out which account the cookies belong to."""

    def history_page(self, history: str, cursor: str | None, skips: Skips = read_all) -> HistoryPage:
        """Read one page of a history; `cursor` None is the first page. A source of projects skips those for
        which `skips` returns True, and reads the first project that is left.

        Raises CursorRefused (also when the service refuses the first page) and HistoryRefused when there is
        no such history. A source of projects also raises ProjectFailed. The `page` of a ProjectFailed or
        FlowUnavailable records the project as unreadable: the walk goes on with it after the last try.
        """

    def ping(self) -> None:
        """Make a small request, to find out whether the service is down or only one project fails.

        Raises HistoryRefused where there are no projects.
        """

    def project_page(self, project: RemoteProject) -> HistoryPage:
        """Read all media of one project, listed or not. The page has no next one.

        Raises HistoryRefused where there are no projects.
        """

    def fetch_image(self, name: str, media_key: str = "") -> FetchedImage:
        """Fetch the bytes of one image, by the name or the media key, whichever the service uses.

        Raises ImageRefused, GoneUpstream, KeyRefused, BadPicture.
        """

    def preview_url(self, name: str, media_key: str = "") -> str | None:
        """Request a new signed URL of one image; None when the service has none."""

    def examine(self, describe: Describe) -> Iterator[Step]:
        """Make each kind of reading call once and describe the results.

        A failed call becomes a Step and does not prevent the next ones, except SignedOut and UnusualActivity,
        after which no request is made. `describe` returns kind and size of a picture given its bytes; it may
        raise BadPicture.
        """

    def cancelled_by(self, stop: threading.Event) -> AbstractContextManager[None]:
        """Inside the block, requests of this thread end with SourceClosed as soon as `stop` is set."""

    def close(self) -> None:
        """Close all connections. Idempotent."""
