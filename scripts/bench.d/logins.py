"""CPU per 1,000 logins with SCRAM keys cached, in the clear and over TLS.

Nobody has contacts here: what presence costs grows with who else is online, and is no part of a login. So a login is
seven writes, each answered once: two stream headers, two steps of SCRAM, bind, roster, presence.
"""

from figures import Figure
from processes import Failed
from runs import Window, must_be_sound, profile

STEPS = 7
RATES = (500, 2_000)


def users_at(order, rate):
    return rate * (3 if order.quick else 6)


def storm(order, rate, tls=None):
    """A ramp, and a little after it for its last logins."""
    users = users_at(order, rate)
    phases = [("ramp", users // rate, users, False), ("steady", 4, users, True)]
    return profile(users, phases, ['kind = "ping"\nrate = "1/s"'], contacts=0, tls=bool(tls), ca_file=tls)


def measure(tools, order, figures):
    ca_file = tools.folder / "ca.pem"
    goals = {"TCP": 2.5, "TLS": 1.5}
    all_figures = {
        (how, rate): Figure(f"CPU per 1,000 logins at {rate}/s, {how}", "s", goals[how]) for how in goals for rate in RATES
    }
    figures += all_figures.values()
    largest = tools.write("server.toml", storm(order, max(RATES)))
    with tools.server(largest, "--tls", "absent") as plain:
        warm(tools, order, plain)
        for _ in range(order.repeat):
            for rate in RATES:
                in_the_clear(tools, order, plain, all_figures["TCP", rate], rate)
    more = ("--tls", "required", "--direct-tls", "127.0.0.1:0", "--ca-out", ca_file)
    with tools.server(largest, *more) as secure:
        warm(tools, order, secure, ca_file)
        for _ in range(order.repeat):
            for rate in RATES:
                over_tls(tools, order, secure, all_figures["TLS", rate], rate, ca_file)


def warm(tools, order, server, ca_file=None):
    """Everybody's key, derived once on both sides, no faster than that can go."""
    users = users_at(order, max(RATES))
    phases = [("ramp", max(2, users // 1_000), users, False), ("rest", 12, users, False), ("end", 1, users, True)]
    text = profile(users, phases, ['kind = "ping"\nrate = "100/s"'], 0, bool(ca_file), ca_file, "20s")
    tools.run(tools.write("warm.toml", text), server.address)


def ours(tools, order, server, rate, ca_file=None):
    """CPU seconds per 1,000 logins from the first instant to the last login's second, and bytes out and in of one."""
    text = storm(order, rate, ca_file)
    result, sampler, theirs = tools.run(tools.write("run.toml", text), server.address, server=server)
    must_be_sound(result)
    if result["keys"]["misses"]:
        raise Failed(f"keys were derived in a measured run: {result['keys']}")
    users = users_at(order, rate)
    window = until_all_are_in(result, users)
    done = window.done("login")
    sizes = [round(count / done) for count in window.bytes()]
    facts = {
        "logins": done,
        "logins_per_s": round(done / window.seconds),
        "bytes_out": sizes[0],
        "bytes_in": sizes[1],
        "key_hits": result["keys"]["hits"],
        "generator_busy": round(window.cpu_s(sampler) / window.seconds, 3),
        "server_busy": round(window.cpu_s(theirs) / window.seconds, 3),
    }
    if done < users:
        facts["not_done_in_time"] = users - done
    if ca_file:
        tls = result["target"]["tls"]
        if tls["handshakes_full"] < done or tls["handshakes_resumed"]:
            raise Failed(f"handshakes were not all full: {tls}")
        facts["handshakes_full"] = tls["handshakes_full"]
    return window.cpu_s(sampler) / done * 1e3, sizes, facts


def until_all_are_in(result, users):
    """The ramp, and as many seconds more as its logins took; at most the whole run."""
    window, last = Window(result, "ramp", cut=0), int(result["phases"][-1]["end_s"])
    while window.end < last and window.done("login") < users:
        window.end += 1
        window.seconds += 1
    return window


def bare(tools, order, rate, sizes):
    """The same connects, writes and reads without a word understood, per 1,000."""
    sizes = [max(1, round(size / STEPS)) for size in sizes]
    floor = tools.floor_pair("reply", *sizes, "logins", users_at(order, rate), rate, STEPS)
    if floor["count"] < users_at(order, rate):
        raise Failed(f"the floor ended {floor['count']} of {users_at(order, rate)} logins")
    return floor["cpu_s"] / floor["count"] * 1e3


def in_the_clear(tools, order, server, figure, rate):
    spent, sizes, facts = ours(tools, order, server, rate)
    figure.add(spent, bare(tools, order, rate, sizes), **facts)


def over_tls(tools, order, server, figure, rate, ca_file):
    """The floor is the bare program plus bare rustls: full handshakes with the same server, its chain verified."""
    spent, sizes, facts = ours(tools, order, server, rate, ca_file)
    moving = bare(tools, order, rate, sizes)
    rustls = tools.floor_alone("tls-logins", server.direct_tls, ca_file, users_at(order, rate), rate)
    shaking = rustls["cpu_s"] / rustls["count"] * 1e3
    figure.add(spent, moving + shaking, floor_moving_s=moving, floor_handshakes_s=shaking, **facts)
