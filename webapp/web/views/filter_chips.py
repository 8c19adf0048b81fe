"""What a filter is set to, in words, each with the URL of the gallery without it."""

from flask import Flask

from webapp.store.choices import collections
from webapp.store.gallery.filters import FileState, Sort
from webapp.store.history import projects
from webapp.web.access import is_owner
from webapp.web.views.filter_parameters import gallery_url
from webapp.web.views.image_display import shape_label
from webapp.web.views.labels import file_label, project_label
from webapp.web.views.model_names import model_name

SORT_LABELS = {
    Sort.NEWEST: "Newest first",
    Sort.OLDEST: "Oldest first",
    Sort.DOWNLOADED: "Last downloaded",
    Sort.FAVOURITED: "Last marked as favourite",
}


def filter_chips(args: dict[str, str]) -> list[tuple[str, str]]:
    """The words and the URL of each parameter of a filter (`filter_args`), besides the profile and the search
    text, which have a place of their own."""
    words = {name: label(args[name]) for name, label in _LABELS.items() if name in args}
    return [(word, gallery_url(**args | {name: None})) for name, word in words.items()]


def sort_label(sort: str) -> str:
    return SORT_LABELS[Sort(sort)]


def _state_label(state: str) -> str:
    return file_label(FileState(state)) if is_owner() else "Available"


def _project_label(remote_id: str) -> str:
    project = projects.find_project(remote_id)
    return project_label(project) if project else remote_id


_LABELS = {
    "state": _state_label,
    "kind": str.capitalize,
    "aspect": shape_label,
    "model": model_name,
    "project": _project_label,
    "card": lambda _: "Versions of one image",
    "favourite": lambda _: "Favourites",
    "collection": lambda collection_id: collections.get_collection(collection_id).title,
    "from": lambda day: f"From {day}",
    "to": lambda day: f"To {day}",
    "sort": sort_label,
}


def register(app: Flask) -> None:
    app.jinja_env.globals["filter_chips"] = filter_chips
    app.jinja_env.filters["sort_label"] = sort_label
