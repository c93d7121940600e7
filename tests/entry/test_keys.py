"""What the first start makes: the root key and the doors' certificate."""

from __future__ import annotations

import asyncio
import base64
import ssl
import stat
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import time_machine

from moorage.entry import root_key, tls
from moorage.entry.settings import Settings, read

KEY = base64.b64encode(bytes(range(32))).decode()


def settings(data_dir: Path, **more: str) -> Settings:
    return read({"MOORAGE_DATA_DIR": str(data_dir), **more}).settings


def test_the_root_key_is_made_once_and_only_its_owner_reads_it(tmp_path: Path) -> None:
    made = root_key.load(settings(tmp_path))
    assert len(made) == 32
    assert root_key.load(settings(tmp_path)) == made
    assert stat.S_IMODE((tmp_path / "root.key").stat().st_mode) == 0o600
    assert [path.name for path in tmp_path.iterdir()] == ["root.key"]


def test_processes_that_start_at_once_agree_on_the_root_key(tmp_path: Path) -> None:
    script = (
        "from moorage.entry import root_key; from moorage.entry.settings import read;"
        "print(root_key.load(read().settings).hex())"
    )
    running = [
        subprocess.Popen(
            [sys.executable, "-c", script],
            env={"MOORAGE_DATA_DIR": str(tmp_path)},
            stdout=subprocess.PIPE,
            text=True,
        )
        for _ in range(4)
    ]
    assert len({process.communicate()[0] for process in running}) == 1


def test_the_root_key_comes_from_the_environment_or_a_command(tmp_path: Path) -> None:
    assert root_key.load(settings(tmp_path, MOORAGE_ROOT_KEY=KEY)) == bytes(range(32))
    command = f"echo {KEY}"
    found = root_key.load(settings(tmp_path, MOORAGE_ROOT_KEY_COMMAND=command))
    assert found == bytes(range(32))
    assert not (tmp_path / "root.key").exists()


def test_a_root_key_that_is_none_is_refused_without_showing_it(tmp_path: Path) -> None:
    for wrong in ("c2hvcnQ=", "not base64!"):
        with pytest.raises(root_key.RootKeyMalformed) as refused:
            root_key.load(settings(tmp_path, MOORAGE_ROOT_KEY=wrong))
        assert wrong not in str(refused.value)
    for command in ("false", "/no/such/program"):
        with pytest.raises(root_key.RootKeyCommandFailed):
            root_key.load(settings(tmp_path, MOORAGE_ROOT_KEY_COMMAND=command))


def test_a_root_key_that_others_may_read_is_refused(tmp_path: Path) -> None:
    root_key.load(settings(tmp_path))
    (tmp_path / "root.key").chmod(0o644)
    with pytest.raises(root_key.RootKeyExposed, match="chmod 600"):
        root_key.load(settings(tmp_path))


async def shake_hands(files: tls.ServerCertificate, name: str) -> None:
    """Connect over TLS as a device that trusts the authority alone and checks the name."""
    door = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    door.load_cert_chain(files.certificate, files.key)
    device = ssl.create_default_context(cafile=str(files.authority))
    device.verify_flags |= ssl.VERIFY_X509_STRICT

    async def greet(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"hello")
        writer.close()
        await writer.wait_closed()

    server = await asyncio.start_server(greet, "127.0.0.1", 0, ssl=door)
    async with server:
        port = server.sockets[0].getsockname()[1]
        reader, writer = await asyncio.open_connection(
            "127.0.0.1", port, ssl=device, server_hostname=name
        )
        assert await reader.read() == b"hello"
        writer.close()
        await writer.wait_closed()


async def test_devices_reach_the_door_under_each_of_its_names(tmp_path: Path) -> None:
    files = tls.server_certificate(settings(tmp_path, MOORAGE_PUBLIC_URL="https://iot.example.org"))
    for name in ("localhost", "127.0.0.1", "::1", "iot.example.org"):
        await shake_hands(files, name)
    with pytest.raises(ssl.SSLCertVerificationError):
        await shake_hands(files, "other.example.org")


async def test_the_certificate_stays_until_it_ages_or_the_host_name_changes(
    tmp_path: Path,
) -> None:
    files = tls.server_certificate(settings(tmp_path))
    assert files.authority is not None
    first, authority = files.certificate.read_bytes(), files.authority.read_bytes()
    assert stat.S_IMODE(files.key.stat().st_mode) == 0o600

    assert tls.server_certificate(settings(tmp_path)) == files
    assert files.certificate.read_bytes() == first

    tls.server_certificate(settings(tmp_path, MOORAGE_PUBLIC_URL="https://new.example.org"))
    second = files.certificate.read_bytes()
    assert second != first
    await shake_hands(files, "new.example.org")

    with time_machine.travel(datetime.now(UTC) + timedelta(days=380)):
        tls.server_certificate(settings(tmp_path))
    assert files.certificate.read_bytes() != second
    assert files.authority.read_bytes() == authority


def test_configured_certificates_are_used_and_a_missing_one_is_named(tmp_path: Path) -> None:
    made = tls.server_certificate(settings(tmp_path / "a"))
    given = {
        "MOORAGE_TLS_CERTIFICATE": str(made.certificate),
        "MOORAGE_TLS_KEY": str(made.key),
    }
    found = tls.server_certificate(settings(tmp_path / "b", **given))
    assert found == tls.ServerCertificate(made.certificate, made.key, None)
    assert not (tmp_path / "b").exists()

    given["MOORAGE_TLS_KEY"] = str(tmp_path / "missing.key")
    with pytest.raises(tls.CertificateUnreadable, match="MOORAGE_TLS_KEY"):
        tls.server_certificate(settings(tmp_path / "b", **given))
