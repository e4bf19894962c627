"""The sfu part of bench.py that compares: the same publishers and viewers (`footlight load media --made`, WHIP and WHEP)
on Footlight and on the peers that are installed, each a process of its own. What counts is packets that reached
viewers per CPU-second of the server, from /proc; and how long a packet was on the way.

Peers: mediasoup (bench/peers/install_mediasoup.py; its worker is what is measured, Node carries its signaling alone)
and Janus (Debian's package; its video room)."""
import json
import os
import pathlib
import shutil
import signal
import socket
import statistics
import subprocess
import tempfile
import time
import urllib.request

root = pathlib.Path(__file__).resolve().parents[1]
BIN = root / "build/release/src/cli/footlight"
PEERS = root / "bench/peers"
MEDIASOUP = root / "build/peers/mediasoup"
MEDIASOUP_VERSION = "3.12.16"


def own_address():
    """The machine's own address, which Janus needs, as it never gathers loopback; None without one. Sends nothing."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("192.0.2.1", 9))
        except OSError:
            return None
        return probe.getsockname()[0]


class Child:
    def __init__(self, words, ready_url, log, **options):
        self.child = subprocess.Popen([str(word) for word in words], stdout=log, stderr=log, stdin=subprocess.DEVNULL, **options)
        self.ready(ready_url, words[0])

    def ready(self, url, name):
        for _ in range(1000):
            try:
                with urllib.request.urlopen(url, timeout=1) as answer:
                    self.said = answer.read().decode()
                    return
            except OSError:
                if self.child.poll() is not None:
                    break
                time.sleep(0.01)
        self.stop()
        raise RuntimeError(f"{name} did not get ready")

    def stop(self):
        if self.child.poll() is None:
            self.child.send_signal(signal.SIGTERM)
        try:
            self.child.wait(timeout=10)
        except subprocess.TimeoutExpired:
            self.child.kill()
            self.child.wait()


class Mediasoup:
    name = f"mediasoup {MEDIASOUP_VERSION}"

    @staticmethod
    def missing():
        if not shutil.which("node") or not (MEDIASOUP / "mediasoup-worker").exists():
            return "it is not installed (./dev deps bench)"
        return None

    def __init__(self, _scratch, log, free_port):
        port = free_port()
        self.adapter = Child(["node", PEERS / "mediasoup.mjs", port, MEDIASOUP / "node_modules/mediasoup", free_port()],
                             f"http://127.0.0.1:{port}/", log,
                             env={**os.environ, "MEDIASOUP_WORKER_BIN": str(MEDIASOUP / "mediasoup-worker")})
        self.pid = int(self.adapter.said)
        self.url = f"http://127.0.0.1:{port}"

    def stop(self):
        self.adapter.stop()


class Janus:
    name = "Janus"
    HELD_BACK = {
        "plugins": "audiobridge duktape echotest lua nosip recordplay sip streaming textroom videocall voicemail",
        "transports": "mqtt nanomsg pfunix rabbitmq websockets",
    }

    @staticmethod
    def missing():
        if not shutil.which("janus"):
            return "it is not installed (./dev deps bench)"
        return None if own_address() else "it needs an address other than loopback"

    def __init__(self, scratch, log, free_port):
        port, api = free_port(), free_port()
        home = pathlib.Path(scratch)
        folder = pathlib.Path("/usr/lib") / os.uname().machine.replace("amd64", "x86_64")
        libraries = next(iter(folder.parent.glob("*/janus")))
        off = {kind: ",".join(f"libjanus_{name}.so" for name in names.split()) for kind, names in self.HELD_BACK.items()}
        (home / "janus.jcfg").write_text(f"""
general: {{ configs_folder = "{home}"; plugins_folder = "{libraries}/plugins"; transports_folder = "{libraries}/transports";
  events_folder = "{libraries}/events"; loggers_folder = "{libraries}/loggers"; debug_level = 2; session_timeout = 0 }}
nat: {{ ice_lite = true; ice_enforce_list = "{own_address()}" }}
plugins: {{ disable = "{off['plugins']}" }}
transports: {{ disable = "{off['transports']}" }}
""")
        (home / "janus.transport.http.jcfg").write_text(f"""
