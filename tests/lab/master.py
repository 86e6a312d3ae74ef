"""The lab's Salt master: a real salt-master in the lab's network, with a root folder of its own."""

from __future__ import annotations

import fcntl
import json
import math
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import salt.utils.event
import salt.utils.master
import yaml
from salt.utils.crypt import pem_finger
from salt.utils.event import SaltEvent

from lab import network, waiting
from lab.machine import Machine
from lab.network import Loopback, Network

PROJECT = Path(__file__).resolve().parents[2]
SALT = Path(sys.executable).parent
START_SECONDS = 60
KEY_SECONDS = 60
ASK_SECONDS = 30
#: What Salt says in the place of one that does not answer.
SILENT = "Minion did not return"


class MasterError(RuntimeError):
    """The master did not do what it was told; the message says what it wrote."""


@dataclass
class Master:
    """A salt-master whose every file lies below `directory`.

    Its file_roots are `states`, for what a lab adds, and the project, which is the formula.

    Args:
        directory: Made when missing.
        network: Where it listens.
        more: Settings that come after its own and the formula's.
    """

    directory: Path
    network: Network | Loopback
    more: dict[str, object] = field(default_factory=dict)
    _process: subprocess.Popen | None = field(default=None, init=False, repr=False)

    def __enter__(self) -> Master:
        try:
            self.start()
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    @property
    def config(self) -> Path:
        """Its configuration folder, as /etc/salt is."""
        return self.directory / "etc/salt"

    @property
    def states(self) -> Path:
        """The first of its file_roots."""
        return self.directory / "srv/salt"

    @property
    def pillar(self) -> Path:
        """Its pillar_roots."""
        return self.directory / "srv/pillar"

    @property
    def log(self) -> Path:
        """Its log."""
        return self.directory / "var/log/salt/master"

    def start(self) -> None:
        """Configures it, gives it the formula's modules and runners, and returns when its event bus serves.

        Raises:
            MasterError: It ended or was not there in time.
        """
        for folder in (
            self.config / "master.d",
            self.config / "kube_node",
            self.states,
            self.pillar,
            self.log.parent,
            self.cache / "proc",  # or no runner runs before the master starts
        ):
            folder.mkdir(parents=True, exist_ok=True)
        (self.config / "master").write_text(yaml.safe_dump(settings(self)))
        shutil.copy(PROJECT / "docs/examples/master.conf", self.config / "master.d/kube_node.conf")
        (self.config / "master.d/lab.conf").write_text(yaml.safe_dump(self.more))
        (self.sockets / "master_event_pub.ipc").unlink(missing_ok=True)  # of one that was killed
        # First: a reactor that once looked for a runner in vain looks again a minute later.
        self.salt_run("saltutil.sync_all")
        output = self.log.with_suffix(".out")
        with output.open("ab") as stream:
            self._process = subprocess.Popen(
                self.command("salt-master"),
                env=_environment(),
                stdin=subprocess.DEVNULL,
                stdout=stream,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        try:
            waiting.until(self._serves, "the salt-master starting", START_SECONDS)
        except waiting.TimedOut as error:
            raise MasterError(f"{error}; see {self.log} and {output}") from error
        # Before the first knock: the reactor keeps the runners that it found then for a minute.

    def await_reactor(self) -> None:
        """Returns when its reactor listens: what comes before is lost to it."""
        key = salt.utils.master.get_master_key("root", {"cachedir": str(self.cache)})
        ask, answer = "salt/reactors/manage/is_leader", "salt/reactors/manage/leader/value"
        with self._bus() as bus:

            def listens() -> bool:
                bus.fire_event({"key": key}, ask)
                return bus.get_event(wait=0.5, tag=answer) is not None

            waiting.until(listens, "the reactor listening", START_SECONDS, interval=0)

    def stop(self) -> None:
        """Ends it, and waits for its end and that of every process it left behind."""
        if self._process is None:
            return
        self._process.terminate()
        self._process.wait()
        network.end(self.processes)
        self._process = None

    def kill(self) -> None:
        """Ends all of it at once, as a kernel does that is short of memory; `start` starts it again."""
        network.end(self.processes)
        self._process.wait()
        self._process = None

    def rest(self, cluster: str, seconds: float) -> None:
        """Returns when no worker of it is at work for a cluster any more.

        Raises:
            TimedOut: There still is one after so many seconds.
        """
        lock = self.cache / f"kube_node/{cluster}.lock"
        waiting.until(lambda: _is_free(lock), "the end of the master's work", seconds)

    def processes(self) -> list[int]:
        """Its processes and those of salt-run: all that were started, or forked, with its configuration."""
        return [one for one in network.all_processes() if self._config_flag in network.title(one)]

    def accept(self, *machines: Machine, seconds: float = KEY_SECONDS) -> dict[str, str]:
        """Accepts the keys of these machines, when what the master was sent is what lies on each machine.

        Returns when each minion hears the master.

        Returns:
            The fingerprint of each machine's key, by minion id.

        Raises:
            MasterError: A key that the master was sent is not the machine's.
            TimedOut: A machine did not send its key, or its minion did not start, in time.
        """
        fingerprints = {machine.minion_id: self._compared_key(machine, seconds) for machine in machines}
        with self.starting(*machines, seconds=seconds):
            done = self._run("salt-key", "--yes", f"--accept={','.join(fingerprints)}")
            if done.returncode:
                raise MasterError(f"salt-key could not accept the keys: {done.stderr.strip()}")
        return fingerprints

    @contextmanager
    def starting(self, *machines: Machine, seconds: float = KEY_SECONDS) -> Iterator[None]:
        """Ends when these machines' minions, started inside, hear the master: a job sent before is lost.

        Raises:
            TimedOut: A minion did not tell so in time.
        """
        started = {f"salt/minion/{machine.minion_id}/start" for machine in machines}
        with self._bus() as bus:
            yield
            for tag, _ in _heard(bus, "salt/minion/", seconds):
                started.discard(tag)
                if not started:
                    return
        raise waiting.TimedOut(f"not heard within {seconds:g} s: {', '.join(sorted(started))}")

    def forget(self, *machines: Machine) -> None:
        """Deletes the keys of machines, as before they are installed anew."""
        ids = ",".join(machine.minion_id for machine in machines)
        done = self._run("salt-key", "--yes", f"--delete={ids}")
        if done.returncode:
            raise MasterError(f"salt-key could not delete the keys: {done.stderr.strip()}")

    def salt(self, target: str, *arguments: str) -> dict[str, object]:
        """Runs an execution function on minions, for as long as it takes.

        Returns:
            What each answered, by minion id. Those are missing that do not say, when asked, that they run it.

        Raises:
            MasterError: There is no such minion, or Salt failed.
        """
        answers: dict[str, object] = {}
        # Not --static: Salt asks once then whether a job still runs.
        for answer in self._printed("salt", f"--timeout={ASK_SECONDS}", target, *arguments):
            answers |= answer
        return {minion: said for minion, said in answers.items() if not str(said).startswith(SILENT)}

    def salt_run(self, *arguments: str) -> object:
        """Runs a runner on the master; returns its result."""
        [result] = self._printed("salt-run", *arguments)
        return result

    def command(self, program: str, *arguments: str) -> list[str]:
        """The command line for one of Salt's programs, with this master's configuration."""
        return self.network.command(SALT / program, self._config_flag, *arguments)

    def events(self, prefix: str = "", seconds: float = math.inf) -> Iterator[tuple[str, dict]]:
        """Yields each event of the master's bus as (tag, data) as it comes.

        Args:
            prefix: What a tag must begin with.
            seconds: When to end.
        """
        with self._bus() as bus:
            yield from _heard(bus, prefix, seconds)

    def _bus(self) -> SaltEvent:
        """The master's event bus, from which nothing is missed from now on."""
        options = {"transport": "zeromq", "sock_dir": str(self.sockets)}
        return salt.utils.event.get_event("master", sock_dir=str(self.sockets), opts=options)

    @property
    def cache(self) -> Path:
        """Its cache folder."""
        return self.directory / "var/cache/salt/master"

    @property
    def _config_flag(self) -> str:
        return f"--config-dir={self.config}"

    @property
    def sockets(self) -> Path:
        """The folder with the sockets of its event bus."""
        return self.directory / "var/run/salt/master"

    def _serves(self) -> bool:
        if self._process.poll() is not None:
            raise MasterError(f"the salt-master ended; see {self.log}")
        return (self.sockets / "master_event_pub.ipc").exists()

    def _compared_key(self, machine: Machine, seconds: float) -> str:
        sent = self.directory / "etc/salt/pki/master/minions_pre" / machine.minion_id
        waiting.until(
            sent.exists, f"the key of {machine.minion_id} (its log: journalctl -u salt-minion)", seconds
        )
        own = machine.root / "etc/salt/pki/minion/minion.pub"
        if sent.read_text().strip() != own.read_text().strip():
            raise MasterError(
                f"the key that the master was sent as {machine.minion_id}'s is not that machine's"
            )
        return pem_finger(str(own), sum_type="sha256")

    def _run(self, program: str, *arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(self.command(program, *arguments), capture_output=True, text=True)

    def _printed(self, program: str, *arguments: str) -> list[Any]:
        """Reads the JSON that a program prints: an answer also where the program ends with a failure."""
        done = self._run(program, "--out=json", *arguments)
        try:
            if found := list(_documents(done.stdout)):
                return found
        except ValueError:
            pass
        said = f"{done.stdout}{done.stderr}".strip()
        raise MasterError(f"{program} {' '.join(arguments)} said: {said}")


def _documents(text: str) -> Iterator[Any]:
    """Reads JSON documents, one after the other."""
    decoder = json.JSONDecoder()
    while text := text.lstrip():
        document, end = decoder.raw_decode(text)
        yield document
        text = text[end:]


def _heard(bus: SaltEvent, prefix: str, seconds: float) -> Iterator[tuple[str, dict]]:
    deadline = time.monotonic() + seconds
    while (left := deadline - time.monotonic()) > 0:
        event = bus.get_event(wait=min(left, 1), tag=prefix, full=True, auto_reconnect=True)
        if event is not None:
            yield event["tag"], event["data"]


def _is_free(lock: Path) -> bool:
    if not lock.exists():
        return True
    with lock.open() as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
    return True


def _environment() -> dict[str, str]:
    """The environment of a master: it keeps the compiled modules that it was given, as anywhere."""
    return {key: value for key, value in os.environ.items() if key != "PYTHONDONTWRITEBYTECODE"}


def settings(master: Master) -> dict:
    """The master's own configuration: where it listens and where its files lie; nothing of the formula's."""
    return {
        "interface": master.network.address,
        "root_dir": str(master.directory),
        "user": "root",
        "file_roots": {"base": [str(master.states), str(PROJECT)]},
        "file_ignore_regex": [r"^\.", r"^tests/", r"__pycache__"],
        "pillar_roots": {"base": [str(master.pillar)]},
        "keysize": 2048,
        "worker_threads": 3,
        "gather_job_timeout": ASK_SECONDS,
        "log_level_logfile": "info",
    }
