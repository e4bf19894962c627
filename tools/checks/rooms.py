#!/usr/bin/env python3
"""Holds includes and links against the table of rooms (docs/ARCHITECTURE.md).

A room may include its own headers and those of the rooms it may use; another room's internal/ is
private; Asio, Beast and threads' headers stay in their shells.
"""
import pathlib
import re
import sys

ROOMS = {
    "core": [],
    "proto": ["core"],
    "net": ["core"],
    "rtc": ["core"],
    "sfu": ["core", "rtc"],
    "crdt": ["core"],
    "gate": ["core", "proto"],
    "episode": ["core", "proto"],
    "log": ["core"],
    "bus": ["core", "proto"],
    "region": ["core", "bus"],
    "hls": ["core"],
    "media": ["core", "proto", "rtc", "sfu"],
    "ops": ["core", "net", "proto", "rtc", "sfu"],
    "edge": ["core", "proto", "net", "rtc", "sfu", "crdt", "gate", "episode", "log", "bus", "region", "hls", "ops"],
    "cli": ["edge", "ops", "core", "proto", "net", "gate", "episode", "log"],
}
# Which third-party headers may appear where (a path prefix under src/); all else is std.
FOREIGN = {
    r"boost/(asio|beast|system)": ["net/asio", "edge/node", "ops", "cli"],
    r"intel-ipsec-mb": ["rtc"],
    r"openssl/": ["net/asio", "gate/openssl", "rtc", "edge/node", "ops", "cli"],
    r"(srtp2/|usrsctp\.h)": ["no room: tests alone compare with them"],
    r"nghttp2/": ["net/asio"],
    r"sqlite3\.h": ["log"],
    r"zlib\.h": ["hls/gzip"],
    r"yaml-cpp/": ["episode/yaml", "edge/config"],
    r"prometheus/": ["edge"],
    r"CLI/": ["cli"],
    r"libav(codec|format|util)/": ["media/mux", "media/compose"],
    r"(libswscale|pango|opus)/": ["media/compose"],
    r"(spdlog|fmt)/": ["net/asio", "edge/node", "ops", "cli"],
    r"(thread|mutex|condition_variable|sys/socket\.h|sys/epoll\.h)$": ["net/asio", "edge/node", "cli", "ops", "media/compose"],
}

root = pathlib.Path(__file__).resolve().parents[2]
faults = []


def complain(path, line, text):
    faults.append(f"{path.relative_to(root)}:{line}: {text}")


for path in sorted((root / "src").rglob("*")):
    if path.suffix not in (".h", ".cc"):
        continue
    inside = path.relative_to(root / "src").as_posix()
    room = inside.split("/")[0]
    if room not in ROOMS:
        complain(path, 1, f"{room} is no room of the table")
        continue
    test = path.stem.endswith("_test")
    for number, text in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
        match = re.match(r'#include ([<"])([^>"]+)[>"]', text)
        if not match:
            continue
        header = match[2]
        if match[1] == '"':
            other = header.split("/")[0]
            if "/" not in header or other not in ROOMS:
                complain(path, number, f'"{header}" is not written from src/')
            elif other != room and other not in ROOMS[room]:
                complain(path, number, f"{room} may not use {other}")
            elif other != room and "/internal/" in header:
                complain(path, number, f"{header} is private to {other}")
            continue
        for pattern, places in FOREIGN.items():
            if re.match(pattern, header) and not test and not any(inside.startswith(p) for p in places):
                complain(path, number, f"<{header}> belongs to {', '.join(places)}")

for path in sorted((root / "src").rglob("CMakeLists.txt")):
    room = path.relative_to(root / "src").as_posix().split("/")[0]
    for number, text in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
        for name in re.findall(r"footlight_([a-z]+)", text):
            if name in ROOMS and name != room and name not in ROOMS[room]:
                complain(path, number, f"{room} may not link {name}")

print("\n".join(faults) if faults else "rooms: every include and link is allowed")
sys.exit(1 if faults else 0)
