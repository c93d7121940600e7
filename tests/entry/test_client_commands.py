"""`moorage tail`, `trace`, `send` and `decode` against a running installation, as typed."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from installation import DeviceKey, Installation, running

COMMAND = [sys.executable, "-P", "-m", "moorage.entry.cli"]
SCRIPT = "function decodeUplink(input) { return {data: {level: input.bytes[0] / 10}}; }"


@pytest.fixture(scope="module")
def platform(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installation]:
    with running(tmp_path_factory.mktemp("commands") / "data") as made:
        yield made


@pytest.fixture(scope="module")
def key(platform: Installation) -> DeviceKey:
    organization_id = platform.organization("Harbour")
    decoder_id = platform.decoder(organization_id, SCRIPT)
    application_id = platform.application(organization_id, "Quay")
    return platform.device(application_id, "Tide 1", decoder_id=decoder_id)


def moorage(
    platform: Installation, *words: str, **variables: str
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*COMMAND, *words],
        env=platform.environment() | variables,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_what_is_sent_is_seen_by_who_follows(
    platform: Installation, key: DeviceKey, tmp_path: Path
) -> None:
    seen = tmp_path / "seen"
    with seen.open("wb") as output:
        following = subprocess.Popen(
            [*COMMAND, "tail", "Tide 1"], env=platform.environment(), stdout=output
        )

    def send_until_seen() -> str:
        sent = moorage(platform, "send", "2a", "--hex", MOORAGE_DEVICE_KEY=key.secret)
        assert sent.returncode == 0, sent.stderr
        assert sent.stdout.startswith("202 ")
        return seen.read_text()

    try:
        platform.until(send_until_seen, "nothing is seen")
    finally:
        following.terminate()
        following.wait()
    line = seen.read_text().splitlines()[0]
    assert "Tide 1" in line
    assert "level=4.2" in line


def test_the_packets_of_a_device_are_watched_from_its_connection_on(
    platform: Installation, key: DeviceKey, tmp_path: Path
) -> None:
    seen = tmp_path / "seen"
    with seen.open("wb") as output:
        following = subprocess.Popen(
            [*COMMAND, "trace", "Tide 1"],
            env=platform.environment(),
            stdout=output,
            stderr=subprocess.STDOUT,
        )
    try:
        platform.until(lambda: b"Watching until" in seen.read_bytes(), "nothing begins")

        def publish_until_seen() -> bool:
            publish = ["mosquitto_pub", "-h", "127.0.0.1", "-p", str(platform.mqtt_port), "-V", "5"]
            words = ["-u", key.secret, "-i", "tide", "-t", "v1/up/level", "-m", "deep", "-q", "1"]
            subprocess.run([*publish, *words], check=True, timeout=30)
            return b"DISCONNECT" in seen.read_bytes()

        platform.until(publish_until_seen, "nothing is seen")
    finally:
        following.terminate()
        following.wait()
    said = seen.read_text()
    assert key.secret not in said
    connect, connack, publish, puback = (
        next(line for line in said.splitlines() if f" {kind} " in line)
        for kind in ("CONNECT", "CONNACK", "PUBLISH", "PUBACK")
    )
    assert " tide → CONNECT " in connect
    assert "userName=***" in connect
    assert " tide ← CONNACK " in connack
    assert "QoS 1, v1/up/level, 4 bytes, deep" in publish
    assert "id 1" in puback


def test_bytes_are_decoded_by_name_by_device_and_by_guess(
    platform: Installation, key: DeviceKey
) -> None:
    for words in (("--device", "tide 1"), ("--device", key.id)):
        done = moorage(platform, "decode", "2a", *words)
        assert done.returncode == 0, done.stderr
        assert json.loads(done.stdout) == {"level": 4.2}
    guessed = moorage(platform, "decode", "0167FFD7")
    assert guessed.returncode == 0, guessed.stderr
    assert "-4.1" in guessed.stdout


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("send", "{}", "--key", "wrong"), "credentials"),
        (("send", "zz", "--hex", "--key", "x"), "hex"),
        (("trace", "Nobody"), "None of the devices is named Nobody."),
        (("tail", "Nobody"), "None of the devices is named Nobody."),
        (("decode", "2a", "--decoder", "Nothing"), "None of the decoders is named Nothing."),
        (("tail", "--api-key", "wrong"), ""),
        (("tail", "--url", "http://127.0.0.1:9"), "--api-key"),
        (("tail", "--url", "http://127.0.0.1:9", "--api-key", "x"), "does not answer"),
    ],
)
def test_a_failure_is_one_line(platform: Installation, words: tuple[str, ...], says: str) -> None:
    done = moorage(platform, *words)
    assert done.returncode in (1, 2)
    assert done.stderr.count("\n") == 1, done.stderr
    assert says in done.stderr
