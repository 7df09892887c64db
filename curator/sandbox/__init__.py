"""Run untrusted Python programs, each in its own sandboxed process with resource limits.

In: texts of Python programs (never a gold answer). Out: an Execution for each. The modules, in the
order in which a program passes them: `pool` (workers and order), `zygote_client` (the caller's end
of a process), `visible` (what programs may read), `protocol` (what travels between the two),
`zygote` (the jailed process that forks), `jail` (what it may do), `preload` (what it has imported),
`supervise` (the wait for its end), `run_program` (the run itself), `implicit_result` (results that
a program does not print), `classify` (how a program ended), `execution` (the outcome). `probe`
and `mechanisms` state what a system offers.
"""

from curator.sandbox.execution import STATUSES, Execution, Status
from curator.sandbox.pool import VERSION, Sandbox
from curator.sandbox.probe import Mechanism, probe

__all__ = ["STATUSES", "VERSION", "Execution", "Mechanism", "Sandbox", "Status", "probe"]
