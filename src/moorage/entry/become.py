"""Take on the right identity, then become another program.

Run by path as a small script (`python -I -S become.py IDENTITY SIGNAL PARENT PROGRAM …`), so that
nothing runs between fork and exec in a process with threads.

IDENTITY is `same`, a numeric user id, or `namespace`: stay the owner of one's files, but look like
an ordinary user, for programs that refuse to run as root. SIGNAL is sent when PARENT dies.
"""

from __future__ import annotations

import ctypes
import os
import sys
from pathlib import Path

CLONE_NEWUSER = 0x10000000
PR_SET_PDEATHSIG = 1
NOBODY = 65534  # initdb wants a name for its user, and this one has a name everywhere.


def main(identity: str, death_signal: str, parent: str, *program: str) -> None:
    """Change identity, tie the life to the parent's, and execute `program`."""
    libc = ctypes.CDLL(None, use_errno=True)
    if identity == "namespace":
        owner, group = os.geteuid(), os.getegid()
        if libc.unshare(CLONE_NEWUSER) != 0:
            sys.exit(f"No user namespace can be made: {os.strerror(ctypes.get_errno())}.")
        Path("/proc/self/setgroups").write_text("deny")
        Path("/proc/self/uid_map").write_text(f"{NOBODY} {owner} 1")
        Path("/proc/self/gid_map").write_text(f"{NOBODY} {group} 1")
    elif identity != "same":
        os.setgroups([])
        os.setgid(int(identity))
        os.setuid(int(identity))
    # After the change of identity, which would clear it.
    libc.prctl(PR_SET_PDEATHSIG, int(death_signal))
    if os.getppid() != int(parent):
        sys.exit("The process that asked for this one is gone.")
    os.execv(program[0], program)  # noqa: S606


if __name__ == "__main__":
    main(*sys.argv[1:])
