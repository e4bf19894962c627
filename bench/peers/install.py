#!/usr/bin/env python3
"""The peers that ./dev bench measures beside us and Debian has no package of, into build/peers; the last step of
./dev deps bench. Nothing outside build/peers and the clients' own caches is written.

mediasoup   npm's sources; its worker is built on Debian's libraries (install_mediasoup.py, a few minutes)
Centrifugo  a Go module; needs a Go as new as the module says, which is newer than Debian's
"""
import os
import pathlib
import re
import shutil
import subprocess
import sys

root = pathlib.Path(__file__).resolve().parents[2]
home = root / "build/peers"
CENTRIFUGO = re.search(r'^CENTRIFUGO_VERSION = "(\S+)"', (root / "tools/bench.py").read_text(), re.M).group(1)


def main():
    home.mkdir(parents=True, exist_ok=True)
    if (home / "centrifugo").exists():
        print("Centrifugo is there")
    elif shutil.which("go") is None:
        print("skipped: Centrifugo, as there is no Go (go.dev)")
    else:
        print(f"building Centrifugo {CENTRIFUGO}", flush=True)
        subprocess.run(["go", "install", f"github.com/centrifugal/centrifugo/v6@{CENTRIFUGO}"], check=True,
                       env={**os.environ, "GOBIN": str(home)})
    if (home / "mediasoup/mediasoup-worker").exists():
        print("mediasoup is there")
    else:
        subprocess.run([sys.executable, str(root / "bench/peers/install_mediasoup.py")], check=True)


main()
