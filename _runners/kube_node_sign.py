"""
Where a minion has the certificates of its own node signed, by ``peer_run``; an operator has nothing to call
here.

In the master's configuration (docs/certificates.md):

.. code-block:: yaml

    peer_run:
      .*:
        - kube_node_sign\\.certificate$
"""

from __future__ import annotations

import salt.loader

__virtualname__ = "kube_node_sign"


def certificate(name, request):
    """
    Sign a certificate of the node that the calling minion is by its pillar.

    Who calls is ``__opts__["id"]``: a runner that runs for a minion gets the id there that the master
    authenticated (Salt's ``daemons/masterapi.py``, ``minion_runner``).

    name
        ``kubelet`` or ``kube_proxy``.

    request
        A PEM certificate request; of it the public key alone is used.

    Returns ``{certificate: PEM}``, or ``{refused: why}``.

    CLI Example: none; minions call it.
    """
    opts = {**__opts__, "grains": {}}
    modules = salt.loader.minion_mods(opts, utils=salt.loader.utils(opts))
    return modules["kube_node_authority.sign"](__opts__["id"], name, request)
