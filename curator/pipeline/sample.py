"""Sample solutions of problems from a model, many per problem; every call is cached.

In: a `SampleRequest` and the settings of an OpenAI-compatible endpoint. Out: problems with their
samples, in upstream's order. A run that was killed resumes from the cached calls, and a request for
more samples makes only the missing calls.
"""

from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from hashlib import sha256
from itertools import combinations, islice
from pathlib import Path
from typing import Literal

import pydantic

from curator.answers import extract
from curator.checks import CHECKS, Candidate
from curator.core.errors import TeacherError, UsageError, unknown_name
from curator.core.model import Kind, Problem, QuarantinedRecord, content_id
from curator.core.redaction import redact_secrets
from curator.core.samples import Sample, SampledProblem
from curator.core.words import counted
from curator.pipeline.checker import Checker
from curator.pipeline.requests import execution_error, printed_nothing
from curator.pipeline.run_options import DEFAULTS, RunOptions
from curator.pipeline.teacher_session import TeacherSession, gather_all
from curator.recipe.schema import Limits
from curator.sources import (
    EVALS,
    SOURCES,
    CustomFiles,
    Source,
    SourceFiles,
    check_columns,
    custom_source,
    open_source,
    records,
)
from curator.teacher import Call, Sampling, TeacherSettings
from curator.writers.instruction import build_instruction, choices_line
from curator.writers.parse_reply import read_reply
from curator.writers.prompt_templates import Messages, Prompts
from datastore.store import Store

How = Literal["hybrid", "CoT", "PoT"]
IN_SOURCES = "sources/"
"""Prefix of a source's name, where an evaluation set has the same."""
EXECUTION_CHECKS = tuple(name for name, check in CHECKS.items() if check.proves == "execution")


PLAIN_COLUMNS = {"question": "question", "gold": "gold"}
"""Columns of a file of problems by default."""
PROBLEM_COLUMNS = ("question", "gold", "choices", "field")
"""What a column of a file of problems can contain."""


@dataclass(frozen=True)
class SampleRequest:
    """What to sample."""

    sets: tuple[str, ...]
    """Names of evaluation sets or sources; `sources/gsm8k` is the source where both have a name.
    Or files of problems, which have the columns in `columns`."""
    samples: int = 1
    """Samples per problem."""
    how: How = "hybrid"
    """`hybrid` is a program or, if the program fails by MAmmoTH's rules, a text."""
    few_shot: bool = False
    """Use the prompts of the writers `cot` and `pot`. By default the prompt is the instruction
    alone, as for models trained on a release."""
    limit: int | None = None
    """Maximum number of problems per set."""
    columns: Mapping[str, str] = field(default_factory=lambda: PLAIN_COLUMNS)
    """Columns of files of problems, by what they contain: question, gold, choices, field."""


def sampling_parameters(
    samples: int, temperature: float | None, top_p: float, max_tokens: int
) -> dict[str, object]:
    """Return the parameters of a call; the default temperature is 0 for one sample, else 1."""
    if temperature is None:
        temperature = 0.0 if samples == 1 else 1.0
    nucleus = {"top_p": top_p} if temperature else {}
    return {"temperature": temperature, "max_tokens": max_tokens, **nucleus}


def endpoint_settings(**settings: object) -> TeacherSettings:
    """Return the settings of a model's endpoint; raises UsageError for the first invalid one."""
    try:
        return TeacherSettings.model_validate(settings)
    except pydantic.ValidationError as error:
        first = error.errors()[0]
        value = redact_secrets(str(first["input"]))[:80]
        raise UsageError(f"{first['loc'][0]}: '{value}' is not valid. {first['msg']}") from None


def sample(
    request: SampleRequest,
    settings: TeacherSettings,
    store: Store,
    options: RunOptions = DEFAULTS,
) -> Iterator[SampledProblem]:
    """Yield problems with their samples, set by set.

    A call that failed, or a program that cannot be read, is a sample with an empty text: it counts
    as wrong, not as missing. Raises UsageError for an unknown or empty set, SourceError for one
    that cannot be read, BudgetReached, and TeacherError, also after the last problem if every call
    failed; all replies are cached by then.
    """
    sources = find_sets(request)
    # Open all sets before the first call.
    opened = [open_source(source, options.mirror_folder) for source in sources]
    for source, files in zip(sources, opened, strict=True):
        check_columns(source, files)
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
        session = stack.enter_context(
            TeacherSession("sample", Path(), settings, store, checker, options)
        )
        sampler = _Sampler(session, request)
        for source, files in zip(sources, opened, strict=True):
            left_out = Counter[str]()
            problems = islice(_distinct_problems(source, files, left_out), request.limit)
            total = request.limit or source.rows or None
            empty = True
            for problem in session.each(problems, sampler.sample, f"sampling {source.name}", total):
                empty = False
                yield problem
            for reason, count in left_out.most_common():
                options.listener.note(
                    f"{source.name}: {counted(count, 'record')} left out, because of: {reason}"
                )
            if empty:
                raise UsageError(f"{source.name} has no problem that can be sampled.")
        sampler.check_replies()


def find_sets(request: SampleRequest) -> list[Source]:
    """Return the sets of a request, each once.

    Raises UsageError for an unknown set, and if a file has the name of another set, since their
    scores would be one.
    """
    found = {name: _find_set(name, request.columns) for name in dict.fromkeys(request.sets)}
    for (one, first), (other, second) in combinations(found.items(), 2):
        if first.name == second.name and (first.local or second.local):
            raise UsageError(
                f"Two sets are named '{first.name}': {one} and {other}. Rename a file, or sample "
                "the sets one after the other."
            )
    return [*found.values()]


