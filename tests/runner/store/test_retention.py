"""How long media are kept: numbers, ends, refusal, removal; on both databases and in memory."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from jobs_support import database_url
from pictures import picture, video

from compiler.errors import RequestError
from compiler.media import MediaRef
from runner.job import Job, OutputFile
from runner.store.database import Database
from runner.store.files import Files, MemoryFiles, SqlFiles
from runner.store.guard import Guard
from runner.store.media import MediaStore
from runner.store.retention import GRACE_S, Lifetimes, Retention, shelve_outputs
from runner.store.shelf import Entry, MemoryShelf, Shelf, SqlShelf
from runner.store.storage import LocalStorage, NotStored

HOUR = 3600.0


class Bench:
    """A media store whose clock the test turns; `kept` media live an hour, others for ever."""

    def __init__(self, folder: Path, files: Files, shelf: Shelf) -> None:
        self.now, self.storage, self.shelf = 1_000_000.0, LocalStorage(folder / "media"), shelf
        self.lifetimes = Lifetimes({"short": 1.0}, lambda: self.now)
        self.media = MediaStore(self.storage, files, Guard(), shelf, self.lifetimes)
        self.needed: set[str] = set()
        self.retention = Retention(shelf, files, self.storage, self._in_use, lambda: self.now)

    async def _in_use(self) -> set[str]:
        return self.needed

    async def output(self, data: bytes, key: str = "job1/image-1.png", poster: str = "") -> OutputFile:
        """A result of a job of the dialect `short`, as the worker stores it."""
        job = Job("job1", 1, "alice", "short", "p", {}, datetime.now(UTC))
        for name in (key, poster):
            if name:
                await self.storage.put(name, data)
        file = OutputFile(key, "image", "image/png", len(data), poster=poster)
        return (await shelve_outputs(self.shelf, self.lifetimes, job, (file,)))[0]


@pytest.fixture(params=["memory", "sqlite", "postgresql"])
async def bench(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Bench]:
    if request.param == "memory":
        yield Bench(tmp_path, MemoryFiles(), MemoryShelf())
        return
    with database_url(request.param, tmp_path) as url:
        database = Database(url)
        await database.open()
        yield Bench(tmp_path, SqlFiles(database), SqlShelf(database))
        await database.close()


async def test_a_result_is_found_by_its_number(bench: Bench) -> None:
    output = await bench.output(picture(size=(40, 30)))
    assert output.expires_at == bench.now + HOUR
    for _ in range(2):  # the second time its facts are known
        found = await bench.media.resolve("alice", MediaRef("x", str(output.number)))
        assert (found.key, found.number, found.media.width) == (output.key, output.number, 40)
        assert found.media.name.startswith("comfyc/")
    with pytest.raises(RequestError, match="x: no medium"):
        await bench.media.resolve("bob", MediaRef("x", str(output.number)))
    for other in ("0", "4294967295", str(output.number + 1)):
        with pytest.raises(RequestError, match=f"x: no medium {other} is known"):
            await bench.media.resolve("alice", MediaRef("x", other))


async def test_numbers_are_never_given_twice(bench: Bench) -> None:
    first = await bench.output(picture(), "job1/a.png")
    bench.now += HOUR + GRACE_S + 1
    assert await bench.retention.sweep() == 1
    assert (await bench.output(picture(), "job1/b.png")).number > first.number


async def test_a_medium_of_another_kind_is_refused(bench: Bench) -> None:
    output = await bench.output(video(), "job1/video-1.mp4")
    assert (await bench.media.resolve("alice", MediaRef("x", str(output.number), "video"))).media.frames == 8
    with pytest.raises(RequestError, match="is a video"):
        await bench.media.resolve("alice", MediaRef("x", str(output.number)))


async def test_its_time_is_over_at_once_and_its_bytes_go_later(bench: Bench) -> None:
    output = await bench.output(picture(), poster="job1/image-1-poster.png")
    bench.now += HOUR
    with pytest.raises(RequestError, match=f"x: {output.number} has expired"):
        await bench.media.resolve("alice", MediaRef("x", str(output.number)))
    assert await bench.retention.sweep() == 0
    bench.now += GRACE_S + 1
    bench.needed = {output.key}
    assert await bench.retention.sweep() == 0  # a job that waits still needs it
    bench.needed = set()
    assert await bench.retention.sweep() == 1
    for key in (output.key, output.poster):
        with pytest.raises(NotStored):
            await bench.storage.size(key)
    with pytest.raises(RequestError, match="or it has expired"):
        await bench.media.resolve("alice", MediaRef("x", str(output.number)))


async def test_an_upload_expires_and_can_come_again(bench: Bench) -> None:
    ident = await bench.media.add("alice", picture(), dialect="short")
    bench.now += HOUR
    with pytest.raises(RequestError, match="has expired"):
        await bench.media.resolve("alice", MediaRef("x", ident))
    bench.now += GRACE_S + 1
    await bench.retention.sweep()
    with pytest.raises(RequestError, match="was uploaded"):
        await bench.media.resolve("alice", MediaRef("x", ident))
    assert await bench.media.add("alice", picture(), dialect="short") == ident
    assert (await bench.media.resolve("alice", MediaRef("x", ident))).media.width == 64


async def test_sent_again_it_is_kept_longer(bench: Bench) -> None:
    ident = await bench.media.add("alice", picture(), dialect="short")
    bench.now += HOUR / 2
    assert await bench.media.add("alice", picture(), dialect="short") == ident
    bench.now += HOUR * 0.75
    assert await bench.media.resolve("alice", MediaRef("x", ident))
    await bench.media.add("alice", picture(), dialect="other")  # for ever
    bench.now += 100 * HOUR
    assert await bench.retention.sweep() == 0
    assert await bench.media.resolve("alice", MediaRef("x", ident))


async def test_what_is_being_removed_is_waited_for(bench: Bench) -> None:
    """Bytes that come again while their medium is removed must not go with it."""
    ident = await bench.media.add("alice", picture(), dialect="short")
    entry = await bench.shelf.by_key((await bench.media.resolve("alice", MediaRef("x", ident))).key)
    assert entry is not None
    bench.now += HOUR + GRACE_S + 1
    assert await bench.shelf.removing(entry.number, bench.now)
    assert await bench.shelf.renew(entry.key, None) is None
    (again,) = await bench.shelf.put([Entry("alice", entry.key)])
    assert again.removing
    assert await bench.retention.sweep() == 1  # also one whose removal a crash interrupted
    assert await bench.media.add("alice", picture(), dialect="short") == ident
    assert (await bench.storage.size(entry.key)) == len(picture())


async def test_renewed_in_time_it_stays(bench: Bench) -> None:
    output = await bench.output(picture())
    bench.now += HOUR + GRACE_S + 1
    await bench.shelf.renew(output.key, bench.now + HOUR)
    assert not await bench.shelf.removing(output.number, bench.now - GRACE_S)
    assert await bench.retention.sweep() == 0
