"""Writes the description of a picture into its file: into segments and chunks. No pixel is encoded again.

xmp     the description as XMP, also merged into XMP that is there
exif    the description as EXIF and IPTC
jpeg, png, webp   where it goes in each format

What other programs have written stays: an EXIF block of theirs is left as it is and gets no second one next
to it, and of their XMP no property is replaced. A description of ours is replaced, so doing it twice is the
same as once.
"""

from collections.abc import Callable

from webapp.storage.embedding.description import Description
from webapp.storage.embedding.jpeg import embed_in_jpeg
from webapp.storage.embedding.png import embed_in_png
from webapp.storage.embedding.webp import embed_in_webp
from webapp.storage.embedding.xmp import packet
from webapp.storage.structure import Kind, Malformed, Unfinished, end_of, kind_of

__all__ = ["Description", "embed", "sidecar"]

_EMBED: dict[Kind, Callable[[bytes, Description], bytes]] = {
    Kind.JPEG: embed_in_jpeg,
    Kind.PNG: embed_in_png,
    Kind.WEBP: embed_in_webp,
}


def embed(content: bytes, description: Description) -> bytes:
    """The picture with its description inside. Returned as it is: a format without a place for one (GIF,
    AVIF), and a picture whose structure is not sound."""
    kind = kind_of(content)
    if kind not in _EMBED:
        return content
    try:
        end_of(kind, content)
        embedded = _EMBED[kind](content, description)
        end_of(kind, embedded)
    except (Malformed, Unfinished):
        return content
    return embedded


def sidecar(description: Description) -> bytes:
    """The content of an `.xmp` file that lies next to a picture."""
    return packet(description)
