"""Proof of rationales: run programs, read answers, grade them, and let the checks judge.

In: rationales with their gold answers, in any number. Out: one verdict a check and rationale, in
the same order. What costs time is kept in two ledgers under the hash of its content, so that a
program is run once and a pair graded once, whichever build comes first and however often it dies.
"""

import json
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from types import TracebackType
from typing import Any, Self

from curator import answers, sandbox
from curator.answers import (
    Equivalence,
    Grader,
    compare_columns,
    extract,
    extract_output,
    render_answer,
)
from curator.checks import CHECKS, Candidate
from curator.core.model import Answer, Kind, Verdict, content_id
from curator.sandbox import Execution, Sandbox
from datastore.ledger import Ledger
from datastore.remember import chunks, remember

CHUNK = 1_000
"""Rationales judged at once."""
LONGEST_VALUE = 2_000
"""Characters that are kept of a printed value and, from its end, of all that was printed."""

Pair = tuple[str, str, tuple[str, ...]]
"""Gold answer, found answer, choices."""


@dataclass(frozen=True, slots=True)
class Claim:
    """A rationale and what it should arrive at."""

    row_id: bytes
    kind: Kind
    instruction: str
    text: str
    gold: str
    choices: tuple[str, ...]
    agreement: Verdict | None = None
    """How the gold was agreed on; its row is the problem. None for golds of upstream."""


class Checker:
    """Holds the sandbox and the graders of one build; both start when first needed.

    `executed` and `graded` count what was really done, not what a ledger knew.
    """

    def __init__(
        self,
        executions: Ledger,
        gradings: Ledger,
        *,
        workers: int,
        wall_s: float,
        cpu_s: float,
        memory_mb: int,
        digits: int = answers.DIGITS,
        unsafe_local: bool = False,
        executor: int = sandbox.VERSION,
    ) -> None:
        self.executor = executor
        """Version of the sandbox whose executions are looked up."""
        self._executions, self._gradings = executions, gradings
        self._workers = workers
        self._digits = digits
        self._limits = json.dumps([wall_s, cpu_s, memory_mb])
        self._make_sandbox = partial(
            Sandbox,
            workers=workers,
            wall_s=wall_s,
            cpu_s=cpu_s,
            memory_mb=memory_mb,
            unsafe_local=unsafe_local,
        )
        self._open = ExitStack()
        self._sandbox: Sandbox | None = None
        self._grader: Grader | None = None
        self.executed = 0
        self.graded = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._open.close()

    def judge(self, claims: Iterable[Claim], checks: Sequence[str]) -> Iterator[Verdict]:
        """One verdict for each claim and each check that has something to say, in order."""
        judges = [CHECKS[name] for name in checks]
        grades = "answer" in checks
        runs = grades or "executed" in checks
        for chunk in chunks(claims, CHUNK):
            for candidate in self._candidates(chunk, runs, grades):
                for check in judges:
                    if verdict := check.judge(candidate, check.version):
                        yield verdict

    def _candidates(self, claims: Sequence[Claim], runs: bool, grades: bool) -> Iterator[Candidate]:
        programs = [claim.text for claim in claims if claim.kind == "PoT"] if runs else []
        executions = dict(zip(programs, self._run(programs), strict=True))
        found = [self._answer(claim, executions) if grades else None for claim in claims]
        pairs: list[Pair] = [
            (claim.gold, render_answer(answer), claim.choices)
            for claim, answer in zip(claims, found, strict=True)
            if claim.gold and answer
        ]
        graded = iter(self.grade(pairs))
        for claim, answer in zip(claims, found, strict=True):
            yield Candidate(
                row_id=claim.row_id,
                kind=claim.kind,
                instruction=claim.instruction,
                text=claim.text,
                gold=claim.gold,
                choices=claim.choices,
                execution=executions.get(claim.text) if claim.kind == "PoT" else None,
                answer=answer,
                equivalence=next(graded) if claim.gold and answer else None,
                agreement=claim.agreement,
            )

    def answers(self, claims: Sequence[Claim]) -> list[Answer | None]:
        """What each rationale arrives at; programs are run, once each."""
        programs = [claim.text for claim in claims if claim.kind == "PoT"]
        executions = dict(zip(programs, self._run(programs), strict=True))
        return [self._answer(claim, executions) for claim in claims]

    def _answer(self, claim: Claim, executions: dict[str, Execution]) -> Answer | None:
        if claim.kind == "CoT":
            return extract(claim.text, claim.choices)
        run = executions[claim.text]
        return extract_output(run.stdout) if run.status == "ok" else None

    def _run(self, programs: Sequence[str]) -> list[Execution]:
        """How each program ends; only those that no build has run before are run."""

        def run(missing: Sequence[str]) -> Iterator[dict[str, Any]]:
            if self._sandbox is None:
                self._sandbox = self._open.enter_context(self._make_sandbox())
            for done in self._sandbox.map(missing):
                self.executed += 1
                yield {
                    "status": done.status,
                    "value": done.value[:LONGEST_VALUE],
                    "stdout": done.stdout[-LONGEST_VALUE:],
                    "error": done.error,
                    "seconds": round(done.seconds, 6),
                    "completed": done.completed,
                }

        keys = [
            content_id("execution", str(self.executor), self._limits, program)
            for program in programs
        ]
        records = remember(self._executions, keys, programs, run)
        return [Execution(**record) for record in records]

    def grade(self, pairs: Sequence[Pair]) -> list[Equivalence]:
        """How each answer compares; exact and numeric rules here, the rest once by the graders."""

        def grade(missing: Sequence[Pair]) -> Iterator[dict[str, Any]]:
            if self._grader is None:
                grader = Grader(workers=self._workers, digits=self._digits)
                self._grader = self._open.enter_context(grader)
            for done in self._grader.map(missing):
                self.graded += 1
                yield {"outcome": done.outcome, "rule": done.rule}

        fast = compare_columns(
            [gold for gold, _, _ in pairs],
            [answer for _, answer, _ in pairs],
            [choices for _, _, choices in pairs],
            self._digits,
        )
        slow = [pair for pair, known in zip(pairs, fast, strict=True) if known is None]
        keys = [
            content_id("grading", str(answers.VERSION), str(self._digits), gold, answer, *choices)
            for gold, answer, choices in slow
        ]
        graded = iter(remember(self._gradings, keys, slow, grade))
        return [known or Equivalence(**next(graded)) for known in fast]
