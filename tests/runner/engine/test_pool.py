"""Leases, standings, latches and drains of the pool, over engines that only say how they are."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any, cast

import pytest
from engines import eventually

from compiler.catalog import Catalog
from runner.engine.base import Engine, EngineUnreachable, Health
from runner.engine.instance import Instance, Standing
from runner.engine.pool import Pool

WATCH_S = 0.02


class Stand:
    """An engine of which the pool asks only health, boot and catalog."""

    def __init__(self, name: str, health: Health = Health.ALIVE) -> None:
        self.name, self.state, self.boot, self.closed, self.why = name, health, "boot-1", False, ""

    async def health(self) -> Health:
        return self.state

    async def boot_id(self) -> str:
        return self.boot

    async def catalog(self) -> Catalog:
        return Catalog("1", {}, self.boot)

    async def close(self) -> None:
        self.closed = True


class Managed(Stand):
    """One that can be restarted."""

    restarts = 0
    error: Exception | None = None

    async def restart(self, why: str) -> None:
        self.restarts += 1
        if self.error:
            raise self.error
        self.boot = f"boot-{self.restarts + 1}"


def first(instances: Sequence[Instance]) -> str | None:
    return instances[0].name


def named(name: str) -> Any:
    return lambda instances: name if name in {instance.name for instance in instances} else None


def standing(pool: Pool, name: str = "a") -> Standing:
    return one(pool, name).standing


def one(pool: Pool, name: str = "a") -> Instance:
    return next(instance for instance in pool.instances() if instance.name == name)


@pytest.fixture
async def make_pool():
    pools: list[Pool] = []

    async def make(*engines: Stand, **more: Any) -> Pool:
        pool = Pool(cast("list[Engine]", list(engines)), watch_s=WATCH_S, **more)
        pools.append(pool)
        await pool.start()
        return pool

    yield make
    for pool in pools:
        await pool.stop()


async def test_an_instance_is_told_with_its_boot_and_catalog(make_pool: Any) -> None:
    pool = await make_pool(Stand("a"), Stand("b", Health.REFUSED))
    a, b = pool.instances()
    assert (a.standing, a.boot, a.free, a.catalog.version) == (Standing.READY, "boot-1", 2, "1")
    assert (b.standing, b.free, b.catalog, bool(b.why)) == (Standing.DOWN, 0, None, True)


async def test_two_slots_and_the_third_waits(make_pool: Any) -> None:
    pool = await make_pool(Stand("a"))
    async with pool.lease(first) as one_slot:
        assert one_slot.name == "a"
        async with pool.lease(first):
            assert one(pool).free == 0
            third = asyncio.create_task(_hold(pool))
            await asyncio.sleep(0.01)
            assert not third.done()
        await third
    assert one(pool).held == 0


async def _hold(pool: Pool) -> None:
    async with pool.lease(first):
        pass


async def test_a_slot_comes_back_after_an_error_and_a_cancel(make_pool: Any) -> None:
    pool = await make_pool(Stand("a"))
    with pytest.raises(ZeroDivisionError):
        async with pool.lease(first):
            raise ZeroDivisionError
    begun = asyncio.Event()

    async def hold_forever() -> None:
        async with pool.lease(first):
            begun.set()
            await asyncio.Event().wait()

    task = asyncio.create_task(hold_forever())
    await begun.wait()
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    assert one(pool).held == 0


async def test_the_chooser_sees_free_ones_only_and_is_asked_again(make_pool: Any) -> None:
    busy, wanted = Stand("a"), Stand("b", Health.REFUSED)
    pool = await make_pool(busy, wanted)
    seen: list[tuple[str, ...]] = []

    def choose(instances: Sequence[Instance]) -> str | None:
        seen.append(tuple(instance.name for instance in instances))
        return "b" if "b" in seen[-1] else None

    task = asyncio.create_task(_lease_name(pool, choose))
    await eventually(lambda: seen)
    wanted.state = Health.ALIVE
    assert await task == "b"
    assert seen[0] == ("a",)
    assert seen[-1] == ("a", "b")


async def _lease_name(pool: Pool, choose: Any) -> str:
    async with pool.lease(choose) as instance:
        return instance.name


async def test_a_wrong_choice_is_an_error(make_pool: Any) -> None:
    pool = await make_pool(Stand("a"), Stand("b", Health.REFUSED))
    with pytest.raises(ValueError, match="no free slot"):
        await _lease_name(pool, lambda _instances: "b")


async def test_busy_is_borne_for_a_while_refused_is_not(make_pool: Any) -> None:
    engine = Stand("a")
    pool = await make_pool(engine, busy_s=0.2)
    engine.state = Health.BUSY
    await eventually(lambda: one(pool).health is Health.BUSY)
    assert standing(pool) is Standing.READY
    await eventually(lambda: standing(pool) is Standing.DOWN)
    engine.state = Health.ALIVE
    await eventually(lambda: standing(pool) is Standing.READY)
    engine.state, engine.why = Health.REFUSED, "it ended; its log ends with: no GPU"
    await eventually(lambda: standing(pool) is Standing.DOWN)
    assert one(pool).why == engine.why


async def test_a_new_boot_has_a_new_catalog_and_nothing_warm(make_pool: Any) -> None:
    engine = Stand("a")
    pool = await make_pool(engine)
    pool.loaded("a", ["x.safetensors"])
    assert one(pool).warm == {"x.safetensors"}
    engine.boot = "boot-2"
    await eventually(lambda: one(pool).boot == "boot-2")
    assert one(pool).warm == frozenset()
    assert one(pool).catalog == Catalog("1", {}, "boot-2")


async def test_a_latched_managed_instance_is_restarted_once(make_pool: Any) -> None:
    engine = Managed("a")
    pool = await make_pool(engine)
    pool.latch("a", "device fault")
    pool.latch("a", "device fault")
    assert (standing(pool), one(pool).free) == (Standing.LATCHED, 0)
    await eventually(lambda: standing(pool) is Standing.READY)
    assert (engine.restarts, one(pool).boot) == (1, "boot-2")


async def test_a_restart_that_fails_says_why(make_pool: Any) -> None:
    engine = Managed("a")
    engine.error = EngineUnreachable("it ended at once")
    pool = await make_pool(engine)
    pool.latch("a", "device fault")
    await eventually(lambda: one(pool).why == "it ended at once")
    assert standing(pool) is Standing.LATCHED


async def test_a_latched_attached_instance_waits_for_another_boot(make_pool: Any) -> None:
    engine = Stand("a")
    pool = await make_pool(engine)
    pool.latch("a", "device fault")
    await asyncio.sleep(WATCH_S * 3)
    assert (standing(pool), one(pool).why) == (Standing.LATCHED, "device fault")
    engine.boot = "boot-2"
    await eventually(lambda: standing(pool) is Standing.READY)


async def test_bad_pairs_are_forgotten_after_a_while(make_pool: Any) -> None:
    pool = await make_pool(Stand("a"), Stand("b"))
    pool.avoid("a", ["big.safetensors"], seconds=0.05)
    assert one(pool).avoided == {"big.safetensors"}
    assert one(pool, "b").avoided == frozenset()
    await eventually(lambda: not one(pool).avoided)


async def test_a_drain_finishes_what_runs_and_takes_nothing_new(make_pool: Any) -> None:
    pool = await make_pool(Stand("a"))
    async with pool.lease(first):
        drained = asyncio.create_task(pool.drain("a"))
        await asyncio.sleep(WATCH_S * 2)
        assert (standing(pool), one(pool).free, drained.done()) == (Standing.DRAINING, 0, False)
    await drained
    waiting = asyncio.create_task(_lease_name(pool, first))
    await asyncio.sleep(WATCH_S * 2)
    assert not waiting.done()
    await pool.resume("a")
    assert await waiting == "a"


async def test_stop_closes_the_engines() -> None:
    engine = Stand("a")
    pool = Pool(cast("list[Engine]", [engine]), watch_s=WATCH_S)
    await pool.start()
    await pool.stop()
    assert engine.closed
