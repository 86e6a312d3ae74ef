"""
What a node needs beyond Salt's own states: checks before anything is touched, binaries switched by one link,
a beacon in the running minion, and a wait for the kubelet's certificates.
"""

from __future__ import annotations

import os
import shutil
import time
from pathlib import Path

from salt.exceptions import CommandExecutionError

__virtualname__ = "kube_node"

POLL_SECONDS = 0.5
# A Node that is at work by the API server is heard only when it has been silent for a minute or so.
FIRST_KNOCK_SECONDS, LONGEST_KNOCK_SECONDS = 10, 20


def preflight(name):
    """
    Check what can be checked before anything is touched; changes nothing, and a test run checks the same.

    name
        Any name.

    Errors fail the state; warnings stand in its comment. ``kube_node.preflight`` returns all findings.

    .. code-block:: yaml

        preflight-passed:
          kube_node.preflight:
            - failhard: True
    """
    found = __salt__["kube_node.preflight"]()
    errors, warnings = (
        [f"{one['name']}: {one['found']}, {one['fix']}" for one in found if one["severity"] == severity]
        for severity in ("error", "warning")
    )
    lines = ["Nothing was touched:", *errors] if errors else ["Nothing stands in the way"]
    return _result(name, not errors, "\n".join([*lines, *(f"warning: {line}" for line in warnings)]))


def taken_over(name):
    """
    Keep a copy of each file that somebody else wrote where ours go, and record which are ours from now on.

    name
        The folder of both.

    What was there is only taken over where the pillar says ``takeover: true``; otherwise the preflight has
    stopped the run already.
    """
    foreign, networks, unrecorded = (
        __salt__[f"kube_node_takeover.{what}"]() for what in ("foreign", "networks", "unrecorded")
    )
    if foreign and not __salt__["kube_node.parameters"]()["takeover"]:
        return _result(name, False, f"{', '.join(foreign)}: was there before us")
    if not foreign and not networks and not unrecorded:
        return _result(name, True, "Nothing that was there before us is in the way")
    changes = dict.fromkeys(foreign, f"copied below {name}/replaced")
    changes |= dict.fromkeys(networks, f"moved below {name}/replaced")
    if unrecorded:
        changes[f"{name}/files"] = {"added": unrecorded}
    if __opts__["test"]:
        return _result(name, None, "What was there would be kept", changes)
    for path in foreign:
        __salt__["kube_node_takeover.keep"](path)
    for path in networks:
        __salt__["kube_node_takeover.keep"](path, remove=True)
    __salt__["kube_node_takeover.record"]()
    return _result(name, True, "What was there is kept", changes)


def containerd_takes(name):
    """
    Have containerd say that it would run as its new configuration says, before that replaces the old one.

    name
        The configuration's path; the content is that of ``kube_node.parameters``.

    Changes nothing, and a test run asks the same, where containerd is installed already.
    """
    try:
        faults = __salt__["kube_node_runtime.containerd_faults"]()
    except CommandExecutionError as error:
        return _result(name, __opts__["test"], f"{name} cannot be checked: {error}")
    if not faults:
        return _result(name, True, "containerd would run as its configuration says")
    remedy = "see whether runtime.containerd.version is what is installed, and what /etc/containerd imports"
    return _result(name, False, "\n".join([f"{name} was left as it is, {remedy}:", *faults]))


def swap_off(name):
    """
    Stop swapping to any device or file, compressed memory (zram) among them.

    name
        Any name.

    What would bring it back at the next boot is for other states: see ``kube_node/os/swap.sls``.
    """
    swaps = sorted(__salt__["mount.swaps"]())
    if not swaps:
        return _result(name, True, "Nothing is swapped to")
    changes = dict.fromkeys(swaps, "no longer swapped to")
    if __opts__["test"]:
        return _result(name, None, f"{', '.join(swaps)} would no longer be swapped to", changes)
    left = [swap for swap in swaps if __salt__["mount.swapoff"](swap) is False]
    if left:
        reason = "there may be too little memory for what lies in it"
        return _result(name, False, f"{', '.join(left)} is still swapped to, {reason}")
    return _result(name, True, f"{', '.join(swaps)} is no longer swapped to", changes)


def binary_installed(name, path, source, sha256):
    """
    Put a program into the folder of its release, and switch to it by one atomic link.

    The file is whole and checked before its final name exists, and the link is replaced in one step: an
    interrupted run leaves the old program, and a running one is never written to.

    name
        The link that is run, for instance ``/usr/local/bin/kubelet``.

    path
        Where the program lies, for instance ``/opt/kube_node/v1.36.2/kubelet``.

    source
        Where it comes from: ``salt://``, ``file://`` or ``https://``; the file itself, or a ``.tar.gz`` or
        ``.tgz`` that has it.

    sha256
        The source's digest, 64 hex digits, or the URL of a file of checksums that has it.
    """
    release = {"path": path, "source": source, "sha256": sha256}
    return _put_to_use(name, release, lambda _: {name: path})


def programs_installed(name, path, source, sha256, keep=False):
    """
    Put all programs of an archive into the folder of their release, and switch to each by one atomic link.

    As ``binary_installed``, but for:

    name
        The folder of the links that are run, for instance ``/opt/cni/bin``.

    path
        The folder where the programs lie, for instance ``/opt/kube_node/cni-plugins-v1.9.1``.

    keep
        True to leave a program alone that somebody else put in place of a link, as network plugins do.
    """
    release = {"path": path, "source": source, "sha256": sha256, "whole": True}

    def links(programs):
        found = {f"{name}/{program}": f"{path}/{program}" for program in programs}
        return {link: to for link, to in found.items() if not (keep and _is_foreign(link))}

    return _put_to_use(name, release, links)


