"""Which folders may be written to and read from, whether they exist, and how much space is free."""

import os
import re
import shutil
from collections.abc import Iterable
from pathlib import Path

from webapp.errors import BadPath, FolderGone
from webapp.storage.problems import RESUME, translate_errors

# Below each storage root (`webapp.storage.trash`).
TRASH_FOLDER = ".flowshelf-trash"
NETWORK_KINDS = {"nfs", "nfs4", "cifs", "smb3", "smbfs", "9p", "afs", "ceph", "glusterfs", "lustre", "sshfs"}
NETWORK_KINDS |= {"davfs", "davfs2", "rclone"}


def allowed_folder(text: str, roots: Iterable[Path]) -> Path:
    """The absolute, resolved folder that `text` names; it is not created. Raises BadPath unless it is inside
    one of `roots`."""
    if not text or "\x00" in text or not Path(text).is_absolute():
        raise BadPath("localStoragePath must be the absolute path of a folder.")
    folder = Path(os.path.realpath(text))  # unlike resolve() it accepts a link to itself
    if is_in_trash(folder):
        raise BadPath(f"Downloads may not be written to the folder {folder}: it belongs to the trash.")
    if not any(folder.is_relative_to(root.resolve()) for root in roots):
        raise BadPath(
            f"Downloads may not be written to the folder {folder}. Add it, or a folder above it, to "
            "FLOWSHELF_STORAGE_ROOTS, or leave out localStoragePath."
        )
    return folder


def is_in_trash(path: Path) -> bool:
    """Whether a path leads into a trash. Compared without case, because some disks do."""
    return any(part.lower() == TRASH_FOLDER for part in path.parts)


def make_folder(folder: Path, roots: Iterable[Path]) -> None:
    """Create `folder` inside its root. Raises FolderGone when the root itself is missing."""
    with translate_errors(folder, RESUME):
        if not folder.is_dir():
            require_root(folder, roots)
            folder.mkdir(parents=True, exist_ok=True)


def require_root(path: Path, roots: Iterable[Path]) -> None:
    """Raises FolderGone when the root that contains `path` is missing or cannot be read."""
    root = next((root for root in roots if path.is_relative_to(root.resolve())), path.parent)
    with translate_errors(root):
        if root.is_dir():
            return
    raise FolderGone(
        f"The folder {root} is not there. If its disk was disconnected, connect it again; nothing was "
        "changed."
    )


def is_there(path: str, roots: Iterable[Path]) -> bool:
    """Whether an image file exists. Raises FolderGone when that is unknown because its root is missing or
    cannot be read."""
    with translate_errors(Path(path).parent):
        if Path(path).is_file():
            return True
    require_root(Path(path), roots)
    return False


def path_under(path: str, roots: Iterable[Path]) -> Path:
    """The resolved path of a stored file. Raises FolderGone when it is outside of all `roots`, also by a
    symbolic link."""
    resolved = Path(os.path.realpath(path))
    if not any(resolved.is_relative_to(root.resolve()) for root in roots):
        raise FolderGone(f"{resolved.name} is not in a folder that Flowshelf may show files from.")
    return resolved


def free_bytes(folder: Path) -> int:
    """Free space on the disk of a folder, which need not exist yet. Raises FolderGone when it is unknown."""
    with translate_errors(folder):
        existing = next(path for path in (folder, *folder.parents) if path.is_dir())
        return shutil.disk_usage(existing).free


def network_share_of(path: Path, mounts: Path) -> str | None:
    """The type of network share that `path` is on; None for a local disk, or when it is unknown.

    Linux lists mounted file systems in the file `mounts`; Windows writes shares as `\\\\server\\share`.
    """
    path = path.resolve()
    if path.drive.startswith("\\\\"):
        return "smb"
    try:
        lines = [line.split(" ") for line in mounts.read_text(errors="replace").splitlines()]
    except OSError:
        return None
    mounted = [(Path(_unescaped(line[1])), line[2]) for line in lines if len(line) > 2]
    above = [(len(point.parts), kind) for point, kind in mounted if path.is_relative_to(point)]
    # Of two mounts at the same path the later one hides the other.
    kind = max(reversed(above), key=lambda mount: mount[0], default=(0, ""))[1]
    return kind if kind.removeprefix("fuse.") in NETWORK_KINDS else None


def _unescaped(text: str) -> str:
    """Decode the octal escapes of a list of mounts, such as `\\040` for a space."""
    return re.sub(r"\\([0-7]{3})", lambda match: chr(int(match[1], 8)), text)
