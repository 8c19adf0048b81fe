"""Removes secrets from text that is going to be shown, logged or stored."""

import re
from collections.abc import Iterable

HIDDEN = "[hidden]"

# Replacing shorter values ("1", "en") would damage ordinary words without protecting anybody.
MIN_SECRET_LENGTH = 6

_COOKIES = r"__(?:secure|host)-[\w.-]+|next-auth\.[\w.-]+|[hs]?sid|ssid|s?apisid|sidcc|nid|osid|lsid"
_FIELDS = r"access_?token|refresh_?token|id_?token|session_?token|cookies?|set-cookie|authorization"
_SIGNATURES = r"signature|googleaccessid|keyname|x-goog-signature|x-goog-credential|access_token"
_PARAMETERS = r"key|sig|policy|token|code|at|f\.sid|upload_id"
_QUOTED = r"\"(?:[^\"\\]|\\.)*\"?|'(?:[^'\\]|\\.)*'?"
_EQUALS = r"=|%3D|\\u003d"

_RULES = [
    (re.compile(pattern, re.IGNORECASE), replacement)
    for pattern, replacement in (
        # A header up to the end of its line, whatever its value looks like.
        (r"\b((?:set-)?cookie|authorization)(\s*:[^\S\r\n]*)\S[^\r\n]*", rf"\1\2{HIDDEN}"),
        # The name and password in a URL, as of a proxy.
        (r"(://)[^\s/?#\"'<>]+@", rf"\1{HIDDEN}@"),
        # Words this long are tokens. Early, because the later rules would be slow on them.
        (r"[\w+/=%.~:-]{60,}", HIDDEN),
        # Tokens in the start page of flow.google.com and in its refusals.
        (r"([\"'](?:xsrf|SNlM0e|FdrFJe|oPEP7c)\\*[\"']\s*[,:]\s*)(?:\\*\"[^\"]*\"?)", rf'\1"{HIDDEN}"'),
        (rf"([\"'](?:{_FIELDS})[\"']\s*:\s*)(?:{_QUOTED})", rf'\1"{HIDDEN}"'),
        (r"\bbearer[\s+]+[^\s\"',;]+", f"Bearer {HIDDEN}"),
        (rf"(?<![\w.-])({_COOKIES})({_EQUALS})[^\s;\"'<>]+", rf"\1\2{HIDDEN}"),
        (rf"({_SIGNATURES})({_EQUALS})[^\s&\"'<>]+", rf"\1\2{HIDDEN}"),
        (rf"([?&;]|%26|%3F|\\u0026)({_PARAMETERS})({_EQUALS})[^\s&\"'<>]+", rf"\1\2\3{HIDDEN}"),
        (r"ya29\.[\w.~+/-]+", HIDDEN),
        (r"AIzaSy[\w-]+", HIDDEN),
        (r"(?-i:eyJ)[\w-]+(?:\.[\w-]*)*", HIDDEN),
        (r"[\w.+-]+(?:@|%40)[\w-]+(?:\.[\w-]+)+", HIDDEN),
        # The number of a Google account has 21 digits; times and counts have at most 16.
        (r"\d{17,}", HIDDEN),
    )
]


def redacted(text: str, secrets: Iterable[str] = ()) -> str:
    """`text` without anything that signs in, identifies a person or opens a signed URL.

    Google's secrets are recognized by their format. `secrets` are further values to remove, such as the
    cookies of the request, which may have any format.
    """
    for secret in sorted(secrets, key=len, reverse=True):
        if len(secret) >= MIN_SECRET_LENGTH:
            text = text.replace(secret, HIDDEN)
    for pattern, replacement in _RULES:
        text = pattern.sub(replacement, text)
    return text
