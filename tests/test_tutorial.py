"""The tutorial: every command runs in order, and the output is what the tutorial shows."""

import re
import shlex
from pathlib import Path

from tests.paths import ROOT
from tests.worlds import curator

TEXT = (ROOT / "docs/tutorial.md").read_text(encoding="utf-8")
BLOCK = re.compile(r"(?:<!-- ([^>]+) -->\n)?```(\w*)\n(.*?)```", re.DOTALL)


def test_the_tutorial_runs_and_shows_what_it_says(tmp_path: Path) -> None:
    (tmp_path / "recipes").symlink_to(ROOT / "recipes")
    output, commands, compared = "", [], 0
    for mark, language, block in BLOCK.findall(TEXT):
        if mark == "needs the Hub":
            continue
        if mark.startswith("file: "):
            assert (tmp_path / mark.removeprefix("file: ")).exists()  # `curator new` wrote it
            (tmp_path / mark.removeprefix("file: ")).write_text(block)
        elif language == "sh":
            for line in block.splitlines():
                name, *words = shlex.split(line)
                assert name == "curator"
                done = curator(*words, cwd=tmp_path)
                assert done.returncode == 0, f"{line}: {done.stderr}"
                output += done.stdout
                commands.append(words[0])
        elif not language:
            for line in filter(None, block.splitlines()):
                assert line.split("…")[0] in output, line
                compared += 1
    assert compared > 20
    assert {"build", "why", "new", "diff", "export", "report", "audit"} <= {*commands}
