"""A child process that asks one reward function; `certification` starts and kills it.

In: one JSON line per request on standard input, `[completion, gold, choices]`. Out: one JSON line
per request, `[outcome, rule]`: equal for a reward of 1, different for another one, undecided for
none. Run as `python -m curator.rewards.function_worker WALL_S MEMORY_MB NAME`. A reward function
may hang and print what it likes: a watchdog ends the process, and its prints go nowhere.
"""

import faulthandler
import json
import os
import resource
import sys

from curator.rewards.functions import FUNCTIONS, Reward

_FIRST = (r"\boxed{\int_0^2 5x dx}", "10", ())
"""A request that imports what the later ones need, before any time is taken."""


def main(wall_s: float, memory_mb: int, name: str) -> None:
    """Answer requests until standard input ends."""
    size = memory_mb * 2**20
    resource.setrlimit(resource.RLIMIT_AS, (size, size))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    out = os.fdopen(os.dup(1), "w")
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 1)
    reward = FUNCTIONS[name].reward
    _ask(reward, *_FIRST)
    for line in sys.stdin:
        completion, gold, choices = json.loads(line)
        # the thread of faulthandler ends a call that hangs, even if the parent is dead
        faulthandler.dump_traceback_later(wall_s, exit=True, file=nowhere)
        outcome = _ask(reward, completion, gold, tuple(choices))
        faulthandler.cancel_dump_traceback_later()
        out.write(json.dumps(outcome) + "\n")
        out.flush()


def _ask(reward: Reward, completion: str, gold: str, choices: tuple[str, ...]) -> tuple[str, str]:
    try:
        value = reward(completion, gold, choices)
    except MemoryError:
        return "undecided", "memory"
    except Exception as error:  # a reward function raises exceptions of any kind
        return "undecided", f"failed: {type(error).__name__}"
    if value is None:
        return "undecided", "no reward"
    return ("equal" if value == 1 else "different"), "reward"


if __name__ == "__main__":
    main(float(sys.argv[1]), int(sys.argv[2]), sys.argv[3])
