"""The rows of bench.py that are measured in Chromium, by a time that is burnt into pictures and a voice where they are
taken and read where they are shown (tests/e2e/lib/clock_page.mjs). Skipped where there is no Chromium."""
import json
import pathlib
import shutil
import statistics
import subprocess

root = pathlib.Path(__file__).resolve().parents[1]

RTC_P99_MS = 150
SHOWN_P50_MS, SHOWN_P99_MS = 2000, 3000
CUE_PACKAGER_MS, CUE_PLAYER_MS = 1000 / 30 + 1, 100
CUT_MS, VOTE_MS = 3000, 500


def in_chromium(program, seconds, results, rounds, say):
    """The program's JSON of each round; without Chromium none. A round that fails is a figure that does not hold."""
    if shutil.which("node") is None or shutil.which("chromium") is None:
        say(f"skipped: {program}, as there is no Chromium")
        return []
    rows = []
    for turn in range(rounds):
        say(f"{program}, round {turn + 1} of {rounds}")
        done = subprocess.run(["node", str(root / "tests/e2e" / program), str(seconds)], capture_output=True, text=True)
        if done.returncode != 0:
            say(f"{program} failed: {done.stderr[-2000:]}")
            results.broken += 1
            continue
        rows.append(json.loads(done.stdout.splitlines()[-1]))
    return rows


def median(rows, *path):
    def at(row):
        for key in path:
            row = row[key]
        return row

    return statistics.median(at(row) for row in rows)


def bench_rtc_delay(results, rounds, say):
    rows = in_chromium("delay_rtc.mjs", 20, results, rounds, say)
    for kind in ("picture", "voice") if rows else ():
        for rank, budget in (("p50_ms", None), ("p99_ms", RTC_P99_MS)):
            name = f"{kind}, Chromium -> node -> Chromium, {rank[:3]}"
            results.add(name if rank == "p99_ms" else "  " + name, median(rows, "node", kind, rank), "ms", budget,
                        peer="page to page without a server", peer_value=median(rows, "bare", kind, rank),
                        higher_is_better=False)


def bench_program_delay(results, rounds, say):
    rows = in_chromium("delay_program.mjs", 40, results, rounds, say)
    if not rows:
        return
    results.add("captured -> shown, 4 cast on WebRTC, hls.js, p50", median(rows, "shown", "p50_ms"), "ms", SHOWN_P50_MS)
    results.add("  p99", median(rows, "shown", "p99_ms"), "ms", SHOWN_P99_MS)
    results.add("cue and the picture that shows it, in the stream", median(rows, "cue", "packager_ms"), "ms",
                round(CUE_PACKAGER_MS))
    results.add("  in the player", median(rows, "cue", "player_ms"), "ms", CUE_PLAYER_MS)
    results.add("  poll on the page and in the picture", median(rows, "cue", "page_ms"), "ms", CUE_PLAYER_MS)
    results.add("WebRTC cut -> picture from HLS", median(rows, "cut", "picture_ms"), "ms", CUT_MS)
    results.add("  votes meanwhile, slowest to be confirmed", max(row["cut"]["slowest_ms"] for row in rows), "ms", VOTE_MS)
    results.add("  votes lost", max(row["cut"]["lost"] for row in rows), "votes", 0)
