"""Figures: pairs of ours and floor, their medians, goals, the table for people."""

import os
import platform
from pathlib import Path
from statistics import median


class Figure:
    """One thing measured several times. Pairs are of one interleaving: the ratio is taken pair by pair."""

    def __init__(self, name, unit, goal=None, goal_kind="ratio", notes=()):
        self.name, self.unit, self.goal, self.goal_kind = name, unit, goal, goal_kind
        self.ours, self.floor, self.notes, self.facts = [], [], list(notes), []

    def add(self, ours, floor=None, **facts):
        self.ours.append(ours)
        if floor is not None:
            self.floor.append(floor)
        self.facts.append(facts)

    def judged(self):
        """What is held against the goal, all repetitions."""
        if self.goal_kind == "ratio":
            return [o / f for o, f in zip(self.ours, self.floor)]
        if self.goal_kind == "over":
            return [o - f for o, f in zip(self.ours, self.floor)]
        return self.ours

    def passed(self):
        judged = self.judged()
        return None if self.goal is None or not judged else median(judged) <= self.goal

    def as_json(self):
        return {
            "name": self.name,
            "unit": self.unit,
            "ours": spread(self.ours),
            "floor": spread(self.floor),
            self.goal_kind: spread(self.judged()),
            "goal": None if self.goal is None else {"kind": self.goal_kind, "at_most": self.goal},
            "passed": self.passed(),
            "notes": self.notes,
            "repetitions": self.facts,
        }


def spread(values):
    """Least, median, most, and all; null where nothing was measured."""
    if not values:
        return None
    rounded = [round(value, 6) for value in values]
    return {"min": min(rounded), "median": round(median(values), 6), "max": max(rounded), "all": rounded}


def three(values, digits=3):
    if not values:
        return "–"
    shown = [f"{value:.{digits}f}" for value in (min(values), median(values), max(values))]
    return shown[1] if len(values) == 1 else " / ".join(shown)


HEAD = ("what", "unit", "ours", "floor", "judged", "goal", "")


def table(figures):
    """min / median / max of each, aligned."""
    rows = [HEAD]
    for figure in figures:
        digits = 3 if max(figure.ours, default=0) < 20 else 0
        kind = {"ratio": "×", "over": "+", "value": ""}[figure.goal_kind]
        judged = three(figure.judged(), 2 if kind == "×" else digits)
        goal = "–" if figure.goal is None else f"≤ {kind}{figure.goal:g}"
        verdict = {True: "ok", False: "MISSED", None: ""}[figure.passed()]
        ours, floor = three(figure.ours, digits), three(figure.floor, digits)
        rows.append((figure.name, figure.unit, ours, floor, f"{kind}{judged}" if kind else "", goal, verdict))
    widths = [max(len(row[column]) for row in rows) for column in range(len(HEAD))]
    lines = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths)).rstrip() for row in rows]
    notes = [f"  {figure.name}: {note}" for figure in figures for note in figure.notes]
    return "\n".join(lines + ([""] + notes if notes else []))


def host():
    """What the figures depend on, without anything that names the machine."""
    model = None
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            model = line.split(":", 1)[1].strip()
            break
    memory = int(Path("/proc/meminfo").read_text().split()[1]) * 1024
    source = Path("/sys/devices/system/clocksource/clocksource0/current_clocksource")
    return {
        "system": f"{platform.system().lower()} {platform.machine()}",
        "kernel": platform.release(),
        "cpu_model": model,
        "cpus": len(os.sched_getaffinity(0)),
        "memory_bytes": memory,
        "clocksource": source.read_text().strip() if source.exists() else None,
    }
