"""Imports against a stand-in for Civitai: real HTTP, a real durable queue, files on disk."""

from __future__ import annotations

import asyncio
import hashlib
import pickle
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from civitai_double import Civitai as Double
from civitai_double import civitai, safetensors
from jobs_support import database_url, library, until

from compiler import Asset, AssetRef
from compiler.errors import RequestError
from runner.durable import Durable
from runner.models.download import PART, Downloader, Wanted
from runner.models.importer import MODELS, Importer, ModelNotReady, Shelves
from runner.models.rows import Model, ModelRows, ModelState
from runner.models.source import Civitai, SourceAway
from runner.store.database import Database
from runner.store.guard import Guard

QUICK = (0.01, 0.01, 0.01)


class Bench:
    """An importer on a database and a stand-in."""

    def __init__(self, folder: Path, database: Database, double: Double, **options: Any) -> None:
        self.loras, self.double, self.rows, self.restocked = folder / "loras", double, ModelRows(database), 0
        self.durable = Durable(database.url.render_as_string(hide_password=False), poll_s=0.02)
        guard = Guard(options.pop("hosts", ("127.0.0.1", "localhost")))
        source = Civitai(guard, double.base, options.pop("token", "hush"))
        downloader = Downloader(guard, double.base, source.headers, options.pop("limit", 10_000_000))
        shelves = Shelves(self.loras, library().tables["base_models"], self._restock)
        given = {"wait_s": 20.0, "delays_s": QUICK} | options
        self.importer = Importer(self.rows, source, downloader, self.durable, shelves, **given)
        self.durable.handle(MODELS, self.importer.run, 2)

    async def _restock(self) -> None:
        self.restocked += 1

    def files(self) -> list[str]:
        return sorted(path.name for path in self.loras.glob("*")) if self.loras.is_dir() else []

    async def bring(self, version: int | None = 120, url: str | None = None, sha256: str = "", **more: Any) -> Model:
        return await self.importer.bring(more.pop("tenant", "alice"), version, url, sha256, **more)

    async def asset(self, value: str, tenant: str = "alice") -> Asset:
        return (await self.importer.assets(tenant, [AssetRef("TaskModels[0].ModelId", value)]))[value]


@asynccontextmanager
async def bench(url: str, folder: Path, double: Double, **options: Any) -> AsyncIterator[Bench]:
    database = Database(url)
    await database.open()
    found = Bench(folder, database, double, **options)
    await found.durable.start()
    try:
        yield found
    finally:
        await found.durable.stop()
        await database.close()


@pytest.fixture
def url(tmp_path: Path) -> Iterator[str]:
    with database_url("sqlite", tmp_path) as found:
        yield found


@pytest.fixture
async def double() -> AsyncIterator[Double]:
    async with civitai() as found:
        yield found


@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
async def test_an_import_from_metadata_to_asset(kind: str, tmp_path: Path, double: Double) -> None:
    double.add(120)
    with database_url(kind, tmp_path) as url:
        async with bench(url, tmp_path, double) as here:
            model = await here.bring()
            digest = hashlib.sha256(safetensors()).hexdigest()
            name = f"civitai-120-{digest[:8]}.safetensors"
            assert (model.state, model.progress, model.facts.name) == (ModelState.READY, 100.0, "Anime style")
            assert here.files() == [name]
            assert (here.loras / name).read_bytes() == safetensors()
            assert here.restocked == 1
            asset = await here.asset(str(model.number))
            assert (asset.family, asset.files, asset.trigger) == ("sdxl", {"*": name}, "anime_style")
            assert (await here.bring()).number == model.number
            assert double.paths() == ["GET /api/v1/model-versions/120", "GET /api/download/models/120"]
            assert await here.importer.page("alice", 1, 10) == ([model], 1)
            assert await here.importer.page("bob", 1, 10) == ([], 0)
            with pytest.raises(RequestError, match=f"no model {model.number} was imported"):
                await here.asset(str(model.number), "bob")
            theirs = await here.bring(tenant="bob")  # the file is there already
            assert theirs.number != model.number
            assert double.paths()[2:] == ["GET /api/v1/model-versions/120"]


