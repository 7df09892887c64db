"""Sandbox: runs programs that nobody vouches for, each in a jail of its own, several at a time.

In: texts of Python programs. Out: an Execution for each, in order.
"""

from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import CancelledError, Future, ThreadPoolExecutor
from dataclasses import replace
from queue import LifoQueue
from threading import Lock
from types import TracebackType

from curator.core.errors import SandboxError
from curator.sandbox import implicit_result, preload
from curator.sandbox.execution import Execution
from curator.sandbox.jail.enter import Mechanism
from curator.sandbox.zygote_client import Limits, Zygote, ZygoteDied

VERSION = 2
"""Of how programs are run: a change that can change an Execution is a new number."""

PROGRAM_BYTES = 1_000_000
"""Longer programs are refused."""

_AHEAD = 16
"""Programs taken from the input a worker before their turn: one that uses up its time holds the
others back only after this many."""

_CLOSED = "This sandbox is closed; open a new one."

_LARGE = preload.HEAVY + preload.SLOW

_RECYCLE = 5_000
"""Programs after which a zygote is replaced, so that it cannot grow."""


def needs_heavy(program: str) -> bool:
    """Whether a line with `import` names one of the large packages.

    Plain searches, linear in the text: a regular expression could be made to take for ever. A wrong
    guess costs time, never the outcome.
    """
    return any(name in program for name in _LARGE) and any(
        "import" in line and any(name in line for name in _LARGE) for line in program.split("\n")
    )


class _Worker:
    """A light zygote and, once a program needs it, a heavy one."""

    def __init__(self, limits: Limits, unsafe_local: bool) -> None:
        self._limits, self._unsafe_local = limits, unsafe_local
        self._zygotes: dict[bool, Zygote] = {}
        self._lock = Lock()
        self._closed = False

    def zygote(self, heavy: bool) -> Zygote:
        """The living one of this kind, started if there is none."""
        with self._lock:
            if self._closed:
                raise ZygoteDied
            zygote = self._zygotes.get(heavy)
            if zygote is not None and (zygote.runs >= _RECYCLE or not zygote.alive()):
                zygote.end()
                zygote = None
            if zygote is None:
                zygote = self._zygotes[heavy] = Zygote(self._limits, heavy, self._unsafe_local)
            return zygote

    def run(self, given: str) -> Execution:
        program = implicit_result.unfenced(given)
        try:
            text = program.encode()
        except UnicodeEncodeError:
            return Execution("refused", error="the program is not text: it holds half a character")
        if len(text) > PROGRAM_BYTES:
            seen = f"a program of {len(text):,} bytes; at most {PROGRAM_BYTES:,} are run"
            return Execution("refused", error=seen)
        preamble = implicit_result.preamble(program)
        heavy = preamble == implicit_result.HEAVY or needs_heavy(program)
        try:
            done = self.zygote(heavy).run(text, preamble)
        except ZygoteDied:
            self._drop(heavy)
            self._prove(heavy)
            return Execution("killed", error="the process that ran it died")
        before = [implicit_result.FENCE] * (program is not given) + [implicit_result.PREAMBLE] * (
            preamble > 0
        )
        if not before:
            return done
        return replace(done, completed=", ".join(filter(None, [*before, done.completed])))

    def _prove(self, heavy: bool) -> None:
        """Raises SandboxError if it is the sandbox that fails, and not the program that ran."""
        canary = "print(1)"
        try:
            done = self.zygote(heavy).run(canary.encode(), implicit_result.preamble(canary))
        except ZygoteDied:
            self._drop(heavy)
            done = Execution("killed")
        if done.value != "1":
            raise SandboxError(
                "The sandbox does not even run 'print(1)' here; no program was judged by it. "
                "See what this system offers: curator sandbox"
            )

    def _drop(self, heavy: bool) -> None:
        with self._lock:
            zygote = self._zygotes.pop(heavy, None)
        if zygote is not None:
            zygote.end()

    def close(self) -> None:
        with self._lock:
            self._closed = True
            zygotes = list(self._zygotes.values())
            self._zygotes.clear()
        for zygote in zygotes:
            zygote.end()


def _result(future: Future[Execution]) -> Execution:
    try:
        return future.result()
    except CancelledError:
        raise SandboxError(_CLOSED) from None


