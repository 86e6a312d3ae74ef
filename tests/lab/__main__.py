"""What there is to do with a lab that was left running: `python -m lab down|shell|kubectl|salt NAME …`."""

from __future__ import annotations

import os
import sys

from lab import host, lab
from lab.machine import SCREEN

USAGE = """usage: python -m lab COMMAND LAB [ARGUMENT …]
  down LAB                take the lab away: processes, mounts, namespaces, files
  shell LAB NODE [CMD …]  a shell, or one command, on a node
  kubectl LAB ARG …       the real kubectl as the cluster's administrator
  salt LAB PROGRAM ARG …  salt, salt-run or salt-key of the lab's master
"""


def down(name: str) -> int:
    """Takes a lab away."""
    lab.down(name)
    print(f"the lab {name} is gone")
    return 0


def shell(name: str, minion_id: str, *argv: str) -> int:
    """Becomes a shell, or a command, on a node."""
    command = lab.machine_of(name, minion_id).command(*(argv or ("bash",)))
    environment = {**SCREEN, "TERM": os.environ.get("TERM", "dumb")}
    os.execvpe(command[0], command, environment)


def kubectl(name: str, *arguments: str) -> int:
    """Runs kubectl as the administrator."""
    print(lab.control_plane_of(name).kubectl(*arguments), end="")
    return 0


def salt(name: str, program: str, *arguments: str) -> int:
    """Becomes one of Salt's programs, with the configuration of the lab's master."""
    command = lab.master_of(name).command(program, *arguments)
    os.execvp(command[0], command)


COMMANDS = {"down": down, "shell": shell, "kubectl": kubectl, "salt": salt}


def main(arguments: list[str]) -> int:
    """Runs one command; says in a sentence what is wrong with it, if anything."""
    if len(arguments) < 2 or arguments[0] not in COMMANDS:
        print(USAGE, end="", file=sys.stderr)
        return 2
    command, name, *rest = arguments
    if reason := host.unable():
        print(reason, file=sys.stderr)
        return 2
    if command != "down" and not (host.labs() / name).is_dir():
        print(
            f"there is no lab {name} in {host.labs()}: `make demo KEEP=1` leaves one running", file=sys.stderr
        )
        return 2
    try:
        return COMMANDS[command](name, *rest)
    except (RuntimeError, TypeError) as error:
        print(error, file=sys.stderr)
        return 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
