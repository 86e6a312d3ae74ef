"""
A node's programs: fetched whole, compared with their checksums, put into the folder of their release, and
taken away again when they are old. What puts them to use is the state ``kube_node.binary_installed``.
"""

from __future__ import annotations

import hashlib
import shutil
from pathlib import Path

import kube_node_archive as archives
import kube_node_checksums as checksums
import kube_node_mirror as mirror
import kube_node_programs as programs
import salt.utils.http
from salt.exceptions import CommandExecutionError, MinionError

__virtualname__ = "kube_node_binaries"

PROC = Path("/proc")


class BinaryError(CommandExecutionError):
    """A program cannot be had: by which of its keys (``source`` or ``sha256``), what was found, the fix."""

    def __init__(self, key, found, fix):
        super().__init__(f"{found}, {fix}")
        self.key, self.found, self.fix = key, found, fix


def installed(path, source, sha256, whole=False):
    """
    Return the names of the programs that lie in their release's folder, each with the digest it should have.

    path
        Where the program lies; with ``whole`` the folder of all those of an archive.

    source
        Where they come from; a ``.tar.gz`` or ``.tgz`` is an archive.

    sha256
        The source's digest, or the URL of a file in ``sha256sum``'s format that has it.

    whole
        True for all programs of an archive.

    An empty list where one is missing or damaged. Nothing is fetched but a file of checksums: one on the
    master each time, one on a mirror only while the programs are not there.

    CLI Example:

    .. code-block:: bash

        salt '*' kube_node_binaries.installed /opt/kube_node/v1.36.2/kubelet salt://v1.36.2/kubelet 0123…
    """
    folder, name = _place(path, whole)
    if _is_plain(source, sha256):
        wanted = {name: sha256}
    else:
        wanted = _recorded(path, whole)
        fetched = wanted.get(_last(source))
        if fetched is None or fetched != _expected(source, sha256, fetched):
            return []
        wanted = {name: digest for name, digest in wanted.items() if not programs.is_archive(name)}
    return sorted(wanted) if all(_is(folder / name, digest) for name, digest in wanted.items()) else []


def offered(path, source, sha256, whole=False):
    """
    Fetch a source into the minion's cache, compare it with its checksum, and return what it would install.

    The arguments are those of ``installed``. Returns a list of names.

    CLI Example:

    .. code-block:: bash

        salt '*' kube_node_binaries.offered /opt/kube_node/runc-1.3.4/runc salt://runc/1.3.4/runc.amd64 0123…
    """
    name = _place(path, whole)[1]
    cached = fetched(source, _expected(source, sha256))
    return sorted(_members(source, cached, name)) if programs.is_archive(source) else [name]


def install(path, source, sha256, whole=False):
    """
    Put programs into their release's folder; each has its name only when it lies there whole and checked.

    The arguments are those of ``installed``. Returns a list of names.

    CLI Example:

    .. code-block:: bash

        salt '*' kube_node_binaries.install /opt/kube_node/runc-1.3.4/runc salt://runc/1.3.4/runc.amd64 0123…
    """
    folder, name = _place(path, whole)
    wanted = _expected(source, sha256)
    cached = fetched(source, wanted)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        if programs.is_archive(source):
            digests = archives.extract(cached, _members(source, cached, name), folder)
        else:
            with Path(cached).open("rb") as content:
                digests = {name: archives.put(content, folder / name, wanted.__eq__)}
        if not _is_plain(source, sha256):
            _record(path, whole, digests | {_last(source): wanted})
    except OSError as error:
        found = f"{folder} cannot be written to ({error.strerror or error})"
        raise BinaryError("source", found, "make room there or mend it") from None
    return sorted(digests)


def fetched(source, sha256):
    """
    Fetch a file, from the master or a mirror, and return where it lies whole on this machine.

    source
        Its URL.

    sha256
        Its digest, 64 hex digits.

    Raises a BinaryError where it is not there, does not come in time, or has another digest.

    CLI Example:

    .. code-block:: bash

        salt '*' kube_node_binaries.fetched salt://images/pause.tar 0123…
    """
    cached = _cached(source, sha256, "source")
    if _is(Path(cached), sha256):
        return cached
    found = __salt__["file.get_hash"](cached, "sha256")
    with Path(cached).open("rb") as file:
        page = " and is a web page" if file.read(256).lstrip().startswith(b"<") else ""
    told = f"{sha256} is not the digest of {source}, which has {found}{page}"
    raise BinaryError("sha256", told, "correct the one that is wrong")


def fault(path, source, sha256, whole=False):
    """
    Return why programs that are not there cannot be installed, ``{key, found, fix}``; nothing where they can.

    The arguments are those of ``installed``. The key is ``source`` or ``sha256``.

    CLI Example:

    .. code-block:: bash

        salt '*' kube_node_binaries.fault /opt/kube_node/runc-1.3.4/runc salt://runc/1.3.4/runc.amd64 0123…
    """
    try:
        if not installed(path, source, sha256, whole):
            offered(path, source, sha256, whole)
    except BinaryError as error:
        return {"key": error.key, "found": error.found, "fix": error.fix}
    return {}


