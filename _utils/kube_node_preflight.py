"""What of a machine stands in the way of its becoming a node, and what to do: the preflight's judgement.

Pure: no Salt, no I/O. `kube_node_machine.facts` gathers what the machine tells, a dict of

    processor, os_family, kernel    Salt's grains cpuarch, os_family and kernelrelease
    container                       whether the machine shares its kernel with others
    cgroups                         1 or 2, the version that the controllers are in
    modules                         of each needed one its state, as `kube_node_proc.modules` says it
    options                         what the kernel was built with, empty where that is not known
    memory_mib, disks               all memory; of each folder `{free_mib, free_percent}`
    now, synchronised               the clock, and whether something corrects it (None: not known)
    swaps                           the devices and files that are swapped to, zram among them
    ports                           of each needed one that is taken: `{program, unit}`
    client_name                     the common name in the node's client certificate, None without one
    name_known                      whether node.name resolves, None where nobody asked
    root_dir                        the folder by which our kubelet's unit starts it, None without one
    cgroup_driver                   that of the kubelet which is there, None without one
    foreign_files                   what somebody else wrote where our files go
    ours                            whether the formula has been here before
    units, drop_ins                 of those that are asked for: the active units, the drop-ins that are there
    cni_files                       the network configurations in paths.cni_config
    network_before                  the network that the last run set the machine up for
    mtus                            how large a packet each interface takes
    addresses, routes, resolvers    its own; `{network, interface, gateway}`; None where the file is missing
    api_server                      `{reached, trusted, why, ahead}`, the last the seconds that this clock is
                                    ahead of the API server's, None where it told none
"""

from __future__ import annotations

from typing import Any

import kube_node_findings as findings
import kube_node_preflight_before as before
import kube_node_preflight_host as host
import kube_node_preflight_network as network
from kube_node_findings import INFO, Finding

CHECKS = (*host.CHECKS, *before.CHECKS, *network.CHECKS)


def judge(node: dict[str, Any], machine: dict[str, Any]) -> list[Finding]:
    """Return all that was found, errors first.

    Args:
        node: the parameters as `kube_node_parameters.compile_node` returns them.
        machine: what the machine tells, as above.

    Returns:
        The findings; one that the pillar accepts is an info.
    """
    accepted = node["preflight"]["accept"]
    found = [
        Finding(one.name, INFO, one.found, "the pillar accepts it") if one.name in accepted else one
        for check in CHECKS
        for one in check(node, machine)
    ]
    return sorted(found, key=lambda one: findings.SEVERITIES.index(one.severity))
