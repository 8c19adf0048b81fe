"""Everything that can go wrong in a way we expect and can explain, as one tree.

    FlowshelfError                      a sentence for the person, a stable code, an HTTP status
    ├── BadRequest                      400 bad_request    the request itself makes no sense
    │   ├── BadPath                     400 bad_path       a folder outside the allowed roots
    │   └── BadCookies                  400 bad_cookies    pasted text that holds no usable session
    ├── SignInNeeded                    401 sign_in        nobody knows who asks
    │   └── WrongCode                   401 sign_in
    ├── Locked                          429 locked         too many wrong codes from this address
    ├── Forbidden                       403 forbidden
    ├── UnknownProfile / UnknownImage / UnknownRun / UnknownExport   404
    │   └── RunEnded                    404 unknown_run    paused or removed under its thread
    ├── Busy                            409 busy           one sync run per profile at a time
    ├── Overloaded                      503 busy           too many waiting calls, or shutting down
    ├── Paused / Cancelled              409                the run that was waited for ended so
    ├── OtherAccount / AccountExists    409                one profile per account
    ├── DiskFull                        507 disk_full
    ├── FolderGone                      409 folder_gone    the storage root is not there, or not writable
    ├── BadDatabase                     500 bad_database   damaged, or not one of ours
    │   └── NewerDatabase               500 newer_database written by a later Flowshelf
    └── FlowError                       502 flow_error     Flow answered, but not usefully
        ├── FlowUnavailable             503 flow_unavailable   no answer or a passing one; safe to try again
        │   ├── SlowDown                503 flow_unavailable   Flow asks the whole profile to slow down
        │   ├── UnusualActivity         503 flow_unavailable   Google takes this for a machine: an hour's rest
        │   └── SourceClosed            503 flow_unavailable   nobody wants the answer any more
        ├── FlowChanged                 502 flow_changed   an answer of a shape we do not know
        ├── SignedOut                   409 waiting_for_cookies
        ├── AccountMoved                409 moved          this account lives at the new Flow now
        ├── ProjectFailed               502 flow_error     a failure with one project only; safe to try again
        ├── KeyRefused                  502 flow_error     the API key is wrong, blocked or not to be found
        ├── HistoryEmpty                502 history_empty
        ├── HistoryRefused              502 flow_error     Flow does not offer this history
        ├── CircularHistory             502 flow_error     Flow repeats itself
        ├── CursorRefused               400 cursor_refused
        ├── BadPicture                  502 flow_error     the bytes are cut or no picture; safe to try again
        └── ImageRefused                502 flow_error     permanent for this image
            └── GoneUpstream            409 gone_upstream

An error's text may quote Flow, never a secret: whoever raises one passes quotations through
`webapp.sources.http.redacted`.
"""


class FlowshelfError(Exception):
    """Anything we expect and can explain; `str(error)` is the sentence for the person."""

    code = "error"
    http_status = 500

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


class Locked(FlowshelfError):
    """Too many wrong codes came from this address; `retry_after_seconds` is how long it has to wait."""

    code, http_status = "locked", 429

    def __init__(self, sentence: str, retry_after_seconds: int = 0) -> None:
        super().__init__(sentence)
        self.retry_after_seconds = retry_after_seconds


class Forbidden(FlowshelfError):
    code, http_status = "forbidden", 403


class UnknownProfile(FlowshelfError):
    code, http_status = "unknown_profile", 404


class UnknownImage(FlowshelfError):
    code, http_status = "unknown_image", 404


class UnknownRun(FlowshelfError):
    code, http_status = "unknown_run", 404


class RunEnded(UnknownRun):
    """The run was paused, or its profile removed, while something was done for it."""


class UnknownExport(FlowshelfError):
    code, http_status = "unknown_export", 404


class Busy(FlowshelfError):
    """Another run holds the place; `run_id` names it."""

    code, http_status = "busy", 409

    def __init__(self, sentence: str, run_id: str | None = None) -> None:
        super().__init__(sentence)
        self.run_id = run_id


