"""Chat with a language model over HTTP."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ._inputs import choice, image, number, text, whole

if TYPE_CHECKING:
    from torch import Tensor

BACKENDS = ["openai", "anthropic", "gemini", "ollama"]


class ComfycLLMChat:
    """One turn with a language model: a system instruction, a prompt, pictures; text out.

    `openai` is any server with OpenAI's chat completions. With `json_schema` the text is JSON that has that shape, or
    the node fails. Tokens are as the backend counted them, 0 if it did not.

    Errors: those of providers/errors.py; each message begins with `[comfyc:<category>]`.
    """

    DISPLAY_NAME = "LLM chat (comfyc)"
    CATEGORY = "comfyc/text"
    DESCRIPTION = "Text from a language model, of text and pictures. Keys come from ComfyUI's environment."
    FUNCTION = "chat"
    RETURN_TYPES = ("STRING", "INT", "INT")
    RETURN_NAMES = ("text", "prompt_tokens", "completion_tokens")
    OUTPUT_TOOLTIPS = ("What the model answers.", "Tokens that went in.", "Tokens that came out.")

    @classmethod
    def INPUT_TYPES(cls) -> dict[str, Any]:  # noqa: N802 - ComfyUI's name
        seed = {"default": 0, "min": 0, "max": 2**64 - 1, "control_after_generate": True}
        return {
            "required": {
                "backend": choice(BACKENDS, "Whose protocol; address and key are in the environment."),
                "model": text("", "The model's name at the backend."),
                "system": text("", "System instruction.", lines=True),
                "prompt": text("", "What is asked.", lines=True),
                "temperature": number(0.7, 0.0, 2.0, "0 is the most predictable.", 0.05),
                "max_tokens": whole(1024, 1, 1_000_000, "Most tokens of the answer."),
                "json_schema": text("", "A JSON schema for the answer; empty for plain text.", lines=True),
                "seed": ("INT", {**seed, "tooltip": "Sent where the backend takes one; another seed asks again."}),
            },
            "optional": {"images": image("Pictures that the model sees with the prompt.")},
        }

    def chat(
        self,
        backend: str,
        model: str,
        system: str,
        prompt: str,
        temperature: float,
        max_tokens: int,
        json_schema: str,
        seed: int,
        images: Tensor | None = None,
    ) -> tuple[str, int, int]:
        """See the class."""
        from ..ops import pictures  # here, so that the schema is read without torch
        from ..providers import llm

        shown = tuple(pictures.to_file(one, llm.PICTURE_BYTES) for one in pictures.singles(images))
        question = llm.Question(model, system, prompt, temperature, max_tokens, json_schema, seed, shown)
        answer = llm.ask(backend, question)
        return answer.text, answer.prompt_tokens, answer.completion_tokens


NODES = (ComfycLLMChat,)
