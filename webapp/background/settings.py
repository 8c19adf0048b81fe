"""The settings in force: the defaults, what a person chose on the settings page, the environment and flags.

The environment and flags win. What was chosen is read from the database when Flowshelf starts and when it
changes, so that the threads of a run can look a setting up without a query.
"""

import logging
import threading
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from webapp.choices import CHOOSABLE
from webapp.config import Config, parse_setting
from webapp.errors import BadRequest
from webapp.store import settings

log = logging.getLogger(__name__)


class Settings:
    """The settings in force, and changes to them.

    `current` is a `Config`. It is replaced as a whole, so whoever reads it once never sees half a change.
    """

    def __init__(self, config: Config) -> None:
        self._config = config
        self._lock = threading.Lock()
        self.current = config

    def load(self) -> None:
        """Read what was chosen. A choice that this version does not accept is logged and left out."""
        self.current = replace(self._config, **self._accepted(settings.list_chosen()))

    def choose(self, texts: Mapping[str, str]) -> None:
        """Store choices by their names in `Config`; an empty text takes the default.

        Raises BadRequest, and stores nothing, when one of them cannot be used or is fixed by the
        environment or a flag.
        """
        chosen = {name: text.strip() for name, text in texts.items() if text.strip()}
        for name, text in chosen.items():
            if name not in self.choosable:
                raise BadRequest(f"The setting “{name}” cannot be chosen here.")
            parse_setting(name, text, label=CHOOSABLE[name].label)
        with self._lock:  # two browsers that save at once: the last one wins as a whole
            fixed = {
                name: text for name, text in settings.list_chosen().items() if name not in self.choosable
            }
            settings.save_chosen(fixed | chosen)
            self.load()

    @property
    def choosable(self) -> list[str]:
        """Settings that the page may change: those that neither the environment nor a flag has set."""
        return [name for name in CHOOSABLE if name not in self._config.given]

    def _accepted(self, texts: Mapping[str, str]) -> dict[str, Any]:
        values: dict[str, Any] = {}  # each has the type of its field in `Config`
        for name, text in texts.items():
            if name in self.choosable:
                try:
                    values[name] = parse_setting(name, text)
                except BadRequest as error:
                    log.warning("A setting chosen earlier is left out: %s", error)
        return values
