"""What is declared of a provider's HTTP API. One provider is one value of `Provider`; call.py does the rest.

Paths into JSON are dotted: a number is an index, `*` is every member; when writing, `-` is the last member and `+` a
new one behind it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

MODERATION = (
    r"moderat|content.?(policy|filter|violation)|nsfw|inappropriate|prohibited|sensitive.?(content|information|word)"
    r"|\bSAFETY\b|safety.{0,20}(system|filter|polic|violat|block|reject)"
)
"""Words by which most providers say that they refuse a content, in codes and messages."""
QUOTA = (
    r"quota|insufficient.{0,12}(balance|credit|fund)|out.?of.?credits|no.{0,12}credits|arrear|overdue"
    r"|balance.{0,20}(exhausted|not enough|insufficient)|exhausted.{0,12}balance|payment.required|spending.limit"
)
"""Words by which most providers say that the account is empty."""

HERE = "$"
"""In `Slot.wrap`: where the encoded medium goes."""


@dataclass(frozen=True, slots=True)
class Slot:
    """Where media of one sort go in a request."""

    medium: str
    """`image`, `mask` or `video`."""
    at: str
    """Path in the JSON body; of a multipart request the name of the part."""
    form: str = "data"
    """`data` (a data: URI) or `base64`; a multipart part is the file itself."""
    wrap: Any = HERE
    """What is written: JSON in which `$` is the medium and `$mime` its type."""
    first: int = 0
    """Number of the first medium that goes here, from 0."""
    count: int | None = None
    """How many go here; None is all the rest."""
    several: str = ""
    """Path that is used instead of `at` if more than one medium goes here."""


@dataclass(frozen=True, slots=True)
class Route:
    """One operation of the API. The first route that takes the given media and model is used."""

    path: str
    """Below the base URL; `{name}` is taken out of the payload."""
    slots: tuple[Slot, ...] = ()
    multipart: bool = False
    models: str = ""
    """Regular expression that the whole name of the payload's model matches; empty for any."""
    needs: tuple[str, ...] = ()
    """Sorts of media that must be given for this route."""
    headers: Mapping[str, str] = field(default_factory=dict[str, str])
    poll: Poll | None = None
    """Instead of the provider's."""

    def takes(self, model: str, given: frozenset[str]) -> bool:
        """True if this route is for these media and this model."""
        return given.issuperset(self.needs) and re.fullmatch(self.models or ".*", model) is not None


@dataclass(frozen=True, slots=True)
class Auth:
    """How a call proves who pays for it."""

    env: tuple[tuple[str, ...], ...]
    """Environment variables; of each group the first that is set."""
    header: str = "Authorization"
    value: str = "Bearer {0}"
    """The header's value; `{0}` is what the first variable holds."""
    sign: Callable[[Sequence[str]], str] | None = None
    """Makes the header's value of the variables' values, where a text cannot say it."""
    optional: bool = False
    """True if another base URL may do without a key: a server of one's own."""
    token: Callable[[], str] | None = None
    """A last way to the first value, if its variables are not set; an empty answer means there is none."""


@dataclass(frozen=True, slots=True)
class Poll:
    """How a long job is followed.

    URLs are below the base. `{id}` in them is the job's, `{model}` the payload's, `{=path}` a value of the last answer;
    a URL `=path` stands in the first answer whole.
    """

    url: str
    done: tuple[str, ...]
    failed: tuple[str, ...] = ()
    id: str = "id"
    """Path of the job's id in the first answer."""
    state: str = "status"
    body: Any = None
    """If given, the state is asked by POST with this JSON; `$` is the id."""
    progress: str = ""
    """Path of how far it is: 0 to 1, 0 to 100, or "50%"."""
    then: str = ""
    """What is fetched once it is done, if the last state does not hold the result."""
    interval: float = 2.0
    """Seconds between two questions."""


@dataclass(frozen=True, slots=True)
class Provider:
    """One provider's API for one kind of result."""

    key: str
    title: str
    kind: str
    """`image` or `video`."""
    base_url: str
    """Empty if there is no address that all share; then the environment must name one."""
    auth: Auth
    routes: tuple[Route, ...]
    results: tuple[str, ...]
    """Paths of results in the last answer: URLs, data: URIs or base64. The first path that holds any is taken."""
    source: str
    """Where the API is documented."""
    note: str = ""
    """What who chooses it should know first; for its line in the documentation."""
    poll: Poll | None = None
    hosts: tuple[str, ...] = ()
    """Further hosts of the API, `*.` for all below; results may come from any public host."""
    variables: Mapping[str, tuple[str, str]] = field(default_factory=dict[str, tuple[str, str]])
    """`{name}` in URLs → (environment variable, default; no default: it must be set)."""
    headers: Mapping[str, str] = field(default_factory=dict[str, str])
    model: str = "model"
    """Path of the model's name in the payload."""
    ok: tuple[str, tuple[Any, ...]] | None = None
    """Path and the values of a good answer there, for APIs that tell errors with status 200."""
    failed_by: tuple[str, ...] = ()
    """Paths that hold something if a job is done because it failed."""
    errors: tuple[str, ...] = ("error.code", "error.type", "error.message", "error", "code", "message", "detail")
    """Paths of an error's words."""
    refused: tuple[str, ...] = ()
    """Paths that hold something if a result is missing because it was refused."""
    harmless: tuple[str, ...] = ()
    """What may stand there although nothing was refused."""
    moderation: str = MODERATION
    quota: str = QUOTA
    """The account is empty: no use in trying again."""
    busy: str = ""
    """Words of an answer without status 429 that mean the same."""
    image_bytes: int = 10 << 20
    """Most bytes of one picture; a larger PNG is sent as JPEG."""
    images: int = 16
    """Most pictures of one call."""
    mask_alpha: bool = False
    """True if the mask is a picture whose transparent part is changed, instead of its white part."""
    otherwise: Provider | None = None
    """The same by another door, used if the keys of this one are missing and the other's are there."""

    @property
    def url_env(self) -> str:
        """The environment variable that names another base URL. Not COMFYC_…: these are for comfyc's own process."""
        return f"{self.key.upper()}_BASE_URL"
