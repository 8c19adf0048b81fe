"""What is told about an image that leaves the shelf, in its name and inside it."""

from dataclasses import dataclass
from datetime import datetime
from pathlib import PurePath

from webapp.database.models import Image
from webapp.file_names import file_name
from webapp.storage.embedding import Description
from webapp.store.choices import collections
from webapp.store.gallery.scope import WHOLE_SHELF, guest_scope
from webapp.store.history.projects import find_title
from webapp.store.profile_names import guest_name
from webapp.store.profiles import list_profiles
from webapp.times import UNREADABLE, parsed


@dataclass(frozen=True, slots=True)
class Fields:
    """The values of a template's fields for one image. None: unknown, or not for whoever gets the file."""

    date: datetime | None
    prompt: str | None
    key: str
    profile: str | None
    project: str | None
    model: str | None
    seed: int | None
    title: str | None
    kind: str | None
    version: str | None
    sequence: int
    collection: str | None = None

    def file_name(self, template: str, suffix: str) -> str:
        """The relative path of the file."""
        values = {name: getattr(self, name) for name in self.__dataclass_fields__}
        return file_name(template, values, suffix)

    @property
    def description(self) -> Description:
        """What goes inside the picture."""
        return Description(
            made_at=self.date,
            prompt=self.prompt,
            title=self.title,
            model=self.model,
            seed=self.seed,
            project=self.project,
            is_generated=self.kind == "generated",
        )


class Teller:
    """Tells about images. Profiles and titles of projects are read once.

    `for_guest`: only what the page of an image shows to guests. That is neither its project nor what the
    owner called it in Flow, and collections only within their scope. The name of a profile is never the
    e-mail of its account. `collection` is the title of the collection of which all images are.
    """

    def __init__(self, *, for_guest: bool = False, collection: str | None = None) -> None:
        self._for_guest = for_guest
        self._collection = collection
        self._scope = guest_scope() if for_guest else WHOLE_SHELF
        self._profiles: dict[str, str] | None = None
        self._projects: dict[tuple[str, str], str | None] = {}

    def fields_of(self, image: Image, sequence: int = 1) -> Fields:
        made = parsed(image.created_at)
        is_owner = not self._for_guest
        return Fields(
            date=None if made == UNREADABLE else made,
            prompt=image.prompt,
            key=image.media_key,
            profile=self._profile_of(image.profile_id),
            project=self._project_of(image) if is_owner else None,
            model=image.model_name,
            seed=image.seed,
            title=image.title if is_owner else None,
            kind=image.kind,
            version=image.version if is_owner else None,
            sequence=sequence,
            collection=self._collection_of(image),
        )

    def _collection_of(self, image: Image) -> str | None:
        """The title of the one that is exported, else of the first one."""
        return self._collection or collections.find_first_title(image, self._scope)

    def _profile_of(self, profile_id: str) -> str | None:
        if self._profiles is None:
            self._profiles = {profile.id: guest_name(profile) for profile in list_profiles()}
        return self._profiles.get(profile_id)

    def _project_of(self, image: Image) -> str | None:
        if not image.project_id:
            return None
        key = image.profile_id, image.project_id
        if key not in self._projects:
            self._projects[key] = find_title(*key)
        return self._projects[key]


def suffix_of(image: Image) -> str:
    """The suffix of an image's file."""
    return PurePath(image.local_path or "").suffix
