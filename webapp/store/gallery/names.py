"""Models and projects by what a person types: their name, or a part of it."""

from collections.abc import Iterable

from webapp.database.folding import fold
from webapp.database.models import Project, Tally
from webapp.store.gallery.reuse import reused
from webapp.store.model_names import model_name

_BLANKS = str.maketrans("_-", "  ")


def find_models(text: str) -> tuple[str, ...]:
    """The codes of the models of stored images that have this name or code; else those that contain it."""
    return reused(("model", text), lambda: _find_models(text))


def find_projects(text: str) -> tuple[str, ...]:
    """The ids of the projects that have this title or id; else those whose titles contain it."""
    return reused(("project", text), lambda: _find_projects(text))


def _find_models(text: str) -> tuple[str, ...]:
    codes = Tally.select(Tally.model_name).where(Tally.image_count > 0, Tally.model_name != "").distinct()
    return _best(text, ((code, (code, model_name(code))) for code in sorted(codes.scalars())))


def _find_projects(text: str) -> tuple[str, ...]:
    rows = Project.select(Project.remote_id, Project.title).order_by(Project.id).tuples().iterator()
    found = _best(text, ((remote_id, (title,)) for remote_id, title in rows))
    # An image may name a project that the listing never showed.
    return found or (text,)


def _best(text: str, candidates: Iterable[tuple[str, tuple[str, ...]]]) -> tuple[str, ...]:
    """The keys of the candidates with a name that is `text`; if there are none, that contains it."""
    wanted = _plain(text)
    named = [(key, [_plain(name) for name in names]) for key, names in candidates]
    same = tuple(dict.fromkeys(key for key, names in named if wanted in names))
    return same or tuple(dict.fromkeys(key for key, names in named if any(wanted in name for name in names)))


def _plain(name: str) -> str:
    """Without capitals and diacritics; `nano-banana` is read like “Nano Banana”."""
    return " ".join(fold(name).translate(_BLANKS).split())
