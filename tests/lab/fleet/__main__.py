"""The process that plays a fleet: its orders come as JSON on stdin, its report goes as JSON to stdout."""

from __future__ import annotations

import asyncio
import sys
import time
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor

from .api import Api
from .kubelets import Kubelet
from .minions import Bus
from .orders import Orders
from .report import Report


async def play(orders: Orders) -> Report:
    """Plays all minions and kubelets until each kubelet has its certificate or the time is up."""
    loop = asyncio.get_running_loop()
    # Salt's bus is not asyncio's: it has a thread, and knocks wait for their turn there.
    with ThreadPoolExecutor(1) as thread:
        bus = await loop.run_in_executor(thread, Bus, orders.sockets)

        def fire(is_due: Callable[[], bool], *knock: object) -> float:
            if not is_due():
                return 0.0
            bus.knock(*knock)
            return time.time()

        def knock(*knock: object) -> asyncio.Future[float]:
            return loop.run_in_executor(thread, fire, *knock)

        kubelets = [
            Kubelet(minion, token, orders.signer, orders.pace, orders.faults, knock)
            for minion, token in orders.tokens.items()
        ]
        async with Api(orders) as api:
            await _run(orders, api, kubelets)
        await loop.run_in_executor(thread, bus.close)
    return Report([kubelet.course for kubelet in kubelets])


async def _run(orders: Orders, api: Api, kubelets: list[Kubelet]) -> None:
    owners: dict[str, Kubelet] = {}

    def register(kubelet: Kubelet) -> None:
        owners[kubelet.owns()] = kubelet

    async def follow() -> None:
        async for request in api.watch():
            asked = request["spec"]["request"]
            kubelet = owners.get(asked)
            if kubelet is not None and kubelet.owns() == asked:
                kubelet.take(request)

    following = asyncio.create_task(follow())
    step = orders.pace.spread / len(kubelets)
    tasks = [
        asyncio.create_task(kubelet.run(api, number * step, register))
        for number, kubelet in enumerate(kubelets)
    ]
    done, running = await asyncio.wait(tasks, timeout=orders.seconds)
    await _cancelled([following, *running])
    for task in done:
        task.result()


async def _cancelled(tasks: Iterable[asyncio.Task]) -> None:
    tasks = list(tasks)
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


def main() -> None:
    orders = Orders.read(sys.stdin.read())
    report = asyncio.run(play(orders))
    sys.stdout.write(report.write())


if __name__ == "__main__":
    main()
