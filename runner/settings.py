"""Every setting, one documented line each; docs/settings.md is generated from this file.

A value comes from, first wins: the command line, the environment (`COMFYC_DATABASE=…`), the TOML file, the default.
The TOML file is `./comfyc.toml`, or the one that `COMFYC_CONFIG` names; its keys are the field names below.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from ipaddress import ip_address
from pathlib import Path
from typing import Annotated, Any, ClassVar, Final, Literal, cast

from pydantic import AliasChoices, BeforeValidator, Field, SecretStr, ValidationError
from pydantic_settings import (
    BaseSettings,
    NoDecode,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    TomlConfigSettingsSource,
)

from compiler.errors import ComfycError, Fault, nearest

TENANT: Final = "default"
"""Tenant of the key that is made on first start."""
FOREIGN: Final = ("COMFYC_TEST_", "COMFYC_ENGINE_URL", "COMFYC_RECORDINGS")
"""Variables that only the tests read."""


class SettingsError(ComfycError):
    """A setting is wrong: names the variable, the fault and the cure."""


def _words(value: Any) -> Any:
    """`a, b` → (a, b); a TOML list stays as it is."""
    if not isinstance(value, str):
        return value
    return tuple(word for word in (part.strip() for part in value.split(",")) if word)


def _keys(value: Any) -> Any:
    """`tenant:key,…` → ((tenant, key), …); a TOML table `{tenant = "key"}` works too."""
    if isinstance(value, Mapping):
        return tuple(cast("Mapping[str, str]", value).items())
    if not isinstance(value, str):
        return value
    pairs = [word.partition(":") for word in _words(value)]
    if any(not (tenant and key) for tenant, _, key in pairs):
        raise ValueError("write it as tenant:key,tenant:key")
    return tuple((tenant, key) for tenant, _, key in pairs)


def _hours(value: Any) -> Any:
    """`dialect:hours,…` → ((dialect, hours), …); a TOML table `{dialect = 24}` works too."""
    if isinstance(value, Mapping):
        return tuple(cast("Mapping[str, float]", value).items())
    if not isinstance(value, str):
        return value
    pairs = [word.partition(":") for word in _words(value)]
    if any(not dialect or not _is_number(hours) for dialect, _, hours in pairs):
        raise ValueError("write it as dialect:hours,dialect:hours")
    return tuple((dialect, float(hours)) for dialect, _, hours in pairs)


def _is_number(text: str) -> bool:
    return bool(re.fullmatch(r"\d{1,6}(\.\d{1,6})?", text))


Words = Annotated[tuple[str, ...], NoDecode, BeforeValidator(_words)]
Paths = Annotated[tuple[Path, ...], NoDecode, BeforeValidator(_words)]
Hours = Annotated[tuple[tuple[str, float], ...], NoDecode, BeforeValidator(_hours)]
Keys = Annotated[tuple[tuple[str, SecretStr], ...], NoDecode, BeforeValidator(_keys)]


class Settings(BaseSettings):
    """What an operator can choose. Nothing here changes while the program runs."""

    model_config = SettingsConfigDict(
        env_prefix="COMFYC_", use_attribute_docstrings=True, extra="forbid", frozen=True, populate_by_name=True
    )
    config_variable: ClassVar[str] = "COMFYC_CONFIG"

    host: str = "127.0.0.1"
    """Address that the API listens on; `0.0.0.0` for every interface."""
    port: int = Field(8600, ge=0, le=65535)
    """Port of the API; 0 takes a free one."""
    public_url: str = ""
    """Address that callers reach the API at, written into media links; empty for `http://HOST:PORT`."""
    data: Path = Path("data")
    """Folder for everything that is kept: the SQLite file, media, keys, logs of managed engines."""
    database: str = ""
    """SQLAlchemy URL (`postgresql://user:password@host/name`); empty for a SQLite file in the data folder."""
    storage: str = ""
    """Folder for media; empty for `storage` in the data folder. Several machines must share it."""
    engine: str = "sandbox"
    """What runs the graphs: `sandbox`, `managed`, or URLs of running ComfyUIs, separated by commas."""
    comfyui_home: Path | None = Field(None, validation_alias=AliasChoices("COMFYUI_HOME", "comfyui_home"))
    """ComfyUI folder of the managed engine; run by the Python in `COMFYUI_PYTHON`, else by that of a venv inside."""
    instances: int = Field(1, ge=1, le=64)
    """How many sandboxes or managed ComfyUI processes to start."""
    models: Path | None = None
    """Models folder of managed ComfyUIs (empty: COMFYUI_HOME's), or of attached ones; imported LoRA go there."""
    devices: Words = ()
    """CUDA_VISIBLE_DEVICES of the managed processes, in turn, separated by commas; empty for every GPU there is."""
    comfy_org_key: SecretStr = SecretStr("")
    """Comfy.org's API key, which pays for partner nodes; sent to ComfyUI with graphs that hold one, and no others."""
    comfyui_arguments: str = ""
    """More arguments of ComfyUI's main.py for managed processes, as in a shell: `--lowvram --fast`."""
    sandbox_version: Literal["0.3.64", "0.8.0"] = "0.8.0"
    """ComfyUI version that the sandbox behaves like."""
    sandbox_step_seconds: float = Field(0.02, ge=0, le=60)
    """Seconds that the sandbox takes for one sampler step."""
    assets: Paths = ()
    """Files of asset rows (LoRA ids, checkpoints) read beside the shipped tables, separated by commas."""
    templates: Paths = ()
    """Folders of graph templates read beside the shipped ones, separated by commas."""
    active_jobs: int = Field(6, ge=1)
    """Most unfinished jobs of one tenant; one more is answered 429."""
    running_jobs: int = Field(30, ge=1)
    """Most jobs of one tenant that run at once, in all processes together; in Fusara's API also part of the next."""
    queued_jobs: int = Field(200, ge=0)
    """Most jobs of one tenant that wait beside those in Fusara's API; one more is answered 429."""
    media_hours: Hours = (("fusara", 24.0),)
    """How long uploads and results are kept, `dialect:hours,…`; those of other dialects, or with 0, for ever."""
    civitai_url: str = "https://civitai.com"
    """Address of the API that LoRA are imported from: Civitai, or a mirror of it."""
    civitai_token: SecretStr = SecretStr("")
    """Token of a Civitai account, for models that want one; sent to that address alone."""
    model_limit_mb: int = Field(4096, ge=1)
    """Largest model file that is imported, MB."""
    llm_backend: Literal["", "openai", "anthropic", "gemini", "ollama"] = ""
    """Protocol of the language model that prompts are enhanced with; its key is in the engine's environment."""
    llm_model: str = ""
    """That model's name there, `gpt-4o-mini`."""
    api_keys: Keys = ()
    """Fixed API keys, `tenant:key,…`; beside those made by `comfyc keys create`."""
    admin_keys: Annotated[tuple[SecretStr, ...], NoDecode, BeforeValidator(_words)] = ()
    """Keys that may read /metrics, separated by commas; empty: only this machine may, without a key."""
    allow_hosts: Words = ()
    """Hosts that media fetches and webhooks may reach although their address is private, separated by commas."""
    webhook_secret: SecretStr = SecretStr("")
    """Secret that signs webhooks (Standard Webhooks, `whsec_…`); empty: one is made and kept in the data folder."""
    url_secret: SecretStr = SecretStr("")
    """Secret that signs media links; empty: one is made and kept in the data folder. Several machines must share it."""
    url_seconds: int = Field(3600, ge=1)
    """How long a media link stays valid, in seconds."""
    log_level: Literal["debug", "info", "warning", "error"] = "info"
    """Least severe log line that is written."""
    log_format: Literal["console", "json"] = "console"
    """`console` for people, `json` for one object a line."""

    @property
    def alone(self) -> bool:
        """Whether only this machine can reach the API, and nobody was given a key in the settings."""
        here = self.host == "localhost" or _is_loopback(self.host)
        return here and not (self.api_keys or self.admin_keys or self.public_url)

    @property
    def database_url(self) -> str:
        """The database in use, the default filled in."""
        return self.database or f"sqlite:///{(self.data / 'comfyc.db').absolute()}"

    @property
    def loras_dir(self) -> Path:
        """Where imported LoRA go: the folder that the engines look for them in."""
        home = self.comfyui_home / "models" if self.comfyui_home else self.data / "models"
        return (self.models or home) / "loras"

    @property
    def storage_dir(self) -> Path:
        """The media folder in use, the default filled in."""
        return Path(self.storage) if self.storage else self.data / "storage"

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Command line, environment, TOML file; no .env and no secret files."""
        return init_settings, env_settings, TomlConfigSettingsSource(settings_cls, config_file())


def _is_loopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False


def config_file() -> Path:
    """The TOML file in use; it need not exist unless COMFYC_CONFIG names it."""
    return Path(os.environ.get(Settings.config_variable) or "comfyc.toml")


def variable(field: str) -> str:
    """The environment variable of a setting."""
    return "COMFYUI_HOME" if field == "comfyui_home" else f"COMFYC_{field.upper()}"


def load_settings(**given: Any) -> Settings:
    """Settings from all sources; `given` (the command line) wins, None counts as not given.

    Errors: SettingsError, one fault for each wrong value.
    """
    if os.environ.get(Settings.config_variable) and not config_file().is_file():
        raise SettingsError(Fault("COMFYC_CONFIG", f"{str(config_file())!r} is not a file", "Name a TOML file"))
    ours = (name for name in os.environ if name.startswith("COMFYC_") and not name.startswith(FOREIGN))
    unknown = [name for name in ours if name not in _variables()]
    if unknown:
        raise SettingsError(*(Fault(name, "is not a setting", nearest(name, _variables())) for name in unknown))
    try:
        return Settings(**{name: value for name, value in given.items() if value is not None})
    except ValidationError as error:
        raise SettingsError(*(_fault(detail["loc"], detail["msg"]) for detail in error.errors())) from error
    except ValueError as error:  # tomllib's errors are ValueErrors
        raise SettingsError(Fault(str(config_file()), str(error), "Write it as TOML")) from error


def _variables() -> frozenset[str]:
    return frozenset({Settings.config_variable, *(variable(name) for name in Settings.model_fields)})


def _fault(loc: tuple[int | str, ...], message: str) -> Fault:
    field = str(loc[0]) if loc else ""
    if field in Settings.model_fields:
        return Fault(variable(field), message.removeprefix("Value error, "))
    return Fault(variable(field) if field == "COMFYUI_HOME" else field, message, nearest(field, Settings.model_fields))
