"""Which classes the sandbox runs, and how it refuses the others."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from ops_runner import OpsRunner, read_catalog

from compiler.catalog import Catalog, NodeSchema
from runner.engine.sandbox import ops
from runner.engine.sandbox.node import NodeFailure
from runner.engine.sandbox.ops import registry
from runner.engine.sandbox.ops.generic import REAL
from runner.engine.sandbox.ops.values import Conditioning, Latent, Symbol

KNOWN = {**read_catalog("0.3.64").nodes, **read_catalog("0.8.0").nodes, **read_catalog("comfyc").nodes}
OUTSIDE = {"SaveImageWebsocket"}
"""Classes that ComfyUI ships as an extension: in no catalog of core nodes."""


def test_every_implementation_belongs_to_a_known_class() -> None:
    assert set(registry.OPS) - OUTSIDE <= set(KNOWN)


def mismatches() -> Iterator[str]:
    """Parameters that the node has no input for, and that have no default."""
    for kind, entry in registry.OPS.items():
        declared = {spec.name for spec in KNOWN[kind].inputs} if kind in KNOWN else set(entry.parameters)
        for name, parameter in entry.parameters.items():
            if name not in declared | registry.SPECIAL and parameter.default is parameter.empty:
                yield f"{kind}.{name}"


def test_every_parameter_is_an_input_of_the_class() -> None:
    assert list(mismatches()) == []


def test_partner_nodes_ask_for_a_login(sandbox: OpsRunner) -> None:
    with pytest.raises(NodeFailure, match="Unauthorized: Please login first to use this node") as raised:
        sandbox.one("OpenAIGPTImage1", prompt="x")
    assert raised.value.exception_type == "Exception"


@pytest.mark.parametrize("kind", ["VAEDecodeHunyuan3D", "TrainLoraNode", "ModelSave"])
def test_what_would_have_to_be_made_is_refused(sandbox: OpsRunner, kind: str) -> None:
    with pytest.raises(NodeFailure, match=f"{kind} is not implemented by the comfyc sandbox") as raised:
        sandbox.one(kind)
    assert raised.value.exception_type == "NotImplementedError"


def symbolic(catalog: Catalog) -> list[NodeSchema]:
    return [
        schema
        for kind, schema in catalog.nodes.items()
        if not ops.implemented(kind)
        and not schema.api_node
        and schema.outputs
        and not any(type_ in REAL for type_, _ in schema.outputs)
    ]


def test_every_symbolic_class_gives_one_symbol_for_each_output(sandbox: OpsRunner, catalog: Catalog) -> None:
    model, text = Symbol("MODEL", "m"), Conditioning("c", "hello")
    classes = symbolic(catalog)
    assert len(classes) > 150
    for schema in classes:
        outputs = ops.run_node(
            schema.name,
            {"model": model, "conditioning": text},
            sandbox.context("1", {"1": {"class_type": schema.name}}),
        ).outputs
        assert len(outputs) == len(schema.outputs)
        assert all(len(output.digest) == 32 for output in outputs), schema.name


def test_any_input_changes_the_digest(sandbox: OpsRunner) -> None:
    base: dict[str, Any] = {"model": Symbol("MODEL", "m"), "lora_name": "a.safetensors", "strength_model": 0.5}
    seen = {sandbox.one("LoraLoaderModelOnly", **base).digest}
    for name, value in {"model": Symbol("MODEL", "n"), "lora_name": "b.safetensors", "strength_model": 0.6}.items():
        seen.add(sandbox.one("LoraLoaderModelOnly", **{**base, name: value}).digest)
    assert len(seen) == 4
    assert sandbox.one("LoraLoaderModelOnly", **base).digest in seen


def test_a_lora_of_strength_zero_changes_nothing(sandbox: OpsRunner) -> None:
    model, clip = Symbol("MODEL", "m"), Symbol("CLIP", "c")
    assert sandbox.one("LoraLoaderModelOnly", model=model, lora_name="a", strength_model=0) is model
    both = sandbox.one("LoraLoader", model=model, clip=clip, lora_name="a", strength_model=0, strength_clip=0)
    assert both == (model, clip)


def test_errors_carry_the_full_name_of_their_type(sandbox: OpsRunner) -> None:
    (sandbox.root / "input" / "no.png").write_bytes(b"no picture")
    with pytest.raises(NodeFailure, match="cannot identify image file") as raised:
        sandbox.one("LoadImage", image="no.png")
    assert raised.value.exception_type == "PIL.UnidentifiedImageError"
    with pytest.raises(NodeFailure, match="missing 1 required positional argument: 'images'") as missing:
        sandbox.one("BatchImagesNode")
    assert missing.value.exception_type == "TypeError"


def test_lists_and_lazy_inputs() -> None:
    assert ops.takes_lists("RebatchImages")
    assert not ops.takes_lists("ImageInvert")
    assert ops.lazy_inputs("ComfySwitchNode", {"switch": True}) == ("on_true",)
    assert ops.lazy_inputs("ComfySwitchNode", {"switch": False}) == ("on_false",)
    assert ops.lazy_inputs("KSampler", {}) is None


def test_a_latent_tells_the_shape_of_its_tensor(sandbox: OpsRunner) -> None:
    made: Latent = sandbox.one("EmptyHunyuanLatentVideo", width=100, height=64, length=14, batch_size=2)
    assert (made.shape, made.pictures) == ((2, 16, 4, 8, 12), 13)
