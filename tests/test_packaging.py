"""The wheel contains what the checkout has: all packages, recipes and samples."""

import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import pytest

from tests.paths import ROOT


def recipe_files() -> set[str]:
    """Return the files of the recipes folder, relative to it."""
    folder = ROOT / "recipes"
    return {
        str(path.relative_to(folder))
        for path in folder.rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Build a wheel from a copy of the files that git tracks; return the folder it unpacks to."""
    work = tmp_path_factory.mktemp("wheel")
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard"],
        check=True,
        capture_output=True,
        text=True,
        cwd=ROOT,
    ).stdout.split()
    for name in listed:
        if (ROOT / name).is_file():
            (work / "tree" / name).parent.mkdir(parents=True, exist_ok=True)
            (work / "tree" / name).write_bytes((ROOT / name).read_bytes())
    build = "import setuptools.build_meta as b, sys; b.build_wheel(sys.argv[1])"
    command = [sys.executable, "-c", build, str(work)]
    subprocess.run(command, check=True, capture_output=True, cwd=work / "tree")
    (wheel,) = work.glob("*.whl")
    zipfile.ZipFile(wheel).extractall(work / "installed")
    return work / "installed"


def test_the_list_of_packages_is_complete() -> None:
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    listed = set(settings["tool"]["setuptools"]["packages"])
    folders = {
        ".".join(path.parent.relative_to(ROOT).parts)
        for top in ("curator", "datastore", "trainers")
        for path in (ROOT / top).rglob("*.py")
    }
    assert folders == listed - {"curator._recipes"}


def test_the_wheel_holds_every_module_prompt_and_shipped_recipe(installed: Path) -> None:
    names = {str(path.relative_to(installed)) for path in installed.rglob("*") if path.is_file()}
    modules = {
        str(path.relative_to(ROOT))
        for top in ("curator", "datastore", "trainers")
        for path in (ROOT / top).rglob("*.py")
    }
    prompts = {str(path.relative_to(ROOT)) for path in (ROOT / "curator").rglob("*.jinja")}
    assert prompts
    assert modules | prompts <= names
    assert recipe_files()
    assert {f"curator/_recipes/{name}" for name in recipe_files()} <= names


def test_an_installed_package_finds_its_own_recipes(installed: Path) -> None:
    ask = "from curator.recipe.builtin import recipes_folder; print(recipes_folder())"
    command = [sys.executable, "-S", "-c", f"import sys; sys.path.insert(0, sys.argv[1]); {ask}"]
    run = [*command, str(installed)]
    # Run outside the checkout, and without the editable install of this test run.
    done = subprocess.run(run, check=True, capture_output=True, text=True, cwd=installed.parent)
    assert done.stdout.strip() == str(installed / "curator" / "_recipes")


def test_a_checkout_finds_its_own_recipes() -> None:
    from curator.recipe.builtin import recipes_folder

    assert recipes_folder() == ROOT / "recipes"
