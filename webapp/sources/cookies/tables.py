"""Reads rows: cookies.txt, the tables of developer tools, CSV, YAML."""

import csv
import re
from collections.abc import Callable, Iterable, Iterator

from webapp.sources.cookies.found import FoundCookie, expiry
from webapp.sources.cookies.reading import Reading

_FLAGS = ("TRUE", "FALSE")
_HTTP_ONLY = "#HttpOnly_"
_EXPIRES = re.compile(r"-?\d{1,20}(?:\.\d{1,20})?|")


# cookies.txt (Netscape): domain, subdomains, path, secure, expiry, name, value


def is_netscape(text: str) -> bool:
    return any(_netscape_cookie(line) for line in text.split("\n"))


def read_netscape(text: str) -> Reading:
    return Reading(
        "a cookies.txt", [cookie for line in text.split("\n") if (cookie := _netscape_cookie(line))]
    )


def _netscape_cookie(line: str) -> FoundCookie | None:
    """Tools write flags in lower case, leave the expiry empty, and lose tabs. Other comments than
    `#HttpOnly_` hold no cookie."""
    line = line.strip(" \r").removeprefix(_HTTP_ONLY)
    if line.startswith("#") or len(line) > 20_000:
        return None
    cells = [cell.strip() for cell in line.split("\t")] if line.count("\t") >= 5 else _without_tabs(line)
    if len(cells) < 6 or not {cells[1].upper(), cells[3].upper()} <= set(_FLAGS) or not cells[0]:
        return None
    if not _EXPIRES.fullmatch(cells[4]) or not cells[5] or len(cells[5].split()) > 1:
        return None
    return FoundCookie(cells[5], " ".join(cells[6:]), cells[0], expiry(cells[4]))


def _without_tabs(line: str) -> list[str]:
    """An empty expiry has vanished together with its tabs."""
    cells = line.split(None, 6)
    if len(cells) > 5 and not _EXPIRES.fullmatch(cells[4]):
        cells = line.split(None, 5)
        cells.insert(4, "")
    return cells


# Rows copied from the developer tools: name, value, domain, path, expires, ... The header row may be there.


def is_table(text: str) -> bool:
    return any(re.match(r"[^\t=]*+(?<=[^\t=:])\t", line.strip()) for line in text.split("\n"))


def read_table(text: str) -> Reading:
    return Reading("rows of a table", list(_table_cookies(text)))


def _table_cookies(text: str) -> Iterator[FoundCookie]:
    rows = ([cell.strip() for cell in line.strip(" \r").split("\t")] for line in text.split("\n"))
    yield from _row_cookies(row for row in rows if len(row) > 1)


def _row_cookies(rows: Iterable[list[str]]) -> Iterator[FoundCookie]:
    """The first row may name the columns, in any order; without names they are those of developer tools."""
    columns = {"name": 0, "value": 1, "domain": 2, "expires": 4}
    for number, row in enumerate(rows):
        names = [cell.lower().strip(' "') for cell in row[:40]]
        if number == 0 and "name" in names and "value" in names:
            columns = {name: position for position, name in reversed(list(enumerate(names)))}
            continue
        yield _cookie_of_row(row, columns)


def _cookie_of_row(row: list[str], columns: dict[str, int]) -> FoundCookie:
    def cell(*names: str) -> str:
        position = next((columns[name] for name in names if name in columns), len(row))
        return row[position].strip().strip('"') if position < len(row) else ""

    return FoundCookie(
        cell("name"),
        cell("value"),
        cell("domain", "host", "host_key") or None,
        expiry(cell("expires", "expirationdate", "expiry", "expires / max-age")),
    )


# A row of Firefox's storage panel: `name:"value"`, then its attributes in the same form


_FIREFOX_ROW = re.compile(r'([^\s:"]++):"([^"]*+)"')
_FIREFOX_LINE = re.compile(r'[^":]++:(?:"[^"]*+"|\w*+)')
_FIREFOX_ATTRIBUTE = re.compile(
    r"(?:Created|Domain|Expires / Max-Age|HostOnly|HttpOnly|Last Accessed|Last Updated|Partition Key|Path"
    r'|SameSite|Secure|Size):(?:"([^"]*+)"|\w*+)'
)


