"""Takes secrets out of text that is going to be shown, logged or kept."""

import re
from collections.abc import Iterable

HIDDEN = "[hidden]"

# Shorter known secrets ("1", "en") would tear holes into ordinary words without protecting anybody.
SHORTEST_KNOWN_SECRET = 6

_COOKIES = r"__(?:secure|host)-[\w.-]+|next-auth\.[\w.-]+|[hs]?sid|ssid|s?apisid|sidcc|nid|osid|lsid"
_FIELDS = r"access_?token|refresh_?token|id_?token|session_?token|cookies?|set-cookie|authorization"
_SIGNATURES = r"signature|googleaccessid|keyname|x-goog-signature|x-goog-credential|access_token"
_PARAMETERS = r"key|sig|policy|token|code|at|f\.sid|upload_id"
_QUOTED = r"\"(?:[^\"\\]|\\.)*\"?|'(?:[^'\\]|\\.)*'?"
_EQUALS = r"=|%3D|\\u003d"

_RULES = [
    (re.compile(pattern, re.IGNORECASE), replacement)
    for pattern, replacement in (
        # The header to the end of its line, whatever the values look like.
        (r"\b((?:set-)?cookie|authorization)(\s*:[^\S\r\n]*)\S[^\r\n]*", rf"\1\2{HIDDEN}"),
        # Words this long are tokens; early, so that no later rule meets a run it would be slow on.
        (r"[\w+/=%.~:-]{60,}", HIDDEN),
        # What the page of flow.google.com and its refusals hand out.
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
        # A Google account's numeric id has 21 digits; no time or count here has more than 16.
        (r"\d{17,}", HIDDEN),
    )
]


def redacted(text: str, secrets: Iterable[str] = ()) -> str:
    """`text` without anything that signs in, names a person or opens a signed URL.

    Secrets of Google's go by their shape; `secrets` are values known to be secret, such as the
    cookies that were sent, which need not look like anything.
    """
    for secret in sorted(secrets, key=len, reverse=True):
        if len(secret) >= SHORTEST_KNOWN_SECRET:
            text = text.replace(secret, HIDDEN)
    for pattern, replacement in _RULES:
        text = pattern.sub(replacement, text)
    return text
