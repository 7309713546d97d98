"""docs/nodes-providers.md, from the declarations of comfy_nodes/providers; `generate.py` writes it. Needs no torch."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from comfy_nodes.providers.declaration import Provider

Table = Callable[[Sequence[str], Iterable[Sequence[str]]], str]
NAME: Final = "nodes-providers.md"

INTRO: Final = """\
`ComfycProviderImage` and `ComfycProviderVideo` call the HTTP APIs of closed providers, `ComfycLLMChat` those of
language models. Keys, and the addresses of gateways, come from the environment of the ComfyUI process alone: a graph
names none. `--engine managed` starts ComfyUI in comfyc's own environment, without what begins with `COMFYC_`.

`payload` is the JSON body that the provider documents, without its media. A part of it that the API wants in the URL,
such as the model, stays in the payload; the declaration takes it out."""

MEDIA: Final = """\
## Media

`image1` to `image4` are counted over all pictures of their batches, then they go where the declaration says: the first
as the first frame, and so on. Where a model wants them elsewhere, the payload says so with an object in place of the
medium:

```json
{"model": "fal-ai/some/app", "human_image": {"$media": "image1"}, "mask": {"$media": "mask", "as": "base64"}}
```

`$media` is `image1`, `image2`, …, `mask` or `video`; `as` is `data` (a data: URI) or `base64`, if it is not to be as
that API has it otherwise. Text can never become such an object: a prompt of `$media` stays a prompt. A medium for which
there is no place is an error, never left out in silence. PNG is sent; a picture that is too large for the provider goes
as JPEG."""

ERRORS: Final = """\
## Errors

Every message begins with `[comfyc:<category>]`, so that whoever reads ComfyUI's `execution_error` can tell them apart.
No message holds a key, a header or a picture."""

CALLS: Final = """\
## Calls

- **Retries.** 429, 500, 502, 503 and 529 are tried again, five times in all, after `Retry-After` (seconds or a moment)
  or 1, 2, 4, … seconds; an empty account is not, nor is 504: the job may be under way, and paid for. A question after a
  job, and the fetching of a result, are also asked again when nobody or a gateway answers.
- **Time.** `timeout` is for everything: the request, waiting for the job, fetching results. The progress bar shows what
  the provider says, else how much of the time is over. ComfyUI's interrupt ends a call within a fifth of a second; what
  the provider has begun it may finish, and charge.
- **Hosts.** Keys are sent to the provider's own hosts alone, over https (http on loopback), and to no address that a
  redirect names. Results are fetched without a key from any public address; private ones, and those of the cloud's
  metadata service, are refused, also behind a redirect. `PROVIDER_ALLOW_HOSTS=gateway.internal,http://10.0.0.5:8080`
  allows more. Proxies of the environment are not used: name a gateway as the base URL.
- **Sizes.** An answer may have 128 MB, a picture 64 MB and 120 million pixels, a video 1 GB.
- **Caching.** ComfyUI keeps a result until an input changes. Another `seed` calls again; it is never sent."""

LLM: Final = """\
## Language models

`ComfycLLMChat` speaks four protocols. `openai` is any server with OpenAI's chat completions, such as vLLM, llama.cpp or
LM Studio; one of your own needs no key. What a model does not take (a temperature, `max_tokens` by that name, a strict
schema) is left out or renamed, and asked again."""


def pages(table: Table) -> Iterator[tuple[str, str]]:
    """File name under docs/ and text of the page."""
    parts = ["# Providers of the nodes", INTRO]
    for kind, title in (("image", "## Pictures"), ("video", "## Videos")):
        parts.append(f"{title}\n\n{table(HEAD, map(row, doors(kind)))}")
    parts += [MEDIA, f"{ERRORS}\n\n{table(('category', 'class', 'meaning'), error_rows())}", CALLS]
    parts.append(f"{LLM}\n\n{table(HEAD, map(row, backends()))}")
    yield NAME, "\n\n".join(parts)


HEAD: Final = ("key", "provider", "host", "keys in the environment", "other base URL", "API")


def doors(kind: str) -> Iterator[Provider]:
    """Every declaration of that kind; of a provider with two doors, both."""
    from comfy_nodes.providers import of_kind

    for provider in of_kind(kind).values():
        door: Provider | None = provider
        while door is not None:
            yield door
            door = door.otherwise


def backends() -> Iterator[Provider]:
    from comfy_nodes.providers.llm import BACKENDS

    for backend in BACKENDS.values():
        yield backend.provider


def row(provider: Provider) -> tuple[str, ...]:
    host = urlsplit(provider.base_url).netloc
    return (
        code(provider.key.removeprefix("llm_")),
        f"{provider.title} ({provider.note})" if provider.note else provider.title,
        ", ".join([code(host) if host else "none: name yours", *map(code, provider.hosts)]),
        "; ".join(keys(provider)) or "none",
        code(provider.url_env),
        f"[documentation]({provider.source})",
    )


def keys(provider: Provider) -> Iterator[str]:
    """The variables that must be set, in words."""
    for number, group in enumerate(provider.auth.env):
        token = ", or google-auth's default credentials" if provider.auth.token and not number else ""
        yield " or ".join(map(code, group)) + token
    for variable, default in provider.variables.values():
        yield code(variable) + (f" (default {code(default)})" if default else "")


def error_rows() -> Iterator[tuple[str, str, str]]:
    from comfy_nodes.providers import errors

    for value in vars(errors).values():
        if isinstance(value, type) and issubclass(value, errors.CallError):
            yield code(value.category), code(value.__name__), (value.__doc__ or "").splitlines()[0]


def code(value: object) -> str:
    return f"`{value}`"
