"""Golds in doubt of a version: counts by kind, errata with their results, and rulings withdrawn."""

import html
import json
import re
import shlex
import shutil
from collections.abc import Mapping
from pathlib import Path

import pytest

from curator import build, load
from curator.core.errata import Erratum, add_ruling, erratum_key
from curator.pipeline.audit.run import AuditRequest, audit
from curator.pipeline.golds.run import find_golds_in_doubt
from curator.pipeline.run_options import RunOptions
from curator.versions.golds import doubts
from curator.versions.golds.doubts import DoubtedGolds, find_doubted_golds
from curator.versions.report.write import write_report
from datastore.store import Store
from datastore.versions import Manifest
from tests.paths import DATA
from tests.worlds import curator

ONE = RunOptions(workers=1)
ROWS = {
    "Ann has 2 pens and buys 3. How many has she?": ("2+3=5. The answer is 5.", "5"),
    "Bob has 4 cups and breaks 1. How many are left?": ("4-1=3. The answer is 3.", "7"),
    "Cid reads 6 pages on 2 days. How many in all?": ("6*2=12. The answer is 12.", "15"),
    "Dee has 8 figs and eats 5. How many are left?": ("8-5=2. The answer is 3.", "3"),
    "Eve runs 9 km on 3 days. How far in all?": ("9*3=27. The answer is 27.", "30"),
}
KEYS = {name.split()[0]: erratum_key(name, gold) for name, (_, gold) in ROWS.items()}
RECIPE = (
    "name: mine\nabout: Sums.\nscreens: {contamination: null}\nsubsets:\n  sums:\n    kind: CoT\n"
    "    source:\n      file: rows.jsonl\n      licence: MIT\n"
    "      columns: {question: question, solution: solution, gold: gold}\n"
)


def make(folder: Path, errata: Mapping[str, Erratum] | None = None) -> Manifest:
    """Build a version of ROWS, with rulings by the first word of the question."""
    rows = [
        {"question": question, "solution": solution, "gold": gold}
        for question, (solution, gold) in ROWS.items()
    ]
    (folder / "rows.jsonl").write_text("\n".join(map(json.dumps, rows)))
    for each in (errata or {}).values():
        add_ruling(folder / "errata.jsonl", each)
    text = RECIPE + ("errata: errata.jsonl\n" if errata else "")
    (folder / "mine.yaml").write_text(text)
    return build(str(folder / "mine.yaml"), store=folder / "store", options=ONE)


def figures(folder: Path, version: Manifest) -> DoubtedGolds:
    with Store(folder / "store", readonly=True) as store, store.engine() as engine:
        return find_doubted_golds(engine, store, version)


def section(folder: Path, version: Manifest) -> str:
    """Return the section of the report as plain text."""
    with Store(folder / "store", readonly=True) as store:
        write_report(store, version, folder / "page.html")
    found = re.search(
        r'<section id="golds">.*?</section>', (folder / "page.html").read_text(), re.S
    )
    assert found
    return " ".join(re.sub(r"<[^>]+>", " ", found[0]).split())


RULINGS = {
    "Bob": Erratum(KEYS["Bob"], "wrong", "3"),
    "Cid": Erratum(KEYS["Cid"], "wrong"),
    "Dee": Erratum(KEYS["Dee"], "right"),
    "Eve": Erratum(KEYS["Eve"], "ambiguous"),
}


def test_golds_are_counted_by_what_speaks_against_them(tmp_path: Path) -> None:
    version = make(tmp_path)
    found = figures(tmp_path, version)
    assert (found.golds, found.ruled, found.errata) == (5, 0, {})
    assert found.stored == {"solution": 3}
    assert found.read["step"] == 1
    assert [each.key for each in found.suspects[:3]] == sorted(
        KEYS[name] for name in ("Bob", "Cid", "Eve")
    )
    assert "its solution states 3" in {text for each in found.suspects for text in each.evidence}
    text = section(tmp_path, version)
    assert "against 5 gold answers" in text and "its solution states another answer 3" in text
    assert "List all with curator golds mine@1" in text


