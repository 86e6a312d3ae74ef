"""
What certificates the nodes hold, and for how long.
"""

from __future__ import annotations

from datetime import datetime, timezone

import kube_node_expiry
import salt.client

__virtualname__ = "kube_node"


def __virtual__():
    # Its functions stand beside those of kube_node.py: the loader joins modules of one virtual name.
    return __virtualname__


def certificates(threshold=0, timeout=30):
    """
    Ask every node what certificates it holds, and list them, the one that ends first on top.

    This is what the machines say of themselves: good for seeing what is due, no proof of anything.

    threshold
        How many days have to be left. Where it is less, or a node has no certificate or does not answer, the
        command ends with 1.

    timeout
        Seconds to wait for the answers.

    Returns ``{certificates: [{minion, name, state, days_left, ends, issuer}, ...], wanting, retcode}``,
    ``wanting`` the number of those that fall below the threshold.

    CLI Example:

    .. code-block:: bash

        salt-run kube_node.certificates
        salt-run kube_node.certificates threshold=14 --out=json
    """
    accepted = __salt__["salt.cmd"]("kube_node_minions.accepted")
    known = __salt__["salt.cmd"]("kube_node_minions.last_known", accepted)
    minions = sorted(minion for minion, found in known.items() if found)
    answers = {}
    if minions:
        with salt.client.get_local_client(mopts=__opts__) as client:
            answers = client.cmd(minions, "kube_node.certificates", timeout=int(timeout), tgt_type="list")
    found = kube_node_expiry.rows(minions, answers, datetime.now(timezone.utc))
    wanting = len(kube_node_expiry.wanting(found, int(threshold)))
    return {"certificates": found, "wanting": wanting, "retcode": int(wanting > 0)}
