"""A template as a thing to ask for: checked parameters, a stack's facts and LoRA become a binding."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from compiler.binding import IGNORED_NEGATIVE, Bench, Binding, with_triggers
from compiler.catalog import Catalog
from compiler.errors import Fault, RequestError, TargetError, nearest
from compiler.loras import LoraUse
from compiler.media import Media, MediaRef
from compiler.template.expand import Attachment
from compiler.template.library import Library, Template
from compiler.template.manifest import LoraRule, Param, Profile, Stack
from compiler.template.params import check_params

_NOTHING: Final = Profile(steps=1, cfg=1, sampler="", scheduler="")
"""A profile without LoRA of its own."""
SEED: Final = re.compile(r"seed(_\d+)?")
"""Parameters that are drawn unless they are given."""
MISSING: Final = "required_input_missing"
"""The parameter that is drawn where the caller gives none."""


@dataclass(frozen=True, slots=True)
class TemplateRequest:
    """What is asked of a template."""

    template: str
    params: Mapping[str, Any] = field(default_factory=dict[str, Any])
    loras: tuple[LoraUse, ...] = ()
    stack: str = ""
    """Whose files and sampling to take for what `params` leaves open; empty: that of the template's first example."""
    profile: str = ""
    """Of the stack; empty: its default."""
    outputs: tuple[str, ...] = ()
    """Which of the manifest's outputs; empty: all."""
    attachments: tuple[Attachment, ...] = ()


def find_template(template_id: str, library: Library) -> Template:
    """Errors: RequestError for an unknown one, with the nearest name."""
    found = library.templates.get(template_id)
    if found is None:
        cure = nearest(template_id, library.templates) or f"There are {', '.join(library.templates)}"
        raise RequestError(Fault("template", f"{template_id!r} is not known", cure, code="unknown"))
    return found


def template_media(template_id: str, params: Mapping[str, Any], library: Library) -> tuple[MediaRef, ...]:
    """The media that the parameters mention; the caller finds and probes them. Errors: RequestError."""
    declared = find_template(template_id, library).manifest.params
    return tuple(
        MediaRef(f"params.{name}", params[name], param.media)
        for name, param in declared.items()
        if param.media and isinstance(params.get(name), str)
    )


def template_with_seed(template_id: str, params: Mapping[str, Any], library: Library, seed: int) -> dict[str, Any]:
    """The parameters with this seed, cut to the parameter's range, unless they have one: so a job can be replayed.
    Where there are several (`seed_2`, …), each has the next number.

    Errors: RequestError.
    """
    known = find_template(template_id, library).manifest.params.items()
    seeds = [(name, param) for name, param in known if SEED.fullmatch(name) and param.type == "integer"]
    drawn: dict[str, int] = {}
    for number, (name, param) in enumerate(seeds):
        low, high = int(param.minimum or 0), int(param.maximum if param.maximum is not None else 2**64)
        if params.get(name) is None:
            drawn[name] = low + (seed + number) % max(1, high - low)
    return {**params, **drawn}


def bind_template(request: TemplateRequest, media: Mapping[str, Media], library: Library, catalog: Catalog) -> Binding:
    """`media` holds what the parameters mention, by their own words. Errors: RequestError with every fault found."""
    template = find_template(request.template, library)
    bench = Bench(media, library, catalog, template.id, _outputs(request, template))
    stack = _stack(request, template, library)
    profile = stack and _profile(stack, request.profile)
    if stack and profile:
        bench.sample(stack, profile)
    elif stack and "files" in template.manifest.params:
        bench.set(files=stack.files)
    declared = {name: _with_default(param, bench.params.get(name)) for name, param in template.manifest.params.items()}
    values = check_params(declared, request.params)
    if "split" in bench.params and "steps" in values:
        bench.set(split=-(-values["steps"] // 2))
    bench.set(**values)
    for name, param in declared.items():
        if param.media and name in values:
            bench.set(**{name: _medium(bench, f"params.{name}", values[name], param.media).name})
    if profile and profile.negative == "zero" and values.get("negative_prompt"):
        bench.unsupported("params.negative_prompt", IGNORED_NEGATIVE, "negative_ignored_cfg1")
    _loras(bench, request, template, stack, profile)
    bench.attached += request.attachments
    return bench.bind()


def _with_default(param: Param, value: Any) -> Param:
    return param if value is None else param.model_copy(update={"default": value})


def _outputs(request: TemplateRequest, template: Template) -> tuple[str, ...]:
    known = template.manifest.outputs
    for name in request.outputs:
        if name not in known:
            cure = nearest(name, known) or f"It has {', '.join(known)}"
            raise RequestError(Fault("outputs", f"{name!r} is not an output of {template.id}", cure, code="unknown"))
    return request.outputs


def _stack(request: TemplateRequest, template: Template, library: Library) -> Stack | None:
    name = request.stack or next((example.stack for example in template.manifest.examples if example.stack), "")
    if name and name not in library.stacks:
        cure = nearest(name, library.stacks) or f"There are {', '.join(library.stacks)}"
        raise RequestError(Fault("stack", f"{name!r} is not known", cure, code="unknown"))
    return library.stacks.get(name)


def _profile(stack: Stack, name: str) -> Profile | None:
    """None for a stack of files alone."""
    found = stack.profiles.get(name or stack.default_profile)
    if found is None and (name or stack.profiles):
        cure = nearest(name, stack.profiles) or f"It has {', '.join(stack.profiles) or 'none'}"
        raise RequestError(Fault("profile", f"{name!r} is not a profile of {stack.title}", cure, code="unknown"))
    return found


def _medium(bench: Bench, where: str, reference: str, kind: str) -> Media:
    found = bench.picture(where, reference)
    wanted = "image" if kind == "mask" else kind
    if found.kind not in (kind, wanted):
        article = "an" if found.kind[0] in "aeiou" else "a"
        raise RequestError(Fault(where, f"is {article} {found.kind}, not {wanted}", f"Give one of kind {wanted}"))
    return found


def _loras(
    bench: Bench, request: TemplateRequest, template: Template, stack: Stack | None, profile: Profile | None
) -> None:
    if stack is None and template.manifest.lora is not None:
        stack = _bare(template.manifest.title, template.manifest.lora)
    if stack is None or stack.lora is None:
        if request.loras:
            raise RequestError(
                *(Fault(use.field, f"{template.id} takes no LoRA", "Leave it out") for use in request.loras)
            )
        return
    triggers = bench.lora(stack, profile or _NOTHING, request.loras)
    if triggers and isinstance(bench.params.get("prompt"), str):
        bench.set(prompt=with_triggers(triggers, bench.params["prompt"]))


def _bare(title: str, rule: LoraRule) -> Stack:
    """A stack that is nothing but its LoRA rule, for a template with files of its own."""
    return Stack(title=title, family="", files={}, folders={}, profiles={}, default_profile="", lora=rule)


def in_the_callers_words(error: TargetError, template: Template, given: Mapping[str, Any]) -> RequestError | None:
    """The faults of a target that stem from a caller's parameter, as faults of that parameter; None if none does."""
    faults: list[Fault] = []
    for fault in error.faults:
        name = template.skeleton.param_of(fault.where)
        if given.get(name) is not None:
            faults.append(Fault(f"params.{name}", fault.what, fault.cure, fault.code))
        elif name and fault.code == MISSING and template.manifest.params[name].optional:
            cure = template.manifest.params[name].description
            faults.append(Fault(f"params.{name}", "is required here, since nothing else makes it", cure, "required"))
    return RequestError(*faults) if faults else None
