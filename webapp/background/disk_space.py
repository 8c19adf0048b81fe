"""Whether a disk has room for what is about to be written to it."""

from pathlib import Path

from webapp import storage
from webapp.errors import DiskFull
from webapp.store.gallery import counts
from webapp.store.runs import downloads

# A picture of Flow's usual size, while nothing on the shelf tells better.
USUAL_PICTURE_BYTES = 1_500_000


def require_space(folder: Path, profile_id: str, image_count: int) -> None:
    """Raises DiskFull when `image_count` more images of a profile, beside those that are on their way,
    will hardly fit on the disk of `folder`."""
    each = _average(profile_id) or _average(None) or USUAL_PICTURE_BYTES
    needed = (image_count + downloads.count_active(profile_id)) * each
    free = storage.free_bytes(folder)
    if needed > free:
        raise DiskFull(
            f"{image_count:,} images need about {megabytes(needed)}, with what is on its way, and the disk "
            f"that holds {folder} has {megabytes(free)} free. Make room there, or download fewer at a time."
        )


def _average(profile_id: str | None) -> float:
    """Bytes of a file of a profile, or of all; 0 when there is none."""
    known = counts.count_profile(profile_id)
    return known.size_bytes / known.downloaded if known.downloaded else 0


def megabytes(count: float) -> str:
    return f"{count / 1e6:,.1f} MB" if count < 10e6 else f"{count / 1e6:,.0f} MB"
