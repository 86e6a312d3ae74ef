"""Archives of a tiny image, as `docker save` writes them: one layer with one file, another by its text."""

from __future__ import annotations

import hashlib
import io
import json
import tarfile
from pathlib import Path


def archive(path: Path, *names: str, text: str = "hello\n") -> str:
    """Write an archive with one image of these names; return the archive's SHA-256."""
    layer = _tar({"greeting": text.encode()})
    config = json.dumps(
        {
            "architecture": "amd64",
            "os": "linux",
            "config": {},
            "rootfs": {"type": "layers", "diff_ids": [f"sha256:{hashlib.sha256(layer).hexdigest()}"]},
        }
    ).encode()
    named = f"{hashlib.sha256(config).hexdigest()}.json"
    manifest = [{"Config": named, "RepoTags": list(names), "Layers": ["layer.tar"]}]
    whole = _tar({"manifest.json": json.dumps(manifest).encode(), named: config, "layer.tar": layer})
    path.write_bytes(whole)
    return hashlib.sha256(whole).hexdigest()


def _tar(files: dict[str, bytes]) -> bytes:
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as tar:
        for name, content in files.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(content)
            tar.addfile(entry, io.BytesIO(content))
    return packed.getvalue()
