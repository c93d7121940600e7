"""Shut a process in: what it cannot reach it cannot leak.

The decoder process calls `enter` once, after everything it needs is loaded. Each wall stands on
its own; one the kernel or the container refuses is named in the report and never passed over in
silence. Runs under `python -I -S` in the decoder process: it imports the standard library only.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import platform
import resource
import signal
import socket
import struct
import sys
from collections.abc import Callable
from pathlib import Path

CLONE_NEWNS, CLONE_NEWUTS, CLONE_NEWIPC = 0x00020000, 0x04000000, 0x08000000
CLONE_NEWUSER, CLONE_NEWNET = 0x10000000, 0x40000000
MS_RDONLY, MS_NOSUID, MS_NODEV, MS_NOEXEC = 1, 2, 4, 8
MS_REC, MS_PRIVATE = 0x4000, 1 << 18
PR_SET_PDEATHSIG, PR_SET_DUMPABLE, PR_SET_SECCOMP, PR_SET_NO_NEW_PRIVS = 1, 4, 22, 38
NOBODY = 65534

# Audit architecture, then the system calls a warmed-up interpreter needs: read write munmap brk
# rt_sigaction rt_sigprocmask rt_sigreturn mremap madvise sched_yield exit futex clock_gettime
# exit_group getrandom gettimeofday restart_syscall; then those which may not ask for executable
# memory: mmap mprotect.
_CALLS = {
    "x86_64": (
        0xC000003E,
        (0, 1, 11, 12, 13, 14, 15, 25, 28, 24, 60, 202, 228, 231, 318, 96, 219),
        (9, 10),
    ),
    "aarch64": (
        0xC00000B7,
        (63, 64, 215, 214, 134, 135, 139, 216, 233, 124, 93, 98, 113, 94, 278, 169, 128),
        (222, 226),
    ),
}


class _Program(ctypes.Structure):
    _fields_ = (("length", ctypes.c_ushort), ("filter", ctypes.c_char_p))


class _CapabilityHeader(ctypes.Structure):
    _fields_ = (("version", ctypes.c_uint32), ("pid", ctypes.c_int))


def enter(parent: int, memory_mib: int) -> dict[str, str]:
    """Put up every wall; answer those that could not be, with the reason.

    Args:
        parent: process id of the starter; the jail ends with it.
        memory_mib: address space the process may add to what it has now.
    """
    libc = ctypes.CDLL(None, use_errno=True)
    missing: dict[str, str] = {}

    def put_up(wall: str, step: Callable[[], None]) -> None:
        try:
            step()
        except (OSError, ValueError, AttributeError) as error:
            missing[wall] = str(error)

    with contextlib.suppress(OSError):
        Path("/proc/self/oom_score_adj").write_text("1000", encoding="ascii")
    space = _address_space() + (memory_mib << 20)
    is_root = os.geteuid() == 0
    put_up("namespaces", lambda: _leave_namespaces(libc, is_root))
    if "namespaces" not in missing:
        put_up("root directory", lambda: _leave_files(libc))
    if is_root:
        put_up("user", _leave_root)
    put_up("capabilities", lambda: _drop_capabilities(libc))
    put_up("privileges", lambda: _forbid_gains(libc, parent))
    put_up("limits", lambda: _limit(space))
    os.closerange(1, 256)
    put_up("system calls", lambda: _filter_calls(libc))
    return missing


def escapes() -> list[str]:
    """Try the doors that must be shut; name those that opened."""
    found = []
    for name, attempt in _ATTEMPTS:
        try:
            attempt()
        except (OSError, RuntimeError):
            continue
        found.append(name)
    return found


def _attempt_fork() -> None:
    if (pid := os.fork()) == 0:
        os._exit(0)
    os.waitpid(pid, 0)


def _attempt_signal() -> None:
    os.kill(os.getppid() or 1, 0)


_ATTEMPTS: tuple[tuple[str, Callable[[], object]], ...] = (
    ("reads files", lambda: os.open("/etc/passwd", os.O_RDONLY)),
    ("lists directories", lambda: os.scandir("/etc")),
    ("opens sockets", lambda: socket.socket(socket.AF_INET)),
    ("starts processes", _attempt_fork),
    ("signals processes", _attempt_signal),
)


def _check(answer: int) -> None:
    if answer != 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))


def _address_space() -> int:
    if sys.platform != "linux":
        return 1 << 30
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[0])
    return pages * resource.getpagesize()


def _leave_namespaces(libc: ctypes.CDLL, is_root: bool) -> None:
    """Take namespaces of its own: no network interface, no mounts, no IPC objects of others."""
    flags = CLONE_NEWNS | CLONE_NEWNET | CLONE_NEWIPC | CLONE_NEWUTS
    uid, gid = os.geteuid(), os.getegid()
    _check(libc.unshare(flags if is_root else flags | CLONE_NEWUSER))
    if not is_root:
        Path("/proc/self/setgroups").write_text("deny", encoding="ascii")
        Path("/proc/self/uid_map").write_text(f"{uid} {uid} 1", encoding="ascii")
        Path("/proc/self/gid_map").write_text(f"{gid} {gid} 1", encoding="ascii")


def _leave_files(libc: ctypes.CDLL) -> None:
    """Make an empty read-only directory the root; nothing shows outside the namespace."""
    _check(libc.mount(b"none", b"/", None, MS_REC | MS_PRIVATE, None))
    shut = MS_RDONLY | MS_NOSUID | MS_NODEV | MS_NOEXEC
    _check(libc.mount(b"none", b"/tmp", b"tmpfs", shut, b"size=4k,mode=555"))
    os.chroot("/tmp")  # noqa: S108 - the empty mount of the line above, not the shared directory.
    os.chdir("/")


def _leave_root() -> None:
    os.setgroups([])
    os.setresgid(NOBODY, NOBODY, NOBODY)
    os.setresuid(NOBODY, NOBODY, NOBODY)


def _drop_capabilities(libc: ctypes.CDLL) -> None:
    header = _CapabilityHeader(0x20080522, 0)
    _check(libc.capset(ctypes.byref(header), (ctypes.c_uint32 * 6)()))


def _forbid_gains(libc: ctypes.CDLL, parent: int) -> None:
    """Gain nothing by exec, die with the starter, show no memory to others."""
    _check(libc.prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0))
    _check(libc.prctl(PR_SET_DUMPABLE, 0, 0, 0, 0))
    _check(libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0))
    if os.getppid() != parent:
        os._exit(0)  # The starter went before the kernel was told to watch it.


def _limit(space: int) -> None:
    for what, most in (
        (resource.RLIMIT_CORE, 0),
        (resource.RLIMIT_FSIZE, 0),
        (resource.RLIMIT_CPU, 600),
        (resource.RLIMIT_AS, space),
        (resource.RLIMIT_NPROC, 0),
        (resource.RLIMIT_NOFILE, 1),  # Descriptor 0 is the way home; no other can be opened.
    ):
        resource.setrlimit(what, (most, most))


def _filter_calls(libc: ctypes.CDLL) -> None:
    """Refuse every system call that is not in the list (EPERM), and executable memory.

    Classic BPF as of seccomp(2): load the architecture and the number, compare, return.
    """
    if sys.platform != "linux" or platform.machine() not in _CALLS:
        raise OSError(f"no filter is written for {sys.platform} on {platform.machine()}")
    architecture, free, checked = _CALLS[platform.machine()]
    load, equal, masked, give = 0x20, 0x15, 0x45, 0x06
    kill, refuse, allow = 0x80000000, 0x00050001, 0x7FFF0000
    steps = [
        (load, 0, 0, 4),
        (equal, 1, 0, architecture),
        (give, 0, 0, kill),
        (load, 0, 0, 0),
    ]
    for number in checked:
        # Another call: skip four. Else load the low half of its third argument; is PROT_EXEC set?
        steps += [
            (equal, 0, 4, number),
            (load, 0, 0, 32),
            (masked, 0, 1, 4),
            (give, 0, 0, refuse),
            (give, 0, 0, allow),
        ]
    for number in free:
        steps += [(equal, 0, 1, number), (give, 0, 0, allow)]
    steps.append((give, 0, 0, refuse))
    code = b"".join(struct.pack("=HBBI", *step) for step in steps)
    program = _Program(len(steps), code)
    _check(libc.prctl(PR_SET_SECCOMP, 2, ctypes.byref(program), 0, 0))
