"""The house keeps its shape: rooms, floors, sizes, and what the code never does."""

from __future__ import annotations

import ast
import graphlib
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from functools import cache
from pathlib import Path, PurePosixPath

import pytest

ROOT = Path(__file__).resolve().parents[1]

GROUND = frozenset({"errors", "messages", "records", "version"})
FLOORS: dict[str, frozenset[str]] = {
    **dict.fromkeys(GROUND, frozenset()),
    "scoring": GROUND,
    "benchmarks": GROUND | {"scoring"},
    "adapters": GROUND,
    "mockserver": GROUND,
    "engine": GROUND | {"scoring", "benchmarks", "adapters"},
    "__init__": GROUND | {"scoring", "benchmarks", "adapters", "engine"},
    "cli": GROUND | {"scoring", "benchmarks", "adapters", "engine", "mockserver"},
    "__main__": frozenset({"cli"}),
}
"""For each room or module at the root, what it may import besides itself. `cli` is also cli.py's helpers' room."""

READS_ENVIRONMENT = {"engine/config_env.py", "benchmarks/data_root.py"}
PRINTS = {"cli.py"}
NOT_ROOMS = {"tests", "perf", "docs", "examples"}
LONGEST_MODULE = 400
LONGEST_FUNCTION = 50
FORBIDDEN_CALLS = {"eval", "exec", "compile", "__import__", "breakpoint"}
FORBIDDEN_MODULES = {"pickle", "marshal", "shelve", "dill", "cloudpickle", "joblib"}
HEAVY = {"aiohttp", "calamine", "numpy", "pandas", "PIL", "pydantic", "python_calamine", "rich", "typer", "xlsxwriter"}
HEAVY |= {
    "torch",
    "torchvision",
    "transformers",
    "av",
    "cv2",
    "decord",
    "onnxruntime",
    "pypdfium2",
    "rapidocr",
    "spacy",
}
MACHINE_PATHS = tuple("/" + name for name in ("work/", "tmp/dev", "root/"))
SKIPPED_FOLDERS = {".git", "build", "dist", "outputs", "__pycache__", ".mypy_cache", ".ruff_cache", ".pytest_cache"}
SKIPPED_FOLDERS |= {".hypothesis"}


def _packages() -> list[str]:
    config = tomllib.loads((ROOT / "pyproject.toml").read_text())
    listed: list[str] = config["tool"]["setuptools"]["packages"]
    return listed


def _folder(package: str) -> Path:
    return ROOT.joinpath(*package.split(".")[1:])


@cache
def _modules() -> dict[str, Path]:
    """Every module of the package by its name inside it, e.g. ``engine.run``; a package is ``engine.__init__``."""
    found = {}
    for package in _packages():
        for path in _folder(package).glob("*.py"):
            found[".".join(path.relative_to(ROOT).with_suffix("").parts)] = path
    return found


@cache
def _tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"), str(path))


def _name(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def _imports(module: str) -> Iterator[tuple[int, str]]:
    """Yields line and name of every module of ours that a module imports, wherever in it; absolute ones as they are."""
    here = module.split(".")[:-1]
    for node in ast.walk(_tree(_modules()[module])):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, f"={alias.name}") for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.level == 0:
            yield node.lineno, f"={node.module}"
        elif isinstance(node, ast.ImportFrom):
            base = [*here[: len(here) - node.level + 1], *(node.module.split(".") if node.module else [])]
            for alias in node.names:
                yield node.lineno, _resolve(base, alias.name)


def _resolve(base: list[str], name: str) -> str:
    for parts in ([*base, name], [*base, name, "__init__"], base, [*base, "__init__"]):
        if ".".join(parts) in _modules():
            return ".".join(parts)
    raise AssertionError(f"an import of {'.'.join([*base, name])!r} leads nowhere")


def _room(module: str) -> str:
    room = module.split(".", 1)[0]
    return "cli" if room.startswith("cli") else room


