"""JSON lines over stdin and stdout: `{"cmd": "step"}` is answered by `{"seconds": …}`, `{"cmd": "quit"}` ends.

The process says `{"ready": …}` once it has warmed up; between commands it sleeps, so that two programs can be timed
in turns on one machine. An error is answered by `{"error": "…"}` and exit status 1.
"""

import json
import math
import os
import platform
import resource
import sys

import torch


def peak_rss_bytes() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def in_json(value):
    """JSON has neither NaN nor infinity, both of which a wrong result has: they become null."""
    if isinstance(value, dict):
        return {name: in_json(v) for name, v in value.items()}
    if isinstance(value, (list, tuple)):
        return [in_json(v) for v in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def say(message: dict) -> None:
    sys.stdout.write(json.dumps(in_json(message), allow_nan=False) + "\n")
    sys.stdout.flush()


def environment() -> dict:
    """What a result depends on; `mallocMmap` is 'off' when big buffers are kept instead of unmapped."""
    return {
        "torch": torch.__version__,
        "python": platform.python_version(),
        "threads": torch.get_num_threads(),
        "mallocMmap": "off" if os.environ.get("MALLOC_MMAP_MAX_") == "0" else "default",
    }


def serve(commands: dict, ready: dict, go_on: bool = False) -> None:
    """`commands` maps a name to a function of the message that returns the answer; `go_on`: errors do not end it."""
    say({"ready": {**environment(), **ready}})
    for line in sys.stdin:
        try:
            message = json.loads(line)
            name = message.get("cmd")
            if name == "quit":
                return
            if name not in commands:
                raise ValueError(f"unknown cmd {name!r}, allowed are {', '.join([*commands, 'quit'])}")
            say({**commands[name](message), "peakRssBytes": peak_rss_bytes()})
        except Exception as error:
            say({"error": f"{type(error).__name__}: {error}"})
            if not go_on:
                raise SystemExit(1) from error


TUNED_MALLOC = {
    "MALLOC_MMAP_MAX_": "0",
    "MALLOC_TRIM_THRESHOLD_": "100000000000",
    "MALLOC_TOP_PAD_": "1000000000",
}


def use_malloc(mode: str) -> None:
    """'tuned' starts the process again with glibc told not to map and unmap every activation (6-40 % faster)."""
    if mode == "tuned" and os.environ.get("MALLOC_MMAP_MAX_") != "0":
        os.execve(sys.executable, [sys.executable, *sys.argv], {**os.environ, **TUNED_MALLOC})
