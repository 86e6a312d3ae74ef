"""A pillar that cannot be used stops the run before anything is touched, and says what to do."""

from __future__ import annotations

import pytest
import yaml

from nodes.conftest import invocations

# All that the formula keeps on a machine.
KEPT = (
    "/etc/kubernetes /etc/systemd/system /etc/containerd /etc/cni /etc/sysctl.d"
    " /opt/kube_node /usr/local/bin /var/lib/kubelet/config.yaml"
)


@pytest.fixture
def refused(lab):
    """Return a function that gives the second machine another pillar and returns what its highstate said."""
    machine = lab.machines[1]
    file = lab.master.pillar / f"{machine.minion_id}.sls"
    original = file.read_text()

    def run(pillar: dict) -> str:
        before = invocations(machine), _listing(machine)
        file.write_text(yaml.safe_dump(pillar))
        answer = lab.master.salt(machine.minion_id, "state.highstate")[machine.minion_id]
        assert (invocations(machine), _listing(machine)) == before
        if isinstance(answer, list):
            return "\n".join(answer)
        ran = [state for state in answer.values() if state["result"] is not None or state["changes"]]
        assert {state["__id__"] for state in ran if state["changes"]} == set()
        return "\n".join(state["comment"] for state in answer.values() if state["result"] is False)

    yield run
    file.write_text(original)


def _pillar(lab) -> dict:
    return {"kube_node": lab.pillars()[lab.machines[1].minion_id]}


def test_pillar_without_the_formulas_tree_is_refused(refused):
    assert "kube_node: the pillar has no such tree, write it as pillar.example shows" in refused({"other": 1})


def test_unknown_key_is_refused_with_the_nearest_known_one(lab, refused):
    pillar = _pillar(lab)
    pillar["kube_node"]["clutser"] = {}
    assert "clutser: is not a known key, did you mean cluster?" in refused(pillar)


def test_missing_api_server_is_refused(lab, refused):
    pillar = _pillar(lab)
    del pillar["kube_node"]["cluster"]["api_server"]
    assert "cluster.api_server: is missing, write the API server's URL, https://HOST:PORT" in refused(pillar)


def test_wrong_checksum_is_refused(lab, refused):
    pillar = _pillar(lab)
    pillar["kube_node"]["version"] = "1.36.3"
    pillar["kube_node"]["binaries"]["sha256"]["kubelet"] = "0a" * 32
    said = refused(pillar)
    assert said.startswith("Nothing was touched:")
    assert (
        f"binaries.sha256.kubelet: {'0a' * 32} is not the digest of salt://kubernetes/v{lab.version}/kubelet"
        in said
    )


def _listing(machine) -> str:
    """Return each file that the formula keeps with its digest."""
    return machine.run(
        "sh", "-c", f"find {KEPT} -xdev -type f -exec sha256sum {{}} + -o -type l -exec ls -l {{}} +"
    ).stdout
