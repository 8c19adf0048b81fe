"""Every failure that we expect and can explain, as one tree of exceptions.

    FlowshelfError                      a sentence for the person, a stable code, an HTTP status
    ├── BadRequest                      400 bad_request    the request itself makes no sense
    │   ├── BadPath                     400 bad_path       a folder outside the allowed roots
    │   └── BadCookies                  400 bad_cookies    the pasted text holds no usable session
    ├── SignInNeeded                    401 sign_in        the browser has not signed in
    │   ├── WrongCode                   401 sign_in
    │   └── GuestLinkOff                401 sign_in        the owner has turned the guest link off
    ├── PairingRefused                  401 pairing_refused    a signed request of an extension is not valid
    │   └── ClockOff                    401 pairing_refused    ... because its time is not ours
    ├── Locked                          429 locked         too many wrong codes from this address
    ├── Forbidden                       403 forbidden
    │   └── CodeNeeded                  403 forbidden      the owner's code was not typed for a while
    ├── UnknownProfile / UnknownImage / UnknownRun / UnknownExport / UnknownCollection / UnknownPairing /
    │   UnknownFirefox                 404
    │   └── RunEnded                    404 unknown_run    paused or removed while its thread was working
    ├── Busy                            409 busy           one sync run per profile at a time
    ├── Overloaded                      503 busy           too many waiting calls, or shutting down
    │   └── DatabaseLocked              503 busy           another program has locked the database; passes
    ├── Paused / Cancelled              409                how the run ended that the caller waited for
    ├── OtherAccount / AccountExists    409                one profile per account
    ├── CollectionExists                409 collection_exists  another collection has this title
    ├── DiskFull                        507 disk_full
    ├── FolderGone                      409 folder_gone    the storage root is missing or not writable
    ├── BadDatabase                     500 bad_database   not a Flowshelf database
    │   ├── DamagedDatabase             500 bad_database
    │   └── NewerDatabase               500 newer_database written by a later Flowshelf
    └── FlowError                       502 flow_error     Flow responded, but not usefully
        ├── FlowUnavailable             503 flow_unavailable   no response, or a failure that passes
        │   ├── SlowDown                503 flow_unavailable   Flow asks the whole profile to slow down
        │   ├── UnusualActivity         503 flow_unavailable   Google suspects a bot: pause for an hour
        │   └── SourceClosed            503 flow_unavailable   the connection was closed on our side
        ├── FlowChanged                 502 flow_changed   a response of an unknown shape
        ├── SignedOut                   409 waiting_for_cookies
        │   ├── AccountNotSignedIn      409 waiting_for_cookies    others are signed in, but not this one
        │   ├── FirefoxSignedOut        409 waiting_for_cookies    a Firefox on this machine is not signed in
        │   └── WaitingForBrowser       409 waiting_for_browser    the paired browser is closed
        │       └── SignedOutBrowser    409 waiting_for_browser    the account is not signed in there
        ├── AccountMoved                409 moved          the account is at flow.google.com now
        ├── ProjectFailed               502 flow_error     a failure of one project; may pass
        ├── KeyRefused                  502 flow_error     the API key is wrong, blocked or not found
        ├── HistoryEmpty                502 history_empty
        ├── HistoryRefused              502 flow_error     Flow does not offer this history
        ├── CircularHistory             502 flow_error     Flow repeats its pages
        ├── CursorRefused               400 cursor_refused
        ├── BadPicture                  502 flow_error     truncated bytes, or not a picture; may pass
        └── ImageRefused                502 flow_error     permanent for this image
            └── GoneUpstream            409 gone_upstream

What a failure means is stated here once, by two attributes of its class: `scope` is what it concerns, and
`is_transient` whether the same call may succeed later without anybody doing anything. The retry policy,
the throttle and the download rules decide by these.

The text of an error may quote Flow but never holds a secret: whoever raises one passes quotations through
`webapp.sources.http.redacted`.
"""

from enum import Enum, auto


class Scope(Enum):
    """What a failure concerns, and so which other calls would fail in the same way."""

    REQUEST = auto()  # one image, project or command
    PROFILE = auto()  # the profile's cookies, key or account: all its calls, until a person acts
    SERVICE = auto()  # the service as a whole: all calls of the profile, until the service recovers
    DISK = auto()  # the folder, disk or database that is written to: all runs, until a person acts
    LOCK = auto()  # the database, while another program has locked it: nothing has failed
    CONNECTION = auto()  # nothing: we closed the connection ourselves while the call was under way


