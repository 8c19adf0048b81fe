"""The folder of the trash below each storage root: `.flowshelf-trash/<act>/`, one folder for each deletion.

Next to its files lies `about.json`, which says for each what it is and whose it was, for whoever finds it
without the database. A file is moved by a rename, within one disk, and is in one place or the other.
"""

import errno
import json
import os
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from pathlib import Path

from webapp.storage.files import move_file, replace_file
from webapp.storage.folders import TRASH_FOLDER

ABOUT = "about.json"
# What Windows says about a file that another program has open, and others about a mount or a running program.
_IN_USE = (errno.EBUSY, errno.ETXTBSY)
_WINDOWS_IN_USE = (5, 32, 33)


def is_in_use(error: OSError) -> bool:
    """Whether the system refuses a file only for now."""
    return error.errno in _IN_USE or getattr(error, "winerror", None) in _WINDOWS_IN_USE


def write_about(folder: Path, entries: Sequence[dict[str, str]]) -> None:
    """Create the folder of an act, and write what its files are. Raises OSError."""
    make_trash(folder)
    content = json.dumps({"files": entries}, ensure_ascii=False, indent=1)
    replace_file(folder / ABOUT, content.encode())


def make_trash(folder: Path) -> None:
    """Create the folder of an act, for its owner only. Raises OSError."""
    for each in (folder.parent, folder):
        if not each.is_dir():
            each.mkdir(mode=0o700)


def move_in(source: Path, target: Path) -> None:
    """Move a file into the trash. Raises OSError; the file is then where it was."""
    make_trash(target.parent)
    os.rename(source, target)


def move_out(source: Path, targets: Iterable[Path]) -> bool:
    """Move a file to the first of these names that is free; False when none is. Raises OSError."""
    return move_file(source, targets)


def remove(path: Path) -> None:
    """Delete a file of the trash. Raises OSError; a file that is not there counts as deleted."""
    path.unlink(missing_ok=True)


def remove_act(folder: Path) -> None:
    """Remove the folder of an act that has no more files, and that of the trash if it is empty."""
    with suppress(OSError):
        if set(os.listdir(folder)) <= {ABOUT}:
            (folder / ABOUT).unlink(missing_ok=True)
            folder.rmdir()
            folder.parent.rmdir()


def list_acts(root: Path) -> Iterator[tuple[Path, list[dict[str, str]]]]:
    """The folders of the trash of a root with what their `about.json` says of the files that lie there."""
    with suppress(OSError):
        for folder in sorted((root / TRASH_FOLDER).iterdir()):
            with suppress(OSError, ValueError, RecursionError):
                about = json.loads((folder / ABOUT).read_bytes())
                yield folder, [each for each in _entries(about) if (folder / each["file"]).is_file()]


def _entries(about: object) -> Iterator[dict[str, str]]:
    """The entries of an `about.json` that have the form in which it was written."""
    names = ("file", "from", "image", "imageId", "profile", "profileId", "account", "reason", "sha256")
    files = about.get("files") if isinstance(about, dict) else None
    for each in files if isinstance(files, list) else []:
        is_whole = isinstance(each, dict) and all(isinstance(each.get(name), str) for name in names)
        if is_whole and _is_plain(each["file"]) and all(_is_text(each[name]) for name in names):
            yield each


def _is_plain(name: str) -> bool:
    return name != ABOUT and not {"/", "\\", ":", "\0"}.intersection(name)


def _is_text(text: str) -> bool:
    """Whether SQLite can store it: JSON may hold halves of a character."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return "\0" not in text
