"""The record of decisions: a line each for people and log collectors, counters for Prometheus."""

from __future__ import annotations

import fcntl
import json
import logging
import os
import re
from collections.abc import Iterable, Mapping
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from kube_node_approver import Settings

log = logging.getLogger(__name__)

KEYS = (
    "cluster",
    "name",
    "uid",
    "signer",
    "requestor",
    "node",
    "minion",
    "verdict",
    "rule",
    "key_sha256",
    "message",
)
_LONGEST = 500
_SAMPLE = re.compile(r"(\w+\{.*\}) (\S+)")
_HEAD = """\
# HELP kube_node_csr_decisions_total Decisions on kubelets' certificate requests.
# TYPE kube_node_csr_decisions_total counter
# HELP kube_node_csr_decision_seconds Time from a request's creation to its decision.
# TYPE kube_node_csr_decision_seconds summary
"""


def record(decisions: Iterable[Mapping[str, Any]], settings: Settings, opts: Mapping[str, Any]) -> None:
    """Put decisions into the master's own log, the audit log and the counters.

    Args:
        decisions: as `kubelet_csr_pass.describe` returns them.
        settings: the approver's.
        opts: the master's configuration.
    """
    decisions, now = list(decisions), datetime.now(timezone.utc)
    for decision in decisions:
        log.info("kube_node: %(verdict)s %(name)r of %(cluster)s: %(rule)s: %(message)s", decision)
    try:
        append(path(settings, opts), "".join(line(one, now) for one in decisions))
        if settings.metrics_file:
            count(Path(settings.metrics_file), decisions, now)
    except OSError as error:  # a full disk keeps no node out: the decisions stand in the master's own log
        log.error("kube_node: decisions could not be recorded: %s", error)


def path(settings: Settings, opts: Mapping[str, Any]) -> Path:
    """Return where the audit log is: beside the master's own, unless the settings say otherwise."""
    return Path(settings.audit_log or Path(opts["log_file"]).with_name("kube_node_audit.log"))


def line(decision: Mapping[str, Any], now: datetime) -> str:
    """Return a decision as one line of JSON in ASCII; what a requestor chose is escaped and cut."""
    record = {"time": now.isoformat(timespec="milliseconds")}
    record |= {key: _cut(decision.get(key)) for key in KEYS}
    return json.dumps(record) + "\n"


def append(path: Path, text: str) -> None:
    """Append to a log that its owner alone may read."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600), "w") as file:
        file.write(text)


def read(path: Path, last: int) -> list[dict[str, Any]]:
    """Return the last decisions of a log; a line that broke off, as at a full disk, is left out."""
    if not path.exists():
        return []
    found = []
    for text in path.read_text().splitlines()[-last:]:
        try:
            found.append(json.loads(text))
        except ValueError:
            continue
    return found


def count(path: Path, decisions: Iterable[Mapping[str, Any]], now: datetime) -> None:
    """Add decisions to the counters in a file for Prometheus' textfile collector."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.with_suffix(".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # several clusters' workers count in the same file
        samples = _samples(path)
        for decision in decisions:
            for name, value in _of(decision, now).items():
                samples[name] = samples.get(name, 0) + value
        text = _HEAD + "".join(f"{name} {value:.15g}\n" for name, value in sorted(samples.items()))
        fresh = path.with_suffix(".new")  # the collector reads *.prom alone, and never half a file
        fresh.write_text(text)
        fresh.chmod(0o644)
        fresh.replace(path)


def _samples(path: Path) -> dict[str, float]:
    lines = path.read_text().splitlines() if path.exists() else []
    return {found[1]: float(found[2]) for found in map(_SAMPLE.fullmatch, lines) if found}


def _of(decision: Mapping[str, Any], now: datetime) -> dict[str, float]:
    cluster, verdict = decision["cluster"], decision["verdict"]
    labels = f'cluster="{cluster}",verdict="{verdict}"'
    samples = {f'kube_node_csr_decisions_total{{{labels},rule="{decision["rule"]}"}}': 1.0}
    if verdict != "ignore" and (created := _moment(decision.get("created"))):
        samples[f"kube_node_csr_decision_seconds_sum{{{labels}}}"] = max(0.0, (now - created).total_seconds())
        samples[f"kube_node_csr_decision_seconds_count{{{labels}}}"] = 1.0
    return samples


def _moment(text: Any) -> datetime | None:
    try:
        return datetime.fromisoformat(str(text).replace("Z", "+00:00"))
    except ValueError:
        return None


def _cut(value: Any) -> Any:
    return value if value is None else str(value)[:_LONGEST]