def digest_sets(request: SampleRequest, mirror: Path | None) -> str:
    """Return a digest of what the sets of a request contain; downloads nothing."""
    parts = []
    for source in find_sets(request):
        files = open_source(source, mirror).digest if source.local or mirror else source.revision
        parts.append(f"{source.name} {source.settings} {files}")
    return sha256("\n".join(parts).encode()).hexdigest()


def _find_set(name: str, columns: Mapping[str, str]) -> Source:
    if (path := Path(name)).is_file():
        if "gold" not in columns:
            raise UsageError(f"{name}: columns need a gold. Name the column that contains it.")
        return custom_source(path.stem, CustomFiles(file=str(path.absolute())), columns, "unknown")
    # If both have a name, the evaluation set is meant.
    sets = SOURCES if name.startswith(IN_SOURCES) else SOURCES | EVALS
    plain = name.removeprefix(IN_SOURCES)
    if plain not in sets:
        raise UsageError(unknown_name("set", plain, sets))
    return sets[plain]


def _distinct_problems(
    source: Source, files: SourceFiles, left_out: Counter[str]
) -> Iterator[Problem]:
    """Yield the problems; count the records that are left out by the reason.

    Problems without a gold answer are left out of evaluation sets, since no score can use them.
    """
    seen: set[bytes] = set()
    for record in records(source, files):
        if isinstance(record, QuarantinedRecord):
            if source.local:  # the user's own problems
                raise UsageError(f"{record.place} cannot be read: {record.reason}.")
            left_out[record.reason] += 1
        elif not record.gold and source.local:
            raise UsageError(f"{record.place} has no gold answer. Add one, or leave it out.")
        elif not record.gold and source in EVALS.values():
            left_out["no gold answer that can be compared"] += 1
        elif record.id in seen:
            left_out["same problem as an earlier record"] += 1
        else:
            seen.add(record.id)
            yield record


class _Sampler:
    """Samples solutions of problems."""

    def __init__(self, session: TeacherSession, request: SampleRequest) -> None:
        self._session, self._request = session, request
        self._prompts: Prompts | None = session.prompts(Sampling()) if request.few_shot else None
        self._answered = self._failed = 0
        self._reason = ""

    async def sample(self, problem: Problem) -> SampledProblem:
        samples = await gather_all(
            self._sample_once(problem, number) for number in range(self._request.samples)
        )
        return SampledProblem(
            set=problem.source,
            id=problem.id.hex(),
            question=problem.question,
            gold=problem.gold,
            choices=problem.choices,
            field=problem.field,
            level=problem.level,
            samples=tuple(samples),
        )

    async def _sample_once(self, problem: Problem, number: int) -> Sample:
        if self._request.how == "CoT":
            return _to_sample("CoT", await self._get_call(problem, "CoT", number))
        call = await self._get_call(problem, "PoT", number)
        program, _ = read_reply(call.text, "PoT", problem.choices)
        if self._request.how == "PoT":
            return _to_sample("PoT", call, program)
        if "print(" in call.text:
            if await self._accepts_program(problem, program):
                return _to_sample("PoT", call, program)
        elif problem.choices or _states_answer(call.text):
            # The reply to the PoT prompt is a worked solution.
            return _to_sample("CoT", call)
        return _to_sample("CoT", await self._get_call(problem, "CoT", number))

    async def _accepts_program(self, problem: Problem, program: str) -> bool:
        """Return whether hybrid decoding takes the program (MAmmoTH's rules).

        For an open question it must print something. With choices, only a program that runs and
        prints nothing is refused.
        """
        if not program:
            return bool(problem.choices)
        candidate = Candidate(content_id("program", program), "PoT", "", program, "", ())
        verdicts = await self._session.check_candidate(candidate, EXECUTION_CHECKS)
        if problem.choices:
            return not printed_nothing(verdicts)
        return not execution_error(verdicts)

    async def _get_call(self, problem: Problem, kind: Kind, number: int) -> Call:
        call = await self._session.get_call(self._messages(problem, kind), number)
        self._failed += call.status == "failed"
        self._answered += call.status == "answered"
        self._reason = call.reason or self._reason
        return call

    def check_replies(self) -> None:
        """Raise TeacherError with the endpoint's words if every call failed."""
        if self._failed and not self._answered:
            words = self._session.last_failure or self._reason
            raise TeacherError(
                f"{counted(self._failed, 'call')} failed and none was answered. The endpoint's "
                f"last error: {words}"
            )

    def _messages(self, problem: Problem, kind: Kind) -> Messages:
        if not self._prompts:
            return (("user", build_instruction(problem, kind)),)
        choices = choices_line(problem.choices) if problem.choices else ""
        return self._prompts.messages(kind.lower(), question=problem.question, options=choices)


def _to_sample(kind: Kind, call: Call, program: str = "") -> Sample:
    text = program if kind == "PoT" else call.text
    return Sample(kind, text, finish="failed" if call.status == "failed" else call.finish)


def _states_answer(text: str) -> bool:
    """Return whether MAmmoTH's rule reads an answer from a text: a stated one, or any number."""
    return extract(text) is not None or any(map(str.isdigit, text))
