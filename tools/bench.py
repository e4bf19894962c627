#!/usr/bin/env python3
"""bench.py [NAME...] [--json] [--connections N] [--seconds S] [--rounds R]

Measures each figure beside its budget and, where a peer is installed, the ratio in the same run.

  votes     ballots, vote to tally, fan-out (peer: Centrifugo), memory, start, replay, on real sockets
  crdt      shared documents: crdt-benchmarks' B1 to B4, merging, late updates, memory (peers: yjs, yrs);
            and boards of the server on real sockets
  sfu       forwarding: packets per CPU-second, cost beside a bare loop, delay, allocations, memory of a session; the
            same load on mediasoup and Janus (bench/peers); in Chromium a viewer's wait for its first frame, and from
            page to page by a burnt-in clock
  hls       the program: from a camera to the screen of a viewer in Chromium, by a burnt-in clock; its origin: requests
            per CPU-second beside nginx with the same bytes as files, waits, requests that reach it through Varnish and
            nginx
  micro     the Google Benchmark programs of bench/

Machines are noisy: each figure is the median of --rounds runs, ours and the peer's in turn.
With --json one object a line: bench, metric, value, unit, budget, holds and peer, peer_value, ratio.
"""
import argparse
import json
import os
import pathlib
import shutil
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request

from bench_boards import bench_boards as board_rows
from bench_crdt import bench_crdt as crdt_rows
from bench_compositor import bench_compositor as compositor_rows
from bench_delay import bench_program_delay as program_delay_rows
from bench_hls import bench_hls as hls_rows
from bench_sfu import bench_sfu as sfu_rows

root = pathlib.Path(__file__).resolve().parents[1]
BIN = root / "build/release/src/cli/footlight"
EPISODE = root / "examples/drama.episode.yaml"
CENTRIFUGO_VERSION = "v6.9.1"
INSTALL = "./dev deps bench"
UNLIMITED = {f"limits.{what}.{scope}": "unlimited" for what in ("vote", "join")
             for scope in ("connection", "voter", "prefix", "episode")}


def say(text):
    print(text, file=sys.stderr, flush=True)


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def answers(url):
    try:
        with urllib.request.urlopen(url, timeout=1) as answer:
            return answer.status == 200
    except OSError:
        return False


class Process:
    """A server as a child process, ended by its own pid."""

    def __init__(self, words, ready_url, log):
        began = time.monotonic()
        self.child = subprocess.Popen(words, stdout=log, stderr=log, stdin=subprocess.DEVNULL)
        while not answers(ready_url):
            if self.child.poll() is not None or time.monotonic() - began > 15:
                raise SystemExit(f"{words[0]} did not get ready; see {log.name}")
            time.sleep(0.001)
        self.ready_ms = (time.monotonic() - began) * 1000
        self.pid = self.child.pid

    def stop(self):
        self.child.send_signal(signal.SIGTERM)
        self.child.wait(timeout=30)


class Server(Process):
    def __init__(self, data, log, episode=EPISODE, threads=0):
        port = free_port()
        self.url = f"http://127.0.0.1:{port}"
        words = [str(BIN), "serve", "--dev", "--episode", str(episode), "--data", data, "--port", str(port),
                 "--threads", str(threads)]
        for key, value in UNLIMITED.items():
            words += ["--set", f"{key}={value}"]
        super().__init__(words, self.url + "/readyz", log)


def load(server, **options):
    words = [str(BIN), "load", "--url", server.url, "--episode-id", "drama", "--dev", "--json",
             "--server-pid", str(server.pid), "--connects-per-s", "1500"]
    for key, value in options.items():
        words += ["--" + key.replace("_", "-"), str(value)]
    done = subprocess.run(words, capture_output=True, text=True)
    if done.returncode not in (0, 1) or not done.stdout:
        raise SystemExit(f"load failed: {done.stderr}")
    return json.loads(done.stdout)


