"""What is installed from a built wheel works by itself, far from the checkout."""

from __future__ import annotations

import shutil
import subprocess
import sys
import sysconfig
import tarfile
import tomllib
import venv
import zipfile
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
BUILD = "import sys; from setuptools import build_meta as b; print(getattr(b, 'build_' + sys.argv[1])(sys.argv[2]))"
LEFT_OUT = shutil.ignore_patterns(
    ".*", "__pycache__", "build", "dist", "outputs", "*.egg-info", "golden", "integration"
)


@dataclass(frozen=True)
class Installed:
    """A virtual environment that holds nothing but the wheel, and sees this one's dependencies."""

    bin: Path
    empty: Path

    def run(self, *command: str) -> str:
        """Runs a command from an empty folder and returns what it prints."""
        done = subprocess.run(
            [str(self.bin / command[0]), *command[1:]],
            cwd=self.empty,
            env={"PATH": f"{self.bin}:/usr/bin:/bin", "HOME": str(self.empty), "COLUMNS": "100"},
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout


def _build(kind: str, source: Path, out: Path) -> Path:
    out.mkdir(exist_ok=True)
    done = subprocess.run(
        [sys.executable, "-c", BUILD, kind, str(out)], cwd=source, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return out / done.stdout.splitlines()[-1]


@pytest.fixture(scope="module")
def sdist(tmp_path_factory: pytest.TempPathFactory) -> Path:
    work = tmp_path_factory.mktemp("sdist")
    shutil.copytree(ROOT, work / "source", ignore=LEFT_OUT)
    return _build("sdist", work / "source", work / "dist")


@pytest.fixture(scope="module")
def wheel(sdist: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    work = tmp_path_factory.mktemp("wheel")
    with tarfile.open(sdist) as archive:
        archive.extractall(work, filter="data")
    return _build("wheel", next(work.iterdir()), work / "dist")


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Installed:
    work = tmp_path_factory.mktemp("installed")
    venv.create(work / "env", with_pip=False, symlinks=True)
    paths = {"base": str(work / "env"), "platbase": str(work / "env")}
    site = Path(sysconfig.get_path("purelib", "venv", paths))
    pip = ["-m", "pip", "--python", str(work / "env"), "install", "--quiet", "--no-deps", "--no-index", "--no-compile"]
    done = subprocess.run([sys.executable, *pip, str(wheel)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    # Dependencies come from the environment of the tests; its own eyechart, an editable install perhaps, comes later on
    # the path and is never reached, as .pth files in there are not read.
    dependencies = {sysconfig.get_path("purelib"), sysconfig.get_path("platlib")}
    (site / "dependencies.pth").write_text("".join(f"{path}\n" for path in sorted(dependencies)))
    (work / "empty").mkdir()
    return Installed(work / "env" / "bin", work / "empty")


def test_the_wheel_holds_all_modules_and_data_and_nothing_else(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        names = {name for name in archive.namelist() if ".dist-info/" not in name}
    config = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["setuptools"]
    rooms = [ROOT.joinpath(*package.split(".")[1:]) for package in config["packages"]]
    expected = {f"eyechart/{path.relative_to(ROOT)}" for room in rooms for path in room.glob("*.py")}
    data = {"eyechart/benchmarks/catalog.json", "eyechart/benchmarks/EyechartMini.tsv"}
    assert names == expected | data | {"eyechart/py.typed"}


def test_the_sdist_holds_what_a_packager_needs(sdist: Path) -> None:
    with tarfile.open(sdist) as archive:
        names = {name.partition("/")[2] for name in archive.getnames()}
    assert {"LICENSE", "README.md", "CHANGELOG.md", "tests/test_house.py", "docs/design.md", "pyproject.toml"} <= names


def test_the_wheel_declares_the_command(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        name = next(n for n in archive.namelist() if n.endswith("entry_points.txt"))
        assert "eyechart = eyechart.cli:main" in archive.read(name).decode()


def test_import_comes_from_the_wheel(installed: Installed) -> None:
    shown = installed.run("python", "-c", "import eyechart; print(eyechart.__file__, eyechart.__version__)")
    assert shown.startswith(str(installed.bin.parent))


def test_types_are_marked(installed: Installed) -> None:
    code = "import importlib.resources as r; print(r.files('eyechart').joinpath('py.typed').is_file())"
    assert installed.run("python", "-c", code).strip() == "True"


def test_help(installed: Installed) -> None:
    assert "eval" in installed.run("eyechart", "--help")


def test_benchmarks_are_listed(installed: Installed) -> None:
    assert "SEEDBench_IMG" in installed.run("eyechart", "list", "benchmarks")