def test_the_package_list_names_every_folder_with_modules() -> None:
    folders = {
        path.parent.relative_to(ROOT)
        for path in ROOT.rglob("*.py")
        if not {part for part in path.relative_to(ROOT).parts if part in NOT_ROOMS | SKIPPED_FOLDERS or part[0] == "."}
    }
    listed = {_folder(package).relative_to(ROOT) for package in _packages()}
    assert {str(folder) for folder in folders} == {str(folder) for folder in listed}


def test_every_package_has_an_init() -> None:
    assert [package for package in _packages() if not (_folder(package) / "__init__.py").is_file()] == []


def test_every_room_has_a_floor() -> None:
    assert {_room(module) for module in _modules()} <= set(FLOORS)


def test_data_files_that_are_declared_exist() -> None:
    config = tomllib.loads((ROOT / "pyproject.toml").read_text())
    for package, names in config["tool"]["setuptools"]["package-data"].items():
        for name in names:
            assert list(_folder(package).glob(name)), f"{package} has no {name}"


def test_data_files_inside_rooms_are_declared() -> None:
    config = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["setuptools"]["package-data"]
    rooms = [package for package in _packages() if package != "eyechart"]
    loose = [
        _name(path)
        for package in rooms
        for path in _folder(package).iterdir()
        if path.is_file()
        and path.suffix not in {".py", ".pyc"}
        and not any(path.match(pattern) for pattern in config.get(package, []))
    ]
    assert loose == []


def test_imports_run_downward_only() -> None:
    wrong = [
        f"{_name(path)}:{line} imports {target}"
        for module, path in _modules().items()
        for line, target in _imports(module)
        if not target.startswith("=") and _room(target) != _room(module) and _room(target) not in FLOORS[_room(module)]
    ]
    assert wrong == []


def test_imports_inside_the_package_are_relative() -> None:
    wrong = [
        f"{_name(path)}:{line}"
        for module, path in _modules().items()
        for line, target in _imports(module)
        if target == "=eyechart" or target.startswith("=eyechart.")
    ]
    assert wrong == []


IMPORT_NAMES = {"decord2": "decord", "pillow": "PIL", "pyyaml": "yaml"}
PARTS_OF_OTHERS = {"pydantic_core"}  # pydantic fixes its version; it is the home of pydantic's error type


OTHER_HUB = {"modelscope"}  # takes the place of huggingface_hub for who has it installed
# What runs the networks of rapidocr, which leaves the choice to whoever installs it; what spaCy's Chinese model calls.
# What transformers imports by itself: what loads weights, what prepares pictures, what writes numbers as words.
ONLY_INSTALLED = {"onnxruntime", "spacy_pkuseg", "accelerate", "num2words", "torchvision"}


def _declared() -> dict[str, str]:
    """Import name by name of each declared dependency, with those of the extras for use."""
    config = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    extras = config["optional-dependencies"]
    declared = [*config["dependencies"], *extras["demo"], *extras["chinese"], *extras["hub"], *extras["local"]]
    names = [re.split(r"[^\w.-]", dependency, maxsplit=1)[0] for dependency in declared]
    return {name: IMPORT_NAMES.get(name, name.replace("-", "_")) for name in names}


def test_what_is_imported_and_what_is_declared_agree() -> None:
    used = {target[1:].split(".")[0] for module in _modules() for _, target in _imports(module) if target[0] == "="}
    assert (
        used - set(sys.stdlib_module_names) - PARTS_OF_OTHERS - OTHER_HUB == set(_declared().values()) - ONLY_INSTALLED
    )


def test_every_dependency_has_its_reason() -> None:
    config = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    everything = [*config["dependencies"], *(d for extra in config["optional-dependencies"].values() for d in extra)]
    names = {re.split(r"[^\w.-]", dependency, maxsplit=1)[0] for dependency in everything}
    page = (ROOT / "docs" / "dependencies.md").read_text()
    rows = [line for line in page.splitlines() if line.startswith("|")]
    told = {name for row in rows for name in re.findall(r"[\w-]+", row.rsplit("|", 2)[0])}
    assert names <= told


def test_no_imports_go_in_a_circle() -> None:
    graph = {module: {t for _, t in _imports(module) if not t.startswith("=")} for module in _modules()}
    try:
        graphlib.TopologicalSorter(graph).prepare()
    except graphlib.CycleError as error:
        pytest.fail(" -> ".join(error.args[1]))


