"""Standard output and error, whatever they are: a pipe that was closed, a full disk, an old encoding."""

import codecs
import errno
import io
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any, TextIO


class OutputFailed(OSError):
    """Standard output or error could not be written. Its cause says why.

    An OSError, because `logging` ignores only those when it cannot write a line.
    """


class _Stream:
    """Raises OutputFailed in place of OSError, so that no other failure is taken for one of the output."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def write(self, text: str) -> int:
        with _output_errors():
            return self._stream.write(text)

    def flush(self) -> None:
        with _output_errors():
            self._stream.flush()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)


@contextmanager
def _output_errors() -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise OutputFailed(str(error)) from error


@contextmanager
def tolerant_output() -> Iterator[None]:
    """Print a replacement sign for a character that the encoding lacks. Exit with 1 when the output fails.

    A closed pipe needs no message: its reader wanted no more. Any other failure is named on standard error.
    """
    streams = sys.stdout, sys.stderr
    sys.stdout, sys.stderr = (_tolerant(stream) for stream in streams)
    try:
        yield
    except OutputFailed as failed:
        cause = failed.__cause__
        if isinstance(cause, OSError) and cause.errno != errno.EPIPE:
            with suppress(OSError):
                print(
                    f"Error: the output could not be written: {cause.strerror}.", file=sys.stderr, flush=True
                )
        _discard_buffers()
        sys.exit(1)
    finally:
        sys.stdout, sys.stderr = streams


def _tolerant(stream: TextIO | None) -> _Stream:
    if stream is None:  # it was closed before the start; the number of its file must not go to the database
        return _Stream(open(os.devnull, "w"))
    if isinstance(stream, io.TextIOWrapper):
        # click takes ASCII for a missing setting and writes UTF-8 itself, past this stream, if we do not.
        is_ascii = codecs.lookup(stream.encoding).name == "ascii"
        stream.reconfigure(encoding="utf-8" if is_ascii else None, errors="replace")
    return _Stream(stream)


def _discard_buffers() -> None:
    """Python writes what is left in the buffers when it ends, and would report the same failure again."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except OSError:
            with suppress(OSError, ValueError):
                os.dup2(nowhere, stream.fileno())
    os.close(nowhere)
