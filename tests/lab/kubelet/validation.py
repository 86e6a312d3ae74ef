"""What ValidateKubeletConfiguration refuses, with its messages, as far as it matters to a node.

Source: pkg/kubelet/apis/config/validation/{validation,validation_linux}.go of 1.10 to 1.36. Up to 1.20 the
messages begin a field's name with a capital.
"""

from __future__ import annotations

from collections.abc import Iterator

from lab.component import host
from lab.component.go_values import duration_text, parse_duration
from lab.component.klog import quote

from . import choices, reservations
from .settings import Settings

_HEAD = "invalid configuration: "
#: Fields that must not be negative, with their flags.
_NOT_NEGATIVE = {
    "eventBurst": "event-burst",
    "eventRecordQPS": "event-qps",
    "kubeAPIBurst": "kube-api-burst",
    "kubeAPIQPS": "kube-api-qps",
    "maxOpenFiles": "max-open-files",
    "maxPods": "max-pods",
    "podsPerCore": "pods-per-core",
    "registryBurst": "registry-burst",
    "registryPullQPS": "registry-qps",
}
#: Fields with a range: flag, least, most, the least that the message names.
_RANGES = {
    "healthzPort": ("healthz-port", 0, 65535, 1),
    "imageGCHighThresholdPercent": ("image-gc-high-threshold", 0, 100, 0),
    "imageGCLowThresholdPercent": ("image-gc-low-threshold", 0, 100, 0),
    "iptablesDropBit": ("iptables-drop-bit", 0, 31, 0),
    "iptablesMasqueradeBit": ("iptables-masquerade-bit", 0, 31, 0),
    "port": ("port", 1, 65535, 1),
    "readOnlyPort": ("read-only-port", 0, 65535, 0),
}
SECOND = 10**9
_EFFECTS = ("NoSchedule", "PreferNoSchedule", "NoExecute")


def faults(settings: Settings) -> list[str]:
    """Every fault that the real one finds, in its order."""
    found = [
        *_lease(settings),
        *_numbers(settings),
        *_cpu_period(settings),
        *_images(settings),
        *_certificates(settings),
        *_taints(settings),
        *_topology(settings),
        *_shutdown(settings),
        *reservations.faults(settings),
        *choices.faults(settings),
        *reservations.cpu_faults(settings),
        *_machine(settings),
        *_memory(settings),
        *_runtime_and_logs(settings),
    ]
    if settings.claim.since("1.21"):
        return found
    return [_capitalised(fault) for fault in found]


def _capitalised(fault: str) -> str:
    if not fault.startswith(_HEAD):
        return fault
    rest = fault.removeprefix(_HEAD)
    return _HEAD + rest if rest.startswith("option") else _HEAD + rest[0].upper() + rest[1:]


def _lease(settings: Settings) -> Iterator[str]:
    if settings["nodeLeaseDurationSeconds"] <= 0 and settings.claim.since("1.12"):
        yield f"{_HEAD}nodeLeaseDurationSeconds must be greater than 0"
    if settings["systemCgroups"] and not settings["cgroupRoot"]:
        yield (
            f"{_HEAD}systemCgroups (--system-cgroups) was specified and cgroupRoot (--cgroup-root) was not "
            "specified"
        )


def _numbers(settings: Settings) -> Iterator[str]:
    for field, flag in _NOT_NEGATIVE.items():
        if (settings[field] or 0) < 0:
            yield f"{_HEAD}{field} (--{flag}) {settings[field]} must not be a negative number"
    for field, (flag, least, most, named) in _RANGES.items():
        value = settings[field] or 0
        if not least <= value <= most:
            yield f"{_HEAD}{field} (--{flag}) {value} must be between {named} and {most}, inclusive"
    score = settings["oomScoreAdj"]
    if not -1000 <= score <= 1000:
        yield f"{_HEAD}oomScoreAdj (--oom-score-adj) {score} must be between -1000 and 1000, inclusive"
    if settings["nodeStatusMaxImages"] < -1:
        count = settings["nodeStatusMaxImages"]
        yield f"{_HEAD}nodeStatusMaxImages (--node-status-max-images) {count} must be -1 or greater"


def _cpu_period(settings: Settings) -> Iterator[str]:
    period = parse_duration(settings["cpuCFSQuotaPeriod"])
    if settings.claim.since("1.20") and not SECOND // 1000 <= period <= SECOND:
        yield (
            f"{_HEAD}cpuCFSQuotaPeriod (--cpu-cfs-quota-period) {{{duration_text(period)}}} must be between "
            "1ms and 1sec, inclusive"
        )


