"""The configuration: where values come from, and what is refused."""

from __future__ import annotations

from pathlib import Path

import pytest

from moorage.entry.settings import Settings, read
from moorage.kit.settings import (
    Loaded,
    SettingInvalid,
    SettingsFileUnreadable,
    SettingUnknown,
    variable_of,
)


def shown(loaded: Loaded[Settings]) -> dict[str, tuple[str, str]]:
    return {setting.name: (setting.value, setting.origin) for setting in loaded.listed()}


def test_an_option_wins_over_a_variable_over_the_file_over_the_default(tmp_path: Path) -> None:
    file = tmp_path / "moorage.toml"
    file.write_text('log_level = "debug"\n[api]\nport = 1\n[mqtt]\nport = 2\ntls_port = 3\n')
    loaded = read(
        {
            "MOORAGE_DATA_DIR": str(tmp_path),
            "MOORAGE_MQTT_PORT": "20",
            "MOORAGE_MQTT_TLS_PORT": "30",
        },
        {"mqtt.tls_port": 300, "api.host": None},
    )
    found = shown(loaded)

    assert found["api.host"] == ("127.0.0.1", "default")
    assert found["api.port"] == ("1", f"{file}: api.port")
    assert found["log_level"] == ("debug", f"{file}: log_level")
    assert found["mqtt.port"] == ("20", "MOORAGE_MQTT_PORT")
    assert found["mqtt.tls_port"] == ("300", "command line")
    assert loaded.settings.mqtt.tls_port == 300


def test_one_setting_changes_the_host_name() -> None:
    settings = read({"MOORAGE_PUBLIC_URL": "https://iot.example.org/"}).settings
    assert settings.public_url == "https://iot.example.org"
    assert settings.host_name == "iot.example.org"
    assert read({"MOORAGE_API_PORT": "9000"}).settings.public_url == "http://localhost:9000"


def test_secrets_are_never_shown() -> None:
    secret = "postgresql://moorage:hunter2@db/moorage"
    loaded = read({"MOORAGE_DATABASE_URL": secret, "MOORAGE_ROOT_KEY": "hunter2"})
    assert loaded.settings.database_url is not None
    assert loaded.settings.database_url.get_secret_value() == secret
    assert "hunter2" not in repr(loaded)
    assert "hunter2" not in str(shown(loaded))


@pytest.mark.parametrize(
    ("environment", "said"),
    [
        ({"MOORAGE_API_PROT": "1"}, "no setting MOORAGE_API_PROT. Did you mean MOORAGE_API_PORT?"),
        ({"MOORAGE_ZZZ": "1"}, "no setting MOORAGE_ZZZ. `moorage config` lists them all."),
    ],
)
def test_an_unknown_variable_is_refused_and_the_nearest_named(
    environment: dict[str, str], said: str
) -> None:
    with pytest.raises(SettingUnknown) as refused:
        read(environment)
    assert said in str(refused.value)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[api]\nprot = 1\n", "no setting api.prot. Did you mean api.port?"),
        ("[apy]\nport = 1\n", "no setting apy."),
        ("api = 1\n", "no setting api."),
    ],
)
def test_an_unknown_key_of_the_file_is_refused(tmp_path: Path, text: str, said: str) -> None:
    (tmp_path / "moorage.toml").write_text(text)
    with pytest.raises(SettingUnknown) as refused:
        read({"MOORAGE_DATA_DIR": str(tmp_path)})
    assert said in str(refused.value)
    assert str(tmp_path / "moorage.toml") in str(refused.value)


@pytest.mark.parametrize(
    ("environment", "said"),
    [
        ({"MOORAGE_API_PORT": "many"}, "MOORAGE_API_PORT: api.port is wrong"),
        ({"MOORAGE_API_PORT": "70000"}, "MOORAGE_API_PORT: api.port is wrong"),
        ({"MOORAGE_TLS_KEY": "a"}, "MOORAGE_TLS_KEY: tls is wrong: certificate and key"),
        ({"MOORAGE_PUBLIC_URL": "iot.example.org"}, "write it as https://iot.example.org"),
        ({"MOORAGE_POSTGRES_OPTIONS": "a=b"}, "MOORAGE_POSTGRES_OPTIONS: postgres.options must"),
        ({"MOORAGE_API_CLIENT_CERTIFICATES": "true"}, "proxies that pass certificates on"),
        (
            {
                "MOORAGE_API_CLIENT_CERTIFICATES": "true",
                "MOORAGE_API_TRUSTED_PROXIES": '["0.0.0.0/0"]',
            },
            "name single proxies",
        ),
        ({"MOORAGE_API_CLIENT_CERTIFICATE_HEADER": "Authorization"}, "has `cert` in it"),
        ({"MOORAGE_API_CLIENT_CERTIFICATE_HEADER": "Client Cert"}, "has `cert` in it"),
    ],
)
def test_a_wrong_value_is_refused_with_the_place_it_came_from(
    environment: dict[str, str], said: str
) -> None:
    with pytest.raises(SettingInvalid) as refused:
        read(environment)
    assert said in str(refused.value)


def test_a_named_file_must_exist_and_be_toml(tmp_path: Path) -> None:
    with pytest.raises(SettingsFileUnreadable):
        read({"MOORAGE_CONFIG": str(tmp_path / "none.toml")})
    (tmp_path / "bad.toml").write_text("[api")
    with pytest.raises(SettingsFileUnreadable):
        read({"MOORAGE_CONFIG": str(tmp_path / "bad.toml")})


def test_the_file_in_the_data_directory_cannot_move_the_data_directory(tmp_path: Path) -> None:
    (tmp_path / "moorage.toml").write_text('data_dir = "/elsewhere"\n')
    with pytest.raises(SettingInvalid, match="cannot be moved"):
        read({"MOORAGE_DATA_DIR": str(tmp_path)})
    named = read({"MOORAGE_CONFIG": str(tmp_path / "moorage.toml")})
    assert named.settings.data_dir == Path("/elsewhere")


def test_every_setting_has_a_description_and_a_variable_of_its_own() -> None:
    listed = list(read({}).listed())
    assert all(setting.description for setting in listed)
    assert len({setting.variable for setting in listed}) == len(listed)
    assert variable_of("mqtt.tls_port") == "MOORAGE_MQTT_TLS_PORT"
