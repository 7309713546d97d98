"""POST and GET models (contract §11.8–11.9)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Final

from pydantic import AfterValidator, ConfigDict, Field, model_validator
from pydantic_core import PydanticCustomError

from compiler.errors import Fault, RequestError
from compiler.provider import Request, Whole
from runner.api.fusara.fields import fits
from runner.models.rows import Model

PAGE: Final = 20
LARGEST: Final = 100
MOST: Final = 1_000_000
"""Highest page number."""
HASH: Final = r"^[0-9A-Fa-f]{64}$"
_hash: Final = fits(HASH, "must be a SHA-256", "Give its 64 hex digits")


class ModelRequest(Request):
    """Which model to import: by version, by address, or both where they agree."""

    model_config = ConfigDict(extra="forbid")

    CivitaiModelVersionId: Annotated[Whole, Field(ge=1, le=10**12)] | None = None
    """Id of a model version at Civitai."""
    Url: Annotated[str, Field(min_length=1, max_length=2048)] | None = None
    """Civitai address of a model, of a version, or of its download."""
    SHA256Hash: Annotated[str, AfterValidator(_hash), Field(json_schema_extra={"pattern": HASH})] | None = None
    """SHA-256 of the file, hex; the import fails if it is another."""

    @model_validator(mode="after")
    def _one_at_least(self) -> ModelRequest:
        if self.CivitaiModelVersionId is None and self.Url is None:
            raise PydanticCustomError("model", "needs CivitaiModelVersionId or Url")
        return self


def told(model: Model) -> dict[str, Any]:
    """A model as callers see it; `state` and `progress` are our addition."""
    facts = model.facts
    return {
        "id": model.number,
        "name": facts.name,
        "baseModel": facts.base_model,
        "modelType": facts.kind,
        "trainedWords": list(facts.trained_words),
        "files": [
            {"name": file.name, "sizeKB": round(file.size / 1024, 1), "sha256": file.sha256} for file in facts.files
        ],
        "state": model.state.value,
        "progress": model.progress,
    }


def page_asked(query: Mapping[str, str]) -> tuple[int, int]:
    """(page number, page size) of a query, whose names may be in any case. Errors: RequestError."""
    wanted = (("PageNumber", 1, MOST), ("PageSize", PAGE, LARGEST))
    given = {name.lower(): text for name, text in query.items()}
    faults: list[Fault] = []
    found: list[int] = []
    for name, default, most in wanted:
        text = given.get(name.lower(), str(default))
        number = int(text) if text.isascii() and text.isdigit() and len(text) <= 9 else 0
        if not 1 <= number <= most:
            faults.append(Fault(name, f"{text[:20]!r} is out of range", f"Give a whole number from 1 to {most}"))
        found.append(number)
    if faults:
        raise RequestError(*faults)
    return found[0], found[1]
