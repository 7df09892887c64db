"""Read files of models' answers, by question.

In: files with columns of questions and responses in any form that an audit reads. Out: the first
answer of each file to each question. A response that states its answer is read as text; a program
is executed.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from curator.answers import extract, render_answer
from curator.checks import Candidate
from curator.core.model import Problem
from curator.pipeline.checker import Checker
from curator.pipeline.overlap import read_dataset
from curator.sources.chat_columns import kind_of

_FAMILY = re.compile(r"(?:.*/)?([A-Za-z]+)")
_OUTPUT = re.compile(r"```output|\\boxed|####|answer is", re.I)


@dataclass(frozen=True, slots=True)
class ModelAnswers:
    """The answers of one model."""

    name: str
    family: str
    """Models of a family make the same mistakes: together they have one voice."""
    executed: bool
    """Whether most answers are outputs of programs that were run here."""
    answers: Mapping[str, str]
    """The answer by `question_key`."""


def without_frame(question: str) -> str:
    """Return a question without the frame of an Alpaca prompt."""
    _, begun, rest = question.rpartition("### Instruction:")
    return rest.partition("### Response:")[0].strip() if begun else question


def question_key(question: str) -> str:
    """Return the words of a question as one lower-case text, without the frame of a prompt."""
    return re.sub(r"\W+", "", without_frame(question).lower())


def read_model_answers(argument: str, checker: Checker) -> ModelAnswers:
    """Return the answers of `FILE` or `FAMILY=FILE`; the default family is the file's first word.

    Raises UsageError if the file has no questions or responses.
    """
    family, given, name = argument.partition("=")
    if not given or "/" in family:
        family, name = "", argument
    found = _FAMILY.fullmatch(family) or _FAMILY.match(name.rpartition("/")[2])
    family = family or (found[1].lower() if found else name)
    responses = dict(_read_responses(name))
    programs = {
        key: each
        for key, each in responses.items()
        if kind_of(each) == "PoT" and not _OUTPUT.search(each)
    }
    answers = {
        key: render_answer(answer)
        for key, each in responses.items()
        if key not in programs and (answer := extract(each))
    }
    candidates = [Candidate(b"", "PoT", "", each, "", ()) for each in programs.values()]
    printed = checker.extract_answers(candidates)
    answers |= {
        key: render_answer(answer) for key, answer in zip(programs, printed, strict=True) if answer
    }
    short = name.rpartition("/")[2]
    return ModelAnswers(short, family, 2 * len(programs) > len(responses), answers)


def _read_responses(name: str) -> Iterator[tuple[str, str]]:
    """Yield key and response of each record, the last record first."""
    read = read_dataset(name, responses=True, required=("question", "response"))
    records = [each for each in read if isinstance(each, Problem)]
    for record in reversed(records):  # so that the first answer to a question counts
        yield question_key(record.question), record.solution or record.program
