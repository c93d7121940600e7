"""The fork server, with real processes."""

from __future__ import annotations

import ctypes
import os
import random
import secrets
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from moorage.entry import fork_server
from moorage.entry.fork_server import Forked, ForkServer
from moorage.kit.ids import uuid7

VARIABLE = "CHANNEL"


@pytest.fixture
def server() -> Iterator[ForkServer]:
    """Give one that can be asked; this process is the supervisor."""
    command = [sys.executable, "-P", __file__]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path), "OF": "this test"}
    made = ForkServer(command, environment)
    try:
        await_ready(made)
        yield made
    finally:
        made.stop()
        ctypes.CDLL(None).prctl(fork_server.PR_SET_CHILD_SUBREAPER, 0, 0, 0, 0)


def await_ready(server: ForkServer) -> None:
    deadline = time.monotonic() + 60
    while not server.tend():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def heard(server: ForkServer, *words: str, **environment: str) -> tuple[str, Forked]:
    """Give what the command says on its socket, and its process."""
    ours, theirs = socket.socketpair()
    with ours:
        with theirs:
            forked = server.fork(words, environment, theirs)
        ours.settimeout(30)
        return ours.makefile().read(), forked


def test_what_is_forked_has_its_words_its_environment_and_its_title(server: ForkServer) -> None:
    said, forked = heard(server, "say", "two words", NAME="Zürich \udcff")
    title, session, *rest = said.splitlines()
    assert title.strip() == "moorage say two words"
    assert int(session) == forked.pid
    assert psutil.Process(forked.pid).ppid() == os.getpid()
    assert rest == ["['two words']", r"{'NAME': 'Zürich \udcff'}"]
    assert forked.wait() == 7
    assert forked.poll() == 7


def test_what_is_forked_shares_no_chance(server: ForkServer) -> None:
    said = [heard(server, "draw")[0].split() for _ in range(4)]
    drawn = [word for words in said for word in words]
    assert len(drawn) == 4 * 4
    assert len(set(drawn)) == len(drawn)


def test_an_environment_may_be_large(server: ForkServer) -> None:
    said, _ = heard(server, "say", LARGE="x" * 1_000_000)
    assert f"{{'LARGE': '{'x' * 1_000_000}'}}" in said


def test_what_is_forked_is_known_by_the_environment_of_its_fork_server(server: ForkServer) -> None:
    forked = server.fork(["wait"], {"OF": "nobody"})
    assert psutil.Process(forked.pid).environ()["OF"] == "this test"
    forked.send_signal(signal.SIGKILL)
    forked.wait()


def test_a_signal_ends_what_is_forked_and_is_told(server: ForkServer) -> None:
    forked = server.fork(["wait"], {})
    assert forked.poll() is None
    forked.send_signal(signal.SIGTERM)
    assert forked.wait() == -signal.SIGTERM
    forked.send_signal(signal.SIGTERM)


def test_one_that_does_not_answer_is_given_up_and_followed(
    server: ForkServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fork_server, "ANSWER_S", 0.2)
    server.stop()
    await_ready(server)
    silent = psutil.Process(server.pid)
    silent.suspend()
    with pytest.raises(TimeoutError):
        server.fork(["wait"], {})
    assert not silent.is_running()
    await_ready(server)
    assert server.fork(["end"], {}).wait() == 0


def test_it_ends_with_its_supervisor() -> None:
    script = (
        "import os, sys, time\n"
        "from moorage.entry.fork_server import ForkServer\n"
        "server = ForkServer(sys.argv[1:], os.environ)\n"
        "while not server.tend(): time.sleep(0.02)\n"
        "print(server.pid, flush=True)\n"
        "time.sleep(600)\n"
    )
    command = [sys.executable, "-c", script, sys.executable, "-P", __file__]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as supervisor:
        assert supervisor.stdout is not None
        orphan = psutil.Process(int(supervisor.stdout.readline()))
        supervisor.kill()
    orphan.wait(30)


def main() -> None:
    """Be the fork server, which has drawn before it forks."""
    uuid7(), random.random(), Ed25519PrivateKey.generate()
    word, *words = fork_server.serve(int(sys.argv[1]), VARIABLE)
    if word == "end":
        sys.exit(0)
    if word == "wait":
        time.sleep(600)
    channel = socket.socket(fileno=int(os.environ.pop(VARIABLE)))
    if word == "say":
        title = Path("/proc/self/cmdline").read_bytes().replace(b"\0", b" ").decode()
        lines = [title, os.getsid(0), words, dict(os.environ)]
        channel.sendall("\n".join(map(str, lines)).encode())
        sys.exit(7)
    if word == "draw":
        key = Ed25519PrivateKey.generate().private_bytes_raw().hex()
        drawn = uuid7().int & ((1 << 62) - 1), secrets.token_hex(), random.random(), key
        channel.sendall(" ".join(map(str, drawn)).encode())


if __name__ == "__main__":
    main()