def old_releases_removed(name, keep, releases, links):
    """
    Take away old releases of programs, but for those that stay for a way back, and none that is in use.

    name
        The folder of the releases, such as ``/opt/kube_node``.

    keep
        How many of each program's stay.

    releases
        Names of those that are in use.

    links
        Folders in which links may point to a release.
    """
    old = __salt__["kube_node_binaries.superseded"](name, keep, releases, links)
    changes = dict.fromkeys(old, "removed")
    if __opts__["test"]:
        told = f"{', '.join(old)} would be removed" if old else "No release is too old"
        return _result(name, None if old else True, told, changes)
    for release in old:
        shutil.rmtree(release)
    __salt__["kube_node_binaries.forget"]()
    return _result(name, True, f"{', '.join(old)} is removed" if old else "No release is too old", changes)


def beacon(name, config=None):
    """
    Have the running minion look by a beacon, from now on and after each of its starts.

    Salt's own ``beacon.present`` and ``beacon.absent`` do the same, but tell no changes, and in a test run
    the one fails where the configuration is another.

    name
        The name of the beacon's module.

    config
        List of single settings, as the beacon has them; without it the beacon is taken away.

    ``salt-call`` speaks with the minion that runs beside it, with ``--local`` too. Where none answers, nobody
    could look and there is no master to tell: then nothing is done.
    """
    known = __salt__["beacons.list"](return_yaml=False)
    if known is None:
        return _result(name, True, f"No running minion answers: the beacon {name} is left out")
    if known.get(name) == config:
        return _result(name, True, f"The beacon {name} is as it should be")
    changes = {name: {"old": known.get(name), "new": config}}
    if __opts__["test"]:
        return _result(name, None, f"The beacon {name} would be changed", changes)
    if config is None:
        done = __salt__["beacons.delete"](name)
    else:
        done = __salt__["beacons.modify" if name in known else "beacons.add"](name, config)
    saved = __salt__["beacons.save"]() if done["result"] else done
    if not saved["result"]:
        return _result(name, False, f"{saved['comment']} Try again after 'saltutil.sync_all' on this minion")
    return _result(name, True, f"The beacon {name} has been changed", changes)


def joined(name, timeout):
    """
    Knock at the master, and wait until the kubelet has the certificates it asked for.

    name
        The node's name.

    timeout
        Seconds to wait.

    The kubelet's start knocks too; here it is done again, every twenty seconds at the end, so that no lost
    event leaves the node outside. A node that has its certificates is not knocked for. The state itself
    changes nothing.
    """
    deadline, knock_at, pause = time.monotonic() + timeout, time.monotonic(), FIRST_KNOCK_SECONDS
    # They appear as links in a folder that the kubelet makes: looking is cheaper than a watch on its parents.
    while faults := _certificate_faults():
        now = time.monotonic()
        if __opts__["test"]:
            return _result(name, True, f"The kubelet would be waited for: {faults}")
        if now > deadline:
            return _result(name, False, f"After {timeout} s {faults}.\n{__salt__['kube_node.diagnosis']()}")
        if now >= knock_at:
            __salt__["kube_node.knock"]()
            knock_at, pause = now + pause, min(2 * pause, LONGEST_KNOCK_SECONDS)
        time.sleep(POLL_SECONDS)
    return _result(name, True, f"{name} has its certificates")


def _certificate_faults():
    """Say what is wrong with each certificate that the kubelet cannot use; nothing where all is well."""
    found = [one for one in __salt__["kube_node.certificates"]() if one["name"] != "kube-proxy"]
    return ", ".join(f"{one['path']} is {one['state']}" for one in found if not one["usable"])


def _put_to_use(name, release, links):
    """Install what is not there of a release, then switch the links that its programs have."""
    try:
        programs = __salt__["kube_node_binaries.installed"](**release)
        changes = {} if programs else {release["path"]: f"installed from {release['source']}"}
        if not programs and release.get("whole"):
            programs = __salt__["kube_node_binaries.offered"](**release)
        wanted = links(programs)
        for link in wanted:
            if _is_foreign(link):
                told = "is a file that is not ours, move it away or choose another paths.bin"
                return _result(name, False, f"{link} {told}")
        before = {link: str(Path(link).readlink()) if Path(link).is_symlink() else None for link in wanted}
        new = {link: path for link, path in wanted.items() if before[link] != path}
        place = bool(changes)
        changes |= {link: {"old": before[link], "new": path} for link, path in new.items()}
        if not changes:
            return _result(name, True, f"{release['path']} is in use")
        if __opts__["test"]:
            return _result(name, None, f"{release['path']} would be put into use", changes)
        if place:
            __salt__["kube_node_binaries.install"](**release)
    except CommandExecutionError as error:
        return _result(name, False, str(error))
    for link, path in new.items():
        _link(link, path)
    return _result(name, True, f"{release['path']} has been put into use", changes)


def _is_foreign(link):
    return Path(link).exists() and not Path(link).is_symlink()


def _link(name, path):
    """Point the link `name` to `path` in one step; its release is then the one that was last in use."""
    new = Path(f"{name}.new")
    new.parent.mkdir(parents=True, exist_ok=True)
    new.unlink(missing_ok=True)
    new.symlink_to(path)
    new.replace(name)
    os.utime(Path(path).parent)


def _result(name, result, comment, changes=None):
    return {"name": name, "result": result, "comment": comment, "changes": changes or {}}
