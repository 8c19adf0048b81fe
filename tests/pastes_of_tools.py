"""What tools other than “Copy as cURL” write, and what chats, terminals and word processors do to a paste.

Each function gives the text for cookies of the site labs.google; tests of the other service replace the name.
Formats as the tools of 2026 write them: DevTools of Chrome and Firefox, HAR 1.2, Cookie Quick Manager,
CookieCloud, Cookie-Editor, EditThisCookie, Selenium, curlconverter, wget 1.24, HTTPie 3.
"""

import json

from pastes import LABS, LATER, ansi_c, carets, extension_json, header, netscape, powershell_session

PLAY = "https://play.google.com/log?format=json"
THEIRS = "SID=theirs; OSID=theirs; email=theirs"
EXPIRES = int(LATER.timestamp())


def all_as_curl(cookies: dict[str, str]) -> str:
    """Each request with its own cookies; the last one goes elsewhere."""
    ours = f"curl '{LABS}' \\\n  -H 'accept: */*' \\\n  -b $'{ansi_c(header(cookies))}' \\\n  --compressed"
    bare = "curl 'https://labs.google/main.js' \\\n  -H 'accept: */*'"
    theirs = f"curl '{PLAY}' \\\n  -b '{THEIRS}' \\\n  --data-raw $'[\\'cookie\\']'"
    return " ;\n".join([ours, bare, theirs])


def all_as_curl_cmd(cookies: dict[str, str]) -> str:
    ours = (
        f'curl ^"{LABS}^" ^\r\n  -H ^"accept: */*^" ^\r\n  -b {carets(header(cookies))} ^\r\n  --compressed'
    )
    theirs = f'curl ^"{PLAY}^" ^\r\n  -b {carets(THEIRS)} ^\r\n  --data-raw ^"x^"'
    return " &\r\n".join([ours, theirs])


def all_as_fetch(cookies: dict[str, str]) -> str:
    call = 'fetch("{}", {{\n  "headers": {{\n    "accept": "*/*",\n    "cookie": {}\n  }}\n}})'
    return " ;\n".join(
        [call.format(LABS, json.dumps(header(cookies))), call.format(PLAY, json.dumps(THEIRS))]
    )


def all_as_powershell(cookies: dict[str, str]) -> str:
    theirs = powershell_session({"SID": "theirs"}).replace("labs.google", "play.google.com")
    return f"{powershell_session(cookies)};\r\n{theirs}"


def har(cookies: dict[str, str]) -> str:
    def entry(url: str, sent: str) -> dict:
        headers = [{"name": "accept", "value": "*/*"}, {"name": "cookie", "value": sent}]
        request = {"method": "GET", "url": url, "httpVersion": "h3", "headers": headers, "cookies": []}
        content = {"size": 9, "mimeType": "text/html", "text": '{"name": "SID", "value": "page"}'}
        return {"_resourceType": "document", "request": request, "response": {"content": content}}

    entries = [entry(LABS, header(cookies)), entry(PLAY, THEIRS)]
    return json.dumps({"log": {"version": "1.2", "creator": {"name": "WebInspector"}, "entries": entries}})


def har_of_firefox(cookies: dict[str, str]) -> str:
    rows = [{"name": name, "value": value} for name, value in cookies.items()]
    request = {
        "method": "GET",
        "url": LABS,
        "headers": [{"name": "Host", "value": "labs.google"}],
        "cookies": rows,
    }
    return json.dumps(
        {"log": {"version": "1.2", "creator": {"name": "Firefox"}, "entries": [{"request": request}]}}
    )


def cookie_quick_manager(cookies: dict[str, str]) -> str:
    rows = [
        {
            "Host raw": "https://.labs.google/",
            "Name raw": name,
            "Path raw": "/",
            "Content raw": value,
            "Expires": "31-10-2026 12:00:00",
            "Expires raw": str(EXPIRES),
            "Send for": "Encrypted connections only",
            "Send for raw": "true",
            "HTTP only raw": "true",
            "SameSite raw": "no_restriction",
            "This domain only": "Valid for subdomains",
            "Store raw": "firefox-default",
        }
        for name, value in cookies.items()
    ]
    return json.dumps(rows, indent=4)


