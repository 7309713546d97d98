"""Language models against a stand-in: the exact requests, and what is made of the answers."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import urlsplit

import pytest
from calling import MEDIA, FakeHost, table
from stand_in import served

from comfy_nodes.nodes.llm import BACKENDS as CHOICES
from comfy_nodes.providers.errors import CallError
from comfy_nodes.providers.llm import BACKENDS, Question, ask

CASES = table("llm.yaml")
DEFAULTS = {"system": "", "temperature": 0.7, "max_tokens": 1024}
KEYS = ("LLM_OPENAI_KEY", "OPENAI_API_KEY", "ANTHROPIC_API_KEY", "GEMINI_API_KEY", "GOOGLE_API_KEY")


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["name"])
def test_chat(case: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    provider = BACKENDS[case["backend"]].provider
    for name in KEYS:
        monkeypatch.delenv(name, raising=False)
    for name, value in case["env"].items():
        monkeypatch.setenv(name, value)
    pictures = tuple(MEDIA[name] for name in case.get("pictures", ()))
    question = Question(**{**DEFAULTS, **case["question"]}, pictures=pictures)
    with served([one["answer"] for one in case["exchanges"]] or [{"status": 500}]) as stand_in:
        monkeypatch.setenv(provider.url_env, stand_in.url + urlsplit(provider.base_url).path)
        if "error" in case:
            with pytest.raises(CallError) as caught:
                ask(case["backend"], question, host=FakeHost())
            assert caught.value.category == case["error"], str(caught.value)
            assert case.get("says", "") in str(caught.value)
        else:
            reply = ask(case["backend"], question, host=FakeHost())
            assert reply.text == case["text"]
            assert [reply.prompt_tokens, reply.completion_tokens] == case.get("tokens", [0, 0])
    assert [asked["line"] for asked in stand_in.asked] == [one["ask"] for one in case["exchanges"]]
    for asked, one in zip(stand_in.asked, case["exchanges"], strict=True):
        assert json.loads(asked["body"]) == one.get("json", json.loads(asked["body"]))
        assert {name: asked["headers"][name] for name in one.get("paid", {})} == one.get("paid", {})
        assert not one.get("keyless") or "authorization" not in asked["headers"]


def test_the_node_offers_every_backend() -> None:
    assert list(BACKENDS) == CHOICES


def test_openai_itself_wants_a_key(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in (*KEYS, "LLM_OPENAI_BASE_URL"):
        monkeypatch.delenv(name, raising=False)
    with pytest.raises(CallError, match="set LLM_OPENAI_KEY or OPENAI_API_KEY in ComfyUI's environment"):
        ask("openai", Question("m", "", "x", 0, 1), host=FakeHost())
