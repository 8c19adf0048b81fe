"""Help pages: a list, and one page per topic. Each topic has its template in `templates/help`."""

from dataclasses import dataclass

from flask import Blueprint, render_template, url_for
from flask.typing import ResponseReturnValue

from webapp.choices import CHOOSABLE
from webapp.config import SETTINGS
from webapp.errors import Forbidden
from webapp.web.access import is_owner, open_to_guests
from webapp.web.views.filter_parameters import searchable_flags

help_pages = Blueprint("help", __name__)


@dataclass(frozen=True, slots=True)
class Topic:
    """A help page, the owner's unless it is marked as open to guests."""

    name: str
    title: str
    summary: str
    is_for_guests: bool = False

    @property
    def may_be_read(self) -> bool:
        """Whether the topic is for whoever asks."""
        return self.is_for_guests or is_owner()


TOPICS = (
    Topic(
        "sign-in",
        "Sign in to Flow",
        "Which way fits your browser; copying cookies in Firefox, Chrome, Edge, Brave or Safari.",
    ),
    Topic(
        "keeping-signed-in",
        "Keeping signed in",
        "Why a session ends, and how Flowshelf can keep one alive.",
    ),
    Topic(
        "firefox",
        "Firefox’s sign-in",
        "Let Flowshelf read the sign-in of the Firefox on this computer.",
    ),
    Topic(
        "companion",
        "The companion",
        "A browser extension that reads Flow where you are signed in: install, pause, update, remove.",
    ),
    Topic(
        "every-day",
        "Every day",
        "Sync, download, select, make a ZIP, and the keys that do the same.",
    ),
    Topic(
        "search", "Search and filters", "What to type into the search box, and which filters there are.", True
    ),
    Topic("keys", "Keyboard shortcuts", "The keys of the gallery, and of an open image.", True),
    Topic(
        "collections",
        "Favourites and collections",
        "Mark the images that you like, sort them into collections, and keep these choices.",
    ),
    Topic(
        "files",
        "Files that leave the shelf",
        "Names by a template, metadata inside the files, and a folder that stays in step.",
    ),
    Topic("guests", "Visiting as a guest", "What you can do on a shelf that somebody shared with you.", True),
    Topic("sharing", "Sharing", "Open the shelf on your phone, or let others in your network see it."),
    Topic("proxies", "Reverse proxies", "Serve the shelf by HTTPS, under a name of its own or under a path."),
    Topic(
        "networks",
        "Proxies and certificates",
        "Reach Google through a company’s proxy or SOCKS, and what to do about refused certificates.",
    ),
    Topic(
        "moving",
        "Backup and moving",
        "Back up the shelf, restore it, take it to another computer, import an older one.",
    ),
    Topic(
        "notifications",
        "Notifications",
        "Be told when a sign-in ends, a sync fails, downloads are done, or a disk is nearly full.",
    ),
    Topic(
        "adopting",
        "Adopting files",
        "Take over images that you downloaded by hand or with another tool.",
    ),
    Topic("settings", "Settings", "Every environment variable, its default and its option."),
    Topic("command-line", "Command line and cron", "Sync and download from a terminal or a script."),
    Topic(
        "troubleshooting",
        "When something is wrong",
        "Let Flowshelf check itself, and what its messages mean.",
    ),
)
_BY_NAME = {topic.name: topic for topic in TOPICS}


def has_topic(name: str) -> bool:
    return name in _BY_NAME


@help_pages.get("/help")
@open_to_guests
def list_topics() -> str:
    return render_template("help/index.html", topics=[topic for topic in TOPICS if topic.may_be_read])


@help_pages.get("/help/<name>")
@open_to_guests
def show_topic(name: str) -> ResponseReturnValue:
    """Raises Forbidden when a guest asks for a topic of the owner's."""
    topic = _BY_NAME.get(name)
    if topic is None:
        sentence = f"There is no such help page. The list of all pages is at {url_for('help.list_topics')}."
        return render_template("problem.html", sentence=sentence, status=404), 404
    if not topic.may_be_read:
        raise Forbidden("This help page is for the owner of the shelf.")
    return render_template(
        f"help/{name}.html", topic=topic, settings=SETTINGS, choosable=CHOOSABLE, flags=searchable_flags()
    )
