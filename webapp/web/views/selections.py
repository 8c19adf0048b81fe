"""What can be done with a selection beside downloading it: sum, names, metadata, hide, delete."""

import csv
import io
import json
from collections.abc import Iterator
from datetime import UTC, datetime

from flask import Blueprint, Response, redirect, render_template, request
from flask.typing import ResponseReturnValue

from webapp import store
from webapp.database.models import Image
from webapp.store.gallery import selections
from webapp.store.gallery.filters import Selection
from webapp.web.services import background
from webapp.web.views.api_values import EXPORT_FIELDS, export_value
from webapp.web.views.filter_parameters import filter_of, selection_fields, selection_of, way_back

selecting = Blueprint("selections", __name__)

# A cell that begins so is a formula to a spreadsheet; an apostrophe makes it text.
FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r")

_DELETED = {"deleted_count": "deleted", "kept_count": "kept"}


@selecting.post("/selection")
def show_summary() -> str:
    """What the selection comes to, for the toolbar."""
    return render_template(
        "partials/selection_sum.html", sum=selections.summary_of(selection_of(request.form))
    )


@selecting.post("/selection/names")
def list_names() -> Response:
    return _streamed(_names(selections.list_ids(selection_of(request.form))), "text/plain")


@selecting.post("/selection/ask/<any(download, hide, delete):verb>")
def ask(verb: str) -> str:
    """Names what is about to happen to how many images; the selection goes along in hidden fields."""
    return _question(verb, selection_of(request.form))


def _question(verb: str, selection: Selection, *, has_changed: bool = False) -> str:
    return render_template(
        "selection_ask.html",
        verb=verb,
        sum=selections.summary_of(selection),
        fields=[*selection_fields(selection), ("seal", selections.fingerprint_of(selection))],
        has_changed=has_changed,
        back=way_back(),
    )


def _is_as_shown(selection: Selection) -> bool:
    """Whether the selection still is what the person who says yes was asked about."""
    return request.form.get("seal") == selections.fingerprint_of(selection)


@selecting.post("/selection/hide")
def hide() -> ResponseReturnValue:
    selection = selection_of(request.form)
    if not _is_as_shown(selection):
        return _question("hide", selection, has_changed=True)
    return redirect(way_back(hid=selections.hide(selection)), code=303)


@selecting.post("/selection/show")
def show_again() -> ResponseReturnValue:
    selections.show_again(selection_of(request.form))
    return redirect(way_back(), code=303)


@selecting.post("/selection/undo")
def undo_hiding() -> ResponseReturnValue:
    selections.undo_hiding(request.form.get("hid", ""))
    return redirect(way_back(), code=303)


@selecting.post("/selection/delete")
def delete_files() -> ResponseReturnValue:
    selection = selection_of(request.form)
    if not _is_as_shown(selection):
        return _question("delete", selection, has_changed=True)
    deleted, kept = background().delete_files(selections.list_ids(selection))
    return redirect(way_back(deleted=deleted, kept=kept), code=303)


@selecting.app_template_global()
def outcome() -> dict | None:
    """What the gallery says of the command that led to its address."""
    words = request.args
    if (hid := words.get("hid")) and (count := selections.count_hidden_at(hid)):
        return {"hidden_count": count, "hid": hid}
    if "deleted" not in words:
        return None
    return {name: words.get(word, 0, int) for name, word in _DELETED.items()}


# Metadata


@selecting.route("/metadata.<any(csv, json):form>", methods=["GET", "POST"])
def export_metadata(form: str) -> Response:
    """Of a filter by its address, of a selection by its form."""
    is_selection = request.method == "POST"
    selection = selection_of(request.form) if is_selection else Selection(everything=filter_of(request.args))
    ids = selections.list_ids(selection)
    chunks, kind = (_csv(ids), "text/csv") if form == "csv" else (_json(ids), "application/json")
    response = _streamed(chunks, kind)
    file_name = f"flowshelf-metadata-{datetime.now(UTC):%Y-%m-%d}.{form}"
    response.headers["Content-Disposition"] = f'attachment; filename="{file_name}"'
    return response


def _streamed(chunks: Iterator[str], kind: str) -> Response:
    return Response(chunks, content_type=f"{kind}; charset=utf-8")


def _chunks(ids: list[str]) -> Iterator[list[Image]]:
    """The images piece by piece: this runs after the request's connection was closed, and a reader may
    leave in the middle, so each piece opens its own."""
    for chunk in store.chunked(ids):
        with store.connection():
            images = selections.list_in_order(chunk)
        yield images


def _names(ids: list[str]) -> Iterator[str]:
    for images in _chunks(ids):
        yield "".join(f"{image.name}\n" for image in images)


def _csv(ids: list[str]) -> Iterator[str]:
    yield _lines([EXPORT_FIELDS])
    for images in _chunks(ids):
        values = map(export_value, images)
        yield _lines([[cell(value.get(name)) for name in EXPORT_FIELDS] for value in values])


def _lines(rows: list) -> str:
    written = io.StringIO()
    csv.writer(written).writerows(rows)
    return written.getvalue()


def cell(value: object) -> object:
    """A value as a spreadsheet may open it without calculating anything."""
    return f"'{value}" if isinstance(value, str) and value.startswith(FORMULA_STARTS) else value


def _json(ids: list[str]) -> Iterator[str]:
    separator = "[\n"
    for images in _chunks(ids):
        for image in images:
            yield separator + json.dumps(export_value(image), ensure_ascii=False)
            separator = ",\n"
    yield "\n]\n" if separator == ",\n" else "[]\n"