def replay_rate(path):
    """Ballots a second of the whole command `footlight replay`, its start and its printing included."""
    report = json.loads(subprocess.run([str(BIN), "verify", path, "--json"], capture_output=True, text=True, check=True).stdout)
    began = time.monotonic()
    subprocess.run([str(BIN), "replay", path], stdout=subprocess.DEVNULL, check=True)
    return {"ballots_per_s": report["ballots"] / (time.monotonic() - began)}


def centrifugo():
    """The peer's program, or None; nothing is installed here."""
    for place in (os.environ.get("CENTRIFUGO"), root / "build/peers/centrifugo", shutil.which("centrifugo")):
        if place and os.access(place, os.X_OK):
            return place
    return None


def run_centrifugo(program, scratch, log, connections, seconds, hz):
    port = free_port()
    config = {
        "http_server": {"port": port, "address": "127.0.0.1"},
        "http_api": {"key": "bench"},
        "client": {"allow_anonymous_connect_without_token": True, "allowed_origins": ["*"],
                   "connection_limit": 0, "ping_interval": "25s"},
        "channel": {"without_namespace": {"allow_subscribe_for_anonymous": True, "allow_subscribe_for_client": True}},
        "health": {"enabled": True},
        "log": {"level": "error"},
    }
    path = pathlib.Path(scratch) / "centrifugo.json"
    path.write_text(json.dumps(config))
    server = Process([program, "-c", str(path)], f"http://127.0.0.1:{port}/health", log)
    try:
        done = subprocess.run([str(root / "build/release/bench/peer_centrifugo"), f"http://127.0.0.1:{port}", "bench",
                               str(server.pid), str(connections), str(seconds), str(hz)],
                              capture_output=True, text=True, check=True)
        return json.loads(done.stdout)
    finally:
        server.stop()


class Results:
    def __init__(self, bench, as_json):
        self.bench, self.as_json, self.broken = bench, as_json, 0

    def add(self, metric, value, unit, budget=None, at_least=False, peer=None, peer_value=None, higher_is_better=True,
            least_ratio=None):
        holds = budget is None or (value >= budget if at_least else value <= budget)
        row = {"bench": self.bench, "metric": metric, "value": round(value, 3), "unit": unit, "budget": budget, "holds": holds}
        if peer_value:
            ratio = value / peer_value if higher_is_better else peer_value / value
            row.update(peer=peer, peer_value=round(peer_value, 3), ratio=round(ratio, 2))
            if least_ratio is not None and ratio < least_ratio:
                row["holds"] = holds = False
        self.broken += 0 if holds else 1
        if self.as_json:
            print(json.dumps(row), flush=True)
        else:
            bound = "" if budget is None else f"{'>=' if at_least else '<='} {budget:g}"
            extra = f"   {row['ratio']} x {peer} ({peer_value:.4g})" if peer_value else ""
            print(f"{'  ' if holds else '! '}{metric:44} {value:14.4g} {unit:18} {bound:12}{extra}", flush=True)


def median(rows, key):
    return statistics.median(row[key] if isinstance(key, str) else key(row) for row in rows)


