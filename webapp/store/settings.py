"""Choices of the settings page, as the text that was typed. `webapp.config` parses them."""

from collections.abc import Mapping

from webapp.database.models import Setting
from webapp.store import transaction


def list_chosen() -> dict[str, str]:
    """The chosen settings by their names in `Config`."""
    return {row.name: row.value for row in Setting.select()}


def save_chosen(values: Mapping[str, str]) -> None:
    """Replace all choices by `values`. A setting that is missing from them goes back to its default."""
    with transaction():
        Setting.delete().execute()
        for name, value in values.items():
            Setting.create(name=name, value=value)