def cookie_cloud(cookies: dict[str, str]) -> str:
    rows = [
        {"name": name, "value": value, "domain": ".labs.google", "path": "/", "expirationDate": EXPIRES}
        for name, value in cookies.items()
    ]
    theirs = [{"name": "SID", "value": "theirs", "domain": ".example.com"}]
    stored = {"example.com": {"SID": "theirs"}}
    domains = {"example.com": theirs, "labs.google": rows}
    return json.dumps({"cookie_data": domains, "local_storage_data": stored, "update_time": "2026-10-01"})


def request_headers_of_firefox(cookies: dict[str, str]) -> str:
    headers = [{"name": "Accept", "value": "*/*"}, {"name": "Cookie", "value": header(cookies)}]
    return json.dumps({"Request Headers (1.204 kB)": {"headers": headers}}, indent=2)


def selenium(cookies: dict[str, str]) -> str:
    rows = [
        {
            "domain": ".labs.google",
            "expiry": EXPIRES,
            "httpOnly": True,
            "name": name,
            "sameSite": None,
            "value": value,
        }
        for name, value in cookies.items()
    ]
    return repr(rows)


def curlconverter(cookies: dict[str, str]) -> str:
    rows = "".join(f"    {name!r}: {value!r},\n" for name, value in cookies.items())
    return (
        f"import requests\n\ncookies = {{\n{rows}}}\n\nheaders = {{\n    'accept': '*/*',\n}}\n\n"
        f"response = requests.get('{LABS}', cookies=cookies, headers=headers)"
    )


def objects_of_javascript(cookies: dict[str, str]) -> str:
    rows = ",\n".join(
        f"  {{ name: {name!r}, value: {value!r}, httpOnly: true }}" for name, value in cookies.items()
    )
    return f"const cookies = [\n{rows},\n];"


def yaml_list(cookies: dict[str, str]) -> str:
    rows = (f'- domain: .labs.google\n  name: {name}\n  value: "{value}"' for name, value in cookies.items())
    return "cookies:\n" + "\n".join(rows)


def csv_rows(cookies: dict[str, str], separator: str = ",", first: str = "name,value,domain") -> str:
    rows = [separator.join((name, value, ".labs.google")) for name, value in cookies.items()]
    return "\n".join([*([first.replace(",", separator)] if first else []), *rows])


def curl(cookies: dict[str, str]) -> str:
    return f"curl '{LABS}' \\\n  -H 'accept: */*' \\\n  -b $'{ansi_c(header(cookies))}' \\\n  --compressed"


def firefox_rows(cookies: dict[str, str]) -> str:
    row = '{}:"{}"\nCreated:"Thu, 01 Oct 2026 12:00:00 GMT"\nDomain:"labs.google"\nHostOnly:true\nPath:"/"'
    return "\n".join(row.format(*cookie) for cookie in cookies.items())


