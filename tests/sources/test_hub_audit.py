"""Audits of Hub datasets, through the official client and a local server."""

import json
import os
import subprocess
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path

from tests.sources.conftest import COMMIT
from tests.worlds import RUN, curator, make_world

ROWS = [
    {"query": f"What is {n} times {n} plus {n} in total?", "response": f"The answer is {n}."}
    for n in range(20)
]
CARD = b"---\nlicense: mit\n---\n# Data\n"


def test_a_hub_dataset_is_audited_at_its_commit_with_the_licence_of_its_card(
    serving: Callable[..., AbstractContextManager[tuple[str, list[str]]]], tmp_path: Path
) -> None:
    mirror, _ = make_world(tmp_path)

    def run(endpoint: str, *args: object) -> subprocess.CompletedProcess[str]:
        env = {**os.environ, **RUN["env"], "HF_ENDPOINT": endpoint, "HF_HOME": str(tmp_path / "hf")}
        return curator("audit", *args, "--mirror", mirror, "--store", tmp_path / "st", env=env)

    rows = "".join(json.dumps(row) + "\n" for row in ROWS).encode()
    repositories = {
        "me/data": {"train.jsonl": rows, "README.md": CARD},
        "me/bare": {"train.jsonl": rows},
    }
    with serving(repositories) as (url, _):
        done = run(url, "me/data", "--fix", "hers", "--json")
        assert (done.returncode, done.stderr) == (0, "")
        found = json.loads(done.stdout)
        assert found["dataset"] == f"me/data at {COMMIT[:7]}"
        assert (found["licence"], found["rows"], found["version"]) == ("mit", 20, "hers@1")
        named = run(url, f"me/bare@{COMMIT}", "--json")
        assert json.loads(named.stdout)["licence"] == "none stated"
        overridden = run(url, "me/data", "--licence", "CC0-1.0", "--json")
        assert json.loads(overridden.stdout)["licence"] == "CC0-1.0"
        missing = run(url, "me/nothing")
        assert missing.returncode == 1
        assert "me/nothing on the Hub does not exist, or is private" in missing.stderr
    manifest = json.loads(curator("show", "hers", "--store", tmp_path / "st", "--json").stdout)
    assert manifest["sources"]["cot"] == {"licence": "mit", "revision": COMMIT}
