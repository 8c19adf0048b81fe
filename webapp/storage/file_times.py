"""The modification time of an image's file: the time the image was made, not that of the download."""

import os
from pathlib import Path

from webapp.times import UNREADABLE, parsed


def set_made_time(path: Path, created_at: str) -> bool:
    """Let a file say when its image was made. Its bytes and the time of its last access stay.

    False when the time is unknown, or the disk does not allow it: another user's file, a time before 1980.
    """
    made = parsed(created_at)
    if made == UNREADABLE:
        return False
    try:
        os.utime(path, ns=(path.stat().st_atime_ns, int(made.timestamp() * 1_000_000) * 1000))
    except (OSError, OverflowError):
        return False
    return True