def is_firefox_row(text: str) -> bool:
    return ':"' in text and all(_FIREFOX_LINE.fullmatch(line.strip()) for line in text.split("\n"))


def read_firefox_rows(text: str) -> Reading:
    rows: list[tuple[str, str, dict[str, str]]] = []
    for line in map(str.strip, text.split("\n")):
        attribute = _FIREFOX_ATTRIBUTE.fullmatch(line)
        if attribute and rows:
            rows[-1][2][line.partition(":")[0]] = attribute[1] or ""
        elif row := _FIREFOX_ROW.fullmatch(line):
            rows.append((row[1], row[2], {}))
    cookies = [
        FoundCookie(name, value, fields.get("Domain"), expiry(fields.get("Expires / Max-Age")))
        for name, value, fields in rows
    ]
    return Reading("rows of Firefox’s storage panel", cookies)


# CSV, also with semicolons, and tables of Markdown


def csv_reader(is_cookie: Callable[[str], bool]) -> tuple[Callable[[str], bool], Callable[[str], Reading]]:
    """A recognizer and a reader. Without a header row the first column has to hold names of cookies that are
    known, because nearly any text has commas."""

    def is_csv(text: str) -> bool:
        first = next((line for line in text.split("\n") if line.strip()), "")
        return any(_is_header(row) or is_cookie(row[0]) for row in _csv_rows(first) if len(row) > 1)

    def read_csv(text: str) -> Reading:
        return Reading(
            "CSV", [cookie for cookie in _row_cookies(_csv_rows(text)) if cookie.name.strip("-: ")]
        )

    return is_csv, read_csv


def _is_header(row: list[str]) -> bool:
    return {"name", "value"} <= {cell.lower() for cell in row}


def _csv_rows(text: str) -> Iterator[list[str]]:
    lines = [line.strip() for line in text.split("\n") if line.strip()]
    if lines and lines[0].startswith("|"):
        yield from ([cell.strip() for cell in line.strip("|").split("|")] for line in lines)
        return
    # The separator comes after the first name.
    separator = re.search(r"[,;|]", lines[0][:1000]) if lines else None
    if separator is None:
        return
    try:
        yield from ([cell.strip() for cell in row] for row in csv.reader(lines, delimiter=separator[0]))
    except csv.Error:
        return


# YAML: a mapping of names to values, or a list of mappings with a name and a value

_YAML_LINE = re.compile(r"\s*+(-\s++)?[\"']?([\w.-]{1,80}+)[\"']?\s*+:(?:\s++(.*))?")


def yaml_reader(is_cookie: Callable[[str], bool]) -> tuple[Callable[[str], bool], Callable[[str], Reading]]:
    """A recognizer and a reader of plain YAML; headers of a request look the same, so names must be known."""

    def is_yaml(text: str) -> bool:
        keys = {match[2] for line in text.split("\n") if (match := _YAML_LINE.fullmatch(line))}
        return {"name", "value"} <= keys or any(is_cookie(key) for key in keys)

    return is_yaml, lambda text: Reading("YAML", list(_yaml_cookies(text)))


def _yaml_cookies(text: str) -> Iterator[FoundCookie]:
    record: dict[str, str] = {}
    for line in text.split("\n"):
        match = _YAML_LINE.fullmatch(line)
        if match is None:
            continue
        key, value = match[2], _yaml_text(match[3] or "")
        is_next = bool(match[1]) or key in record
        if is_next and "name" in record:
            yield _cookie_of_record(record)
            record = {}
        if key.lower() in ("name", "value", "domain", "host", "expires", "expirationdate", "expiry"):
            record[key.lower()] = value
        elif value and not record:
            yield FoundCookie(key, value)
    if "name" in record:
        yield _cookie_of_record(record)


def _yaml_text(text: str) -> str:
    text = text.strip()
    quoted = re.fullmatch(r"\"([^\"]*+)\"|'([^']*+)'", text)
    return (quoted[1] or quoted[2] or "") if quoted else text.partition(" #")[0].strip()


def _cookie_of_record(record: dict[str, str]) -> FoundCookie:
    expires = record.get("expires") or record.get("expirationdate") or record.get("expiry")
    domain = record.get("domain") or record.get("host")
    return FoundCookie(record["name"], record.get("value", ""), domain, expiry(expires))
