"""The wheels of `make dist`, in an environment that has nothing of this checkout."""

import re
import subprocess
import sys
from pathlib import Path

import pytest
from e2e.local_mode import LocalMode
from eventually import eventually

import shared

ROOT = Path(__file__).parents[2]
PACKAGES = 7

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def dist(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("dist")
    subprocess.run(["make", "--silent", "dist", f"DIST={folder}"], cwd=ROOT, check=True)
    return folder


def test_each_part_has_a_wheel_and_an_sdist_of_the_one_version(dist: Path) -> None:
    names = sorted(path.name for path in dist.iterdir() if path.name != ".gitignore")
    assert len(names) == 2 * PACKAGES
    versions = {version for name in names for version in re.findall(r"-([\d.]+?)(?:-|\.tar)", name)}
    assert versions == {shared.__version__}


@pytest.fixture
def installed(dist: Path, tmp_path: Path) -> Path:
    """A virtual environment with those wheels and what they require."""
    venv, uv = tmp_path / "venv", Path(sys.executable).with_name("uv")
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", venv], check=True)
    wheels = map(str, dist.glob("*.whl"))
    install = [
        uv,
        "pip",
        "install",
        "--quiet",
        "--system-certs",
        "--python",
        venv,
        "--constraint",
        ROOT / "requirements.lock",
    ]
    subprocess.run([*map(str, install), *wheels], check=True)
    return venv


async def test_its_wheels_are_all_that_up_needs(installed: Path, tmp_path: Path) -> None:
    titles = tmp_path / "titles.txt"
    titles.write_text("Consistent hashing\nCAP theorem\n")
    up = LocalMode(tmp_path, "--submit", str(titles), command=[str(installed / "bin/topicflow")])
    try:
        await up.ready()
        await eventually(lambda: "2 of 2 completed" in up.out, within=20)
        pythons = {child.cmdline()[0] for name, child in up.children().items() if name != "valkey-server"}
        assert {Path(python).parents[1] for python in pythons} == {installed}
    finally:
        up.end()
