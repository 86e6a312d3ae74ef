"""A DaemonSet's pod on a machine, without images: for the real control plane and the real kubelet alone.

The control plane's controller makes the pod, the machine's kubelet mounts its volumes, the service account's
token among them, and then waits for images that nobody has. What its containers would run, systemd runs: the
pod's own commands, arguments, environment, mounts and capabilities. What lies in an image was put in its
place on the machine before (`put`).
"""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

from lab import waiting
from lab.controlplane import ControlPlane
from lab.machine import Machine

Object = dict[str, Any]
SECONDS = 60
KUBELET = "/var/lib/kubelet/pods"
GENERATION = "deprecated.daemonset.template.generation"
# What a container may do that is not privileged and asks for nothing (containerd, pkg/oci/spec.go).
CAPABILITIES = ("CHOWN", "DAC_OVERRIDE", "FSETID", "FOWNER", "MKNOD", "NET_RAW", "SETGID", "SETUID")
CAPABILITIES += ("SETFCAP", "SETPCAP", "NET_BIND_SERVICE", "SYS_CHROOT", "KILL", "AUDIT_WRITE")


def put(machine: Machine, program: Path, place: str) -> None:
    """Put a program where an image has it."""
    target = machine.root / place.lstrip("/")
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.copy(program, target)


def start(plane: ControlPlane, machine: Machine, namespace: str, name: str) -> list[str]:
    """Run a DaemonSet's pod on a machine, until its probes say that it is ready; return its units."""
    pod = waiting.until(lambda: _pod(plane, machine, namespace, name), f"a pod of {name}", SECONDS)
    _bind(plane, machine, pod)
    for container in pod["spec"].get("initContainers", ()):
        machine.run("systemd-run", "--quiet", "--wait", "--collect", "--pipe", *_command(pod, container))
    units = []
    for container in pod["spec"]["containers"]:
        units.append(f"{container['name']}-{pod['metadata']['uid'][:8]}")
        machine.run("systemd-run", "--quiet", f"--unit={units[-1]}", *_command(pod, container))
        probe = container["readinessProbe"]["exec"]["command"]
        ready = f"{container['name']} being ready (journalctl -u {units[-1]})"
        waiting.until(lambda probe=probe: not machine.run(*probe, check=False).returncode, ready, SECONDS)
    return units


def stop(machine: Machine, units: list[str]) -> None:
    """End what `start` began."""
    machine.run("systemctl", "stop", *units)


def _pod(plane: ControlPlane, machine: Machine, namespace: str, name: str) -> Object | None:
    """Return the pod for a machine that is of the DaemonSet as it is now."""
    workload = _get(plane, "daemonset", name, namespace)
    generation = workload["metadata"]["annotations"][GENERATION]
    for pod in _get(plane, "pods", f"--selector=pod-template-generation={generation}", namespace)["items"]:
        terms = pod["spec"]["affinity"]["nodeAffinity"]["requiredDuringSchedulingIgnoredDuringExecution"]
        [field] = terms["nodeSelectorTerms"][0]["matchFields"]
        owner = pod["metadata"]["ownerReferences"][0]["uid"]
        if field["values"] == [machine.minion_id] and owner == workload["metadata"]["uid"]:
            return pod
    return None


def _get(plane: ControlPlane, kind: str, which: str, namespace: str) -> Object:
    return json.loads(plane.kubectl("get", kind, which, f"--namespace={namespace}", "--output=json"))


def _bind(plane: ControlPlane, machine: Machine, pod: Object) -> None:
    """Do the scheduler's work, and wait until the kubelet has mounted the volumes."""
    place = {key: pod["metadata"][key] for key in ("namespace", "name")}
    path = f"/api/v1/namespaces/{place['namespace']}/pods/{place['name']}/binding"
    target = {"apiVersion": "v1", "kind": "Node", "name": machine.minion_id}
    binding = {"apiVersion": "v1", "kind": "Binding", "metadata": place, "target": target}
    plane.kubectl("create", f"--raw={path}", "--filename=-", input=json.dumps(binding))
    # What it writes into a volume is there when its link ..data is (pkg/volume/util/atomic_writer.go).
    links = [f"{source}/..data" for source in _volumes(pod).values() if source.startswith(KUBELET)]
    mounted = ("sh", "-c", 'for path; do test -e "$path" || exit; done', "sh", *links)
    what = f"the kubelet writing {', '.join(links)}"
    waiting.until(lambda: not machine.run(*mounted, check=False).returncode, what, SECONDS)


def _volumes(pod: Object) -> dict[str, str]:
    """Return by volume where it lies on the machine."""
    folder, found = f"{KUBELET}/{pod['metadata']['uid']}/volumes", {}
    for volume in pod["spec"]["volumes"]:
        name = volume["name"]
        if "hostPath" in volume:
            found[name] = volume["hostPath"]["path"]
        else:
            [kind] = volume.keys() - {"name"}
            found[name] = f"{folder}/kubernetes.io~{kind.lower()}/{name}"
    return found


def _command(pod: Object, container: Object) -> list[str]:
    """Return systemd-run's options for a container, and what the container runs."""
    asked = container.get("securityContext", {}).get("capabilities", {}).get("add", [])
    may = " ".join(f"CAP_{name}" for name in (*CAPABILITIES, *asked))
    volumes = _volumes(pod)
    mounts = [
        f"--property={'BindReadOnlyPaths' if mount.get('readOnly') else 'BindPaths'}="
        f"{volumes[mount['name']]}:{mount['mountPath']}"
        for mount in container["volumeMounts"]
    ]
    environment = [f"--setenv={one['name']}={_value(pod, one)}" for one in container.get("env", ())]
    runs = [*container["command"], *container.get("args", ())]
    return [f"--property=CapabilityBoundingSet={may}", *mounts, *environment, *runs]


def _value(pod: Object, variable: Object) -> str:
    if "value" in variable:
        return variable["value"]
    value: Any = pod
    for key in variable["valueFrom"]["fieldRef"]["fieldPath"].split("."):
        value = value[key]
    return value
