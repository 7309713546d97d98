"""How a call ends when the other side, the payload or the environment is not as it should be."""

from __future__ import annotations

import dataclasses
import json
import re
import socket
import threading
import time
from typing import Any
from urllib.parse import urlsplit

import pytest
from calling import MEDIA, FakeHost, table
from stand_in import served

from comfy_nodes.providers import hosts, http, of_kind
from comfy_nodes.providers.call import call
from comfy_nodes.providers.errors import CallError
from comfy_nodes.providers.jwt import signed
from comfy_nodes.providers.media import Media
from comfy_nodes.providers.request import Request
from comfy_nodes.providers.session import opened, waiting

CASES = table("provider_faults.yaml")
KEYS = ("OPENAI_API_KEY", "BFL_API_KEY", "GEMINI_API_KEY")
SECRET = "sk-secret-1"
DONE = {"json": {"data": [{"b64_json": "aGVsbG8="}]}}


@pytest.fixture(autouse=True)
def keys(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in KEYS:
        monkeypatch.setenv(name, SECRET)


def run(case: dict[str, Any], url: str, monkeypatch: pytest.MonkeyPatch, host: FakeHost) -> Any:
    provider = of_kind("image")[case.get("provider", "openai_image")]
    monkeypatch.setenv(provider.url_env, url + urlsplit(provider.base_url).path)
    payload = case.get("payload", {"model": "m", "prompt": "x"})
    images = [MEDIA[name] for name in case.get("media", ())]
    text = payload if isinstance(payload, str) else json.dumps(payload)
    text = text.replace("DEEP", '{"a":' * 100_000)
    return call(provider, text, case.get("timeout", 60), images=images, host=host)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["name"])