class Sandbox:
    """Runs Python programs in jailed processes, each in a fresh fork, killed with all it started.

    A program sees Python's own files and the packages it may import, read-only, and an empty
    private folder where namespaces are granted; no environment, home, store or other process. It
    has no network, makes no process or thread, signals nobody else, and ends at its limits: wall
    and CPU seconds, `memory_mb` MiB beyond what its interpreter holds, `output_kb` KiB of output,
    16 MiB a file, 64 open files. Hashing, `random` (also numpy's), time zone (UTC) and locale are
    the same in each run. Standard input is empty; what goes to standard error is lost. A program
    that prints nothing has its result printed where it can be found, see `completion`.

    Needed: Linux on x86-64 or arm64, seccomp, and either namespaces or Landlock 3 (see
    `curator.sandbox.probe`); SandboxError otherwise. `unsafe_local=True` runs with whatever there
    is, which may be nothing but limits.

    Not covered: faults of the kernel or the processor (a virtual machine would be the next wall);
    what a program learns from clocks and load; which paths exist, where only Landlock guards them;
    the content of Python's library folders, which any program can read; clocks, `os.urandom` and
    explicitly unseeded generators such as `random.Random()`, which differ from run to run; the sum
    of memory of all workers (each may hold `memory_mb`, 16 MiB of files and 16 MiB of output beside
    its interpreters); whether a printed answer, or what `completed` and `error` say, came about
    honestly; and addresses of objects, with what hangs on them, after other programs on a worker.

    Use it as a context manager: leaving it ends every process. It may be used by several threads,
    but not by a fork of the process that opened it.
    """

    def __init__(
        self,
        workers: int = 2,
        wall_s: float = 5.0,
        cpu_s: float = 5.0,
        memory_mb: int = 512,
        output_kb: int = 64,
        unsafe_local: bool = False,
    ) -> None:
        if min(workers, wall_s, cpu_s, memory_mb, output_kb) <= 0:
            raise SandboxError("A limit of the sandbox is not above 0; give positive numbers.")
        self._limits = Limits(wall_s, cpu_s, memory_mb, output_kb)
        self._workers = [_Worker(self._limits, unsafe_local) for _ in range(workers)]
        self._window = workers * _AHEAD
        self._idle: LifoQueue[_Worker] = LifoQueue()
        for worker in self._workers:
            self._idle.put(worker)
        self._threads = ThreadPoolExecutor(workers, thread_name_prefix="sandbox")
        self._closed = False
        # Started now so that a machine that cannot jail is told before any work.
        self.held: list[Mechanism] = self._workers[-1].zygote(heavy=False).held

    @property
    def limits(self) -> dict[str, float]:
        """What bounds a program, as numbers that a ledger key can hold."""
        limits = self._limits
        return {
            "wall_s": limits.wall_s,
            "cpu_s": limits.cpu_s,
            "memory_mb": limits.memory_mb,
            "output_kb": limits.output_kb,
        }

    def run(self, program: str) -> Execution:
        """Runs one program and waits for it."""
        return _result(self._submit(program))

    def map(self, programs: Iterable[str]) -> Iterator[Execution]:
        """Runs programs on all workers; yields their executions in the order of the programs.

        Lazy: takes at most 16 programs a worker ahead of what it has yielded. Closing the iterator
        starts no more of them.
        """
        waiting: deque[Future[Execution]] = deque()
        try:
            for program in programs:
                waiting.append(self._submit(program))
                while waiting and (len(waiting) >= self._window or waiting[0].done()):
                    yield _result(waiting.popleft())
            while waiting:
                yield _result(waiting.popleft())
        finally:
            for future in waiting:
                future.cancel()

    def _submit(self, program: str) -> Future[Execution]:
        if self._closed:
            raise SandboxError(_CLOSED)
        try:
            return self._threads.submit(self._run, program)
        except RuntimeError:
            raise SandboxError(_CLOSED) from None

    def _run(self, program: str) -> Execution:
        worker = self._idle.get()
        try:
            return worker.run(program)
        finally:
            self._idle.put(worker)

    def close(self) -> None:
        """Ends every process; programs that still run come out as `killed`. May be called twice."""
        self._closed = True
        self._threads.shutdown(wait=False, cancel_futures=True)
        for worker in self._workers:
            worker.close()
        self._threads.shutdown(wait=True)

    def __enter__(self) -> "Sandbox":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()
