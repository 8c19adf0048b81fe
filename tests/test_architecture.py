"""The layers of the design, who may use what, and a size budget, all read from the source by `ast`."""

import ast
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path, PurePath

import pytest

# Top first. An import goes to a lower line; a module that became a folder keeps its place.
LAYERS = (
    ("__main__",),
    ("cli",),
    ("__init__",),
    ("views", "guard", "packing"),
    ("access",),
    ("background", "sharing"),
    ("sync", "download", "verify", "importing", "doctor"),
    ("gone",),
    ("store",),
    ("database",),
    ("models", "indexes", "triggers", "migrations"),
    ("lock",),
    ("sources", "storage", "demo"),
    ("config",),
    ("errors", "states", "times"),
)
RANKS = {part: rank for rank, parts in enumerate(reversed(LAYERS)) for part in parts}

# What the layers alone would allow.
ONLY_IMPORTED_BY = {"demo": {"cli"}}
NEVER_IMPORTS = {"download": {"models", "store"}}

LIBRARY_HOMES = {
    "requests": {"sources"},
    "urllib3": {"sources"},
    "peewee": {"models", "store", "migrations"},
    "playhouse": {"models", "database", "migrations"},
    "flask": {"cli", "__init__", "views", "guard", "packing", "access"},
    "flask_htmx": {"__init__", "views", "guard"},
    "click": {"cli"},
    "waitress": {"cli", "demo"},
    "segno": {"sharing"},
}

SETTINGS = ({"config"}, "take the setting from Config")
THREADS = ({"background", "cli", "demo"}, "hand the work to background")
NOBODY = set()
NAME_HOMES = {
    "os.environ": SETTINGS,
    "os.environb": SETTINGS,
    "os.getenv": SETTINGS,
    "threading.Thread": THREADS,
    "threading.Timer": THREADS,
    "concurrent.futures.ThreadPoolExecutor": THREADS,
    "concurrent.futures.ProcessPoolExecutor": (NOBODY, "hand the work to background"),
    "print": ({"cli"}, "return a value or log it"),
    "time.sleep": (NOBODY, "wait on an Event, so that stopping is immediate"),
    "importlib.import_module": (NOBODY, "import plainly, so that the layers stay readable"),
    "__import__": (NOBODY, "import plainly, so that the layers stay readable"),
}

MAX_FUNCTION = 45
MAX_MODULE = 500


@dataclass(frozen=True)
class Module:
    """One file of webapp, by its place under that folder and its text."""

    place: PurePath
    text: str = field(repr=False)

    @cached_property
    def tree(self) -> ast.Module:
        return ast.parse(self.text, filename=str(self.place))

    @cached_property
    def part(self) -> str:
        """Its name in LAYERS: the module or folder directly under webapp."""
        return self.place.parts[0].removesuffix(".py")

    @cached_property
    def imports(self) -> list[tuple[int, str, str]]:
        """Line, full dotted name and local name of every import, deferred ones too."""
        found = []
        for node in ast.walk(self.tree):
            if isinstance(node, ast.Import | ast.ImportFrom):
                start = self._start(node)
                found += [
                    (node.lineno, start + alias.name, alias.asname or alias.name) for alias in node.names
                ]
        return found

    def _start(self, node: ast.Import | ast.ImportFrom) -> str:
        """What stands before each imported name: nothing, or the module it is taken from."""
        if isinstance(node, ast.Import):
            return ""
        package = ("webapp", *self.place.parent.parts)
        base = package[: len(package) - node.level + 1] if node.level else ()
        return "".join(f"{name}." for name in (*base, node.module) if name)

    @cached_property
    def names_used(self) -> list[tuple[int, str]]:
        """Line and full dotted name of every name and attribute that is read, aliases undone."""
        aliases = {local: full for _, full, local in self.imports if "." not in local}
        found = []
        for node in ast.walk(self.tree):
            if isinstance(node, ast.Name | ast.Attribute):
                root, dot, rest = ast.unparse(node).partition(".")
                found.append((node.lineno, aliases.get(root, root) + dot + rest))
        return found


def part_imported(name: str) -> str | None:
    """The part of webapp that a dotted name reaches, None for the world outside."""
    top, *rest = name.split(".")
    if top != "webapp":
        return None
    return rest[0] if rest and rest[0] in RANKS else "__init__"


def layer_problems(module: Module) -> list[str]:
    """Imports inside webapp that go up, sideways, or where they may not go at all."""
    problems, part = [], module.part
    for line, name, _ in module.imports:
        other = part_imported(name)
        if other in (None, part):
            continue
        if RANKS[other] >= RANKS[part]:
            problems.append(f"line {line}: {name} is in no lower layer than {part}; turn the import round")
        elif part not in ONLY_IMPORTED_BY.get(other, {part}):
            problems.append(
                f"line {line}: {name} is for {sorted(ONLY_IMPORTED_BY[other])} and the tests only"
            )
        elif other in NEVER_IMPORTS.get(part, ()):
            problems.append(f"line {line}: {part} knows nothing of {other}; hand the value in")
    return problems


