"""Images whose latest wish failed, by reason, so that they can be asked for again together."""

from dataclasses import dataclass

from peewee import Expression, fn

from webapp.database.models import Download, Image
from webapp.database.states import DownloadState

MAX_IMAGES = 24


@dataclass(frozen=True, slots=True)
class FailureGroup:
    """Images that failed with the same sentence: how many, and the first of them with their wishes."""

    reason: str
    is_permanent: bool
    count: int
    images: list[Image]


def list_groups(profile_id: str, run_id: str | None = None) -> list[FailureGroup]:
    """The failures of a profile's latest wishes, of one run when it is named; the largest group first."""
    failed = _failed(profile_id, run_id)
    count = fn.COUNT(Download.id)
    rows = Download.select(Download.error, fn.MAX(Download.is_permanent), count).where(failed)
    return [
        FailureGroup(reason, bool(is_permanent), amount, _first_images(failed & (Download.error == reason)))
        for reason, is_permanent, amount in rows.group_by(Download.error).order_by(count.desc()).tuples()
    ]


def list_failed_ids(profile_id: str, *, run_id: str | None = None, reason: str | None = None) -> list[str]:
    """The images of a profile whose latest wish failed: of one run, for one reason, or all."""
    failed = _failed(profile_id, run_id)
    if reason is not None:
        failed &= Download.error == reason
    rows = Download.select(Download.image).where(failed).order_by(Download.id)
    return [image_id for (image_id,) in rows.tuples()]


def _first_images(failed: Expression) -> list[Image]:
    downloads = Download.select(Download, Image).join(Image).where(failed).order_by(Download.id)
    return [download.image for download in downloads.limit(MAX_IMAGES)]


def _failed(profile_id: str, run_id: str | None) -> Expression:
    failed = (Download.profile_id == profile_id) & (Download.state == DownloadState.FAILED)
    return failed & (Download.run == run_id) if run_id else failed
