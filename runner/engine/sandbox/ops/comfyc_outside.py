"""comfyc's own nodes that need a key, weights or another service: the sandbox has none and gives placeholders.

A language model is asked where the environment says where it is.
"""

from __future__ import annotations

import io
import json
import os
import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final, cast

import numpy as np
from PIL import Image

from runner.engine.sandbox import pack
from runner.engine.sandbox.node import NodeContext, NodeFailure, NodeResult
from runner.engine.sandbox.ops.files import place
from runner.engine.sandbox.ops.paint import decode
from runner.engine.sandbox.ops.registry import op
from runner.engine.sandbox.ops.values import (
    Audio,
    Floats,
    Latent,
    Octets,
    Picture,
    Reference,
    Sketch,
    Video,
    digest,
    floats,
    octets,
)

PIXELS: Final = 1024 * 1024
"""Of a picture whose size nothing says."""
FRAME_PIXELS: Final = 832 * 480
SECONDS: Final = 5
LONGEST: Final = 30
"""Seconds."""
FPS: Final = 16.0
WEIGHT: Final = 0.6
"""How much of the first given picture is seen."""
BACKGROUNDS: Final[Mapping[str, tuple[float, float, float]]] = {
    "black": (0, 0, 0),
    "white": (1, 1, 1),
    "gray": (0.5, 0.5, 0.5),
    "green": (0, 1, 0),
    "blue": (0, 0, 1),
    "red": (1, 0, 0),
}
_SIZE = re.compile(r"(\d{2,5})\s*[x×*]\s*(\d{2,5})")
_ASPECT = re.compile(r"(\d{1,3}):(\d{1,3})")
SMALLEST: Final = {"array": "[]", "integer": "0", "number": "0.0", "boolean": "false", "null": "null"}
NO_SERVICE: Final = "The comfyc sandbox calls no other service."
NO_MODEL: Final = "The comfyc sandbox has no language model. It was asked: "


@op("ComfycProviderImage", raw=True)
def provider_image(inputs: Mapping[str, Any]) -> tuple[Picture, str]:
    """One drawn picture, of the size that the payload names."""
    return _drawn(inputs, *_size(inputs, PIXELS), 1), _response(inputs)


@op("ComfycProviderVideo", raw=True)
def provider_video(inputs: Mapping[str, Any]) -> tuple[Video, str]:
    """A drawn film, of the length and size that the payload names."""
    found = (value for key, value in _values(_payload(inputs)) if "duration" in key.lower() or key == "seconds")
    seconds = next((float(value) for value in found if re.fullmatch(r"\d+(\.\d+)?", str(value))), SECONDS)
    frames = max(1, round(min(seconds, LONGEST) * FPS))
    return Video(_drawn(inputs, *_size(inputs, FRAME_PIXELS), frames), FPS), _response(inputs)


@op("ComfycLLMChat")
def llm_chat(inputs: Mapping[str, Any]) -> tuple[str, int, int]:
    """What a language model might give: its prompt again, or the smallest object that fits the schema. The model itself
    is asked where the pack's variable for its address is set. Errors: NodeFailure with what the pack says."""
    system, prompt, json_schema = (str(inputs[name]) for name in ("system", "prompt", "json_schema"))
    if os.environ.get(pack.part("providers.llm").BACKENDS[inputs["backend"]].provider.url_env):
        return _asked(inputs)
    asked = len(f"{system} {prompt}".split())
    schema = _by_the_pack(lambda llm: llm.schema_of(json_schema))
    answer = NO_MODEL + prompt if schema is None else json.dumps(_fitting(schema))
    return answer, asked, len(answer.split())


def _by_the_pack(work: Callable[[Any], Any]) -> Any:
    """What the pack's client for language models makes of something. Errors: NodeFailure with what it says."""
    try:
        return work(pack.part("providers.llm"))
    except RuntimeError as error:  # CallError of the pack
        raise NodeFailure(type(error).__name__, str(error)) from error


def _asked(inputs: Mapping[str, Any]) -> tuple[str, int, int]:
    """The answer of the language model, by the pack's own client, which needs no torch."""
    media, pictures = pack.part("providers.media"), inputs.get("images")
    shown = tuple(media.Media(_png(one), "image/png") for one in (() if pictures is None else pictures))
    names = ("model", "system", "prompt", "temperature", "max_tokens", "json_schema", "seed")
    values = [inputs[name] for name in names]
    answer = _by_the_pack(lambda llm: llm.ask(inputs["backend"], llm.Question(*values, shown)))
    return answer.text, answer.prompt_tokens, answer.completion_tokens


def _png(picture: Floats) -> bytes:
    out = io.BytesIO()
    Image.fromarray(octets(picture[None])[0]).save(out, "PNG")
    return out.getvalue()


@op("ComfycSaveText")
def save_text(text: str, filename_prefix: str, format: str, context: NodeContext) -> NodeResult:
    """A text file in the output folder. Errors: ValueError where JSON is asked and the text is none."""
    if format == "json":
        text = json.dumps(json.loads(text), ensure_ascii=False, indent=2)
    path, entry = place(filename_prefix, context).file(format)
    path.write_text(text, encoding="utf-8")
    return NodeResult((), {"text": [text], "files": [entry]})


