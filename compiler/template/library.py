"""Everything under graphs/, read once: templates, fragments, stacks, assets, tables. A value from then on."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel, TypeAdapter, ValidationError

from compiler.catalog import FOLDERS, Catalog
from compiler.errors import Fault, GraphError, TemplateError, nearest
from compiler.template.manifest import Asset, FragmentManifest, Param, Stack, TemplateManifest
from compiler.template.params import check_declared
from compiler.template.partner import PREFIX, Partner, PartnerTable
from compiler.template.skeleton import PORT, Skeleton

GRAPHS = Path(__file__).resolve().parents[2] / "graphs"
_ASSETS: TypeAdapter[dict[str, Asset]] = TypeAdapter(dict[str, Asset])
KIND_FOLDERS = {
    "lora": "loras",
    "checkpoint": "checkpoints",
    "upscale_model": "upscale_models",
    "diffusion_model": "diffusion_models",
}
"""Kind of asset → model folder."""
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
    """Other JSON of graphs/tables by file name: size tables, no-ops."""
    partners: Mapping[str, Partner] = field(default_factory=dict[str, Partner])
    """Closed models and the nodes that reach them; their rows are fragments too, `partner/<table>/<row>`."""

    def template(self, name: str) -> Template:
        return _get(self.templates, name, "template")

    def fragment(self, name: str) -> Fragment:
        if name.startswith(PREFIX):
            _, table, row = name.split("/")
            way = self.partner(table).way(row)
            return Fragment(name, way.manifest, way.skeleton)
        return _get(self.fragments, name, "fragment")

    def stack(self, name: str) -> Stack:
        return _get(self.stacks, name, "stack")

    def partner(self, name: str) -> Partner:
        return _get(self.partners, name, "partner table")

    def with_templates(self, templates: Mapping[str, Template]) -> Library:
        """The same library with more templates; one of a known id replaces it."""
        return replace(self, templates={**self.templates, **templates})

    def extended(self, assets: Mapping[str, Asset]) -> Library:
        """The same library with more assets: models that a tenant imported."""
        return replace(self, assets={**self.assets, **assets}) if assets else self

    @cached_property
    def files(self) -> Mapping[str, tuple[str, ...]]:
        """Model folder → every file name that the templates, stacks and assets know, sorted."""
        found: dict[str, set[str]] = {folder: set() for folder in FOLDERS}
        for stack in self.stacks.values():
            for role, name in stack.files.items():
                found.setdefault(stack.folders[role], set()).add(name)
            for profile in stack.profiles.values():
                found["loras"].update(name for lora in profile.loras for name in lora.values())
        for template in self.templates.values():
            for folder, names in template.manifest.needs.files.items():
                found.setdefault(folder, set()).update(names)
        for asset in self.assets.values():
            found[KIND_FOLDERS[asset.kind]].update(asset.files.values())
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
    """Reads the shipped graphs/ and the user's own folders; what the user has of a shipped id replaces it.

    A folder of the user holds `<family>/<name>/` as graphs/templates does; one that has a folder `templates` is laid
    out like graphs itself, with fragments and stacks of its own.
    Errors: TemplateError, a Fault for each file that is wrong.
    """
    roots = [GRAPHS, *template_dirs]
    missing = [str(root) for root in roots if not root.is_dir()]
    if missing:
        cure = "Name a folder of templates in --templates or COMFYC_TEMPLATES"
        raise TemplateError(*(Fault(name, "is not a folder", cure) for name in missing))
    return Library(
        templates=_load(roots, "templates", "*/*/manifest.json", _template),
        fragments=_load(roots, "fragments", "*/manifest.json", _fragment),
        stacks=_load(roots, "stacks", "*.json", lambda path, _: _model(path, Stack)),
        assets=_assets([GRAPHS / "tables" / "assets.json", *asset_files]),
        tables={path.stem: _json(path) for path in sorted((GRAPHS / "tables").glob("*.json"))},
        partners=_load(
            roots, "partners", "*.json", lambda path, name: Partner(name, _model(path, PartnerTable), _short(path))
        ),
    )


def _load(roots: list[Path], folder: str, pattern: str, read: Callable[[Path, str], T]) -> dict[str, T]:
    found: dict[str, T] = {}
    faults: list[Fault] = []
    for root in roots:
        base = root / folder if folder != "templates" or (root / folder).is_dir() else root
        for path in sorted(base.glob(pattern)):
            relative = path.relative_to(base)
            name = relative.parent.as_posix() if path.name == "manifest.json" else path.stem
            try:
                found[name] = read(path, name)
            except (TemplateError, GraphError) as error:
                faults += error.faults
    if faults:
        raise TemplateError(*faults)
    return found


def _json(path: Path) -> Any:
    return read_json(path, _short(path))


def read_json(path: Path, where: str) -> Any:
    """The JSON of a file, called `where` in messages. Errors: TemplateError."""
    try:
        return json.loads(path.read_bytes(), parse_constant=_no_number)
    except OSError as error:
        raise TemplateError(Fault(where, error.strerror or str(error), f"Write {path.name}")) from error
    except (ValueError, RecursionError) as error:
        raise TemplateError(Fault(where, f"is not JSON: {error}", "Correct it")) from error


def _no_number(word: str) -> Any:
    raise ValueError(f"{word} is no number of JSON")


def _short(path: Path) -> str:
    if path.is_relative_to(GRAPHS.parent):
        return path.relative_to(GRAPHS.parent).as_posix()
    return Path(*path.parts[-3:]).as_posix() if path.name in ("manifest.json", "graph.json") else path.name


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


def load_template(folder: Path) -> Template:
    """The template in `<family>/<name>/`. Errors: TemplateError, GraphError."""
    return _template(folder / "manifest.json", f"{folder.parent.name}/{folder.name}")


def _template(path: Path, name: str) -> Template:
    manifest = _model(path, TemplateManifest)
    graph = path.parent / "graph.json"
    skeleton = Skeleton(_short(graph), _json(graph), manifest.params)
    _check_params(_short(path), manifest.params)
    for wire, declared in manifest.wires.items():
        skeleton.check_ref(f"wires.{wire}", declared.source)
    for output, declared in manifest.outputs.items():
        skeleton.check_ref(f"outputs.{output}", (declared.node, 0))
    return Template(name, manifest, skeleton)


def _check_params(where: str, params: Mapping[str, Param]) -> None:
    faults = [fault for name, param in params.items() for fault in check_declared(f"{where}: params.{name}", param)]
    if faults:
        raise TemplateError(*faults)


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
