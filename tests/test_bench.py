"""The measurements in `bench`: what they build and compare, not how long it takes."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.paths import ROOT

BUILD = """
import sys
from collections import Counter
from pathlib import Path
from run import SHARES, find_errors, write_recipe
from curator import RunOptions, build
from curator.release.export import export
from datastore.store import Store
folder = Path(sys.argv[1])
mirror, out = folder / "mirror", folder / "out.jsonl"
recipe = write_recipe(folder, "first", SHARES)
version = build(recipe, folder / "store", options=RunOptions(mirror=mirror))
reasons = Counter()
for subset in version.content["subsets"].values():
    reasons.update(subset["reasons"])
with Store(folder / "store", readonly=True) as store:
    export(store, version, "alpaca-jsonl", out)
print(version.content["rows"]["count"], find_errors(mirror, out, reasons))
"""


def run(*words: object, env: dict[str, str] | None = None) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, *map(str, words)], capture_output=True, text=True, env=env
    )


def test_the_recipe_builds_on_generated_rows_and_finds_what_is_planted(tmp_path: Path) -> None:
    made = run(ROOT / "bench/make_rows.py", tmp_path / "mirror", "--rows", 500)
    assert made.returncode == 0, made.stderr
    built = run("-c", BUILD, tmp_path, env={"PYTHONPATH": f"{ROOT / 'bench'}:{ROOT}"})
    assert built.returncode == 0, built.stderr
    rows, errors = built.stdout.split(maxsplit=1)
    assert 350 < int(rows) < 450 and errors == "[]\n"


def write(path: Path, **ratios: float | None) -> Path:
    figures = [
        {"name": name, "value": 7.0, "unit": "s", "ratio": ratio} for name, ratio in ratios.items()
    ]
    path.parent.mkdir(exist_ok=True)
    path.write_text(json.dumps({"figures": figures}))
    return path


@pytest.mark.parametrize("folders", [False, True])
def test_two_runs_are_compared_by_their_ratios(tmp_path: Path, folders: bool) -> None:
    old = write(tmp_path / "old" / "run.json", build=1.0, export=0.5, verify=2.0, time=None)
    new = write(tmp_path / "new" / "run.json", build=1.2, export=0.5, audit=1.0, time=None)
    files = [old.parent, new.parent] if folders else [old, new]
    prefix = "run: " if folders else ""
    done = run(ROOT / "bench/compare.py", *files)
    lines = done.stdout.splitlines()
    assert done.returncode == 1, done.stderr
    assert max(map(len, lines[:3])) <= 80
    assert [line.split() for line in lines[1:3]] == [
        [*prefix.split(), "build", "1", "1.2", "+20.0%", "worse"],
        [*prefix.split(), "export", "0.5", "0.5", "+0.0%"],
    ]
    assert lines[3:] == [
        f"missing in {files[1]}: {prefix}verify",
        f"missing in {files[0]}: {prefix}audit",
        "Ratios that grew by more than 10%: 1.",
    ]


def test_a_result_is_computed_again_only_if_a_build_before_had_stored_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(ROOT / "bench")
    from kills import WrittenResults

    folder = tmp_path / "ledgers" / "executions"
    folder.mkdir(parents=True)
    written = WrittenResults(tmp_path)

    def build(**journals: str) -> None:
        for name, keys in journals.items():
            lines = "".join(f"1 {key} 0 result\n" for key in keys)
            (folder / f"{name}.journal").write_text(lines)
        written.update()

    build(first="ab", second="bc")
    assert (written.repeated, written.keys().total()) == (0, 4), "two workers ran b at once"
    build(third="d")
    assert written.repeated == 0
    build(fourth="da")
    assert (written.repeated, len(written.keys())) == (2, 4)


def test_a_ratio_within_the_tolerance_or_a_better_one_passes(tmp_path: Path) -> None:
    old = write(tmp_path / "old.json", build=1.0, export=0.5)
    new = write(tmp_path / "new.json", build=1.2, export=0.3)
    assert run(ROOT / "bench/compare.py", old, new, "--tolerance", "0.25").returncode == 0
    assert run(ROOT / "bench/compare.py", old, tmp_path / "none.json").returncode == 2


@pytest.mark.parametrize(
    "content",
    ["", '{"a":', "[1, 2]", '{"x": 1}', '{"figures": 3}', '{"figures": [{"name": "a"}]}',
     '{"figures": [{"name": "a", "value": "x", "unit": "s", "ratio": "1"}]}', "\\xff",
     *(f'{{"figures": [{{"name": "build", "value": 7, "unit": "s", "ratio": {ratio}}}]}}'
       for ratio in ('""', "[]", "NaN", "Infinity", "-1", "1" + "0" * 400)),
     *(f'{{"figures": [{{"name": {name}, "value": 7, "unit": "s", "ratio": 1.0}}]}}'
       for name in ("5", "[]", r'"a\nb"', r'"\ud800"'))],
)  # fmt: skip
@pytest.mark.parametrize("place", [0, 1])
def test_a_file_without_figures_is_one_line_and_no_pass(
    tmp_path: Path, content: str, place: int
) -> None:
    bad = tmp_path / "bad.json"
    bad.write_bytes(content.encode("latin-1").replace(rb"\xff", b"\xff"))
    files = [write(tmp_path / "good.json", build=1.0)]
    files.insert(place, bad)
    done = run(ROOT / "bench/compare.py", *files)
    assert (done.returncode, done.stdout) == (2, "")
    assert f"error: {bad} is not a file of figures (" in done.stderr.splitlines()[-1]


def test_runs_without_a_common_ratio_do_not_pass(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    file = write(tmp_path / "old" / "a.json", build=1.0, time=None)
    others = [write(tmp_path / "b.json", export=1.0, time=None), tmp_path / "empty"]
    for other in others:
        done = run(ROOT / "bench/compare.py", file, other)
        assert done.returncode == 2
        assert "have no ratio in common" in done.stderr.splitlines()[-1]
    wrong = run(ROOT / "bench/compare.py", file, file, "--tolerance", "nan")
    assert (wrong.returncode, "must be 0 or more" in wrong.stderr) == (2, True)


def test_a_ratio_that_grows_from_zero_is_worse(tmp_path: Path) -> None:
    old = write(tmp_path / "old.json", build=0.0, same=0.0)
    done = run(ROOT / "bench/compare.py", old, write(tmp_path / "new.json", build=0.1, same=0.0))
    assert done.returncode == 1, done.stderr
    assert [line.endswith("worse") for line in done.stdout.splitlines()[1:3]] == [True, False]


def test_names_that_differ_at_their_end_can_be_told_apart(tmp_path: Path) -> None:
    names = [f"plain, sandbox over a fork that does nothing, {unit}" for unit in ("ms", "CPU ms")]
    old = write(tmp_path / "old.json", **dict.fromkeys(names, 1.0))
    lines = run(ROOT / "bench/compare.py", old, old).stdout.splitlines()
    assert max(map(len, lines)) <= 80
    assert lines[1] != lines[2] and "nothing, CPU ms " in lines[2]


def test_a_replay_of_samples_stops_where_the_band_is_decided() -> None:
    code = """
