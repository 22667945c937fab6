"""Measures the table of performance: figures.py [ROW...] runs the rows named, or all.

Each row is a command, the figures that are picked from its report, and what they must and should be. Reports
go to target/figures/ROW.json, the table to target/figures/table.md. A row that fails is told in the table,
and in the exit status; it does not stop the others. The binaries are those of target/release.

figures.py --check runs nothing: it fails if a figure is picked that no tool reports.
"""

import json
import pathlib
import re
import subprocess
import sys
from typing import NamedTuple

FOLDER = pathlib.Path("target/figures")


class Pick(NamedTuple):
    """A figure of a report: its name there, what it says, and its goals as they are printed."""

    figure: str
    says: str
    must: str = ""
    aim: str = ""


class Row(NamedTuple):
    command: str
    picks: list[Pick]


def memory(says, *more, must="<= 384", aim="<= 220"):
    return [Pick("memory_bytes_per_connection", f"memory of an idle connection, {says}, B", must, aim), *more]


def times(name, says, musts=("", "", ""), aims=("", "", "")):
    parts = zip(("p50", "p99", "p999"), musts, aims)
    return [Pick(f"{name}_{part}_us", f"{says}, {part}, us", must, aim) for part, must, aim in parts]


# Half a minute of rest: until then the allocator keeps what handshakes have used.
IDLE = "swarm idle --to 19000 --steps 2 --wait-seconds 30"
OPENING = Pick("opening_cpu_us_per_connection", "processor time of opening one, us")
SAFE = [Pick("lost", "lost", "0"), Pick("duplicated", "duplicated", "0")]
# A fixed rate, so that runs compare: at some 52 us of processor time a message on both sides together, 12,000 a second
# are three tenths of two cores.
PART_LOAD = "--connections 5000 --rate 12000 --seconds 10"

ROWS = {
    "idle": Row(IDLE, memory("never used", OPENING)),
    "idle-ping": Row(f"{IDLE} --before ping", memory("after a PING")),
    "idle-message": Row("swarm idle --to 19000 --steps 2 --wait-seconds 140 --before message", memory("after a message")),
    "idle-reconnect": Row(f"{IDLE} --before reconnect", memory("after reconnecting")),
    "idle-tls": Row(
        "swarm idle --tls --to 15000", memory("TLS", OPENING, must="<= 9216", aim="<= 2560")
    ),
    "heartbeat": Row(
        "swarm idle --from 14000 --steps 2 --ping-seconds 25 --watch-seconds 60",
        [Pick("idle_cpu_us_per_connection_second", "idle, PING every 25 s, us/s", "<= 0.8", "<= 0.35")],
    ),
    "hold": Row(
        "swarm run hold --servers 10 --workers 10 --connections 190000",
        [Pick("receivers", "connections held and served", ">= 100000", ">= 190000"), Pick("silent", "of these silent", "0")],
    ),
    "gates": Row("gates", []),
    "echo": Row(
        "gauge echo",
        [
            Pick(f"floor_ratio_of_{shape}", f"echo against the floor, {shape}", "<= 1.3", "<= 1.1")
            for shape in ("200_at_1", "200_at_16", "5000_at_1")
        ],
    ),
    "rest": Row(
        "gauge rest",
        [
            Pick("rest_p99_us", "REST on a flooded shard, worst p99, us", "<= 5000", "<= 1500"),
            Pick("server_busy_percent", "how busy the shard's core is, %"),
        ],
    ),
    "fanout": Row(
        "gauge fanout",
        [
            Pick("deliveries_per_cpu_second_of_1", "deliveries a CPU second, 1 a write", ">= 130 K", ">= 190 K"),
            Pick("deliveries_per_cpu_second_of_8", "the same, 8 a write", ">= 800 K", ">= 1.4 M"),
        ],
    ),
    "message": Row(
        "swarm run pairs --connections 400 --rate 2000 --seconds 20",
        [
            Pick("server_cpu_us_per_message", "CPU of a durable message, 2,000/s, us", "<= 60", "<= 30"),
            Pick("wire_bytes_per_message", "bytes on the wire, 64 B text", "<= 220", "<= 205"),
            *SAFE,
        ],
    ),
    "durable": Row(
        "swarm run durable --seconds 10",
        [
            Pick("acknowledged_per_second", "durable messages a second, window 16", ">= 50 K", ">= 100 K"),
            Pick("write_to_sent_p99_us", "their SENT, p99, us", "<= 50000", "<= 30000"),
            Pick("server_syscalls_per_delivery", "counted system calls a delivery", "<= 0.25", "<= 0.06"),
            Pick("device_bytes_per_message", "bytes written to the device a message", "<= 1100", "<= 500"),
            *SAFE,
        ],
    ),
    "durable-1": Row(
        "swarm run durable --seconds 10 --window 1",
        [Pick("acknowledged_per_second", "durable messages a second, window 1")],
    ),
    "offered": Row(
        "swarm run pairs --rate 10000 --seconds 10",
        times("due_to_sent", "SENT at 10,000/s", ("<= 1000", "<= 20000", ""), ("<= 500", "<= 5000", "")),
    ),
    "ephemeral": Row(
        f"swarm run pairs --kind ephemeral {PART_LOAD}",
        times(
            "due_to_entry",
            "EPHEMERAL to delivery",
            ("<= 300", "<= 3000", "<= 10000"),
            ("<= 80", "<= 500", "<= 2000"),
        ),
    ),
    "entry": Row(
        f"swarm run pairs {PART_LOAD}",
        times(
            "due_to_entry",
            "SEND to ENTRY",
            ("<= 1000", "<= 10000", "<= 25000"),
            ("<= 500", "<= 3000", "<= 10000"),
        ),
    ),
    "overload": Row(
        "swarm run overload",
        [
            Pick("goodput", "goodput at 10 times what is taken", ">= 0.85", ">= 0.97"),
            Pick("write_to_sent_p99_us", "what was accepted, p99, us"),
            Pick("server_rss_kib", "the most of memory, KiB"),
            *SAFE,
        ],
    ),
    "storm": Row(
        "swarm run storm --connections 19500 --rate 500 --workers 2",
        [
            Pick("down_to_caught_up_max_us", "all 19,500 back and caught up, us", "<= 8000000", "<= 2000000"),
            Pick("generator_lag_p99_us", "of that the generator's own delay, p99, us"),
            *SAFE,
        ],
    ),
    "storm-spared": Row(
        "swarm run storm --connections 19000 --cut-share 0.9 --rate 1000 --workers 2",
        [
            *times("calm_due_to_sent", "SENT before a storm of 17,100"),
            *times("spared_due_to_sent", "the same from 0.5 to 5 s after it began, to the 1,900 that it spares"),
            Pick("generator_lag_p99_us", "of that the generator's own delay, p99, us"),
            *SAFE,
        ],
    ),
    "drain": Row(
        "swarm run drain",
        [Pick("goaways", "told to go elsewhere, spread over 1 s"), *times("down_to_caught_up", "away for"), *SAFE],
    ),
}


