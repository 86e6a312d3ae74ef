"""What the beacon costs a minion: one look at a kubelet, in a warm process; wanted is less than 1 ms.

`make -s bench-beacon` prints a table in microseconds; its last line is one JSON object. The look goes through
Salt's own loader, as in a minion. cpu is the processor's time, on average. Salt asks `validate` each second,
whatever the interval; `turn` is all that its loop does when the interval is over.
"""

from __future__ import annotations

import json
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT / "tests"), str(ROOT / "_utils")]

import salt.beacons  # noqa: E402
import salt.config  # noqa: E402
import salt.loader  # noqa: E402
from unit.certificates import DAY, write  # noqa: E402
from unit.nodes import compiled  # noqa: E402

LOOKS = 5000


def minion(root: Path) -> salt.beacons.Beacon:
    """Return the beacons of a minion whose every file lies below `root`."""
    opts = salt.config.DEFAULT_MINION_OPTS.copy() | {
        "id": "worker-1",
        "root_dir": str(root),
        "cachedir": str(root / "cache"),
        "extension_modules": str(root / "extmods"),
        "conf_file": str(root / "minion"),
        "file_client": "local",
        "grains": {},
        "beacons_dirs": [str(ROOT / "_beacons")],
        "utils_dirs": [str(ROOT / "_utils")],
    }
    return salt.beacons.Beacon(opts, salt.loader.minion_mods(opts, utils=salt.loader.utils(opts)))


def start_kubelet(beacons: salt.beacons.Beacon, root: Path) -> None:
    """Have systemd's link below `root` say that a kubelet runs."""
    module = sys.modules[beacons.beacons["kube_node.beacon"].__module__]
    systemd = sys.modules[module._loaded["utils"]["kube_node_systemd.invocation"].__module__]
    systemd.UNITS = str(root / "units")
    (root / "units").mkdir()
    (root / "units/invocation:kubelet.service").symlink_to("84e297bd17e346859fb3cc5a885a6762")


def measure(look: Callable[[], Any], looks: int = LOOKS) -> tuple[float, float, float]:
    """Return the median, the 95th percentile and the processor's time of a look, each in microseconds."""
    look()
    times = []
    used = time.process_time()
    for _ in range(looks):
        began = time.perf_counter()
        look()
        times.append((time.perf_counter() - began) * 1e6)
    used = (time.process_time() - used) / looks * 1e6
    return statistics.median(times), statistics.quantiles(times, n=20)[18], used


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        beacons = minion(root)
        start_kubelet(beacons, root)
        node = compiled({"paths": {"kubelet": str(root / "kubelet")}})
        config, paths = node["kubelet"]["beacon"], node["kubelet"]["certificates"]
        for path in paths:
            write(path, time.time() - DAY, time.time() + 10 * DAY)
        look, validate = beacons.beacons["kube_node.beacon"], beacons.beacons["kube_node.validate"]
        settings = [part for part in config if "interval" not in part]
        rows = {
            "look": measure(lambda: look(settings)),
            "validate": measure(lambda: validate(config)),
            "turn": measure(lambda: beacons.process({"kube_node": list(settings)}, {})),
        }
        Path(paths[0]).unlink()
        rows["look_while_waiting"] = measure(lambda: look(settings))
    print(f"{'':20}{'p50':>9}{'p95':>9}{'cpu':>9}")
    for name, row in rows.items():
        print(f"{name:20}" + "".join(f"{number:6.0f} µs" for number in row))
    keys = ("p50", "p95", "cpu")
    print(
        json.dumps(
            {
                f"{name}_us_{key}": round(number, 1)
                for name, row in rows.items()
                for key, number in zip(keys, row, strict=True)
            }
        )
    )


if __name__ == "__main__":
    main()
