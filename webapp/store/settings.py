"""What a person chose on the settings page, as the text that was typed; `webapp.config` reads it."""

from collections.abc import Mapping

from webapp.database.models import Setting


def list_chosen() -> dict[str, str]:
    """The chosen settings by their names in `Config`."""
    return {row.name: row.value for row in Setting.select()}


def save_chosen(values: Mapping[str, str]) -> None:
    """Replace all choices by these; a name that is missing goes back to its default."""
    Setting.delete().execute()
    for name, value in values.items():
        Setting.insert(name=name, value=value).execute()
