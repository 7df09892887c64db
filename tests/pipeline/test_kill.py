"""A killed build loses nothing: the script for real data, run on a small world."""

import json
import subprocess
import sys
from pathlib import Path

from tests.paths import ROOT
from tests.worlds import RECIPE, RUN, make_world


def test_a_build_killed_again_and_again_gives_the_same_version(tmp_path: Path) -> None:
    mirror, recipe = make_world(tmp_path, RECIPE.replace("{quarantine: 0.2}", "{quarantine: 0.9}"))
    rows = [
        {
            "question": f"What do {n} and {n + 1} make?",
            "answer": f"<<{n}+{n + 1}={2 * n + 1}>>x\n#### {2 * n + 1}",
        }
        for n in range(800)
    ]
    lines = "\n".join(json.dumps(row) for row in rows)
    (mirror / "sources" / "gsm8k" / "more.jsonl").write_text(lines)
    script = ROOT / "bench" / "kills.py"
    options = ["--mirror", mirror, "--kills", "4"]
    done = subprocess.run([sys.executable, script, recipe, *options], **RUN)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "killed" in done.stdout
