"""Commands for selected images besides downloads: count, copy names, export metadata, hide, delete files."""

import csv
import io
import json
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from flask import Blueprint, Response, redirect, render_template, request
from flask.typing import ResponseReturnValue
from flask_htmx import HTMX

from webapp import store
from webapp.database.models import Image
from webapp.store import trash
from webapp.store.choices import collections, favourites, past
from webapp.store.gallery import selections
from webapp.store.gallery.filters import Selection
from webapp.web.access import asks_for_code
from webapp.web.services import background
from webapp.web.views.api_values import EXPORT_FIELDS, export_value
from webapp.web.views.filter_parameters import filter_of, selection_fields, selection_of
from webapp.web.views.return_path import return_path
from webapp.web.views.zones import viewed_now

selection_commands = Blueprint("selections", __name__)
htmx = HTMX()

# How many images of a selection a dialog shows.
SHOWN_IMAGES = 12
# Events after which a page refreshes its counts; and the states of its cards, and the image that is open.
IMAGES_CHANGED, FILES_CHANGED = "images-changed", "files-changed"

# How many choices a command has changed at a time, and the parameter that names the collection.
CHOICES: dict[str, tuple[Callable[[str], int], str]] = {
    "favoured": (favourites.count_marked_at, ""),
    "unfavoured": (past.count_removed_at, ""),
    "collected": (collections.count_added_at, "into"),
    "uncollected": (past.count_removed_at, "out_of"),
}

# Without it, Excel takes UTF-8 for the encoding of its own system.
BYTE_ORDER_MARK = "\ufeff"
# A spreadsheet reads a cell that starts like this as a formula. An apostrophe in front makes it text.
FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r")


@selection_commands.post("/selection")
def show_summary() -> str:
    """The count and size of the selected files, for the toolbar."""
    summary = selections.summary_of(selection_of(request.form))
    return render_template("partials/selection_summary.html", summary=summary)


@selection_commands.post("/selection/names")
def list_names() -> Response:
    return _stream(_names(selections.list_ids(selection_of(request.form))), "text/plain")


@selection_commands.post("/selection/ask/<any(download, delete):verb>")
def confirm(verb: str) -> str:
    """A page that asks for confirmation: it says what would happen to how many images."""
    return _confirmation(verb, selection_of(request.form))


def _confirmation(verb: str, selection: Selection, *, has_changed: bool = False) -> str:
    """The confirmation page. Hidden fields carry the selection and its fingerprint, for `_is_confirmed`."""
    summary = selections.summary_of(selection)
    has_file = verb == "delete"
    return render_template(
        "selection_confirm.html",
        verb=verb,
        summary=summary,
        images=selections.list_first(selection, SHOWN_IMAGES, has_file=has_file),
        image_count=summary.file_count if has_file else summary.image_count,
        fields=[*selection_fields(selection), ("fingerprint", selections.fingerprint_of(selection))],
        has_changed=has_changed,
        trash_days=background().settings.current.trash_days,
        is_disk_full=verb == "delete" and background().is_disk_full(),
        back=return_path(),
    )


def _is_confirmed(selection: Selection) -> bool:
    """Whether the selection still holds the images that the person confirmed. A filter may match others by
    now."""
    return request.form.get("fingerprint") == selections.fingerprint_of(selection)


@selection_commands.post("/selection/hide")
def hide() -> ResponseReturnValue:
    """Hide at once: Undo is offered, so nothing is asked."""
    return redirect(return_path(hid=selections.hide(selection_of(request.form))), code=303)


@selection_commands.post("/selection/show")
def show_again() -> ResponseReturnValue:
    selections.show_again(selection_of(request.form))
    return redirect(return_path(), code=303)


@selection_commands.post("/selection/undo")
def undo_hiding() -> ResponseReturnValue:
    """Show again what was hidden at the times `hid`: several, if a toast has merged several actions."""
    for hid in request.form.getlist("hid"):
        selections.undo_hiding(hid)
    if htmx:
        return "", 204, {"HX-Trigger": IMAGES_CHANGED}
    return redirect(return_path(), code=303)


@selection_commands.post("/selection/delete")
def delete_files() -> ResponseReturnValue:
    selection = selection_of(request.form)
    if not _is_confirmed(selection):
        return _confirmation("delete", selection, has_changed=True)
    done = background().delete_files(selections.list_ids(selection))
    outcome = {"deleted": done.deleted_count, "kept": done.kept_count, "undo": done.act}
    if done.in_use_count:
        outcome["in_use"] = done.in_use_count
    return redirect(return_path(**outcome), code=303)


