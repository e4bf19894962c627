"""The crdt part of bench.py: our engine beside yjs (and yrs, when Rust is at hand), in turn, on the same
machine and the same histories; documents are compared by hash, so that nobody is fast by being wrong."""
import gzip
import json
import os
import pathlib
import shutil
import statistics
import struct
import subprocess

root = pathlib.Path(__file__).resolve().parents[1]
PROGRAM = root / "build/release/bench/crdt_scenarios"
YJS = root / "bench/crdt/yjs.mjs"
YRS = root / "bench/crdt_yrs"
DATA = root / "build/bench/crdt"

FOLLOW = [f"B1.{i}" for i in range(1, 12)]
CLASH = ["B2.1", "B2.2", "B2.3", "B2.4", "B3.1", "B3.2", "B3.3", "B3.4"]
PAPER = ["B4", "B4 parse v1", "B4 parse v2", "B4 encode v1", "B4 encode v2", "keystrokes merge"]
OURS = ["updates in order", "updates behind one missing", "same origin", "alternating load"]
WORDS = {
    "B1.1": "append 6,000 characters", "B1.2": "insert a string of 6,000", "B1.3": "prepend 6,000 characters",
    "B1.4": "insert characters at random", "B1.5": "insert words at random", "B1.6": "insert a string, delete it",
    "B1.7": "insert and delete at random", "B1.8": "append 6,000 numbers", "B1.9": "insert an array of 6,000",
    "B1.10": "prepend 6,000 numbers", "B1.11": "insert numbers at random",
    "B2.1": "two insert 6,000 at 0", "B2.2": "two insert characters", "B2.3": "two insert words",
    "B2.4": "two insert and delete",
    "B3.1": "1,540 set a number", "B3.2": "1,540 set an object", "B3.3": "1,540 set a string", "B3.4": "1,540 insert into an array",
    "B4": "the paper's 259,778 edits",
}


def trace_path():
    """The B4 trace, beside the project or where FOOTLIGHT_TRACE says; the project holds no copy."""
    for place in (os.environ.get("FOOTLIGHT_TRACE"), root / "../shared/data/automerge-paper.json.gz"):
        if place and pathlib.Path(place).exists():
            return pathlib.Path(place)
    return None


def write_trace(path):
    """Edits as u32 index, u32 deleted, u32 length in bytes, UTF-8 text."""
    out = bytearray()
    with gzip.open(path) as source:
        for txn in json.load(source)["txns"]:
            for index, deleted, inserted in txn["patches"]:
                text = inserted.encode()
                out += struct.pack("<III", index, deleted, len(text)) + text
    (DATA / "b4.trace").write_bytes(out)


def prepare(say):
    DATA.mkdir(parents=True, exist_ok=True)
    trace = trace_path()
    if trace is None:
        say("skipped: B4 (no trace at ../shared/data/automerge-paper.json.gz; FOOTLIGHT_TRACE names another place)")
        (DATA / "b4.trace").unlink(missing_ok=True)
    else:
        write_trace(trace)
    subprocess.run(["node", str(YJS), str(DATA), "prepare"], check=True)
    return trace is not None


def lines(words):
    done = subprocess.run(words, capture_output=True, text=True, check=True)
    return {row["name"]: row for row in map(json.loads, done.stdout.splitlines())}


def build_yrs(say):
    """The peer in Rust, built on demand; None when there is no cargo or no registry."""
    cargo = shutil.which("cargo") or os.path.expanduser("~/.cargo/bin/cargo")
    if not os.access(cargo, os.X_OK):
        say("skipped: yrs (Rust's cargo is not installed)")
        return None
    target = root / "build/crdt_yrs"
    done = subprocess.run([cargo, "build", "--release", "--locked", "--quiet", "--manifest-path", str(YRS / "Cargo.toml"),
                           "--target-dir", str(target)], capture_output=True, text=True)
    if done.returncode != 0:
        say(f"skipped: yrs (cargo build: {done.stderr.strip().splitlines()[-1] if done.stderr.strip() else 'failed'})")
        return None
    return target / "release/crdt_yrs"