def bench_votes(args):
    results = Results("votes", args.json)
    program = centrifugo()
    if program is None:
        say(f"skipped: Centrifugo {CENTRIFUGO_VERSION} is not installed ({INSTALL})")
    fan_out, ballots, votes, peers, ready, replays = [], [], [], [], [], []
    connections, seconds = args.connections, args.seconds
    log = open(root / "build/bench.log", "w")
    bare_us = bench_bare_loop(args, results)
    # The budgets were set where a bare send() takes 6 us. Where the kernel takes longer, ten tallies a second to all
    # connections may be more sends than there is time for: then the same is measured once more with as many
    # connections as cost the kernel what the budgets suppose.
    fewer = int(connections * 6 / bare_us) if bare_us > 9 else None
    scaled_votes, scaled_ballots = [], []
    for turn in range(args.rounds):
        say(f"round {turn + 1} of {args.rounds}")
        with tempfile.TemporaryDirectory() as scratch:
            server = Server(scratch, log)
            ready.append(server.ready_ms)
            fan_out.append(load(server, connections=connections, votes_per_s=100, seconds=seconds))
            server.stop()
        if program:
            with tempfile.TemporaryDirectory() as scratch:
                peers.append(run_centrifugo(program, scratch, log, connections, seconds, 10))
        with tempfile.TemporaryDirectory() as scratch:
            server = Server(scratch, log)
            votes.append(load(server, connections=connections, votes_per_s=2000, seconds=seconds))
            server.stop()
        with tempfile.TemporaryDirectory() as scratch:
            server = Server(scratch, log)
            ballots.append(load(server, connections=connections, votes_per_s=args.votes_per_s, batch=args.batch, seconds=seconds))
            server.stop()
            replays.append(replay_rate(f"{scratch}/drama.episode"))
        if fewer:
            for rows, rate, batch in ((scaled_votes, 2000, 1), (scaled_ballots, args.votes_per_s, args.batch)):
                with tempfile.TemporaryDirectory() as scratch:
                    server = Server(scratch, log)
                    rows.append(load(server, connections=fewer, votes_per_s=rate, batch=batch, seconds=seconds))
                    server.stop()

    def per_cpu(count):
        return lambda row: row[count] / max(row["server_cpu_ms"], 1) * 1000

    def session_kb(row):
        return (row["server_connected_bytes"] - row["server_idle_bytes"]) / 1024 / row["connections"]

    # The budget of 110k is 1.5 x a bare send() of 6 us: where the kernel takes longer for one, it is as much lower.
    deliveries = min(110e3, 1e6 / (1.5 * bare_us))
    results.add("ballots per server CPU-second", median(ballots, per_cpu("ballots_confirmed")), "ballots/s", 100e3, at_least=True)
    results.add("  of these per second of wall time", median(ballots, lambda r: r["ballots_confirmed"] * 1000 / r["measured_ms"]), "ballots/s")
    results.add("vote -> tally at another client, p99", median(votes, "tally_p99_us") / 1000, "ms", 150)
    results.add("vote -> tally at another client, p50", median(votes, "tally_p50_us") / 1000, "ms")
    results.add("  CPU of the load client, cores", median(votes, lambda r: r["client_cpu_ms"] / r["measured_ms"]), "cores")
    if fewer:
        results.add(f"  ballots, {fewer} connections", median(scaled_ballots, per_cpu("ballots_confirmed")), "ballots/s", 100e3, at_least=True)
        results.add(f"  vote -> tally, {fewer} connections, p99", median(scaled_votes, "tally_p99_us") / 1000, "ms", 150)
    results.add("vote -> confirmed (audience, acks at a tick), p99", median(votes, "confirm_p99_us") / 1000, "ms")
    peer = "Centrifugo" if peers else None
    results.add("tally deliveries per server CPU-second", median(fan_out, per_cpu("tallies_received")), "deliveries/s", round(deliveries), at_least=True,
                peer=peer, peer_value=median(peers, per_cpu("deliveries")) if peers else None, least_ratio=3)
    if peers:
        results.add("  a bare send() beside Centrifugo", 1e6 / bare_us / median(peers, per_cpu("deliveries")), "times")
    results.add("memory per idle WebSocket session, user space", median(fan_out, session_kb), "KB", 6,
                peer=peer, peer_value=median(peers, session_kb) if peers else None, higher_is_better=False)
    results.add("start to ready, empty data directory", statistics.median(ready), "ms", 100)
    results.add("replay", median(replays, "ballots_per_s"), "ballots/s", 1e6, at_least=True)
    bench_command(args, results, log)
    return results.broken


