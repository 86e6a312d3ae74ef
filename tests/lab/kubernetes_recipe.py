"""Builds Kubernetes' own programs out of Debian's source package, in a root that is thrown away.

Debian 12's source package `kubernetes` is v1.20.2 whole, with its vendored tree, and Debian's own Go
builds it. `python -m lab.kubernetes_recipe IMAGE WORK` leaves the programs in WORK/programs;
`lab.kubernetes` runs it in namespaces of its own. It prints a line a step, and ends with the sentence of
`Failed` where one fails.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from hashlib import sha256
from pathlib import Path

from lab import scratch

SOURCE = "kubernetes"
RELEASE = "1.20.2"
# kubelet and kube-proxy a second time: the same code, which tells another release. An upgrade needs two.
OLDER = "1.19.16"
NODE_PROGRAMS = ("kubelet", "kube-proxy")
PROGRAMS = (*NODE_PROGRAMS, "kube-apiserver", "kube-controller-manager", "kube-scheduler")
ETCD = "etcd-server"

GOPATH = "/go"
TREE = f"{GOPATH}/src/k8s.io/kubernetes"
# Without C the programs are static: they run on each Debian of the lab.
GO = {
    "GOPATH": GOPATH,
    "GOCACHE": f"{GOPATH}/cache",
    "GOFLAGS": "",
    "GO111MODULE": "off",
    "CGO_ENABLED": "0",
}
# Both are asked: the programs, and what they say of themselves to an API server.
VERSION_PACKAGES = ("component-base/version", "client-go/pkg/version")
APT = "apt-get -qq -o Acquire::Retries=3 -o Acquire::Languages=none"

# Lists of the root's own, by the mirror that the image was made from.
LISTS = f"""
sed -n 's/^deb /deb-src /p' /etc/apt/sources.list >/etc/apt/sources.list.d/source.list
{APT} update -o APT::Update::Error-Mode=any
"""
FETCH = f"""
mkdir -p {TREE} /source
cd /source
{APT} source --download-only {SOURCE}
{APT} download {ETCD}
"""
TOOLS = f"DEBIAN_FRONTEND=noninteractive {APT} install --no-install-recommends golang-go >/dev/null"
UNPACK = f"""
tar --extract --strip-components=1 --directory={TREE} --file=$(echo /source/{SOURCE}_*.orig.tar.*)
dpkg-deb --fsys-tarfile /source/{ETCD}_*.deb | tar --extract --directory=/ ./usr/bin/etcd
"""
# The only generated code that a release's source lacks: as build/root/Makefile.generated_files makes it.
GENERATE = f"""
cd {TREE}
go build -o {GOPATH}/openapi-gen ./vendor/k8s.io/kube-openapi/cmd/openapi-gen
packages=$(grep -rl --include='*.go' --exclude='*_test.go' '+k8s:openapi-gen=' pkg/apis staging/src |
    grep -v -e /code-generator/ -e /sample-apiserver/ |
    sed -e 's,/[^/]*$,,' -e 's,^staging/src/,vendor/,' -e 's,^,k8s.io/kubernetes/,' | sort -u | paste -sd,)
{GOPATH}/openapi-gen -i "$packages" -p k8s.io/kubernetes/pkg/generated/openapi -O zz_generated.openapi \\
    -h hack/boilerplate/boilerplate.generatego.txt -r {GOPATH}/violations
"""
COUNT = f"cd {TREE} && go list -deps {{packages}} | wc -l"
BUILD = f"""
cd {TREE}
mkdir -p {{folder}}
go build -v -trimpath -ldflags '{{flags}}' -o {{folder}}/ {{packages}}
"""


class Failed(RuntimeError):
    """A step failed; one sentence."""


def key() -> str:
    """The recipe's name: another recipe makes other programs."""
    scripts = [LISTS, FETCH, TOOLS, UNPACK, GENERATE, BUILD, _flags(RELEASE)]
    recipe = [SOURCE, RELEASE, OLDER, PROGRAMS, GO, scripts, os.uname().machine]
    return sha256(json.dumps(recipe).encode()).hexdigest()[:12]


