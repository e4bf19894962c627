"""The compositor's part of bench.py: four synthetic people of 640x360 at 30 pictures a second, mixed and encoded as
720p and 480p with sound (bench/compositor_live.cc)."""
import json
import pathlib
import statistics
import subprocess

root = pathlib.Path(__file__).resolve().parents[1]
PROGRAM = root / "build/release/bench/compositor_live"

CORES, PART_MS = 0.8, 533.4


def bench_compositor(results, rounds, seconds, say):
    rows = []
    for turn in range(rounds):
        say(f"round {turn + 1} of {rounds}")
        done = subprocess.run([str(PROGRAM), str(seconds)], capture_output=True, text=True, check=True)
        rows.append(json.loads(done.stdout))
    ages = [row["first_frame_to_part_out_ms"] for row in rows]
    results.add("compositor, 4 x 360p30 to 720p30 + 480p30 + sound", statistics.median(row["cores"] for row in rows),
                "cores", CORES)
    results.add("  a part's first frame to the part out, p50", statistics.median(age["p50"] for age in ages), "ms")
    results.add("    of it the part's own length", PART_MS, "ms")
    results.add("  the same, p99", statistics.median(age["p99"] for age in ages), "ms")
    results.add("  frames that came late", statistics.median(row["late_frames"] for row in rows), "frames")
    results.add("  memory", statistics.median(row["memory_mb"] for row in rows), "MB")
    return results.broken
