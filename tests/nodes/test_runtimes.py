"""Each runtime on each Debian of the lab: a node becomes Ready, and its runtime runs as the pillar says.

The first platform is tried at each run, all of them, minutes each, by `make test-nodes-all` (KUBE_NODE_ALL).
"""

from __future__ import annotations

import json
import os
import tarfile
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import kube_node_versions as versions
import pytest
import yaml
from lab import binaries, cgroups, cluster, host, image
from lab.lab import Lab
from lab.machine import Machine
from unit.archives import archive

from nodes.conftest import changed, highstate
from nodes.machines import rootfs

ALL = bool(os.environ.get("KUBE_NODE_ALL"))
# What somebody left on the machine: a file that ours replaces, and a network that is not ours.
THEIRS = {
    "containerd": ("/etc/containerd/config.toml", "version = 2\n# Theirs.\n"),
    "docker": ("/etc/docker/daemon.json", '{"log-driver": "journald"}\n'),
}
NETWORK = ("/etc/cni/net.d/87-theirs.conflist", '{"name": "theirs", "cniVersion": "1.0.0", "plugins": []}\n')
HOSTS = "/etc/containerd/certs.d/docker.io/hosts.toml"
PASSWORD = 'swordfish "7" <>'
# Where Debian has the programs that a runtime's project releases in one archive.
PROGRAMS = {
    "containerd": ("bin/containerd", "bin/containerd-shim-runc-v2", "bin/ctr"),
    "docker": ("bin/docker", "bin/docker-init", "sbin/docker-proxy", "sbin/dockerd", "sbin/runc"),
}
PROGRAMS["docker"] += PROGRAMS["containerd"]
PACKAGES = ("docker.io", "docker-cli", "containerd", "runc")


@dataclass(frozen=True)
class Platform:
    """A Debian, its runtime with the release that it ships, and the Kubernetes that its double runs with.

    Where Debian ships no such release yet it is that in the folder which KUBEBUILDER_ASSETS names.
    """

    suite: str
    runtime: str
    release: str
    version: str = binaries.VERSION
    is_shipped: bool = True

    @property
    def name(self) -> str:
        return f"{self.suite}-{self.runtime}-{self.release}-{self.version}"

    @property
    def by_cri_dockerd(self) -> bool:
        """Whether cri-dockerd stands between kubelet and Docker."""
        return self.runtime == "docker" and versions.parse(self.version) > (1, 23)


PLATFORMS = (
    Platform("bookworm", "docker", "20.10.24", version="1.23.17"),
    Platform("trixie", "docker", "26.1.5", version="1.14.10"),
    Platform("trixie", "docker", "26.1.5"),
    Platform("bookworm", "containerd", "1.6.20"),
    Platform("trixie", "containerd", "1.7.24"),
    Platform("forky", "containerd", "2.1.9"),
    Platform("trixie", "containerd", "2.3", is_shipped=False),
)


@pytest.fixture(scope="module", params=PLATFORMS, ids=lambda platform: platform.name)
def platform(request) -> Platform:
    """Return one of the platforms."""
    platform = request.param
    if platform != PLATFORMS[0] and not ALL:
        pytest.skip("every Debian and runtime is for make test-nodes-all")
    version = binaries.release(otherwise=platform.version)
    if not platform.is_shipped and not binaries.real(platform.runtime):
        pytest.skip(f"neither Debian nor KUBEBUILDER_ASSETS has {platform.runtime} {platform.release}")
    found = replace(platform, version=version)
    if found.by_cri_dockerd != platform.by_cri_dockerd:
        pytest.skip(f"a kubelet {platform.version} talks to Docker otherwise than the real {version}")
    if found.by_cri_dockerd and binaries.real("kubelet") and not binaries.real("cri-dockerd"):
        pytest.skip("KUBEBUILDER_ASSETS has no cri-dockerd, and its double speaks no CRI")
    return found


@pytest.fixture(scope="module")
def lab(platform: Platform):
    """Return a lab with one such machine that has had its first highstate, after one that was refused."""
    if reason := host.unable():
        pytest.skip(reason)
    with Lab("runtimes", nodes=1, version=platform.version, suite=platform.suite) as running:
        join(running, platform)
        yield running