def test_ends(case: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    host = FakeHost()
    with served(case.get("answers", [DONE])) as stand_in:
        if "error" in case:
            with pytest.raises(CallError) as caught:
                run(case, stand_in.url, monkeypatch, host)
            assert caught.value.category == case["error"], str(caught.value)
            assert case.get("says", "") in str(caught.value)
            assert SECRET not in str(caught.value)
        else:
            run(case, stand_in.url, monkeypatch, host)
    assert len(stand_in.asked) == case["asked"]
    for waited, wanted in zip(host.waited, case.get("waited", host.waited), strict=True):
        about = str(wanted).startswith("~")
        assert waited == pytest.approx(float(str(wanted).lstrip("~")), rel=0.11 if about else 1e-9)


def test_a_missing_key_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    for provider, says in {
        "openai_image": "[comfyc:key] OpenAI images: set OPENAI_API_KEY in ComfyUI's environment",
        "midjourney": "set MIDJOURNEY_API_KEY and MIDJOURNEY_BASE_URL in",
        "google_imagen": "set GOOGLE_ACCESS_TOKEN and GOOGLE_CLOUD_PROJECT, or GEMINI_API_KEY or GOOGLE_API_KEY in",
    }.items():
        for name in (*KEYS, "GOOGLE_API_KEY", "GOOGLE_ACCESS_TOKEN", "MIDJOURNEY_API_KEY"):
            monkeypatch.delenv(name, raising=False)
        with pytest.raises(CallError, match=re.escape(says)):
            call(of_kind("image")[provider], "{}", 1, host=FakeHost())


def test_a_key_cannot_add_a_header(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-1\r\nX-Evil: 1")
    with served([DONE]) as stand_in, pytest.raises(CallError, match="OPENAI_API_KEY: holds characters"):
        run({}, stand_in.url, monkeypatch, FakeHost())
    assert stand_in.asked == []


def test_an_interrupt_ends_the_wait_for_an_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    began = time.monotonic()
    with served([{"delay": 2, **DONE}]) as stand_in, pytest.raises(KeyboardInterrupt):
        run({}, stand_in.url, monkeypatch, FakeHost(interrupt=3))
    assert time.monotonic() - began < 3  # the stand-in itself sleeps
    assert not [one for one in threading.enumerate() if one.name == "comfyc-call" and one.is_alive()]


def test_an_interrupt_ends_the_wait_between_two_questions(monkeypatch: pytest.MonkeyPatch) -> None:
    class Impatient(FakeHost):
        def sleep(self, seconds: float) -> None:
            raise KeyboardInterrupt

    with served([{"json": {"id": "a", "polling_url": "$BASE/p"}}]) as stand_in, pytest.raises(KeyboardInterrupt):
        run({"provider": "bfl"}, stand_in.url, monkeypatch, Impatient())


def test_nobody_there(monkeypatch: pytest.MonkeyPatch) -> None:
    with served([DONE]) as stand_in:
        gone = stand_in.url
    with pytest.raises(CallError, match=r"\[comfyc:provider\] 127.0.0.1 cannot be reached \(ConnectionRefusedError\)"):
        run({}, gone, monkeypatch, FakeHost())


def test_a_poll_that_fails_to_connect_is_tried_again(monkeypatch: pytest.MonkeyPatch) -> None:
    host = FakeHost()
    with served([DONE]) as stand_in:
        gone = stand_in.url
    first = {"json": {"id": "a", "polling_url": f"{gone}/p"}}
    monkeypatch.setenv(hosts.ALLOW_ENV, gone)
    with served([first]) as stand_in, pytest.raises(http.Unreachable):
        run({"provider": "bfl"}, stand_in.url, monkeypatch, host)
    assert len(host.waited) == 5  # the poll's own, and four between five tries


def test_more_bytes_than_were_announced_are_cut_off() -> None:
    with served([{"body": b"x" * 2_000_000}]) as stand_in, pytest.raises(CallError, match="more than 1 MB"):
        http.send(Request("GET", stand_in.url, {}), FakeHost(), FakeHost().now() + 5, most=1 << 20)


def test_a_stream_without_a_length_is_cut_off() -> None:
    body = b"".join(b"10000\r\n" + b"x" * 65536 + b"\r\n" for _ in range(40)) + b"0\r\n\r\n"
    head = {"Transfer-Encoding": "chunked", "Content-Length": ""}
    with served([{"body": body, "headers": head}]) as stand_in, pytest.raises(CallError):
        http.send(Request("GET", stand_in.url, {}), FakeHost(), FakeHost().now() + 5, most=1 << 20)


@pytest.mark.parametrize(
    ("url", "allowed"),
    [
        ("https://api.bfl.ai/v1/x", True),
        ("https://api.eu1.bfl.ai/v1/get_result", True),
        ("https://bfl.ai.evil.example/", False),
        ("https://evilbfl.ai/", False),
        ("http://api.bfl.ai/v1/x", False),
        ("https://user@evil.example:443/api.bfl.ai", False),
        ("https://gateway.internal/v1", True),
        ("http://gateway.internal/v1", False),
        ("http://10.0.0.5:8080/v1", True),
        ("http://10.0.0.5:8081/v1", False),
    ],
)
def test_which_hosts_get_the_key(url: str, allowed: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(hosts.ALLOW_ENV, "gateway.internal, http://10.0.0.5:8080/")
    known = hosts.allowed_for("https://api.bfl.ai/v1", ["*.bfl.ai"])
    if allowed:
        known.api(url)
    else:
        with pytest.raises(CallError):
            known.api(url)


@pytest.mark.parametrize(
    ("address", "public"),
    [
        ("8.8.8.8", True),
        ("2606:4700:4700::1111", True),
        ("10.1.2.3", False),
        ("127.0.0.1", False),
        ("169.254.169.254", False),
        ("100.64.0.1", False),
        ("0.0.0.0", False),
        ("224.0.0.1", False),
        ("::1", False),
        ("fe80::1%eth0", False),
        ("fd00::1", False),
        ("::ffff:10.0.0.1", False),
        ("64:ff9b::7f00:1", False),
    ],
)
def test_public_addresses(address: str, public: bool) -> None:
    assert http._public(address) is public


def test_a_result_elsewhere_gets_no_key(monkeypatch: pytest.MonkeyPatch) -> None:
    with served([{"body": b"picture"}]) as other:
        monkeypatch.setenv(hosts.ALLOW_ENV, other.url)
        with served([{"json": {"data": [{"url": f"{other.url}/x.png"}]}}]) as stand_in:
            files, _ = run({}, stand_in.url, monkeypatch, FakeHost())
    assert files == [b"picture"]
    assert SECRET in stand_in.asked[0]["headers"]["authorization"]
    assert "authorization" not in other.asked[0]["headers"]


def test_a_result_at_the_api_gets_the_key_unless_it_leads_away(monkeypatch: pytest.MonkeyPatch) -> None:
    with served([{"body": b"picture"}]) as other:
        monkeypatch.setenv(hosts.ALLOW_ENV, other.url)
        away = {"status": 302, "headers": {"Location": f"{other.url}/x.png"}}
        with served([{"json": {"data": [{"url": "$BASE/x.png"}]}}, away]) as stand_in:
            run({}, stand_in.url, monkeypatch, FakeHost())
    assert SECRET in stand_in.asked[1]["headers"]["authorization"]
    assert "authorization" not in other.asked[0]["headers"]


def test_a_picture_that_is_too_large_is_refused() -> None:
    huge = Media(bytes(21 << 20), "image/png")
    with pytest.raises(CallError, match=r"\[comfyc:input\] image: 21 MB are more than the 20 MB"):
        call(of_kind("image")["bfl"], '{"model": "x"}', 5, images=[huge], host=FakeHost())


@pytest.mark.parametrize(
    ("attempt", "header", "seconds"),
    [
        *[(0, "", 1.0), (3, "", 8.0), (9, "", 60.0)],
        *[(0, "12", 12.0), (0, " 3 ", 3.0), (0, "0.5", 0.5)],
        *[(0, text, 1.0) for text in ("²", "-3", "nan", "inf", "Wed, 21 Oct 2026")],
        (0, "Wed, 21 Oct 2026 07:28:09 GMT", 9.0),
        (0, "Wed, 21 Oct 2026 07:27:00 GMT", 0.0),
        (0, "Thu, 22 Oct 2026 07:28:00 -0000", 60.0),
    ],
)
def test_waiting(attempt: int, header: str, seconds: float) -> None:
    assert waiting(attempt, header, "Wed, 21 Oct 2026 07:28:00 GMT", draw=0.5) == seconds


def test_a_token_of_a_key_and_its_secret() -> None:
    # as PyJWT 2.15.1 makes it of the same claims and headers
    assert signed(("access", "a secret of thirty-two bytes or more"), now=1_700_000_000) == JWT


JWT = (
    "Bearer eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9"
    ".eyJpc3MiOiJhY2Nlc3MiLCJleHAiOjE3MDAwMDE4MDAsIm5iZiI6MTY5OTk5OTk5NX0"
    ".zfQ8ewY19f1WMQsUvTyU9WY1_iS1slUM76727-YO9IQ"
)


def test_a_default_token_is_asked_for_only_where_a_project_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []
    known = of_kind("image")["google_imagen"]
    auth = dataclasses.replace(known.auth, token=lambda: asked.append("token") or "ya29.default")
    provider = dataclasses.replace(known, auth=auth)
    for name in ("GOOGLE_ACCESS_TOKEN", "GOOGLE_CLOUD_PROJECT"):
        monkeypatch.delenv(name, raising=False)
    assert opened(provider)[0] is known.otherwise
    assert asked == []
    monkeypatch.setenv("GOOGLE_CLOUD_PROJECT", "p1")
    door, secrets, base, _ = opened(provider)
    assert (door, secrets, asked) == (provider, ("ya29.default",), ["token"])
    assert "/projects/p1/locations/us-central1/" in base


def test_an_interrupt_before_the_connection_sends_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    looked_up = threading.Event()

    def slow(name: str, port: int, public_only: bool) -> list[str]:
        looked_up.wait(5)
        return [name]

    monkeypatch.setattr(http, "_addresses", slow)
    with served([DONE]) as stand_in:
        with pytest.raises(KeyboardInterrupt):
            run({}, stand_in.url, monkeypatch, FakeHost(interrupt=1))
        looked_up.set()
        for thread in [one for one in threading.enumerate() if one.name == "comfyc-call"]:
            thread.join(5)
        assert stand_in.asked == [], "the call is made after it was interrupted"


def test_a_result_that_cannot_be_reached_is_tried_again(monkeypatch: pytest.MonkeyPatch) -> None:
    host = FakeHost()
    with served([DONE]) as stand_in:
        gone = stand_in.url
    monkeypatch.setenv(hosts.ALLOW_ENV, gone)
    with served([{"json": {"data": [{"url": f"{gone}/x.png"}]}}]) as stand_in, pytest.raises(http.Unreachable):
        run({}, stand_in.url, monkeypatch, host)
    assert len(host.waited) == 4


def test_a_token_is_signed_anew_for_each_request(monkeypatch: pytest.MonkeyPatch) -> None:
    numbers = iter(range(9))
    known = of_kind("image")["bfl"]
    auth = dataclasses.replace(known.auth, sign=lambda keys: f"token-{next(numbers)}")
    answers = [
        {"json": {"id": "a", "polling_url": "$BASE/p"}},
        {"json": {"status": "Ready", "result": {"sample": "aa=="}}},
    ]
    with served(answers) as stand_in:
        monkeypatch.setenv(known.url_env, stand_in.url)
        call(dataclasses.replace(known, auth=auth), '{"model": "m"}', 60, host=FakeHost())
    assert [asked["headers"]["x-key"] for asked in stand_in.asked] == ["token-0", "token-1"]


def test_a_host_with_a_dead_address_is_reached_by_its_next(monkeypatch: pytest.MonkeyPatch) -> None:
    """`localhost` is often ::1 first, where a server that listens on 127.0.0.1 is not."""
    real = socket.getaddrinfo

    def both(name: str, *rest: Any, **options: Any) -> Any:
        names = ("127.0.0.2", "127.0.0.1") if name == "localhost" else (name,)
        return [found for one in names for found in real(one, *rest, **options)]

    monkeypatch.setattr(socket, "getaddrinfo", both)
    with served([DONE]) as stand_in:
        files, _ = run({}, stand_in.url.replace("127.0.0.1", "localhost"), monkeypatch, FakeHost())
    assert files == [b"hello"]


def test_a_question_by_post_is_asked_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """The job is under way and paid for; asking after it changes nothing."""
    for name, value in {"GOOGLE_ACCESS_TOKEN": "t", "GOOGLE_CLOUD_PROJECT": "p"}.items():
        monkeypatch.setenv(name, value)
    cut_off = {"headers": {"Content-Length": "9", "Connection": "close"}, "body": ""}
    done = {"done": True, "response": {"videos": [{"bytesBase64Encoded": "aGVsbG8="}]}}
    provider = of_kind("video")["google_veo"]
    with served([{"json": {"name": "o"}}, cut_off, {"status": 504}, {"json": done}]) as stand_in:
        monkeypatch.setenv(provider.url_env, stand_in.url)
        files, _ = call(provider, '{"model": "m"}', 60, host=FakeHost())
    assert files == [b"hello"]
    assert [asked["line"] for asked in stand_in.asked[1:]] == ["POST /models/m:fetchPredictOperation"] * 3


@pytest.mark.parametrize("before", [385, 392, 396])
def test_a_key_at_the_end_of_a_long_message_is_not_shown_in_part(before: int, monkeypatch: pytest.MonkeyPatch) -> None:
    answer = {"status": 400, "json": {"error": {"message": "x" * before + SECRET}}}
    with served([answer]) as stand_in, pytest.raises(CallError) as caught:
        run({}, stand_in.url, monkeypatch, FakeHost())
    assert SECRET[:4] not in str(caught.value)


def test_a_signed_token_that_comes_back_is_not_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    known = of_kind("image")["bfl"]
    auth = dataclasses.replace(known.auth, sign=lambda keys: "Bearer signed-token")
    with served([{"status": 403, "json": {"detail": "signed-token is not valid"}}]) as stand_in:
        monkeypatch.setenv(known.url_env, stand_in.url)
        with pytest.raises(CallError, match=r"\*\*\* is not valid"):
            call(dataclasses.replace(known, auth=auth), '{"model": "m"}', 60, host=FakeHost())


def test_the_response_holds_no_key(monkeypatch: pytest.MonkeyPatch) -> None:
    echo = {"json": {**DONE["json"], "request": {"headers": {"authorization": f"Bearer {SECRET}"}}}}
    with served([echo]) as stand_in:
        _, response = run({}, stand_in.url, monkeypatch, FakeHost())
    assert json.loads(response)["request"] == {"headers": {"authorization": "Bearer ***"}}
