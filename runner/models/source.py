"""Civitai's API: what a model version is, and where its files are (https://developer.civitai.com/docs/api/public-rest).

The address is a setting, so another server of the same API will do. A token goes to that address alone: it is not sent
on to the host that a download is redirected to.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from typing import Any, Final, cast
from urllib.parse import parse_qs, urlsplit

import httpx2

from compiler.errors import Fault, RequestError
from runner.store.guard import Guard

HOST: Final = "civitai.com"
TIMEOUT_S: Final = 20.0
MAX_ANSWER: Final = 8_000_000
"""Largest answer of the API, bytes: a model with hundreds of pictures has one."""
TYPES: Final = ("LORA", "LoCon", "DoRA")
"""Civitai's types of what our graphs load as LoRA."""
ENDING: Final = ".safetensors"
SHA256: Final = re.compile(r"[0-9a-f]{64}")
NUMBER: Final = re.compile(r"[0-9]{1,12}", re.ASCII)
EXPERT: Final = re.compile(r"(?<![a-z])(high|low)(?![a-z])", re.IGNORECASE)
MODEL_PATH: Final = re.compile(r"/models/(\d{1,12})(?:/[^/]*)?/?")
VERSION_PATHS: Final = (
    re.compile(r"/api/download/models/(\d{1,12})/?"),
    re.compile(r"(?:/api/v1)?/model-versions/(\d{1,12})/?"),
)


class SourceAway(Exception):
    """The source does not answer, or wants us to wait: trying again may help. The message is safe to show."""


@dataclass(frozen=True, slots=True)
class ModelFile:
    """One file of a version."""

    name: str
    url: str
    sha256: str = ""
    """Lower case; empty if the source does not tell."""
    size: int = 0
    """Bytes, about; 0 if unknown."""
    expert: str = "*"
    """`high` or `low` in a pair for two experts, else `*`."""