def join(lab: Lab, platform: Platform) -> None:
    """Have a machine join on which somebody has left something; `lab.refused` is the first run's answer."""
    [(minion, pillar)], [machine] = lab.pillars().items(), lab.machines
    pillar["runtime"] = {"name": platform.runtime}
    if not platform.is_shipped:
        pillar["binaries"] |= archives_of(lab, platform)
    elif platform.runtime == "containerd":
        pillar["runtime"]["containerd"] = {"version": platform.release}
    if platform.by_cri_dockerd:
        program = lab.master.states / f"kubernetes/v{platform.version}/cri-dockerd"
        pillar["binaries"]["sha256"]["cri-dockerd"] = binaries.sha256(program)
    cluster.write_pillar(lab.master, {minion: pillar})
    for path, text in (THEIRS[platform.runtime], NETWORK):
        machine.run("sh", "-c", f"mkdir -p $(dirname {path}) && cat >{path}", input=text)
    lab.refused = lab.master.salt(minion, "state.highstate")[minion]
    cluster.write_pillar(lab.master, {minion: pillar | {"takeover": True}})
    highstate(lab)


def archives_of(lab: Lab, platform: Platform) -> dict[str, dict[str, str]]:
    """Put a runtime's programs on the master as their projects release them; return what the pillar says."""
    name, folder = platform.runtime, image.ensure(suite=lab.suite) / "usr"
    release, programs = platform.release, [folder / program for program in PROGRAMS[name]]
    if not platform.is_shipped:
        programs = [binaries.real(program.name) for program in programs]
        release = binaries.release(program=name)
    parts = {name: packed(lab, name, release, programs)}
    if name == "containerd":
        parts["runc"] = packed(lab, "runc", "1.1", [folder / "sbin/runc"])
    return parts


def packed(lab: Lab, name: str, release: str, programs: list[Path]) -> dict[str, str]:
    """Put programs on the master in one archive; return what the pillar says."""
    path = lab.master.states / f"{name}-{release}.tgz"
    with tarfile.open(path, "w:gz", compresslevel=1, dereference=True) as tar:
        for program in programs:
            tar.add(program, f"{name}/{program.name}")
    return {"version": release, "source": f"salt://{path.name}", "sha256": binaries.sha256(path)}


@pytest.fixture
def machine(lab) -> Machine:
    """Return the machine."""
    return lab.machines[0]


@contextmanager
def runtime_of(lab, **change: object):
    """Have the pillar say otherwise about the runtime; put it back, and the machine with it."""
    file = lab.master.pillar / "worker-1.sls"
    before = file.read_text()
    pillar = yaml.safe_load(before)
    runtime = pillar["kube_node"]["runtime"]
    name = runtime["name"]
    runtime[name] = {**runtime.get(name, {}), **change}
    file.write_text(yaml.safe_dump(pillar))
    try:
        yield
    finally:
        file.write_text(before)
        highstate(lab)


def started(machine: Machine, unit: str) -> str:
    """Return systemd's invocation id of a unit: another one after each start."""
    return machine.run("systemctl", "show", "--property=InvocationID", "--value", unit).stdout.strip()


def only(platform: Platform, runtime: str) -> None:
    if platform.runtime != runtime:
        pytest.skip(f"a matter of {runtime}")


def forwarding(machine: Machine) -> list[str]:
    """Return the policy and the rules of the chain that passes on what pods send.

    kube-proxy's come last: Docker puts its own before them when it starts.
    """
    rules = machine.run("iptables", "--list-rules", "FORWARD").stdout.splitlines()
    return sorted(rules, key=lambda rule: "KUBE-" in rule)


def test_what_somebody_left_is_refused_before_anything_is_touched(lab, platform):
    [state] = lab.refused.values()
    assert (state["__id__"], state["result"], state["changes"]) == ("preflight-passed", False, {})
    for path in (THEIRS[platform.runtime][0], NETWORK[0]):
        assert path in state["comment"]
    assert "takeover" in state["comment"]


def test_what_is_taken_over_is_kept_for_root_alone(machine, platform):
    for path, text in (THEIRS[platform.runtime], NETWORK):
        assert machine.run("cat", f"/var/lib/kube_node/replaced{path}").stdout == text
    assert machine.run("stat", "--format=%a", "/var/lib/kube_node/replaced").stdout.strip() == "700"
    assert machine.run("ls", "/etc/cni/net.d").stdout.split() == ["10-default.conf"]


