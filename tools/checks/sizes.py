#!/usr/bin/env python3
"""Soft limits: a file 500 lines, a function 70. tools/checks/sizes.txt lists what is over; the check
fails when something else is, or when a listed thing has grown or shrunk below the limit.

`sizes.py --write` writes the list anew.
"""
import pathlib
import re
import subprocess
import sys

FILE_LINES, FUNCTION_LINES = 500, 70
root = pathlib.Path(__file__).resolve().parents[2]
listed = root / "tools/checks/sizes.txt"
NOT_FUNCTIONS = re.compile(r"^\s*(namespace|class|struct|enum|union|if|for|while|switch|else|do|try|return|case|extern)\b")


def functions(lines):
    """(name, length) of blocks that look like functions in formatted code: a header with a parenthesis
    that opens a brace, closed by a brace at the header's indentation."""
    for start, line in enumerate(lines):
        if not line.rstrip().endswith("{") or NOT_FUNCTIONS.match(line):
            continue
        if line.lstrip().startswith(("}", "]")) or line.rstrip().endswith(("= {", "{{", "({")):
            continue  # an else branch, the tests of a table, a list of values, an argument
        header = start
        argument = line.rstrip().endswith("=> {") and "(" in line  # its parameters begin here, what is above is another call
        while not argument and header > 0 and start - header < 20 and (
                "(" not in lines[header] or lines[header].lstrip().startswith((":", ",")) or
                lines[header - 1].rstrip().endswith((",", "||", "&&", "("))):
            header -= 1
            if lines[header].rstrip().endswith((";", "{", "}")):
                break  # another statement: the brace belongs to a bare block
        if ("(" not in lines[header] or NOT_FUNCTIONS.match(lines[header]) or
                (header < start and lines[header].rstrip().endswith((";", "{", "}")))):
            continue
        indent = re.match(r"\s*", lines[header])[0]
        name = re.search(r"([\w:~]+)\s*(?:<[^>]*>)?\s*\(", lines[header])
        if not name or name[1] in ("describe", "it", "test", "if", "for", "while", "switch", "catch", "await"):
            continue
        for end in range(start + 1, len(lines)):
            if re.match(re.escape(indent) + r"\}", lines[end]):
                yield name[1], end - header + 1
                break


over = {}
files = subprocess.run(["git", "ls-files", "*.cc", "*.h", "*.ts", "*.svelte", "*.mjs", "*.py"], cwd=root,
                       capture_output=True, text=True, check=True).stdout.split()
for name in files:
    if not (root / name).exists():
        continue
    lines = (root / name).read_text(encoding="utf-8").splitlines()
    if len(lines) > FILE_LINES:
        over[name] = len(lines)
    if name.endswith(".py") or name.endswith("_test.cc"):
        continue
    if name.endswith(".svelte") and "<style>" in lines:
        lines = lines[: lines.index("<style>")]
    for function, length in functions(lines):
        if length > FUNCTION_LINES:
            key = f"{name}:{function}"
            over[key] = max(length, over.get(key, 0))

if "--write" in sys.argv:
    listed.write_text("".join(f"{k} {v}\n" for k, v in sorted(over.items())), encoding="utf-8")
allowed = dict(line.rsplit(" ", 1) for line in listed.read_text(encoding="utf-8").splitlines() if line) if listed.exists() else {}
faults = [f"{key}: {size} lines, over the limit and not in {listed.name}" for key, size in over.items() if key not in allowed]
faults += [f"{key}: grown from {allowed[key]} to {size} lines" for key, size in over.items()
           if key in allowed and size > int(allowed[key])]
faults += [f"{key}: within the limit now; take it off {listed.name}" for key in allowed if key not in over]
print("\n".join(faults) if faults else f"sizes: {len(over)} over the limits, all listed")
sys.exit(1 if faults else 0)
