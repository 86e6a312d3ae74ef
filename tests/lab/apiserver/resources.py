"""Which kinds the server knows: those built in, by Kubernetes minor, and custom ones."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Resource:
    """One kind of object and how the real API server treats it."""

    group: str
    versions: tuple[str, ...]
    plural: str
    kind: str
    namespaced: bool = False
    short_names: tuple[str, ...] = ()
    subresources: tuple[str, ...] = ()
    #: A PUT to a name that does not exist creates it (`AllowCreateOnUpdate`).
    create_on_update: bool = False
    #: A PUT without resourceVersion overwrites (`AllowUnconditionalUpdate`).
    unconditional_update: bool = True
    #: Names are path segments (`system:node`), not RFC 1123 subdomains.
    any_name: bool = False
    custom: bool = False

    @property
    def key(self) -> tuple[str, str]:
        return self.group, self.plural

    @property
    def qualified(self) -> str:
        """The name in messages: `certificatesigningrequests.certificates.k8s.io`."""
        return f"{self.plural}.{self.group}" if self.group else self.plural

    def api_version(self, version: str) -> str:
        return f"{self.group}/{version}" if self.group else version


#: Versions of a group, each with its first and last minor; a group that is not here has had v1 all along.
_VERSIONS = {
    "certificates.k8s.io": {"v1": (19, 99), "v1beta1": (0, 21)},
    "coordination.k8s.io": {"v1": (14, 99), "v1beta1": (12, 21)},
    "discovery.k8s.io": {"v1": (21, 99), "v1beta1": (17, 24)},
    "events.k8s.io": {"v1": (19, 99)},
    "node.k8s.io": {"v1": (20, 99)},
    "policy": {"v1": (21, 99), "v1beta1": (0, 24)},
    "scheduling.k8s.io": {"v1": (14, 99)},
}
#: Kinds whose versions are not those of their group.
_VERSIONS_OF = {
    ("extensions", "podsecuritypolicies"): {"v1beta1": (0, 15)},
    ("policy", "podsecuritypolicies"): {"v1beta1": (10, 24)},
}
_CREATE, _CONDITIONAL, _ANY_NAME = (
    {"create_on_update": True},
    {"unconditional_update": False},
    {"any_name": True},
)
_RULES = {
    "endpoints": _CREATE,
    "events": _CREATE,
    "services": _CREATE,
    "leases": _CREATE | _CONDITIONAL,
    "customresourcedefinitions": _CONDITIONAL,
    "certificatesigningrequests": _ANY_NAME,
    "clusterroles": _CREATE | _ANY_NAME,
    "clusterrolebindings": _CREATE | _ANY_NAME,
    "roles": _CREATE | _ANY_NAME,
    "rolebindings": _CREATE | _ANY_NAME,
}
# group, plural, kind, n(amespaced), short names, subresources
_BUILT_IN = """
-                          configmaps                  ConfigMap                  n  cm        -
-                          endpoints                   Endpoints                  n  ep        -
-                          events                      Event                      n  ev        -
-                          limitranges                 LimitRange                 n  limits    -
-                          namespaces                  Namespace                  -  ns        status
-                          nodes                       Node                       -  no        status
-                          persistentvolumeclaims      PersistentVolumeClaim      n  pvc       status
-                          persistentvolumes           PersistentVolume           -  pv        status
-                          pods                        Pod                        n  po        status
-                          resourcequotas              ResourceQuota              n  quota     status
-                          secrets                     Secret                     n  -         -
-                          serviceaccounts             ServiceAccount             n  sa        -
-                          services                    Service                    n  svc       status
apiextensions.k8s.io       customresourcedefinitions   CustomResourceDefinition   -  crd,crds  status
apps                       daemonsets                  DaemonSet                  n  ds        status
apps                       deployments                 Deployment                 n  deploy    status
apps                       replicasets                 ReplicaSet                 n  rs        status
apps                       statefulsets                StatefulSet                n  sts       status
batch                      jobs                        Job                        n  -         status
certificates.k8s.io        certificatesigningrequests  CertificateSigningRequest  -  csr       approval,status
coordination.k8s.io        leases                      Lease                      n  -         -
discovery.k8s.io           endpointslices              EndpointSlice              n  -         -
networking.k8s.io          networkpolicies             NetworkPolicy              n  netpol    -
events.k8s.io              events                      Event                      n  ev        -
networking.k8s.io          servicecidrs                ServiceCIDR                -  -         status
node.k8s.io                runtimeclasses              RuntimeClass               -  -         -
extensions                 podsecuritypolicies         PodSecurityPolicy          -  psp       -
policy                     podsecuritypolicies         PodSecurityPolicy          -  psp       -
policy                     poddisruptionbudgets        PodDisruptionBudget        n  pdb       status
rbac.authorization.k8s.io  clusterrolebindings         ClusterRoleBinding         -  -         -
rbac.authorization.k8s.io  clusterroles                ClusterRole                -  -         -
rbac.authorization.k8s.io  rolebindings                RoleBinding                n  -         -
rbac.authorization.k8s.io  roles                       Role                       n  -         -
scheduling.k8s.io          priorityclasses             PriorityClass              -  pc        -
storage.k8s.io             csidrivers                  CSIDriver                  -  -         -
storage.k8s.io             csinodes                    CSINode                    -  -         -
storage.k8s.io             storageclasses              StorageClass               -  sc        -
"""


class Catalog:
    """The kinds served now, by group and plural."""

    def __init__(self, minor: int) -> None:
        self._by_key = {resource.key: resource for resource in _built_in(minor)}

    def find(self, group: str, plural: str) -> Resource | None:
        return self._by_key.get((group, plural))

    def get(self, group: str, plural: str) -> Resource:
        return self._by_key[group, plural]

    def groups(self) -> dict[str, dict[str, list[Resource]]]:
        """Return group → version → resources, groups in the order they became known."""
        groups: dict[str, dict[str, list[Resource]]] = {}
        for resource in self._by_key.values():
            for version in resource.versions:
                groups.setdefault(resource.group, {}).setdefault(version, []).append(resource)
        return groups

    def define(self, definition: dict[str, Any]) -> None:
        """Serve the kind that a CustomResourceDefinition describes."""
        resource = _custom(definition)
        self._by_key[resource.key] = resource

    def forget(self, definition: dict[str, Any]) -> None:
        self._by_key.pop(_custom(definition).key, None)


def _built_in(minor: int) -> Iterator[Resource]:
    for line in _BUILT_IN.strip().splitlines():
        group, plural, kind, scope, short, subresources = (
            "" if word == "-" else word for word in line.split()
        )
        lifetimes = _VERSIONS_OF.get((group, plural)) or _VERSIONS.get(group, {"v1": (0, 99)})
        versions = tuple(name for name, (since, until) in lifetimes.items() if since <= minor <= until)
        names = tuple(short.split(",")) if short else ()
        parts = tuple(subresources.split(",")) if subresources else ()
        if versions:
            yield Resource(
                group, versions, plural, kind, scope == "n", names, parts, **_RULES.get(plural, {})
            )


def _custom(definition: dict[str, Any]) -> Resource:
    spec = definition["spec"]
    served = [version for version in spec["versions"] if version.get("served")]
    served.sort(key=lambda version: not version.get("storage"))
    return Resource(
        spec["group"],
        tuple(version["name"] for version in served),
        spec["names"]["plural"],
        spec["names"]["kind"],
        spec.get("scope") == "Namespaced",
        tuple(spec["names"].get("shortNames", ())),
        ("status",) if any("status" in version.get("subresources", {}) for version in served) else (),
        unconditional_update=False,
        custom=True,
    )
