"""Manifests of the network for tests: flannel's as it is rendered, and one that is built as calico's is.

`CALICO` is not calico's manifest: it has the objects and fields that the formula changes, in the places where
calico 3.30 has them, and nothing else.
"""

from __future__ import annotations

from typing import Any

import kube_node_flannel as flannel
import kube_node_manifest as manifest

from unit.nodes import ROOT, compiled, sources

TEMPLATE = (ROOT / flannel.TEMPLATE).read_text()
# So that every minor has a runtime.
DOCKER = {"runtime": {"name": "docker"}, "binaries": {"sha256": {"cri-dockerd": "c" * 64}}}


def node(version: str = "1.36.2", **network: Any) -> dict[str, Any]:
    """Return the parameters of a node with a network."""
    return compiled({**DOCKER, "version": version, "network": network})


def of_flannel(version: str = "1.36.2", network: dict[str, Any] | None = None) -> list[manifest.Object]:
    """Return flannel's objects for an API server of a version."""
    tree = node(version, plugin="flannel", **(network or {}))
    return flannel.objects(tree, sources()["facts"], ".".join(version.split(".")[:2]), TEMPLATE)


def calico() -> list[manifest.Object]:
    """Return the objects of a manifest that is built as calico's is."""
    return manifest.parse(CALICO, "calico.yaml")


def operator() -> list[manifest.Object]:
    """Return those of one that is built as the operator's is."""
    return manifest.parse(OPERATOR, "tigera-operator.yaml")


CALICO = """
apiVersion: v1
kind: ServiceAccount
metadata: {name: calico-node, namespace: kube-system}
---
apiVersion: v1
kind: ConfigMap
metadata: {name: calico-config, namespace: kube-system}
data:
  calico_backend: bird
  veth_mtu: "0"
  typha_service_name: none
---
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: ippools.crd.projectcalico.org}
spec:
  group: crd.projectcalico.org
  names: {kind: IPPool, listKind: IPPoolList, plural: ippools, singular: ippool}
  scope: Cluster
  versions:
    - name: v1
      served: true
      storage: true
      schema:
        openAPIV3Schema: {type: object, x-kubernetes-preserve-unknown-fields: true}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRole
metadata: {name: calico-node}
rules:
  - apiGroups: [""]
    resources: [nodes, pods, namespaces]
    verbs: [get]
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRoleBinding
metadata: {name: calico-node}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: calico-node}
subjects: [{kind: ServiceAccount, name: calico-node, namespace: kube-system}]
---
apiVersion: apps/v1
kind: DaemonSet
metadata: {name: calico-node, namespace: kube-system, labels: {k8s-app: calico-node}}
spec:
  selector: {matchLabels: {k8s-app: calico-node}}
  template:
    metadata: {labels: {k8s-app: calico-node}}
    spec:
      hostNetwork: true
      serviceAccountName: calico-node
      initContainers:
        - name: install-cni
          image: docker.io/calico/cni:v3.30.0
          env:
            - {name: CNI_CONF_NAME, value: 10-calico.conflist}
          volumeMounts:
            - {name: cni-bin-dir, mountPath: /host/opt/cni/bin}
            - {name: cni-net-dir, mountPath: /host/etc/cni/net.d}
      containers:
        - name: calico-node
          image: docker.io/calico/node:v3.30.0
          env:
            - name: CALICO_NETWORKING_BACKEND
              valueFrom: {configMapKeyRef: {name: calico-config, key: calico_backend}}
            - {name: CALICO_IPV4POOL_IPIP, value: Always}
            - {name: CALICO_IPV4POOL_VXLAN, value: Never}
          livenessProbe:
            exec: {command: [/bin/calico-node, -felix-live, -bird-live]}
          readinessProbe:
            exec: {command: [/bin/calico-node, -felix-ready, -bird-ready]}
      volumes:
        - {name: cni-bin-dir, hostPath: {path: /opt/cni/bin}}
        - {name: cni-net-dir, hostPath: {path: /etc/cni/net.d}}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: calico-kube-controllers, namespace: kube-system}
spec:
  replicas: 1
  selector: {matchLabels: {k8s-app: calico-kube-controllers}}
  template:
    metadata: {labels: {k8s-app: calico-kube-controllers}}
    spec:
      containers:
        - {name: calico-kube-controllers, image: "docker.io/calico/kube-controllers:v3.30.0"}
"""

OPERATOR = """
apiVersion: v1
kind: Namespace
metadata: {name: tigera-operator}
---
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: installations.operator.tigera.io}
spec:
  group: operator.tigera.io
  names: {kind: Installation, listKind: InstallationList, plural: installations, singular: installation}
  scope: Cluster
  versions:
    - name: v1
      served: true
      storage: true
      schema:
        openAPIV3Schema: {type: object, x-kubernetes-preserve-unknown-fields: true}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: tigera-operator, namespace: tigera-operator}
spec:
  replicas: 1
  selector: {matchLabels: {name: tigera-operator}}
  template:
    metadata: {labels: {name: tigera-operator}}
    spec:
      containers:
        - {name: tigera-operator, image: "quay.io/tigera/operator:v1.38.0"}
"""
