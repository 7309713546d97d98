"""Language models over HTTP: four protocols, each a declaration, the shape of its body and where its answer stands."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from .answer import LONGEST, Answer
from .call import started
from .declaration import Auth, Provider, Route, Slot
from .errors import BadInput, CallError, Moderated
from .http import Host
from .media import Media
from .paths import found
from .shape import misfit

TIMEOUT = 600.0
"""Seconds for a whole chat."""
PICTURE_BYTES = 5 << 20
"""The least of the backends' limits (Anthropic's)."""


@dataclass(frozen=True, slots=True)
class Question:
    """What is asked. `json_schema` is the text of a JSON schema, or empty."""

    model: str
    system: str
    prompt: str
    temperature: float
    max_tokens: int
    json_schema: str = ""
    seed: int = 0
    pictures: tuple[Media, ...] = ()


@dataclass(frozen=True, slots=True)
class Reply:
    """What is answered; tokens as the backend counted them, 0 if it did not."""

    text: str
    prompt_tokens: int
    completion_tokens: int


@dataclass(frozen=True, slots=True)
class Backend:
    """One protocol."""

    provider: Provider
    body: Callable[[Question, Any], dict[str, Any]]
    """The JSON body for a question and its parsed schema (None: plain text), its pictures left out."""
    text: str
    """Path of the answer's text; several are joined."""
    tokens: tuple[str, str]
    """Paths of the numbers of tokens, in and out."""
    stopped: tuple[str, Mapping[str, str]]
    """Path of why the answer ends, and reason → what it means: `moderation`, `length`."""
    as_json: str = ""
    """Path of the answer's JSON, where it is not its text."""
    fix: Callable[[dict[str, Any], str], bool] = lambda body, error: False
    """Changes the body to suit a refusal of one of its fields; False if it cannot."""


def ask(backend: str, question: Question, timeout: float = TIMEOUT, host: Host | None = None) -> Reply:
    """Asks a backend by name.

    Errors: those of errors.py; BadInput for a model or schema that is missing or no JSON, CallError for an answer
    without text, or that is not the JSON that was asked for.
    """
    spoken = BACKENDS[backend]
    if not question.model.strip():
        raise BadInput("model: is empty; name a model of the backend")
    schema = schema_of(question.json_schema)
    body = spoken.body(question, schema)
    answer = _asked(spoken, body, question.pictures, timeout, host)
    text = _text(spoken, answer, schema)
    return Reply(text, *(_count(answer, path) for path in spoken.tokens))


def _count(answer: Answer, path: str) -> int:
    return next((int(value) for value in found(answer.json, path) if isinstance(value, (int, float))), 0)


def _asked(
    spoken: Backend, body: dict[str, Any], pictures: tuple[Media, ...], timeout: float, host: Host | None
) -> Answer:
    """Asks, and again without what a model does not take, such as a temperature."""
    for _ in range(4):
        try:
            return started(spoken.provider, body, {"image": pictures}, timeout, host)[1]
        except BadInput as error:
            if not spoken.fix(body, error.text):
                raise
    raise BadInput(f"{spoken.provider.title}: the model takes none of what was tried")


def schema_of(text: str) -> Any:
    """The schema of a text, None if it is empty.

    Errors: BadInput if it is no JSON object.
    """
    if not text.strip():
        return None
    try:
        schema = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise BadInput(f"json_schema: is not JSON ({error})") from None
    if not isinstance(schema, dict):
        raise BadInput("json_schema: is not a JSON object")
    return schema


def _text(spoken: Backend, answer: Answer, schema: Any) -> str:
    title = spoken.provider.title
    reason = next((str(value) for value in found(answer.json, spoken.stopped[0])), "")
    meaning = spoken.stopped[1].get(reason, "")
    values = found(answer.json, (schema is not None and spoken.as_json) or spoken.text)
    text = "".join(value if isinstance(value, str) else json.dumps(value, ensure_ascii=False) for value in values)
    refused = [str(value) for path in spoken.provider.refused for value in found(answer.json, path)]
    if meaning == "moderation" or (refused and not text):
        raise Moderated(f"{title}: the answer was stopped ({', '.join(refused)[:LONGEST] or reason})")
    told = f"({reason or 'no reason given'})" + ("; raise max_tokens" if meaning == "length" else "")
    if not text:
        raise CallError(f"{title}: the answer holds no text {told}")
    return text if schema is None else _shaped(title, _bare(text), schema, told)


