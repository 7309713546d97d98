"""Jobs in the house's own words: ComfycJob of v1/openapi.json, for a job of any dialect."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, cast

from runner.api.dialect import iso
from runner.api.links import Links
from runner.job import Job, OutputFile, State
from runner.work import TEMPLATES


def encode_job(job: Job, links: Links) -> dict[str, Any]:
    """ComfycJob, without the request."""
    body: dict[str, Any] = {
        "id": job.id,
        "number": job.number,
        "status": job.state.value,
        "percentage": round(job.progress, 1),
        "node": job.node,
        "eta_seconds": None if job.eta_s is None else round(job.eta_s, 1),
        "dialect": job.dialect,
        "provider": job.provider,
        "template": job.template,
        "created_at": iso(job.created_at),
        "started_at": iso(job.started_at),
        "finished_at": iso(job.finished_at),
        "cancel_requested": job.cancel_requested,
        "outputs": [_output(one, links) for one in job.outputs],
        "warnings": list(job.unsupported),
    }
    if job.error is not None and job.state is State.FAILED:
        error = {"code": job.error.cause.value, "message": job.error.message}
        body["error"] = {**error, "node": job.error.node} if job.error.node else error
    return body


def encode_whole(job: Job, links: Links) -> dict[str, Any]:
    """ComfycJob with the request."""
    return encode_job(job, links) | {"request": asked(job)}


def asked(job: Job) -> dict[str, Any]:
    """The request in the words that it came in, media by file id, so that it can be sent again as it is."""
    fields = _with_file_ids(job.request, job.media)
    return {**fields.pop("params", {}), **_without_template(fields)} if job.dialect == TEMPLATES else fields


def _without_template(fields: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in fields.items() if name != "template"}


def _with_file_ids(value: Any, media: Mapping[str, str]) -> Any:
    """A data URI may be a megabyte: the id of the file that it became says the same."""
    if isinstance(value, str):
        return media[value].rpartition("/")[2] if value.startswith("data:") and value in media else value
    if isinstance(value, Mapping):
        return {name: _with_file_ids(item, media) for name, item in cast("Mapping[str, Any]", value).items()}
    return [_with_file_ids(item, media) for item in cast("list[Any]", value)] if isinstance(value, list) else value


def _output(file: OutputFile, links: Links) -> dict[str, Any]:
    row: dict[str, Any] = {
        "kind": file.kind,
        "url": links.url(file.key),
        "content_type": file.content_type,
        "size": file.size,
    }
    if file.width:
        row |= {"width": file.width, "height": file.height}
    return row | {"poster_url": links.url(file.poster)} if file.poster else row
