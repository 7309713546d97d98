"""Where a setting's value comes from, and what a wrong one says."""

from __future__ import annotations

from pathlib import Path

import pytest

from runner.settings import Settings, SettingsError, load_settings, variable


@pytest.fixture(autouse=True)
def no_outer_settings(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for field in Settings.model_fields:
        monkeypatch.delenv(variable(field), raising=False)
    monkeypatch.delenv("COMFYC_CONFIG", raising=False)
    monkeypatch.chdir(tmp_path)


def test_every_setting_is_documented_in_one_line() -> None:
    for field, info in Settings.model_fields.items():
        assert info.description, f"{field} has no line of documentation"
        assert "\n" not in info.description.strip(), field


def test_the_command_line_beats_the_environment_beats_the_file(monkeypatch: pytest.MonkeyPatch) -> None:
    Path("comfyc.toml").write_text('host = "file"\nport = 1\nurl_seconds = 5\n')
    monkeypatch.setenv("COMFYC_HOST", "environment")
    monkeypatch.setenv("COMFYC_PORT", "2")
    settings = load_settings(port=3, host=None)
    assert (settings.port, settings.host, settings.url_seconds) == (3, "environment", 5)


def test_the_file_can_be_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "other.toml").write_text('comfyui_home = "/srv/comfyui"\nallow_hosts = ["a", "b"]\n')
    monkeypatch.setenv("COMFYC_CONFIG", str(tmp_path / "other.toml"))
    settings = load_settings()
    assert settings.comfyui_home == Path("/srv/comfyui")
    assert settings.allow_hosts == ("a", "b")


def test_lists_are_written_with_commas(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COMFYC_ALLOW_HOSTS", "10.0.0.1, media.internal,")
    monkeypatch.setenv("COMFYC_API_KEYS", "acme:ext_1,beta:ext_2")
    monkeypatch.setenv("COMFYUI_HOME", "/srv/comfyui")
    settings = load_settings()
    assert settings.allow_hosts == ("10.0.0.1", "media.internal")
    assert [(tenant, key.get_secret_value()) for tenant, key in settings.api_keys] == [
        ("acme", "ext_1"),
        ("beta", "ext_2"),
    ]
    assert settings.comfyui_home == Path("/srv/comfyui")


def test_keys_in_the_file_are_a_table() -> None:
    Path("comfyc.toml").write_text('[api_keys]\nacme = "ext_1"\n')
    assert [(tenant, key.get_secret_value()) for tenant, key in load_settings().api_keys] == [("acme", "ext_1")]


def test_secrets_are_not_printed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COMFYC_API_KEYS", "acme:ext_topsecret")
    monkeypatch.setenv("COMFYC_ADMIN_KEYS", "topsecret")
    monkeypatch.setenv("COMFYC_URL_SECRET", "topsecret")
    assert "topsecret" not in repr(load_settings())


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("COMFYC_PORT", "eighty", "COMFYC_PORT: Input should be a valid integer"),
        ("COMFYC_SANDBOX_VERSION", "1.0", "COMFYC_SANDBOX_VERSION: Input should be '0.3.64' or '0.8.0'"),
        ("COMFYC_API_KEYS", "acme", "COMFYC_API_KEYS: write it as tenant:key,tenant:key"),
        ("COMFYC_DATABSE", "x", "COMFYC_DATABSE: is not a setting. Did you mean 'COMFYC_DATABASE'?"),
        ("COMFYC_CONFIG", "/nowhere.toml", "COMFYC_CONFIG: '/nowhere.toml' is not a file. Name a TOML file"),
    ],
)
def test_a_wrong_value_names_its_variable(monkeypatch: pytest.MonkeyPatch, name: str, value: str, message: str) -> None:
    monkeypatch.setenv(name, value)
    with pytest.raises(SettingsError) as caught:
        load_settings()
    assert message in str(caught.value)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('databse = "x"\n', "databse: Extra inputs are not permitted. Did you mean 'database'?"),
        ("port = \n", "comfyc.toml: Invalid value"),
    ],
)
def test_a_wrong_file_says_where(text: str, message: str) -> None:
    Path("comfyc.toml").write_text(text)
    with pytest.raises(SettingsError) as caught:
        load_settings()
    assert message in str(caught.value)


def test_defaults_are_filled_in(tmp_path: Path) -> None:
    settings = load_settings(data=tmp_path / "kept")
    assert settings.database_url == f"sqlite:///{tmp_path}/kept/comfyc.db"
    assert settings.storage_dir == tmp_path / "kept" / "storage"


def test_hours_by_dialect(monkeypatch: pytest.MonkeyPatch) -> None:
    assert load_settings().media_hours == (("fusara", 24.0),)
    monkeypatch.setenv("COMFYC_MEDIA_HOURS", "fusara:1.5, ext:72")
    assert load_settings().media_hours == (("fusara", 1.5), ("ext", 72.0))
    monkeypatch.setenv("COMFYC_MEDIA_HOURS", "")
    assert load_settings().media_hours == ()
    monkeypatch.delenv("COMFYC_MEDIA_HOURS")
    Path("comfyc.toml").write_text("media_hours = {ext = 2}\n")
    assert load_settings().media_hours == (("ext", 2.0),)
    for wrong in ("24", "fusara", "fusara:long", "fusara:-1", ":3"):
        with monkeypatch.context() as patch:
            patch.setenv("COMFYC_MEDIA_HOURS", wrong)
            with pytest.raises(SettingsError, match="write it as dialect:hours"):
                load_settings()


@pytest.mark.parametrize(
    ("given", "folder"),
    [
        ({}, "data/models/loras"),
        ({"comfyui_home": "/srv/ComfyUI"}, "/srv/ComfyUI/models/loras"),
        ({"comfyui_home": "/srv/ComfyUI", "models": "/mnt/models"}, "/mnt/models/loras"),
    ],
)
def test_where_imported_models_go(given: dict[str, str], folder: str) -> None:
    assert load_settings(**given).loras_dir == Path(folder)
