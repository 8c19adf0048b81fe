"""Images whose latest download failed, grouped by reason so that a group can be requested again."""

from dataclasses import dataclass

from peewee import Expression, fn

from webapp.database.models import Download, Image
from webapp.database.states import DownloadState

MAX_IMAGES = 24


@dataclass(frozen=True, slots=True)
class FailureGroup:
    """Images whose download failed with the same sentence: `count` of them, of which `images` are the
    first."""

    reason: str
    is_permanent: bool
    count: int
    images: list[Image]


def list_groups(profile_id: str, run_id: str | None = None) -> list[FailureGroup]:
    """The failed downloads of a profile, or of one of its runs; the largest group first."""
    failed = _failed(profile_id, run_id)
    count = fn.COUNT(Download.id)
    groups = Download.select(Download.error, fn.MAX(Download.is_permanent), count).where(failed)
    groups = groups.group_by(Download.error).order_by(count.desc())
    return [
        FailureGroup(reason, bool(is_permanent), size, _first_images(failed & (Download.error == reason)))
        for reason, is_permanent, size in list(groups.tuples().iterator())
    ]


def list_failed_ids(profile_id: str, *, run_id: str | None = None, reason: str | None = None) -> list[str]:
    """The images of a profile whose latest download failed: all, those of a run, or those with a reason."""
    failed = _failed(profile_id, run_id)
    if reason is not None:
        failed &= Download.error == reason
    return list(Download.select(Download.image).where(failed).order_by(Download.id).scalars())


def _first_images(failed: Expression) -> list[Image]:
    downloads = Download.select(Download, Image).join(Image).where(failed).order_by(Download.id)
    return [download.image for download in downloads.limit(MAX_IMAGES)]


def _failed(profile_id: str, run_id: str | None) -> Expression:
    failed = (Download.profile_id == profile_id) & (Download.state == DownloadState.FAILED)
    return failed & (Download.run == run_id) if run_id else failed
