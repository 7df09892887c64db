"""Certified rewards: which golds a reward function misjudges, without trusting the function."""

import json
from importlib.util import find_spec
from pathlib import Path

import pytest

from curator.answers.variants import Variant
from curator.core.errors import UsageError
from curator.rewards import certification
from curator.rewards.certification import (
    AS_WRITTEN,
    FORMS,
    Certificate,
    Graded,
    certificate_of,
    choose_forms,
    why_misjudged,
)
from curator.rewards.functions import FUNCTIONS

GOLDS = [("12", ()), (r"\frac{3}{4}", ()), ("2x - 1", ()), ("B", ("15 km", "16 km", "18 km"))]
HOSTILE = r"\lim_{x \to 3} 9^{9^{9^9}}"


def installed(name: str) -> bool:
    return all(find_spec(module) for module, _ in FUNCTIONS[name].packages)


@pytest.mark.parametrize("gold", GOLDS, ids=[gold for gold, _ in GOLDS])
def test_a_gold_is_asked_about_in_a_dozen_forms_of_as_many_kinds_as_possible(
    gold: tuple[str, tuple[str, ...]],
) -> None:
    forms = choose_forms(*gold)
    true_forms = [form for form in forms if form.expected == "equal"]
    misses = [form for form in forms if form.expected == "different"]
    assert forms[0] == Variant(AS_WRITTEN, gold[0], "equal")
    assert len(true_forms) == FORMS + 1 and 8 <= len(misses) <= FORMS
    assert len({form.text for form in forms}) == len(forms)
    assert len({form.kind for form in misses}) >= 4


def graded(*outcomes: tuple[str, str, str]) -> list[Graded]:
    return [
        Graded(Variant(kind, "", expected), found)  # type: ignore[arg-type]
        for kind, expected, found in outcomes
    ]


def test_a_gold_is_misjudged_for_the_worst_of_three_reasons() -> None:
    gold = (AS_WRITTEN, "equal", "equal")
    right, wrong = ("zeros", "equal", "equal"), ("zeros", "equal", "different")
    miss, accepted = ("sign", "different", "different"), ("sign", "different", "equal")
    unread = (AS_WRITTEN, "equal", "undecided")
    assert why_misjudged(graded(gold, right, wrong, miss)) == ""
    assert why_misjudged(graded(gold, wrong, wrong, miss)) == "does not accept most true forms"
    assert why_misjudged(graded(gold, right, accepted)) == "accepts a near miss"
    assert why_misjudged(graded(unread, right, accepted)) == "does not accept the gold"
    assert why_misjudged(graded(gold, ("sign", "different", "undecided"))) == ""


def test_our_reward_misjudges_none_of_these_golds_and_its_rates_say_so() -> None:
    certificate = Certificate(["curator"])
    certificate.add([*GOLDS, GOLDS[0]])
    assert not certificate.misjudged
    rates = certificate.plain()["curator"]
    assert set(rates) == {"number", "expression", "option"}
    assert sum(each["golds"] for each in rates.values()) == len(GOLDS)
    assert all(each["rejected"] == each["accepted"] == 0 for each in rates.values())
    assert rates["expression"]["true_forms"] == FORMS + 1


def test_a_function_that_reads_letters_badly_is_found_out(tmp_path: Path) -> None:
    certificate = Certificate(["math-verify"])
    certificate.add([("12", ()), ("5x", ())])
    assert certificate.reject("00", ("12", ())) == ""
    assert certificate.reject("01", ("5x", ())) == "math-verify accepts a near miss"
    certificate.write(tmp_path / "out.jsonl")
    (line,) = map(json.loads, (tmp_path / "out.jsonl").read_text().splitlines())
    assert (line["id"], line["gold"], line["grader"]) == ("01", "5x", "math-verify")
    found = {form["kind"]: form for form in line["forms"]}
    assert found["prime"]["text"] == "5x'" and found["prime"]["found"] == "equal"


@pytest.mark.skipif(not installed("trl"), reason="the extra train is not installed")
def test_trl_gives_no_reward_for_a_gold_that_it_cannot_read() -> None:
    certificate = Certificate(["curator", "trl"])
    certificate.add([(r"\text{even}", ()), ("7", ())])
    assert certificate.reject("00", (r"\text{even}", ())) == "trl does not accept the gold"
    assert certificate.reject("01", ("7", ())) == ""
    assert certificate.plain()["trl"]["text"]["true_forms_without_reward"] > 0


@pytest.mark.skipif(not installed("verl"), reason="verl is not installed")
def test_verl_is_asked_without_the_rest_of_its_package() -> None:
    certificate = Certificate(["verl"])
    certificate.add([("12", ()), ("2x - 1", ())])
    # it removes blanks, so that `1 2` is 12 for it
    assert certificate.reject("00", ("12", ())) == "verl accepts a near miss"
    assert certificate.plain()["verl"]["number"]["true_forms"] == FORMS + 1


def test_a_text_that_hangs_costs_its_time_limit_and_the_others_are_judged(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    texts = {"7": "7", "12": HOSTILE, "8": "8"}

    def forms(gold: str, choices: tuple[str, ...]) -> list[Variant]:
        return [Variant(AS_WRITTEN, texts[gold], "equal")]

    monkeypatch.setattr(certification, "WALL_S", 3.0)  # the limits of math-verify are longer
    monkeypatch.setattr(certification, "choose_forms", forms)
    certificate = Certificate(["math-verify"])
    certificate.add((gold, ()) for gold in texts)
    assert [gold for gold, _ in certificate.misjudged] == ["12"]
    assert certificate.misjudged["12", ()].forms[0].outcome == "undecided"


def test_a_function_that_is_not_there_is_an_error_that_says_what_to_install() -> None:
    with pytest.raises(UsageError, match=r"No grader named 'tlr'\. Did you mean 'trl'"):
        certificate_of("tlr")
    assert certificate_of("") is None
    for names in (",", " ", "curator,,trl"):
        with pytest.raises(UsageError, match=r"^--certify: expected names of graders separated by"):
            certificate_of(names)
    if not installed("verl"):
        with pytest.raises(UsageError, match=r"not installed: verl\. Run 'pip install verl'"):
            certificate_of("curator, verl")
