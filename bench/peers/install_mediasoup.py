#!/usr/bin/env python3
"""Installs mediasoup, a peer that ./dev bench sfu measures beside us when it is there, into build/peers/mediasoup.

  bench/peers/install_mediasoup.py      a few minutes; nothing outside build/peers is written

Its worker is built from the npm package's sources on Debian's libraries, without the downloads of its own build:
each subproject of its build files becomes a dependency. It needs these Debian packages: PACKAGES below.
"""
import os
import pathlib
import re
import shutil
import subprocess
import sys

VERSION = "3.12.16"
PACKAGES = "meson ninja-build libuv1-dev libsrtp2-dev libusrsctp-dev libabsl-dev nlohmann-json3-dev libssl-dev"
root = pathlib.Path(__file__).resolve().parents[2]
home = root / "build/peers/mediasoup"

DEPENDENCIES = {
    "openssl": ["openssl"], "nlohmann_json": ["nlohmann_json"], "libuv": ["libuv"], "libsrtp2": ["libsrtp2"],
    "usrsctp": ["usrsctp"], "abseil_cpp": ["absl_flat_hash_map", "absl_raw_hash_set", "absl_strings", "absl_optional"],
}


def on_debian(text):
    """A meson file of the worker with the system's libraries in the place of its subprojects; without its tests."""
    text = re.sub(r"\n  meson_version ?: [^\n]*", "", text)
    text = text.split("\ntest_sources = [")[0]
    text = re.sub(r"\n\w+_proj = subproject\(.*?\n\)", "", text, flags=re.S)
    text = re.sub(r"\nif host_machine\.system\(\) == 'windows'\n.*?\nendif", "", text, flags=re.S)
    text = re.sub(r"\nlink_whole = \[.*?\n\]", "\nlink_whole = [libwebrtc]", text, flags=re.S)

    def dependency(match):
        return ", ".join(f"dependency('{name}')" for name in DEPENDENCIES[match.group(1)])

    return re.sub(r"(\w+?)_proj\.get_variable\('\w+_dep'\)", dependency, text)


def main():
    missing = [name for name in PACKAGES.split() if subprocess.run(
        ["dpkg-query", "-W", name], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL).returncode != 0]
    if missing:
        sys.exit("needs these Debian packages first: " + " ".join(missing))
    home.mkdir(parents=True, exist_ok=True)
    (home / "package.json").write_text('{"private": true}\n')
    subprocess.run(["npm", "install", "--ignore-scripts", "--no-audit", "--no-fund", f"mediasoup@{VERSION}"],
                   cwd=home, check=True)
    worker = home / "node_modules/mediasoup/worker"
    for path in (worker / "meson.build", worker / "deps/libwebrtc/meson.build"):
        path.write_text(on_debian(path.read_text()))
    out = home / "out"
    if not (out / "build.ninja").exists():
        subprocess.run(["meson", "setup", "--buildtype=release", "-Db_ndebug=true", str(out), str(worker)], check=True)
    subprocess.run(["ninja", "-C", str(out), "-j", os.environ.get("JOBS", "2"), "mediasoup-worker"], check=True,
                   env={**os.environ, "CPLUS_INCLUDE_PATH": "/usr/include/srtp2"})
    shutil.copy(out / "mediasoup-worker", home / "mediasoup-worker")
    print(f"mediasoup {VERSION} is in {home.relative_to(root)}")


main()
