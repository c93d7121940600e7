"""The command line, as an administrator types it."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from moorage.entry import cli, ports, root_key
from moorage.entry.settings import read


def moorage(*words: str, data_dir: Path, **variables: str) -> subprocess.CompletedProcess[str]:
    ours = {name: value for name, value in os.environ.items() if not name.startswith("MOORAGE_")}
    return subprocess.run(
        [sys.executable, "-m", "moorage.entry.cli", *words],
        env={**ours, "MOORAGE_DATA_DIR": str(data_dir), **variables},
        capture_output=True,
        text=True,
        timeout=60,
    )


@pytest.fixture
def taken_port() -> object:
    with socket.socket() as holder:
        holder.bind(("127.0.0.1", 0))
        holder.listen()
        yield holder.getsockname()[1]


def test_config_tells_value_and_origin_of_each_setting(tmp_path: Path) -> None:
    variables = {"MOORAGE_ROOT_KEY": "hunter2", "MOORAGE_WORKERS": "3"}
    table = moorage("config", "--port", "9000", data_dir=tmp_path, **variables)
    assert table.returncode == 0, table.stderr
    assert "hunter2" not in table.stdout

    answer = moorage("config", "--port", "9000", "--json", data_dir=tmp_path, **variables)
    rows = {row["setting"]: row for row in json.loads(answer.stdout)}
    assert (rows["api.port"]["value"], rows["api.port"]["from"]) == ("9000", "command line")
    assert (rows["workers"]["value"], rows["workers"]["from"]) == ("3", "MOORAGE_WORKERS")
    assert rows["root_key"]["value"] == "********"
    assert rows["mqtt.tls_port"]["from"] == "default"


def test_an_expected_failure_is_one_line_and_no_traceback(tmp_path: Path) -> None:
    failed = moorage("config", data_dir=tmp_path, MOORAGE_API_PROT="1")
    assert failed.returncode == 2
    assert failed.stderr.count("\n") == 1
    assert "Did you mean MOORAGE_API_PORT?" in failed.stderr

    failed = moorage("migrate", data_dir=tmp_path)
    assert failed.returncode == 1
    assert "Start it with `moorage run`" in failed.stderr


def test_a_taken_port_stops_the_start_before_anything_is_made(
    tmp_path: Path, taken_port: int
) -> None:
    failed = moorage("run", "--mqtt-port", str(taken_port), data_dir=tmp_path / "data")
    assert failed.returncode == 2
    assert f"Port {taken_port} on 127.0.0.1 is held by" in failed.stderr
    assert f"(process {os.getpid()})" in failed.stderr
    assert "MOORAGE_MQTT_PORT" in failed.stderr
    assert not (tmp_path / "data" / "postgres").exists()


def test_an_address_of_another_machine_is_refused_in_words() -> None:
    settings = read({"MOORAGE_API_HOST": "192.0.2.1"}).settings
    with pytest.raises(ports.PortForbidden, match="MOORAGE_API_PORT"):
        ports.check(settings, ports.API)


def test_doctor_finds_what_to_mend_and_ends_with_one(tmp_path: Path, taken_port: int) -> None:
    data_dir = tmp_path / "data"
    root_key.load(read({"MOORAGE_DATA_DIR": str(data_dir)}).settings)
    (data_dir / "root.key").chmod(0o644)
    answer = moorage("doctor", "--json", "--port", str(taken_port), data_dir=data_dir)
    found = {row["check"]: row for row in json.loads(answer.stdout)}

    assert answer.returncode == 1
    assert found["root key"]["mend"] == f"Run: chmod 600 {data_dir / 'root.key'}"
    assert found["api.port"]["health"] == "bad"
    assert found["disk speed"]["found"].startswith("a durable write takes")
    assert found["python"]["health"] == "good"


def test_doctor_looks_into_the_database(tmp_path: Path, database_url: str) -> None:
    answer = moorage("doctor", "--json", data_dir=tmp_path, MOORAGE_DATABASE_URL=database_url)
    found = {row["check"]: row for row in json.loads(answer.stdout)}
    assert found["database"]["found"].startswith("PostgreSQL")
    assert found["migrations"]["health"] == "good"

    nowhere = "postgresql://moorage@127.0.0.1:9/moorage"
    answer = moorage("doctor", "--json", data_dir=tmp_path, MOORAGE_DATABASE_URL=nowhere)
    found = {row["check"]: row for row in json.loads(answer.stdout)}
    assert answer.returncode == 1
    assert found["database"]["health"] == "bad"


def test_version_is_the_distribution_s(tmp_path: Path) -> None:
    assert moorage("version", data_dir=tmp_path).stdout.strip() == "0.1.0"


def test_users_are_listed_for_people_and_for_programs(tmp_path: Path, database_url: str) -> None:
    variables = {"MOORAGE_DATABASE_URL": database_url}
    added = moorage("user", "add", "list@example.org", "Lis", data_dir=tmp_path, **variables)
    assert added.returncode == 0, added.stderr
    table = moorage("user", "list", data_dir=tmp_path, **variables).stdout
    listed = json.loads(moorage("user", "list", "--json", data_dir=tmp_path, **variables).stdout)
    (lis,) = [row for row in listed if row["email"] == "list@example.org"]
    assert (lis["name"], lis["account"], lis["last sign-in"]) == ("Lis", "open", "never")
    assert lis["id"] in table


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_each_shell_is_told_every_command_and_option(tmp_path: Path, shell: str) -> None:
    script = tmp_path / "completion"
    words = ("--install-completion", "--shell", shell, "--output", str(script))
    made = moorage(*words, data_dir=tmp_path, HOME=str(tmp_path))
    assert made.returncode == 0, made.stderr
    written = script.read_text()
    for word in ("run", "phone", "grant-admin", "lan", "mqtt-tls-port", "json"):
        assert word in written, word


def test_bash_completes_commands_and_their_options(tmp_path: Path) -> None:
    script = tmp_path / "completion"
    words = ("--install-completion", "--shell", "bash", "--output", str(script))
    assert moorage(*words, data_dir=tmp_path, HOME=str(tmp_path)).returncode == 0

    def completed(*typed: str) -> list[str]:
        line = " ".join(f"'{word}'" for word in typed)
        asked = (
            f"source {script}; COMP_WORDS=({line}); COMP_CWORD={len(typed) - 1}; _moorage; "
            'printf "%s\\n" "${COMPREPLY[@]}"'
        )
        done = subprocess.run(["/bin/bash", "-c", asked], capture_output=True, text=True)
        return done.stdout.split()

    assert completed("moorage", "ru") == ["run"]
    assert completed("moorage", "user", "gr") == ["grant-admin"]
    assert completed("moorage", "run", "--la") == ["--lan"]
    assert "--json" in completed("moorage", "user", "list", "--")


def test_each_command_is_listed_with_its_own_first_sentence() -> None:
    for name in (name for name in cli.app if not name.startswith("-")):
        command = cli.app[name]
        function = command.default_command
        told = (function.__doc__ if function is not None else "") or command.help
        assert command.help.split("\n")[0].strip() == told.strip().split("\n")[0].strip(), name


def test_a_command_for_another_installation_waits_for_no_database_library() -> None:
    code = "import sys, moorage.entry.cli_things; print('sqlalchemy' in sys.modules)"
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert ran.stdout == "False\n"
