"""The settings page: what a person may choose, and what the environment and flags have fixed."""

from dataclasses import dataclass

from flask import Blueprint, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from webapp.background.delivery import recipients
from webapp.choices import CHOOSABLE, Choice
from webapp.config import Config, parse_setting, setting_of
from webapp.errors import BadRequest
from webapp.file_names import DEFAULT_TEMPLATE, FIELDS, Names
from webapp.maintenance.leaving.examples import list_examples
from webapp.sources.connectivity import proxy_text, trusted_certificates
from webapp.store import settings as chosen_settings
from webapp.web.services import background

settings = Blueprint("settings", __name__)


@dataclass(frozen=True, slots=True)
class Field:
    """One setting of the form. `text` is what was chosen, empty for the default."""

    name: str
    choice: Choice
    meaning: str
    text: str
    default: str
    is_fixed: bool
    variable: str


@settings.get("/settings")
def show_settings() -> str:
    return _page(chosen_settings.list_chosen(), is_saved="saved" in request.args)


@settings.post("/settings")
def save_settings() -> ResponseReturnValue:
    texts = {name: request.form[name] for name in CHOOSABLE if name in request.form}
    if "preview" in request.form:
        return _page(texts)
    try:
        background().choose_settings(texts)
    except BadRequest as error:
        return _page(texts, error=str(error)), 422
    return redirect(url_for("settings.show_settings", saved=""), code=303)


@settings.get("/settings/file-names")
def show_file_names() -> str:
    """The names that a template gives to some images, while it is typed."""
    return render_template("partials/file_names.html", **_names(request.args.get("file_names", "")))


def _names(template: str) -> dict[str, object]:
    """What the preview shows: the names, or the sentence that says why there are none."""
    try:
        parse_setting("file_names", template.strip() or DEFAULT_TEMPLATE, label=CHOOSABLE["file_names"].label)
    except BadRequest as error:
        return {"names": [], "names_error": str(error)}
    unique = Names()
    examples = list_examples()
    names = [unique.unique(each.file_name(template.strip() or DEFAULT_TEMPLATE)) for each in examples]
    return {"names": names, "names_error": None}


def _page(texts: dict[str, str], *, error: str | None = None, is_saved: bool = False) -> str:
    current = background().settings.current
    fields = [_field(name, texts.get(name, ""), current) for name in CHOOSABLE]
    template = next(field.text for field in fields if field.name == "file_names")
    return render_template(
        "settings.html",
        fields=fields,
        error=error,
        is_saved=is_saved,
        proxy=proxy_text(current, current.flow_url),
        certificates=trusted_certificates(current),
        name_fields=FIELDS,
        recipients=recipients(current),
        **_names(template),
    )


def _field(name: str, text: str, current: Config) -> Field:
    is_fixed, setting = name in current.given, setting_of(name)
    return Field(
        name,
        CHOOSABLE[name],
        setting.meaning,
        str(getattr(current, name)) if is_fixed else text,
        setting.default,
        is_fixed,
        setting.variable,
    )
