"""The body of POST /v1/templates/{family}/{name}/jobs, JSON or a form: parameters, and a few words of ours."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Final

from starlette.datastructures import FormData, UploadFile
from starlette.exceptions import HTTPException
from starlette.formparsers import MultiPartException
from starlette.requests import Request

from compiler.errors import Fault, RequestError
from compiler.template.library import Template
from compiler.template.manifest import Param
from compiler.template.params import json_or_text, read_value
from runner.api.body import parse_object, read_object
from runner.api.desk import Desk
from runner.api.requests import TEXT_PART

WORDS: Final = ("loras", "stack", "profile", "outputs")
"""Fields beside the parameters that say how to run a template; a parameter of that name comes first."""
CALLBACK: Final = ("callback_url", "callback_api_key")
MAX_PARTS: Final = 200


async def read_body(request: Request, desk: Desk, tenant: str, template: Template) -> dict[str, Any]:
    """The fields of a request, its uploads stored and put in as file ids. Errors: RequestError."""
    if not request.headers.get("content-type", "").lower().startswith("multipart/form-data"):
        return await read_object(request)
    try:
        async with request.form(max_files=MAX_PARTS, max_fields=MAX_PARTS, max_part_size=TEXT_PART) as form:
            return await _fields(form, desk, tenant, template.manifest.params)
    except (MultiPartException, HTTPException, ValueError, KeyError) as error:  # what Starlette and its parser raise
        raise RequestError(Fault("body", "is broken multipart/form-data", "Send it whole", "bad_form")) from error


async def _fields(form: FormData, desk: Desk, tenant: str, params: Mapping[str, Param]) -> dict[str, Any]:
    texts: dict[str, Any] = {}
    for name, value in form.multi_items():
        if name in texts:
            raise RequestError(Fault(name, "is given twice", "Send it once", "duplicate"))
        if isinstance(value, UploadFile):
            texts[name] = await _upload(value, name, desk, tenant)
        else:
            texts[name] = _typed(value, params.get(name), name)
    return parse_object(json.dumps(texts).encode())  # the same strictness as for JSON


async def _upload(file: UploadFile, name: str, desk: Desk, tenant: str) -> str:
    limit = desk.config.max_upload
    data = await file.read(limit + 1)
    if len(data) > limit:
        raise RequestError(Fault(name, f"is larger than {limit // 2**20} MB", "Send a smaller file", "too_large"))
    try:
        return await desk.media.add(tenant, data, file.filename or "")
    except RequestError as error:
        raise RequestError(*(Fault(name, fault.what, fault.cure, fault.code) for fault in error.faults)) from error


def _typed(text: str, param: Param | None, name: str) -> Any:
    """A form knows text only: what is to be something else is read as JSON, if it is JSON."""
    if param is not None:
        return read_value(text, param)
    return json_or_text(text) if name in ("loras", "outputs") else text


def split(body: Mapping[str, Any], template: Template) -> tuple[dict[str, Any], dict[str, Any]]:
    """(what `submit` takes, the callback's fields) of the fields of a request."""
    params = template.manifest.params
    words = {name: body[name] for name in WORDS if name in body and name not in params}
    control = {name: body[name] for name in CALLBACK if name in body and name not in params}
    given = {name: value for name, value in body.items() if name not in words and name not in control}
    return {"template": template.id, "params": given, **words}, control


def in_flat_words(error: RequestError) -> RequestError:
    """The faults of `submit`, which knows the parameters as `params.width`, in the words of the body."""
    named = (Fault(one.where.removeprefix("params."), one.what, one.cure, one.code) for one in error.faults)
    return RequestError(*named)
