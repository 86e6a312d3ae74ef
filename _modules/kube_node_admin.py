"""
What the Salt master needs an administrator's kubeconfig for, once: the rights in a cluster of its approver,
and of what lays down the network, a kubeconfig for each, and a look at who else may approve. Called by the
runner ``kube_node``.
"""

from __future__ import annotations

import itertools
import os
from pathlib import Path

import kube_api
import kube_node_grant
import kube_node_rights
import salt.fileclient
import salt.utils.atomicfile
import salt.utils.files
import yaml
from salt.exceptions import CommandExecutionError

__virtualname__ = "kube_node_admin"

FILES = "kube_node/master/files"


def __virtual__():
    if __opts__.get("__role") != "master":
        return False, "kube_node_admin runs on the Salt master, through the runner kube_node"
    return __virtualname__


def grant(cluster, kubeconfig):
    """
    Give the approver its rights in a cluster, and this master a kubeconfig with them and no others.

    cluster
        The cluster's name, as the pillars have it.

    kubeconfig
        The path of an administrator's kubeconfig; it is read, and not kept.

    Returns ``{changes, kubeconfig, others}``: the roles and bindings that were made or changed, where the
    approver's kubeconfig is, and what :py:func:`check_rights` reports.

    CLI Example:

    .. code-block:: bash

        salt-run salt.cmd kube_node_admin.grant production /root/admin.conf
    """
    path = Path(__salt__["kube_node_master.kubeconfig"](cluster))
    manifests = (f"{FILES}/approver.yaml", f"{FILES}/nodes.yaml")
    given = _give(cluster, kubeconfig, kube_node_grant.APPROVER, manifests, path)
    return given | {"others": check_rights(kubeconfig)}


def grant_network(cluster, kubeconfig):
    """
    Give this master a kubeconfig with the rights to lay down a cluster's network, and no others.

    cluster
        The cluster's name, as the pillars have it.

    kubeconfig
        The path of an administrator's kubeconfig; it is read, and not kept.

    Returns ``{changes, kubeconfig}``, as :py:func:`grant`.

    CLI Example:

    .. code-block:: bash

        salt-run salt.cmd kube_node_admin.grant_network production /root/admin.conf
    """
    path = Path(__salt__["kube_node_master.kubeconfig"](cluster, network=True))
    return _give(cluster, kubeconfig, kube_node_grant.NETWORK, [f"{FILES}/network.yaml"], path)


def check_rights(kubeconfig, remove=False):
    """
    Report the bindings by which others than the approver may approve kubelets' requests.

    kubeconfig
        The path of an administrator's kubeconfig.

    remove
        Remove those by which kube-controller-manager approves for nodes.

    CLI Example:

    .. code-block:: bash

        salt-run salt.cmd kube_node_admin.check_rights /root/admin.conf
    """
    try:
        api = kube_api.Api(kubeconfig)
        return kube_node_rights.check(api, remove)
    except kube_api.ApiError as error:
        raise CommandExecutionError(str(error)) from error


def _give(cluster, kubeconfig, user, manifests, path):
    """Give a user rights, and put a kubeconfig of it there."""
    texts = [yaml.safe_load_all(__salt__["kube_node_master.formula_file"](name)) for name in manifests]
    try:
        admin, key = kube_api.Api(kubeconfig), kube_node_grant.new_key()
        changes = kube_node_grant.give_rights(admin, itertools.chain(*texts))
        certificate = kube_node_grant.certificate(admin, user, key)
        content = kube_node_grant.kubeconfig(admin, cluster, user, key, certificate)
    except kube_api.ApiError as error:
        raise CommandExecutionError(f"cluster {cluster}: {error}") from error
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    with salt.utils.files.set_umask(0o077), salt.utils.atomicfile.atomic_open(str(path), "w") as file:
        file.write(content)
    owner = Path(__opts__["pki_dir"]).stat()
    for place in (path.parent, path):
        os.chown(place, owner.st_uid, owner.st_gid)
    return {"changes": changes, "kubeconfig": str(path)}
