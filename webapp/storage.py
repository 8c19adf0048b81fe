"""Files: which folders may be written to, whole files under final names, pictures and thumbnails.

A file under its final name is always whole: it is written beside its place as `.flowshelf-*.part`,
flushed, and only then given its name. Nothing that is there already is overwritten.
"""

import errno
import hashlib
import os
import re
import shutil
import struct
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path

from PIL import Image, ImageOps, UnidentifiedImageError

from webapp.errors import BadPath, BadPicture, DiskFull, FolderGone

RESUME = "press Resume"
PART_PREFIX = ".flowshelf-"
PART_PATTERN = f"{PART_PREFIX}*.part"
ENDINGS = {"JPEG": ".jpg", "PNG": ".png", "WEBP": ".webp", "GIF": ".gif"}
# How a whole file of each kind ends; a JPEG that lost its lower half still opens and verifies.
_LAST_BYTES = {"JPEG": b"\xff\xd9", "PNG": b"IEND\xaeB`\x82", "GIF": b";"}
_PADDING = b"\x00\r\n "
NETWORK_KINDS = {"nfs", "nfs4", "cifs", "smb3", "smbfs", "9p", "afs", "ceph", "glusterfs", "lustre", "sshfs"}
NETWORK_KINDS |= {"davfs", "davfs2", "rclone"}
MOST_PIXELS = 400_000_000
_PLAIN_NAME = re.compile(r"[A-Za-z0-9_-]{1,80}")
DEVICE_NAMES = {"con", "prn", "aux", "nul", *(f"{port}{n}" for port in ("com", "lpt") for n in range(10))}

# Pillow warns on its own scale; ours is checked where a picture is opened.
Image.MAX_IMAGE_PIXELS = None


# Folders


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
    with explained(folder, RESUME):
        if not folder.is_dir():
            require_root(folder, roots)
            folder.mkdir(parents=True, exist_ok=True)


def require_root(path: Path, roots: Iterable[Path]) -> None:
    """Raises FolderGone when the root that `path` lies under is not there, or its disk does not answer."""
    root = next((root for root in roots if path.is_relative_to(root.resolve())), path.parent)
    with explained(root):
        if root.is_dir():
            return
    raise FolderGone(
        f"The folder {root} is not there. If it is on a disk that was taken out, connect it again; "
        "nothing on the shelf was changed."
    )


def is_there(path: str, roots: Iterable[Path]) -> bool:
    """Whether a file of the shelf is there. Raises FolderGone when its root is missing or nobody can tell."""
    with explained(Path(path).parent):
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


def remove_parts(folder: Path) -> None:
    """Clear away what a killed process had begun to write."""
    with suppress(OSError):  # of the folder too: its disk may not answer
        for part in folder.glob(PART_PATTERN):
            part.unlink(missing_ok=True)


def remove_files(paths: Iterable[str | Path]) -> None:
    """Remove files, or folders with all that is in them; what is not there is no matter."""
    for path in map(Path, paths):
        if os.path.isdir(path):  # False, and no error, on a disk that does not answer
            shutil.rmtree(path, ignore_errors=True)
        else:
            with suppress(OSError):
                path.unlink()


def remove_file(path: str, roots: Iterable[Path]) -> bool:
    """Remove a file of the shelf; False when it lies under none of `roots` or cannot be removed.

    Raises FolderGone when its whole root is missing. A file that is not there counts as removed.
    """
    if not is_there(path, roots):
        return True
    try:
        path_under(path, roots)
        Path(path).unlink(missing_ok=True)
    except (FolderGone, OSError):
        return False
    return True


def free_bytes(folder: Path) -> int:
    """Room on the disk of a folder, which need not be there yet. Raises FolderGone when it cannot be told."""
    with explained(folder):
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


# Names


def file_stems(media_key: str, name: str, *, has_plain_name: bool) -> list[str]:
    """Names without ending that an image's file may have, the first choice first.

    The media key comes from the far side: it is used as it stands only when it is a plain name on
    every system, and never as a path.
    """
    safe = "".join(_PLAIN_NAME.findall(media_key))[:80]
    marked = f"{safe[:60] or 'image'}-{hashlib.sha256(name.encode()).hexdigest()[:12]}"
    is_plain = bool(_PLAIN_NAME.fullmatch(media_key)) and media_key.lower() not in DEVICE_NAMES
    return [media_key, marked] if is_plain and has_plain_name else [marked]


# Pictures


@dataclass(frozen=True, slots=True)
class PictureHeader:
    """What the header of a picture tells: the file ending for its kind, and its size in pixels."""

    ending: str
    width: int
    height: int


