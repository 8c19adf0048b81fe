"""Which folders may be written to and read from, whether they are there, and what room they have."""

import os
import re
import shutil
from collections.abc import Iterable
from pathlib import Path

from webapp.errors import BadPath, FolderGone
from webapp.storage.problems import RESUME, translate_errors

NETWORK_KINDS = {"nfs", "nfs4", "cifs", "smb3", "smbfs", "9p", "afs", "ceph", "glusterfs", "lustre", "sshfs"}
NETWORK_KINDS |= {"davfs", "davfs2", "rclone"}


def allowed_folder(text: str, roots: Iterable[Path]) -> Path:
    """The absolute, resolved folder that `text` names, which lies under one of `roots`. It is not created
    here. Raises BadPath with a sentence otherwise."""
    if not text or "\x00" in text or not Path(text).is_absolute():
        raise BadPath("localStoragePath has to be an absolute path of a folder.")
    folder = Path(os.path.realpath(text))  # unlike resolve() it takes a link to itself
    if not any(folder.is_relative_to(root.resolve()) for root in roots):
        raise BadPath(
            f"The folder {folder} is not one that downloads may be written to. Allow it by adding it, or a "
            "folder above it, to FLOWSHELF_STORAGE_ROOTS, or leave localStoragePath out."
        )
    return folder


def make_folder(folder: Path, roots: Iterable[Path]) -> None:
    """Make `folder` below its root. Raises FolderGone when the root itself is not there."""
    with translate_errors(folder, RESUME):
        if not folder.is_dir():
            require_root(folder, roots)
            folder.mkdir(parents=True, exist_ok=True)


def require_root(path: Path, roots: Iterable[Path]) -> None:
    """Raises FolderGone when the root that `path` lies under is not there, or its disk does not answer."""
    root = next((root for root in roots if path.is_relative_to(root.resolve())), path.parent)
    with translate_errors(root):
        if root.is_dir():
            return
    raise FolderGone(
        f"The folder {root} is not there. If it is on a disk that was taken out, connect it again; "
        "nothing on the shelf was changed."
    )


def is_there(path: str, roots: Iterable[Path]) -> bool:
    """Whether a file of the shelf is there. Raises FolderGone when its root is missing or nobody can tell."""
    with translate_errors(Path(path).parent):
        if Path(path).is_file():
            return True
    require_root(Path(path), roots)
    return False


def path_under(path: str, roots: Iterable[Path]) -> Path:
    """The file that a row names, when it really lies under one of `roots`: a symbolic link out of them
    is not followed. Raises FolderGone otherwise."""
    resolved = Path(os.path.realpath(path))
    if not any(resolved.is_relative_to(root.resolve()) for root in roots):
        raise FolderGone(f"{resolved.name} does not lie in a folder that Flowshelf may show files from.")
    return resolved


def free_bytes(folder: Path) -> int:
    """Room on the disk of a folder, which need not be there yet. Raises FolderGone when it cannot be told."""
    with translate_errors(folder):
        there = next(path for path in (folder, *folder.parents) if path.is_dir())
        return shutil.disk_usage(there).free


def network_share_of(path: Path, mounts: Path) -> str | None:
    """The kind of network share that `path` lies on, None when it lies on none, as far as can be told:
    Linux lists what is mounted in the file `mounts`, Windows writes shares as `\\\\server\\share`."""
    path = path.resolve()
    if path.drive.startswith("\\\\"):
        return "smb"
    try:
        lines = [line.split(" ") for line in mounts.read_text(errors="replace").splitlines()]
    except OSError:
        return None
    found = [(Path(_unescaped(line[1])), line[2]) for line in lines if len(line) > 2]
    above = [(len(point.parts), kind) for point, kind in found if path.is_relative_to(point)]
    # Of two mounts on one place the later one is on top.
    kind = max(reversed(above), key=lambda mount: mount[0], default=(0, ""))[1]
    return kind if kind.removeprefix("fuse.") in NETWORK_KINDS else None


def _unescaped(text: str) -> str:
    """White space in a list of mounts is written as `\\040`."""
    return re.sub(r"\\([0-7]{3})", lambda match: chr(int(match[1], 8)), text)
