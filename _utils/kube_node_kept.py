"""Where the formula keeps on a machine what it has to know at its next run.

`files` lists which files are ours, `replaced` has copies of those that were not and had to give way,
`images.json` says what each archive of images left in the runtime; `network` and `proxy-mode` are those
that were set up last.
"""

from __future__ import annotations

from pathlib import Path

FOLDER = "/var/lib/kube_node"
FILES, REPLACED, IMAGES, NETWORK, PROXY_MODE = "files", "replaced", "images.json", "network", "proxy-mode"


def place(name: str) -> Path:
    """Return the path of what is kept by that name."""
    return Path(FOLDER, name)


def read(name: str) -> str | None:
    """Return the text that is kept by that name, None where there is none."""
    try:
        return place(name).read_text(encoding="utf-8")
    except OSError:
        return None


def write(name: str, text: str) -> None:
    """Keep a text, in one step."""
    path = place(name)
    path.parent.mkdir(parents=True, exist_ok=True)
    fresh = path.with_name(f"{name}.new")
    fresh.write_text(text, encoding="utf-8")
    fresh.replace(path)