class Overloaded(FlowshelfError):
    code, http_status = "busy", 503


class Paused(FlowshelfError):
    code, http_status = "paused", 409


class Cancelled(FlowshelfError):
    code, http_status = "cancelled", 409


class OtherAccount(FlowshelfError):
    code, http_status = "other_account", 409


class AccountExists(FlowshelfError):
    code, http_status = "account_exists", 409


class DiskFull(FlowshelfError):
    code, http_status = "disk_full", 507


class FolderGone(FlowshelfError):
    code, http_status = "folder_gone", 409


class BadDatabase(FlowshelfError):
    code = "bad_database"


class NewerDatabase(BadDatabase):
    code = "newer_database"


class FlowError(FlowshelfError):
    """Flow answered, but not usefully."""

    code, http_status = "flow_error", 502


class FlowUnavailable(FlowError):
    """No answer or a passing one: safe to try again.

    `retry_after_seconds` is what Flow asked for, None when it did not. `page` stands for the one project
    that was asked for, as one that could not be read; None when it was about anything else.
    """

    code, http_status = "flow_unavailable", 503
    page: object = None

    def __init__(self, sentence: str, retry_after_seconds: float | None = None) -> None:
        super().__init__(sentence)
        self.retry_after_seconds = retry_after_seconds


class SlowDown(FlowUnavailable):
    """Flow asks for fewer requests: the whole profile slows down, not one worker."""


class UnusualActivity(FlowUnavailable):
    """Google takes the traffic for a machine's: nothing more is asked for a while, and nothing has failed."""

    def __init__(self, retry_after_seconds: float) -> None:
        super().__init__(
            "Google noticed unusual activity, so Flowshelf asks nothing for an hour and then goes on by "
            "itself. Use Flow in the browser for a while; nothing is lost and nothing has failed.",
            retry_after_seconds,
        )


class SourceClosed(FlowUnavailable):
    """The connection was given up, because other cookies came or the program stops."""


class FlowChanged(FlowError):
    """An answer of a shape we do not know; `sample` is a redacted piece of it for a report."""

    code = "flow_changed"

    def __init__(self, sentence: str, sample: str = "") -> None:
        super().__init__(sentence)
        self.sample = sample


class SignedOut(FlowError):
    """The cookies no longer sign in."""

    code, http_status = "waiting_for_cookies", 409


class AccountMoved(FlowError):
    code, http_status = "moved", 409


class ProjectFailed(FlowError):
    """The service answers, but has a failure of its own with one project: safe to try again.

    `page` stands for the project as one that was refused.
    """

    def __init__(self, sentence: str, page: object) -> None:
        super().__init__(sentence)
        self.page = page


class KeyRefused(FlowError):
    """The API key is wrong, blocked or not to be found."""


class HistoryEmpty(FlowError):
    code = "history_empty"


class HistoryRefused(FlowError):
    """Flow does not offer this history for this account."""


class CircularHistory(FlowError):
    """Flow hands out pages that the walk has met already."""


class CursorRefused(FlowError):
    code, http_status = "cursor_refused", 400


class BadPicture(FlowError):
    """The bytes are cut or no picture: safe to try again."""


class ImageRefused(FlowError):
    """Flow will not hand out this image, however often it is asked."""


class GoneUpstream(ImageRefused):
    code, http_status = "gone_upstream", 409


def error_of(code: str, sentence: str) -> FlowshelfError:
    """The error that a stored code and sentence once were."""
    kinds = {kind.code: kind for kind in reversed(_kinds(FlowshelfError))}
    return kinds.get(code, FlowshelfError)(sentence)


def _kinds(kind: type[FlowshelfError]) -> list[type[FlowshelfError]]:
    """A kind and all below it, nearest first: codes that several share belong to the first."""
    kinds = [kind]
    for below in kind.__subclasses__():
        kinds += _kinds(below)
    return kinds
