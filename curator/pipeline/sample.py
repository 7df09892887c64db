"""Samples of a model on evaluation sets or sources: many solutions a problem, each asked once.

In: problems, an OpenAI-compatible endpoint, how many solutions. Out: problems with their samples,
in upstream's order. Calls are kept in the store's ledger like a teacher's, so that a run that is
killed goes on, and more samples later ask only for what is missing.
"""

from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Literal

import pydantic

from curator.answers import extract
from curator.checks import Candidate
from curator.core.errors import UsageError, unknown
from curator.core.model import Kind, Problem, content_id
from curator.core.samples import Sample, Sampled
from curator.pipeline.checker import Checker
from curator.pipeline.run_options import DEFAULTS, RunOptions
from curator.pipeline.stages.generate import execution_error, printed_nothing
from curator.pipeline.teacher_session import TeacherSession
from curator.recipe.schema import Limits
from curator.sources import EVALS, SOURCES, Source, SourceFiles, open_source, records
from curator.teacher import Call, Sampling, TeacherSettings
from curator.writers.instruction import instruction, options_line
from curator.writers.parse_reply import read_reply
from curator.writers.prompt_templates import Messages, Prompts
from datastore.store import Store

How = Literal["hybrid", "CoT", "PoT"]


@dataclass(frozen=True)
class SampleRequest:
    """What is sampled."""

    sets: tuple[str, ...]
    """Names of evaluation sets or sources."""
    samples: int = 1
    """Solutions a problem."""
    how: How = "hybrid"
    """`hybrid`: a program first, and a worked solution where it fails by MAmmoTH's rules."""
    few_shot: bool = False
    """Ask by the prompts of writers `cot` and `pot`; else by the instruction alone, as models are
    asked that were trained on a release."""
    limit: int | None = None
    """Problems a set at most."""


def decoding(
    samples: int, temperature: float | None, top_p: float, max_tokens: int
) -> dict[str, object]:
    """Parameters of a call; without a temperature 0 for one solution, 1 for several."""
    heat = (0.0 if samples == 1 else 1.0) if temperature is None else temperature
    nucleus = {"top_p": top_p} if heat else {}
    return {"temperature": heat, "max_tokens": max_tokens, **nucleus}


def endpoint(**settings: object) -> TeacherSettings:
    """The settings of a model that is sampled. Raises UsageError for the first that cannot be."""
    try:
        return TeacherSettings.model_validate(settings)
    except pydantic.ValidationError as error:
        fault = error.errors()[0]
        raise UsageError(
            f"{fault['loc'][0]}: {fault['msg']}, saw '{str(fault['input'])[:80]}'"
        ) from None


def sample(
    asked: SampleRequest,
    settings: TeacherSettings,
    store: Store,
    options: RunOptions = DEFAULTS,
) -> Iterator[Sampled]:
    """Problems with their samples, one set after the other.

    A call that failed, or a program that cannot be read, is a sample with an empty text: it counts
    as wrong, never as missing. Raises UsageError for a set that is not known, SourceError where one
    cannot be read, BudgetReached and TeacherError; what was answered is kept.
    """
    sources = known_sets(asked)
    # All of them, before anything is asked.
    opened = [open_source(source, options.mirror_folder) for source in sources]
    with ExitStack() as stack:
        checker = stack.enter_context(
            Checker(
                stack.enter_context(store.ledger("executions")),
                stack.enter_context(store.ledger("gradings")),
                Limits(),
                workers=options.worker_count,
                unsafe_local=options.unsafe_local,
            )
        )
        teacher_session = stack.enter_context(
            TeacherSession("sample", Path(), settings, store, checker, options)
        )
        asker = _Asker(teacher_session, asked)
        for source, files in zip(sources, opened, strict=True):
            problems = islice(_problems(source, files), asked.limit)
            total = asked.limit or source.rows or None
            yield from teacher_session.each(
                problems, asker.sampled, f"sampling {source.name}", total
            )


def known_sets(asked: SampleRequest) -> list[Source]:
    """The sets that are asked for, each once; raises UsageError for one that is not known."""
    known = SOURCES | EVALS  # of one name the evaluation set: that is what is sampled
    for name in asked.sets:
        if name not in known:
            raise UsageError(unknown("set", name, known))
    return [known[name] for name in dict.fromkeys(asked.sets)]


def _problems(source: Source, opened: SourceFiles) -> Iterator[Problem]:
    """Each problem of a source once."""
    seen: set[bytes] = set()
    for record in records(source, opened):
        if isinstance(record, Problem) and record.id not in seen:
            seen.add(record.id)
            yield record


class _Asker:
    """Samples the solutions of one problem after the other."""

    def __init__(self, teacher_session: TeacherSession, asked: SampleRequest) -> None:
        self._teaching, self._asked = teacher_session, asked
        self._prompts: Prompts | None = (
            teacher_session.prompts(Sampling()) if asked.few_shot else None
        )

    async def sampled(self, problem: Problem) -> Sampled:
        samples = [await self._one(problem, number) for number in range(self._asked.samples)]
        return Sampled(
            set=problem.source,
            id=problem.id.hex(),
            question=problem.question,
            gold=problem.gold,
            choices=problem.choices,
            field=problem.field,
            level=problem.level,
            samples=tuple(samples),
        )

    async def _one(self, problem: Problem, number: int) -> Sample:
        if self._asked.how == "CoT":
            return Sample("CoT", (await self._ask(problem, "CoT", number)).text)
        call = await self._ask(problem, "PoT", number)
        program, _ = read_reply(call.text, "PoT", problem.choices)
        if self._asked.how == "PoT":
            return Sample("PoT", program)
        if "print(" in call.text:
            if await self._stands(problem, program):
                return Sample("PoT", program)
        elif problem.choices or _arrives(call.text):
            # Read as a worked solution, since that is what it is.
            return Sample("CoT", call.text)
        return Sample("CoT", (await self._ask(problem, "CoT", number)).text)

    async def _stands(self, problem: Problem, program: str) -> bool:
        """Whether hybrid decoding stays with a program: open questions as long as it prints
        anything, questions with options unless it runs and prints nothing (MAmmoTH)."""
        if not program:
            return bool(problem.choices)
        candidate = Candidate(content_id("program", program), "PoT", "", program, "", ())
        verdicts = await self._teaching.check_candidate(candidate, ("executed",))
        if problem.choices:
            return not printed_nothing(verdicts)
        return not execution_error(verdicts)

    async def _ask(self, problem: Problem, kind: Kind, number: int) -> Call:
        return await self._teaching.ask(self._messages(problem, kind), number)

    def _messages(self, problem: Problem, kind: Kind) -> Messages:
        if not self._prompts:
            return (("user", instruction(problem, kind)),)
        options = options_line(problem.choices) if problem.choices else ""
        return self._prompts.messages(kind.lower(), question=problem.question, options=options)


def _arrives(text: str) -> bool:
    """Whether MAmmoTH's rule reads an answer in words: one that is stated, else any number."""
    return extract(text) is not None or any(map(str.isdigit, text))
