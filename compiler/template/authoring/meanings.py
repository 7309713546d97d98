"""What an input of a workflow is most likely meant to be: its name as a parameter, read off the catalog's facts."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

from compiler.catalog import InputSpec
from compiler.graph.ir import Ref
from compiler.template.authoring import names
from compiler.template.authoring.roles import Roles, medium_of, model_folder

LAST_STEP: Final = 1000
"""More steps than anybody takes: `end_at_step` of a sampler that goes to the end."""
SIZED: Final = ("width", "height", "length", "batch_size")
"""Numbers that say what is made where a node makes it: a latent, or a partner's answer."""
PLAIN: Final = frozenset({"INT", "FLOAT", "STRING", "BOOLEAN", "COMBO"})


@dataclass(frozen=True, slots=True)
class Meaning:
    """A parameter's name, what it is in words, and the input whose limits hold for it."""

    name: str
    words: str
    spec: InputSpec


def meaning_of(roles: Roles, node_id: str, widget: str, spec: InputSpec) -> Meaning | None:
    """None for a value that should stay as it is."""
    schema = roles.schemas[node_id]
    medium = medium_of(schema, spec)
    if medium:
        name = _upload_name(roles, node_id, medium)
        thing = "sound" if medium == "audio" else medium
        words = f"The {thing} to work on" if name == medium else name.replace("_", " ").capitalize()
        return Meaning(name, words, spec)
    if spec.type not in PLAIN:
        return None
    folder = model_folder(schema.name, spec) if spec.type == "COMBO" else ""
    if folder:
        base, expert = (
            names.FOLDERS.get(folder, names.slug(folder)),
            names.expert(str(roles.graph[node_id].inputs[widget])),
        )
        return Meaning(f"{base}_{expert}" if expert else base, f"File in the {folder} folder", spec)
    if roles.is_source(node_id):
        return _of_source(roles, node_id, spec)
    if spec.type == "STRING":
        return _text(roles, node_id, widget, spec)
    return _number(roles, node_id, widget, spec)


def _number(roles: Roles, node_id: str, widget: str, spec: InputSpec) -> Meaning | None:
    schema, given = roles.schemas[node_id], roles.graph[node_id].inputs
    last = widget.rpartition(".")[2]
    if given.get("add_noise") == "disable" and last == "noise_seed":
        return None  # a sampler that goes on with the noise of another draws none
    if spec.type == "INT" and spec.options.get("control_after_generate"):
        return Meaning(*names.PARAMS["seed"], spec)
    if last in ("start_at_step", "end_at_step"):
        value: Any = given.get(widget, 0)
        hands_over = not isinstance(value, Ref) and 0 < value < LAST_STEP
        return Meaning("split", "Step at which one sampler hands over to the next", spec) if hands_over else None
    makes = {kind for kind, _ in schema.outputs}
    if last in SIZED and "LATENT" not in makes and not schema.api_node:
        return None
    found = names.PARAMS.get(last) or (names.PARTNER.get(last) if schema.api_node else None)
    return Meaning(*found, spec) if found else None


# --- texts -----------------------------------------------------------------------------------------------------


def _text(roles: Roles, node_id: str, widget: str, spec: InputSpec) -> Meaning | None:
    words = set(names.words(widget.rpartition(".")[2]))
    long = bool(spec.options.get("multiline") or spec.options.get("dynamicPrompts"))
    if not (long and roles.encodes_text(node_id)) and "prompt" not in words:
        return names.PARAMS.get(widget) and Meaning(*names.PARAMS[widget], spec)
    if "system" in words:
        return Meaning("system_prompt", "What the language model is told to do", spec)
    if roles.is_negative(node_id) or "negative" in roles.graph[node_id].title.lower() or "negative" in words:
        return Meaning(_among_texts(roles, node_id, widget, "negative_prompt"), "What to keep out", spec)
    return Meaning(_among_texts(roles, node_id, widget, "prompt"), "Text of what is to be made", spec)


def _among_texts(roles: Roles, node_id: str, widget: str, name: str) -> str:
    """The name; where a node takes several texts that differ (tags and lyrics), it is the first's alone."""
    given = roles.graph[node_id].inputs
    texts = [
        other
        for other, spec in roles.specs[node_id].items()
        if spec.options.get("multiline") and isinstance(given.get(other), str) and "prompt" not in other
    ]
    if widget not in texts or widget == texts[0] or given[widget] == given[texts[0]]:
        return name
    return f"negative_{names.slug(widget)}" if name.startswith("negative") else names.slug(widget)


# --- sources: nodes that hold one value for others ----------------------------------------------------------------


def _of_source(roles: Roles, node_id: str, spec: InputSpec) -> Meaning | None:
    """A value is meant to be what it feeds; else what its title says, for a title is given to what is to be set."""
    node = roles.graph[node_id]
    shown = roles.schemas[node_id].display_name or node.kind
    title = "" if node.title in ("", shown, node.kind) else node.title
    called = names.slug(title)
    found = next(_fed(roles, node_id, spec), None)
    if found and spec.type == "STRING":
        told = called if called and called not in names.SAME_AS_PROMPT else found.name
        return Meaning(f"text_{told}" if told[0].isdigit() else told, title or found.words, spec)
    if found:
        return found
    return Meaning(called, title, spec) if called and not called[0].isdigit() else None


def _fed(roles: Roles, node_id: str, spec: InputSpec) -> Iterator[Meaning]:
    if spec.type == "STRING":
        found = _text(roles, node_id, "value", spec) if roles.encodes_text(node_id) else None
        yield from [found] if found else []
        return
    for consumer, name in roles.consumers.get(Ref(node_id, 0), ()):
        taken = roles.specs[consumer].get(name)
        found = _number(roles, consumer, name, taken) if taken and taken.type in PLAIN else None
        yield from [found] if found else []


# --- uploads ---------------------------------------------------------------------------------------------------


def _upload_name(roles: Roles, node_id: str, medium: str) -> str:
    """`image`; of several, one that has a title or feeds `start_image` is called so."""
    if sum(one == medium for one in roles.uploads.values()) < 2:
        return medium
    node = roles.graph[node_id]
    shown = names.slug(roles.schemas[node_id].display_name)
    called = names.slug(node.title)
    if called not in ("", shown, names.slug(node.kind)) and len(called) <= 30:
        called = called.removeprefix(f"{shown}_").removeprefix("load_")
        return f"{medium}_{called}" if called[0].isdigit() else called
    fed = {
        name.rpartition(".")[2]
        for slot in range(len(roles.schemas[node_id].outputs))
        for _, name in roles.consumers.get(Ref(node_id, slot), ())
    }
    telling = sorted(name for name in fed if names.TELLING & {*names.words(name)})
    return names.slug(telling[0]) if len(telling) == 1 else medium