@pytest.mark.parametrize("module", sorted(_modules()))
def test_module_says_what_it_offers(module: str) -> None:
    body = _tree(_modules()[module]).body
    if module.endswith("__main__") or (len(body) == 1 and ast.get_docstring(_tree(_modules()[module]))):
        return  # a program or an empty package offers nothing to import
    names = [
        node.targets[0].id if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name) else ""
        for node in body
    ]
    assert "__all__" in names


@pytest.mark.parametrize("module", sorted(_modules()))
def test_module_fits_one_sitting_and_functions_one_screen(module: str) -> None:
    path = _modules()[module]
    lines = len(path.read_text(encoding="utf-8").splitlines())
    assert lines <= LONGEST_MODULE, f"{_name(path)} has {lines} lines"
    long = [
        f"{_name(path)}:{node.lineno} {node.name} has {_length(node)} lines"
        for node in ast.walk(_tree(path))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and _length(node) > LONGEST_FUNCTION
    ]
    assert long == []


@pytest.mark.parametrize("module", sorted(_modules()))
def test_module_runs_no_data_as_code_and_keeps_out_of_output_and_environment(module: str) -> None:
    path = _modules()[module]
    found = list(_offences(path))
    assert found == []


def _length(function: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    """Lines of a function without its docstring."""
    first, last = function.body[0], function.body[-1].end_lineno
    documented = ast.get_docstring(function) is not None
    start = (first.end_lineno if documented else function.lineno - 1) or 0
    return (last or 0) - start


def _offences(path: Path) -> Iterator[str]:
    name = _name(path)
    for node in ast.walk(_tree(path)):
        where = f"{name}:{getattr(node, 'lineno', 0)}"
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
            if node.func.id in FORBIDDEN_CALLS:
                yield f"{where} calls {node.func.id}"
            if node.func.id == "print" and name not in PRINTS:
                yield f"{where} prints"
        if isinstance(node, ast.Import | ast.ImportFrom):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else [node.module or ""]
            yield from (f"{where} imports {n}" for n in names if n.split(".")[0] in FORBIDDEN_MODULES)
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == "os":
            if node.attr in {"environ", "environb", "getenv", "putenv"} and name not in READS_ENVIRONMENT:
                yield f"{where} reads the environment"
            if node.attr in {"system", "popen"}:
                yield f"{where} runs a shell"


@pytest.mark.parametrize(
    "source",
    [
        "eval(x)",
        "print(x)",
        "import pickle",
        "from pickle import loads",
        "import os\nos.environ['A']",
        "import os\nos.getenv('A')",
        "import os\nos.system('a')",
    ],
)
def test_offences_are_seen(source: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(sys.modules[__name__], "ROOT", tmp_path)
    (tmp_path / "bad.py").write_text(source)
    assert list(_offences(tmp_path / "bad.py"))


def test_import_brings_in_nothing_heavy() -> None:
    code = "import sys, eyechart; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert {name.split(".")[0] for name in done.stdout.split()} & HEAVY == set()


def test_help_brings_in_only_what_draws_it() -> None:
    code = "import sys; from eyechart.cli import main; main(['--help']); print(*sys.modules, file=sys.stderr)"
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert {name.split(".")[0] for name in done.stderr.split()} & HEAVY <= {"typer", "rich"}


def _texts() -> Iterator[tuple[PurePosixPath, str]]:
    for path in ROOT.rglob("*"):
        inside = path.relative_to(ROOT)
        hidden = {part for part in inside.parts if part in SKIPPED_FOLDERS or part.startswith(".venv")}
        if hidden or any(part.endswith(".egg-info") for part in inside.parts) or not path.is_file():
            continue
        try:
            yield PurePosixPath(inside), path.read_text(encoding="utf-8")
        except UnicodeDecodeError:
            continue


def test_texts_name_no_paths_of_one_machine() -> None:
    found = [f"{path}: {place}" for path, text in _texts() for place in MACHINE_PATHS if place in text]
    assert found == []