def read_header(content: bytes) -> PictureHeader:
    """The header of a picture that is whole as far as its header and its end tell.

    Raises BadPicture otherwise. Decoding every picture would cost more than fetching it; that is
    left to `flowshelf verify --deep` and the thumbnails.
    """
    try:
        with Image.open(BytesIO(content), formats=list(ENDINGS)) as picture:
            kind, (width, height) = picture.format, picture.size
    except (UnidentifiedImageError, OSError, ValueError, SyntaxError) as error:
        raise BadPicture("What Flow sent is not a picture.") from error
    if width * height > MOST_PIXELS:
        raise BadPicture(f"What Flow sent is a picture of {width} by {height} pixels, which cannot be meant.")
    if not _has_its_end(kind, content):
        raise BadPicture("The picture that Flow sent is cut off.")
    return PictureHeader(ENDINGS[kind], width, height)


def _has_its_end(kind: str, content: bytes) -> bool:
    if kind == "WEBP":
        return len(content) >= 8 + int.from_bytes(content[4:8], "little")
    return content.rstrip(_PADDING).endswith(_LAST_BYTES[kind])


def decodes(path: Path) -> bool:
    """Whether every pixel of a file can be decoded."""
    try:
        with Image.open(path, formats=list(ENDINGS)) as picture:
            picture.load()
    except (OSError, ValueError, SyntaxError):
        return False
    return True


def make_thumbnail(source: Path, target: Path, edge: int) -> None:
    """A WebP of at most `edge` pixels a side. Raises BadPicture when `source` does not decode, DiskFull
    and FolderGone when the thumbnail cannot be kept."""
    try:
        with Image.open(source, formats=list(ENDINGS)) as picture:
            picture.draft("RGB", (edge, edge))
            upright = ImageOps.exif_transpose(picture)
            upright.thumbnail((edge, edge), Image.Resampling.LANCZOS)
            encoded = BytesIO()
            # The usual method 4 searches more than twice as long for four bytes in a hundred.
            small = upright.convert("RGBA" if "A" in upright.getbands() else "RGB")
            small.save(encoded, "WEBP", quality=80, method=2)
    except FileNotFoundError:
        raise
    except (OSError, ValueError, SyntaxError, TypeError, ArithmeticError, struct.error) as error:
        raise BadPicture(f"{source.name} is damaged: it cannot be decoded.") from error
    with explained(target.parent):
        target.parent.mkdir(parents=True, exist_ok=True)
        replace_file(target, encoded.getvalue())


# Whole files


def replace_file(target: Path, content: bytes) -> None:
    """Write a file for its owner alone (0600), in place of an older one; at no moment it is half there."""
    os.replace(_written(target.parent, content), target)


def keep_file(folder: Path, stems: list[str], ending: str, content: bytes) -> Path:
    """Write `content` under the first of `stems` that is free or holds these very bytes.

    The last stem is the image's own and is replaced. Raises DiskFull or FolderGone.
    """
    with explained(folder, RESUME):
        part = _written(folder, content)
        try:
            for stem in stems:
                target = folder / f"{stem}{ending}"
                if _take_name(part, target) or target.read_bytes() == content:
                    return target
            os.replace(part, target)
            return target
        finally:
            part.unlink(missing_ok=True)


@contextmanager
def writing_beside(target: Path) -> Iterator[Path]:
    """An empty file, 0600, that becomes `target` in place of what is there once the block ends well.

    Raises DiskFull or FolderGone.
    """
    with explained(target.parent):
        descriptor, name = tempfile.mkstemp(prefix=PART_PREFIX, suffix=".part", dir=target.parent)
        os.close(descriptor)
        part = Path(name)
        try:
            yield part
            with part.open("rb+") as file:
                os.fsync(file.fileno())
            os.replace(part, target)
        finally:
            part.unlink(missing_ok=True)


def _written(folder: Path, content: bytes) -> Path:
    descriptor, name = tempfile.mkstemp(prefix=PART_PREFIX, suffix=".part", dir=folder)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise
    return Path(name)


def _take_name(part: Path, target: Path) -> bool:
    """Give a written file its name; False when the name is taken."""
    try:
        os.link(part, target)  # unlike a rename it never replaces
    except FileExistsError:
        return False
    except OSError:  # a file system without hard links
        if target.exists():
            return False
        os.replace(part, target)
    return True


def file_sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


@contextmanager
def explained(folder: Path, then: str = "try again") -> Iterator[None]:
    """Turn what the system says of a folder into a sentence for a person: DiskFull or FolderGone, with
    what to do `then`."""
    try:
        yield
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise DiskFull(
                f"The disk that holds {folder} is full. Make room there, then {then}; nothing was lost."
            ) from error
        raise FolderGone(
            f"The folder {folder} cannot be written to ({os.strerror(error.errno or errno.EIO)}). "
            f"Make it writable or connect its disk again, then {then}; nothing was lost."
        ) from error