from bands import replay
never, half, unclear = ["failed"] * 30, ["passed", "failed"] * 15, ["undecided"] * 30
turning = ["failed"] * 16 + ["passed"] * 14
print(replay([never, half, unclear, turning], (0.2, 0.8), 0.1))
"""
    done = run("-c", code, env={"PYTHONPATH": f"{ROOT / 'bench'}:{ROOT}"})
    assert done.returncode == 0, done.stderr
    assert done.stdout == ("Replay(problems=4, samples=120, calls=82, decided=3, different=1)\n")


def test_every_formula_of_mathqa_that_names_another_choice_has_a_label(
    tmp_path: Path, shared: Path
) -> None:
    rows = json.loads((shared / "sources/mathqa/dev.json").read_text())[:250]
    folder = tmp_path / "sources/mathqa"
    folder.mkdir(parents=True)
    (folder / "dev.json").write_text(json.dumps(rows))
    done = run(ROOT / "bench/mathqa.py", "--data", tmp_path, env={"PYTHONPATH": str(ROOT)})
    assert done.returncode == 0, done.stderr
    (found,) = [
        line.split() for line in done.stdout.splitlines() if line.startswith("formula, other")
    ]
    assert found[3] == found[4] != "0", "the kind of which all problems were read"
    assert "formula wrong" in done.stdout and "gold wrong" in done.stdout


VLLM = """
from types import SimpleNamespace as Some
class SamplingParams:
    def __init__(self, **keys): self.keys = keys
