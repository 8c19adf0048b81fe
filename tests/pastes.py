"""Every format in which people paste cookies, as browsers and extensions write it."""

import json
from datetime import UTC, datetime, timedelta

NOW = datetime(2026, 10, 1, 12, 0, tzinfo=UTC)
LATER = NOW + timedelta(days=30)
LABS = "https://labs.google/fx/api/trpc/media.fetchUserHistoryDirectly?input=%7B%7D"


def ansi_c(text: str) -> str:
    return "".join(f"\\u{ord(letter):04x}" if letter in "!'\\" else letter for letter in text)


def carets(text: str) -> str:
    """What Chrome writes for cmd.exe."""
    plain = "".join(
        letter if letter.isalnum() or letter in " _-:=+~'/.,?;()*`" else "^" + letter for letter in text
    )
    return f'^"{plain}^"'


def percent_quotes(text: str) -> str:
    """What Chrome wrote for cmd.exe before it used carets."""
    return '"' + text.replace("%", '"%"') + '"'


def powershell(text: str) -> str:
    return '"' + "".join("`" + letter if letter in '`$"' else letter for letter in text) + '"'


def header(cookies: dict[str, str]) -> str:
    return "; ".join(f"{name}={value}" for name, value in cookies.items())


def extension_json(cookies: dict[str, str]) -> str:
    rows = [
        {
            "domain": ".labs.google",
            "name": name,
            "value": value,
            "path": "/",
            "expirationDate": LATER.timestamp(),
        }
        for name, value in cookies.items()
    ]
    return json.dumps(rows, indent=2)


def netscape(cookies: dict[str, str], prefix: str = "#HttpOnly_") -> str:
    rows = [f"{prefix}labs.google\tFALSE\t/\tTRUE\t0\t{name}\t{value}" for name, value in cookies.items()]
    return "\n".join(["# Netscape HTTP Cookie File", "# https://curl.se/docs/http-cookies.html", "", *rows])


def powershell_session(cookies: dict[str, str]) -> str:
    made = '$session.Cookies.Add((New-Object System.Net.Cookie({}, {}, "/", "labs.google")))'
    added = [made.format(powershell(name), powershell(value)) for name, value in cookies.items()]
    start = "$session = New-Object Microsoft.PowerShell.Commands.WebRequestSession"
    return "\n".join(
        [start, *added, f'Invoke-WebRequest -UseBasicParsing -Uri "{LABS}" `', "-WebSession $session"]
    )


def table(cookies: dict[str, str]) -> str:
    row = "{}\t{}\tlabs.google\t/\t2026-11-30T12:00:00.000Z\t4000\t✓\t✓\tLax\t\t\tMedium"
    return "\n".join(row.format(*cookie) for cookie in cookies.items())


SHAPES = {
    "header": header,
    "header with its name": lambda cookies: f"Cookie: {header(cookies)}",
    "header name on a line of its own": lambda cookies: f"cookie:\n{header(cookies)}",
    "block of headers": lambda cookies: f"accept: */*;q=0.8\r\ncookie: {header(cookies)}\r\nuser-agent: x=y",
    "lines": lambda cookies: "\n".join(f"{name}={value}" for name, value in cookies.items()),
    "response headers": lambda cookies: "\n".join(
        f"Set-Cookie: {name}={value}; Path=/; Expires=Mon, 30 Nov 2026 12:00:00 GMT; HttpOnly; SameSite=Lax"
        for name, value in cookies.items()
    ),
    "extension JSON": extension_json,
    "storage state": lambda cookies: json.dumps(
        {"cookies": json.loads(extension_json(cookies)), "origins": []}
    ),
    "plain object": json.dumps,
    "network panel of Firefox": lambda cookies: json.dumps({"Request Cookies": cookies}),
    "cookies.txt": netscape,
    "cookies.txt without HttpOnly": lambda cookies: netscape(cookies, ""),
    "cookies.txt whose tabs are lost": lambda cookies: netscape(cookies).replace("\t", "    "),
    "cURL -b": lambda cookies: (
        f"curl '{LABS}' \\\n  -H 'accept: */*' \\\n  -b $'{ansi_c(header(cookies))}' \\\n  --compressed"
    ),
    "cURL -H": lambda cookies: f"curl '{LABS}' -H 'accept: */*' -H $'Cookie: {ansi_c(header(cookies))}'",
    "cURL --cookie": lambda cookies: f"$ curl --cookie $'{ansi_c(header(cookies))}' {LABS}",
    "cURL cmd": lambda cookies: (
        f'curl ^"{LABS}^" ^\r\n  -H ^"accept: */*^" ^\r\n  -b {carets(header(cookies))} ^\r\n  --compressed'
    ),
    "older cURL cmd": lambda cookies: (
        f'curl "{LABS}" ^\r\n  -H {percent_quotes("cookie: " + header(cookies))} ^\r\n  --compressed'
    ),
    "fetch for Node": lambda cookies: (
        f'fetch("{LABS}", {{\n  "headers": {{\n    "accept": "*/*",\n    '
        f'"cookie": {json.dumps(header(cookies))}\n  }},\n  "body": null,\n  "method": "GET"\n}});'
    ),
    "PowerShell session": powershell_session,
    "PowerShell headers": lambda cookies: (
        f'Invoke-WebRequest -Uri "{LABS}" -Headers @{{\n"accept"="*/*"\n'
        f'  "cookie"={powershell(header(cookies))}\n}}'
    ),
    "rows of the developer tools": table,
    "a row of Firefox": lambda cookies: "\n".join(
        [
            '{}:"{}"'.format(*next(iter(cookies.items()))),
            'Domain:"labs.google"',
            "HostOnly:true",
            'Path:"/"',
            "Size:4",
        ]
    ),
}
