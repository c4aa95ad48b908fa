"""The report against the truth over sockets: a server that delays, loses, doubles and swaps, and writes it down."""

import json

from figures import Figure
from processes import Failed
from runs import epoch_ns, must_be_sound, profile

FAULTS = "delay=5ms,loss=1%,duplicate=0.5%,reorder=1%"
USERS, RATE = 500, 2_000
QUANTILES = {"p50": 0.5, "p90": 0.9, "p99": 0.99, "p99_9": 0.999}
# A percentile of ours may differ from the truth's by 1 % or 100 µs, whichever is more.
SHARE, MICROSECONDS = 0.01, 100
DIGITS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"


def measure(tools, order, figures):
    seconds = 4 if order.quick else 8
    phases = [("ramp", 2, USERS, False), ("settle", 1, USERS, False), ("steady", seconds, USERS, True)]
    text = profile(USERS, phases, [f'kind = "message"\nrate = "{RATE}/s"\nbody = 100\nto = "contact"'])
    counts = Figure("counts that differ from the truth", "copies", 0, "value")
    off = {q: Figure(f"response {q}: off the truth, of what is allowed", "×", 1, "value") for q in QUANTILES}
    figures += [counts, *off.values()]
    for _ in range(order.repeat):
        one(tools, tools.write("truth.toml", text), counts, off)


def one(tools, path, counts, off):
    file = tools.folder / "truth.jsonl"
    with tools.server(path, "--tls", "absent", "--fault", FAULTS, "--truth", file) as server:
        result, *_ = tools.run(path, server.address)
    must_be_sound(result)
    header, copies = load(file)
    compare_counts(result["ledger"]["message"], copies, counts)
    compare_times(result, header, copies, off)
    file.unlink()


def load(file):
    lines = [json.loads(line) for line in file.read_text().splitlines()]
    if lines[0]["what"] != "header" or lines[-1]["what"] != "end":
        raise Failed("the truth file is not whole")
    return lines[0], [line for line in lines if line["what"] == "copy"]


def compare_counts(account, copies, figure):
    by_action = {}
    for copy in copies:
        by_action[copy["action"]] = by_action.get(copy["action"], 0) + 1
    count = by_action.get
    truth = {
        "delivered": count("delivered", 0) + count("reordered", 0),
        "lost": count("dropped", 0),
        "duplicated": count("duplicated", 0),
        "reordered": count("reordered", 0),
    }
    differ = sum(abs(account[name] - truth[name]) for name in truth)
    figure.add(differ, truth=truth, report={name: account[name] for name in truth})


def compare_times(result, header, copies, off):
    """What the response times must be: from intended to the write that put the first copy on the wire."""
    start, end = next((p["start_s"], p["end_s"]) for p in result["phases"] if p["measured"])
    between = header["epoch_monotonic_ns"] - epoch_ns(result)
    first = {}
    for copy in copies:
        if copy["written_ns"] is not None:
            written = copy["written_ns"] + between
            first[copy["token"]] = min(first.get(copy["token"], written), written)
    times = sorted(
        written - intended
        for token, written in first.items()
        if start * 10**9 <= (intended := intended_ns(token)) < end * 10**9
    )
    ours = result["operations"]["message.delivery"]["response_us"]
    for name, quantile in QUANTILES.items():
        if ours[name] is None:
            continue
        rank = max(1, -int(-quantile * len(times) // 1))
        truth = times[rank - 1] / 1e3
        allowed = max(SHARE * truth, MICROSECONDS)
        facts = {"report_us": ours[name], "truth_us": round(truth, 1), "copies": [ours["count"], len(times)]}
        off[name].add(abs(ours[name] - truth) / allowed, **facts)



def intended_ns(token):
    """The last eight characters of a token: nanoseconds since the run's epoch, in base 64."""
    value = 0
    for character in token[16:24]:
        value = value * 64 + DIGITS.index(character)
    return value
