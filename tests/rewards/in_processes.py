"""What the tests of rewards run in other processes, which import it by name."""

from curator.rewards import answer_reward, score

OPEN = ("The answer is 10.", r"\int_0^2 5x dx")
"""A completion and its gold, on which only a child process can decide."""


def reward_of(number: int) -> list[float | None]:
    """Return the rewards of a right, a wrong and an open completion."""
    completions = [rf"\boxed{{{number}}}", rf"\boxed{{{number + 1}}}", OPEN[0]]
    return answer_reward(completions, [str(number), str(number), OPEN[1]])


def open_reward(_: int = 0) -> float | None:
    """Return the reward of a completion that needs a child process."""
    return score(*OPEN)
