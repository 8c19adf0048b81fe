"""Sends one notification: posts it to a URL, or hands it to a program."""

import json
import subprocess
import threading
from collections.abc import Callable
from contextlib import closing
from dataclasses import asdict, dataclass
from enum import StrEnum
from functools import partial

from webapp.config import Config
from webapp.errors import FlowshelfError
from webapp.outgoing import NotifyCommand, NotifyUrl
from webapp.sources.http import HttpClient, Network

MAX_SECONDS = 10.0
MAX_RESPONSE_BYTES = 64 * 1024


class Type(StrEnum):
    """How urgent a notification is, in the words of Apprise's API."""

    INFO = "info"
    SUCCESS = "success"
    WARNING = "warning"
    FAILURE = "failure"


@dataclass(frozen=True, slots=True)
class Notice:
    """What a notification says. It leaves this machine, so it holds no prompt, e-mail, path or file name."""

    title: str
    body: str
    type: Type


TEST = Notice("Test", "Flowshelf can send notifications.", Type.INFO)


class NotSent(FlowshelfError):
    """A notification was not accepted. The sentence holds no secret."""

    code, http_status = "not_sent", 502


def recipients(config: Config) -> list[str]:
    """Where notifications go, as text without a secret; empty if nowhere."""
    return [
        *([f"the URL {config.notify_url}"] if config.notify_url else []),
        *([f"the program {config.notify_command}"] if config.notify_command else []),
    ]


def deliver(config: Config, notice: Notice, stopping: threading.Event) -> None:
    """Send a notification to the URL and to the program, whichever are set. Raises NotSent."""
    content = json.dumps(asdict(notice)).encode()
    sends: list[Callable[[], None]] = []
    if url := config.notify_url:
        sends.append(partial(_post, url, content, Network.of(config), stopping))
    if command := config.notify_command:
        sends.append(partial(_run, command, content))
    problems = []
    for send in sends:
        try:
            send()
        except FlowshelfError as error:
            problems.append(str(error))
    if problems:
        raise NotSent(" ".join(problems))


def _post(url: NotifyUrl, content: bytes, network: Network, stopping: threading.Event) -> None:
    headers = {"Content-Type": "application/json"}
    if url.authorization:
        headers["Authorization"] = url.authorization
    timeout = MAX_SECONDS / 2, MAX_SECONDS
    with closing(HttpClient(stopping, timeout, MAX_SECONDS, "Flowshelf", network)) as client:
        status = client.post(url.url, headers, content, MAX_RESPONSE_BYTES).status
    if 300 <= status < 400:
        raise NotSent(f"{url} redirects to another URL (HTTP {status}), which is not followed. Set that one.")
    if not 200 <= status < 300:
        raise NotSent(f"{url} refuses the notification (HTTP {status}).")


def _run(command: NotifyCommand, content: bytes) -> None:
    try:
        done = subprocess.run(
            command.words,
            input=content,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            timeout=MAX_SECONDS,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise NotSent(f"The program {command} took longer than {MAX_SECONDS:.0f} seconds.") from error
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else "its arguments are not valid"
        raise NotSent(f"The program {command} cannot be started ({reason}).") from error
    if done.returncode:
        raise NotSent(f"The program {command} ended with exit code {done.returncode}.")
