"""Supervise one forked program from its zygote: wait for its end, or end it.

In: the process. Out: its wait status and what it used, written into memory of the caller's choice.
"""

import ctypes
import os
import select
import signal

from curator.sandbox.settings import Settings

_INIT_PID = 1
"""Process id of a zygote with its own namespace: all other processes in it are its own."""

# Not those of `os`: their results and errors are objects, which leave traces of one program in the
# memory of the next. Without argument types, which would cost more than the calls.
_libc = ctypes.PyDLL(None)
_wait4, _kill = _libc.wait4, _libc.kill
_SIGKILL = int(signal.SIGKILL)
_ANY_CHILD = 0x40000000
"""__WALL: also children that end without a signal to their parent."""


class Supervisor:
    """Supervises the programs of one zygote, one at a time."""

    def __init__(self, control: int, settings: Settings, status: int, usage: int) -> None:
        """Take the addresses to which the wait status and the usage of each program go."""
        self.control = control
        self.wall_ms = 1000 * settings.wall_s
        self.status, self.usage = ctypes.c_void_p(status), ctypes.c_void_p(usage)
        self.is_init = os.getpid() == _INIT_PID
        self.poll = select.poll()
        self.poll.register(control, 0)

    def wait(self, child: int) -> bool:
        """Return when the program and all that it started are gone: whether its time was up.

        Ends the zygote itself if the caller is gone.
        """
        pidfd = os.pidfd_open(child)
        self.poll.register(pidfd, select.POLLIN)
        events = self.poll.poll(self.wall_ms)
        if not events or events[0][0] == self.control:
            _kill(child, _SIGKILL)
            if events:
                os._exit(0)
        if _wait4(child, self.status, 0, self.usage) != child:
            raise ChildProcessError("the program cannot be waited for")
        self._reap()
        self.poll.unregister(pidfd)
        os.close(pidfd)
        return not events

    def _reap(self) -> None:
        """End and reap what the program left, provided that no other process can be hit.

        Waits before it sends a signal to all processes, since that takes longer the more of them
        the machine has. Whatever is left is a child of the zygote: orphans become one.
        """
        options = _ANY_CHILD | os.WNOHANG
        while (ended := _wait4(-1, None, options, None)) >= 0:
            if ended == 0:
                if not self.is_init or _kill(-1, _SIGKILL) != 0:
                    return
                options = _ANY_CHILD
