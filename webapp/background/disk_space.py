"""Checks before a download whether the images will fit on the disk."""

from pathlib import Path

from webapp import storage
from webapp.errors import DiskFull
from webapp.store.gallery import counts
from webapp.store.runs import downloads

# The usual size of Flow's pictures; used until there are downloaded ones to take an average of.
DEFAULT_PICTURE_BYTES = 1_500_000


def require_space(folder: Path, profile_id: str, image_count: int) -> None:
    """Raises DiskFull when `image_count` more images will probably not fit on the disk of `folder`.

    The images that are in the profile's queue already are counted in addition.
    """
    average = _average_bytes(profile_id) or _average_bytes(None) or DEFAULT_PICTURE_BYTES
    needed = (image_count + downloads.count_active(profile_id)) * average
    free = storage.free_bytes(folder)
    if needed > free:
        raise DiskFull(
            f"{image_count:,} images need about {megabytes(needed)}, including the queue, and the disk of "
            f"{folder} has {megabytes(free)} free. Make room there, or download fewer at a time."
        )


def _average_bytes(profile_id: str | None) -> float:
    """The average size of a profile's files, or of all files for None; 0 when there are none."""
    known = counts.count_profile(profile_id)
    return known.size_bytes / known.downloaded if known.downloaded else 0


def megabytes(count: float) -> str:
    """A number of bytes as text: `1.5 MB`, `1,234 MB`."""
    return f"{count / 1e6:,.1f} MB" if count < 10e6 else f"{count / 1e6:,.0f} MB"
