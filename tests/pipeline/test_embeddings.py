"""Near-duplicates by meaning: vectors from a real endpoint on a socket, cached for good."""

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest

from curator import RunOptions, build, load
from curator.core.errors import BudgetReached, TeacherError
from curator.pipeline.plan import plan
from curator.recipe.load import load_recipe
from curator.versions.report.write import write_report
from curator.versions.views import run_query
from datastore.store import Store
from tests.processes import wait_until
from tests.teacher.embedding_server import EmbeddingServer, vectors
from tests.worlds import RUN, command, curator

NAMES = ["Ada", "Ben", "Cem", "Dee", "Eli", "Fay", "Gus", "Hal", "Ira", "Jim", "Kay", "Lou"]
PAIRS = [
    (
        f"{name} buys {n + 3} red apples and {n + 9} green apples at the market of {name}ville. "
        f"How many apples altogether?",
        f"At the market of {name}ville {name} acquires {n + 3} red fruits and {n + 9} green "
        f"fruits. How many fruits total?",
    )
    for n, name in enumerate(NAMES)
]
"""Questions and their rewordings."""


def write_recipe(folder: Path, url: str, **embeddings: Any) -> Path:
    settings = {"model": "words", "base_url": url, "key_env": "", "threshold": 0.97, **embeddings}
    recipe = {
        "name": "meaning",
        "about": "questions and their rewordings",
        "subsets": {
            "own": {
                "source": {
                    "file": "rows.jsonl",
                    "columns": {"question": "q", "response": "r", "gold": "g"},
                    "licence": "MIT",
                },
                "kind": "CoT",
                "writers": ["verbatim"],
                "checks": ["format"],
            }
        },
        "screens": {
            "contamination": None,
            "near_duplicates": {"threshold": 0.7, "embeddings": settings},
        },
    }
    path = folder / "meaning.yaml"
    path.write_text(json.dumps(recipe))
    questions = [question for pair in PAIRS for question in pair]
    # One question is asked twice, and repeats itself but for a word.
    questions += [PAIRS[0][0], PAIRS[1][0].replace("How many", "So how many")]
    rows = [{"q": text, "r": f"{text} The answer is 7.", "g": "7"} for text in questions]
    rows[-2]["r"] += " Indeed."
    (folder / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


TEXTS = 2 * len(PAIRS) + 1
"""Number of different questions."""


@pytest.fixture(autouse=True)
def short_backoff(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("curator.teacher.dispatch.backoff_s", lambda tries: 0.01)


def test_rewordings_are_rejected_with_similarity_and_model_and_form_clusters(
    tmp_path: Path,
) -> None:
    with EmbeddingServer() as server:
        version = build(write_recipe(tmp_path, server.url), tmp_path / "store")
        assert server.texts.total() == len(server.texts) == TEXTS
        assert server.requests < TEXTS
    rows = load("meaning", tmp_path / "store").to_pylist()
    assert {row["question"].split()[0] for row in rows} <= {*NAMES, "At"}
    assert len({row["question"] for row in rows}) == len(PAIRS)
    verdicts = load("meaning", tmp_path / "store", what="verdicts").to_pylist()
    found = [json.loads(v["evidence"]) for v in verdicts if v["check_name"] == "near_duplicates"]
    methods = {each["method"] for each in found}
    assert methods == {"3-grams", "embeddings of words"}
    by_meaning = [each for each in found if each["method"] == "embeddings of words"]
    assert len(by_meaning) >= len(PAIRS)
    assert all(0.97 <= float(each["index"]) <= 1 for each in by_meaning)
    kept = {row["id"] for row in rows}
    with Store(tmp_path / "store", readonly=True) as store:
        clusters = run_query(store, "SELECT kept, row_id, index FROM clusters")[1]
        assert {each[0] for each in clusters} <= kept
        assert len(clusters) == len(PAIRS) * 2 + 2 - len(rows)
        write_report(store, store.versions.get(version.ref), tmp_path / "page.html")
    assert f"near_duplicates: {len(clusters):,} rows" in (tmp_path / "page.html").read_text()


def test_no_text_is_paid_twice_by_another_threshold_more_rows_or_another_recipe(
    tmp_path: Path,
) -> None:
    with EmbeddingServer() as server:
        build(write_recipe(tmp_path, server.url), tmp_path / "store")
        path = write_recipe(tmp_path, server.url, threshold=0.99, concurrency=3)
        build(path, tmp_path / "store")
        with (tmp_path / "rows.jsonl").open("a") as file:
            row = {"q": "What is a new question?", "r": "It is. The answer is 7.", "g": "7"}
            file.write(json.dumps(row) + "\n")
        build(path, tmp_path / "store")
        assert server.texts.total() == len(server.texts) == TEXTS + 1
        build(write_recipe(tmp_path, server.url, family="other"), tmp_path / "store")
        assert server.texts.total() == 2 * TEXTS + 1


def test_workers_and_their_number_do_not_change_what_is_kept(tmp_path: Path) -> None:
    with EmbeddingServer() as server:
        path = write_recipe(tmp_path, server.url, texts_per_request=5)
        digests = {
            build(path, tmp_path / f"store{workers}", options=RunOptions(workers=workers)).digest
            for workers in (1, 2)
        }
        path = write_recipe(tmp_path, server.url, texts_per_request=1)
        digests.add(build(path, tmp_path / "store").digest)
    assert len(digests) == 1


def limit(body: dict[str, Any], number: int) -> tuple[int, dict[str, str], bytes] | None:
    return (429, {"retry-after-ms": "20"}, b"{}") if number % 2 == 0 else None


def wrong_dimension(body: dict[str, Any], number: int) -> tuple[int, dict[str, str], bytes] | None:
    # The first reply says how long vectors are.
    if number % 3 == 1:
        return 200, {}, json.dumps(vectors(body["input"], 8)).encode()
    return None


def not_a_number(body: dict[str, Any], number: int) -> tuple[int, dict[str, str], bytes] | None:
    reply = vectors(body["input"])
    reply["data"][0]["embedding"][3] = (float("nan"), float("inf"), "0", None)[number % 4]
    return (200, {}, json.dumps(reply).encode()) if number % 5 else None


def too_few(body: dict[str, Any], number: int) -> tuple[int, dict[str, str], bytes] | None:
    reply = vectors(body["input"])
    reply["data"] = reply["data"][1:] if number % 2 else reply["data"] + reply["data"][:1]
    return (200, {}, json.dumps(reply).encode()) if number % 4 < 2 else None


def zeros(body: dict[str, Any], number: int) -> tuple[int, dict[str, str], bytes] | None:
    reply = vectors(body["input"])
    reply["data"][-1]["embedding"] = [0.0] * 64
    return (200, {}, json.dumps(reply).encode()) if number % 2 else None


@pytest.mark.parametrize("fault", [limit, wrong_dimension, not_a_number, too_few, zeros])
def test_a_faulty_reply_is_requested_again(tmp_path: Path, fault: Any) -> None:
    with EmbeddingServer() as good:
        expected = build(write_recipe(tmp_path, good.url), tmp_path / "good").digest
    with EmbeddingServer(fault) as server:
        path = write_recipe(tmp_path, server.url, texts_per_request=4, concurrency=4, tries=40)
        assert build(path, tmp_path / "store").digest == expected
        assert len(server.texts) == TEXTS


def test_a_text_that_the_model_refuses_is_reported_and_others_are_compared(
    tmp_path: Path,
) -> None:
    refused = PAIRS[2][1]

    def refuse(body: dict[str, Any], number: int) -> tuple[int, dict[str, str], bytes] | None:
        error = {"error": {"message": "too long", "code": "context_length_exceeded"}}
        return (400, {}, json.dumps(error).encode()) if refused in body["input"] else None

    with EmbeddingServer(refuse) as server:
        path = write_recipe(tmp_path, server.url)
        done = curator("build", path, "--store", tmp_path / "store")
        assert done.returncode == 0, done.stderr
        assert f"1 of {TEXTS} texts have no vector (bad request: context" in done.stderr
        assert set(server.texts.values()) == {1} and len(server.texts) == TEXTS - 1
        requests = server.requests
        build(path, tmp_path / "store")
        assert server.requests == requests
    rows = load("meaning", tmp_path / "store").to_pylist()
    assert len({row["question"] for row in rows}) == len(PAIRS) + 1


def test_a_killed_build_resumes_and_pays_only_for_what_was_in_flight(tmp_path: Path) -> None:
    with EmbeddingServer() as server:
        path = write_recipe(tmp_path, server.url, texts_per_request=2, concurrency=2)
        server.limit = 9
        started = subprocess.Popen(
            command("build", path, "--store", tmp_path / "store"),
            env=RUN["env"],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        wait_until(lambda: server.texts.total() >= 9, lambda: started.poll() is None)
        # At 9 the next request waits, so that all replies before it are stored.
        wait_until(lambda: count_records(tmp_path / "store") >= 8, lambda: started.poll() is None)
        started.kill()
        started.wait()
        stored = count_records(tmp_path / "store")
        server.limit = float("inf")
        before = server.texts.total()
        done = curator("build", path, "--store", tmp_path / "store")
        assert done.returncode == 0, done.stderr
        # A request that waited at the server when its process was killed is answered, too.
        assert server.texts.total() - before <= TEXTS - stored + 2
        assert max(server.texts.values()) <= 2
        assert sum(count - 1 for count in server.texts.values()) <= 2 + 2
        assert count_records(tmp_path / "store") == TEXTS


def count_records(store: Path) -> int:
    if not (store / "ledgers" / "embeddings").is_dir():
        return 0
    with Store(store, readonly=True) as opened:
        return opened.ledger("embeddings").count()


def test_a_plan_counts_texts_and_their_cost_and_a_build_makes_them(tmp_path: Path) -> None:
    with EmbeddingServer() as server:
        path = write_recipe(tmp_path, server.url, price=1000.0)
        with Store(tmp_path / "store") as store:
            first = plan(load_recipe(path), store)
        assert first.embeddings["near_duplicates"].most == TEXTS + 1
        early = curator("plan", path, "--store", tmp_path / "store").stdout
        assert f"0–{TEXTS + 1}" in early and "until then the number is a maximum" in early
        (line,) = first.models
        assert line == f"Embeddings: words at {server.url} (sends no key)."
        broke = write_recipe(tmp_path, server.url, price=1000.0, budget={"calls": 5})
        with pytest.raises(BudgetReached, match="5 of 5 calls spent"):
            build(broke, tmp_path / "store")
        assert server.texts.total() == 5
        with Store(tmp_path / "store") as store:
            calls = plan(load_recipe(path), store).embeddings["near_duplicates"]
        assert (calls.cached, calls.least, calls.most) == (5, TEXTS - 5, TEXTS - 5)
        assert calls.prompt_tokens > 20 * (TEXTS - 5)
        assert calls.money == pytest.approx(calls.prompt_tokens * 1000 / 1e6)
        shown = curator("plan", path, "--store", tmp_path / "store").stdout
        assert f"{TEXTS - 5}" in shown and "near_duplicates" in shown
        assert max(map(len, shown.splitlines())) <= 80
        build(write_recipe(tmp_path, server.url, price=1000.0), tmp_path / "store")
        assert server.texts.total() == TEXTS
        with Store(tmp_path / "store") as store:
            assert plan(load_recipe(path), store).embeddings["near_duplicates"].most == 0


def test_a_budget_of_the_command_counts_texts(tmp_path: Path) -> None:
    with EmbeddingServer() as server:
        path = write_recipe(tmp_path, server.url)
        done = curator("build", path, "--store", tmp_path / "store", "--max-calls", "3")
        assert done.returncode == 1 and "3 of 3 calls spent" in done.stderr
        assert server.texts.total() == 3


def test_the_key_is_sent_and_never_stored(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EMBEDDING_KEY", "sk-secret-secret-secret")

    def leak(body: dict[str, Any], number: int) -> tuple[int, dict[str, str], bytes] | None:
        reply = vectors(body["input"])
        reply["model"] = "sk-secret-secret-secret"
        return 200, {}, json.dumps(reply).encode()

    with EmbeddingServer(leak) as server:
        build(write_recipe(tmp_path, server.url, key_env="EMBEDDING_KEY"), tmp_path / "store")
        assert all("Bearer sk-secret-secret-secret" in head for head in server.heads)
    stored = (path.read_bytes() for path in (tmp_path / "store").rglob("*") if path.is_file())
    assert all(b"sk-secret" not in data for data in stored)


def test_a_model_that_changes_its_dimensions_between_builds_is_an_error(tmp_path: Path) -> None:
    with EmbeddingServer() as server:
        path = write_recipe(tmp_path, server.url, budget={"calls": 5})
        with pytest.raises(BudgetReached):
            build(path, tmp_path / "store")
        server.reply = lambda body, number: (
            200,
            {},
            json.dumps(vectors(body["input"], 8)).encode(),
        )
        with pytest.raises(TeacherError, match=r"have (64 and 8|8 and 64) numbers"):
            build(write_recipe(tmp_path, server.url), tmp_path / "store")


def test_a_model_with_one_vector_for_all_texts_is_an_error_and_rejects_no_row(
    tmp_path: Path,
) -> None:
    def same(body: dict[str, Any], number: int) -> tuple[int, dict[str, str], bytes]:
        return 200, {}, json.dumps(vectors(["one text"] * len(body["input"]))).encode()

    with EmbeddingServer(same) as server:
        path = write_recipe(tmp_path, server.url)
        with pytest.raises(TeacherError, match="25 different texts the same vector"):
            build(path, tmp_path / "store")
    with EmbeddingServer() as server:
        assert build(write_recipe(tmp_path, server.url, family="right"), tmp_path / "store")


def test_an_endpoint_that_cannot_be_reached_is_one_line(tmp_path: Path) -> None:
    path = write_recipe(tmp_path, "http://127.0.0.1:9/v1", tries=1)
    done = curator("build", path, "--store", tmp_path / "store")
    assert done.returncode == 1
    assert "The embedding model at http://127.0.0.1:9/v1 cannot be used" in done.stderr