def superseded(folder, keep, releases, links):
    """
    Return the folders of old releases that may go: none that a link points into or that a process runs from.

    folder
        Where the releases lie, such as ``/opt/kube_node``.

    keep
        How many of each program's old releases stay for a way back, those that were last in use.

    releases
        List of the names of those that are in use.

    links
        List of the folders in which links may point to a release.

    CLI Example:

    .. code-block:: bash

        salt '*' kube_node_binaries.superseded /opt/kube_node 2 '[v1.36.2]' '[/usr/local/bin]'
    """
    families = {}
    for release in Path(folder).glob("*"):
        family = programs.family(release.name)
        if family and release.is_dir() and not release.is_symlink() and release.name not in releases:
            families.setdefault(family, []).append(release)
    old = [
        release
        for known in families.values()
        for release in sorted(known, key=lambda one: one.stat().st_mtime, reverse=True)[keep:]
    ]
    used = _used(links) if old else []
    return sorted(str(one) for one in old if not any(path.startswith(f"{one}/") for path in used))


def forget():
    """
    Take away what was fetched from mirrors: what was to be installed of it is.

    CLI Example:

    .. code-block:: bash

        salt '*' kube_node_binaries.forget
    """
    shutil.rmtree(_downloads(), ignore_errors=True)


def _place(path, whole):
    """Return the folder of a release, and the program's name where it is a single one."""
    return (Path(path), None) if whole else (Path(path).parent, Path(path).name)


def _is_plain(source, sha256):
    """Tell whether the pillar itself has the digest of the very program."""
    return "://" not in sha256 and not programs.is_archive(source)


def _last(source):
    return source.rpartition("/")[2]


def _record_file(path, whole):
    """Return where the digests lie of what was installed, for ``sha256sum --check --ignore-missing``."""
    return Path(path, "SHA256SUMS") if whole else Path(f"{path}.sha256")


def _recorded(path, whole):
    try:
        text = _record_file(path, whole).read_text(encoding="utf-8")
    except (OSError, ValueError):
        return {}
    return {name: digest for digest, name in checksums.lines(text)}


def _record(path, whole, digests):
    file = _record_file(path, whole)
    part = Path(f"{file}.part")
    part.write_text(checksums.write(digests), encoding="utf-8")
    part.replace(file)
    archives.sync(file.parent)


def _is(path, digest):
    """Tell whether a file has a digest; read once a run while it is the same."""
    try:
        found = path.stat()
    except OSError:
        return False
    known = __context__.setdefault("kube_node_binaries.digests", {})
    key = (str(path), found.st_ino, found.st_size, found.st_mtime_ns)
    if key not in known:
        known[key] = __salt__["file.get_hash"](str(path), "sha256") if path.is_file() else None
    return known[key] == digest


def _expected(source, sha256, recorded=None):
    """Return the digest that a source should have; by a mirror's file the one that is recorded."""
    if "://" not in sha256:
        return sha256
    if recorded and sha256.startswith("https://"):
        return recorded
    cached = _cached(sha256, None, "sha256")
    try:
        return checksums.find(Path(cached).read_text(encoding="utf-8"), source)
    except UnicodeDecodeError:
        told = f"{sha256} is no text, so no file of checksums"
    except ValueError as error:
        told = f"{sha256} {error}"
    raise BinaryError("sha256", told, "write what sha256sum prints into it or correct the URL")


def _members(source, cached, name):
    try:
        return archives.members(cached, name)
    except ValueError as error:
        raise BinaryError(
            "source", f"{source} {error}", "take the archive that the project releases"
        ) from None


def _cached(url, sha256, key):
    """Return where a file lies on this machine after it has been fetched."""
    what = "source" if key == "source" else "URL"
    missing = f"put the file there or correct the {what}"
    try:
        if url.startswith(("http://", "https://")):
            return _download(url, sha256)
        cached = __salt__["cp.cache_file"](url, source_hash=sha256)
    except mirror.MissingError as error:
        raise BinaryError(key, f"{url} is not there ({error})", missing) from None
    except (OSError, MinionError, CommandExecutionError) as error:
        raise BinaryError(
            key, f"{url} cannot be fetched ({error})", f"mend that or correct the {what}"
        ) from None
    if not cached or not Path(cached).is_file():
        raise BinaryError(key, f"{url} is not there", missing)
    return cached


def _downloads():
    return Path(__opts__["cachedir"], "kube_node")


def _download(url, sha256):
    """Fetch from a mirror; what is there with the right digest is not fetched again."""
    target = _downloads() / (sha256 or hashlib.sha256(url.encode()).hexdigest())
    if not (sha256 and _is(target, sha256)):
        target.parent.mkdir(parents=True, exist_ok=True)
        proxy = __salt__["pillar.get"]("kube_node:proxy", {}, unmask=True)
        bundle = salt.utils.http.get_ca_bundle(__opts__)
        mirror.fetch(url, target, bundle, mirror.proxies(url, proxy))
    return str(target)


def _used(links):
    """Return the paths that links lead to and that processes run from."""
    candidates = [*(one for folder in links for one in Path(folder).glob("*")), *PROC.glob("[0-9]*/exe")]
    found = []
    for path in candidates:
        try:
            found.append(str(path.readlink()))
        except OSError:  # no link, or a process that has ended
            continue
    return found
