"""Measures xmpp-bench against its floor. Called by scripts/bench, which builds what is measured."""

import argparse
import json
import os
import sys
import tempfile
import time
from datetime import datetime, timezone
from pathlib import Path

import logins
import memory
import messages
import truth
from figures import host, table
from processes import Failed, Process, Tools

SCHEMA = "xmpp-bench/bench/1.0"
PARTS = {
    "messages": messages.messages,
    "ping": messages.pings,
    "lag": messages.lag,
    "logins": logins.measure,
    "memory": memory.measure,
    "truth": truth.measure,
}


def main():
    order = arguments()
    if len(os.sched_getaffinity(0)) < 2:
        sys.exit("bench: needs two CPUs: the generator on one, the server on another")
    if order.nice:
        Process.before = ("nice", "-n", str(order.nice))
    started = datetime.now(timezone.utc)
    load = [round(value, 2) for value in os.getloadavg()]
    if load[0] > 0.5:
        say(f"other work goes on here (load {load[0]}): expect wide spreads, and trust ratios more than seconds")
    figures, failures = [], []
    with tempfile.TemporaryDirectory(prefix="xmpp-bench-") as folder:
        tools = Tools(order.binary, order.floor, folder)
        for name in order.only:
            say(name)
            began, measured = time.monotonic(), []
            try:
                PARTS[name](tools, order, measured)
            except Failed as failure:
                failures.append(f"{name}: {failure}")
                say(failures[-1])
            measured = [figure for figure in measured if figure.ours]
            figures += measured
            say(f"{name}: {time.monotonic() - began:.0f} s")
            say(table(measured))
    print(table(figures))
    for failure in failures:
        print(f"not measured: {failure}")
    keep(order, started, load, figures, failures)
    return 1 if failures else 0


def arguments():
    parser = argparse.ArgumentParser(prog="scripts/bench")
    parser.add_argument("--binary", required=True)
    parser.add_argument("--floor", required=True)
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--repeat", type=int)
    parser.add_argument("--only", type=parts, default=list(PARTS))
    parser.add_argument("--nice", type=int)
    parser.add_argument("--out", type=Path)
    order = parser.parse_args()
    order.repeat = order.repeat or (1 if order.quick else 3)
    return order


def parts(text):
    names = text.split(",")
    unknown = [name for name in names if name not in PARTS]
    if unknown:
        raise argparse.ArgumentTypeError(f"no such part: {', '.join(unknown)}; there are {', '.join(PARTS)}")
    return names


def keep(order, started, load, figures, failures):
    out = order.out or Path("results") / f"bench-{started:%Y%m%dT%H%M%SZ}.json"
    content = {
        "schema": SCHEMA,
        "started": started.isoformat(timespec="seconds"),
        "quick": order.quick,
        "repeat": order.repeat,
        "nice": order.nice,
        "load_average_before": load,
        "host": host(),
        "figures": [figure.as_json() for figure in figures],
        "not_measured": failures,
    }
    out.write_text(json.dumps(content, indent=1, ensure_ascii=False) + "\n")
    say(f"kept in {out}")


def say(text):
    print("\n".join(f"bench: {line}" for line in text.splitlines()), file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
