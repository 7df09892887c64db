"""The system calls that a jailed process may make, with their numbers on x86-64 and arm64.

In: nothing. Out: `get_number(name)` for this machine, PROGRAM (the calls of a program) and ZYGOTE
(the additional calls of the process that forks programs). Any other call is refused with EPERM:
sockets, new processes and threads, exec, ptrace, mounts, namespaces, keys, io_uring, shared memory,
queues and semaphores, scheduling, the size of disks and the load of the machine, and truncation by
path, modes, owners, times and extended attributes of files. The last group matters if only Landlock
guards files, because Landlock does not cover them.
"""

import ctypes
import os
from collections.abc import Callable

Call = tuple[Callable[..., int], tuple[object, ...]]
"""A function of the C library that returns 0, and its arguments. Prepared, it is called with few
objects: a fork copies each page of memory in which it uses one."""

_prctl = ctypes.PyDLL(None).prctl

# name=x86-64/arm64, from the kernel's unistd.h; "-" where the architecture has no such call.
_TABLE = """
open=2/- openat=257/56 creat=85/- close=3/57 close_range=436/436 read=0/63 write=1/64
readv=19/65 writev=20/66 pread64=17/67 pwrite64=18/68 lseek=8/62 stat=4/- fstat=5/80 lstat=6/-
newfstatat=262/79 statx=332/291 access=21/- faccessat=269/48
faccessat2=439/439 readlink=89/- readlinkat=267/78 getdents=78/- getdents64=217/61 getcwd=79/17
chdir=80/49 fchdir=81/50 mkdir=83/- mkdirat=258/34 rmdir=84/- unlink=87/- unlinkat=263/35
rename=82/- renameat=264/38 renameat2=316/276 symlink=88/- symlinkat=266/36 link=86/-
linkat=265/37 ftruncate=77/46 fallocate=285/47 fsync=74/82 fdatasync=75/83 sendfile=40/71
copy_file_range=326/285 umask=95/166 dup=32/23 dup2=33/- dup3=292/24 pipe=22/- pipe2=293/59
poll=7/- ppoll=271/73 select=23/- pselect6=270/72 fcntl=72/25 ioctl=16/29

mmap=9/222 munmap=11/215 mprotect=10/226 mremap=25/216 madvise=28/233 brk=12/214 msync=26/227

rt_sigaction=13/134 rt_sigprocmask=14/135 rt_sigreturn=15/139 rt_sigpending=127/136
rt_sigsuspend=130/133 rt_sigtimedwait=128/137 sigaltstack=131/132 pause=34/- alarm=37/-
getitimer=36/102 setitimer=38/103 restart_syscall=219/128 kill=62/129 tgkill=234/131
tkill=200/130

exit=60/93 exit_group=231/94 wait4=61/260 waitid=247/95 futex=202/98 set_robust_list=273/99
rseq=334/293 set_tid_address=218/96 membarrier=324/283 arch_prctl=158/-
sched_yield=24/124 sched_getaffinity=204/123 sched_getparam=143/121 sched_getscheduler=145/120
getcpu=309/168 getpriority=140/141 getpid=39/172 gettid=186/178 getppid=110/173 getpgrp=111/-
getpgid=121/155 getsid=124/156 getuid=102/174 geteuid=107/175 getgid=104/176 getegid=108/177
getresuid=118/148 getresgid=120/150 getgroups=115/158 getrandom=318/278 uname=63/160
clone=56/220 fork=57/- vfork=58/- clone3=435/435 prctl=157/167
pidfd_open=434/434 memfd_create=319/279 utimensat=280/88

nanosleep=35/101 clock_nanosleep=230/115 clock_gettime=228/113 clock_getres=229/114
gettimeofday=96/169 time=201/- times=100/153 getrusage=98/165 getrlimit=97/163 setrlimit=160/164
prlimit64=302/261

sendto=44/206 recvfrom=45/207

pivot_root=155/41 capset=126/91 mount_setattr=442/442 landlock_create_ruleset=444/444
landlock_add_rule=445/445 landlock_restrict_self=446/446
"""

ARCHITECTURES = {"x86_64": 0xC000003E, "aarch64": 0xC00000B7}
"""Name by uname -> AUDIT_ARCH number, which a filter checks first."""

MACHINE = os.uname().machine
"""Not by `platform`, which would keep the host's name for programs to read."""

_COLUMN = {"x86_64": 0, "aarch64": 1}.get(MACHINE, -1)

FCNTL_COMMANDS = (0, 1, 2, 3, 4, 1030)
"""F_DUPFD to F_SETFL and F_DUPFD_CLOEXEC; not F_SETOWN/F_SETSIG, which send signals to others, nor
locks, which other programs can see on files that all of them may read."""

IOCTL_REQUESTS = (0x5401, 0x5413, 0x541B, 0x5421, 0x5450, 0x5451)
"""TCGETS, TIOCGWINSZ, FIONREAD, FIONBIO, FIONCLEX, FIOCLEX: used by open() and isatty()."""

NAMESPACE_FLAGS = 0x7E020080
"""CLONE_NEW*: a zygote may fork, but not create namespaces."""

UNNAMED_FILE = 0x400000
"""The bit of O_TMPFILE: such a file would not change the time of its folder."""

PRIVATE_FUTEX = 128
"""FUTEX_PRIVATE_FLAG: other futexes are shared by all who map the same file."""

CLOCKS = 16
"""Clock ids below this belong to the machine or to the calling process; the others measure the CPU
time of any process."""

_ZYGOTE_ONLY = (
    *("clone", "fork", "vfork", "pidfd_open", "prctl", "memfd_create"),
    *("sendto", "recvfrom", "utimensat"),
)
_JAIL_ONLY = (
    "pivot_root",
    "capset",
    "mount_setattr",
    "landlock_create_ruleset",
    "landlock_add_rule",
    "landlock_restrict_self",
)


def _parse_table() -> dict[str, int]:
    numbers: dict[str, int] = {}
    for item in _TABLE.split():
        name, _, both = item.partition("=")
        column = both.split("/")[_COLUMN]
        if column != "-":
            numbers[name] = int(column)
    return numbers


_NUMBERS = _parse_table() if _COLUMN >= 0 else {}


def get_number(name: str) -> int:
    """Return the number of a system call on this machine; raises KeyError for an unknown name."""
    return _NUMBERS[name]


def prepare_prctl(option: int, *arguments: int) -> Call:
    """Return a call of prctl with up to four arguments."""
    return _prctl, (option, *map(ctypes.c_ulong, (*arguments, 0, 0, 0, 0)[:4]))


ZYGOTE = tuple(n for n in _ZYGOTE_ONLY if n in _NUMBERS)
PROGRAM = tuple(n for n in _NUMBERS if n not in {*_ZYGOTE_ONLY, *_JAIL_ONLY, "clone3", "statx"})
