"""The names that Go's decoder gives the types of configuration fields, for its messages."""

from __future__ import annotations

from kube_node_versions import Field

from .claim import Claim

KINDS = {"kubelet": "KubeletConfiguration", "kube_proxy": "KubeProxyConfiguration"}
SCHEMES = {
    "kubelet": "pkg/kubelet/apis/config/scheme/scheme.go:33",
    "kube_proxy": "pkg/proxy/apis/config/scheme/scheme.go:29",
}
VERBOSITY = "v1.VerbosityLevel"
#: What a collection holds, by its type in the facts: the Python type and Go's name of it.
INNER: dict[str, tuple[type, str]] = {
    **dict.fromkeys(("list", "ip_list", "cidr_list", "map", "threshold_map"), (str, "string")),
    "int_list": (int, "int32"),
    "bool_map": (bool, "bool"),
    "header_map": (list, "[]string"),
}
_STRUCTS = {
    "authentication": "KubeletAuthentication",
    "authentication.anonymous": "KubeletAnonymousAuthentication",
    "authentication.webhook": "KubeletWebhookAuthentication",
    "authentication.x509": "KubeletX509Authentication",
    "authorization": "KubeletAuthorization",
    "authorization.webhook": "KubeletWebhookAuthorization",
    "crashLoopBackOff": "CrashLoopBackOffConfig",
    "logging": "LoggingConfiguration",
    "logging.options": "FormatOptions",
    "logging.options.json": "JSONOptions",
    "logging.options.text": "TextOptions",
    "logging.vmodule[]": "VModuleItem",
    "memorySwap": "MemorySwapConfiguration",
    "registerWithTaints[]": "Taint",
    "reservedMemory[]": "MemoryReservation",
    "shutdownGracePeriodByPodPriority[]": "ShutdownGracePeriodByPodPriority",
    "tracing": "TracingConfiguration",
    "userNamespaces": "UserNamespaces",
    "clientConnection": "ClientConnectionConfiguration",
    "conntrack": "KubeProxyConntrackConfiguration",
    "detectLocal": "DetectLocalConfiguration",
    "iptables": "KubeProxyIPTablesConfiguration",
    "ipvs": "KubeProxyIPVSConfiguration",
    "nftables": "KubeProxyNFTablesConfiguration",
    "winkernel": "KubeProxyWinkernelConfiguration",
}
_CORE_TYPES = ("Taint", "TracingConfiguration")
#: Strings and lists that have a Go type of their own.
_NAMED = {
    "authorization.mode": "v1beta1.KubeletAuthorizationMode",
    "configMapAndSecretChangeDetectionStrategy": "v1beta1.ResourceChangeDetectionStrategy",
    "detectLocalMode": "v1alpha1.LocalMode",
    "imagePullCredentialsVerificationPolicy": "v1beta1.ImagePullCredentialsVerificationPolicy",
    "logging.vmodule": "v1.VModuleConfiguration",
    "logging.verbosity": VERBOSITY,
    "memoryReservationPolicy": "v1beta1.MemoryReservationPolicy",
    "mode": "v1alpha1.ProxyMode",
}
_64_BITS = (
    "maxOpenFiles",
    "podPidsLimit",
    "shutdownGracePeriodByPodPriority[].shutdownGracePeriodSeconds",
    "userNamespaces.idsPerPod",
)
_NAMES = {
    "bool": "bool",
    "float": "float64",
    **dict.fromkeys(("list", "ip_list", "cidr_list"), "[]string"),
    "int_list": "[]int32",
    **dict.fromkeys(("map", "threshold_map"), "map[string]string"),
    "bool_map": "map[string]bool",
    "header_map": "map[string][]string",
}


def is_object_list(field: Field) -> bool:
    """Whether a field is a list of objects that have fields of their own."""
    return field.type.endswith("_list") and field.type not in INNER


def struct_of(path: str, claim: Claim | None = None) -> str:
    """The Go struct of the object at ``path``, empty for the whole; with a package if ``claim`` is given."""
    name = _STRUCTS.get(path, path)
    if claim is None:
        return name
    package = "v1alpha1" if claim.component == "kube_proxy" else "v1beta1"
    if name in _CORE_TYPES or path.startswith("logging"):
        package = "v1"
    return f"{package}.{name}"


def go_type(field: Field, claim: Claim) -> str:
    """The Go type of a field as encoding/json names it in an error."""
    if field.path in _NAMED:
        return _NAMED[field.path]
    if field.type == "object":
        return struct_of(field.path, claim)
    if is_object_list(field):
        return f"[]{struct_of(f'{field.path}[]', claim)}"
    if field.path == "clientConnection.qps":
        return "float32"
    if field.type == "int":
        return "int64" if field.path in _64_BITS else "int32"
    return _NAMES.get(field.type, "string")
