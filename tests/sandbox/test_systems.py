"""What runs where the kernel offers only a part of the jail, or nothing."""

from pathlib import Path

from curator.sandbox import probe
from tests.sandbox.programs import run_script


def test_the_probe_names_every_mechanism_and_what_it_protects() -> None:
    table = {m.name: m for m in probe()}
    assert set(table) == {"namespaces", "own user", "landlock", "seccomp", "limits"}
    assert all(m.protects for m in table.values())
    assert table["seccomp"].used
    assert all(m.available for m in table.values() if m.used)


def test_elsewhere_than_on_linux_no_program_runs_and_the_reason_is_clear() -> None:
    script = """
import ctypes, sys
import curator.core.errors
import sysconfig
sysconfig.get_config_vars()
sys.platform = "darwin"
sys.modules["curator.sandbox.jail"] = None
whole = ctypes.CDLL
def fake(name, *arguments, **options):
    if name is None:
        raise OSError("not the C library of Linux")
    return whole(name, *arguments, **options)
ctypes.CDLL = ctypes.PyDLL = fake
from curator.sandbox import Sandbox, probe
for unsafe in (False, True):
    try:
        Sandbox(unsafe_local=unsafe)
    except curator.core.errors.SandboxError as error:
        print(error)
print([(m.used, m.note) for m in probe()])
from curator.cli import main
sys.argv = ["curator", "sandbox"]
main()
"""
    done = run_script(script)
    assert done.returncode == 1, done.stderr
    first, second, table, *_ = done.stdout.splitlines()
    assert first == second
    assert first.startswith("Programs run only on Linux") and "darwin" in first
    assert table == str([(False, "only on Linux")] * 5)
    assert "no program runs" in done.stderr and "Traceback" not in done.stderr


def test_the_command_states_what_is_missing_and_what_runs() -> None:
    script = """
import sys
from pathlib import Path
from tests.sandbox.programs import forbid
forbid(*sys.argv[1:])
from curator.cli import main
sys.argv = ["curator", "sandbox"]
main()
"""

    def run(*forbidden: str) -> tuple[int, str]:
        done = run_script(script, *forbidden, COLUMNS="200")
        assert "Traceback" not in done.stderr
        return done.returncode, " ".join((done.stdout + done.stderr).split())

    code, text = run("landlock_create_ruleset")
    assert code == 0 and "Programs run." in text and "not in this kernel" in text
    code, text = run("unshare")
    assert code == 0 and "Operation not permitted" in text
    assert "Programs run, except those that write files" in text
    code, text = run("unshare", "landlock_create_ruleset")
    assert code == 1 and "no program runs" in text and "--unsafe-local" in text


def test_below_the_minimum_the_sandbox_refuses_to_run_unless_unsafe() -> None:
    script = """
from tests.sandbox.programs import forbid
forbid("unshare", "landlock_create_ruleset")
from curator.core.errors import SandboxError
from curator.sandbox import Sandbox, probe
try:
    Sandbox()
except SandboxError as error:
    print(error)
with Sandbox(workers=1, unsafe_local=True) as box:
    print(box.run("print(6 * 7)").value, {m.name: m.used for m in probe()}["landlock"])
"""
    done = run_script(script)
    assert done.returncode == 0, done.stderr
    refusal, ran = done.stdout.splitlines()
    assert "Landlock 3" in refusal and "unsafe_local=True" in refusal
    assert ran == "42 False"


def test_what_only_a_weaker_system_refuses_is_not_stored_for_others(tmp_path: Path) -> None:
    script = """
import sys
from pathlib import Path
from tests.sandbox.programs import forbid
forbid(*sys.argv[2:])
from curator.checks import Candidate
from curator.pipeline.checker import Checker
from curator.recipe.schema import Limits
from datastore.store import Store
texts = ["print(6 * 7)", "open('x', 'w').write('1')\\nprint(open('x').read())"]
rows = [Candidate(bytes([n]) * 16, "PoT", "q", text, "", ()) for n, text in enumerate(texts)]
with Store(Path(sys.argv[1])) as store:
    ledger = store.ledger("executions")
    unsafe = len(sys.argv) > 3
    with Checker(ledger, store.ledger("gradings"), Limits(), workers=1, unsafe_local=unsafe) as c:
        print([v.outcome for v in c.check(rows, ["executed"])], ledger.count())
"""

    def run(*forbidden: str) -> str:
        done = run_script(script, tmp_path, *forbidden)
        assert done.returncode == 0, done.stderr
        return done.stdout.strip()

    assert run("unshare", "landlock_create_ruleset").endswith("] 0")
    assert run("unshare") == "['passed', 'failed'] 1"
    assert run() == "['passed', 'passed'] 2"