general: {{ json = "compact"; base_path = "/janus"; http = true; port = {api}; ip = "127.0.0.1"; https = false }}
admin: {{ admin_http = false; admin_https = false }}
""")
        (home / "janus.plugin.videoroom.jcfg").write_text("general: { }\n")
        self.janus = Child(["janus", "-F", home], f"http://127.0.0.1:{api}/janus/info", log)
        self.pid = self.janus.child.pid
        try:
            self.adapter = Child(["node", PEERS / "janus.mjs", port, f"http://127.0.0.1:{api}/janus", self.pid],
                                 f"http://127.0.0.1:{port}/", log)
        except RuntimeError:
            self.janus.stop()
            raise
        self.url = f"http://127.0.0.1:{port}"

    def stop(self):
        self.adapter.stop()
        self.janus.stop()


def load(server, kind, publishers, viewers, seconds, ours=None):
    words = [BIN, "load", "media", "--made", kind, "--publishers", publishers, "--subscribers", viewers, "--seconds", seconds,
             "--server-pid", server.pid, "--json"]
    words += ours if ours else ["--whip", server.url + "/whip", "--whep", server.url + "/whep"]
    done = subprocess.run([str(word) for word in words], capture_output=True, text=True)
    if not done.stdout:
        raise RuntimeError(f"load failed: {done.stderr.strip()[-300:]}")
    return judged(json.loads(done.stdout), kind, publishers, viewers)


def judged(report, kind, publishers, viewers):
    """What counts of a report."""
    seen = report["video" if kind == "picture" else "voice"]
    seconds = report["measured_ms"] / 1000
    per_viewer = 270 if kind == "picture" else 50 * publishers
    return {
        "per_cpu_s": seen["packets"] / max(report["server_cpu_ms"], 1) * 1000,
        "us": report["server_cpu_ms"] * 1000 / max(seen["packets"], 1),
        "came": seen["packets"] / (per_viewer * viewers * seconds),
        "p50_ms": seen["one_way_p50_us"] / 1000,
        "p99_ms": seen["one_way_p99_us"] / 1000,
        "cores": report["server_cpu_ms"] / report["measured_ms"],
    }


class Footlight:
    """`footlight serve`, measured like its peers: as a process, from /proc."""
    name = "Footlight"

    def __init__(self, server):
        self.server, self.pid = server, server.pid
        self.words = ["--url", server.url, "--episode-id", "drama", "--dev"]

    def stop(self):
        self.server.stop()


# kind of load, publishers, what it is called, and for each peer how many times as much we are to do.
LOADS = (
    ("picture", 1, "video, 1 -> N", {"mediasoup": 3.5, "Janus": 6}),
    ("voice", 10, "10 talkers -> N", {"mediasoup": 2.5, "Janus": None}),
)


def bench_peers(results, rounds, viewers, seconds, say, tools):
    """`tools`: free_port, and a function (data, log) that starts our server."""
    peers = []
    for peer in (Mediasoup, Janus):
        missing = peer.missing()
        if missing:
            say(f"skipped: {peer.name}, as {missing}")
        else:
            peers.append(peer)
    log = open(root / "build/bench.log", "a")
    for kind, publishers, title, bounds in LOADS:
        rows = {}
        for turn in range(rounds):
            say(f"{title} beside peers, round {turn + 1} of {rounds}")
            for peer in [Footlight, *peers]:
                with tempfile.TemporaryDirectory() as scratch:
                    server = Footlight(tools.serve(scratch, log)) if peer is Footlight else peer(scratch, log, tools.free_port)
                    try:
                        row = load(server, kind, publishers, viewers, seconds, getattr(server, "words", None))
                    finally:
                        server.stop()
                rows.setdefault(peer, []).append(row)

        def median(peer, key):
            return statistics.median(row[key] for row in rows[peer])

        ours = median(Footlight, "per_cpu_s")
        results.add(f"{title} ({viewers}), as a process", ours, "packets/CPU-s")
        results.add("  came, of what was due", median(Footlight, "came"), "", 0.99, at_least=True)
        results.add("  one way through it, p50", median(Footlight, "p50_ms"), "ms")
        results.add("  one way through it, p99", median(Footlight, "p99_ms"), "ms")
        for peer in peers:
            bound = bounds[peer.name.split()[0]]
            ratio = statistics.median(a["per_cpu_s"] / b["per_cpu_s"] for a, b in zip(rows[Footlight], rows[peer]))
            results.add(f"  beside {peer.name}", ratio, "times", bound, at_least=True)
            results.add("    its own", median(peer, "per_cpu_s"), "packets/CPU-s")
            results.add("    came, of what was due", median(peer, "came"), "")
            results.add("    one way through it, p50", median(peer, "p50_ms"), "ms")
            results.add("    one way through it, p99", median(peer, "p99_ms"), "ms")
