"""fusara-providers.md: where each of Fusara's providers runs, what it loses elsewhere, and its fields."""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterable, Iterator
from functools import cache
from typing import TYPE_CHECKING, Any, Final

from generate import code, fields_table, listed, table

if TYPE_CHECKING:
    from compiler import Catalog, Compiled, Library, Media
    from compiler.provider import Provider
    from compiler.template.partner import PartnerRow

HEAD: Final = ("`__type`", "provider", "template", "complete on", "on a bare ComfyUI 0.3.64")
TARGET: Final = re.compile(r" \(ComfyUI 0\.3\.64[^)]*\)")
"""Behind a loss: what the column says already."""
INTRO: Final = """\
What each `__type` becomes. *Complete on* is the lowest ComfyUI version of the shipped schemas, or the node pack, with
which a plain request loses nothing; the last column is what a plain request is told where there is neither. Losses are
never silent: `comfyc compile` and `comfyc explain` print them, and the service keeps them with the job."""
PAID: Final = """\
Closed models are asked by ComfyUI's partner nodes, which Comfy.org bills: set `COMFYC_COMFY_ORG_KEY`. Where a core has
no node for a model, comfyc's own node asks the provider itself, with the provider's key in ComfyUI's environment: see
[providers of the nodes](nodes-providers.md). Of the ways that a target offers, the first that loses nothing is taken,
else the first."""


def page() -> str:
    from compiler.providers import dialects
    from compiler.providers.fusara.requests.base import Task

    providers = sorted(dialects()["fusara"].providers.values(), key=lambda one: int(one.discriminator))
    parts = ["# Fusara's providers", INTRO, table(HEAD, map(row, providers)), PAID]
    parts += ["## What every request has", fields_table(Task)]
    parts += [section for one in providers for section in sections(one)]
    return "\n\n".join(parts)


# --- where it runs ---------------------------------------------------------------------------------------------


def row(provider: Provider) -> tuple[str, ...]:
    bare = told(compiled(provider, target("0.3.64")))
    number, place = provider.discriminator, anchor(provider)
    full = complete_on(provider)
    made = compiled(provider, target(full[0] if full else "0.8.0+comfyc"))
    template = code(made.plan.template) if not isinstance(made, str) else ""
    return number, f"[{provider.name}](#{place})", template, listed(map(shown, full)), bare or "complete"


def complete_on(provider: Provider) -> list[str]:
    """The lowest version, and the packs on 0.3.64, with which nothing is lost."""
    from compiler.shipped import CATALOGS, partner_versions, shipped_versions

    packs = ["comfyc", *sorted(path.stem for path in (CATALOGS / "packs").glob("*.json"))]
    versions = [one for one in (*shipped_versions(), *partner_versions()) if not told(compiled(provider, target(one)))]
    if versions[:1] == ["0.3.64"]:
        return versions[:1]
    having = [f"0.3.64+{pack}" for pack in packs if not told(compiled(provider, target(f"0.3.64+{pack}")))]
    return [*versions[:1], *having]


def shown(name: str) -> str:
    version, _, pack = name.partition("+")
    return f"node pack `{pack}`" if pack else f"ComfyUI {version}"


def told(made: Compiled | str) -> str:
    if isinstance(made, str):
        return made
    return "; ".join(f"{code(one.field)}: {TARGET.sub('', one.why)}" for one in made.unsupported)


def compiled(provider: Provider, catalog: Catalog) -> Compiled | str:
    """A plain request, or why it cannot be compiled."""
    from compiler import TargetError, compile_request

    least: int = getattr(provider, "MEDIA", (0, 0))[0]
    body: dict[str, Any] = {"__type": int(provider.discriminator)}
    body |= {"Prompt": "a"} if provider.Request.model_fields["Prompt"].is_required() else {}
    body |= {"InputMediaIds": list(range(least))} if least else {}
    request = provider.Request.model_validate(body)
    try:
        media = AnyMedium(getattr(provider, "MEDIA_KIND", "image"))
        return compile_request(provider, provider.with_seed(request, 1), media, library(), catalog)
    except TargetError as error:
        return (
            f"not possible. {error.faults[0].cure}" if error.faults[0].cure.startswith("It needs") else "not possible"
        )


class AnyMedium(dict[str, "Media"]):
    """Something of that kind behind every reference."""

    def __init__(self, kind: Any) -> None:
        super().__init__()
        self._kind = kind

    def get(self, key: str, default: Any = None) -> Media:
        from compiler import Media

        return Media(f"{key}.png", self._kind, width=1280, height=720, alpha=True)


@cache
def library() -> Library:
    from compiler import load_library

    return load_library()


@cache
def target(name: str) -> Catalog:
    """`0.3.64`, `0.3.64+comfyc`."""
    from compiler import own_nodes, shipped_catalog
    from compiler.shipped import pack_nodes

    version, _, pack = name.partition("+")
    catalog = shipped_catalog(version)
    return catalog.extended((own_nodes() if pack == "comfyc" else pack_nodes(pack)).nodes) if pack else catalog


# --- what it takes ---------------------------------------------------------------------------------------------


def sections(provider: Provider) -> Iterator[str]:
    from compiler.providers.fusara.requests.base import Task

    yield f"## {provider.discriminator} {provider.name}"
    yield inspect.cleandoc(type(provider).__doc__ or "")
    yield f"`{place_of(provider)}`\n\n" + "\n".join(f"- {line}" for line in facts(provider))
    models = provider.Request.model_fields
    shared = {name for name, one in Task.model_fields.items() if name in models and repr(one) == repr(models[name])}
    hidden = {models[name].alias or name for name in {*shared, "type_"}}
    if models.keys() - {*shared, "type_"}:
        yield fields_table(provider.Request, without=hidden)
    if rows := list(dict.fromkeys(ways(provider))):
        yield "Ways, best first:\n\n" + table(("node", "of", "loses"), rows)


def place_of(provider: Provider) -> str:
    from compiler.providers import dialects

    return dialects()["fusara"].operations[provider.operation]


def facts(provider: Any) -> Iterator[str]:
    from compiler.providers.fusara.requests.base import PRESET_NAMES

    yield "Presets: " + listed(f"{one} {PRESET_NAMES[one]}" for one in sorted(provider.PRESETS))
    least, most = provider.MEDIA
    yield f"Input media: {'none' if not most else least if least == most else f'{least} to {most}'}"
    yield f"LoRA: {'yes' if provider.LORA else 'no'}"
    yield from (f"Refused: `{name}`. {why}" for name, why in provider.REFUSED.items())
    yield from (f"No effect: `{name}`, {why}" for name, why in provider.IGNORED.items())


def ways(provider: Any) -> Iterator[tuple[str, str, str]]:
    """The rows of a closed model's table."""
    if hasattr(provider, "TABLE"):
        for one in library().partner(provider.TABLE).table.rows:
            of = f"node pack `{one.pack}`" if one.pack else f"ComfyUI {one.since} and newer"
            yield code(one.node), of, "; ".join(losses(one))


def losses(one: PartnerRow) -> Iterable[str]:
    """What is lost always, in words; what may be lost, by name."""
    yield from (text for text in one.losses.values() if "{" not in text)
    if perhaps := [code(name) for name, text in one.losses.items() if "{" in text]:
        yield f"perhaps {listed(perhaps)}"


def anchor(provider: Provider) -> str:
    return f"{provider.discriminator}-{provider.name}".lower()
