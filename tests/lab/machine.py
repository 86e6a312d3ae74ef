"""A node in a box: a machine with systemd as PID 1 and a salt-minion, in systemd-nspawn over an overlay.

Its overlay is mounted in a mount namespace of its own: nothing of a machine but its folder outlives its
processes, whatever ended them.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import uuid
from dataclasses import dataclass, field
from pathlib import Path

from lab import cgroups, image, network, waiting
from lab.network import Network

BOOT_SECONDS = 90
STOP_SECONDS = 60
TIDY_SECONDS = 5
SCREEN = {
    "PATH": "/opt/salt/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
    "HOME": "/root",
}
# What a node keeps on an ordinary folder: their own overlays refuse to lie over ours.
ORDINARY = ("containerd", "docker")
OWN_MOUNTS = ("unshare", "--mount", "--propagation", "slave", "--")

# Enters the cgroups named before `--`, mounts the overlay, and runs systemd-nspawn for as long as the machine
# asks for a reboot (133, RestartForceExitStatus= of systemd-nspawn@.service).
LAUNCH = """
set -u
while [ "$1" != -- ]; do echo $$ >"$1/cgroup.procs" || exit; shift; done
mount -t overlay overlay -o "$2" "$3" || exit
shift 3
while "$@"; [ $? = 133 ]; do :; done
"""

MINION = """
id: {minion_id}
master: {master}
# A key that takes seconds to make would be most of a machine's boot.
keysize: 2048
acceptance_wait_time: 1
random_reauth_delay: 1
recon_default: 100
recon_max: 1000
"""


class MachineError(RuntimeError):
    """A machine did not do what it was told; the message says which and where its log is."""


@dataclass
class Machine:
    """One node of the lab.

    Args:
        minion_id: Its minion id and host name.
        address: Its IPv4 address on the lab's bridge.
        directory: Where its overlay over the node image, its log and container storage lie.
        network: The lab's network.
        suite: Its Debian, one of `image.SUITES`.
    """

    minion_id: str
    address: str
    directory: Path
    network: Network
    suite: str = image.SUITE
    _process: subprocess.Popen | None = field(default=None, init=False, repr=False)

    @property
    def name(self) -> str:
        """Its name among this machine's containers."""
        return f"{self.network.name}-{self.minion_id}"

    @property
    def console(self) -> Path:
        """What its systemd printed while it booted."""
        return self.directory / "console.log"

    @property
    def has_cgroup_v1(self) -> bool:
        """Whether its controllers sit on cgroup v1."""
        return cgroups.is_v1() and self.suite not in image.UNIFIED

    @property
    def root(self) -> Path:
        """Its file system, seen from outside while it runs."""
        return Path(f"/proc/{self.leader()}/root")

    def start(self) -> None:
        """Boots it, and returns when systemd says that it is up.

        Raises:
            MachineError: It did not come up in time.
        """
        if not (self.directory / "upper").exists():
            self._prepare()
        launch = ["sh", "-c", LAUNCH, "sh", *self._groups(), "--", *self._overlay(), *self._nspawn()]
        with self.console.open("ab") as console:
            self._process = subprocess.Popen(
                self.network.command(*OWN_MOUNTS, *launch),
                stdin=subprocess.DEVNULL,
                stdout=console,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                env={**os.environ, **self._settings()},
            )
        try:
            waiting.until(self._is_up, f"{self.minion_id} booting", BOOT_SECONDS)
        except waiting.TimedOut as error:
            raise MachineError(f"{error}; see {self.console}") from error

    def stop(self) -> None:
        """Powers it off as a power button does, and returns when it is off."""
        supervisor = self._supervisor()
        if supervisor is None:
            return
        os.kill(supervisor, signal.SIGTERM)
        waiting.until(lambda: not self.processes(), f"{self.minion_id} powering off", STOP_SECONDS)
        self._reap()

    def destroy(self) -> None:
        """Ends it at once and takes everything of it away; fine when nothing of it is left."""
        if self._supervisor():
            self._pull_the_plug()
        network.end(self.processes)
        self._reap()
        recorded = self.directory / "cgroups"
        if recorded.exists():
            cgroups.remove([Path(line) for line in recorded.read_text().splitlines()])
        for leftover in ("propagate", "unix-export"):
            shutil.rmtree(Path("/run/systemd/nspawn", leftover, self.name), ignore_errors=True)
        shutil.rmtree(self.directory, ignore_errors=True)

    def run(self, *argv: str, check: bool = True, input: str | None = None) -> subprocess.CompletedProcess:
        """Runs a command in the machine.

        Raises:
            MachineError: The machine is off, or `check` and the command failed; with what it wrote.
        """
        done = subprocess.run(self.command(*argv), input=input, capture_output=True, text=True, env=SCREEN)
        if check and done.returncode:
            said = f"{done.stdout}{done.stderr}".strip()
            raise MachineError(f"{self.minion_id}: {' '.join(argv)} ended with {done.returncode}: {said}")
        return done

    def command(self, *argv: str) -> list[str]:
        """The command line that runs `argv` in the node; its environment should be SCREEN."""
        return ["nsenter", f"--target={self.leader()}", "--all", "--", *argv]

    def leader(self) -> int:
        """The id of the node's PID 1, as this machine counts."""
        supervisor = self._supervisor()
        children = child_processes(supervisor) if supervisor else []
        if not children:
            raise MachineError(f"{self.minion_id} is not running; see {self.console}")
        return children[0]

    def processes(self) -> list[int]:
        """All processes of the node and its supervisor: those whose root, or first mount, is its overlay."""
        mark = f"upperdir={self.directory / 'upper'},"
        return [pid for pid in network.all_processes() if mark in mounts(pid)]

    def _pull_the_plug(self) -> None:
        """Kills the node's PID 1; its supervisor, which must live for that, then tidies up and ends."""
        with contextlib.suppress(MachineError, ProcessLookupError, waiting.TimedOut):
            os.kill(self.leader(), signal.SIGKILL)
            waiting.until(lambda: not self.processes(), f"the end of {self.minion_id}", TIDY_SECONDS)

    def _reap(self) -> None:
        """Takes the supervisor's exit status, where it was started by this very process."""
        if self._process:
            self._process.wait()

    def _supervisor(self) -> int | None:
        """The systemd-nspawn that runs it."""
        wanted = f"--machine={self.name}".encode()
        for pid in self.network.processes():
            argv = arguments(pid)
            if argv and argv[0].endswith(b"systemd-nspawn") and wanted in argv:
                return pid
        return None

    def _is_up(self) -> bool:
        if self._process.poll() is not None:
            raise MachineError(f"{self.minion_id} ended while it booted; see {self.console}")
        supervisor = self._supervisor()
        if supervisor is None or not child_processes(supervisor):
            return False
        state = self.run("systemctl", "is-system-running", check=False).stdout.strip()
        return state in ("running", "degraded")

    def _prepare(self) -> None:
        upper = self.directory / "upper"
        for folder in ("upper", "work", "root", *ORDINARY):
            (self.directory / folder).mkdir(parents=True, exist_ok=True)
        files = {
            "etc/hostname": f"{self.minion_id}\n",
            "etc/hosts": f"127.0.0.1 localhost\n127.0.1.1 {self.minion_id}\n{network.GATEWAY} salt\n",
            "etc/machine-id": f"{uuid.uuid4().hex}\n",
            "etc/lab-network": f"ADDRESS={self.address}/{network.PREFIX}\nGATEWAY={network.GATEWAY}\n",
            "etc/salt/minion": MINION.format(minion_id=self.minion_id, master=network.GATEWAY).lstrip(),
        }
        for name, text in files.items():
            path = upper / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)

    def _groups(self) -> list[Path]:
        """Makes the machine's cgroups, having written down which: an interrupted run leaves none unknown."""
        if cgroups.booted_with_systemd():
            return []
        groups = cgroups.plan(self.name)
        with (self.directory / "cgroups").open("a") as recorded:
            recorded.writelines(f"{group}\n" for group in groups)
        cgroups.make(groups)
        return groups

    def _settings(self) -> dict[str, str]:
        """What systemd-nspawn is told by its environment."""
        unified = {"SYSTEMD_NSPAWN_UNIFIED_HIERARCHY": "1"} if self.suite in image.UNIFIED else {}
        return {"SYSTEMD_NSPAWN_API_VFS_WRITABLE": "1", "SYSTEMD_SECCOMP": "0", **unified}

    def _overlay(self) -> list[str]:
        upper, work = self.directory / "upper", self.directory / "work"
        return [
            f"lowerdir={image.ensure(suite=self.suite)},upperdir={upper},workdir={work}",
            str(self.directory / "root"),
        ]

    def _nspawn(self) -> list[str]:
        options = [
            f"--directory={self.directory / 'root'}",
            "--boot",
            f"--machine={self.name}",
            f"--hostname={self.minion_id}",
            "--register=no",
            *([] if cgroups.booted_with_systemd() else ["--keep-unit"]),
            f"--network-bridge={network.BRIDGE}",
            "--capability=all",
            "--bind=/dev/kmsg",
            *(f"--bind={self.directory / name}:/var/lib/{name}" for name in ORDINARY),
            *(["--bind-ro=/lib/modules"] if Path("/lib/modules").is_dir() else []),
            "--resolv-conf=off",
            "--link-journal=no",
            "--console=pipe",
        ]
        return ["systemd-nspawn", *options]


def child_processes(pid: int) -> list[int]:
    """The direct children of a process; none when it has ended."""
    try:
        return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    except OSError:
        return []


def arguments(pid: int) -> list[bytes]:
    """A process's command line; empty when it has ended."""
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
    except OSError:
        return []


def mounts(pid: int) -> str:
    """A process's mount table; empty when it has ended."""
    try:
        return Path(f"/proc/{pid}/mounts").read_text()
    except OSError:
        return ""
