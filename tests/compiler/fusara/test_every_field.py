"""Nothing that a request says is dropped in silence: each field alone changes the graph, is reported, or is known, with
a reason, to say what holds anyway."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml
from compiling import compiled

from compiler import RequestError, TargetError, dialects
from compiler.plan import Unsupported
from compiler.providers.fusara.base import FusaraProvider
from compiler.providers.fusara.requests.base import PREVIOUS_VIDEO, SUPPLEMENTS

TABLE: dict[str, Any] = yaml.safe_load((Path(__file__).parent / "every_field.yaml").read_text())
TARGETS = ("0.3.64+comfyc", "0.8.0", "0.33.0")
"""The first has a way for every provider; of the others, the partner nodes differ."""
PROVIDERS = [one for one in dialects()["fusara"].providers.values() if isinstance(one, FusaraProvider)]
LISTS = {"TaskPresets", "TaskPresetGroups", "TaskModels", "InputMediaIds", "InputMediaExternalUrls"}
CALLBACK = {"CompletionCallbackUrl", "CompletionTimeout"}
PICTURE, OTHER, CLIP = (f"https://media.test/{name}" for name in ("wide.png", "tall.png", "clip.mp4"))
PART_OF = {"LoRATriggerString": "Prompt"}
"""Field → the field that it becomes part of: a report on that one is enough."""
BY_NAME = pytest.mark.parametrize("provider", PROVIDERS, ids=lambda one: f"{one.discriminator}-{one.name}")

Outcome = tuple[Mapping[str, Any], tuple[Unsupported, ...]]


@BY_NAME
def test_each_value_of_each_field_is_honoured_or_reported(provider: FusaraProvider) -> None:
    silent: dict[str, set[Any]] = {}
    for target in TARGETS:
        for body in bodies(provider):
            plain = outcome(body, target)
            for field, value in values(provider) if plain else ():
                given = outcome({**body, field: value}, target)
                if plain and given and value != stands(provider, body, field) and not heard(field, plain, given):
                    silent.setdefault(field, set()).add(value)
    known = {field: set(reasons) for field, reasons in TABLE["known"].get(int(provider.discriminator), {}).items()}
    shared = {field: set(reasons) for field, reasons in TABLE["everywhere"].items()}
    assert {field: found for field, found in silent.items() if not found <= shared.get(field, set())} == known


@BY_NAME
def test_each_preset_is_honoured_or_reported(provider: FusaraProvider) -> None:
    body = bodies(provider)[0]
    plain = sent(body)
    for kind in sorted(provider.PRESETS | SUPPLEMENTS | set(getattr(provider, "TOLERATED", {}))):
        medium = {} if kind in SUPPLEMENTS else {"ExternalUrl": CLIP if kind == PREVIOUS_VIDEO else PICTURE}
        beside = TABLE["beside"].get(int(provider.discriminator), {}).get(kind, [])
        preset = {"__type": kind, **medium}
        given = sent({**body, "TaskPresets": [preset, *beside]})
        assert heard("TaskPresets[0]", plain, given), preset
        for more in ({"Weight": 0}, {"Weight": 0.5}, {"Weight": 1.5}, {"Value": "neon"}, {"ExternalUrl": OTHER}):
            if not more.keys() & medium.keys():
                varied = sent({**body, "TaskPresets": [{**preset, **more}, *beside]})
                assert heard("TaskPresets[0]", given, varied), (preset, more)


@BY_NAME
def test_each_lora_counts_by_number_and_strength(provider: FusaraProvider) -> None:
    body = bodies(provider)[0]
    if not provider.LORA:
        with pytest.raises(RequestError, match="takes no LoRA"):
            compiled({**body, "TaskModels": [{"ModelId": 901}]}, TARGETS[0], "fusara")
        return
    model = TABLE["lora"][int(provider.discriminator)]
    graphs: list[Mapping[str, Any]] = [sent(body)[0]]
    for strengths in ([0.5], [1.0], [-1.0], [1.0, 0.5], [0.5, 1.0], [1.0, 0.5, 2.0]):
        given = sent({**body, "TaskModels": [{"ModelId": model, "Strength": one} for one in strengths]})
        assert given[0] not in graphs, strengths
        graphs.append(given[0])
    assert sent({**body, "TaskModels": [{"ModelId": model, "Strength": 0}]})[0] == graphs[0]


def stands(provider: FusaraProvider, body: dict[str, Any], field: str) -> Any:
    """What holds without a change: the body's value, or the default that the request model declares."""
    return body.get(field, provider.Request.model_fields[field].default)


def heard(field: str, before: Outcome, after: Outcome) -> bool:
    """Whether the graph is another one, or a report names the field."""
    names = {field, PART_OF.get(field, field)}
    told = [one for one in (*before[1], *after[1]) if any(one.field.startswith(name) for name in names)]
    return before[0] != after[0] or bool(told)


def outcome(body: dict[str, Any], target: str) -> Outcome | None:
    """What is sent, and what is reported; None if the request or the target is refused."""
    try:
        return sent(body, target)
    except (RequestError, TargetError):
        return None


def sent(body: dict[str, Any], target: str = TARGETS[0]) -> Outcome:
    """Our own nodes for closed models do not send their seed."""
    made = compiled(body, target, "fusara")
    graph: dict[str, Any] = {}
    for name, node in made.api.items():
        hidden = {"seed"} if node["class_type"].startswith("ComfycProvider") else set[str]()
        graph[name] = {**node, "inputs": {key: one for key, one in node["inputs"].items() if key not in hidden}}
    return graph, made.unsupported


def bodies(provider: FusaraProvider) -> list[dict[str, Any]]:
    """The least request, and those that reach other rows and branches."""
    number = int(provider.discriminator)
    least: dict[str, Any] = {"__type": number, "Prompt": "a cat", **TABLE["least"].get(number, {})}
    if provider.MEDIA[0] and "InputMediaIds" not in least:
        least["InputMediaIds"] = [2]
    return [least, *({**least, **more} for more in TABLE["also"].get(number, ()))]


def values(provider: FusaraProvider) -> Iterator[tuple[str, Any]]:
    """(field, value): each choice, both ends of a range and what lies between, some text."""
    schema = provider.Request.model_json_schema(by_alias=True)
    for field, spec in schema["properties"].items():
        if field not in LISTS | CALLBACK | {"__type"}:
            for value in dict.fromkeys(of_schema(spec)):
                yield field, value


def of_schema(spec: dict[str, Any]) -> Iterator[Any]:
    for one in (*spec.get("anyOf", ()), *spec.get("oneOf", ())):
        yield from of_schema(one)
    yield from spec.get("enum", [spec["const"]] if "const" in spec else [])
    kind = spec.get("type")
    if kind == "boolean":
        yield from (True, False)
    elif kind == "string" and "enum" not in spec:
        yield "neon"
    elif kind in ("integer", "number"):
        least = spec.get("minimum", spec.get("ge", spec.get("exclusiveMinimum", 0)))  # pydantic writes either
        most = spec.get("maximum", spec.get("le"))
        some = (least, 1, 9) if most is None else (least, *range(1, 6), (least + most) // 2, most)
        yield from (one for one in some if least <= one <= (one if most is None else most))