async def test_a_cut_download_goes_on(url: str, tmp_path: Path, double: Double) -> None:
    data = safetensors(4, 100_000)
    download = double.add(120, data)
    download.cut = [150_000, 120_000]
    async with bench(url, tmp_path, double) as here:
        assert (await here.bring()).state is ModelState.READY
        ranges = [headers.get("range") for line, headers in double.asked if "download" in line]
        assert ranges == [None, "bytes=150000-", "bytes=270000-"]
        assert (here.loras / here.files()[0]).read_bytes() == data


async def test_a_source_that_cannot_go_on_begins_anew(url: str, tmp_path: Path, double: Double) -> None:
    download = double.add(120, safetensors(4, 50_000))
    download.cut, download.ranges = [60_000], False
    async with bench(url, tmp_path, double) as here:
        assert (await here.bring()).state is ModelState.READY
        assert len(here.files()) == 1


async def test_an_import_survives_a_restart(url: str, tmp_path: Path, double: Double) -> None:
    """The process ends in the middle: the next one goes on with what has come."""
    data = safetensors(4, 100_000)
    download = double.add(120, data)
    download.cut = [150_000]
    async with bench(url, tmp_path, double, wait_s=0.0, delays_s=(0.3,)) as here:
        assert (await here.bring()).state is ModelState.IMPORTING
        await until(lambda: here.files() and (here.loras / here.files()[0]).stat().st_size == 150_000)
        assert here.files()[0].endswith(PART)
    async with bench(url, tmp_path, double) as here:
        await here.importer.sweep(0.0)
        assert (await here.bring()).state is ModelState.READY
        ranges = [headers.get("range") for line, headers in double.asked if "download" in line]
        assert ranges == [None, "bytes=150000-"]
        assert (here.loras / here.files()[0]).read_bytes() == data


async def test_a_lost_task_is_queued_again(url: str, tmp_path: Path, double: Double) -> None:
    double.add(120)
    async with bench(url, tmp_path, double) as here:
        facts = await Civitai(Guard(("127.0.0.1",)), double.base).facts(120, "x")
        model = await here.rows.add("alice", facts)  # a crash came before its task was queued
        await here.importer.sweep(0.0)
        assert (await here.importer._end(model)).state is ModelState.READY


WRONG: dict[str, tuple[dict[str, Any], str]] = {
    "a wrong hash at the source": ({"sha256": "0" * 64}, "has the SHA-256"),
    "a pickle": ({"data": pickle.dumps({"w": [1.0] * 100})}, "has no safetensors header"),
    "a web page under the name": ({"data": b"<html>" + b"x" * 500}, "has no safetensors header"),
    "a file that is too large": ({"data": safetensors(2, 200_000)}, "is larger than 0 MB"),
}


@pytest.mark.parametrize("name", WRONG)
async def test_a_file_that_is_not_what_it_should_be(name: str, url: str, tmp_path: Path, double: Double) -> None:
    given, told = WRONG[name]
    double.add(120, **given)
    async with bench(url, tmp_path, double, limit=300_000) as here:
        with pytest.raises(RequestError, match=f"CivitaiModelVersionId: could not be imported: {told}"):
            await here.bring()
        assert [one for one in here.files() if not one.endswith(PART)] == []
        assert (await here.importer.page("alice", 1, 10))[1] == 0
        double.add(120)  # mended at the source: asked again, it is tried anew
        assert (await here.bring()).state is ModelState.READY


REFUSED: dict[str, tuple[dict[str, Any], str]] = {
    "a checkpoint": ({"model": {"name": "Big", "type": "Checkpoint"}}, "'Big' is of the type Checkpoint"),
    "only a pickle": ({"file": {"name": "style.pt"}}, "has no .safetensors file"),
    "no file": ({"files": []}, "has no .safetensors file"),
    "no facts": ({"model": None, "files": None}, "is of the type unknown"),
    "a number for a list": ({"files": 7}, "has no .safetensors file"),
}


@pytest.mark.parametrize("name", REFUSED)
async def test_a_version_that_is_nothing_for_us(name: str, url: str, tmp_path: Path, double: Double) -> None:
    given, told = REFUSED[name]
    double.add(120, **given)
    async with bench(url, tmp_path, double) as here:
        with pytest.raises(RequestError, match=told):
            await here.bring()
        assert double.paths() == ["GET /api/v1/model-versions/120"]


