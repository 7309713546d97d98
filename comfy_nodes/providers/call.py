"""A call of a provider, whole: keys, request, retries, waiting, results."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from urllib.parse import quote

from . import answer as answers
from .answer import Answer
from .declaration import Poll, Provider
from .errors import CallError, TooSlow
from .host import ComfyHost
from .hosts import allowed_for, joined
from .http import ANSWER_BYTES, RESULT_BYTES, Host, Unreachable, ensure_small, fetch
from .media import Media, from_text, without_media
from .paths import found
from .request import Given, Request, built, parsed, segment
from .session import ASKED_AGAIN, TRIES, Session, opened


def call(
    provider: Provider,
    payload: str,
    timeout: float,
    *,
    images: Sequence[Media] = (),
    masks: Sequence[Media] = (),
    videos: Sequence[Media] = (),
    host: Host | None = None,
) -> tuple[list[bytes], str]:
    """Calls the provider and waits for its results.

    Returns the files, and the last answer as JSON with its media left out. `timeout` is in seconds, for all of it.

    Errors: those of errors.py; ComfyUI's interrupt.
    """
    body = parsed(payload)
    for one in images:
        ensure_small(one.data, provider.image_bytes, "image")
    session, answer = started(provider, body, {"image": images, "mask": masks, "video": videos}, timeout, host)
    if answer.is_media:
        files, shown = [answer.body], {}
    else:
        files = [_result(session, value) for value in session.results(answer)]
        shown = without_media(answer.json)
    session.host.progress(1.0)
    return files, answers.redacted(json.dumps(shown, ensure_ascii=False), session.secrets)


def started(
    provider: Provider, body: Mapping[str, object], media: Given, timeout: float, host: Host | None
) -> tuple[Session, Answer]:
    """Sends the request and follows the job to its end: the session, and the answer that holds the results."""
    host = host or ComfyHost()
    provider, secrets, base, variables = opened(provider)
    request, route, model = built(provider, base, variables, body, media)
    allowed = allowed_for(base, provider.hosts)
    session = Session(provider, base, secrets, allowed, host, host.now() + timeout, timeout)
    answer = session.ask(request)
    poll = route.poll or provider.poll
    return session, _followed(session, poll, answer, model) if poll else answer


# --- long jobs -------------------------------------------------------------------------------------------------


def _followed(session: Session, poll: Poll, first: Answer, model: str) -> Answer:
    """Asks for the state of a job until it is done; the answer that holds the results."""
    provider, host, answer = session.provider, session.host, first
    job = next((str(value) for value in found(first.json, poll.id)), "")
    if not job:
        words = answers.said(provider, first.json, session.secrets)
        raise CallError(f"{provider.title}: the answer names no job. {words}".rstrip())
    names = {"id": job, "model": model}
    latest = 0.0
    while (state := _state(poll, answer)) not in poll.done:
        error = answers.failure(provider, state, answer, session.secrets) if state in poll.failed else None
        if error is not None:
            raise error
        latest = max(latest, _share(session, poll, answer))
        host.progress(latest)
        if host.now() + poll.interval > session.deadline:
            raise TooSlow(f"{provider.title}: not done within {session.timeout:g} s (job {job})")
        host.sleep(poll.interval)
        answer = session.ask(_question(session, poll, names, first))
    error = answers.failure(provider, "", answer, session.secrets)
    if error is not None:
        raise error
    if not poll.then:
        return answer
    return session.get(_url(session, poll.then, names, first, answer), max(ANSWER_BYTES, RESULT_BYTES[provider.kind]))


def _state(poll: Poll, answer: Answer) -> str:
    return next((str(value) for value in found(answer.json, poll.state)), "")


def _share(session: Session, poll: Poll, answer: Answer) -> float:
    """How far the job says it is; of those that do not say, how much of the time is over."""
    told = next(iter(found(answer.json, poll.progress)), None) if poll.progress else None
    read = None if told is None else answers.share(told)
    elapsed = 1 - (session.deadline - session.host.now()) / session.timeout
    return min(elapsed if read is None else read, 0.99)


def _question(session: Session, poll: Poll, names: Mapping[str, str], first: Answer) -> Request:
    url = _url(session, poll.url, names, first, first)
    headers = {"Accept": "application/json", **session.provider.headers}
    if poll.body is None:
        return Request("GET", url, headers)
    body = {name: names["id"] if value == "$" else value for name, value in poll.body.items()}
    kind = {"Content-Type": "application/json"}
    return Request("POST", url, {**headers, **kind}, json.dumps(body).encode(), question=True)


def _url(session: Session, pattern: str, names: Mapping[str, str], first: Answer, last: Answer) -> str:
    def value(answer: Answer, path: str) -> str:
        for one in found(answer.json, path):
            return str(one)
        raise CallError(f"{session.provider.title}: the answer has no {path!r}")

    if pattern.startswith("="):
        return joined(session.base, value(first, pattern[1:]))
    filled = re.sub(r"\{=([\w.]+)\}", lambda match: quote(value(last, match[1]), safe=""), pattern)
    filled = re.sub(r"\{(\w+)\}", lambda match: segment(match[1], names[match[1]]), filled)
    return session.base.rstrip("/") + filled


# --- results ---------------------------------------------------------------------------------------------------


def _result(session: Session, value: str) -> bytes:
    title = session.provider.title
    if not value.startswith(("http://", "https://")):
        data = from_text(value)
        if not data:
            raise CallError(f"{title}: a result is neither a URL nor base64")
        return data
    answer = _fetched(session, value)
    if answer.status >= 400 or not answer.body:
        raise CallError(f"{title}: a result could not be fetched (HTTP {answer.status})")
    return answer.body


def _fetched(session: Session, url: str) -> Answer:
    """Fetches a result, again if its host is busy or out of reach: it is paid for."""
    most, paid = RESULT_BYTES[session.provider.kind], session.proof if session.allowed.own(url) else {}
    for attempt in range(TRIES):
        last = attempt == TRIES - 1
        try:
            answer = fetch(url, session.allowed, session.host, session.deadline, most, paid)
        except Unreachable:
            if last or not session.pause(attempt, {}):
                raise
            continue
        if last or answer.status not in ASKED_AGAIN or not session.pause(attempt, answer.headers):
            return answer
    raise AssertionError
