"""What a prompt left in the engine's history: files, texts and how it ended. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final, cast

from runner.engine.answers import mapping
from runner.engine.base import Ending, EngineFile, Outcome
from runner.engine.redact import device_fault, out_of_memory, redact

TEXT_KEYS: Final = frozenset({"text", "texts", "string"})
"""Output keys whose plain strings are the result; strings under other keys are the node's own business."""


def read_output(output: Any) -> tuple[tuple[EngineFile, ...], tuple[str, ...]]:
    """Files and texts of one node's `output`, whatever key they lie under.

    Core nodes use images (videos too), audio, latents, 3d, text; node packs add gifs, videos, files and others, so a
    file is told by its `filename`, not by the key. `animated: [true]` and the like are neither. null is empty.
    """
    if not isinstance(output, dict):
        return (), ()
    found = cast("dict[str, Any]", output)
    files = tuple(file for value in found.values() for file in _files(value))
    text = tuple(part for key in found if key in TEXT_KEYS for part in _strings(found[key]))
    return files, text


def _files(value: Any) -> Iterator[EngineFile]:
    entries = cast("list[Any]", value) if isinstance(value, list) else [value]
    for entry in entries:
        if isinstance(entry, dict):
            fact = cast("dict[str, Any]", entry)
            if isinstance(fact.get("filename"), str) and fact["filename"]:
                kind = str(fact.get("type") or "output")
                yield EngineFile(fact["filename"], str(fact.get("subfolder") or ""), kind)


def _strings(value: Any) -> Iterator[str]:
    entries = cast("list[Any]", value) if isinstance(value, list) else [value]
    return (entry for entry in entries if isinstance(entry, str))


def read_history(entry: Mapping[str, Any], secrets: tuple[str, ...] = ()) -> Outcome:
    """The Outcome of one history entry.

    Success needs both status_str `success` and an execution_success message: status_str alone can be stale, and is
    `error` for an interrupted run too (ComfyUI 0.3.64, RUNNER-RULES 2.3 and 2.4). `secrets` never reach the message.
    """
    outputs = {str(node): read_output(output) for node, output in mapping(entry.get("outputs")).items()}
    files = {node: found for node, (found, _) in outputs.items() if found}
    text = {node: found for node, (_, found) in outputs.items() if found}
    status = mapping(entry.get("status"))
    messages = {str(kind): mapping(data) for kind, data in _messages(status)}
    if status.get("status_str") == "success" and "execution_success" in messages:
        return Outcome(Ending.SUCCESS, files, text, hollow=not outputs and _all_cached(entry, messages))
    last = next(reversed(messages), "")
    if last == "execution_interrupted":
        return Outcome(Ending.INTERRUPTED, files, text, node=str(messages[last].get("node_id") or ""))
    error = messages.get("execution_error")
    if error is None:
        return Outcome(Ending.ERROR, files, text, message="The engine does not say how the run ended")
    return _failure(entry, error, files, text, secrets)


def _failure(
    entry: Mapping[str, Any],
    error: Mapping[str, Any],
    files: Mapping[str, tuple[EngineFile, ...]],
    text: Mapping[str, tuple[str, ...]],
    secrets: tuple[str, ...],
) -> Outcome:
    kind, message = str(error.get("exception_type") or ""), str(error.get("exception_message") or "")
    memory = out_of_memory(kind, message)
    values = (*_input_texts(entry), *secrets)
    return Outcome(
        Ending.ERROR,
        files,
        text,
        node=str(error.get("node_id") or ""),
        node_type=str(error.get("node_type") or ""),
        exception_type=kind,
        message=redact(message, values),
        out_of_memory=memory,
        device_fault=not memory and device_fault(kind, message),
    )


def _all_cached(entry: Mapping[str, Any], messages: Mapping[str, Mapping[str, Any]]) -> bool:
    """True if every output node that was to run came from the cache."""
    wanted = _prompt_part(entry, 4)
    cached = messages.get("execution_cached", {}).get("nodes")
    return bool(wanted) and isinstance(cached, list) and set(wanted) <= set(cast("list[str]", cached))


def _input_texts(entry: Mapping[str, Any]) -> Iterator[str]:
    """The plain strings that the graph held: a node may quote them in its error."""
    for node in mapping(_prompt_part(entry, 2)).values():
        for value in mapping(mapping(node).get("inputs")).values():
            if isinstance(value, str):
                yield value


def _prompt_part(entry: Mapping[str, Any], index: int) -> Any:
    """One part of [number, id, prompt, extra_data, outputs to execute]."""
    prompt = entry.get("prompt")
    parts = cast("list[Any]", prompt) if isinstance(prompt, list) else []
    return parts[index] if len(parts) > index else None


def _messages(status: Mapping[str, Any]) -> Iterator[tuple[Any, Any]]:
    for message in status.get("messages") or ():
        if isinstance(message, list) and len(cast("list[Any]", message)) == 2:
            yield message[0], message[1]
