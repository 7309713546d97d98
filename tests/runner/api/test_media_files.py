"""Media links: signed, expiring, with ranges, and nothing that a browser would run."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest
from api_double import Api, make_api

from runner.api.links import Links

DATA = bytes(range(256)) * 4


@pytest.fixture
async def api(tmp_path: Path) -> Api:
    api = make_api(tmp_path)
    await api.storage.put("job/out file.png", DATA)
    return api


def link(key: str = "job/out file.png", seconds: int = 3600) -> str:
    return Links(b"secret", "http://api.test", seconds).url(key)


async def test_a_link_opens_without_a_key(api: Api) -> None:
    response = await api.client.get(link())
    assert response.status_code == 200
    assert response.content == DATA
    headers = response.headers
    assert headers["content-type"] == "image/png"
    assert headers["content-length"] == "1024"
    assert headers["content-disposition"] == 'inline; filename="out file.png"'
    assert headers["x-content-type-options"] == "nosniff"
    assert "sandbox" in headers["content-security-policy"]


async def test_head(api: Api) -> None:
    response = await api.client.head(link())
    assert (response.status_code, response.content, response.headers["content-length"]) == (200, b"", "1024")


@pytest.mark.parametrize(
    ("header", "status", "wanted", "content_range"),
    [
        ("bytes=0-0", 206, DATA[:1], "bytes 0-0/1024"),
        ("bytes=10-19", 206, DATA[10:20], "bytes 10-19/1024"),
        ("bytes=1000-", 206, DATA[1000:], "bytes 1000-1023/1024"),
        ("bytes=1000-9999", 206, DATA[1000:], "bytes 1000-1023/1024"),
        ("bytes=-24", 206, DATA[-24:], "bytes 1000-1023/1024"),
        ("bytes=-9999", 206, DATA, "bytes 0-1023/1024"),
        ("bytes=1024-", 416, b"", "bytes */1024"),
        ("bytes=-0", 416, b"", "bytes */1024"),
        ("bytes=5-2", 200, DATA, None),
        ("bytes=0-1,5-6", 200, DATA, None),
        ("bytes=-", 200, DATA, None),
        ("lines=1-2", 200, DATA, None),
        ("bytes=99999999999999999999-", 200, DATA, None),
    ],
)
async def test_ranges(api: Api, header: str, status: int, wanted: bytes, content_range: str | None) -> None:
    response = await api.client.get(link(), headers={"Range": header})
    assert (response.status_code, response.content) == (status, wanted)
    assert response.headers.get("content-range") == content_range
    assert response.headers["content-length"] == str(len(wanted))


async def test_a_range_of_another_version_is_not_cut(api: Api) -> None:
    etag = (await api.client.get(link())).headers["etag"]
    fits = await api.client.get(link(), headers={"Range": "bytes=0-3", "If-Range": etag})
    other = await api.client.get(link(), headers={"Range": "bytes=0-3", "If-Range": '"other"'})
    assert (fits.status_code, other.status_code) == (206, 200)


async def test_links_that_do_not_open(api: Api) -> None:
    good = urlsplit(link())
    query = {name: values[0] for name, values in parse_qs(good.query).items()}
    wrong = [
        {},
        query | {"signature": query["signature"][:-1] + ("0" if query["signature"][-1] != "0" else "1")},
        query | {"signature": "é"},
        query | {"expires": str(int(query["expires"]) + 60)},
        query | {"expires": "9" * 40},
        query | {"expires": "-1"},
        query | {"expires": "١٢٣"},
    ]
    for params in wrong:
        response = await api.client.get(good.path, params=params)
        assert response.status_code == 403, params
        assert "link" in response.json()["message"]
    assert (await api.client.get("/media/job/other.png", params=query)).status_code == 403
    assert (await api.client.get(link("job/gone.png"))).status_code == 404
    assert (await api.client.get(link("../secret"))).status_code in (403, 404)
    assert (await api.client.get(link(seconds=-3600))).status_code == 403


async def test_what_is_no_medium_is_downloaded(api: Api) -> None:
    await api.storage.put("job/page.html", b"<script>alert(1)</script>")
    response = await api.client.get(link("job/page.html"))
    assert response.headers["content-type"] == "application/octet-stream"
    assert response.headers["content-disposition"].startswith("attachment")


def test_links_stay_the_same_for_a_minute() -> None:
    now = 1_000_000.0
    links = Links(b"s", "https://x", 600, clock=lambda: now)
    first = links.url("a/b.png")
    now += 10
    assert links.url("a/b.png") == first
    query = {name: values[0] for name, values in parse_qs(urlsplit(first).query).items()}
    assert links.opens("a/b.png", query["expires"], query["signature"])
    now += 590
    assert links.opens("a/b.png", query["expires"], query["signature"])
    now += 61
    assert not links.opens("a/b.png", query["expires"], query["signature"])
    assert not Links(b"t", "https://x", clock=lambda: 0).opens("a/b.png", query["expires"], query["signature"])
