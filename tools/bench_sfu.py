"""The sfu part of bench.py: what forwarding costs, on real sockets over loopback (bench/sfu_forward.cc says how it
is counted), beside a bare loop that encrypts and sends the same packets in the same bursts."""
import json
import pathlib
import statistics
import subprocess

from bench_delay import bench_rtc_delay

root = pathlib.Path(__file__).resolve().parents[1]
PROGRAM = root / "build/release/bench/sfu_forward"

VIDEO_PER_CPU_S, AUDIO_PER_CPU_S = 350e3, 250e3
OVER_BARE, SESSION_KB = 1.9, 64


def bench_sfu(results, rounds, viewers, seconds, say):
    rows = []
    for turn in range(rounds):
        say(f"round {turn + 1} of {rounds}")
        done = subprocess.run([str(PROGRAM), str(viewers), str(seconds)], capture_output=True, text=True, check=True)
        rows.append(json.loads(done.stdout))

    def median(kind, key):
        return statistics.median(row[kind][key] for row in rows)

    for kind, budget in (("video", VIDEO_PER_CPU_S), ("audio", AUDIO_PER_CPU_S)):
        what = "1 -> N, 2.5 Mbps" if kind == "video" else "10 talkers -> N"
        results.add(f"{kind} forwarded per CPU-second ({what})", 1e6 / median(kind, "us"), "packets/s", budget, at_least=True)
        ratio = statistics.median(row[kind]["us"] / row[kind]["bare_us"] for row in rows)
        results.add("  beside a bare loop of cipher and send", ratio, "times its cost", OVER_BARE if kind == "video" else None)
        results.add("    bare loop", median(kind, "bare_us"), "us a packet")
        results.add("  allocations", median(kind, "allocations"), "a packet", 0.0005)
        results.add("  decrypted by the viewers", median(kind, "delivered"), "of those sent", 0.999, at_least=True)
    results.add("memory per subscriber session (a picture)", median("video", "memory_kb"), "KB", SESSION_KB)
    results.add("memory per subscriber session (10 voices)", median("audio", "memory_kb"), "KB")
    bench_rtc_delay(results, rounds, say)
    return results.broken
