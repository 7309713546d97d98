"""What a job is asked to do, whoever asked for it: parsed at admission, and again from its row for every attempt."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Annotated, Any, Final, Protocol

from pydantic import ConfigDict, Field

from compiler import (
    AssetRef,
    Catalog,
    Compiled,
    Library,
    LoraUse,
    Media,
    MediaRef,
    Provider,
    Request,
    compile_request,
    compile_template,
    parse_request,
    template_media,
    template_with_seed,
)
from compiler.provider import validated
from compiler.template.bind import find_template

TEMPLATES: Final = "comfyc"
"""The dialect of jobs that name a template instead of a provider; their provider is the template's id."""


class Work(Protocol):
    """A validated request of any kind. A value: `with_seed` gives another one."""

    @property
    def dialect(self) -> str: ...

    @property
    def provider(self) -> str:
        """Its name within the dialect."""
        ...

    @property
    def stored(self) -> dict[str, Any]:
        """The request as JSON: `parse_work` makes the same work of it again."""
        ...

    def with_seed(self, seed: int) -> Work:
        """With this seed, unless it has one: so that a job can be replayed."""
        ...

    def media_refs(self) -> tuple[MediaRef, ...]:
        """The media that it mentions; the caller finds and probes them."""
        ...

    def asset_refs(self) -> tuple[AssetRef, ...]:
        """The imported models that it mentions; the caller finds them and compiles with `library.extended(…)`."""
        ...

    def compile(self, media: Mapping[str, Media], library: Library, catalog: Catalog, prefix: str) -> Compiled:
        """The graph for one target, which saves files under `prefix`. Errors: RequestError, TargetError."""
        ...


@dataclass(frozen=True, slots=True)
class ProviderWork:
    """A request in the words of a dialect's provider."""

    kind: Provider
    request: Request

    @property
    def dialect(self) -> str:
        return self.kind.dialect

    @property
    def provider(self) -> str:
        return self.kind.name

    @property
    def stored(self) -> dict[str, Any]:
        return self.request.model_dump(mode="json", exclude_unset=True)

    def with_seed(self, seed: int) -> Work:
        return replace(self, request=self.kind.with_seed(self.request, seed))

    def media_refs(self) -> tuple[MediaRef, ...]:
        return self.kind.media_refs(self.request)

    def asset_refs(self) -> tuple[AssetRef, ...]:
        return self.kind.asset_refs(self.request)

    def compile(self, media: Mapping[str, Media], library: Library, catalog: Catalog, prefix: str) -> Compiled:
        return compile_request(self.kind, self.request, media, library, catalog, prefix=prefix)


class LoraRow(Request):
    """A LoRA and how strongly it is applied."""

    model_config = ConfigDict(extra="forbid")

    id: Annotated[str, Field(min_length=1)]
    """A row of the asset table, or a file of that name in the target's loras folder."""
    strength: Annotated[float, Field(ge=-10, le=10)] = 1.0
    """Multiplier; 0 has no effect."""


class TemplateBody(Request):
    """What is asked of a template."""

    model_config = ConfigDict(extra="forbid")

    template: str
    """Its id, `<family>/<name>`."""
    params: dict[str, Any] = {}
    """Its own parameters, by name."""
    loras: list[LoraRow] = []
    """Applied in this order."""
    stack: str = ""
    """Whose model files and sampling to take for what `params` leaves open; empty: that of its first example."""
    profile: str = ""
    """Of the stack; empty: its default."""
    outputs: list[str] = []
    """Which of its outputs; empty: all."""


@dataclass(frozen=True, slots=True)
class TemplateWork:
    """A template with parameters."""

    body: TemplateBody
    library: Library

    @property
    def dialect(self) -> str:
        return TEMPLATES

    @property
    def provider(self) -> str:
        return self.body.template

    @property
    def stored(self) -> dict[str, Any]:
        return self.body.model_dump(mode="json", exclude_unset=True)

    def with_seed(self, seed: int) -> Work:
        params = template_with_seed(self.body.template, self.body.params, self.library, seed)
        return replace(self, body=self.body.model_copy(update={"params": params}))

    def media_refs(self) -> tuple[MediaRef, ...]:
        return template_media(self.body.template, self.body.params, self.library)

    def asset_refs(self) -> tuple[AssetRef, ...]:
        return ()

    def compile(self, media: Mapping[str, Media], library: Library, catalog: Catalog, prefix: str) -> Compiled:
        body = self.body
        loras = [LoraUse(one.id, one.strength, f"loras[{index}].id") for index, one in enumerate(body.loras)]
        return compile_template(
            body.template,
            body.params,
            media,
            library,
            catalog,
            prefix=prefix,
            loras=loras,
            stack=body.stack,
            profile=body.profile,
            outputs=body.outputs,
        )


def parse_work(dialect: str, body: Mapping[str, Any], library: Library, *, operation: str = "") -> Work:
    """Validates a request, new or from a job's row. Errors: RequestError with every fault found."""
    if dialect == TEMPLATES:
        asked = validated(TemplateBody, body)
        find_template(asked.template, library)
        return TemplateWork(asked, library)
    return ProviderWork(*parse_request(dialect, body, operation=operation))