def build(image: Path, work: Path) -> None:
    """Builds the programs in `work`/programs, and writes the source's version beside them."""
    root = scratch.mount(image, work, {})
    step(root, "reading the mirror's lists", LISTS)
    step(root, "fetching the source package, 34 MB, and etcd", FETCH)
    version = source_version(path.name for path in (root / "source").iterdir())
    step(root, "fetching Debian's Go", TOOLS)
    step(root, f"unpacking {SOURCE} {version}", UNPACK)
    step(root, "generating its OpenAPI", GENERATE)
    compile_(root, RELEASE, PROGRAMS, f"{GOPATH}/programs")
    compile_(root, OLDER, NODE_PROGRAMS, f"{GOPATH}/programs/{OLDER}")
    shutil.move(root / f"{GOPATH}/programs".lstrip("/"), work / "programs")
    shutil.move(root / "usr/bin/etcd", work / "programs")
    (work / "version").write_text(version)


def source_version(names: object) -> str:
    """The version of the source package among the names of fetched files.

    Raises:
        Failed: It is not the release that this recipe is for.
    """
    pattern = re.compile(rf"{SOURCE}_(.+)\.dsc")
    [version] = [match[1] for match in map(pattern.fullmatch, names) if match]
    if not re.search(rf"(^|\D){re.escape(RELEASE)}\D", version):
        raise Failed(f"the mirror's source package {SOURCE} is {version}, and not {RELEASE}")
    return version


def step(root: Path, what: str, script: str) -> None:
    """Says what is done, and runs a script in the root.

    Raises:
        Failed: With what the script said last.
    """
    say(what)
    done = subprocess.run(
        scratch.command(root, "sh", "-euc", script),
        env=scratch.environment(**GO),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    print(done.stdout, file=sys.stderr, flush=True)
    if done.returncode:
        raise Failed(f"{what} failed: {scratch.cause(done.stdout)}")


def compile_(root: Path, release: str, programs: tuple[str, ...], folder: str) -> None:
    """Compiles programs that tell a release, and says how far it is after each tenth."""
    packages = " ".join(f"./cmd/{program}" for program in programs)
    what = f"compiling {', '.join(programs)} as v{release}"
    say(what)
    environment = scratch.environment(**GO)
    count = scratch.command(root, "sh", "-euc", COUNT.format(packages=packages))
    total = int(subprocess.run(count, env=environment, check=True, capture_output=True, text=True).stdout)
    script = BUILD.format(folder=folder, flags=_flags(release), packages=packages)
    told, lines = 0, []
    process = subprocess.Popen(
        scratch.command(root, "sh", "-euc", script),
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    for line in process.stdout:
        print(line, end="", file=sys.stderr, flush=True)
        lines.append(line)
        if (tenth := 10 * len(lines) // total) > told:
            told = tenth
            say(f"compiling: {len(lines)} of {total} packages")
    if process.wait():
        raise Failed(f"{what} failed: {scratch.cause(''.join(lines))}")


def say(line: str) -> None:
    """Tells a step; what the programs say goes to stderr."""
    print(line, flush=True)


def _flags(release: str) -> str:
    major, minor, _ = release.split(".")
    told = {"gitVersion": f"v{release}", "gitMajor": major, "gitMinor": minor, "gitTreeState": "archive"}
    variables = [
        f"-X k8s.io/kubernetes/vendor/k8s.io/{package}.{name}={value}"
        for package in VERSION_PACKAGES
        for name, value in told.items()
    ]
    return " ".join(["-s -w", *variables])


if __name__ == "__main__":
    try:
        build(*map(Path, sys.argv[1:]))
    except Failed as error:
        sys.exit(f"{error}")