def test_the_command_that_a_report_names_lists_golds_whose_rows_were_dropped(
    tmp_path: Path,
) -> None:
    version = make(tmp_path)
    kept = load(version.ref, store=tmp_path / "store").num_rows
    listed = find_golds_in_doubt(version.ref, (), tmp_path / "store", ONE).suspects
    assert kept == 2
    assert {KEYS[name] for name in ("Bob", "Cid", "Dee", "Eve")} <= {each.key for each in listed}


def test_a_ruling_is_settled_in_the_list_of_a_version_without_its_file(tmp_path: Path) -> None:
    # A person states an answer that the solution of Bob contradicts, too.
    version = make(tmp_path, RULINGS | {"Bob": Erratum(KEYS["Bob"], "wrong", "9")})
    found = find_golds_in_doubt(version.ref, (), tmp_path / "store", ONE)
    assert {each.question.split()[0] for each in found.suspects} <= {"Ann"}
    assert found.ruled == 2, "Bob's answer and Dee's, which is right"


def test_the_command_of_a_report_names_the_errata_and_works_as_it_is(tmp_path: Path) -> None:
    make(tmp_path)
    add_ruling(tmp_path / "my errata.jsonl", RULINGS["Bob"])
    (tmp_path / "mine.yaml").write_text(RECIPE + "errata: my errata.jsonl\n")
    version = build(str(tmp_path / "mine.yaml"), store=tmp_path / "store", options=ONE)
    add_ruling(tmp_path / "my errata.jsonl", RULINGS["Eve"])  # a ruling since the build
    found = re.search(r"List all with (.*?) , then rule", section(tmp_path, version))
    assert found
    words = shlex.split(html.unescape(found[1]))
    assert words == ["curator", "golds", "mine@2", "--errata", "my errata.jsonl"]
    listed = curator(*words[1:], "--store", "store", "--json", cwd=tmp_path)
    keys = {each["key"] for each in json.loads(listed.stdout)["suspects"]}
    assert KEYS["Cid"] in keys and not keys & {KEYS["Bob"], KEYS["Eve"]}


def test_errata_that_cannot_be_read_are_an_error_before_any_program_runs(tmp_path: Path) -> None:
    version = make(tmp_path)
    words = ("golds", version.ref, "--store", "store", "--errata", "absent.jsonl")
    refused = curator(*words, cwd=tmp_path)
    assert refused.returncode == 2
    assert refused.stderr.startswith("Cannot read the errata at absent.jsonl"), refused.stderr


def test_attempts_of_a_model_that_never_arrive_at_the_gold_speak_against_it(tmp_path: Path) -> None:
    make(tmp_path)
    ann, bob, *_ = ROWS
    rows = [{"question": ann, "response": f"The answer is {n}."} for n in (6, 6, 6, 5)]
    rows += [{"question": bob, "response": "The answer is 3."}] * 4
    (tmp_path / "tried.jsonl").write_text("\n".join(map(json.dumps, rows)))
    recipe = RECIPE + "attempts: [{file: tried.jsonl, model: small}]\n"
    (tmp_path / "mine.yaml").write_text(recipe)
    version = build(str(tmp_path / "mine.yaml"), store=tmp_path / "store", options=ONE)
    found = figures(tmp_path, version)
    assert found.stored == {"solution": 3, "model": 1}
    assert found.suspects[0].key == KEYS["Bob"]
    assert "small fails in 4 of 4 attempts" in found.suspects[0].evidence


def test_errata_are_counted_by_result_and_settle_the_golds(tmp_path: Path) -> None:
    version = make(tmp_path, RULINGS)
    found = figures(tmp_path, version)
    assert found.errata == {"sums": {"corrected": 1, "removed": 1, "ambiguous": 1, "right": 1}}
    assert (found.golds, found.ruled) == (3, 2)
    assert not found.stored and not found.suspects
    text = section(tmp_path, version)
    assert "corrected removed ambiguous right sums 1 1 1 1" in text
    assert "curator golds mine@1 --errata errata.jsonl" not in text, "there is nothing to list"


