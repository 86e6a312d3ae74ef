"""The double's own time: every constant of the real component passes through it, and tests shorten it."""

from __future__ import annotations

import os
import random
import threading
import time

TIME_SCALE = "KUBE_NODE_LAB_TIME_SCALE"


def _scale() -> float:
    text = os.environ.get(TIME_SCALE, "1")
    try:
        scale = float(text)
    except ValueError:
        scale = 0.0
    if not 0 < scale <= 1:
        raise SystemExit(f"{TIME_SCALE}={text}: must be a number greater than 0, at most 1")
    return scale


SCALE = _scale()


def scaled(seconds: float) -> float:
    """What ``seconds`` of the real component's time are here, in seconds."""
    return seconds * SCALE


def sleep(seconds: float) -> None:
    """Sleep for what ``seconds`` of the real component are here."""
    time.sleep(scaled(seconds))


def jittered(seconds: float, factor: float) -> float:
    """``seconds`` and up to ``factor`` of it more: apimachinery's wait.Jitter."""
    return seconds * (1 + random.random() * factor)


def start(name: str, target, *args) -> threading.Thread:
    """Run ``target`` beside the main thread until the process ends."""
    thread = threading.Thread(target=target, args=args, name=name, daemon=True)
    thread.start()
    return thread
