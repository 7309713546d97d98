"""History entries as Outcomes: which key holds files, what is success, what is told of a failure."""

from __future__ import annotations

from typing import Any

import pytest

from runner.engine.base import Ending, EngineFile
from runner.engine.outputs import read_history, read_output

FILE = {"filename": "a.bin", "subfolder": "x/y", "type": "output"}
READ = (EngineFile("a.bin", "x/y", "output"),)


@pytest.mark.parametrize("key", ["images", "gifs", "videos", "audio", "3d", "latents", "files", "anything"])
def test_files_are_read_under_every_key(key: str) -> None:
    assert read_output({key: [FILE], "animated": [True], "count": 3}) == (READ, ())


@pytest.mark.parametrize(
    ("output", "files", "text"),
    [
        (None, (), ()),
        ([], (), ()),
        ({}, (), ()),
        ({"images": [{"filename": "a.png"}]}, (EngineFile("a.png", "", "output"),), ()),
        ({"images": [{"filename": "", "type": "output"}, None, "x", {}]}, (), ()),
        ({"video": FILE}, READ, ()),
        ({"text": ["one", 2, "three"]}, (), ("one", "three")),
        ({"text": "bare"}, (), ("bare",)),
        ({"images": [FILE, {**FILE, "type": "temp"}]}, (*READ, EngineFile("a.bin", "x/y", "temp")), ()),
        ({"result": ["/secret/path.glb"]}, (), ()),
    ],
)
def test_odd_outputs(output: Any, files: tuple[EngineFile, ...], text: tuple[str, ...]) -> None:
    assert read_output(output) == (files, text)


def entry(status: str, *messages: tuple[str, dict[str, Any]], outputs: dict[str, Any] | None = None) -> dict[str, Any]:
    graph = {
        "6": {"class_type": "CLIPTextEncode", "inputs": {"text": "a very private wish"}},
        "9": {"class_type": "SaveImage", "inputs": {"images": ["6", 0]}},
    }
    return {
        "prompt": [1, "p", graph, {"client_id": "c"}, ["9"]],
        "outputs": {"9": {"images": [FILE]}} if outputs is None else outputs,
        "status": {"status_str": status, "completed": status == "success", "messages": [list(m) for m in messages]},
    }


def failure(kind: str, message: str) -> tuple[str, dict[str, Any]]:
    data = {
        "node_id": "6",
        "node_type": "CLIPTextEncode",
        "exception_type": kind,
        "exception_message": message,
        "traceback": ['  File "/srv/ComfyUI/execution.py", line 1\n'],
        "current_inputs": {"text": ["a very private wish"]},
    }
    return "execution_error", data


STARTED = ("execution_start", {"prompt_id": "p"})
SUCCEEDED = ("execution_success", {"prompt_id": "p"})


def test_success_has_the_files() -> None:
    outcome = read_history(entry("success", STARTED, SUCCEEDED))
    assert (outcome.ending, outcome.files, outcome.hollow) == (Ending.SUCCESS, {"9": READ}, False)


def test_an_interrupted_run_says_error_but_its_last_message_tells() -> None:
    outcome = read_history(entry("error", STARTED, ("execution_interrupted", {"node_id": "6"})))
    assert (outcome.ending, outcome.node) == (Ending.INTERRUPTED, "6")


def test_stale_success_beside_an_error_message_is_an_error() -> None:
    outcome = read_history(entry("success", STARTED, failure("DependencyCycleError", "Cycle")))
    assert (outcome.ending, outcome.exception_type) == (Ending.ERROR, "DependencyCycleError")


@pytest.mark.parametrize("status", [None, {}, {"status_str": "success"}, {"status_str": "error", "messages": None}])
def test_a_status_that_says_nothing_is_no_success(status: Any) -> None:
    outcome = read_history({**entry("success"), "status": status})
    assert outcome.ending is Ending.ERROR
    assert outcome.message


def test_a_failure_is_told_without_paths_inputs_and_keys() -> None:
    said = "a very private wish: no /srv/My Models/vae/x.pt for key comfyui-12345678\n"
    outcome = read_history(entry("error", STARTED, failure("ValueError", said)), ("comfyui-12345678",))
    assert outcome.message == "[input]: no …/x.pt for key [input]"
    assert (outcome.node, outcome.node_type, outcome.files) == ("6", "CLIPTextEncode", {"9": READ})
    assert "/srv" not in repr(outcome)
    assert "private" not in repr(outcome)


def cached(*nodes: str) -> tuple[str, dict[str, Any]]:
    return "execution_cached", {"nodes": list(nodes), "prompt_id": "p"}


@pytest.mark.parametrize(
    ("nodes", "outputs", "hollow"),
    [(("6", "9"), {}, True), (("6",), {}, False), (("6", "9"), {"9": {"images": [FILE]}}, False), ((), {}, False)],
)
def test_hollow_means_all_outputs_cached_and_none_listed(nodes: Any, outputs: dict[str, Any], hollow: bool) -> None:
    outcome = read_history(entry("success", STARTED, cached(*nodes), SUCCEEDED, outputs=outputs))
    assert (outcome.ending, outcome.hollow) == (Ending.SUCCESS, hollow)


@pytest.mark.parametrize(
    ("kind", "message", "memory", "fault"),
    [
        ("torch.OutOfMemoryError", "Allocation on device ", True, False),
        ("torch.cuda.OutOfMemoryError", "CUDA out of memory. Tried to allocate 2.00 GiB", True, False),
        ("RuntimeError", "MPS backend out of memory (MPS allocated: 17 GB)", True, False),
        ("RuntimeError", "[enforce fail] DefaultCPUAllocator: can't allocate memory: you tried", True, False),
        ("RuntimeError", "CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate(handle)`", True, False),
        ("RuntimeError", "CUDA error: out of memory", True, False),
        ("MemoryError", "", True, False),
        ("torch.AcceleratorError", "CUDA error: an illegal memory access was encountered\nCUDA kernel", False, True),
        ("RuntimeError", "CUDA error: device-side assert triggered", False, True),
        ("RuntimeError", "CUDA error: unspecified launch failure", False, True),
        ("RuntimeError", "CUDA error: uncorrectable ECC error encountered", False, True),
        ("RuntimeError", "cuDNN error: CUDNN_STATUS_EXECUTION_FAILED", False, True),
        ("RuntimeError", "No CUDA GPUs are available", False, True),
        ("RuntimeError", "HIP error: the operation hipErrorIllegalAddress", False, True),
        ("ValueError", "The size of tensor a (64) must match the size of tensor b", False, False),
        ("RuntimeError", "mat1 and mat2 shapes cannot be multiplied", False, False),
    ],
)
def test_memory_and_device_faults_are_told_apart(kind: str, message: str, memory: bool, fault: bool) -> None:
    outcome = read_history(entry("error", STARTED, failure(kind, message)))
    assert (outcome.out_of_memory, outcome.device_fault) == (memory, fault)