def test_a_version_without_errata_records_no_counts_of_them(tmp_path: Path) -> None:
    version = make(tmp_path)
    assert "errata" not in version.content["subsets"]["sums"]
    assert "ruled" not in version.objects


def test_withdrawn_rulings_leave_the_rows_as_if_nobody_had_ruled(tmp_path: Path) -> None:
    without = make(tmp_path)
    ruled = make(tmp_path, RULINGS)
    taken_back = {name: Erratum(KEYS[name], "withdrawn") for name in RULINGS}
    again = make(tmp_path, taken_back)
    assert ruled.content["rows"] != without.content["rows"] == again.content["rows"]
    assert figures(tmp_path, again) == figures(tmp_path, without)


def test_a_later_ruling_replaces_an_earlier_one_that_it_contradicts(tmp_path: Path) -> None:
    make(tmp_path, RULINGS)
    version = make(tmp_path, {"Bob": Erratum(KEYS["Bob"], "right")})
    assert figures(tmp_path, version).errata["sums"]["right"] == 2


def test_large_versions_are_read_in_a_sample_that_the_report_states(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    version = make(tmp_path)
    monkeypatch.setattr(doubts, "SAMPLE", 2)
    found = figures(tmp_path, version)
    assert (found.unsettled, found.sample, found.texts) == (5, 2, 2)
    assert found.stored == {"solution": 3}, "verdicts are counted over all problems"
    assert "a sample of 2 of 5 problems" in section(tmp_path, version)


def test_a_version_without_golds_says_so_in_one_line(tmp_path: Path) -> None:
    rows = [{"question": question, "solution": text} for question, (text, _) in ROWS.items()]
    (tmp_path / "rows.jsonl").write_text("\n".join(map(json.dumps, rows)))
    (tmp_path / "mine.yaml").write_text(
        RECIPE.replace(", gold: gold", "").replace("    kind", "    checks: [format]\n    kind")
    )
    version = build(str(tmp_path / "mine.yaml"), store=tmp_path / "store", options=ONE)
    assert section(tmp_path, version) == "Golds in doubt This version has no gold answers."


def test_an_audit_has_a_line_on_golds_in_doubt(tmp_path: Path) -> None:
    make(tmp_path)
    file = tmp_path / "rows.jsonl"
    found = audit(AuditRequest(str(file)), tmp_path / "audits", ONE)
    (line,) = [each for each in found.lines if each.check == "golds"]
    assert (line.rows, line.reported) == (5, 3)
    assert line.reasons["its solution states another answer"] == 3
    assert line.note == f"list all: curator golds {file}"
    assert line.examples[0].place.startswith("rows.jsonl:")


def test_rule_says_which_ruling_it_replaces_and_withdraws_only_what_exists(tmp_path: Path) -> None:
    words = ("rule", "errata.jsonl", KEYS["Bob"])
    refused = curator(*words, "withdrawn", cwd=tmp_path)
    assert refused.returncode == 2 and "no ruling on" in refused.stderr
    curator(*words, "wrong", "--answer", "3", cwd=tmp_path)
    done = " ".join(curator(*words, "withdrawn", cwd=tmp_path).stdout.split())
    assert done.endswith("errata.jsonl: withdrawn. It replaces: wrong.")


def test_the_versions_of_an_old_store_have_golds_in_doubt_too(tmp_path: Path) -> None:
    shutil.copytree(DATA / "store-0.1", tmp_path / "store")
    found = find_golds_in_doubt("small@1", (), tmp_path / "store", ONE)
    assert found.problems == found.compared == 7


def test_a_version_that_does_not_exist_is_not_taken_for_a_file(tmp_path: Path) -> None:
    shutil.copytree(DATA / "store-0.1", tmp_path / "store")
    refused = curator("golds", "small@2", "--store", "store", cwd=tmp_path)
    assert refused.returncode != 0
    assert refused.stderr.startswith("No version 'small@2'. small has only version 1.")
    (tmp_path / "small@2").write_text(json.dumps({"question": "How much is 2 + 2?", "gold": "4"}))
    assert curator("golds", "small@2", "--store", "store", cwd=tmp_path).returncode == 0
