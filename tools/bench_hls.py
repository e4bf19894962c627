"""The hls part of bench.py: the program stream's origin on real sockets over loopback (bench/hls_origin.cc), beside
nginx with the same bytes as files, and behind the caches of deploy/. Servers that are not installed are skipped."""
import json
import os
import pathlib
import re
import shutil
import socket
import statistics
import subprocess
import tempfile
import time

root = pathlib.Path(__file__).resolve().parents[1]
PROGRAM = root / "build/release/bench/hls_origin"

CLIENTS, PARTS = 1000, 12
WAIT_P99_MS, PER_THING = 5, 2
PARKED, PARKED_BYTES = 10_000, 4096

FILES_CONF = """
daemon off; pid {folder}/pid; error_log {folder}/error.log; worker_processes 1; worker_rlimit_nofile 8192;
events {{ worker_connections 4096; }}
http {{ access_log off; sendfile on; tcp_nopush on; tcp_nodelay on; keepalive_requests 1000000;
  client_body_temp_path {folder}/t1; proxy_temp_path {folder}/t2; fastcgi_temp_path {folder}/t3; uwsgi_temp_path {folder}/t4;
  scgi_temp_path {folder}/t5; open_file_cache max=1000 inactive=60s;
  server {{ listen 127.0.0.1:{port} backlog=4096; root {files}; }} }}
"""


def free_port():
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return one.getsockname()[1]


def tool(name):
    return shutil.which(name) or shutil.which(f"/usr/sbin/{name}")


class Child:
    """A server that is there once its port answers, and ends with the block."""

    def __init__(self, command, port, folder):
        self.log = open(pathlib.Path(folder) / "server.log", "w")
        self.process = subprocess.Popen(command, stdout=self.log, stderr=subprocess.STDOUT)
        for _ in range(200):
            try:
                socket.create_connection(("127.0.0.1", port), 1).close()
                return
            except OSError:
                time.sleep(0.05)
        self.__exit__()
        raise RuntimeError(f"{command[0]} does not answer: {pathlib.Path(self.log.name).read_text()}")

    def __enter__(self):
        return self.process

    def __exit__(self, *_):
        self.process.terminate()
        self.process.wait()
        self.log.close()


def run(*args):
    done = subprocess.run([str(PROGRAM), *map(str, args)], capture_output=True, text=True)
    if done.returncode:
        raise RuntimeError(f"hls_origin {args}: {done.stderr}")
    return json.loads(done.stdout)


def beside_nginx(nginx, files):
    with tempfile.TemporaryDirectory() as folder:
        pathlib.Path(folder).chmod(0o755)
        port = free_port()
        conf = pathlib.Path(folder) / "nginx.conf"
        conf.write_text(FILES_CONF.format(folder=folder, port=port, files=files))
        with Child([nginx, "-c", str(conf), "-p", folder], port, folder) as process:
            worker = subprocess.run(["pgrep", "-P", str(process.pid)], capture_output=True, text=True).stdout.split()[0]
            return run("static", port, worker, PARTS, CLIENTS)


def behind_varnish(varnishd):
    with tempfile.TemporaryDirectory() as folder:
        origin, port = free_port(), free_port()
        vcl = (root / "deploy/varnish/program.vcl").read_text()
        made = pathlib.Path(folder) / "program.vcl"
        made.write_text(re.sub(r'\.port = "\d+"', f'.port = "{origin}"', vcl))
        pathlib.Path(folder).chmod(0o755)
        made.chmod(0o644)
        command = [varnishd, "-F", "-f", str(made), "-a", f"127.0.0.1:{port}", "-s", "malloc,256m", "-n", f"{folder}/work",
                   "-p", "thread_pool_min=50", "-j", "none"]
        with Child(command, port, folder):
            return run("behind", CLIENTS, PARTS, origin, port)


def behind_nginx(nginx):
    with tempfile.TemporaryDirectory() as folder:
        pathlib.Path(folder).chmod(0o755)
        origin, port = free_port(), free_port()
        conf = (root / "deploy/nginx/program.conf").read_text()
        conf = conf.replace("127.0.0.1:8080", f"127.0.0.1:{origin}").replace("listen 80 ", f"listen 127.0.0.1:{port} ")
        conf = conf.replace("/var/cache/nginx/footlight", f"{folder}/cache").replace("/run/footlight-nginx.pid", f"{folder}/pid")
        made = pathlib.Path(folder) / "nginx.conf"
        made.write_text("daemon off;\n" + conf)
        with Child([nginx, "-c", str(made), "-p", folder], port, folder):
            return run("behind", CLIENTS, PARTS, origin, port)


