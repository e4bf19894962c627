#!/usr/bin/env python3
"""Every relative link of a Markdown file leads to a file that is there, and to a heading that is in it."""
import pathlib
import re
import subprocess
import sys

root = pathlib.Path(__file__).resolve().parents[2]


def anchors(path):
    """Of each heading, as GitHub makes them."""
    text = re.sub(r"^```.*?^```", "", path.read_text(encoding="utf-8"), flags=re.M | re.S)
    titles = re.findall(r"^#+\s+(.*?)\s*$", text, flags=re.M)
    plain = (re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", title) for title in titles)
    return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in plain}


faults = []
files = subprocess.run(["git", "ls-files", "*.md"], cwd=root, capture_output=True, text=True, check=True).stdout.split()
for name in files:
    path = root / name
    if not path.exists():
        continue
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
        for target, anchor in re.findall(r"\]\(([^)\s#]*)(?:#([^)\s]*))?\)", line):
            if "://" in target or target.startswith("mailto:"):
                continue
            leads_to = path.parent / target if target else path
            if not leads_to.exists():
                faults.append(f"{name}:{number}: {target} is not there")
            elif anchor and leads_to.suffix == ".md" and anchor not in anchors(leads_to):
                faults.append(f"{name}:{number}: {target} has no heading #{anchor}")
print("\n".join(faults) if faults else "links: all lead somewhere")
sys.exit(1 if faults else 0)
