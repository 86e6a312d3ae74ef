"""
What a node needs beyond Salt's own states: checks before anything is touched, binaries switched by one link,
a beacon in the running minion, and a wait for the kubelet's certificates.
"""

from __future__ import annotations

import shutil
import time
from pathlib import Path

__virtualname__ = "kube_node"

POLL_SECONDS = 0.5
KNOCK_SECONDS = 10


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
        Where it comes from: ``salt://``, ``file://`` or ``https://``.

    sha256
        Its digest, 64 hex digits.
    """
    placed = __salt__["kube_node.binary_matches"](path, sha256)
    linked = Path(name).is_symlink() and str(Path(name).readlink()) == path
    if placed and linked:
        return _result(name, True, f"{path} is in use")
    if Path(name).exists() and not Path(name).is_symlink():
        return _result(
            name, False, f"{name} is a file that is not ours, move it away or choose another paths.bin"
        )
    changes = {} if placed else {path: f"installed from {source}"}
    if not linked:
        before = str(Path(name).readlink()) if Path(name).is_symlink() else None
        changes[name] = {"old": before, "new": path}
    if __opts__["test"]:
        return _result(name, None, f"{path} would be put into use", changes)
    if not placed:
        fault = _place(path, source, sha256)
        if fault:
            return _result(name, False, fault)
    if not linked:
        Path(name).parent.mkdir(parents=True, exist_ok=True)
        _link(name, path)
    return _result(name, True, f"{path} has been put into use", changes)


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

    The kubelet's start knocks too; here it is done again, ever more seldom, so that no lost event leaves the
    node outside. A node that has its certificates is not knocked for. The state itself changes nothing.
    """
    deadline, knock_at, pause = time.monotonic() + timeout, time.monotonic(), KNOCK_SECONDS
    # They appear as links in a folder that the kubelet makes: looking is cheaper than a watch on its parents.
    while faults := _certificate_faults():
        now = time.monotonic()
        if __opts__["test"]:
            return _result(name, None, f"The kubelet would be waited for: {faults}")
        if now > deadline:
            return _result(
                name,
                False,
                f"After {timeout} s {faults}. On the master, 'salt-run kube_node.explain {name}' says why; "
                "on the node, 'journalctl -u kubelet'",
            )
        if now >= knock_at:
            __salt__["kube_node.knock"]()
            knock_at, pause = now + pause, 2 * pause
        time.sleep(POLL_SECONDS)
    return _result(name, True, f"{name} has its certificates")


def _certificate_faults():
    """Say what is wrong with each certificate that the kubelet cannot use; nothing where all is well."""
    found = __salt__["kube_node.certificates"]()
    return ", ".join(f"{one['path']} is {one['state']}" for one in found if not one["usable"])


def _place(path, source, sha256):
    """Fetch a program to its final place; return what went wrong, or None."""
    cached = __salt__["kube_node.cached_binary"](source, sha256)
    if not cached:
        return f"{source} is not there"
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    part = Path(f"{path}.part")
    shutil.copyfile(cached, part)
    if not __salt__["kube_node.binary_matches"](str(part), sha256):
        part.unlink()
        return f"{source} does not have the digest {sha256}"
    part.chmod(0o755)
    part.replace(path)
    return None


def _link(name, path):
    """Point the link `name` to `path` in one step."""
    new = Path(f"{name}.new")
    new.unlink(missing_ok=True)
    new.symlink_to(path)
    new.replace(name)


def _result(name, result, comment, changes=None):
    return {"name": name, "result": result, "comment": comment, "changes": changes or {}}
