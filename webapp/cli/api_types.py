"""What the JSON API returns, as far as the commands use it. The names are those of the JSON."""

from typing import NotRequired, TypedDict

from webapp.maintenance.doctor import ProfileHealth


class ProfileValue(ProfileHealth):
    profileId: str
    hasMore: bool
    images: int
    downloaded: int


class ContainerValue(TypedDict):
    id: int
    name: str


class FirefoxValue(TypedDict):
    """A profile of Firefox on this machine."""

    key: str
    name: str
    folder: str
    package: str
    usedAt: str
    containers: list[ContainerValue]


class FirefoxSignInValue(TypedDict):
    """A sign-in in it. `problem`: why it is not known whose it is."""

    container: int | None
    containerName: str
    number: int
    accountEmail: str | None
    profileId: str | None
    profileName: str | None
    isRead: bool
    problem: str


class FirefoxLookValue(TypedDict):
    found: list[FirefoxSignInValue]
    problem: str


class RunValue(TypedDict):
    """A run of either kind. `waitsFor`: why a running run makes no progress at the moment."""

    runId: str
    state: str
    note: NotRequired[str]
    error: NotRequired[str]
    code: NotRequired[str]
    waitsFor: NotRequired[str]


class SyncCounts(TypedDict):
    pages: int
    synced: int
    skipped: int
    ignored: int


class SyncRunValue(RunValue):
    """`result` is there when the run is done; the command prints it as it is."""

    counts: SyncCounts
    result: NotRequired[dict[str, object]]


class DownloadCounts(TypedDict):
    downloaded: int
    failed: int
    left: int
    bytes: int


class ImageFailure(TypedDict):
    name: str
    code: str
    error: str


class DownloadResult(TypedDict):
    downloaded: int
    failed: int
    failedNames: list[str]
    failures: list[ImageFailure]


class DownloadRunValue(RunValue):
    counts: DownloadCounts
    result: NotRequired[DownloadResult]


class StepValue(TypedDict):
    """One call of an examination."""

    asked: str
    came: str
    recognised: str
    unrecognised: str
    isWell: bool
    isAsked: bool


class ExaminationValue(TypedDict):
    isWell: bool
    service: str
    steps: list[StepValue]
    report: dict[str, object]


class AdoptedValue(TypedDict):
    """What became of a file that was sent to be adopted; `outcome` is `adopted`, `known` or `left`."""

    file: str
    outcome: str
    reason: NotRequired[str]
    imageId: NotRequired[str]


class HandoverValue(TypedDict):
    """What a part of a hand-over brought."""

    profileId: str
    profile: str
    projects: int
    unread: int
    synced: int
    skipped: int
    ignored: int
    runId: str