class LLM:
    def __init__(self, **keys): assert keys["max_model_len"] == 512
    def generate(self, prompts, wanted):
        tokens = [0] * wanted.keys["max_tokens"]
        return [Some(outputs=[Some(token_ids=tokens)]) for _ in prompts]
"""


def check_gpu(tmp_path: Path, *words: object, vllm: str = "") -> tuple[int, dict, str]:
    pytest.importorskip("trl", reason="the extra train is not installed")
    (tmp_path / "modules").mkdir()
    if vllm:
        (tmp_path / "modules" / "vllm.py").write_text(vllm)
    paths = os.pathsep.join([str(ROOT), str(tmp_path / "modules")])
    env = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": paths}
    file = tmp_path / "found.json"
    done = run(ROOT / "bench/gpu_check.py", "--json", file, "--folder", tmp_path, *words, env=env)
    found = json.loads(file.read_text()) if file.exists() else {}
    assert not list(tmp_path.glob("tmp*"))
    return done.returncode, found, done.stdout + done.stderr


def test_the_gpu_check_compares_packed_with_padded_losses_and_memory_with_its_estimate(
    tmp_path: Path,
) -> None:
    code, found, printed = check_gpu(tmp_path, "--device", "cpu", "--only", "sdpa")
    assert code == 0, printed
    padded, packed = found["checks"]
    assert (padded["name"], packed["name"]) == ("sft sdpa", "sft sdpa packed")
    assert padded["outcome"] == packed["outcome"] == "ok"
    assert packed["losses"] == pytest.approx(padded["losses"], rel=1e-3)
    assert packed["useful"] == 1 > padded["useful"]
    assert padded["memory"] > padded["estimate"] > 0
    assert {figure["name"] for figure in found["figures"]} >= {"sft sdpa, memory"}
    assert "sft sdpa packed" in printed and "GiB estimated" in printed


@pytest.mark.parametrize(
    ("vllm", "code", "outcome"),
    [
        (VLLM, 0, "ok"),
        ("raise ImportError('no driver')", 1, "failed: ImportError: no driver"),
        ("", 0, "skipped: vllm is not installed"),
    ],
)
def test_the_gpu_check_samples_with_vllm_if_it_is_installed(
    tmp_path: Path, vllm: str, code: int, outcome: str
) -> None:
    """A stand-in takes the place of vLLM, which needs a GPU."""
    found = check_gpu(tmp_path, "--device", "cpu", "--only", "vllm", vllm=vllm)
    assert found[0] == code, found[2]
    (check,) = found[1]["checks"]
    assert check["outcome"] == outcome
    assert (check["tokens_per_second"] is not None) == (outcome == "ok")


def test_the_gpu_check_fails_without_a_gpu_and_for_a_model_that_cannot_be_trained(
    tmp_path: Path,
) -> None:
    torch = pytest.importorskip("torch", reason="the extra train is not installed")
    (tmp_path / "a").mkdir()
    if not torch.cuda.is_available():
        code, found, printed = check_gpu(tmp_path / "a")
        assert (code, found) == (1, {})
        assert printed == "No GPU was found, so nothing was checked. On a CPU: --device cpu\n"
    (tmp_path / "b").mkdir()
    words = ("--device", "cpu", "--only", "sft sdpa packed", "--model", tmp_path / "none")
    code, found, _ = check_gpu(tmp_path / "b", *words)
    assert code == 1
    assert found["checks"][0]["outcome"].startswith("failed: ")