def test_the_node_is_ready_with_that_runtime(lab, platform):
    lab.control_plane.kubectl("wait", "--for=condition=Ready", "node", "--all", "--timeout=90s")
    [node] = json.loads(lab.control_plane.kubectl("get", "nodes", "--output=json"))["items"]
    told = node["status"]["nodeInfo"]["containerRuntimeVersion"]
    assert told.startswith(f"{platform.runtime}://{platform.release}")


def test_a_second_run_changes_nothing(lab):
    assert changed(highstate(lab)["worker-1"]) == set()


def test_a_test_run_predicts_nothing(lab):
    assert changed(highstate(lab, "*", "test=True")["worker-1"]) == set()


def test_containerd_runs_as_its_configuration_says(machine, platform):
    only(platform, "containerd")
    asked = machine.run("salt-call", "--out=json", "kube_node_runtime.containerd_faults").stdout
    assert json.loads(asked)["local"] == []
    dump = machine.run("containerd", "config", "dump").stdout
    assert "SystemdCgroup = true" in dump
    assert "/etc/containerd/certs.d" in dump


def test_a_mirror_restarts_nothing_and_goes_as_it_came(lab, machine, platform):
    only(platform, "containerd")
    before = started(machine, "containerd")
    mirror = {"docker.io": {"mirrors": [{"url": "https://mirror.example.org", "capabilities": ["pull"]}]}}
    with runtime_of(lab, registries=mirror):
        assert changed(highstate(lab)["worker-1"]) == {"what-was-there-kept", "registry-docker.io"}
        assert '[host."https://mirror.example.org"]' in machine.run("cat", HOSTS).stdout
    assert machine.run("find", "/etc/containerd/certs.d", "-mindepth", "1").stdout == ""
    assert started(machine, "containerd") == before


def test_a_password_is_roots_alone_and_in_no_answer(lab, machine, platform):
    only(platform, "containerd")
    login = {"registry.example.org:5000": {"username": "puller", "password": PASSWORD}}
    with runtime_of(lab, credentials=login):
        answer = highstate(lab)
        assert changed(answer["worker-1"]) == {"containerd-config", "containerd-service-running"}
        assert "swordfish" not in str(answer)
        mode = machine.run("stat", "--format=%a %U", "/etc/containerd/config.toml").stdout.strip()
        assert mode == "600 root"
        taken = machine.run("containerd", "config", "dump").stdout
        shown = machine.run("salt-call", "kube_node.parameters").stdout
    assert "swordfish" in taken
    assert "puller" in shown
    assert "swordfish" not in shown


def test_a_configuration_that_does_not_take_effect_is_refused(lab, machine, platform):
    """The schema of another release: containerd would read it, and leave out or refuse what it says."""
    only(platform, "containerd")
    if not platform.is_shipped:
        pytest.skip("the archive says which release it is")
    config, before = machine.run("cat", "/etc/containerd/config.toml").stdout, started(machine, "containerd")
    other = "2.3.3" if platform.release.startswith("1.") else "1.7.24"
    pillar = {"kube_node": {"runtime": {"containerd": {"version": other}}}}
    run = ("worker-1", "state.highstate", f"pillar={json.dumps(pillar)}")
    for arguments in (["test=True"], []):
        states = lab.master.salt(*run, *arguments)["worker-1"].values()
        failed = {state["__id__"]: state["comment"] for state in states if state["result"] is False}
        assert failed["containerd-config-understood"].startswith(
            "/etc/containerd/config.toml was left as it is"
        )
    assert machine.run("cat", "/etc/containerd/config.toml").stdout == config
    assert started(machine, "containerd") == before


def test_docker_runs_as_its_configuration_says(machine, platform):
    only(platform, "docker")
    info = json.loads(machine.run("docker", "info", "--format={{json .}}").stdout)
    assert (info["CgroupDriver"], info["LoggingDriver"], info["DockerRootDir"]) == (
        "systemd",
        "json-file",
        "/var/lib/docker",
    )


