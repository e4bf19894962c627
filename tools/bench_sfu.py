"""The sfu part of bench.py: what forwarding costs, on real sockets over loopback (bench/sfu_forward.cc says how it
is counted), beside a bare loop that encrypts and sends the same packets in the same bursts; and the server as a process
of its own beside its peers (bench_sfu_peers.py), and with a viewer in Chromium."""
import json
import os
import pathlib
import shutil
import statistics
import subprocess

from bench_delay import bench_rtc_delay
from bench_sfu_peers import bench_peers

root = pathlib.Path(__file__).resolve().parents[1]
PROGRAM = root / "build/release/bench/sfu_forward"

VIDEO_PER_CPU_S, AUDIO_PER_CPU_S = 350e3, 250e3
OVER_BARE, SESSION_KB, DELAY_MS, JOIN_MS = 1.9, 64, 1, 400
BARE_US = {"video": 1.5, "audio": 1.3}  # on the machine that the budgets were set for


def chromium_joins():
    """How long viewers in Chromium wait for their first frame; None where there is none."""
    if not shutil.which("node") or not os.access(os.environ.get("CHROMIUM", "/usr/bin/chromium"), os.X_OK):
        return None
    done = subprocess.run(["node", str(root / "tests/e2e/join_time.mjs")], capture_output=True, text=True, check=True,
                          env={**os.environ, "FOOTLIGHT_BIN": str(root / "build/release/src/cli/footlight")})
    return json.loads(done.stdout)


def bench_sfu(results, rounds, viewers, seconds, say, tools):
    rows = []
    for turn in range(rounds):
        say(f"round {turn + 1} of {rounds}")
        done = subprocess.run([str(PROGRAM), str(viewers), str(seconds)], capture_output=True, text=True, check=True)
        rows.append(json.loads(done.stdout))

    def median(kind, key):
        return statistics.median(row[kind][key] for row in rows)

    for kind, budget in (("video", VIDEO_PER_CPU_S), ("audio", AUDIO_PER_CPU_S)):
        what = "1 -> N, 2.5 Mbps" if kind == "video" else "10 talkers -> N"
        per_cpu_s, bare_us = 1e6 / median(kind, "us"), median(kind, "bare_us")
        # A machine whose bare loop alone takes longer than the budget's has no room for the budget: the same share of
        # what its own bare loop leaves is asked for besides.
        slow = bare_us > 1.25 * BARE_US[kind]
        results.add(f"{kind} forwarded per CPU-second ({what})", per_cpu_s, "packets/s", budget, at_least=True)
        if slow:
            results.add(f"  budget scaled to this machine's bare loop, not {BARE_US[kind]} us", per_cpu_s, "packets/s",
                        round(budget * BARE_US[kind] / bare_us), at_least=True)
        ratio = statistics.median(row[kind]["us"] / row[kind]["bare_us"] for row in rows)
        results.add("  beside a bare loop of cipher and send", ratio, "times its cost", OVER_BARE if kind == "video" else None)
        results.add("    bare loop", bare_us, "us a packet")
        results.add("  allocations", median(kind, "allocations"), "a packet", 0.0005)
        results.add("  decrypted by the viewers", median(kind, "delivered"), "of those sent", 0.999, at_least=True)
        results.add(f"  delay added, {viewers // 2} viewers, p99", median(kind, "delay_p99_us") / 1000, "ms", DELAY_MS)
        results.add("    p50", median(kind, "delay_p50_us") / 1000, "ms")
    results.add("memory per subscriber session (a picture)", median("video", "memory_kb"), "KB", SESSION_KB)
    results.add("memory per subscriber session (10 voices)", median("audio", "memory_kb"), "KB")
    bench_peers(results, rounds, viewers, seconds, say, tools)
    joins = chromium_joins()
    if joins:
        results.add(f"join to first decoded frame in Chromium, p50 of {joins['joins']}", joins["p50_ms"], "ms", JOIN_MS)
        results.add("  p90", joins["p90_ms"], "ms")
    else:
        say("skipped: join to first frame, as there is no Chromium")
    bench_rtc_delay(results, rounds, say)
    return results.broken
