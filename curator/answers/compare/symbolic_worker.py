"""A child process that grades pairs with math-verify; started and killed by `symbolic.Grader`.

In: one JSON line a pair on standard input, `[gold, answer, alone]`. Out: one JSON line each,
`[outcome, rule]`; `alone` asks for what math-verify says and nothing else: its no is `different`.
Run as `python -m curator.answers.compare.symbolic_worker WALL_S MEMORY_MB`. math-verify's LaTeX
grader alone is
used: its other one evaluates Python text.
"""

import json
import resource
import signal
import sys

from curator.answers.parse.normalize import latex, plain


def _limit(memory_mb: int) -> None:
    size = memory_mb * 2**20
    resource.setrlimit(resource.RLIMIT_AS, (size, size))
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def main(wall_s: float, memory_mb: int) -> None:
    """Grades until standard input ends."""
    _limit(memory_mb)
    sys.setrecursionlimit(2_000)
    import sympy
    from math_verify import LatexExtractionConfig, parse, verify

    config = [LatexExtractionConfig()]

    def numeric(value: object) -> complex | None:
        try:
            return complex(sympy.N(value, 30))
        except (TypeError, ValueError, ArithmeticError, AttributeError):
            return None

    def grade(gold: str, answer: str, alone: bool) -> tuple[str, str]:
        texts = [latex(plain(text)) if alone else plain(text) for text in (gold, answer)]
        sides = [
            parse(f"${text}$", config, fallback_mode="no_fallback", parsing_timeout=None)
            for text in texts
        ]
        if not all(sides):
            return "undecided", "unreadable"
        verdicts = {verify(a, b, timeout_seconds=None) for a, b in (sides, sides[::-1])}
        if alone and len(verdicts) == 1:
            return ("equal" if True in verdicts else "different"), "math-verify"
        if verdicts == {False}:
            return "undecided", "math-verify says no"
        if verdicts != {True}:
            return "undecided", "math-verify in one order only"
        numbers = [numeric(side[0]) for side in sides]
        x, y = numbers
        if x is not None and y is not None and abs(x - y) > 1e-12 * max(abs(x), abs(y)):
            return "undecided", "graders disagree"
        return "equal", "math-verify"

    out = sys.stdout
    for line in sys.stdin:
        gold, answer, alone = json.loads(line)
        # the kernel ends a parse that hangs, even should the parent be gone
        signal.signal(signal.SIGALRM, signal.SIG_DFL)
        signal.setitimer(signal.ITIMER_REAL, wall_s)
        try:
            result = grade(gold, answer, alone)
        except MemoryError:
            result = ("undecided", "memory")
        except Exception as fault:  # whatever the graders raise is no verdict
            result = ("undecided", f"grader failed: {type(fault).__name__}")
        signal.setitimer(signal.ITIMER_REAL, 0)
        out.write(json.dumps(result) + "\n")
        out.flush()


if __name__ == "__main__":
    main(float(sys.argv[1]), int(sys.argv[2]))