@selection_commands.post("/selection/delete-for-good")
@asks_for_code
def delete_for_good() -> ResponseReturnValue:
    """Delete files past the trash, which is on the same disk: offered while that is full."""
    selection = selection_of(request.form)
    if not _is_confirmed(selection):
        return _confirmation("delete", selection, has_changed=True)
    deleted, kept = background().delete_for_good(selections.list_ids(selection))
    return redirect(return_path(deleted=deleted, kept=kept), code=303)


@selection_commands.get("/selection/outcome")
def show_outcome() -> ResponseReturnValue:
    """The outcome as a toast, for a page that stays as it is: `return_path` leads here instead of to it."""
    events = ["dialog-close", IMAGES_CHANGED] + (
        [FILES_CHANGED] if {"deleted", "restored"} & set(request.args) else []
    )
    headers = {"HX-Reswap": "none", "HX-Trigger": ", ".join(events)}
    return render_template("partials/outcome.html"), 200, headers


@selection_commands.app_template_global()
def outcome() -> dict[str, Any] | None:
    """The outcome of the command that redirected to this page (see `return_path`), for
    `partials/outcome.html`."""
    args = request.args
    for choice, (count_at, place) in CHOICES.items():
        if (moment := args.get(choice)) is not None:
            done = {"choice": choice, "moment": moment, "choice_count": count_at(moment)}
            collection = collections.find_collection(args.get(place, ""))
            return done | {"collection": collection} if collection or not place else None
    if (hid := args.get("hid")) and (count := selections.count_hidden_at(hid)):
        return {"hidden_count": count, "hid": hid}
    names = {"deleted", "kept", "in_use"} if "deleted" in args else {"restored", "aside", "stayed"}
    if not names.intersection(args):
        return None
    act = args.get("undo", "")
    counts = {f"{name}_count": args.get(name, 0, int) for name in names}
    return counts | {"undo": act if trash.count_act(act) else ""}


# Metadata


@selection_commands.route("/metadata.<any(csv, json):file_format>", methods=["GET", "POST"])
def export_metadata(file_format: str) -> Response:
    """Export metadata as CSV or JSON: by GET of the images that match the filter, by POST of the
    selection."""
    is_selection = request.method == "POST"
    selection = selection_of(request.form) if is_selection else Selection(everything=filter_of(request.args))
    ids = selections.list_ids(selection)
    if file_format == "csv":
        response = _stream(_csv(ids), "text/csv")
    else:
        response = _stream(_json(ids), "application/json")
    file_name = f"flowshelf-metadata-{viewed_now():%Y-%m-%d}.{file_format}"
    response.headers["Content-Disposition"] = f'attachment; filename="{file_name}"'
    return response


def _stream(chunks: Iterator[str], media_type: str) -> Response:
    return Response(chunks, content_type=f"{media_type}; charset=utf-8")


def _chunks(ids: list[str]) -> Iterator[list[Image]]:
    """The images in chunks. Flask closes the request's database connection before it sends them, and a client
    may leave half-way, so each chunk opens and closes a connection of its own."""
    for chunk in store.chunked(ids):
        with store.connection():
            images = selections.list_in_order(chunk)
        yield images


def _names(ids: list[str]) -> Iterator[str]:
    for images in _chunks(ids):
        yield "".join(f"{image.name}\n" for image in images)


def _exported(ids: list[str]) -> Iterator[list[dict[str, Any]]]:
    for chunk in store.chunked(ids):
        with store.connection():
            images = selections.list_in_order(chunk)
            titles = collections.titles_of(chunk)
        yield [export_value(image, titles.get(image.id)) for image in images]


def _csv(ids: list[str]) -> Iterator[str]:
    yield BYTE_ORDER_MARK + _lines([EXPORT_FIELDS])
    for values in _exported(ids):
        for value in values:
            value["collections"] = ", ".join(value.get("collections", ()))
        yield _lines([[cell(value.get(name)) for name in EXPORT_FIELDS] for value in values])


def _lines(rows: Iterable[Iterable[object]]) -> str:
    output = io.StringIO()
    csv.writer(output).writerows(rows)
    return output.getvalue()


def cell(value: object) -> object:
    """A value that no spreadsheet evaluates as a formula."""
    return f"'{value}" if isinstance(value, str) and value.startswith(FORMULA_STARTS) else value


def _json(ids: list[str]) -> Iterator[str]:
    separator = "[\n"
    for values in _exported(ids):
        for value in values:
            yield separator + json.dumps(value, ensure_ascii=False)
            separator = ",\n"
    yield "\n]\n" if separator == ",\n" else "[]\n"