def _shaped(title: str, text: str, schema: Any, told: str) -> str:
    """The text, if it is JSON of that shape: not every server holds its model to it."""
    try:
        fault = misfit(json.loads(text), schema)
    except (ValueError, RecursionError):
        raise CallError(f"{title}: the answer is not JSON {told}") from None
    if fault:
        raise CallError(f"{title}: the answer has not the shape of json_schema: {fault[:LONGEST]}")
    return text


def _bare(text: str) -> str:
    """JSON without the fence that some models put around it."""
    fenced = re.fullmatch(r"\s*```(?:json)?\s*(.*?)\s*```\s*", text, re.DOTALL)
    return fenced[1] if fenced else text.strip()


# --- OpenAI and what speaks like it ----------------------------------------------------------------------------


def _openai(question: Question, schema: Any) -> dict[str, Any]:
    messages = [{"role": "system", "content": question.system}] if question.system else []
    content: list[dict[str, Any]] = [{"type": "text", "text": question.prompt}]
    body: dict[str, Any] = {
        "model": question.model,
        # pictures are appended to the last message; without any, plain text is what every server understands
        "messages": [*messages, {"role": "user", "content": content if question.pictures else question.prompt}],
        "temperature": question.temperature,
        "max_tokens": question.max_tokens,
        "seed": question.seed % 2**31,
    }
    if schema is not None:
        shape = {"name": "answer", "schema": schema, "strict": True}
        body["response_format"] = {"type": "json_schema", "json_schema": shape}
    return body


def _openai_fix(body: dict[str, Any], error: str) -> bool:
    """Newer models want max_completion_tokens, some no temperature or seed; some schemas are not strict."""
    if "max_completion_tokens" in error and "max_tokens" in body:
        body["max_completion_tokens"] = body.pop("max_tokens")
        return True
    for name in ("temperature", "seed"):
        if re.search(rf"\b{name}\b", error) and name in body:
            del body[name]
            return True
    shape = body.get("response_format", {}).get("json_schema", {})
    if shape.get("strict") and re.search(r"schema|strict|response_format", error):
        shape["strict"] = False
        return True
    return False


# --- the others ------------------------------------------------------------------------------------------------


def _anthropic(question: Question, schema: Any) -> dict[str, Any]:
    body: dict[str, Any] = {
        "model": question.model,
        "max_tokens": question.max_tokens,
        "temperature": min(question.temperature, 1.0),
        "messages": [{"role": "user", "content": [{"type": "text", "text": question.prompt}]}],
    }
    if question.system:
        body["system"] = question.system
    if schema is not None:  # a tool that must be used: its input has the shape
        body["tools"] = [{"name": "answer", "description": "Gives the answer.", "input_schema": schema}]
        body["tool_choice"] = {"type": "tool", "name": "answer"}
    return body


def _anthropic_fix(body: dict[str, Any], error: str) -> bool:
    return "temperature" in error and body.pop("temperature", None) is not None


def _gemini(question: Question, schema: Any) -> dict[str, Any]:
    config: dict[str, Any] = {
        "temperature": question.temperature,
        "maxOutputTokens": question.max_tokens,
        "seed": question.seed % 2**31,
    }
    if schema is not None:
        config |= {"responseMimeType": "application/json", "responseJsonSchema": schema}
    body: dict[str, Any] = {
        "model": question.model,
        "contents": [{"role": "user", "parts": [{"text": question.prompt}]}],
        "generationConfig": config,
    }
    if question.system:
        body["systemInstruction"] = {"parts": [{"text": question.system}]}
    return body