def bench_command(args, results, log):
    """In a rehearsal of a whole episode, some fifty commands; and the director's rolls at random moments before an audience of
    500 that votes, some hundreds."""
    rows, rehearsed = [], []
    for _ in range(args.rounds):
        with tempfile.TemporaryDirectory() as scratch:
            server = Server(scratch, log)
            rows.append(load(server, connections=500, votes_per_s=100, commands_per_s=20, seconds=2 * args.seconds))
            server.stop()
        done = subprocess.run([str(BIN), "rehearse", "--episode", str(EPISODE), "--cast", "4", "--audience", "500",
                               "--seconds", "15", "--no-media", "--json"], capture_output=True, text=True)
        rehearsed += [row for row in map(json.loads, done.stdout.splitlines()) if row["metric"] == "command"]
    if rehearsed:
        results.add("command -> confirmed (durable), a rehearsal, p99", median(rehearsed, "value") / 1000, "ms", 30)
        results.add("  p50", median(rehearsed, "p50") / 1000, "ms")
    results.add("command -> confirmed (durable), rolls, p99", median(rows, "command_p99_us") / 1000, "ms", 30)
    results.add("  p50", median(rows, "command_p50_us") / 1000, "ms")
    results.add("  samples", sum(row["commands"] for row in rows), "commands")


def bare_loop(connections):
    program = root / "build/release/bench/fan_out"
    done = subprocess.run([str(program), str(connections)], capture_output=True, text=True, check=True)
    return json.loads(done.stdout.splitlines()[-1])


def bench_bare_loop(args, results):
    """Our broadcast beside a bare loop of send() on the same sockets, in one process, turn by turn."""
    row = bare_loop(args.connections)
    results.add("broadcast beside a bare loop of send()", row["ratio"], "times its cost", 1.5)
    results.add("  bare send() on this machine", row["bare_us"], "us", peer="the 6 us budgets were set at", peer_value=6, higher_is_better=False)
    return row["bare_us"]


def bench_crdt(args):
    results = Results("crdt", args.json)
    if not args.boards_only:
        crdt_rows(results, args.rounds, say)
    board_rows(results, args.rounds, say, lambda episode, data, log: Server(data, log, episode, threads=1), bare_loop(500)["bare_us"])
    return results.broken


def bench_hls(args):
    results = Results("hls", args.json)
    compositor_rows(results, args.rounds, args.seconds, say)
    program_delay_rows(results, args.rounds, say)
    return hls_rows(results, args.rounds, say)


def bench_sfu(args):
    tools = argparse.Namespace(free_port=free_port, serve=lambda data, log: Server(data, log))
    return sfu_rows(Results("sfu", args.json), args.rounds, args.viewers, args.seconds, say, tools)


def bench_micro(args):
    for program in sorted((root / "build/release/bench").glob("*_bench")):
        words = [str(program), "--benchmark_min_time=0.3"] + (["--benchmark_format=json"] if args.json else [])
        done = subprocess.run(words, capture_output=args.json, text=True)
        if done.returncode != 0:
            return 1
        if args.json:
            for row in json.loads(done.stdout)["benchmarks"]:
                print(json.dumps({"bench": program.stem, "metric": row["name"], "value": row["real_time"], "unit": row["time_unit"],
                                  "budget": None, "holds": True}))
    return 0


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", choices=["votes", "crdt", "sfu", "hls", "micro", []], default=[])
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--boards-only", action="store_true", help="of crdt only what concerns boards of the server")
    parser.add_argument("--connections", type=int, default=5000)
    parser.add_argument("--seconds", type=int, default=8)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--viewers", type=int, default=100, help="of sfu")
    # More than a core's worth, since the figure is what a core can do; ten tallies a second to everybody cost the same
    # however many ballots there are.
    parser.add_argument("--votes-per-s", type=int, default=120000)
    parser.add_argument("--batch", type=int, default=8)
    args = parser.parse_args()
    broken = 0
    for name in args.names or ["votes", "crdt", "sfu", "hls", "micro"]:
        broken += {"votes": bench_votes, "crdt": bench_crdt, "sfu": bench_sfu, "hls": bench_hls, "micro": bench_micro}[name](args)
    if broken:
        say(f"{broken} figures do not hold their budget (marked !)")
    sys.exit(1 if broken else 0)


main()
