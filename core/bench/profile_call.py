"""Where the time of a call goes, on the host's side and on the plugin's side.

Run by hand, with the Python of `.venv-bench`, which `make bench` builds. Host and plugin are those of the benchmark,
pinned to one CPU as there; what is under way and how it is watched are options.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import sys

from contenders import animus_wire as wire
from contenders.animus_host import CELLS, INLINE_CELLS, PROJECT, TIMEOUT_S, Host, found
from contenders.cells import Order, Sample
from contenders.sampling import TOOLS
from figures import BIG_BYTES

from animus_core.host.session import open_session


async def profiled(tool: str, order: Order) -> tuple[Sample, str, str]:
    """Run a cell under `tool`; how much was done, and the tables of host and plugin."""
    session = await open_session(
        found((sys.executable, "-m", "contenders.profiled_child")), PROJECT, cookie="bench-profile"
    )
    try:
        host = Host(session)
        await host.run(order._replace(seconds=order.seconds / 10))
        await session.call(wire.PROFILE, wire.Profile(tool=tool, begin=True), timeout_s=TIMEOUT_S)
        profiler = TOOLS[tool]()
        profiler.begin()
        sample = await host.run(order)
        here = profiler.end()
        there = await session.call(wire.PROFILE, wire.Profile(tool=tool, begin=False), timeout_s=TIMEOUT_S)
    finally:
        await session.close()
    return sample, here, there.text


def main() -> None:
    """Profile, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tool", choices=sorted(TOOLS), default="sample")
    parser.add_argument("--cell", choices=(*CELLS[:-1], *INLINE_CELLS), default="sequential")
    parser.add_argument("--seconds", type=float, default=5.0, help="for how long (default 5)")
    args = parser.parse_args()
    os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
    amount = BIG_BYTES if args.cell == "big_frames" else round(100_000 * args.seconds)
    sample, here, there = asyncio.run(profiled(args.tool, Order(args.cell, args.seconds, amount)))
    sys.stdout.write(f"{args.cell}: {sample.done / sample.seconds:,.0f} a second, under {args.tool}\n")
    sys.stdout.write(f"\n== host\n{here}\n\n== plugin\n{there}\n")


if __name__ == "__main__":
    main()
