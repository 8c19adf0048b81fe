"""Images whose file names the settings page shows: the newest with a file, else one that is made up."""

from dataclasses import dataclass
from datetime import UTC, datetime

from webapp.maintenance.leaving.fields import Fields, Teller, suffix_of
from webapp.store.gallery import images
from webapp.store.gallery.filters import FileState, Filter

COUNT = 3
_MADE_UP = Fields(
    date=datetime(2026, 11, 3, 10, 20, 30, tzinfo=UTC),
    prompt="A red kite over the hills in the early morning",
    key="CAMaJDNmNTQ4",
    profile="Ada",
    project="Wind and weather",
    model="GEM_PIX_2",
    seed=481516,
    title="Red kite",
    kind="generated",
    version="2",
    sequence=1,
)


@dataclass(frozen=True, slots=True)
class Example:
    """An image and the suffix of its file."""

    fields: Fields
    suffix: str

    def file_name(self, template: str) -> str:
        return self.fields.file_name(template, self.suffix)


def list_examples() -> list[Example]:
    """Some images of the shelf, as the owner would save them."""
    teller = Teller()
    found = images.list_page(Filter(state=FileState.DONE), limit=COUNT).images
    named = [
        Example(teller.fields_of(image, number), suffix_of(image)) for number, image in enumerate(found, 1)
    ]
    return named or [Example(_MADE_UP, ".jpg")]
