"""The settings that a person may choose on the page Settings, with their labels there."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from webapp.file_names import METADATA_PLACES


@dataclass(frozen=True, slots=True)
class Choice:
    """How the settings page names a setting that a person may choose: from `options`, or by typing it.

    `options` are values and their labels.
    """

    label: str
    unit: str = ""
    options: Mapping[str, str] = field(default_factory=dict)
    is_number: bool = True


# Hosts, folders, the proxy, commands and URLs are not among them: whoever opens the page must not be able to
# send Flowshelf elsewhere.
CHOOSABLE = {
    "page_delay_seconds": Choice("Delay between history pages", "seconds"),
    "download_workers": Choice("Parallel downloads", "at a time, for each profile"),
    "trash_days": Choice("Keep deleted files in the trash", "days"),
    "file_names": Choice("Names of files that leave the shelf", is_number=False),
    "file_metadata": Choice("Metadata of files that leave the shelf", options=METADATA_PLACES),
}
