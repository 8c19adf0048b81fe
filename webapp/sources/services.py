"""Opens the source of the service that a profile's cookies belong to, or of its paired browser."""

import threading

from webapp.config import Config
from webapp.sources import Credentials, Source
from webapp.sources.cookies import FLOW_HOST, service_of
from webapp.sources.flow_google import FlowGoogleSource
from webapp.sources.flow_google.companion_transport import Browser
from webapp.sources.labs import LabsSource


def open_source(config: Config, credentials: Credentials, stopping: threading.Event) -> Source:
    """The source for the stored cookies. Makes no request yet."""
    is_new = credentials.is_live or service_of(credentials.cookies()) == FLOW_HOST
    return (FlowGoogleSource if is_new else LabsSource)(config, credentials, stopping)


def open_through_browser(
    config: Config, credentials: Credentials, browser: Browser, stopping: threading.Event
) -> Source:
    """The source whose calls a paired browser makes. Makes none yet."""
    return FlowGoogleSource(config, credentials, stopping, browser)
