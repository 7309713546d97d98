"""Everything under graphs/, read once: templates, fragments, stacks, assets, tables. A value from then on."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel, TypeAdapter, ValidationError

from compiler.catalog import FOLDERS, Catalog
from compiler.errors import Fault, TemplateError, nearest
from compiler.template.manifest import Asset, FragmentManifest, Stack, TemplateManifest
from compiler.template.skeleton import PORT, Skeleton

GRAPHS = Path(__file__).resolve().parents[2] / "graphs"
_ASSETS: TypeAdapter[dict[str, Asset]] = TypeAdapter(dict[str, Asset])
_KIND_FOLDERS = {
    "lora": "loras",
    "checkpoint": "checkpoints",
    "upscale_model": "upscale_models",
    "diffusion_model": "diffusion_models",
}
M = TypeVar("M", bound=BaseModel)
T = TypeVar("T")


@dataclass(frozen=True)
class Template:
    """A graph with parameters. `id` is `<family>/<name>`."""

    id: str
    manifest: TemplateManifest
    skeleton: Skeleton


@dataclass(frozen=True)
class Fragment:
    """A partial graph with ports, spliced into a template's wires."""

    id: str
    manifest: FragmentManifest
    skeleton: Skeleton


@dataclass(frozen=True)
class Library:
    """What compile draws on. Look-ups of a wrong name raise TemplateError with the nearest right one."""

    templates: Mapping[str, Template]
    fragments: Mapping[str, Fragment]
    stacks: Mapping[str, Stack]
    assets: Mapping[str, Asset]
    tables: Mapping[str, Any] = field(default_factory=dict[str, Any])
    """Other JSON of graphs/tables by file name: size tables, no-ops, partner nodes."""

    def template(self, name: str) -> Template:
        return _get(self.templates, name, "template")

    def fragment(self, name: str) -> Fragment:
        return _get(self.fragments, name, "fragment")

    def stack(self, name: str) -> Stack:
        return _get(self.stacks, name, "stack")

    @cached_property
    def files(self) -> Mapping[str, tuple[str, ...]]:
        """Model folder → every file name that the stacks and assets know, sorted."""
        found: dict[str, set[str]] = {folder: set() for folder in FOLDERS}
        for stack in self.stacks.values():
            for role, name in stack.files.items():
                found.setdefault(stack.folders[role], set()).add(name)
            for profile in stack.profiles.values():
                found["loras"].update(name for lora in profile.loras for name in lora.values())
        for asset in self.assets.values():
            found[_KIND_FOLDERS[asset.kind]].update(asset.files.values())
        return {folder: tuple(sorted(names)) for folder, names in found.items()}

    def stocked(self, catalog: Catalog) -> Catalog:
        """A shipped catalog as if its ComfyUI had every model file that this library knows: the sandbox's."""
        return catalog.with_files({f"models/{folder}": names for folder, names in self.files.items()})


def _get(known: Mapping[str, T], name: str, what: str) -> T:
    found = known.get(name)
    if found is None:
        raise TemplateError(Fault(name, f"is not a {what}", nearest(name, known)))
    return found


def load_library(*, asset_files: Iterable[Path] = (), template_dirs: Iterable[Path] = ()) -> Library:
    """Reads the shipped graphs/ and the user's own folders; a user's asset of a shipped id replaces it.

    Errors: TemplateError, a Fault for each file that is wrong.
    """
    roots = [GRAPHS, *template_dirs]
    return Library(
        templates=_load(roots, "templates", "*/*/manifest.json", _template),
        fragments=_load(roots, "fragments", "*/manifest.json", _fragment),
        stacks=_load(roots, "stacks", "*.json", lambda path, _: _model(path, Stack)),
        assets=_assets([GRAPHS / "tables" / "assets.json", *asset_files]),
        tables={path.stem: _json(path) for path in sorted((GRAPHS / "tables").glob("*.json"))},
    )


def _load(roots: list[Path], folder: str, pattern: str, read: Callable[[Path, str], T]) -> dict[str, T]:
    found: dict[str, T] = {}
    for root in roots:
        for path in sorted((root / folder).glob(pattern)):
            relative = path.relative_to(root / folder)
            name = relative.parent.as_posix() if path.name == "manifest.json" else path.stem
            found[name] = read(path, name)
    return found


def _json(path: Path) -> Any:
    try:
        return json.loads(path.read_bytes())
    except (OSError, ValueError) as error:
        raise TemplateError(Fault(_short(path), f"cannot be read as JSON: {error}")) from error


def _short(path: Path) -> str:
    return path.relative_to(GRAPHS.parent).as_posix() if path.is_relative_to(GRAPHS.parent) else path.name


def _model(path: Path, model: type[M]) -> M:
    try:
        return model.model_validate(_json(path))
    except ValidationError as error:
        raise TemplateError(
            *(Fault(f"{_short(path)}: {'.'.join(map(str, e['loc']))}", e["msg"]) for e in error.errors())
        ) from error


def _assets(paths: Iterable[Path]) -> dict[str, Asset]:
    found: dict[str, Asset] = {}
    for path in paths:
        try:
            found.update(_ASSETS.validate_python(_json(path)))
        except ValidationError as error:
            raise TemplateError(
                *(Fault(f"{_short(path)}: {'.'.join(map(str, e['loc']))}", e["msg"]) for e in error.errors())
            ) from error
    return found


def _template(path: Path, name: str) -> Template:
    manifest = _model(path, TemplateManifest)
    graph = path.parent / "graph.json"
    skeleton = Skeleton(_short(graph), _json(graph), manifest.params)
    for wire, declared in manifest.wires.items():
        skeleton.check_ref(f"wires.{wire}", declared.source)
    for output, declared in manifest.outputs.items():
        skeleton.check_ref(f"outputs.{output}", (declared.node, 0))
    return Template(name, manifest, skeleton)


def _fragment(path: Path, name: str) -> Fragment:
    manifest = _model(path, FragmentManifest)
    graph = path.parent / "graph.json"
    skeleton = Skeleton(_short(graph), _json(graph), manifest.params)
    for wire, declared in manifest.gives.items():
        if not declared.source[0].startswith(PORT):
            skeleton.check_ref(f"gives.{wire}", declared.source)
    for port in sorted(skeleton.ports - set(manifest.ports)):
        raise TemplateError(
            Fault(f"{_short(graph)}: ${port}", "is not a port in manifest.json", nearest(port, manifest.ports))
        )
    return Fragment(name, manifest, skeleton)
