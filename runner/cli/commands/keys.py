"""Make, list and revoke the keys of the API.

A key speaks for a tenant: one tenant never sees another's jobs or files. It is shown once, when it is made;
the database keeps its digest only."""

from __future__ import annotations

import argparse
import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from compiler.errors import Fault
from runner.cli.faults import InputError
from runner.cli.options import add_data, settings_of

if TYPE_CHECKING:
    from runner.store.keys import KeyRing


def configure(parser: argparse.ArgumentParser) -> None:
    actions = parser.add_subparsers(metavar="ACTION", required=True)
    creating = actions.add_parser("create", help="make a key and print it")
    creating.add_argument("--tenant", metavar="T", required=True, help="whose key it is")
    creating.set_defaults(act=create)
    listing = actions.add_parser("list", help="print id, tenant, first characters and age of each key")
    listing.set_defaults(act=show)
    revoking = actions.add_parser("revoke", help="end a key; every process follows within seconds")
    revoking.add_argument("id", metavar="ID", help="the id that `comfyc keys list` prints")
    revoking.set_defaults(act=revoke)
    for action in (creating, listing, revoking):
        add_data(action)


def run(args: argparse.Namespace) -> int:
    asyncio.run(args.act(args))
    return 0


async def create(args: argparse.Namespace) -> None:
    async with key_ring(args) as ring:
        key, _ = await ring.create(args.tenant)
    print(key)


async def show(args: argparse.Namespace) -> None:
    async with key_ring(args) as ring:
        for record in await ring.list():
            state = f"revoked {record.revoked_at:%Y-%m-%d %H:%M}" if record.revoked_at else "active"
            print(f"{record.id}  {record.tenant}  {record.hint}…  made {record.created_at:%Y-%m-%d %H:%M}  {state}")


async def revoke(args: argparse.Namespace) -> None:
    async with key_ring(args) as ring:
        if not await ring.revoke(args.id):
            raise InputError(Fault(args.id, "is no active key", "`comfyc keys list` prints them"))
    print(f"{args.id} is revoked")


@asynccontextmanager
async def key_ring(args: argparse.Namespace) -> AsyncGenerator[KeyRing]:
    """The keys in the database of the settings."""
    from runner.assemble import open_database
    from runner.store.keys import KeyRing, SqlKeys

    async with open_database(settings_of(args)) as database:
        yield KeyRing(SqlKeys(database))
