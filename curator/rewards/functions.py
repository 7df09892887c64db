"""Reward functions that can be certified: ours, and those of the packages that are installed.

In: a completion, its gold and its choices. Out: a reward, or None where the function gives none. To
add one: a function here and one line in `FUNCTIONS`. Each imports its package when it is called
first, in a child process (`function_worker`).
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec, module_from_spec, spec_from_file_location
from pathlib import Path
from typing import Any

from curator.core.code_version import code_version
from curator.core.errors import UsageError, unknown_name
from curator.rewards import score

_COMPARERS = ("math-verify", "latex2sympy2-extended", "sympy")
"""Distributions that several functions compare with, ours among them."""

Reward = Callable[[str, str, tuple[str, ...]], float | None]


@dataclass(frozen=True, slots=True)
class RewardFunction:
    """A function that gives the reward of a completion."""

    about: str
    reward: Reward
    packages: tuple[tuple[str, str], ...] = ()
    """The modules that it imports, each with the distribution to install."""


def _curator(completion: str, gold: str, choices: tuple[str, ...]) -> float | None:
    return score(completion, gold, choices)


def _math_verify(completion: str, gold: str, choices: tuple[str, ...]) -> float | None:
    """Use math-verify as its documentation shows; it knows no choices."""
    from math_verify import parse, verify

    parsed = parse(f"${gold}$")
    return float(verify(parsed, parse(completion))) if parsed else None


def _trl(completion: str, gold: str, choices: tuple[str, ...]) -> float | None:
    """Call TRL's `accuracy_reward` as GRPOTrainer does with the column `solution`."""
    from trl.rewards import accuracy_reward

    message = [{"role": "assistant", "content": completion}]
    rewards: list[float | None] = accuracy_reward([message], [gold])
    return rewards[0]


def _verl(completion: str, gold: str, choices: tuple[str, ...]) -> float | None:
    return float(_verl_module().compute_score(completion, gold))


@cache
def _verl_module() -> Any:
    """Return verl's rewards for MATH, without the rest of verl, whose import starts Ray."""
    package = find_spec("verl")
    assert package is not None and package.submodule_search_locations is not None
    path = Path(package.submodule_search_locations[0]) / "utils" / "reward_score" / "math_reward.py"
    spec = spec_from_file_location("verl_math_reward", path)
    assert spec is not None and spec.loader is not None
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


FUNCTIONS: dict[str, RewardFunction] = {
    "curator": RewardFunction("`curator.rewards.answer_reward`", _curator),
    "math-verify": RewardFunction(
        "`verify(parse(f'${gold}$'), parse(completion))`",
        _math_verify,
        (("math_verify", "math-verify"),),
    ),
    "trl": RewardFunction(
        "TRL's `accuracy_reward`", _trl, (("trl", "trl"), ("math_verify", "math-verify"))
    ),
    "verl": RewardFunction(
        "verl's `math_reward.compute_score`, its default for MATH", _verl, (("verl", "verl"),)
    ),
}


@cache
def describe_code(name: str) -> str:
    """Return the versions of all code that decides the rewards of a function, for cache keys."""
    named = (dist for _, dist in FUNCTIONS[name].packages)
    versions = [f"{dist} {_version(dist)}" for dist in (*named, *_COMPARERS)]
    own = ("curator.rewards", "curator.answers") if name == "curator" else ()
    code = code_version("curator.rewards.functions", "curator.rewards.function_worker", *own)
    return "\n".join([name, code, *dict.fromkeys(versions)])


def _version(distribution: str) -> str:
    try:
        return version(distribution)
    except PackageNotFoundError:  # a module on the path alone
        return "unknown"


def check_installed(names: list[str]) -> None:
    """Raise UsageError for a name that is not in `FUNCTIONS` or whose package is missing."""
    for name in names:
        if name not in FUNCTIONS:
            raise UsageError(unknown_name("grader", name, FUNCTIONS))
        missing = [dist for module, dist in FUNCTIONS[name].packages if find_spec(module) is None]
        if missing:
            raise UsageError(
                f"The grader '{name}' needs packages that are not installed: "
                f"{', '.join(missing)}. Run 'pip install {' '.join(missing)}'."
            )
