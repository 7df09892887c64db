"""Rewards in threads, event loops, forked and spawned processes, and Ray workers."""

import asyncio
import multiprocessing
import os
import signal
import subprocess
import sys
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from importlib.util import find_spec
from uuid import uuid4

import pytest

from curator.rewards import score
from tests.paths import ROOT
from tests.rewards.in_processes import OPEN, open_reward, reward_of

EXPECTED = [1.0, 0.0, 1.0]
HEAVY = ("torch", "transformers", "trl", "datasets", "numpy", "pyarrow", "duckdb", "sympy", "ray")


def test_importing_the_rewards_loads_nothing_heavy_and_starts_nothing() -> None:
    code = (
        "import sys, threading\n"
        "from pathlib import Path\n"
        "import curator.rewards\n"
        "tasks = Path('/proc/self/task')\n"
        "children = [child for task in tasks.iterdir() for child in "
        "(task / 'children').read_text().split()]\n"
        f"print(sorted(set(sys.modules) & set({HEAVY})), children, threading.active_count())"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT)
    assert run.stdout == "[] [] 1\n", run.stderr


def test_threads_share_the_children_without_mixing_their_results() -> None:
    with ThreadPoolExecutor(16) as pool:
        assert list(pool.map(reward_of, range(48))) == [EXPECTED] * 48


def test_an_event_loop_awaits_rewards_in_its_threads() -> None:
    async def main() -> list[list[float | None]]:
        calls = (asyncio.to_thread(reward_of, number) for number in range(24))
        return await asyncio.gather(*calls)

    assert asyncio.run(main()) == [EXPECTED] * 24


def test_a_thread_that_hangs_does_not_hold_up_the_others() -> None:
    tower = r"\boxed{\lim_{x \to 3} 9^{9^{9^9}}}"
    with ThreadPoolExecutor(2) as pool:
        hanging = pool.submit(score, tower, "5", wall_s=30)
        assert pool.submit(reward_of, 3).result() == EXPECTED
        assert not hanging.done()
        assert hanging.result() is None


@pytest.mark.parametrize("method", ["fork", "spawn", "forkserver"])
def test_processes_of_every_kind_have_graders_of_their_own(method: str) -> None:
    assert open_reward() == 1.0  # the parent has children before the fork
    context = multiprocessing.get_context(method)
    with ProcessPoolExecutor(2, mp_context=context) as pool:
        assert list(pool.map(reward_of, range(8))) == [EXPECTED] * 8
    assert open_reward() == 1.0  # and still has them behind it


def test_a_fork_while_threads_are_grading_neither_hangs_nor_mixes_results() -> None:
    with ThreadPoolExecutor(4) as pool:
        assert all(pool.map(open_reward, range(4)))
        running = [pool.submit(reward_of, number) for number in range(40)]
        for _ in range(3):
            pid = os.fork()
            if not pid:
                signal.alarm(300)
                os._exit(0 if reward_of(7) == EXPECTED else 1)
            assert os.waitpid(pid, 0)[1] == 0
        assert [each.result() for each in running] == [EXPECTED] * 40


def test_children_end_with_the_process_that_started_them() -> None:
    code = (
        "from pathlib import Path\n"
        "from tests.rewards.in_processes import open_reward\n"
        "assert open_reward() == 1.0\n"
        "tasks = Path('/proc/self/task')\n"
        "print(*(child for task in tasks.iterdir() for child in "
        "(task / 'children').read_text().split()))"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT)
    assert run.returncode == 0 and run.stderr == ""
    children = run.stdout.split()
    assert children
    for child in children:  # each ends at the end of its input
        while os.path.exists(f"/proc/{child}"):
            pass


def test_a_system_that_starts_no_further_process_leaves_pairs_undecided() -> None:
    code = (
        "import resource\n"
        "from curator.rewards import answer_reward\n"
        "import sys\n"
        "sys.executable = '/nowhere/python'\n"
        f"print(answer_reward(['The answer is 5.', {OPEN[0]!r}], ['5', {OPEN[1]!r}]))"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT)
    assert run.stdout == "[1.0, None]\n", run.stderr


IN_RAY = """
import ray
from tests.rewards.in_processes import reward_of
ray.init(num_cpus=2, include_dashboard=False, log_to_driver=False)
reward = ray.remote(num_cpus=0.5)(reward_of)
print(ray.get([reward.remote(number) for number in range(4)]))
"""


@pytest.mark.skipif(find_spec("ray") is None, reason="needs the extra `ray`")
def test_ray_workers_return_rewards() -> None:
    environment = {
        **os.environ,
        "PYTHONPATH": str(ROOT),
        "RAY_USAGE_STATS_ENABLED": "0",
        "RAY_AUTH_MODE": "token",
        "RAY_AUTH_TOKEN": uuid4().hex,
    }
    command = [sys.executable, "-c", IN_RAY]
    run = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, env=environment)
    assert run.stdout == f"{[EXPECTED] * 4}\n", run.stderr