def _images(settings: Settings) -> Iterator[str]:
    low, high = settings["imageGCLowThresholdPercent"], settings["imageGCHighThresholdPercent"]
    if low >= high:
        yield (
            f"{_HEAD}imageGCLowThresholdPercent (--image-gc-low-threshold) {low} must be less than "
            f"imageGCHighThresholdPercent (--image-gc-high-threshold) {high}"
        )
    oldest, youngest = (parse_duration(settings[f"image{end}GCAge"] or "0") for end in ("Maximum", "Minimum"))
    for end, age in (("Minimum", youngest), ("Maximum", oldest)):
        if age < 0:
            yield f"{_HEAD}image{end}GCAge {duration_text(age)} must not be negative"
    if 0 < oldest <= youngest:
        yield (
            f"{_HEAD}imageMaximumGCAge {duration_text(oldest)} must be greater than "
            f"imageMinimumGCAge {duration_text(youngest)}"
        )
    parallel, serial = settings["maxParallelImagePulls"], settings["serializeImagePulls"]
    if parallel is not None and parallel < 1:
        yield f"{_HEAD}maxParallelImagePulls {parallel} must be a positive number"
    if serial and (parallel or 0) > 1:
        yield (
            f"{_HEAD}maxParallelImagePulls cannot be larger than 1 unless SerializeImagePulls "
            "(--serialize-image-pulls) is set to false"
        )


def _certificates(settings: Settings) -> Iterator[str]:
    if settings["serverTLSBootstrap"] and not settings.gate("RotateKubeletServerCertificate"):
        yield f"{_HEAD}serverTLSBootstrap true requires feature gate RotateKubeletServerCertificate"
    if settings["runOnce"] and settings.claim.since("1.32"):
        yield f"{_HEAD}runOnce (--runOnce) true, Runonce mode has been deprecated and should not be set"


def _taints(settings: Settings) -> Iterator[str]:
    for taint in settings["registerWithTaints"] or ():
        if not taint.get("key") or taint.get("effect") not in _EFFECTS:
            shown = f"{taint.get('key', '')} {taint.get('value', '')} {taint.get('effect', '')} <nil>"
            yield f"invalid taint: {{{shown}}}"
        if taint.get("timeAdded"):
            yield f"{_HEAD}taint.TimeAdded is not nil"


def _topology(settings: Settings) -> Iterator[str]:
    for field, flag in (
        ("topologyManagerPolicy", "topology-manager-policy"),
        ("topologyManagerScope", "topology-manager-scope"),
    ):
        known = settings.claim.fields.get(field)
        if known and settings[field] not in known.values:
            listed = f"[{' '.join(map(quote, known.values))}]"
            if field == "topologyManagerScope":
                listed = ", or ".join(map(quote, known.values))
            yield f"{_HEAD}{field} (--{flag}) {quote(settings[field])} must be one of: {listed}"


def _shutdown(settings: Settings) -> Iterator[str]:
    whole, critical = (
        parse_duration(settings[field] or "0")
        for field in ("shutdownGracePeriod", "shutdownGracePeriodCriticalPods")
    )
    if critical > whole:
        yield (
            f"{_HEAD}shutdownGracePeriodCriticalPods {{{duration_text(critical)}}} must be <= "
            f"shutdownGracePeriod {{{duration_text(whole)}}}"
        )
    for field, span in (("shutdownGracePeriod", whole), ("shutdownGracePeriodCriticalPods", critical)):
        if span < 0 or 0 < span < SECOND:
            yield f"{_HEAD}{field} {{{duration_text(span)}}} must be either zero or otherwise >= 1 sec"
    if settings["shutdownGracePeriodByPodPriority"] and (whole or critical):
        yield (
            f"{_HEAD}Cannot specify both shutdownGracePeriodByPodPriority and shutdownGracePeriod at the "
            "same time"
        )


def _machine(settings: Settings) -> Iterator[str]:
    if host.cgroup_v2():
        return
    if settings["failCgroupV1"] and settings.claim.since("1.31"):
        unsupported = "is unsupported and will be removed in a future release"
        state = unsupported if settings.claim.since("1.35") else "is in maintenance mode"
        yield f"kubelet is configured to not run on a host using cgroup v1. cgroup v1 support {state}"
    elif settings["singleProcessOOMKill"] is False:
        yield f"{_HEAD}singleProcessOOMKill must not be explicitly set to false when using cgroup v1"


def _memory(settings: Settings) -> Iterator[str]:
    factor = settings["memoryThrottlingFactor"]
    if factor is not None and not 0 < factor <= 1:
        yield f"{_HEAD}memoryThrottlingFactor {factor} must be greater than 0 and less than or equal to 1.0"
    yield from choices.memory_faults(settings)


def _runtime_and_logs(settings: Settings) -> Iterator[str]:
    claim = settings.claim
    if claim.since("1.27") and not settings["containerRuntimeEndpoint"]:
        yield f"{_HEAD}the containerRuntimeEndpoint was not specified or empty"
    if claim.since("1.30"):
        if settings["containerLogMaxWorkers"] < 1:
            yield f"{_HEAD}containerLogMaxWorkers must be greater than or equal to 1"
        if settings.seconds("containerLogMonitorInterval") < 3:
            yield (
                f"{_HEAD}containerLogMonitorInterval must be a positive time duration greater than or equal "
                "to 3s"
            )
    if claim.since("1.33") and settings["containerLogMaxFiles"] <= 1:
        yield f"{_HEAD}containerLogMaxFiles must be greater than 1"
    if claim.since("1.30") and not settings["podLogsDir"].startswith("/"):
        yield f"{_HEAD}pod logs path {quote(settings['podLogsDir'])} must be absolute path"