def _ollama(question: Question, schema: Any) -> dict[str, Any]:
    system = [{"role": "system", "content": question.system}] if question.system else []
    options = {
        "temperature": question.temperature,
        "num_predict": question.max_tokens,
        "seed": question.seed % 2**31,
    }
    body: dict[str, Any] = {
        "model": question.model,
        "stream": False,
        "messages": [*system, {"role": "user", "content": question.prompt}],
        "options": options,
    }
    return body if schema is None else {**body, "format": schema}


def _declared(key: str, title: str, base: str, auth: Auth, path: str, slot: Slot, source: str, **more: Any) -> Provider:
    return Provider(
        key, title, "text", base, auth, (Route(path, (slot,)),), (), source, image_bytes=PICTURE_BYTES, **more
    )


IMAGE_URL = {"type": "image_url", "image_url": {"url": "$"}}
IMAGE_SOURCE = {"type": "image", "source": {"type": "base64", "media_type": "$mime", "data": "$"}}
INLINE_DATA = {"inlineData": {"mimeType": "$mime", "data": "$"}}
NO_KEY = Auth(env=(), header="")

BACKENDS: Mapping[str, Backend] = {
    "openai": Backend(
        _declared(
            "llm_openai",
            "OpenAI chat",
            "https://api.openai.com/v1",
            Auth(env=(("LLM_OPENAI_KEY", "OPENAI_API_KEY"),), optional=True),
            "/chat/completions",
            Slot("image", "messages.-.content.+", wrap=IMAGE_URL),
            "https://platform.openai.com/docs/api-reference/chat",
            quota=r"insufficient_quota|billing|exceeded your current quota",
            refused=("choices.0.message.refusal",),
        ),
        _openai,
        "choices.0.message.content",
        ("usage.prompt_tokens", "usage.completion_tokens"),
        ("choices.0.finish_reason", {"content_filter": "moderation", "length": "length"}),
        fix=_openai_fix,
    ),
    "anthropic": Backend(
        _declared(
            "llm_anthropic",
            "Anthropic",
            "https://api.anthropic.com/v1",
            Auth(env=(("ANTHROPIC_API_KEY",),), header="x-api-key", value="{0}"),
            "/messages",
            Slot("image", "messages.0.content.+", form="base64", wrap=IMAGE_SOURCE),
            "https://docs.anthropic.com/en/api/messages",
            headers={"anthropic-version": "2023-06-01"},
            quota=r"credit balance|billing",
        ),
        _anthropic,
        "content.*.text",
        ("usage.input_tokens", "usage.output_tokens"),
        ("stop_reason", {"refusal": "moderation", "max_tokens": "length"}),
        as_json="content.*.input",
        fix=_anthropic_fix,
    ),
    "gemini": Backend(
        _declared(
            "llm_gemini",
            "Gemini",
            "https://generativelanguage.googleapis.com/v1beta",
            Auth(env=(("GEMINI_API_KEY", "GOOGLE_API_KEY"),), header="x-goog-api-key", value="{0}"),
            "/models/{model}:generateContent",
            Slot("image", "contents.0.parts.+", form="base64", wrap=INLINE_DATA),
            "https://ai.google.dev/api/generate-content",
            errors=("error.status", "error.message"),
            refused=("promptFeedback.blockReason",),
            quota=r"billing.{0,30}(disabled|not|enable)|prepayment|limit: 0\b",
        ),
        _gemini,
        "candidates.0.content.parts.*.text",
        ("usageMetadata.promptTokenCount", "usageMetadata.candidatesTokenCount"),
        (
            "candidates.0.finishReason",
            {
                "SAFETY": "moderation",
                "PROHIBITED_CONTENT": "moderation",
                "BLOCKLIST": "moderation",
                "SPII": "moderation",
                "MAX_TOKENS": "length",
            },
        ),
    ),
    "ollama": Backend(
        _declared(
            "llm_ollama",
            "Ollama",
            "http://127.0.0.1:11434",
            NO_KEY,
            "/api/chat",
            Slot("image", "messages.-.images.+", form="base64"),
            "https://github.com/ollama/ollama/blob/main/docs/api.md",
        ),
        _ollama,
        "message.content",
        ("prompt_eval_count", "eval_count"),
        ("done_reason", {"length": "length"}),
    ),
}
