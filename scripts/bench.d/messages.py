"""CPU per message and per ping, and lag, at steady rates: ours and the floor in turns, the same bytes and instants."""

from figures import Figure
from processes import Failed
from runs import Window, must_be_sound, profile

USERS = 1000
BODY = 100
# A server that has less of its CPU left than this is what limits the run, and not the generator.
SERVER_FULL = 0.95


def activity(kind, rate):
    return f'kind = "{kind}"\nrate = "{rate}/s"' + (f'\nbody = {BODY}\nto = "contact"' if kind == "message" else "")


def steady(kind, rate, seconds):
    phases = [("ramp", 2, USERS, False), ("settle", 1, USERS, False), ("steady", seconds, USERS, True)]
    return profile(USERS, phases, [activity(kind, rate)])


def messages(tools, order, figures):
    cpu(tools, order, figures, "message", "forward", {2_000: 1.5, 10_000: 1.5, 50_000: 2.0})


def pings(tools, order, figures):
    cpu(tools, order, figures, "ping", "reply", {2_000: 3.0, 10_000: 3.0})


def cpu(tools, order, figures, kind, role, goals):
    """`goals`: the ratio allowed, by rate, the lowest first."""
    seconds = 4 if order.quick else 8
    by_rate = {rate: Figure(f"CPU per 100,000 {kind}s at {rate:,}/s", "s", goal) for rate, goal in goals.items()}
    figures += by_rate.values()
    any_profile = tools.write("server.toml", steady(kind, 1, seconds))
    with tools.server(any_profile, "--tls", "absent") as server:
        warm(tools, server, kind)
        sizes = None
        for _ in range(order.repeat):
            for rate, figure in by_rate.items():
                sizes = pair(tools, server, figure, kind, role, rate, seconds, sizes)


def warm(tools, server, kind):
    """Derives everybody's SCRAM key once, on both sides."""
    phases = [("ramp", 3, USERS, False), ("steady", 1, USERS, True)]
    tools.run(tools.write("warm.toml", profile(USERS, phases, [activity(kind, 10)])), server.address)


def pair(tools, server, figure, kind, role, rate, seconds, sizes=None):
    """Ours, then the floor. A run that something else on the machine held up is done again, twice at most.

    Gives the bytes out and in of one operation, for the next pair. They are the same at every rate, and the first run,
    at the lowest one, shows them best: where a run was held up, bytes are counted in later seconds than operations.
    """
    for attempt in range(3):
        done, spent, seen, facts = ours(tools, server, kind, rate, seconds)
        limited = facts["server_busy"] > SERVER_FULL
        if limited or done >= 0.97 * rate * (seconds - 1):
            break
    if done < 0.97 * rate * (seconds - 1):
        why = "the server's CPU was full" if limited else "neither CPU was full, something else held them up"
        figure.notes.append(f"only {facts['done_per_s']:,}/s were done: {why}")
    sizes = sizes or seen
    floor = tools.floor_pair(role, *sizes, "messages", USERS, rate, seconds)
    facts.update(floor_per_s=round(floor["count"] / seconds), held_up_before=attempt)
    facts.update(floor_bytes_out=sizes[0], floor_bytes_in=sizes[1])
    figure.add(spent / done * 1e5, floor["cpu_s"] / floor["count"] * 1e5, **facts)
    return sizes


def ours(tools, server, kind, rate, seconds):
    """What was done in the steady phase, the CPU seconds of the whole generator, bytes out and in of one, and facts."""
    text = steady(kind, rate, seconds)
    result, sampler, theirs = tools.run(tools.write("run.toml", text), server.address, server=server)
    must_be_sound(result)
    if result["keys"]["misses"]:
        raise Failed("keys were derived in a measured run")
    window = Window(result, "steady")
    done, spent = window.done("message.delivery" if kind == "message" else "ping"), window.cpu_s(sampler)
    sizes = [round(count / done) for count in window.bytes()]
    facts = {
        "done_per_s": round(done / window.seconds),
        "bytes_out": sizes[0],
        "bytes_in": sizes[1],
        "generator_busy": round(spent / window.seconds, 3),
        "server_busy": round(window.cpu_s(theirs) / window.seconds, 3),
        "verdict": result["verdict"]["state"],
    }
    return done, spent, sizes, facts


def lag(tools, order, figures):
    """offered − intended of ours beside a bare timerfd loop's and beside the floor's that also moves the bytes."""
    seconds = 4 if order.quick else 8
    by_rate = {rate: Figure(f"lag p99 at {rate:,}/s, floor: bare timer", "µs", 50, "over") for rate in (1_000, 10_000)}
    figures += by_rate.values()
    with tools.server(tools.write("server.toml", steady("message", 1, seconds)), "--tls", "absent") as server:
        warm(tools, server, "message")
        for _ in range(order.repeat):
            for rate, figure in by_rate.items():
                result, *_ = tools.run(tools.write("run.toml", steady("message", rate, seconds)), server.address)
                must_be_sound(result)
                seen = result["operations"]["message.delivery"]["lag_us"]
                timer = tools.floor_alone("timer", rate, seconds)["lag_us"]
                moving = tools.floor_pair("forward", 200, 230, "messages", USERS, rate, seconds)["lag_us"]
                ours = {name: seen[name] for name in ("p50", "p99", "p99_9", "max")}
                figure.add(seen["p99"], timer["p99"], ours_us=ours, timer_us=timer, floor_with_messages_us=moving)
    for figure in by_rate.values():
        p99 = [fact["floor_with_messages_us"]["p99"] for fact in figure.facts]
        figure.notes.append(f"the floor that also moves the messages: p99 {sorted(p99)[len(p99) // 2]} µs")