@pytest.mark.parametrize(
    ("status", "error", "told"),
    [
        (404, RequestError, "model version 120 is not known at the source"),
        (401, RequestError, "COMFYC_CIVITAI_TOKEN"),
        (403, RequestError, "COMFYC_CIVITAI_TOKEN"),
        (400, RequestError, "was refused by the source"),
        (429, SourceAway, "wants us to wait"),
        (500, SourceAway, "failed"),
    ],
)
async def test_what_the_source_answers(
    status: int, error: type[Exception], told: str, url: str, tmp_path: Path, double: Double
) -> None:
    double.versions[120] = status
    async with bench(url, tmp_path, double) as here:
        with pytest.raises(error, match=told):
            await here.bring()


@pytest.mark.parametrize(("status", "state"), [(429, "ready"), (503, "ready"), (401, "failed"), (404, "failed")])
async def test_what_a_download_answers(status: int, state: str, url: str, tmp_path: Path, double: Double) -> None:
    double.add(120).statuses = [status, status]
    async with bench(url, tmp_path, double) as here:
        if state == "failed":
            with pytest.raises(RequestError, match="could not be imported"):
                await here.bring()
        else:
            assert (await here.bring()).state is ModelState.READY


async def test_it_gives_up_at_last(url: str, tmp_path: Path, double: Double) -> None:
    double.add(120).statuses = [503] * 9
    async with bench(url, tmp_path, double) as here:
        with pytest.raises(RequestError, match="could not be imported: The model source failed"):
            await here.bring()
        assert len([path for path in double.paths() if "download" in path]) == len(QUICK) + 1


async def test_the_token_stays_at_the_source(url: str, tmp_path: Path, double: Double) -> None:
    double.add(120).redirect = double.other
    async with bench(url, tmp_path, double) as here:
        assert (await here.bring()).state is ModelState.READY
        sent = {line.split()[1]: headers.get("authorization") for line, headers in double.asked}
        assert sent["/api/v1/model-versions/120"] == "Bearer hush"
        assert sent["/api/download/models/120"] == "Bearer hush"
        assert sent["/cdn/120"] is None


async def test_a_redirect_into_the_private_network_is_refused(url: str, tmp_path: Path, double: Double) -> None:
    double.add(120).redirect = double.other
    async with bench(url, tmp_path, double, hosts=("127.0.0.1",)) as here:
        here.importer._downloader._guard._networks.clear()
        here.importer._downloader._guard._names.add("127.0.0.1")
        with pytest.raises(RequestError, match="leads to a private address"):
            await here.bring()


@pytest.mark.parametrize(
    ("path", "asked"),
    [
        ("/models/12?modelVersionId=120", ["GET /api/v1/model-versions/120"]),
        ("/models/12/anime-style?modelVersionId=120", ["GET /api/v1/model-versions/120"]),
        ("/models/12/anime-style", ["GET /api/v1/models/12", "GET /api/v1/model-versions/120"]),
        ("/api/download/models/120?type=Model&format=SafeTensor", ["GET /api/v1/model-versions/120"]),
        ("/api/v1/model-versions/120", ["GET /api/v1/model-versions/120"]),
    ],
)
async def test_addresses(path: str, asked: list[str], url: str, tmp_path: Path, double: Double) -> None:
    double.add(120)
    double.models[12] = [120, 110]
    async with bench(url, tmp_path, double) as here:
        model = await here.bring(None, double.base + path)
        assert model.facts.version == 120
        assert double.paths()[: len(asked)] == asked
        assert (await here.bring(120, double.base + path)).number == model.number
        asset = await here.asset(double.base + path)
        assert asset.family == "sdxl"


@pytest.mark.parametrize(
    "wrong",
    [
        "https://example.com/models/12",
        "ftp://civitai.com/models/12",
        "https://civitai.com/user/x",
        "no address",
        "https://civitai.com.evil.test/models/1",
        "https://civitai.com/models/99999999999999999",
        "https://civitai.com/models/12?modelVersionId=newest",
        "http://[::1",
    ],
)
async def test_other_addresses(wrong: str, url: str, tmp_path: Path, double: Double) -> None:
    async with bench(url, tmp_path, double) as here:
        with pytest.raises(RequestError, match="Url: "):
            await here.bring(None, wrong)
        with pytest.raises(RequestError, match=r"TaskModels\[0\].ModelId: "):
            await here.asset(wrong)
        assert double.asked == []


