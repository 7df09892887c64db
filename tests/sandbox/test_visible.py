"""Which packages programs can import, and that nothing beside them can be read."""

import importlib
import os
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path

import numpy
import pytest

from curator.sandbox import Sandbox, preload
from curator.sandbox.visible import find_visible
from tests.paths import ROOT
from tests.sandbox.programs import run_script


@pytest.fixture(scope="module")
def box() -> Iterator[Sandbox]:
    with Sandbox(workers=1, wall_s=600, cpu_s=30) as box:
        yield box


def test_a_package_around_the_home_folder_is_not_visible(monkeypatch: pytest.MonkeyPatch) -> None:
    package = str(Path(numpy.__file__).resolve().parent)
    assert find_visible().packages["numpy"] == package
    monkeypatch.setenv("HOME", f"{package}/core")
    assert "numpy" not in find_visible().packages
    assert package not in find_visible().package_paths


def test_only_the_package_is_read_where_numpy_lies_beside_private_files(tmp_path: Path) -> None:
    folder = tmp_path / "installed"
    folder.mkdir()
    for parent in (folder, *folder.parents[:-2]):
        parent.chmod(parent.stat().st_mode | 0o555)
    (folder / "numpy").symlink_to(Path(numpy.__file__).parent)
    (folder / ".env").write_text("KEY=secret")
    (folder / "other.py").write_text("KEY = 'secret'")
    script = f"""
import sys
from curator.sandbox import Sandbox
from tests.sandbox.programs import forbid
forbid(*sys.argv[1:])
with Sandbox(workers=1, wall_s=600, cpu_s=60) as box:
    print(box.run("import numpy\\nprint(numpy.arange(3).sum())").value)
    print(box.run("open('{folder}/.env')").status)
    print(box.run("import other").status)
    print(box.run("import os\\nos.listdir('{folder}')").status)
    print(box.run("import os, sympy\\nos.listdir(os.path.dirname(sympy.__path__[0]))").status)
"""
    for forbidden in ([], ["unshare"], ["landlock_create_ruleset"]):
        done = run_script(script, *forbidden, PYTHONPATH=f"{folder}:{ROOT}")
        assert done.returncode == 0, done.stderr
        value, *statuses, listing = done.stdout.split()
        assert value == "3"
        assert len(statuses) == 3 and set(statuses) <= {"error", "refused"}
        # Without namespaces, imports need to list the folders of Python's own packages.
        assert listing in (("error", "refused", "ok") if "unshare" in forbidden else ("refused",))


def test_the_packages_of_python_itself_are_hidden_one_by_one() -> None:
    found = find_visible()
    places = [*found.visible, *found.package_paths]
    assert not [path for path in places if path.endswith("-packages")]
    assert all(os.path.realpath(path) == path for path in places)
    assert {"numpy", "sympy", "mpmath"} <= set(found.packages)


@pytest.mark.parametrize("heavy", [False, True])
def test_every_package_that_programs_may_use_is_imported(box: Sandbox, heavy: bool) -> None:
    for name in sorted(set(find_visible().packages) & {*preload.HEAVY, *preload.SLOW}):
        done = box.run(f"import {name}\nprint({name}.__name__)" if heavy else f"import {name}")
        assert (done.status, done.error) == ("ok", "")


def test_a_package_in_a_zip_file_is_imported(tmp_path: Path) -> None:
    archive = tmp_path / "six.zip"
    with zipfile.ZipFile(archive, "w") as file:
        file.writestr("six/__init__.py", "from six.moves import answer")
        file.writestr("six/moves.py", "answer = 42")
    module = tmp_path / "cycler.py"
    module.write_text("answer = 43")
    finder = preload.Packages({"six": str(archive), "cycler": str(module)})
    sys.meta_path.append(finder)
    names = ("six", "six.moves", "cycler")
    before = {name: sys.modules.pop(name) for name in names if name in sys.modules}
    paths, sys.path[:] = sys.path[:], [p for p in sys.path if "-packages" not in p]
    try:
        assert importlib.import_module("six").answer == 42
        assert importlib.import_module("cycler").answer == 43
    finally:
        sys.meta_path.remove(finder)
        sys.path[:] = paths
        for name in names:
            sys.modules.pop(name, None)
        sys.modules.update(before)