def library_problems(module: Module) -> list[str]:
    """Imports of libraries that belong to another part."""
    homes = [(line, name, LIBRARY_HOMES.get(name.partition(".")[0])) for line, name, _ in module.imports]
    return [
        f"line {line}: {name} belongs to {sorted(parts)}; ask one of them"
        for line, name, parts in homes
        if parts is not None and module.part not in parts
    ]


def name_problems(module: Module) -> list[str]:
    """Uses of names that belong to another part."""
    return [
        f"line {line}: no {name} in {module.part}; {NAME_HOMES[name][1]}"
        for line, name in module.names_used
        if name in NAME_HOMES and module.part not in NAME_HOMES[name][0]
    ]


def size_problems(module: Module) -> list[str]:
    """Functions and modules over the budget."""
    functions = [
        node for node in ast.walk(module.tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    ]
    problems = [
        f"line {node.lineno}: {node.name} has {length} lines, {MAX_FUNCTION} is the most; take a step out"
        for node in functions
        if (length := node.end_lineno - node.lineno + 1) > MAX_FUNCTION
    ]
    length = len(module.text.splitlines())
    if length > MAX_MODULE:
        problems.append(f"{length} lines, {MAX_MODULE} is the most; make it a folder, split by subject")
    return problems


@pytest.fixture(scope="module")
def modules() -> list[Module]:
    webapp = Path(__file__).parents[1] / "webapp"
    files = sorted(webapp.rglob("*.py"))
    return [Module(file.relative_to(webapp), file.read_text(encoding="utf-8")) for file in files]


def place_problems(module: Module) -> list[str]:
    """A part that is in no layer."""
    return [] if module.part in RANKS else [f"give {module.part} a line in LAYERS, or move it"]


@pytest.mark.parametrize(
    "find", [place_problems, layer_problems, library_problems, name_problems, size_problems]
)
def test_every_module_keeps_to_the_rules(modules, find):
    problems = [f"webapp/{module.place}, {problem}" for module in modules for problem in find(module)]
    assert not problems, "\n".join(problems)


@pytest.mark.parametrize(
    ("place", "source"),
    [
        ("models.py", "from webapp import store"),
        ("models.py", "from webapp.store import list_images"),
        ("models.py", "import webapp.store as rows"),
        ("models.py", "def later():\n    from webapp import store"),
        ("models.py", "if TYPE_CHECKING:\n    from webapp.sync import walk"),
        ("store.py", "from . import background"),
        ("store/images.py", "from .. import background"),
        ("sources/labs.py", "from ..storage import write"),
        ("views/pages.py", "from webapp import create_app"),
        ("views/pages.py", "from webapp.web.security import signed_in"),
        ("background.py", "from webapp.demo.server import serve"),
        ("download.py", "from webapp.store import get_image"),
    ],
)
def test_an_import_that_breaks_the_layers_is_found(place, source):
    assert len(layer_problems(Module(PurePath(place), source))) == 1


@pytest.mark.parametrize(
    ("place", "source"),
    [
        ("store.py", "from webapp.database.models import Image"),
        ("views/pages.py", "from webapp.web.views.panels import panel"),
        ("views/__init__.py", "from . import pages\nfrom .. import store\nfrom ..errors import Busy"),
        ("cli.py", "from webapp import create_app, demo, store"),
        ("__main__.py", "from webapp.cli import main"),
    ],
)
def test_an_import_that_keeps_the_layers_passes(place, source):
    assert layer_problems(Module(PurePath(place), source)) == []


@pytest.mark.parametrize(
    ("place", "source"),
    [
        ("sync.py", "def fetch():\n    import requests"),
        ("background.py", "from requests.exceptions import Timeout"),
        ("storage.py", "import urllib3.util"),
        ("views/pages.py", "from peewee import fn"),
    ],
)
def test_a_library_out_of_place_is_found(place, source):
    assert len(library_problems(Module(PurePath(place), source))) == 1


@pytest.mark.parametrize(
    ("place", "source"),
    [
        ("storage.py", "import os as system\nsystem.environ['HOME']"),
        ("cli.py", "from os import getenv as read\nread('HOME')"),
        ("views/pages.py", "import threading\nthreading.Thread(target=work)"),
        ("sync.py", "from concurrent import futures\nfutures.ThreadPoolExecutor(2)"),
        ("background.py", "print('done')"),
        ("cli.py", "import time\ntime.sleep(1)"),
        ("cli.py", "import importlib\nimportlib.import_module('webapp.store')"),
    ],
)
def test_a_name_out_of_place_is_found(place, source):
    assert len(name_problems(Module(PurePath(place), source))) == 1


def test_a_name_that_only_looks_alike_passes():
    source = "request.environ['REMOTE_ADDR']\nstopping.sleep = None\nreport.print()"
    assert name_problems(Module(PurePath("guard.py"), source)) == []


def test_a_function_over_the_budget_is_found_even_beside_a_short_one_of_its_name():
    long = "def fill():\n" + "    pass\n" * MAX_FUNCTION
    assert len(size_problems(Module(PurePath("store.py"), f"{long}\ndef fill():\n    pass\n"))) == 1


def test_a_module_over_the_budget_is_found():
    assert len(size_problems(Module(PurePath("store.py"), "\n" * (MAX_MODULE + 1)))) == 1
