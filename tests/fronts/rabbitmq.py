"""Debian's RabbitMQ with its plugins for MQTT and for asking over HTTP."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

from ports import free_ports

SERVER = Path("/usr/lib/rabbitmq/bin/rabbitmq-server")
START_TIMEOUT_S = 90.0


@contextlib.contextmanager
def running(directory: Path, configuration: str, management: int) -> Iterator[int]:
    """Run a node, with its management on a port, for a block; gives the port of MQTT."""
    assert SERVER.exists(), "RabbitMQ is not installed; run scripts/system-packages peers."
    directory.mkdir(parents=True)
    amqp, distribution, mqtt, epmd = free_ports(4)
    lines = [
        f"listeners.tcp.default = 127.0.0.1:{amqp}",
        f"mqtt.listeners.tcp.default = 127.0.0.1:{mqtt}",
        "management.tcp.ip = 127.0.0.1",
        f"management.tcp.port = {management}",
        "loopback_users = none",
        "log.file.level = debug",
        configuration,
    ]
    (directory / "rabbitmq.conf").write_text("\n".join(lines))
    (directory / "plugins").write_text(
        "[rabbitmq_mqtt,rabbitmq_auth_backend_http,rabbitmq_management]."
    )
    environment = {
        "PATH": os.environ["PATH"],
        "HOME": str(directory),
        "RABBITMQ_NODENAME": f"moorage{mqtt}@localhost",
        "RABBITMQ_CONFIG_FILE": str(directory / "rabbitmq.conf"),
        "RABBITMQ_CONF_ENV_FILE": str(directory / "none"),
        "RABBITMQ_ENABLED_PLUGINS_FILE": str(directory / "plugins"),
        "RABBITMQ_MNESIA_BASE": str(directory / "mnesia"),
        "RABBITMQ_LOG_BASE": str(directory / "log"),
        "RABBITMQ_DIST_PORT": str(distribution),
        "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": "-kernel inet_dist_use_interface {127,0,0,1}",
        "ERL_EPMD_ADDRESS": "127.0.0.1",
        "ERL_EPMD_PORT": str(epmd),
    }
    with contextlib.ExitStack() as stack:
        log = stack.enter_context((directory / "output.log").open("ab"))
        # A node that finds no daemon of names starts one that outlives it.
        daemon = shutil.which("epmd")
        assert daemon is not None
        for command in ([daemon], [str(SERVER)]):
            process = subprocess.Popen(
                command, env=environment, stdout=log, stderr=log, start_new_session=True
            )
            stack.callback(_end, process)
        _await(directory / "output.log", process)
        yield mqtt


def _await(log: Path, process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + START_TIMEOUT_S
    while b"Starting broker... completed" not in log.read_bytes():
        assert process.poll() is None and time.monotonic() < deadline, log.read_text()[-2000:]
        time.sleep(0.1)


def _end(process: subprocess.Popen[bytes]) -> None:
    # The shell that starts the node waits for it; they are a session of their own.
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGTERM)
    with contextlib.suppress(subprocess.TimeoutExpired):
        process.wait(20)
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()
