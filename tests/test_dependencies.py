"""Versions of packages: bounded from both sides, fixed for CI, and looked up among known faults where that is possible."""

from __future__ import annotations

import json
import os
import re
import stat
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).resolve().parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
ORDINARY = ("test", "demo", "hub", "integration")
FIXED = (*ORDINARY, "local", "serving")
"""The extras that CI installs."""


def requirements(*extras: str) -> list[Requirement]:
    project = PROJECT["project"]
    texts = [*project["dependencies"], *(text for extra in extras for text in project["optional-dependencies"][extra])]
    return [Requirement(text) for text in texts]


def constraints() -> dict[str, str]:
    lines = (ROOT / ".ci" / "constraints.txt").read_text().splitlines()
    found = [re.fullmatch(r"([\w.-]+)==([\w.+!-]+)", line) for line in lines if not line.startswith("#")]
    assert all(found), "a line is no name with its version: an address, perhaps"
    return {str(canonicalize_name(match[1])): match[2] for match in found if match}


@pytest.mark.parametrize(
    "requirement", [*requirements(*FIXED, "chinese"), *map(Requirement, PROJECT["build-system"]["requires"])], ids=str
)
def test_versions_are_bounded_from_both_sides(requirement: Requirement) -> None:
    operators = {specifier.operator for specifier in requirement.specifier}
    assert {">=", "<"} <= operators


def test_ci_installs_versions_that_the_package_allows() -> None:
    fixed = constraints()
    wrong = [
        f"{needed}: {fixed.get(canonicalize_name(needed.name))}"
        for needed in requirements(*FIXED)
        if not needed.specifier.contains(fixed.get(canonicalize_name(needed.name), "0"), prereleases=True)
    ]
    assert wrong == [], "make constraints writes .ci/constraints.txt anew"


def test_the_extras_of_the_makefile_are_those_of_ci() -> None:
    assert f"\nEXTRAS := {','.join(ORDINARY)}\n" in (ROOT / "Makefile").read_text()
    assert "--editable '.[local,serving]'" in (ROOT / ".ci" / "run").read_text()
    assert "CONSTRAINTS=.ci/constraints.txt" in (ROOT / ".ci" / "run").read_text()


def audit(tmp_path: Path, program: str) -> subprocess.CompletedProcess[str]:
    """Runs the audit with a stand-in for pip-audit."""
    path = tmp_path / "pip-audit"
    path.write_text(f"#!/bin/sh\n{program}\n")
    path.chmod(path.stat().st_mode | stat.S_IXUSR)
    return subprocess.run(
        ["bash", str(ROOT / ".ci" / "audit"), sys.executable],
        env=os.environ | {"PIP_AUDIT": str(path)},
        capture_output=True,
        text=True,
        check=False,
    )


def writes(*faults: str, known: bool = True) -> str:
    """A program that writes what pip-audit found of two packages into the file that its last argument names."""
    first = {"name": "a", "version": "1", "vulns": [{"id": fault} for fault in faults]}
    unknown = [{"name": name, "skip_reason": "not found"} for name in ("a", "b")]
    found = {"dependencies": [first, unknown[1]] if known else unknown}
    return f"for last; do :; done; printf '%s' '{json.dumps(found)}' > \"$last\"; exit {int(bool(faults))}"


def test_an_audit_fails_for_known_faults_and_for_nothing_else(tmp_path: Path) -> None:
    clean = audit(tmp_path, writes())
    assert (clean.returncode, clean.stdout) == (0, "audit: 1 of 2 packages looked up, 0 known faults\n")
    found = audit(tmp_path, writes("CVE-1"))
    assert (found.returncode, found.stdout) == (1, "a 1: CVE-1\naudit: 1 of 2 packages looked up, 1 known faults\n")
    unknown = audit(tmp_path, writes(known=False))
    assert unknown.returncode == 0
    assert unknown.stdout == "audit skipped: the database that can be reached knows none of the 2 packages\n"
    unreachable = audit(tmp_path, "echo 'no route to host' >&2; exit 1")
    assert unreachable.returncode == 0
    assert unreachable.stdout == "audit skipped: the database of known faults gave no answer\nno route to host\n"
