#!/usr/bin/env python3
"""The one package list is complete and well-formed: every CMake and script dependency that is not part of
a minimal Debian 12 has its line in tools/packages.txt, and nothing else installs packages."""
import pathlib
import re
import subprocess
import sys

root = pathlib.Path(__file__).resolve().parents[2]
listed = {}
for line in (root / "tools/packages.txt").read_text().splitlines():
    if line and not line.startswith("#"):
        name, group = line.split()[:2]
        assert group in ("run", "test", "bench"), line
        listed[name] = group

NEEDS = {  # what a build file or source may ask for → the package that brings it
    r"find_package\(OpenSSL": "libssl-dev",
    r"find_package\(SQLite3": "libsqlite3-dev",
    r"find_package\(GTest": "libgtest-dev",
    r"find_package\(benchmark": "libbenchmark-dev",
    r"find_package\(Boost|boost/asio|boost/beast": "libboost1.81-dev",
    r"find_package\(ZLIB": "zlib1g-dev",
    r"\bnghttp2\b": "libnghttp2-dev",
    r"yaml-cpp": "libyaml-cpp-dev",
    r"CLI/CLI\.hpp|CLI11": "libcli11-dev",
    r"clang\+\+-19|clang-19": "clang-19",
    r"clang-format-19": "clang-format-19",
    r"wasm32-wasi": "wasi-libc",
    r"/usr/bin/chromium": "chromium",
    r"libavformat": "libavformat-dev",
    r"libavcodec": "libavcodec-dev",
    r"libavutil": "libavutil-dev",
    r"libswscale": "libswscale-dev",
    r"pangocairo": "libpango1.0-dev",
    r"opus/opus\.h": "libopus-dev",
    r"\bIPSec_MB\b": "libipsec-mb-dev",
    r"DejaVu Sans": "fonts-dejavu-core",
    r"pkg_check_modules": "pkg-config",
    r"\bffprobe\b": "ffmpeg",
}
faults = []
files = subprocess.run(["git", "ls-files"], cwd=root, capture_output=True, text=True, check=True).stdout.split()
wanted = set()
for name in files:
    path = root / name
    if not re.search(r"(CMakeLists\.txt|CMakePresets\.json|\.cmake|\.cc|\.h|\.sh|\.mjs|\.ts|^dev)$", name) or not path.is_file():
        continue
    text = path.read_text(encoding="utf-8", errors="replace")
    for pattern, package in NEEDS.items():
        if re.search(pattern, text):
            wanted.add(package)
            if package not in listed:
                faults.append(f"{name}: needs {package}, which tools/packages.txt lacks")
    if name != "dev" and not name.startswith("deploy/") and re.search(r"apt(-get)? install", text):
        faults.append(f"{name}: installs packages itself; only ./dev deps does")
for package in set(NEEDS.values()) & set(listed):
    if package not in wanted:
        faults.append(f"tools/packages.txt: nothing uses {package}")
print("\n".join(faults) if faults else f"packages: {len(listed)} listed, all needs covered")
sys.exit(1 if faults else 0)
