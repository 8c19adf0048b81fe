"""Many clients at once, from a process of their own: wrk, whose connections stay open."""

import json
import subprocess
from dataclasses import dataclass

from .servers import temporary_folder

# As a browser asks.
USUAL = {"Accept-Encoding": "gzip", "Cookie": "zone=UTC"}
TIMEOUT_SECONDS = 60
# Without a status to expect, wrk counts the responses from 400 on, and need not keep what it reads.
SCRIPT = """
local threads, requests, asked, expected = {}, {}, 0, %(expected)d
others, impolite = 0, 0
function setup(thread) table.insert(threads, thread) end
function init(paths)
  for place, path in ipairs(paths) do requests[place] = wrk.format("GET", path) end
end
function request() asked = asked + 1; return requests[asked %% #requests + 1] end
if expected > 0 then
  function response(status, headers)
    if status == expected then return end
    others = others + 1
    if status ~= 503 or not headers["Retry-After"] then impolite = impolite + 1 end
  end
end
function done(summary, latency)
  local errors = summary.errors
  local others = expected > 0 and threads[1]:get("others") or errors.status
  local impolite = expected > 0 and threads[1]:get("impolite") or errors.status
  local broken = errors.connect + errors.read + errors.write + errors.timeout
  io.stderr:write(string.format('{"rate": %%f, "median": %%f, "p99": %%f, "others": %%d, "lost": %%d}',
    (summary.requests - others) / summary.duration * 1e6, latency:percentile(50) / 1e6,
    latency:percentile(99) / 1e6, others, impolite + broken))
end
"""


@dataclass(frozen=True, slots=True)
class Answers:
    """Expected responses per second, and the seconds of all. `others` were not expected; `lost` are those of
    them without the manners of a 503 with Retry-After, and the connections that broke."""

    rate: float
    median: float
    p99: float
    others: int
    lost: int


def ask(url: str, *paths: str, clients: int, seconds: int, expected: int = 0, **headers: str) -> Answers:
    """What `clients` get that ask for `paths` in turn. Raises FileNotFoundError without wrk."""
    command = ["wrk", "-t1", f"-c{clients}", f"-d{seconds}", f"--timeout={TIMEOUT_SECONDS}", "-s", "wrk.lua"]
    for name, value in (USUAL | headers).items():
        command += ["-H", f"{name.replace('_', '-')}: {value}"]
    with temporary_folder() as folder:
        (folder / "wrk.lua").write_text(SCRIPT % {"expected": expected})
        done = subprocess.run(
            [*command, url, "--", *paths], check=True, cwd=folder, capture_output=True, text=True
        )
    return Answers(**json.loads(done.stderr))
