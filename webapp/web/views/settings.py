"""The settings page: what a person may choose, and what the environment and flags have fixed."""

from dataclasses import dataclass

from flask import Blueprint, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from webapp.background.delivery import recipients
from webapp.config import CHOOSABLE, Config, setting_of
from webapp.errors import BadRequest
from webapp.sources.connectivity import proxy_text, trusted_certificates
from webapp.store import settings as chosen_settings
from webapp.web.services import background

settings = Blueprint("settings", __name__)


@dataclass(frozen=True, slots=True)
class Field:
    """One setting of the form. `text` is what was chosen, empty for the default."""

    name: str
    label: str
    unit: str
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
    try:
        background().choose_settings(texts)
    except BadRequest as error:
        return _page(texts, error=str(error)), 422
    return redirect(url_for("settings.show_settings", saved=""), code=303)


def _page(texts: dict[str, str], *, error: str | None = None, is_saved: bool = False) -> str:
    current = background().settings.current
    fields = [_field(name, texts.get(name, ""), current) for name in CHOOSABLE]
    return render_template(
        "settings.html",
        fields=fields,
        error=error,
        is_saved=is_saved,
        proxy=proxy_text(current, current.flow_url),
        certificates=trusted_certificates(current),
        recipients=recipients(current),
    )


def _field(name: str, text: str, current: Config) -> Field:
    is_fixed, setting = name in current.given, setting_of(name)
    return Field(
        name,
        CHOOSABLE[name].label,
        CHOOSABLE[name].unit,
        setting.meaning,
        str(getattr(current, name)) if is_fixed else text,
        setting.default,
        is_fixed,
        setting.variable,
    )
