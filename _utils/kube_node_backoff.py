"""When to knock: at once for what is new, then ever more seldom until all is well.

Pure: no Salt, no I/O, no clock. It imports nothing of the formula, so that a running minion can use it
(`_beacons`).
"""

from collections.abc import Callable
from typing import Any

FIRST, LONGEST = 5, 60
# A request for a renewal has weeks and the master's own sweep; it is knocked for once an hour at most.
RENEWAL = 4800
# A pause is this part of its length at least, so that machines that came back together do not stay together.
SHORTEST_PART = 0.75
RANKS = {"good": 0, "within its renewal window": 1}
WORST = 2


def due(
    memory: dict[str, Any],
    invocation: str | None,
    states: dict[str, str],
    now: float,
    random: Callable[[], float],
) -> str | None:
    """Tell whether to knock now.

    Args:
        memory: what this function keeps from one look to the next; empty at first, changed here.
        invocation: names the kubelet's running start, None where it does not run.
        states: each certificate's state by its name, as `kube_node_certificates` has them.
        now: seconds of a clock that only goes forward.
        random: returns a number from 0 up to 1.

    Returns:
        `news` where the kubelet started or a certificate became worse, `again` when a pause is over, None
        where there is nothing to say.
    """
    ranks = {name: RANKS.get(state, WORST) for name, state in states.items()}
    before, started = memory.get("ranks", {}), invocation != memory.get("invocation")
    memory.update(ranks=ranks, invocation=invocation)
    if invocation is None or not any(ranks.values()):
        memory.update(pause=None, at=None)
        return None
    worse = any(rank > before.get(name, 0) for name, rank in ranks.items())
    first = FIRST if WORST in ranks.values() else RENEWAL
    if started or worse or memory.get("at") is None:
        reason, pause = "news", first
    elif now >= memory["at"]:
        reason, pause = "again", min(max(2 * memory["pause"], first), max(LONGEST, first))
    elif ranks != before:
        # One of them is there: the kubelet asks for the other within seconds.
        reason, pause = None, first
    else:
        return None
    at = now + pause * (SHORTEST_PART + (1 - SHORTEST_PART) * random())
    memory.update(pause=pause, at=at if reason else min(at, memory["at"]))
    return reason
