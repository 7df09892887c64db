"""A child process that grades pairs with math-verify; `symbolic.Grader` starts and kills it.

In: one JSON line per pair on standard input, `[gold, answer, alone]`. Out: one JSON line per pair,
`[outcome, rule]`. With `alone` the result is math-verify's own: what it does not find equal is
`different`. Run as `python -m curator.answers.compare.symbolic_worker WALL_S MEMORY_MB`. Only
math-verify's LaTeX parser is used, since its other parser evaluates Python text.
"""

import json
import resource
import signal
import sys

from curator.answers.parse.normalize import normalize, to_latex


def _limit(memory_mb: int) -> None:
    size = memory_mb * 2**20
    resource.setrlimit(resource.RLIMIT_AS, (size, size))
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def main(wall_s: float, memory_mb: int) -> None:
    """Grade pairs until standard input ends."""
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
        texts = [to_latex(normalize(text)) if alone else normalize(text) for text in (gold, answer)]
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
        # the kernel ends a parse that hangs, even if the parent is dead
        signal.signal(signal.SIGALRM, signal.SIG_DFL)
        signal.setitimer(signal.ITIMER_REAL, wall_s)
        try:
            result = grade(gold, answer, alone)
        except MemoryError:
            result = ("undecided", "memory")
        except Exception as error:  # math-verify and sympy raise exceptions of any kind
            result = ("undecided", f"grader failed: {type(error).__name__}")
        signal.setitimer(signal.ITIMER_REAL, 0)
        out.write(json.dumps(result) + "\n")
        out.flush()


if __name__ == "__main__":
    main(float(sys.argv[1]), int(sys.argv[2]))
