"""A browser for the tests of pages, and stores whose versions have pages."""

from collections.abc import Iterator
from pathlib import Path
from shutil import copytree

import pytest

from curator import build
from tests.versions.report.browser import CHROMIUM, Browser, chromium
from tests.versions.report.hostile import make_hostile


@pytest.fixture(scope="session")
def tab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    """A real browser; without Chromium, its tests are skipped."""
    if not CHROMIUM:
        pytest.skip("Chromium is not installed: apt-get install chromium")
    with chromium(tmp_path_factory.mktemp("profile")) as browser:
        yield browser


@pytest.fixture(scope="session")
def quickstart(quickstart_built: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store with quickstart@1, variant@1 and variant@2."""
    folder = tmp_path_factory.mktemp("quickstart")
    copytree(quickstart_built, folder / "store")
    for number, text in enumerate((VARIANT, VARIANT + "mixture: {subsets: {math_cot: 4}}\n")):
        recipe = folder / f"{number}.yaml"
        recipe.write_text(text)
        build(recipe, folder / "store")
    return folder / "store"


VARIANT = "extends: quickstart\nname: variant\nscreens: {duplicates: false}\n"


@pytest.fixture(scope="session")
def hostile(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store with a version whose rows attack the page that shows them."""
    folder = tmp_path_factory.mktemp("hostile")
    build(make_hostile(folder), folder / "store", message="<script>window.hacked = 8</script>")
    return folder / "store"