def behind_live():
    """hls.js in Chromium on a stream of our origin: how far the picture is behind the packager's clock."""
    done = subprocess.run(["node", str(root / "tests/e2e/hls_latency.mjs")], capture_output=True, text=True)
    return json.loads(done.stdout) if done.returncode == 0 else None


def wait_rows(results, rounds, waits, bare):
    """How long clients wait for a playlist once its part exists, all threads serving. A bare loop of send() with answers of
    the same size, to the same clients, says what the machine itself takes; what is more is the origin's. Where that loop
    alone is more than most of the bound, the whole wait is measured once more with as many clients fewer."""
    def median(rows, key):
        return statistics.median(row[key] for row in rows)

    bare_ms = median(bare, "wait_p99_ms")
    added_ms = statistics.median(max(0, a["wait_p99_ms"] - b["wait_p99_ms"]) for a, b in zip(waits, bare))
    results.add(f"wait for the playlist after the part exists, {CLIENTS} clients, p50", median(waits, "wait_p50_ms"), "ms")
    results.add("  p99", median(waits, "wait_p99_ms"), "ms")
    results.add("  p99 of a bare loop of send() to the same clients", bare_ms, "ms")
    results.add("  p99 beyond it, which the origin adds", added_ms, "ms", WAIT_P99_MS)
    results.add("  one send() of it", 1e6 / median(bare, "per_cpu_s"), "us")
    if bare_ms <= 0.8 * WAIT_P99_MS:
        return
    fewer = max(1, int(CLIENTS * 0.8 * WAIT_P99_MS / bare_ms))
    with tempfile.TemporaryDirectory() as folder:
        rows = [run("own", fewer, PARTS, folder, os.cpu_count() or 1) for _ in range(rounds)]
    results.add(f"  p99, {fewer} clients", median(rows, "wait_p99_ms"), "ms", WAIT_P99_MS)


def bench_hls(results, rounds, say):
    nginx, varnishd = tool("nginx"), tool("varnishd")
    own, files, waits, bare = [], [], [], []
    for turn in range(rounds):
        say(f"round {turn + 1} of {rounds}")
        with tempfile.TemporaryDirectory() as folder:
            pathlib.Path(folder).chmod(0o755)
            own.append(run("own", CLIENTS, PARTS, folder))
            if nginx:
                files.append(beside_nginx(nginx, folder))
            waits.append(run("own", CLIENTS, PARTS, folder, os.cpu_count() or 1))
            bare.append(run("bare", CLIENTS, PARTS))

    def median(rows, key):
        return statistics.median(row[key] for row in rows)

    ratio = statistics.median(a["per_cpu_s"] / b["per_cpu_s"] for a, b in zip(own, files)) if files else None
    results.add(f"requests per CPU-second ({CLIENTS} clients, blocking)", median(own, "per_cpu_s"), "requests/s")
    if files:
        results.add("  nginx, the same bytes as files", median(files, "per_cpu_s"), "requests/s")
        results.add("  beside nginx", ratio, "times", 1.0, at_least=True)
    else:
        say("skipped: nginx with the same bytes as files, as nginx is not installed (./dev deps bench)")
    live = [row for row in (behind_live() for _ in range(rounds)) if row]
    if live:
        results.add("hls.js in Chromium behind the packager, p50", median(live, "p50_ms"), "ms", 2000)
        results.add("  p99", median(live, "p99_ms"), "ms", 3000)
    else:
        say("skipped: hls.js behind the packager, as there is no Chromium or tests/scenarios/hls_feed is not built")
    wait_rows(results, rounds, waits, bare)
    parked = [run("parked", PARKED) for _ in range(rounds)]
    results.add(f"memory per parked request, {parked[0]['parked']} of them", median(parked, "bytes_each"), "bytes", PARKED_BYTES)
    for name, path, through in (("varnish", varnishd, behind_varnish), ("nginx", nginx, behind_nginx)):
        if not path:
            say(f"skipped: the origin behind {name}, as {name} is not installed (./dev deps bench)")
            continue
        row = through(path)
        results.add(f"origin requests per version or part behind {name}", row["per_thing"], "requests", PER_THING)
        results.add("  wait of its viewers, p99", row["wait_p99_ms"], "ms")
    return results.broken