class FlowshelfError(Exception):
    """A failure that we expect and can explain; `str(error)` is the sentence for the person."""

    code = "error"
    http_status = 500
    scope = Scope.REQUEST
    is_transient = False

    def __init__(self, sentence: str) -> None:
        super().__init__(sentence)


class BadRequest(FlowshelfError):
    code, http_status = "bad_request", 400


class BadPath(BadRequest):
    code = "bad_path"


class BadCookies(BadRequest):
    code = "bad_cookies"


class SignInNeeded(FlowshelfError):
    code, http_status = "sign_in", 401


class WrongCode(SignInNeeded):
    pass


class GuestLinkOff(SignInNeeded):
    """A guest's code or session, while the owner has turned the guest link off."""


class PairingRefused(FlowshelfError):
    """A browser's extension is not paired, or its request is not signed as it should be."""

    code, http_status = "pairing_refused", 401


class ClockOff(PairingRefused):
    """The time of a signed request is not of this minute."""


class Locked(FlowshelfError):
    """Too many wrong codes came from this address; `retry_after_seconds` is how long it has to wait."""

    code, http_status = "locked", 429

    def __init__(self, sentence: str, retry_after_seconds: int = 0) -> None:
        super().__init__(sentence)
        self.retry_after_seconds = retry_after_seconds


class Forbidden(FlowshelfError):
    code, http_status = "forbidden", 403


class CodeNeeded(Forbidden):
    """The owner is signed in, but has to type the code for this."""


class OutsidePrefix(FlowshelfError):
    """A request for a path that is not under FLOWSHELF_PREFIX."""

    code, http_status = "not_found", 404


class UnknownProfile(FlowshelfError):
    code, http_status = "unknown_profile", 404


class UnknownImage(FlowshelfError):
    code, http_status = "unknown_image", 404


class UnknownRun(FlowshelfError):
    code, http_status = "unknown_run", 404


class RunEnded(UnknownRun):
    """The run was paused, or its profile removed, while a thread was working for it."""


class UnknownPairing(FlowshelfError):
    code, http_status = "unknown_pairing", 404


class UnknownCollection(FlowshelfError):
    code, http_status = "unknown_collection", 404


class UnknownExport(FlowshelfError):
    code, http_status = "unknown_export", 404


class UnknownFirefox(FlowshelfError):
    """No such profile or container of a Firefox on this machine."""

    code, http_status = "unknown_firefox", 404


class Busy(FlowshelfError):
    """Another run is under way; `run_id` names it."""

    code, http_status = "busy", 409

    def __init__(self, sentence: str, run_id: str | None = None) -> None:
        super().__init__(sentence)
        self.run_id = run_id


class Overloaded(FlowshelfError):
    code, http_status = "busy", 503


class DatabaseLocked(Overloaded):
    """Another program has locked the database for longer than we wait for it."""

    scope = Scope.LOCK
    is_transient = True


class Paused(FlowshelfError):
    code, http_status = "paused", 409


class Cancelled(FlowshelfError):
    code, http_status = "cancelled", 409


class OtherAccount(FlowshelfError):
    """The cookies belong to another account than the profile."""

    code, http_status = "other_account", 409
    scope = Scope.PROFILE


class CollectionExists(FlowshelfError):
    """Another collection has this title."""

    code, http_status = "collection_exists", 409


class AccountExists(FlowshelfError):
    """Another profile holds this account already; `profile_id` is that profile, where known."""

    code, http_status = "account_exists", 409
    scope = Scope.PROFILE

    def __init__(self, sentence: str, profile_id: str | None = None) -> None:
        super().__init__(sentence)
        self.profile_id = profile_id


class DiskFull(FlowshelfError):
    code, http_status = "disk_full", 507
    scope = Scope.DISK


class FolderGone(FlowshelfError):
    code, http_status = "folder_gone", 409
    scope = Scope.DISK


class BadDatabase(FlowshelfError):
    code = "bad_database"
    scope = Scope.DISK


class DamagedDatabase(BadDatabase):
    pass


class NewerDatabase(BadDatabase):
    code = "newer_database"


