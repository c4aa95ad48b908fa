#!/usr/bin/env python3
"""Reads what processes take of a machine, and compares a result's `observed` with it.

  observe.py read PID UNTIL       ten times a second, until there is a file UNTIL, and once after that: instant of the
                                  monotonic clock, CPU seconds, resident bytes and descriptors of PID and its descendants
  observe.py compare RESULT FILE  exit 1 where they disagree
"""

import json
import os
import sys
import time

TICKS = os.sysconf("SC_CLK_TCK")
PAGE = os.sysconf("SC_PAGE_SIZE")


def fields(pid):
    """The fields of a process behind its name: state first."""
    with open(f"/proc/{pid}/stat", encoding="utf-8", errors="replace") as file:
        return file.read().rsplit(")", 1)[1].split()


def tree(pid):
    """A process and its descendants."""
    found = [pid]
    for task in os.listdir(f"/proc/{pid}/task"):
        with open(f"/proc/{pid}/task/{task}/children", encoding="ascii") as file:
            for child in file.read().split():
                found += tree(int(child))
    return found


def read(pid, until):
    # Bounded in time whatever becomes of the story.
    for _ in range(3000):
        # Asked before the reading: the last one is later than all that happened before the file was made.
        ended = os.path.exists(until)
        if reading(pid) and ended:
            return
        time.sleep(0.1)


def reading(pid):
    """Prints a row; false where a process went away meanwhile."""
    instant = time.clock_gettime(time.CLOCK_MONOTONIC)
    try:
        members = [(fields(one), len(os.listdir(f"/proc/{one}/fd"))) for one in tree(pid)]
    except (FileNotFoundError, ProcessLookupError):
        return False
    cpu = sum(int(one[11]) + int(one[12]) for one, _ in members) / TICKS
    resident = sum(int(one[21]) for one, _ in members) * PAGE
    print(f"{instant:.4f} {cpu} {resident} {sum(count for _, count in members)}", flush=True)
    return True


def compare(result, path):
    epoch = result["host"]["epoch_monotonic_ns"] / 1e9
    with open(path, encoding="ascii") as file:
        rows = [[float(word) for word in line.split()] for line in file]

    def between(at_s, column):
        """The independent readings right before an instant and right after it."""
        for first, last in zip(rows, rows[1:]):
            if first[0] - epoch <= at_s <= last[0] - epoch:
                return sorted((first[column], last[column]))
        return None

    source = result["observed"]["sources"][0]
    compared, failed = 0, []
    # Room for what rounds (a tick per process) and for memory that comes and goes between two readings.
    for column, name, room, share in ((1, "cpu_seconds", 0.06, 0), (2, "memory_bytes", 1 << 20, 0.05), (3, "descriptors", 12, 0)):
        for at_s, value in zip(source["at_s"], source["columns"][name]["values"]):
            bounds = None if at_s is None or value is None else between(at_s, column)
            if bounds is None:
                continue
            compared += 1
            room_here = room + share * bounds[1]
            if not bounds[0] - room_here <= value <= bounds[1] + room_here:
                failed.append(f"{name} at {at_s}: {value}, and another reader saw {bounds}")
    if compared < 30:
        failed.append(f"only {compared} readings could be compared")
    for name, figure in list(result["observed"]["derived"].items())[:2]:
        if figure["cpu_s"] is None:
            failed.append(f"{name}: {figure['reason']}")
            continue
        ends = [(between(one["from_s"], 1), between(one["to_s"], 1)) for one in figure["stretches"]]
        if any(end is None for pair in ends for end in pair):
            failed.append(f"{name}: {figure['stretches']} is not within what the other reader saw")
            continue
        other = sum(last[0] - first[1] for first, last in ends)
        print(f"  {name}: {figure['value']} ({figure['cpu_s']:.3f} s over {figure['operations']}), another reader {other:.3f} s")
        if abs(other - figure["cpu_s"]) > 0.1 + 0.05 * other:
            failed.append(f"{name}: {figure['cpu_s']} s, and another reader saw {other} s")
    memory = result["observed"]["derived"]["memory_bytes_per_user"]
    print(f"  memory_bytes_per_user: {memory['value']} ({memory['low']} … {memory['high']}) {memory['reason']}")
    print(f"  {compared} readings compared")
    print("\n".join(failed))
    return not failed


if sys.argv[1] == "read":
    read(int(sys.argv[2]), sys.argv[3])
else:
    with open(sys.argv[2], encoding="utf-8") as file:
        sys.exit(0 if compare(json.load(file), sys.argv[3]) else 1)
