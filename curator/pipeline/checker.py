"""Run the checks over rationales, with programs and comparisons cached in the store.

In: candidates. Out: one verdict per candidate and check, in the same order. Executions and gradings
are kept in two ledgers under the hash of their content: every build runs a program and grades a
pair only if no build has done so before. Two workers may run the same program at the same time.
"""

import json
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack
from functools import partial
from types import TracebackType
from typing import Any, Self

from curator import answers, sandbox
from curator.answers import Equivalence, Grader
from curator.checks import CHECKS, Candidate, collect_evidence, compare_pairs
from curator.checks.check import Pair
from curator.checks.grade_samples import GradedProblem, grade
from curator.core.model import Answer, Verdict, content_id
from curator.core.samples import SampledProblem
from curator.recipe.schema import Limits
from curator.sandbox import Execution, Sandbox
from curator.sandbox.session import SESSION_OUTPUT, build_session, is_session, read_session
from datastore.compute_missing import chunks, compute_missing
from datastore.ledger import Ledger
from datastore.text import make_storable

CHUNK = 1_000
"""Candidates checked at once."""
LONGEST_VALUE = 2_000
"""Maximum number of characters kept of a printed value, and of the end of all output."""


def _longest_output(program: str) -> int:
    """Return how many characters of the output of a program are kept."""
    return SESSION_OUTPUT if is_session(program) else LONGEST_VALUE


class Checker:
    """The sandbox and the graders of one build. Both start when they are first needed."""

    def __init__(
        self,
        executions: Ledger,
        gradings: Ledger,
        limits: Limits,
        *,
        workers: int,
        unsafe_local: bool = False,
        sandbox_version: int = sandbox.VERSION,
    ) -> None:
        self.sandbox_version = sandbox_version
        """Version of the sandbox whose executions are looked up."""
        self._executions, self._gradings = executions, gradings
        self._workers = workers
        self._digits = limits.digits
        self._limits = json.dumps([limits.wall_s, limits.cpu_s, limits.memory_mb])
        self._make_sandbox = partial(
            Sandbox,
            workers=workers,
            wall_s=limits.wall_s,
            cpu_s=limits.cpu_s,
            memory_mb=limits.memory_mb,
            unsafe_local=unsafe_local,
        )
        self._open = ExitStack()
        self._sandbox: Sandbox | None = None
        self._grader: Grader | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._open.close()

    def prepare(self) -> None:
        """Start the sandbox, and its large packages in the background.

        For programs that are not known yet and that will probably import these packages. Raises
        SandboxError if this system cannot sandbox programs.
        """
        if self._sandbox is None:
            self._start_sandbox().prepare()

    def check(self, candidates: Iterable[Candidate], names: Sequence[str]) -> Iterator[Verdict]:
        """Yield the verdicts of the named checks, candidate by candidate."""
        checks = [CHECKS[name] for name in names]
        needs = {each for check in checks for each in check.needs}
        for chunk in chunks(candidates, CHUNK):
            for candidate in collect_evidence(chunk, needs, self._run, self.compare):
                for check in checks:
                    if verdict := check.run(candidate, check.version):
                        yield verdict

    def extract_answers(self, candidates: Sequence[Candidate]) -> list[Answer | None]:
        """Return the final answer of each rationale; programs are run."""
        found = collect_evidence(candidates, ["answer"], self._run, self.compare)
        return [candidate.answer for candidate in found]

    def run_session(self, programs: Sequence[str]) -> str:
        """Return what the last program prints when all of them run in one session.

        An error, or the reason why the session ended, is the last line.
        """
        (execution,) = self._run([build_session(programs)])
        return _last_output(programs, execution)

    def find_session(self, programs: Sequence[str]) -> str | None:
        """Return what `run_session` would return if it is cached; run nothing."""
        (key,) = self._execution_keys([build_session(programs)])
        record = self._executions.get_many([key]).get(key)
        return _last_output(programs, Execution(**record)) if record else None

    def grade_samples(self, problems: Iterable[SampledProblem]) -> Iterator[GradedProblem]:
        """Yield problems with graded samples, in order; programs are run."""
        return grade(problems, self._run, self._grade)

    def compare(self, pairs: Sequence[Pair]) -> list[Equivalence]:
        """Return how each pair of answers compares."""
        return compare_pairs(pairs, self._grade, self._digits)

    def _start_sandbox(self) -> Sandbox:
        self._sandbox = self._open.enter_context(self._make_sandbox())
        return self._sandbox

    def _run(self, programs: Sequence[str]) -> list[Execution]:
        """Run the programs whose executions are not cached."""

        def run(missing: Sequence[str]) -> Iterator[dict[str, Any]]:
            executions = (self._sandbox or self._start_sandbox()).map(missing)
            for program, execution in zip(missing, executions, strict=True):
                yield {
                    "status": execution.status,
                    "value": execution.value[:LONGEST_VALUE],
                    "stdout": execution.stdout[-_longest_output(program) :],
                    "error": execution.error,
                    "seconds": round(execution.seconds, 6),
                    "completed": execution.completed,
                }

        keys = self._execution_keys(programs)
        # `run` has opened the sandbox before its first record is kept.
        records = compute_missing(
            self._executions,
            keys,
            programs,
            run,
            lambda record: (
                self._sandbox is not None and self._sandbox.is_reusable(record["status"])
            ),
        )
        return [Execution(**record) for record in records]

    def _execution_keys(self, programs: Sequence[str]) -> list[bytes]:
        return [
            content_id("execution", str(self.sandbox_version), self._limits, program)
            for program in programs
        ]

    def _grade(self, pairs: Sequence[Pair]) -> list[Equivalence]:
        """Grade the pairs whose gradings are not cached."""

        def grade(missing: Sequence[Pair]) -> Iterator[dict[str, Any]]:
            if self._grader is None:
                grader = Grader(workers=self._workers, digits=self._digits)
                self._grader = self._open.enter_context(grader)
            for equivalence in self._grader.map(missing):
                yield {"outcome": equivalence.outcome, "rule": equivalence.rule}

        keys = [
            content_id("grading", str(answers.VERSION), str(self._digits), gold, answer, *choices)
            for gold, answer, choices in pairs
        ]
        records = compute_missing(self._gradings, keys, pairs, grade)
        return [Equivalence(**record) for record in records]


def _last_output(programs: Sequence[str], execution: Execution) -> str:
    session = read_session(programs, execution)
    if len(session.blocks) < len(programs):
        return session.error or "the program ended the session"
    last = session.blocks[-1]
    return make_storable("\n".join(filter(None, (last.text.strip("\n"), last.error))))
