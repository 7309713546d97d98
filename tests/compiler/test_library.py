"""Everything under graphs/: each file loads, each example compiles, each name is used."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from compiling import library, target

from compiler import TemplateError, load_library, shipped_versions
from compiler.graph.ir import Graph
from compiler.graph.verify import verify
from compiler.passes import PassContext, run_passes
from compiler.template.expand import expand
from compiler.template.library import GRAPHS, Template
from compiler.template.manifest import Example
from compiler.template.skeleton import PORT, complete

EXAMPLES = [(one, example) for one in library().templates.values() for example in one.manifest.examples]
MEDIA_INPUTS = {"image", "filename_prefix"}


def example_graph(template: Template, example: Example) -> Graph:
    stack = library().stack(example.stack) if example.stack else None
    profile = stack.profiles.get(example.profile or stack.default_profile) if stack else None
    facts = {**(stack.model_dump() if stack else {}), **(profile.model_dump() if profile else {}), **example.params}
    params = complete(template.manifest.params, facts, template.id)
    return run_passes(
        expand(template, params, example.outputs),
        PassContext(library(), target("+".join(["0.3.64", *template.manifest.needs.packs])), (), params),
        lambda name, graph: None,
    )


@pytest.mark.parametrize(("template", "example"), EXAMPLES, ids=[f"{t.id}: {e.title}" for t, e in EXAMPLES])
def test_every_example_compiles(template: Template, example: Example) -> None:
    graph = example_graph(template, example)
    verify(graph, target("+".join(["0.8.0", *template.manifest.needs.packs])))
    assert graph.outputs


def test_every_template_has_an_example() -> None:
    assert {template.id for template, _ in EXAMPLES} == set(library().templates)


def test_every_param_is_used_and_every_wire_feeds_something() -> None:
    for template in library().templates.values():
        assert set(template.manifest.params) == set(template.skeleton.used_params), template.id
        sources = [wire.source for wire in template.manifest.wires.values()]
        assert len(set(sources)) == len(sources), f"{template.id}: two wires share a source"
        linked = {(ref.node, ref.output) for node in template.skeleton.nodes.values() for _, ref in node.links()}
        assert set(sources) <= linked, template.id


def test_every_fragment_uses_its_ports() -> None:
    for fragment in library().fragments.values():
        given = {wire.source[0][1:] for wire in fragment.manifest.gives.values() if wire.source[0].startswith(PORT)}
        assert set(fragment.manifest.ports) == fragment.skeleton.ports | given, fragment.id


def test_every_class_is_in_a_core_or_in_a_described_pack() -> None:
    packs = sorted(path.stem for path in (GRAPHS / "catalogs" / "packs").glob("*.json"))
    known = set(target("+".join(["0.3.64", "comfyc", *packs])).nodes) | set(target("0.8.0").nodes)
    for one in [*library().templates.values(), *library().fragments.values()]:
        assert one.skeleton.classes <= known, one.id


def test_stacks_name_a_folder_for_every_file() -> None:
    for name, stack in library().stacks.items():
        assert stack.files.keys() == stack.folders.keys(), name
        assert stack.default_profile in stack.profiles or not stack.profiles, name
        assert stack.lora is None or stack.lora.fragment in library().fragments, name


def test_shipped_catalogs() -> None:
    assert shipped_versions() == ("0.3.64", "0.8.0")
    assert [len(target(version).nodes) for version in shipped_versions()] == [495, 567]


def test_a_stocked_catalog_lists_every_known_file() -> None:
    stocked = library().stocked(target("0.3.64"))
    assert "wan22-slow-orbit_high_noise.safetensors" in (stocked.files("loras") or ())
    assert "pixel_space" in (stocked.files("vae") or ())
    assert target("0.3.64").files("loras") is None


def test_a_stocked_catalog_has_what_a_template_of_the_user_needs(tmp_path: Path) -> None:
    folder = tmp_path / "own" / "made"
    folder.mkdir(parents=True)
    made = {"class_type": "PreviewAny", "inputs": {"source": "x"}}
    facts = {"title": "Mine", "params": {}, "outputs": {}, "needs": {"files": {"vae": ["mine.safetensors"]}}}
    for name, data in {"graph.json": {"see": made}, "manifest.json": facts}.items():
        (folder / name).write_text(json.dumps(data))
    stocked = load_library(template_dirs=[tmp_path]).stocked(target("0.8.0"))
    assert "mine.safetensors" in (stocked.files("vae") or ())


@pytest.mark.parametrize(
    ("file", "old", "new", "word"),
    [
        ("graph.json", "{{ seed }}", "{{ sede }}", "Did you mean 'seed'"),
        ("graph.json", "{{ seed }}", "{{ seed", "Write one"),
        ("graph.json", "{{ seed }}", "{% if seed %}{{ seed }}{% endif %}", "holds a block"),
        ("graph.json", '"class_type": "VAEDecode"', '"class": "VAEDecode"', "no class_type"),
        ("manifest.json", '"vae_decode"', '"vae_decod"', "not in graph.json"),
        ("manifest.json", '"type": "MODEL"', '"typ": "MODEL"', "typ"),
    ],
)
def test_a_wrong_template_says_where(tmp_path: Path, file: str, old: str, new: str, word: str) -> None:
    folder = tmp_path / "templates" / "checkpoint" / "mine"
    shutil.copytree(GRAPHS / "templates" / "checkpoint" / "text_to_image", folder)
    path = folder / file
    assert old in path.read_text()
    path.write_text(path.read_text().replace(old, new, 1))
    with pytest.raises((TemplateError, Exception), match=word):
        load_library(template_dirs=[tmp_path])


def test_users_assets_are_added_and_checked(tmp_path: Path) -> None:
    path = tmp_path / "assets.json"
    path.write_text(json.dumps({"mine": {"kind": "lora", "family": "wan22", "files": {"*": "m.safetensors"}}}))
    assert load_library(asset_files=[path]).assets["mine"].files == {"*": "m.safetensors"}
    path.write_text(json.dumps({"mine": {"kind": "lara", "family": "x", "files": {}}}))
    with pytest.raises(TemplateError, match=r"assets\.json: mine\.kind"):
        load_library(asset_files=[path])