async def test_the_callers_hash(url: str, tmp_path: Path, double: Double) -> None:
    double.add(120)
    double.add(130, sha256="")
    digest = hashlib.sha256(safetensors()).hexdigest()
    async with bench(url, tmp_path, double) as here:
        with pytest.raises(RequestError, match="SHA256Hash: is not that of the model's file"):
            await here.bring(sha256="1" * 64)
        assert (await here.bring(sha256=digest.upper())).state is ModelState.READY
        with pytest.raises(RequestError, match="could not be imported: has the SHA-256"):
            await here.bring(130, sha256="1" * 64)  # the source tells none, so the file itself is checked
        assert (await here.bring(130)).state is ModelState.READY
        assert (await here.bring(130, sha256=digest)).state is ModelState.READY
        with pytest.raises(RequestError, match=f"SHA256Hash: is not that of the model's file, {digest}"):
            await here.bring(130, sha256="1" * 64)
        with pytest.raises(RequestError, match="Url: names version 130, CivitaiModelVersionId 120"):
            await here.bring(120, f"{double.base}/model-versions/130")


async def test_odd_facts_are_left_out(url: str, tmp_path: Path, double: Double) -> None:
    double.add(120, trainedWords="abc", sha256="../../../x", file={"sizeKB": float("inf")})
    async with bench(url, tmp_path, double) as here:
        model = await here.bring()
        (file,) = model.facts.files
        assert (model.facts.trained_words, file.sha256, file.size) == ((), "", 0)
        assert here.files() == ["civitai-120.safetensors"]


async def test_a_pair_for_two_experts(url: str, tmp_path: Path, double: Double) -> None:
    double.add(120, baseModel="Wan Video 2.2 T2V-A14B")
    double.add(121, safetensors(3))
    row = double.versions[120]
    assert isinstance(row, dict)
    low = {**double.versions[121]["files"][0], "name": "orbit_low_noise.safetensors", "primary": False}  # type: ignore[index]
    row["files"] = [{**row["files"][0], "name": "orbit_HIGH_noise.safetensors"}, low]
    async with bench(url, tmp_path, double) as here:
        model = await here.bring()
        asset = await here.asset(str(model.number))
        assert asset.family == "wan22"
        assert sorted(asset.files) == ["high", "low"]
        assert sorted(asset.files.values()) == here.files()
        assert asset.files["high"].endswith("-high.safetensors")


async def test_a_task_that_names_a_slow_model(url: str, tmp_path: Path, double: Double) -> None:
    double.add(120).statuses = [503]
    async with bench(url, tmp_path, double, wait_s=0.0, delays_s=(0.3,)) as here:
        model = await here.bring()
        with pytest.raises(ModelNotReady, match="is being imported"):
            await here.asset(str(model.number))
        here.importer._wait_s = 10
        assert (await here.asset(str(model.number))).files


async def test_an_unknown_base_model_fits_nothing_else(url: str, tmp_path: Path, double: Double) -> None:
    double.add(120, baseModel="Hunyuan Video", trainedWords=[" a ", "", "b"])
    async with bench(url, tmp_path, double) as here:
        asset = await here.asset(str((await here.bring()).number))
        assert (asset.family, asset.trigger) == ("Hunyuan Video", "a, b")


async def test_two_at_once_fetch_once(url: str, tmp_path: Path, double: Double) -> None:
    double.add(120, safetensors(4, 100_000))
    async with bench(url, tmp_path, double) as here:
        found = await asyncio.gather(*(here.bring(tenant=tenant) for tenant in ("alice", "bob", "alice")))
        assert {model.state for model in found} == {ModelState.READY}
        assert len(here.files()) == 1


@pytest.mark.parametrize("by", ["import", "task"])
async def test_a_file_that_somebody_removed_is_brought_again(by: str, url: str, tmp_path: Path, double: Double) -> None:
    double.add(120)
    async with bench(url, tmp_path, double) as here:
        model = await here.bring()
        (name,) = here.files()
        (here.loras / name).unlink()
        if by == "import":
            assert (await here.bring()).number == model.number
        else:
            assert (await here.asset(str(model.number))).files == {"*": name}
        assert here.files() == [name]


async def test_a_file_that_is_there_is_left(tmp_path: Path, double: Double) -> None:
    target = tmp_path / "x.safetensors"
    target.write_bytes(b"mine")
    await Downloader(Guard(), double.base, {}, 10).fetch(Wanted(double.base, target))
    assert target.read_bytes() == b"mine"
    assert double.asked == []
