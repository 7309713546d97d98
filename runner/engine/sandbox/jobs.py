"""/api/jobs of ComfyUI 0.8.0: queue and history in one list, with filters."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final

from starlette.requests import Request
from starlette.responses import Response

from runner.engine.sandbox.core import Core
from runner.engine.sandbox.http import answer
from runner.engine.sandbox.prompt_queue import Item

STATUSES: Final = ("pending", "in_progress", "completed", "failed")
_SORTS: Final = ("created_at", "execution_duration")
_Job = dict[str, Any]


class BadQuery(ValueError):
    """A wrong parameter; the message is the answer's."""


async def list_jobs(request: Request) -> Response:
    """GET /api/jobs?status&workflow_id&sort_by&sort_order&limit&offset."""
    core: Core = request.scope["core"]
    try:
        return answer(_page(_all(core), request.query_params))
    except BadQuery as error:
        return answer({"error": str(error)}, 400)


async def one_job(request: Request) -> Response:
    """GET /api/jobs/{id}."""
    core: Core = request.scope["core"]
    wanted = request.path_params["job_id"]
    entry = core.queue.entry(wanted)
    if entry is not None:
        return answer({**_finished(wanted, entry), **_detail(entry)})
    running, pending = core.queue.current()
    for status, items in (("in_progress", running), ("pending", pending)):
        for item in items:
            if item.prompt_id == wanted:
                return answer(_waiting(item, status))
    return answer({"error": "Job not found"}, 404)


def _all(core: Core) -> list[_Job]:
    running, pending = core.queue.current()
    jobs = [_waiting(item, "in_progress") for item in running]
    jobs += [_waiting(item, "pending") for item in pending]
    return jobs + [_finished(prompt_id, entry) for prompt_id, entry in core.queue.history().items()]


def _page(jobs: list[_Job], asked: Mapping[str, str]) -> dict[str, Any]:
    wanted = [word for word in asked.get("status", "").split(",") if word]
    wrong = [word for word in wanted if word not in STATUSES]
    if wrong:
        raise BadQuery(f"Invalid status value(s): {', '.join(wrong)}. Valid values: {', '.join(STATUSES)}")
    sort_by, sort_order = asked.get("sort_by", "created_at"), asked.get("sort_order", "desc")
    if sort_by not in _SORTS:
        raise BadQuery("sort_by must be 'created_at' or 'execution_duration'")
    if sort_order not in ("asc", "desc"):
        raise BadQuery("sort_order must be 'asc' or 'desc'")
    limit, offset = _limit(asked), max(_integer(asked, "offset") or 0, 0)
    chosen = [job for job in jobs if not wanted or job["status"] in wanted]
    if asked.get("workflow_id"):
        chosen = [job for job in chosen if job.get("workflow_id") == asked["workflow_id"]]
    key = _created if sort_by == "created_at" else _duration
    chosen.sort(key=key, reverse=sort_order == "desc")
    page = chosen[offset : None if limit is None else offset + limit]
    more = offset + len(page) < len(chosen)
    return {
        "jobs": page,
        "pagination": {"offset": offset, "limit": limit, "total": len(chosen), "has_more": more},
    }


def _integer(asked: Mapping[str, str], name: str) -> int | None:
    if name not in asked:
        return None
    try:
        return int(asked[name])
    except ValueError:
        raise BadQuery(f"{name} must be an integer") from None


def _limit(asked: Mapping[str, str]) -> int | None:
    limit = _integer(asked, "limit")
    if limit is not None and limit <= 0:
        raise BadQuery("limit must be a positive integer")
    return limit


def _created(job: _Job) -> float:
    return job.get("create_time") or 0


def _duration(job: _Job) -> float:
    return job.get("execution_end_time", 0) - job.get("execution_start_time", 0)


def _base(prompt_id: str, number: float, extra: Mapping[str, Any], status: str) -> _Job:
    pnginfo: dict[str, Any] = extra.get("extra_pnginfo") or {}
    workflow: dict[str, Any] = pnginfo.get("workflow") or {}
    job = {"id": prompt_id, "status": status, "priority": number, "create_time": extra.get("create_time")}
    return {**_present(job), "outputs_count": 0, **_present({"workflow_id": workflow.get("id")})}


def _present(job: _Job) -> _Job:
    return {key: value for key, value in job.items() if value is not None}


def _waiting(item: Item, status: str) -> _Job:
    return _base(item.prompt_id, item.number, item.extra_data, status)


def _finished(prompt_id: str, entry: Mapping[str, Any]) -> _Job:
    number, _, _, extra, *_ = entry["prompt"]
    status = entry["status"]
    messages: list[tuple[str, Any]] = status["messages"]
    times = {kind: data.get("timestamp") for kind, data in messages}
    job = _base(prompt_id, number, extra, "completed" if status["status_str"] == "success" else "failed")
    errors = [data for kind, data in messages if kind == "execution_error"]
    files = list(_files(entry["outputs"]))
    return _present(
        {
            **job,
            "execution_start_time": times.get("execution_start"),
            "execution_end_time": messages[-1][1].get("timestamp") if messages else None,
            "execution_error": errors[0] if errors else None,
            "outputs_count": _count(entry["outputs"]),
            "preview_output": files[0] if files else None,
        }
    )


def _detail(entry: Mapping[str, Any]) -> _Job:
    _, _, prompt, extra, *_ = entry["prompt"]
    workflow = {"prompt": prompt, "extra_data": extra}
    return {"outputs": entry["outputs"], "execution_status": entry["status"], "workflow": workflow}


def _lists(outputs: Mapping[str, Any]) -> Iterable[tuple[str, str, list[Any]]]:
    for node_id, shown in outputs.items():
        for kind, items in shown.items():
            if kind != "animated" and isinstance(items, list):
                yield node_id, kind, items


def _count(outputs: Mapping[str, Any]) -> int:
    """Files only: texts are not counted."""
    return sum(1 for _ in _files(outputs))


def _files(outputs: Mapping[str, Any]) -> Iterable[_Job]:
    for node_id, kind, items in _lists(outputs):
        for item in items:
            if isinstance(item, dict):
                yield {**item, "nodeId": node_id, "mediaType": kind}