@op("ComfycRemoveBackground")
def remove_background(image: Floats, invert_output: bool, background: str) -> tuple[Floats, Floats]:
    """The picture's own alpha, or an oval in its middle, for a subject."""
    mask = image[..., 3] if image.shape[-1] == 4 else np.repeat(_oval(*image.shape[1:3])[None], len(image), 0)
    mask = 1 - mask if invert_output else mask
    colour, alpha = image[..., :3], mask[..., None]
    if background == "Alpha":
        return np.concatenate([colour, alpha], -1), mask
    fill = np.array(BACKGROUNDS[background], np.float32)
    return colour * alpha + fill * (1 - alpha), mask


@op("ComfycRegionDetect")
def region_detect(image: Floats, kind: str, label: str) -> tuple[list[dict[str, Any]], Floats, int]:
    """The middle third of every picture."""
    count, height, width = image.shape[:3]
    box = (width / 3, height / 3, width * 2 / 3, height * 2 / 3)
    mask = np.zeros((count, height, width), np.float32)
    mask[:, round(box[1]) : round(box[3]), round(box[0]) : round(box[2])] = 1
    name = label if kind == "label" else kind
    return [{"image": index, "box": box, "score": 1.0, "label": name} for index in range(count)], mask, count


@op("ComfycAudioSeparate")
def audio_separate(audio: Audio) -> tuple[Audio, Audio]:
    """The sound twice, each half as loud."""
    half = Audio(audio.waveform * np.float32(0.5), audio.rate)
    return half, half


def _drawn(inputs: Mapping[str, Any], width: int, height: int, frames: int) -> Octets:
    mark, text = digest("provider", inputs), _longest(inputs)
    art = Sketch(mark, text, tuple(Reference(octets(one)[:1], WEIGHT) for one in _pictures(inputs)[:1]))
    caption = f"{inputs['provider']} · {text}"
    return decode(Latent(mark, width, height, frames=frames, time=1, art=art, caption=caption))


def _size(inputs: Mapping[str, Any], pixels: int) -> tuple[int, int]:
    """Width and height that the payload names, else those of the first picture, else a square; even numbers."""
    values = dict(_values(_payload(inputs)))
    if all(isinstance(values.get(key), int) and 16 <= values[key] <= 8192 for key in ("width", "height")):
        return values["width"], values["height"]
    texts = [value for key, value in values.items() if isinstance(value, str) and len(value) < 12 and key != "model"]
    sizes = [found for text in texts if (found := _SIZE.fullmatch(text))]
    if sizes:
        return min(int(sizes[0][1]), 8192), min(int(sizes[0][2]), 8192)
    aspects = [int(found[1]) / int(found[2]) for text in texts if (found := _ASPECT.fullmatch(text)) and int(found[2])]
    shapes = [one.shape[2] / one.shape[1] for one in _pictures(inputs)]
    aspect = min(max([*aspects, *shapes, 1.0][0], 0.1), 10.0)
    return round((pixels * aspect) ** 0.5 / 2) * 2, round((pixels / aspect) ** 0.5 / 2) * 2


def _pictures(inputs: Mapping[str, Any]) -> list[Picture]:
    names = [f"image{number}" for number in range(1, 5)]
    return [floats(inputs[name]) for name in names if inputs.get(name) is not None]


def _payload(inputs: Mapping[str, Any]) -> Any:
    """Errors: ValueError if it is not JSON."""
    return json.loads(inputs["payload"] or "{}")


def _response(inputs: Mapping[str, Any]) -> str:
    return json.dumps({"provider": inputs["provider"], "sandbox": NO_SERVICE})


def _longest(inputs: Mapping[str, Any]) -> str:
    return max((value for _, value in _values(_payload(inputs)) if isinstance(value, str)), key=len, default="")


def _values(given: Any, key: str = "") -> Iterator[tuple[str, Any]]:
    """Every value that is neither object nor list, by the last name on its way."""
    if isinstance(given, dict):
        for name, value in cast("dict[str, Any]", given).items():
            yield from _values(value, name)
    elif isinstance(given, list):
        for value in cast("list[Any]", given):
            yield from _values(value, key)
    else:
        yield key, given


def _fitting(schema: Mapping[str, Any]) -> Any:
    """The smallest value of a JSON schema, as far as `type`, `enum`, `properties` and `items` say."""
    if schema.get("enum"):
        return schema["enum"][0]
    kind: Any = schema.get("type", "object" if "properties" in schema else "string")
    first = str(cast("list[Any]", kind)[0] if isinstance(kind, list) else kind)
    if first == "object":
        return {name: _fitting(one) for name, one in schema.get("properties", {}).items()}
    return json.loads(SMALLEST.get(first, '""'))


def _oval(height: int, width: int) -> Floats:
    y, x = np.mgrid[0:height, 0:width]
    away = np.hypot((x + 0.5) / width * 2 - 1, (y + 0.5) / height * 2 - 1)
    return np.clip((0.8 - away) * min(width, height) / 4, 0, 1).astype(np.float32)
