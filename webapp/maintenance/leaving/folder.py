"""`flowshelf export`: keeps a folder in step with a filter, so that another program can watch it.

Copies are added. Nothing in the folder is deleted, renamed or overwritten: an image that leaves the filter,
or whose title changes, keeps its file. `prune` removes files, and only those that the manifest lists, whose
image is outside the filter and which nobody has changed.
"""

import hashlib
import os
import stat
import tempfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from webapp import storage, store
from webapp.database.models import Image
from webapp.errors import BadRequest, DiskFull, FlowshelfError, FolderGone
from webapp.file_names import SIDECAR, Names
from webapp.maintenance.changes import TIME_PRECISION_SECONDS
from webapp.maintenance.leaving.copies import open_copy
from webapp.maintenance.leaving.fields import Fields, Teller, suffix_of
from webapp.maintenance.leaving.manifest import MANIFEST, Entry, Manifest
from webapp.storage import PART_PREFIX
from webapp.storage.embedding import sidecar
from webapp.store.gallery import selections
from webapp.store.gallery.filters import Selection
from webapp.times import parsed

# Of each kind, in a report.
MAX_NAMED = 100


@dataclass(frozen=True, slots=True)
class Problem:
    """Why an image was not exported, or a file not removed."""

    file: str
    reason: str


@dataclass(slots=True)
class ExportReport:
    """What an export did. `out_count`: files of images outside the filter; `is_pruned`: they were to be
    removed. `changed`: files that somebody has changed since; they are left alone."""

    copied: int = 0
    present: int = 0
    without_file: int = 0
    failed: int = 0
    out_count: int = 0
    is_pruned: bool = False
    pruned: int = 0
    changed_count: int = 0
    changed: list[str] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)

    def note_problem(self, file: str, reason: str) -> None:
        self.failed += 1
        if len(self.problems) < MAX_NAMED:
            self.problems.append(Problem(file, reason))

    def note_changed(self, file: str) -> None:
        self.changed_count += 1
        if len(self.changed) < MAX_NAMED:
            self.changed.append(file)


def require_foreign(folder: Path, own_folders: Iterable[Path]) -> None:
    """Raises BadRequest for a folder that holds, or is inside, a data folder or a storage root."""
    resolved = folder.resolve()
    for own in own_folders:
        if resolved.is_relative_to(own.resolve()):
            raise BadRequest(f"{folder} is in a folder of Flowshelf itself ({own}). Name another folder.")
    for above in (resolved, *resolved.parents):
        if (above / "flowshelf.sqlite3").exists():
            raise BadRequest(f"{folder} is in the data folder of a Flowshelf ({above}). Name another folder.")