def test_docker_listens_on_its_socket_alone(machine, platform):
    only(platform, "docker")
    listening = machine.run("ss", "--listening", "--tcp", "--numeric", "--processes", "--no-header").stdout
    assert '"dockerd"' not in listening
    streams = [line.split()[3] for line in listening.splitlines() if "cri-dockerd" in line]
    assert all(address.startswith("127.0.0.1:") for address in streams)
    assert machine.run("ps", "-C", "dockerd", "-o", "args=").stdout.split() == ["/usr/sbin/dockerd"]
    assert machine.run("systemctl", "is-active", "docker.socket", check=False).stdout.strip() == "inactive"


def test_dockers_forwarding_stays_open_by_no_further_rule(lab, machine, platform):
    only(platform, "docker")
    before = forwarding(machine)
    machine.run("iptables", "--policy", "FORWARD", "DROP")  # as Docker does where it turns forwarding on
    machine.run("systemctl", "restart", "docker")
    machine.run("systemctl", "restart", "docker")
    assert before[0] == "-P FORWARD ACCEPT"
    assert forwarding(machine) == before


def test_another_log_size_restarts_docker_alone(lab, machine, platform):
    only(platform, "docker")
    before = {unit: started(machine, unit) for unit in ("containerd", "docker", "kube-proxy")}
    with runtime_of(lab, log_max_size="20m"):
        predicted = changed(highstate(lab, "*", "test=True")["worker-1"])
        assert changed(highstate(lab)["worker-1"]) == predicted == {"docker-config", "docker-service-running"}
    after = {unit: started(machine, unit) for unit in before}
    assert {unit for unit in before if after[unit] != before[unit]} == {"docker"}


def test_images_out_of_an_archive_are_in_docker(lab, machine, platform):
    only(platform, "docker")
    names = ["example.org/tiny:1", "tiny:2"]
    given = {"source": "salt://tiny.tar", "images": names}
    given["sha256"] = archive(lab.master.states / "tiny.tar", *names)
    pillar = f"pillar={json.dumps({'kube_node': {'images': {'archives': [given]}}})}"
    assert changed(highstate(lab, "*", "test=True", pillar)["worker-1"]) == {"images-loaded"}
    for expected in ({"images-loaded"}, set()):
        assert changed(highstate(lab, "*", pillar)["worker-1"]) == expected
    listed = machine.run("docker", "images", "--format={{.Repository}}:{{.Tag}}").stdout.split()
    assert set(names) <= set(listed)


def test_a_runtime_out_of_an_archive_takes_the_place_of_the_package(lab, machine, platform):
    """The last on this machine. Docker's packages are removed first, as if they never had been there."""
    if not ALL:
        pytest.skip("runtimes out of archives are for make test-nodes-all")
    if not platform.is_shipped:
        pytest.skip("it is out of an archive already")
    name, release = platform.runtime, platform.release
    file = lab.master.pillar / "worker-1.sls"
    tree = yaml.safe_load(file.read_text())
    if name == "docker":
        there = machine.run("dpkg-query", "--show", "--showformat=${Package} ", *PACKAGES, check=False).stdout
        machine.run("dpkg", "--remove", *there.split())
    else:
        tree["kube_node"]["runtime"]["containerd"].pop("version")
    tree["kube_node"]["binaries"] |= archives_of(lab, platform)
    file.write_text(yaml.safe_dump(tree))
    predicted = changed(highstate(lab, "*", "test=True")["worker-1"])
    assert changed(highstate(lab)["worker-1"]) == predicted
    assert predicted >= {f"{name}-installed", f"{name}-service-running"}
    process = machine.run("systemctl", "show", "--property=MainPID", "--value", name).stdout.strip()
    runs = machine.run("readlink", f"/proc/{process}/exe").stdout
    assert runs.startswith(f"/opt/kube_node/{name}-{release}/")
    run_a_container(machine, name)
    lab.control_plane.kubectl("wait", "--for=condition=Ready", "node", "--all", "--timeout=90s")
    assert changed(highstate(lab)["worker-1"]) == set()


def run_a_container(machine: Machine, runtime: str) -> None:
    """Have the runtime run a container, where this machine's cgroups let it."""
    if cgroups.is_v1() and machine.suite in image.UNIFIED:
        return
    folder = rootfs(machine)
    if runtime == "docker":
        machine.run("sh", "-c", f"tar -C {folder} -c . | docker import - idle")
        machine.run("docker", "run", "--rm", "--network=none", "idle", "/bin/sleep", "0")
    else:
        machine.run("ctr", "run", "--rm", "--rootfs", folder, "idle", "/bin/sleep", "0")