@dataclass(frozen=True, slots=True)
class ModelFacts:
    """What the source says of one version of a model."""

    version: int
    name: str
    base_model: str
    kind: str
    """Its type in the source's words: `LORA`."""
    trained_words: tuple[str, ...]
    files: tuple[ModelFile, ...]
    """Those that are imported."""

    def dump(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def load(cls, row: Mapping[str, Any]) -> ModelFacts:
        files = tuple(ModelFile(**file) for file in row["files"])
        return cls(row["version"], row["name"], row["base_model"], row["kind"], tuple(row["trained_words"]), files)


class Civitai:
    """Asks the API. `guard` must let its host pass; `field` in each call is what messages name."""

    def __init__(self, guard: Guard, base: str, token: str = "") -> None:
        self._guard, self._base, self._token = guard, base.rstrip("/"), token

    @property
    def headers(self) -> dict[str, str]:
        """For requests to the source itself."""
        return {"Authorization": f"Bearer {self._token}"} if self._token else {}

    async def version_of(self, url: str, field: str) -> int:
        """The version that an address of the source means. Errors: RequestError, SourceAway."""
        try:
            parts = urlsplit(url)
        except ValueError as error:
            raise _wrong(field, "is no address", f"Give one of a model at {HOST}", "bad_url") from error
        known = {HOST, f"www.{HOST}", urlsplit(self._base).hostname}
        if parts.scheme not in ("http", "https") or parts.hostname not in known:
            raise _wrong(field, "is no Civitai address", "Give the address of a model at civitai.com", "bad_url")
        for pattern in VERSION_PATHS:
            if found := pattern.fullmatch(parts.path):
                return int(found[1])
        asked = parse_qs(parts.query, keep_blank_values=True).get("modelVersionId")
        if asked and NUMBER.fullmatch(asked[0]):
            return int(asked[0])
        if not asked and (found := MODEL_PATH.fullmatch(parts.path)):
            return await self._newest(int(found[1]), field)
        raise _wrong(field, "names no model", "Give https://civitai.com/models/ID?modelVersionId=ID", "bad_url")

    async def facts(self, version: int, field: str) -> ModelFacts:
        """What a version is. Errors: RequestError if there is none or it is nothing that we import; SourceAway."""
        row = await self._get(f"/api/v1/model-versions/{version}", f"model version {version}", field)
        model = _object(row.get("model"))
        kind, name = str(model.get("type") or ""), str(model.get("name") or f"model version {version}")
        if kind not in TYPES:
            raise _wrong(field, f"{name!r} is of the type {kind or 'unknown'}", f"Give one of: {', '.join(TYPES)}")
        files = tuple(_chosen([_object(one) for one in _list(row.get("files"))]))
        if not files:
            raise _wrong(field, f"{name!r} has no {ENDING} file", "Only such files are taken: others may hold programs")
        words = tuple(str(word).strip() for word in _list(row.get("trainedWords")) if str(word).strip())
        return ModelFacts(version, name, str(row.get("baseModel") or ""), kind, words, files)

    async def _newest(self, model: int, field: str) -> int:
        row = await self._get(f"/api/v1/models/{model}", f"model {model}", field)
        versions = [_object(one) for one in _list(row.get("modelVersions"))]
        if not versions or not isinstance(versions[0].get("id"), int):
            raise _wrong(field, f"model {model} has no version", "Choose another", "unknown")
        return int(versions[0]["id"])

    async def _get(self, path: str, what: str, field: str) -> Mapping[str, Any]:
        try:
            async with (
                self._guard.guarded_client(timeout=TIMEOUT_S, follow_redirects=True) as client,
                client.stream("GET", self._base + path, headers=self.headers) as response,
            ):
                check_answer(response, what, field)
                data = bytearray()
                async for piece in response.aiter_bytes():
                    data += piece
                    if len(data) > MAX_ANSWER:
                        raise SourceAway("The model source's answer is too long.")
            return _object(httpx2.Response(200, content=bytes(data)).json())
        except (httpx2.HTTPError, OSError, ValueError) as error:
            raise SourceAway("The model source does not answer. Try again later.") from error


def check_answer(response: httpx2.Response, what: str, field: str) -> None:
    """Raises RequestError for what will not change, SourceAway for what may; returns for 200 and 206."""
    status = response.status_code
    if status in (200, 206):
        return
    if status in (401, 403):
        cure = "It needs an account: the operator sets COMFYC_CIVITAI_TOKEN to a token of one that may have it"
        raise _wrong(field, f"{what} is not given to everybody", cure, "forbidden")
    if status in (404, 410):
        raise _wrong(field, f"{what} is not known at the source", "Look its id up at civitai.com", "unknown")
    if status == 429:
        raise SourceAway("The model source wants us to wait. Try again later.")
    if 400 <= status < 500:
        raise _wrong(field, f"{what} was refused by the source ({status})", "Choose another", "refused")
    raise SourceAway(f"The model source failed ({status}). Try again later.")


def _chosen(files: list[Mapping[str, Any]]) -> Iterator[ModelFile]:
    """The primary safetensors file, or the pair of them for two experts."""
    fitting = [one for one in files if str(one.get("name") or "").lower().endswith(ENDING) and one.get("downloadUrl")]
    models = [one for one in fitting if one.get("type") in (None, "Model")] or fitting
    named = ((EXPERT.search(str(one["name"]).replace("_", " ")), one) for one in models)
    experts = [(found[1].lower(), one) for found, one in named if found]
    if sorted(expert for expert, _ in experts) == ["high", "low"]:
        yield from (_file(one, expert) for expert, one in experts)
    elif models:
        yield _file(next((one for one in models if one.get("primary")), models[0]), "*")


def _file(row: Mapping[str, Any], expert: str) -> ModelFile:
    hashes = _object(row.get("hashes"))
    size, digest = row.get("sizeKB"), str(hashes.get("SHA256") or "").lower()
    return ModelFile(
        str(row["name"]),
        str(row["downloadUrl"]),
        digest if SHA256.fullmatch(digest) else "",  # a part of it is in the file's name
        int(size * 1024) if isinstance(size, (int, float)) and math.isfinite(size) else 0,
        expert,
    )


def _object(value: Any) -> Mapping[str, Any]:
    return cast("Mapping[str, Any]", value) if isinstance(value, dict) else {}


def _list(value: Any) -> list[Any]:
    return cast("list[Any]", value) if isinstance(value, list) else []


def _wrong(field: str, what: str, cure: str, code: str = "unsupported") -> RequestError:
    return RequestError(Fault(field, what, cure, code))
