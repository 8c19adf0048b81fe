"""The description of a picture as an XMP packet, alone or merged into one that is there."""

import re
from collections.abc import Iterator
from datetime import UTC, datetime
from xml.etree import ElementTree
from xml.sax.saxutils import escape, quoteattr

from webapp.storage.embedding.description import MAX_WORDS, Description, clean, cut

RDF = "http://www.w3.org/1999/02/22-rdf-syntax-ns#"
# Ours, for what no standard has a property for. It names the block, so that it is found again.
OURS = "urn:flowshelf:image:1"
NAMESPACES = {
    "dc": "http://purl.org/dc/elements/1.1/",
    "xmp": "http://ns.adobe.com/xap/1.0/",
    "photoshop": "http://ns.adobe.com/photoshop/1.0/",
    "exif": "http://ns.adobe.com/exif/1.0/",
    "Iptc4xmpExt": "http://iptc.org/std/Iptc4xmpExt/2008-02-29/",
}
_GENERATED = "http://cv.iptc.org/newscodes/digitalsourcetype/trainedAlgorithmicMedia"
_START = f'<rdf:Description xmlns:flowshelf="{OURS}"'
_OUR_BLOCK = re.compile(f"{re.escape(_START)}.*?</rdf:Description>\n", re.DOTALL)
_END_OF_RDF = re.compile(r"</([\w.-]+:)?RDF\s*>")
_BEGIN = '<?xpacket begin="\ufeff" id="W5M0MpCehiHzreSzNTczkc9d"?>\n<x:xmpmeta xmlns:x="adobe:ns:meta/">\n'
_RDF_START = f'<rdf:RDF xmlns:rdf="{RDF}">\n'
_FINISH = '</rdf:RDF>\n</x:xmpmeta>\n<?xpacket end="w"?>'


def packet(description: Description, *, max_bytes: int | None = None) -> bytes:
    """A packet of its own. `max_bytes`: the prompt is cut until the packet is not longer."""
    encoded, limit = _packet(_block(description)), max_bytes or 0
    while max_bytes and len(encoded) > max_bytes:
        limit = limit * 9 // 10
        encoded = _packet(_block(description, max_prompt_bytes=limit))
    return encoded


def merged(existing: bytes, description: Description, *, max_bytes: int | None = None) -> bytes | None:
    """A packet that is there, with a description. None when it has to stay as it is: it cannot be read, or
    would become too long."""
    try:
        text = existing.decode()
    except UnicodeDecodeError:
        return None
    text = _OUR_BLOCK.sub("", text)
    found = _described(text)
    if found is None:
        return None
    about, properties = found
    if not properties:
        return packet(description, max_bytes=max_bytes)
    end = list(_END_OF_RDF.finditer(text))[-1].start()
    result = f"{text[:end]}{_block(description, about=about, without=properties)}{text[end:]}"
    encoded = result.encode()
    is_sound = _described(result) is not None and (max_bytes is None or len(encoded) <= max_bytes)
    return encoded if is_sound else None


def _packet(block: str) -> bytes:
    return f"{_BEGIN}{_RDF_START}{block}{_FINISH}".encode()


def _described(text: str) -> tuple[str, frozenset[str]] | None:
    """What a packet is about, and the names of its properties; None when it cannot be read.

    A document type is refused: it could define text that grows without end.
    """
    if "<!" in text or not _END_OF_RDF.search(text):
        return None
    try:
        root = ElementTree.fromstring(text.strip("\ufeff\0 \t\r\n"))
    except (ElementTree.ParseError, ValueError):
        return None
    about, names = "", set[str]()
    for node in root.iter(f"{{{RDF}}}Description"):
        about = about or node.get(f"{{{RDF}}}about", "")
        names |= {name for name in node.attrib if not name.startswith(f"{{{RDF}}}")}
        names |= {child.tag for child in node}
    return about, frozenset(names)


def _block(
    description: Description,
    *,
    about: str = "",
    without: frozenset[str] = frozenset(),
    max_prompt_bytes: int | None = None,
) -> str:
    spaces = "".join(f' xmlns:{prefix}="{url}"' for prefix, url in NAMESPACES.items())
    head = f'{_START} xmlns:rdf="{RDF}" rdf:about={quoteattr(about)}{spaces}>\n'
    lines = (
        f" <{name}>{value}</{name}>\n"
        for name, value in _properties(description, max_prompt_bytes)
        if _full_name(name) not in without
    )
    return f"{head}{''.join(lines)}</rdf:Description>\n"


def _full_name(name: str) -> str:
    prefix, _, local = name.partition(":")
    return f"{{{NAMESPACES.get(prefix, OURS)}}}{local}"


def _properties(description: Description, max_prompt_bytes: int | None) -> Iterator[tuple[str, str]]:
    """Names and XML values of the properties."""
    if description.made_at:
        moment = xmp_time(description.made_at)
        for name in ("xmp:CreateDate", "photoshop:DateCreated", "exif:DateTimeOriginal"):
            yield name, moment
    if prompt := clean(description.prompt or ""):
        shown = cut(prompt, max_prompt_bytes).decode() if max_prompt_bytes else prompt
        yield "dc:description", _alternative(shown)
    if title := clean(description.title or "")[:MAX_WORDS]:
        yield "dc:title", _alternative(title)
    if description.is_generated:
        yield "Iptc4xmpExt:DigitalSourceType", _GENERATED
    named = (
        ("Iptc4xmpExt:AISystemUsed", description.model),
        ("flowshelf:Model", description.model),
        ("flowshelf:Seed", description.seed),
        ("flowshelf:Project", description.project),
    )
    for name, value in named:
        if text := clean("" if value is None else str(value))[:MAX_WORDS]:
            yield name, escape(text)


def _alternative(text: str) -> str:
    """A text that may be there in several languages: this one is for all."""
    return f'<rdf:Alt><rdf:li xml:lang="x-default">{escape(text)}</rdf:li></rdf:Alt>'


def xmp_time(moment: datetime) -> str:
    """`2026-11-03T10:20:30.123Z`, without a fraction if there is none."""
    text = moment.astimezone(UTC).replace(tzinfo=None).isoformat(timespec="milliseconds")
    return f"{text.removesuffix('.000')}Z"
