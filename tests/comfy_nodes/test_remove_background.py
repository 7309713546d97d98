"""Background removal with libraries that have the real ones' interfaces, and without them."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest
from fake_libraries import Rembg, Remover, Runtime, comfyui_folders, install, without

torch = pytest.importorskip("torch", reason="torch is optional: pip install '.[nodes]'")

from comfy_nodes import NODE_CLASS_MAPPINGS  # noqa: E402 - needs torch
from comfy_nodes.nodes.background import BACKGROUNDS, MODELS  # noqa: E402
from comfy_nodes.ops import cutout, matting  # noqa: E402
from comfy_nodes.providers.errors import LibraryMissing  # noqa: E402

DEFAULTS = {
    "process_res": 1024,
    "sensitivity": 0.5,
    "mask_blur": 0,
    "mask_offset": 0,
    "invert_output": False,
    "background": "Alpha",
}


@pytest.fixture(autouse=True)
def fresh(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty ComfyUI, an empty home, and nothing loaded."""
    matting.finder.cache_clear()
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.delenv("U2NET_HOME", raising=False)
    return comfyui_folders(monkeypatch, tmp_path)


def weights(models: Path, name: str) -> None:
    (models / name).parent.mkdir(parents=True, exist_ok=True)
    (models / name).write_bytes(b"weights")


def picture() -> Any:
    """White in the middle of black: [1, 40, 60, 3]."""
    made = torch.zeros(1, 40, 60, 3)
    made[:, 10:30, 20:40] = 1
    return made


def run(model: str, image: Any = None, **inputs: Any) -> tuple[Any, Any]:
    node = NODE_CLASS_MAPPINGS["ComfycRemoveBackground"]()
    return node.remove(picture() if image is None else image, model, **{**DEFAULTS, **inputs})


@pytest.mark.parametrize("model", [name for name in MODELS if name not in ("BEN", "BEN2", "INSPYRENET")])
def test_rembg(model: str, fresh: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    library = Rembg()
    install(monkeypatch, "rembg", new_session=library.new_session)
    name = matting.SAME.get(model, model)
    weights(fresh, f"rembg/{name}.onnx")
    image, mask = run(model)
    assert library.opened == [(name, str(fresh / "rembg"), "1")]
    assert "U2NET_HOME" not in os.environ, "the environment is left changed"
    assert image.shape == (1, 40, 60, 4)
    assert torch.equal(mask, picture()[..., 0])
    assert torch.equal(image[..., 3], mask)


def test_a_batch_is_one_session_and_the_model_stays_loaded(fresh: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    library = Rembg()
    install(monkeypatch, "rembg", new_session=library.new_session)
    weights(fresh, "rembg/u2net.onnx")
    for _ in range(2):
        _, mask = run("u2net", torch.cat([picture(), 1 - picture()]))
    assert len(library.opened) == 1
    assert torch.allclose(mask[0] + mask[1], torch.ones(40, 60))


def test_the_model_sees_a_smaller_picture(fresh: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    library = Rembg()
    install(monkeypatch, "rembg", new_session=library.new_session)
    weights(fresh, "rembg/u2net.onnx")
    _, mask = run("u2net", torch.rand(1, 300, 600, 3), process_res=256)
    assert library.seen == [(256, 128)]
    assert mask.shape == (1, 300, 600)


@pytest.mark.parametrize("model", ["BEN", "BEN2"])
def test_ben_by_its_onnx_export(model: str, fresh: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    runtime = Runtime()
    names = ("get_available_providers", "InferenceSession")
    install(monkeypatch, "onnxruntime", **{name: getattr(runtime, name) for name in names})
    weights(fresh, f"rembg/{model}_Base.onnx")
    _, mask = run(model)
    fed = runtime.fed[0]
    assert (fed.shape, str(fed.dtype)) == ((1, 3, 1024, 1024), "float32")
    assert fed[0, :, 0, 0] == pytest.approx([-0.485 / 0.229, -0.456 / 0.224, -0.406 / 0.225])
    assert fed[0, :, 512, 512] == pytest.approx([0.515 / 0.229, 0.544 / 0.224, 0.594 / 0.225])
    assert torch.allclose(mask[0, 12:28, 22:38], torch.ones(16, 16), atol=0.02)  # Lanczos rings
    assert mask[0, :8].max() < 0.02


def test_inspyrenet(fresh: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    install(monkeypatch, "transparent_background", Remover=Remover)
    weights(fresh, "transparent-background/ckpt_base.pth")
    _, mask = run("INSPYRENET")
    assert Remover.made[-1] == ("base", str(fresh / "transparent-background" / "ckpt_base.pth"))
    assert torch.equal(mask, picture()[..., 0])


def test_weights_of_rembg_itself_are_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    library = Rembg()
    install(monkeypatch, "rembg", new_session=library.new_session)
    for place in ("home/.u2net/silueta.onnx", "home/.rembg/models/u2netp/u2netp.onnx"):
        weights(tmp_path, place)
        run(Path(place).stem)
        assert library.opened[-1][1] == str((tmp_path / place).parent)


def test_weights_of_extra_model_paths_are_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    library = Rembg()
    install(monkeypatch, "rembg", new_session=library.new_session)
    weights(tmp_path, "shared/u2net.onnx")
    comfyui_folders(monkeypatch, tmp_path, rembg=[str(tmp_path / "shared")])
    run("u2net")
    assert library.opened[-1][1] == str(tmp_path / "shared")


@pytest.mark.parametrize(
    ("model", "says"),
    [
        ("u2net", 'the library rembg is not installed; run `pip install "rembg[cpu]"` with ComfyUI\'s Python'),
        ("RMBG-2.0", "the library rembg is not installed"),
        ("BEN2", "the library onnxruntime is not installed; run `pip install onnxruntime`"),
        ("INSPYRENET", "the library transparent_background is not installed; run `pip install transparent-background`"),
    ],
)
def test_a_missing_library(model: str, says: str, monkeypatch: pytest.MonkeyPatch) -> None:
    without(monkeypatch, "rembg", "onnxruntime", "transparent_background")
    with pytest.raises(LibraryMissing) as caught:
        run(model)
    assert str(caught.value).startswith("[comfyc:library] ")
    assert says in str(caught.value)


@pytest.mark.parametrize(
    ("model", "file", "source"),
    [
        ("u2net", "u2net.onnx", "v0.0.0/u2net.onnx"),
        ("RMBG-2.0", "bria-rmbg.onnx", "v0.0.0/bria-rmbg-2.0.onnx"),
        ("birefnet-general", "birefnet-general.onnx", "BiRefNet-general-epoch_244.onnx"),
        ("BEN2", "BEN2_Base.onnx", "huggingface.co/PramaLLC/BEN2"),
        ("BEN", "BEN_Base.onnx", "huggingface.co/PramaLLC/BEN"),
        ("INSPYRENET", "ckpt_base.pth", "github.com/plemeri/transparent-background"),
    ],
)
def test_missing_weights(model: str, file: str, source: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("rembg", "onnxruntime", "transparent_background"):
        install(monkeypatch, name)
    with pytest.raises(LibraryMissing) as caught:
        run(model)
    assert f"{file} is missing; put it into ComfyUI's models/" in str(caught.value)
    assert source in str(caught.value)


def test_every_model_and_background_of_the_node_is_known() -> None:
    known = {*matting.ONNX_FILES, "INSPYRENET", *matting.SAME}
    assert {name for name in MODELS if name.lower() != name} - {"INSPYRENET"} <= known
    assert ["Alpha", *cutout.COLOURS] == BACKGROUNDS
