"""The boards' part of bench.py crdt: what a board costs the real server, over real sockets, with the load in a process of
its own (bench/boards_load.cc)."""
import json
import pathlib
import statistics
import subprocess
import tempfile
import urllib.request

root = pathlib.Path(__file__).resolve().parents[1]
SET_AT_US = 6.0
PROGRAM = root / "build/release/bench/boards_load"
EPISODE = "footlight: 1\ntitle: Bench\nboards:\n  table: {title: Table}\n"


def gauge(server, name):
    with urllib.request.urlopen(server.url + "/metrics", timeout=5) as answer:
        lines = [line.split() for line in answer.read().decode().splitlines() if line.startswith(name)]
    return sum(float(words[-1]) for words in lines)


def run(mode, people, amount, start):
    """One measurement on a server of its own; `start(episode file, data directory, log)` gives it."""
    with tempfile.TemporaryDirectory() as scratch:
        episode = pathlib.Path(scratch) / "bench.episode.yaml"
        episode.write_text(EPISODE)
        with open(root / "build/bench.log", "w") as log:
            server = start(episode, f"{scratch}/data", log)
            try:
                port = server.url.rsplit(":", 1)[1]
                done = subprocess.run([str(PROGRAM), mode, port, str(server.pid), str(people), str(amount)],
                                      capture_output=True, text=True, timeout=240)
                if done.returncode != 0 or not done.stdout:
                    raise SystemExit(f"boards_load {mode} failed: {done.stderr}")
                return json.loads(done.stdout) | {"document": gauge(server, "footlight_board_memory_bytes"),
                                                  "updates": gauge(server, "footlight_board_updates_total")}
            finally:
                server.stop()


def bench_boards(results, rounds, say, start, bare_us):
    rows = {mode: [] for mode in ("relay", "drag", "point")}
    for turn in range(rounds):
        say(f"boards, round {turn + 1} of {rounds}")
        rows["relay"].append(run("relay", 1000, 60, start))
        rows["drag"].append(run("drag", 500, 20, start))
        rows["point"].append(run("point", 500, 10, start))

    def median(mode, key):
        return statistics.median(row[key] for row in rows[mode])

    results.add("relay of an edit to 1,000 clients of a board, p99", median("relay", "p99_ms"), "ms", 50)
    results.add("  p50", median("relay", "p50_ms"), "ms")
    results.add("  edits that did not reach a client", sum(row["expected"] - row["heard"] for row in rows["relay"]), "edits", 0)
    for mode, label in (("drag", "8 drag a token at 60 Hz, 500 watch (edits)"), ("point", "8 point at 60 Hz, 500 watch (awareness)")):
        # The budget of 10 % was set where a bare send() takes 6 us: a slower kernel's part of it is added, and said.
        sends = median(mode, "sends_per_s")
        scaled = 10 + sends * max(bare_us - SET_AT_US, 0) / 1e4
        results.add(f"{label}: the server", median(mode, "cpu_percent"), "% of a core", round(scaled, 1))
        results.add(f"  budget where a send() takes {SET_AT_US:g} us", 10, "% of a core")
        results.add(f"  bare send() on this machine, {sends:.0f} of them a second", bare_us, "us")
        results.add("  growth of its memory after compaction", median(mode, "rss_growth_kb"), "KB", 1024 if mode == "drag" else None)
        if mode == "drag":
            results.add("  the document, history included", median(mode, "document") / 1024, "KB")
            results.add("  of it for each edit", statistics.median(row["document"] / row["updates"] for row in rows[mode]), "bytes")
        results.add("  changes each of those who watch is shown", median(mode, "heard_per_s"), "a second")
        results.add("  connections cut", sum(row["cut"] for row in rows[mode]), "connections", 0)