TOOLS = {
    "copy all as cURL": all_as_curl,
    "copy all as cURL (cmd)": all_as_curl_cmd,
    "copy all as fetch (Node.js)": all_as_fetch,
    "copy all as PowerShell": all_as_powershell,
    "HAR": har,
    "HAR of Firefox": har_of_firefox,
    "Cookie Quick Manager": cookie_quick_manager,
    "CookieCloud": cookie_cloud,
    "request headers of Firefox": request_headers_of_firefox,
    "JSON by domain": lambda cookies: json.dumps(
        {"google": {"labs.google": json.loads(extension_json(cookies))}}
    ),
    "JSON of names by domain": lambda cookies: json.dumps({".labs.google": cookies}),
    "JSON per line": lambda cookies: "\n".join(
        json.dumps(row) for row in json.loads(extension_json(cookies))
    ),
    "JSON after a name": lambda cookies: f"cookies={extension_json(cookies)};",
    "JSON with a comma too many": lambda cookies: extension_json(cookies)[:-2] + ",\n]",
    "Python dict": repr,
    "Python headers": lambda cookies: f"headers = {{'Accept': '*/*', 'Cookie': {header(cookies)!r}}}",
    "Python list of Selenium": selenium,
    "curlconverter": curlconverter,
    "JavaScript objects": objects_of_javascript,
    "YAML": lambda cookies: "\n".join(f'{name}: "{value}"' for name, value in cookies.items()),
    "YAML list": yaml_list,
    "CSV": csv_rows,
    "CSV without a header": lambda cookies: csv_rows(cookies, first=""),
    "CSV in another order": lambda cookies: "\n".join(
        ["domain;value;name", *(f".labs.google;{value};{name}" for name, value in cookies.items())]
    ),
    "Markdown table": lambda cookies: "\n".join(
        ["| Name | Value |", "|---|---|", *(f"| {name} | {value} |" for name, value in cookies.items())]
    ),
    "rows of the developer tools with their header": lambda cookies: "\n".join(
        [
            "Name\tValue\tDomain\tPath",
            *(f"{name}\t{value}\tlabs.google\t/" for name, value in cookies.items()),
        ]
    ),
    "rows of Firefox": firefox_rows,
    "cookies.txt with an empty expiry": lambda cookies: netscape(cookies, "").replace("\t0\t", "\t\t"),
    "cookies.txt with an empty expiry, tabs lost": lambda cookies: (
        netscape(cookies, "").replace("\t0\t", "\t\t").replace("\t", " ")
    ),
    "cookies.txt in lower case": lambda cookies: (
        netscape(cookies).replace("	TRUE	", "	true	").replace("	FALSE	", "	false	")
    ),
    "Markdown fence": lambda cookies: f"Here it is:\n\n```bash\n{curl(cookies)}\n```\nThat's all of it.",
    "a comment before curl": lambda cookies: f"# Flow, private window; it's Ada's\n{curl(cookies)}",
    "a sentence before curl": lambda cookies: f"Copied from Firefox just now:\n\n{curl(cookies)}",
    "a prompt before curl": lambda cookies: f"ada@laptop:~/shelf$ {curl(cookies)}",
    "a prompt of cmd before curl": lambda cookies: (
        f'C:\\Users\\Ada> curl.exe ^"{LABS}^" ^\r\n  -b {carets(header(cookies))}'
    ),
    "wget": lambda cookies: f"wget --header $'Cookie: {ansi_c(header(cookies))}' -O - '{LABS}'",
    "wget with =": lambda cookies: (
        f"wget -q --header='Accept: */*' --header=$'Cookie: {ansi_c(header(cookies))}' '{LABS}'"
    ),
    "HTTPie": lambda cookies: f"http GET '{LABS}' Accept:'*/*' Cookie:$'{ansi_c(header(cookies))}'",
    "HTTPie with https": lambda cookies: f"https -v labs.google/fx $'Cookie:{ansi_c(header(cookies))}'",
    "-b without a space": lambda cookies: f"curl '{LABS}' -b$'{ansi_c(header(cookies))}'",
    "-H without a space": lambda cookies: f"curl -sSL '{LABS}' -H$'Cookie: {ansi_c(header(cookies))}'",
    "-b after other letters": lambda cookies: f"curl -sSb $'{ansi_c(header(cookies))}' '{LABS}'",
    "typographic dashes": lambda cookies: f"curl '{LABS}' —cookie $'{ansi_c(header(cookies))}' –compressed",
    "typographic quotes and dashes": lambda cookies: (
        f"curl “{LABS}” –H “accept: */*” –b $’{ansi_c(header(cookies))}’"
    ),
    "lines of the headers pane": lambda cookies: (
        f":authority\nlabs.google\n:path\n/fx\naccept\n*/*\ncookie\n{header(cookies)}\nuser-agent\nx"
    ),
    "HTTP request": lambda cookies: (
        f"GET /fx HTTP/1.1\r\nHost: labs.google\r\nCookie: {header(cookies)}\r\n\r\n"
    ),
}