class FolderExport:
    """One run of `flowshelf export`.

    `own_folders` are the data folder and the storage roots; of the latter, files are read from `roots`.
    `collection` is the title of the one that is exported.
    """

    def __init__(
        self,
        folder: Path,
        *,
        template: str,
        metadata_place: str,
        roots: Sequence[Path],
        own_folders: Sequence[Path],
        collection: str | None = None,
    ) -> None:
        """Create the folder, if the one above it is there, and read its manifest.

        Raises BadRequest for a folder of Flowshelf itself, Busy while another export writes to it, and
        FolderGone.
        """
        require_foreign(folder, own_folders)
        self._folder = folder.resolve()
        self._template = template
        self._place = metadata_place
        self._roots = roots
        self._own_folders = own_folders
        self._teller = Teller(collection=collection)
        self._ids: frozenset[str] = frozenset()
        self.report = ExportReport()
        with storage.translate_errors(folder):
            if not self._folder.parent.is_dir():
                raise FolderGone(f"There is no folder {self._folder.parent} to make {folder.name} in.")
            self._folder.mkdir(exist_ok=True)
            # Other programs are to read the copies: whoever may use the folder may read what is in it.
            self._mode = stat.S_IMODE(self._folder.stat().st_mode)
            self._manifest = Manifest(self._folder, self._mode & 0o666)
            storage.remove_parts(self._folder)
        self._names = Names([MANIFEST])
        for entry in self._manifest.entries.values():
            for file, _ in entry.files:
                self._names.add(file)
        self._sequence = self._manifest.last_sequence

    def close(self) -> None:
        """Let others export into the folder."""
        self._manifest.close()

    def list_ids(self, selection: Selection) -> list[str]:
        """The images of the filter, which `prune` leaves alone."""
        ids = selections.list_ids(selection)
        self._ids = frozenset(ids)
        return ids

    def run(self, image_ids: Sequence[str], on_image: Callable[[], None] = lambda: None) -> None:
        """Copy the files of images that are not in the folder yet.

        Raises DiskFull and FolderGone for the folder itself; what is wrong with one image is reported.
        """
        for chunk in store.chunked(image_ids):
            for image in selections.list_in_order(chunk):
                try:
                    self._export(image)
                except DiskFull:
                    raise
                except (FlowshelfError, OSError) as error:
                    if not self._folder.is_dir():
                        raise
                    self.report.note_problem(image.file_path or image.name, _reason_of(error))
                on_image()

    def find_out_of_filter(self) -> list[Entry]:
        """The entries with a file whose image is outside the filter. Their count is reported."""
        entries = [entry for image_id, entry in self._manifest.entries.items() if image_id not in self._ids]
        found = [entry for entry in entries if self._existing(entry.file)]
        self.report.out_count = len(found)
        return found

    def prune(self, entries: Iterable[Entry]) -> None:
        """Remove the files of entries, unless somebody has changed them. Raises DiskFull, FolderGone."""
        self.report.is_pruned = True
        for entry in entries:
            with storage.translate_errors(self._folder):
                if self._prune(entry):
                    self._manifest.remove(entry)
                    self.report.pruned += 1

    # One image

    def _export(self, image: Image) -> None:
        known = self._manifest.entries.get(image.id)
        if known and (path := self._existing(known.file)):
            self.report.present += 1
            if _is_touched(image, known, path) and _sha256_of(path) != known.sha256:
                self.report.note_changed(known.file)
            return
        if image.local_path is None or image.damaged_at:
            self.report.without_file += 1
            return
        fields = self._teller.fields_of(image, known.sequence if known else self._sequence + 1)
        part, size, sha256 = self._written(image, fields)
        try:
            with storage.translate_errors(self._folder):
                self._name(image, part, size, sha256, fields, known)
        finally:
            part.unlink(missing_ok=True)
        self._sequence = max(self._sequence, fields.sequence)
        self.report.copied += 1

    def _written(self, image: Image, fields: Fields) -> tuple[Path, int, str]:
        """A part file with the copy, its size and its sha256."""
        # Only files under the storage roots: an imported row may name any path of this machine.
        source = storage.path_under(image.file_path or "", self._roots)
        with open_copy(source, fields.description, self._place) as copy:
            return self._write_part(copy.chunks, image)

    def _write_part(self, chunks: Iterable[bytes], image: Image) -> tuple[Path, int, str]:
        with storage.translate_errors(self._folder):
            descriptor, name = tempfile.mkstemp(prefix=PART_PREFIX, suffix=".part", dir=self._folder)
        part, size, digest = Path(name), 0, hashlib.sha256()
        try:
            with storage.translate_errors(self._folder), os.fdopen(descriptor, "wb") as file:
                for chunk in chunks:
                    digest.update(chunk)
                    size += file.write(chunk)
                file.flush()
                os.fsync(file.fileno())
                part.chmod(self._mode & 0o666)
                storage.set_made_time(part, image.created_at)
        except BaseException:
            part.unlink(missing_ok=True)
            raise
        return part, size, digest.hexdigest()

    def _name(
        self, image: Image, part: Path, size: int, sha256: str, fields: Fields, known: Entry | None
    ) -> None:
        """Note the copy in the manifest, then give it the first free name. Its sidecar comes before it: who
        watches the folder finds both."""
        extra = sidecar(fields.description) if self._place == SIDECAR else None
        extra_sha256 = hashlib.sha256(extra).hexdigest() if extra else None
        for file in self._candidates(image, fields, known):
            its_sidecar = f"{file}.xmp" if extra else None
            if not self._is_free(file, sha256) or not self._is_free(its_sidecar, extra_sha256):
                continue
            self._make_folder((self._folder / file).parent)
            entry = Entry(image.id, file, size, sha256, fields.sequence, its_sidecar, extra_sha256)
            self._manifest.add(entry)
            if extra and its_sidecar and not os.path.lexists(self._folder / its_sidecar):
                self._give_name(self._write_part([extra], image)[0], its_sidecar)
            if os.path.lexists(self._folder / file):
                return  # a killed run, or one whose manifest was lost, has written these very bytes
            self._give_name(part, file)
            return

    def _candidates(self, image: Image, fields: Fields, known: Entry | None) -> Iterator[str]:
        """Names that no entry has: the one of a file that is gone, then new ones."""
        if known:
            yield known.file
        wished = fields.file_name(self._template, suffix_of(image))
        while True:
            yield self._names.unique(wished)

    def _is_free(self, file: str | None, sha256: str | None) -> bool:
        """Whether nothing has this name, or the very bytes that are to have it."""
        if file is None or not os.path.lexists(self._folder / file):
            return True
        path = self._existing(file)
        return path is not None and _sha256_of(path) == sha256

    def _give_name(self, part: Path, file: str) -> None:
        storage.give_name(part, [self._folder / file])
        part.unlink(missing_ok=True)

    def _make_folder(self, folder: Path) -> None:
        """Create the folder of a copy. Raises BadRequest if a link leads out of the exported folder, or into
        one of Flowshelf itself."""
        if not _is_below(folder, self._folder):
            raise BadRequest(f"A link in the folder leads elsewhere, to {os.path.realpath(folder)}.")
        require_foreign(folder, self._own_folders)
        for above in (*reversed(folder.relative_to(self._folder).parents), folder.relative_to(self._folder)):
            path = self._folder / above
            if not path.is_dir():
                path.mkdir()
                path.chmod(self._mode)

    def _existing(self, file: str) -> Path | None:
        """The file with this name; None when there is none, or only a link."""
        path = self._folder / file
        is_file = path.is_file() and not path.is_symlink()
        return path if is_file and _is_below(path.parent, self._folder) else None

    def _prune(self, entry: Entry) -> bool:
        """Remove the files of an entry; False when somebody has changed one of them."""
        paths = [(self._existing(file), file, sha256) for file, sha256 in entry.files]
        for path, file, sha256 in paths:
            if path and _sha256_of(path) != sha256:
                self.report.note_changed(file)
                return False
        for path, _, _ in paths:
            if path:
                path.unlink(missing_ok=True)
                self._remove_empty(path.parent)
        return True

    def _remove_empty(self, folder: Path) -> None:
        with suppress(OSError):  # not empty
            while folder != self._folder:
                folder.rmdir()
                folder = folder.parent


def _is_below(folder: Path, above: Path) -> bool:
    return Path(os.path.realpath(folder)).is_relative_to(above)


def _is_touched(image: Image, entry: Entry, path: Path) -> bool:
    """Whether size or time of a copy differ from what the export gave it, so that its bytes have to be
    compared."""
    found = path.stat()
    difference = abs(found.st_mtime - parsed(image.created_at).timestamp())
    return found.st_size != entry.size or difference > TIME_PRECISION_SECONDS


def _sha256_of(path: Path) -> str:
    return storage.file_sha256(path)


def _reason_of(error: Exception) -> str:
    if isinstance(error, OSError):
        return f"The file cannot be read: {error.strerror}."
    return str(error)
