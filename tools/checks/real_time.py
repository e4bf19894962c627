#!/usr/bin/env python3
"""Bans real clocks, the system's randomness, sockets, sleeping and threads outside the shell and mains.

Logic gets time, randomness, connections and disks through its constructor, so that the simulation can
run the very same objects on virtual time.
"""
import pathlib
import re
import sys

SHELLS = ("src/net/asio/", "src/edge/node", "src/cli/", "src/ops/doctor.", "src/media/compose")
BANNED = {
    r"(system|steady|high_resolution)_clock": "a real clock",
    r"\b(gettimeofday|clock_gettime|time)\s*\(\s*(nullptr|NULL|0|CLOCK_)": "a real clock",
    r"random_device|\bgetrandom\b|\bgetentropy\b|\bs?rand\s*\(|mt19937": "the system's randomness",
    r"std::(thread|jthread|async|mutex|condition_variable)\b": "threads",
    r"\b(sleep_for|sleep_until|usleep|nanosleep)\b": "sleeping",
    r"(?<!\w)::(socket|connect|bind|accept4?|listen)\s*\(": "sockets",
}

root = pathlib.Path(__file__).resolve().parents[2]
faults = []
for folder in ("src", "tests/sim"):
    for path in sorted((root / folder).rglob("*")):
        name = path.relative_to(root).as_posix()
        if path.suffix not in (".h", ".cc") or name.startswith(SHELLS) or path.stem.endswith("main"):
            continue
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
            code = line.split("//")[0]
            for pattern, what in BANNED.items():
                if re.search(pattern, code):
                    faults.append(f"{name}:{number}: {what}: {line.strip()}")

print("\n".join(faults) if faults else "real time: none outside the shells")
sys.exit(1 if faults else 0)
