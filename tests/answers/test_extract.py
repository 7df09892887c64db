"""Extraction against the shared files of hard texts, and on texts made to take long."""

import json
import time
from pathlib import Path
from typing import Any

import pytest

from curator.answers import equivalent, extract
from curator.answers.extract.languages import LANGUAGES, Language, find_phrases
from curator.answers.extract.regions import lower
from curator.answers.extract.text import MAX_TEXT
from tests.paths import ROOT


@pytest.fixture
def faults() -> Path:
    """Hard inputs with their right values; tests that need them are skipped without them."""
    folder = ROOT.parent / "shared" / "faults"
    if not folder.is_dir():
        pytest.skip(f"no hard inputs at {folder}")
    return folder


def rows(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text("utf-8").splitlines()]


def outcome(gold: str, text: str, choices: tuple[str, ...] = ()) -> str:
    answer = extract(text, choices)
    return "no answer" if answer is None else equivalent(gold, answer, choices).outcome


def test_nearly_all_shared_texts_are_read_as_labelled(faults: Path) -> None:
    cases = json.loads((faults / "answers/texts.json").read_text("utf-8"))
    wrong = [
        case
        for case in cases
        if outcome(case["right"] or "", case["text"], tuple(case["choices"]))
        != ("no answer" if case["right"] is None else "equal")
    ]
    assert len(cases) >= 117
    assert len(wrong) <= len(cases) // 50, wrong


def test_every_small_shared_text_is_read_as_labelled() -> None:
    path = ROOT.parent / "shared" / "faults" / "small-texts.json"
    if not path.is_file():
        pytest.skip(f"no texts at {path}")
    for case in json.loads(path.read_text("utf-8")):
        assert outcome(case["gold"], case["text"]) == case["want"], case


def test_a_letter_with_a_value_in_a_box_has_both(faults: Path) -> None:
    cases = rows(faults / "02-amc-box.jsonl")
    outcomes = [outcome(case["answer"], case["solution"]) for case in cases]
    assert [*outcomes[:6], outcomes[7]] == [*["equal"] * 5, "different", "equal"]
    letter = extract(cases[6]["solution"])
    assert letter is not None and (letter.kind, letter.text) == ("option", "E")


@pytest.mark.parametrize(
    "name",
    ["04-inline-hash", "05-remark-after-answer", "06-options-discussed", "10-long-reasoning"],
)
def test_the_gold_answer_is_found_in_every_text_of_a_kind(faults: Path, name: str) -> None:
    for case in rows(faults / f"{name}.jsonl"):
        choices = tuple(case.get("options", ()))
        assert outcome(case["answer"], case["response"], choices) == "equal", case


def test_a_sample_is_read_up_to_the_next_question_and_not_inside_a_thought(faults: Path) -> None:
    texts = [
        rows(faults / f"17-samples/{name}.jsonl")[0]["samples"][0]["text"]
        for name in ("continues", "unfinished-thought")
    ]
    assert outcome("5", texts[0]) == "equal"
    assert extract(texts[1]) is None


def test_a_thought_longer_than_what_is_read_hides_its_boxes() -> None:
    thought = r"<think>Maybe \boxed{3}. " + "More words. " * MAX_TEXT
    assert extract(thought) is None
    answer = extract(thought + r"</think>So \boxed{4}.")
    assert answer is not None and answer.text == "4"


def test_an_answer_counts_however_much_a_model_writes_after_it() -> None:
    text = "The answer is 5.\n\nQuestion: What is 3 + 6?\n" + "The answer is 9. " * MAX_TEXT
    answer = extract(text)
    assert answer is not None and answer.text == "5"


STEMS = {
    "cevab": "cevabı",
    "odpowied": "odpowiedź",
    "odpov": "odpověď",
    "відповід": "відповідь",
    "đáp": "đáp án",
}
"""A noun for each word of the table that is only the beginning of one."""


@pytest.mark.parametrize("language", LANGUAGES, ids=lambda language: language.name)
def test_the_words_of_every_language_lead_to_its_nouns(language: Language) -> None:
    texts = [f"{STEMS.get(word, word)}: 15" for word in language.words]
    assert any(list(find_phrases(text, lower(text), language)) for text in texts)
    assert outcome("15", next(text for text in texts if extract(text))) == "equal"


def test_places_stay_the_same_where_lower_case_is_longer() -> None:
    text = "İ İ İ. The answer is 12."
    answer = extract(text)
    assert answer is not None and answer.span is not None
    assert text[slice(*answer.span)] == "12"
    assert len(lower(text)) == len(text)


PIECES = {
    "hashes": "#",
    "headings": "#### a\n",
    "phrases": "answer is ",
    "nouns": "answer ",
    "conditions": "the answer is if ",
    "negations": "the answer is not but ",
    "options": "option A and ",
    "letters": "A, ",
    "empty boxes": r"\boxed{} ",
    "joined boxes": r"\boxed{1} and ",
    "open boxes": r"\boxed a{",
    "backslashes": "\\",
    "thoughts": "<think>",
    "tags": "<answer>",
    "closed tags": "<answer></answer>",
    "questions": "Question: \n",
    "numbered questions": "Question 1: \n",
    "numbered parts": "Part 1 answer: x\n",
    "blank lines": "answer:\n",
    "dollars": "the answer is $ a. ",
    "verbs": "he has a ",
    "clauses": "x, as ",
    "outputs": "```output\n",
    "Chinese nouns": "答案是的",
    "Chinese choices": "故选",
    "Japanese nouns": "答えはだ",
    "many languages": "答 Antwort svar jibu cevap ответ الجواب उत्तर ",
    "results": "the result is a ",
    "quotation marks": 'answer: "',
    "formulas": r"answer \[ ",
    "brackets": "a)",
    "equations": "1=",
    "blanks": "answer" + " " * 50,
    "labels": "A: \n",
    "parts": "(a) \\boxed{1}\n",
    "part labels": "a) ",
    "answers of parts": "answer to part a is 1 ",
    "values": "45 is ",
    "formulas before the word": "$ is the ",
    "suppositions": "you might think the answer is 8, ",
    "denied answers": "the answer is not 8. It ",
    "conditional answers": "if we had, the answer would be 8 ",
    "decimal commas": "Antwort: 1.250,50 ",
    "denied Japanese answers": "答えは5ではなく",
    "thousands": "answer is 1 " + "250 " * 20,
    "signs": "-\\boxed{",
}


@pytest.mark.parametrize("name", PIECES)
def test_the_time_for_a_text_grows_no_faster_than_the_text(name: str) -> None:
    def seconds(size: int) -> float:
        text = (PIECES[name] * size)[:size]
        best = float("inf")
        for _ in range(3):
            start = time.process_time()
            extract(text)
            extract(text, ("1", "2", "3"))
            best = min(best, time.process_time() - start)
        return best

    def grows_too_fast() -> bool:
        # 8 times the text; a quadratic search takes 64 times as long
        short, long = seconds(MAX_TEXT // 8), seconds(MAX_TEXT)
        return long >= 24 * short + 0.05

    # Other work of the machine makes some measurements wrong, a quadratic search makes all fail.
    assert not all(grows_too_fast() for _ in range(5))


@pytest.mark.parametrize("quantity", ["-10°F", "-14 °C", "240 V", "35 N", "9 J", "60 W", "12 A"])
def test_an_extracted_quantity_equals_the_same_quantity_and_its_number(quantity: str) -> None:
    assert outcome(quantity, f"The answer is {quantity}.") == "equal"
    assert outcome(quantity.rstrip(" °FCVNJWA"), f"The answer is {quantity}.") == "equal"