def measure(names, rounds, say, yrs):
    """For each side a list of rounds, each a dict of name -> row."""
    sides = {"ours": [str(PROGRAM), str(DATA), "run"], "yjs": ["node", str(YJS), str(DATA), "run"]}
    if yrs:
        sides["yrs"] = [str(yrs), str(DATA), "run"]
    rows = {side: [] for side in sides}
    for turn in range(rounds):
        say(f"round {turn + 1} of {rounds}")
        for side, words in sides.items():
            rows[side].append(lines(words + names))
    return rows


def median(rows, name, key="ms"):
    values = [row[name][key] for row in rows if name in row]
    return statistics.median(values) if values else None


def compare(results, rows, names, least_ratio):
    for name in names:
        ours = median(rows["ours"], name)
        if ours is None:
            continue
        label = f"{name} {WORDS[name]}" if name in WORDS else name
        yjs = median(rows["yjs"], name)
        results.add(label, ours, "ms", peer="yjs", peer_value=yjs, higher_is_better=False, least_ratio=least_ratio.get(name))
        check_same(rows, name)
        yrs = median(rows.get("yrs", []), name)
        if yrs is not None:
            results.add(f"  {name}, yrs", yrs, "ms")


def check_same(rows, name):
    hashes = {row[name]["hash"] for side in ("ours", "yjs") for row in rows[side]}
    if len(hashes) != 1:
        raise SystemExit(f"{name}: yjs and the engine made different documents: {hashes}")


def memory(results):
    ours, yjs = lines([str(PROGRAM), str(DATA), "memory"]), lines(["node", "--expose-gc", str(YJS), str(DATA), "memory"])
    for name, budget, ratio in (("B4 memory", None, 2), ("alternating memory", 2e6, None)):
        if name not in ours:
            continue
        results.add(name, ours[name]["memory_bytes"], "bytes", budget, peer="yjs", peer_value=yjs[name]["memory_bytes"],
                    higher_is_better=False, least_ratio=ratio)
        results.add("  by the engine's own account", ours[name]["accounted_bytes"], "bytes")
        results.add("  left after the document is gone", ours[name]["left_bytes"], "bytes")


def bench_crdt(results, rounds, say):
    paper = prepare(say)
    yrs = build_yrs(say)
    names = FOLLOW + CLASH + OURS + (PAPER if paper else [])
    rows = measure(names, rounds, say, yrs)
    least = {name: 3 for name in FOLLOW + CLASH + ["B4 parse v1", "B4 parse v2"]}
    least["B4"] = 10
    compare(results, rows, FOLLOW + CLASH + (PAPER[:-1] if paper else []), least)
    if paper:
        results.add("merge of 16,000 keystroke updates", median(rows["ours"], "keystrokes merge"), "ms", 50,
                    peer="yjs", peer_value=median(rows["yjs"], "keystrokes merge"), higher_is_better=False)
        results.add("  merged", median(rows["ours"], "keystrokes merge", "bytes"), "bytes", 26e3,
                    peer="yjs", peer_value=median(rows["yjs"], "keystrokes merge", "bytes"), higher_is_better=False)
        check_same(rows, "keystrokes merge")
    in_order, behind = (median(rows["ours"], name) for name in OURS[:2])
    results.add("4,001 updates in order", in_order, "ms", peer="yjs", peer_value=median(rows["yjs"], OURS[0]), higher_is_better=False)
    results.add("4,000 updates behind one missing", behind, "ms", 2 * in_order, peer="yjs",
                peer_value=median(rows["yjs"], OURS[1]), higher_is_better=False)
    results.add("4,000 clients at the same origin", median(rows["ours"], "same origin"), "ms", peer="yjs",
                peer_value=median(rows["yjs"], "same origin"), higher_is_better=False)
    results.add("load of 100,000 alternating sets of two keys", median(rows["ours"], "alternating load"), "ms", 20, peer="yjs",
                peer_value=median(rows["yjs"], "alternating load"), higher_is_better=False)
    for name in OURS:
        check_same(rows, name)
    memory(results)
    return results.broken