def measure(name, row):
    """Runs a row; its figures, and why it failed if it did."""
    program, *arguments = row.command.split()
    report = FOLDER / f"{name}.json"
    report.unlink(missing_ok=True)
    told = ["--json", str(report)] if row.picks else []
    with open(FOLDER / f"{name}.txt", "w") as output:
        done = subprocess.run(
            [f"target/release/{program}", *arguments, *told], stdout=output, stderr=subprocess.STDOUT
        )
    failed = "" if done.returncode == 0 else f"FAILED, status {done.returncode}: {output.name}"
    if not row.picks:
        return gates(pathlib.Path(output.name).read_text()), failed
    figures = json.loads(report.read_text())["stages"][-1]["figures"] if report.exists() else {}
    return [(pick, figures.get(pick.figure)) for pick in row.picks], failed


def gates(text):
    """The table that `gates` prints: unit, figure, measured, limit."""
    lines = re.findall(r"^(\w+) +(\w+) +([\d.]+) +([\d.]+)", text, re.MULTILINE)
    return [
        (Pick(name, f"{unit.replace('_', ' ')}, {name}", f"<= {limit}"), float(value))
        for unit, name, value, limit in lines
    ]


def shown(value):
    return "not told" if value is None else f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.4g}"


def run(names):
    FOLDER.mkdir(parents=True, exist_ok=True)
    table = ["| figure | must | aim | measured | command |", "| --- | --- | --- | --- | --- |"]
    failures = 0
    for name in names:
        print(f"{name}: {ROWS[name].command}", flush=True)
        figures, failed = measure(name, ROWS[name])
        failures += bool(failed)
        for pick, value in figures:
            cells = [pick.says, pick.must, pick.aim, shown(value), f"`{ROWS[name].command}`"]
            table.append(f"| {' | '.join(cells)} |")
        if failed:
            table.append(f"| {name} | | | {failed} | `{ROWS[name].command}` |")
        (FOLDER / "table.md").write_text("\n".join(table) + "\n")
    print("\n".join(table))
    return 1 if failures else 0


def check():
    """Whether each figure is one that a tool has a name for."""
    sources = "".join(path.read_text() for path in pathlib.Path("loadtest").rglob("*.rs"))
    literals = set(re.findall(r'"([a-z0-9_]+)"', sources))
    unknown = []
    for name, row in ROWS.items():
        for pick in row.picks:
            stem = re.sub(r"(_(p50|p99|p999|max)_us|_of_\d+(_at_\d+)?)$", "", pick.figure)
            if pick.figure not in literals and stem not in literals:
                unknown.append(f"{name}: no tool reports {pick.figure}")
    print("\n".join(unknown) or f"{len(ROWS)} rows pick figures that are reported")
    return 1 if unknown else 0


if __name__ == "__main__":
    wanted = sys.argv[1:]
    if wanted == ["--check"]:
        sys.exit(check())
    strange = [name for name in wanted if name not in ROWS]
    if strange:
        sys.exit(f"no such row: {', '.join(strange)}; there are {', '.join(ROWS)}")
    sys.exit(run(wanted or list(ROWS)))