class FlowError(FlowshelfError):
    """Flow responded, but not usefully."""

    code, http_status = "flow_error", 502


class FlowUnavailable(FlowError):
    """No response, or a failure of the service that passes.

    `retry_after_seconds` is the pause that Flow asked for, None when it asked for none. `page` is set
    when the call was about a single project: the history page that records that project as unreadable.
    """

    code, http_status = "flow_unavailable", 503
    scope = Scope.SERVICE
    is_transient = True
    page: object = None

    def __init__(self, sentence: str, retry_after_seconds: float | None = None) -> None:
        super().__init__(sentence)
        self.retry_after_seconds = retry_after_seconds


class SlowDown(FlowUnavailable):
    """Flow asks for fewer requests: the whole profile slows down, not one thread."""


class UnusualActivity(FlowUnavailable):
    """Google suspects automated traffic: the profile makes no request for a while, and nothing has failed."""

    def __init__(self, retry_after_seconds: float) -> None:
        super().__init__(
            "Google noticed unusual activity, so Flowshelf sends no requests for an hour and then resumes by "
            "itself. Use Flow in the browser for a while; nothing is lost and nothing has failed.",
            retry_after_seconds,
        )


class SourceClosed(FlowUnavailable):
    """The connection was closed under the call, because new cookies came or the program stops."""

    scope = Scope.CONNECTION
    is_transient = False


class FlowChanged(FlowError):
    """A response of an unknown shape; `sample` is a redacted excerpt for a report."""

    code = "flow_changed"

    def __init__(self, sentence: str, sample: str = "") -> None:
        super().__init__(sentence)
        self.sample = sample


class SignedOut(FlowError):
    """The cookies are no longer valid."""

    code, http_status = "waiting_for_cookies", 409
    scope = Scope.PROFILE


class AccountNotSignedIn(SignedOut):
    """Others are signed in, but not the profile's account."""


class WaitingForBrowser(SignedOut):
    """The paired browser does not ask for calls: it is closed, or paused. It goes on when it is back."""

    code = "waiting_for_browser"


class SignedOutBrowser(WaitingForBrowser):
    """The paired browser is there, but not signed in to the profile's account."""


class FirefoxSignedOut(SignedOut):
    """The Firefox on this machine that a profile reads has no sign-in, or its files cannot be read."""


class AccountMoved(FlowError):
    """Google has moved the account to flow.google.com, which needs other cookies."""

    code, http_status = "moved", 409
    scope = Scope.PROFILE


class ProjectFailed(FlowError):
    """The service works, but fails to deliver one project. It may succeed later.

    `page` is the history page that records this project as refused.
    """

    is_transient = True

    def __init__(self, sentence: str, page: object) -> None:
        super().__init__(sentence)
        self.page = page


class KeyRefused(FlowError):
    """The API key is wrong, blocked or not found."""

    scope = Scope.PROFILE


class HistoryEmpty(FlowError):
    code = "history_empty"


class HistoryRefused(FlowError):
    """Flow does not offer this history for this account."""


class CircularHistory(FlowError):
    """Flow returns history pages that the walk has visited already."""


class CursorRefused(FlowError):
    code, http_status = "cursor_refused", 400


class BadPicture(FlowError):
    """The bytes are truncated or not a picture. The next try may deliver them whole."""

    is_transient = True


class NoThumbnail(FlowshelfError):
    """A picture that is whole, but takes more memory to decode than there is for it."""


class ImageRefused(FlowError):
    """Flow refuses this image permanently."""


class GoneUpstream(ImageRefused):
    code, http_status = "gone_upstream", 409


def scope_of(error: BaseException) -> Scope:
    """What a failure concerns; an unexpected exception concerns its own call only."""
    return error.scope if isinstance(error, FlowshelfError) else Scope.REQUEST


def error_of(code: str, sentence: str) -> FlowshelfError:
    """Rebuild an error from its stored code and sentence. Where classes share a code, it becomes the first of
    them in the tree."""
    classes = {error_class.code: error_class for error_class in reversed(_classes(FlowshelfError))}
    return classes.get(code, FlowshelfError)(sentence)


def _classes(error_class: type[FlowshelfError]) -> list[type[FlowshelfError]]:
    """A class and all its subclasses, depth first."""
    classes = [error_class]
    for subclass in error_class.__subclasses__():
        classes += _classes(subclass)
    return classes
