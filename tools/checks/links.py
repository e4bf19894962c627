#!/usr/bin/env python3
"""Every relative link of a Markdown file leads to a file that is there."""
import pathlib
import re
import subprocess
import sys

root = pathlib.Path(__file__).resolve().parents[2]
faults = []
files = subprocess.run(["git", "ls-files", "*.md"], cwd=root, capture_output=True, text=True, check=True).stdout.split()
for name in files:
    path = root / name
    if not path.exists():
        continue
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
        for target in re.findall(r"\]\(([^)\s#]+)(?:#[^)]*)?\)", line):
            if "://" in target or target.startswith("mailto:"):
                continue
            if not (path.parent / target).exists():
                faults.append(f"{name}:{number}: {target} is not there")
print("\n".join(faults) if faults else "links: all lead somewhere")
sys.exit(1 if faults else 0)
