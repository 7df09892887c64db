"""The sandbox: runs untrusted programs, each in its own jail, several at a time.

In: texts of Python programs. Out: an Execution for each, in order.
"""

from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import CancelledError, Future, ThreadPoolExecutor
from dataclasses import replace
from types import TracebackType

from curator.core.errors import SandboxError
from curator.sandbox import implicit_result, preload
from curator.sandbox.classify import Limits
from curator.sandbox.execution import Execution, Status
from curator.sandbox.mechanisms import NAMESPACES, find_missing
from curator.sandbox.settings import PROGRAM_BYTES
from curator.sandbox.zygotes import Zygotes

VERSION = 3
"""The version of the sandbox. Raise it with any change that can change an Execution."""

_LOOK_AHEAD = 16
"""Programs per worker that are taken from the input ahead of the output. A program that uses up its
time delays the others only after this many."""

_CLOSED = "This sandbox is closed; open a new one."

_LARGE = preload.HEAVY + preload.SLOW


def needs_heavy(program: str) -> bool:
    """Return whether a line with `import` names one of the large packages.

    Plain searches, linear in the text: a regular expression could be made to run for ever. A wrong
    guess costs time but does not change the outcome.
    """
    return any(name in program for name in _LARGE) and any(
        "import" in line and any(name in line for name in _LARGE) for line in program.split("\n")
    )


def _wait_for(future: Future[Execution]) -> Execution:
    try:
        return future.result()
    except CancelledError:
        raise SandboxError(_CLOSED) from None


class Sandbox:
    """Runs Python programs in jailed processes, each in a fresh fork.

    A program sees the standard library, system libraries and the packages of `preload` by name,
    read-only, and an empty private folder if namespaces are available; nothing that lies beside a
    package, and no environment, home, store or other process. It
    has no network, starts no processes or threads, cannot signal other processes, and ends at its
    limits: wall and CPU seconds, `memory_mb` MiB beyond the size of its interpreter, `output_kb`
    KiB of output, 16 MiB per file, 64 open files. All that it started is killed with it. Hashing,
    `random` (numpy's, too), time zone (UTC) and locale are the same in every run. Standard input is
    empty; standard error is discarded. If a program prints nothing, its result is printed where it
    can be found (see `implicit_result`).

    Requires Linux on x86-64 or arm64, seccomp, and either namespaces or Landlock 3 (see
    `curator.sandbox.probe`); otherwise raises SandboxError. `unsafe_local=True` runs programs with
    whatever the system supports, which may be nothing but limits.

    Not covered: bugs of the kernel or the processor (a virtual machine would protect from them);
    what a program learns from clocks, load, the kernel's version, the inode numbers of pipes and
    the device number of its private folder, all of which the kernel counts for the whole machine;
    which paths exist, and before Linux 6.14 how many programs ran before, where only a part of the
    jail is available (see docs/security.md); the content of /usr/lib; clocks, `os.urandom` and
    explicitly unseeded generators such as `random.Random()`, which differ from run to run; the
    total memory of all workers (each may hold `memory_mb`, 16 MiB of files and 16 MiB of output
    beside its interpreters); whether a printed answer, or the content of `completed` and `error`,
    is honest; and object addresses, and what depends on them, after other programs on the same
    worker.

    A context manager: leaving it ends every process. Several threads may use it, but not a fork of
    the process that opened it.
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
            raise SandboxError("Every limit of the sandbox must be above 0. Pass positive numbers.")
        self._limits = Limits(wall_s, cpu_s, memory_mb, output_kb)
        self._zygotes = {
            heavy: Zygotes(self._limits, heavy, unsafe_local, workers) for heavy in (False, True)
        }
        self._window = workers * _LOOK_AHEAD
        self._threads = ThreadPoolExecutor(workers, thread_name_prefix="sandbox")
        self._closed = False
        # Start one zygote now, so that a machine without a jail is reported before any work.
        self._mechanisms = self._zygotes[False].start()

    def is_reusable(self, status: Status) -> bool:
        """Return whether an execution with this status holds on a machine with a complete jail.

        Not if the minimum is missing (`unsafe_local`), and not if a program was refused where it
        has no private folder.
        """
        if find_missing(self._mechanisms):
            return False
        complete = any(each.used for each in self._mechanisms if each.name == NAMESPACES)
        return complete or status != "refused"

    @property
    def limits(self) -> dict[str, float]:
        """The limits of a program, as numbers for a ledger key."""
        limits = self._limits
        return {
            "wall_s": limits.wall_s,
            "cpu_s": limits.cpu_s,
            "memory_mb": limits.memory_mb,
            "output_kb": limits.output_kb,
        }

    def prepare(self) -> None:
        """Start a process with the large packages in the background.

        That takes a second; programs that need none of them are not delayed by it.
        """
        self._threads.submit(self._zygotes[True].start)

    def run(self, program: str) -> Execution:
        """Run one program and return its execution."""
        return _wait_for(self._submit(program))

    def map(self, programs: Iterable[str]) -> Iterator[Execution]:
        """Run programs on all workers and yield their executions in the order of the programs.

        Lazy: takes a maximum of 16 programs per worker ahead of the executions yielded. Closing the
        iterator starts no more programs.
        """
        waiting: deque[Future[Execution]] = deque()
        try:
            for program in programs:
                waiting.append(self._submit(program))
                while waiting and (len(waiting) >= self._window or waiting[0].done()):
                    yield _wait_for(waiting.popleft())
            while waiting:
                yield _wait_for(waiting.popleft())
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

    def _run(self, text: str) -> Execution:
        program = implicit_result.extract_fenced(text)
        try:
            code = program.encode()
        except UnicodeEncodeError:
            return Execution("refused", error="the program is not text: it holds half a character")
        if len(code) > PROGRAM_BYTES:
            error = f"a program of {len(code):,} bytes; at most {PROGRAM_BYTES:,} are run"
            return Execution("refused", error=error)
        preamble = implicit_result.select_preamble(program)
        heavy = preamble == implicit_result.HEAVY or needs_heavy(program)
        execution = self._zygotes[heavy].run(code, preamble)
        steps = [
            implicit_result.FENCE if program is not text else "",
            implicit_result.PREAMBLE if preamble else "",
            execution.completed,
        ]
        return replace(execution, completed=", ".join(filter(None, steps)))

    def close(self) -> None:
        """End every process; programs that still run end as `killed`. Can be called twice."""
        self._closed = True
        self._threads.shutdown(wait=False, cancel_futures=True)
        for zygotes in self._zygotes.values():
            zygotes.close()
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
