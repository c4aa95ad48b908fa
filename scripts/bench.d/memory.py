"""User-space memory per user online: how PSS grows from 2,000 users to 18,000, logged in, 20 contacts, ledger on."""

import time

from figures import Figure
from processes import Failed, pss_bytes
from runs import epoch_ns, must_be_sound, profile

FEW, MANY = 2_000, 18_000
# After a phase's users are online: time for the last presence to come.
REST = 4


def text(order, ca_file=None, pace=1_600):
    few, many = (FEW, MANY) if not order.quick else (FEW, MANY // 3)
    ramps = max(2, few // pace), max(2, (many - few) // pace)
    phases = [
        ("few", ramps[0], few, False),
        ("rest", REST, few, False),
        ("many", ramps[1], many, False),
        ("end", REST + 1, many, True),
    ]
    activities = ['kind = "message"\nrate = "200/s"\nbody = 100\nto = "contact"']
    return profile(many, phases, activities, 20, bool(ca_file), ca_file, "20s"), few, many, ramps


def measure(tools, order, figures):
    ca_file = tools.folder / "ca.pem"
    names = ("memory per user online, {}", "memory per user of the population, {}")
    plain = [Figure(name.format("TCP"), "bytes", 2_048, "value") for name in names]
    secure = [Figure(name.format("TLS; floor: bare rustls"), "bytes", 2_048, "over") for name in names]
    figures += plain + secure
    profile_text = tools.write("server.toml", text(order)[0])
    with tools.server(profile_text, "--tls", "absent") as server:
        warm(tools, order, server)
        for _ in range(order.repeat):
            one(tools, order, server, plain)
    more = ("--tls", "required", "--direct-tls", "127.0.0.1:0", "--ca-out", ca_file)
    with tools.server(profile_text, *more) as server:
        warm(tools, order, server, ca_file)
        for _ in range(order.repeat):
            one(tools, order, server, secure, ca_file)


def warm(tools, order, server, ca_file=None):
    content, *_ = text(order, ca_file, pace=800)
    tools.run(tools.write("warm.toml", content), server.address, seconds=200)
    few_only(tools, server, ca_file)


def one(tools, order, server, figures, ca_file=None):
    """Bytes per user: how one run grows as users come online, and how a run of many users differs from one of few.

    The first leaves out what is made for the whole population beforehand (names, plan, keys); the second has it all.
    """
    content, few, many, ramps = text(order, ca_file)
    # The epoch is half a second after the start; the rests are long enough not to need it exactly.
    seen = watched(tools, content, server, [ramps[0] + REST, sum(ramps) + 2 * REST])
    small = few_only(tools, server, ca_file)
    bare = None
    if ca_file:
        bare = tools.floor_alone("tls-logins", server.direct_tls, ca_file, 4_000, 2_000)["pss_bytes_each"]
    for figure, start in zip(figures, (seen[0], small)):
        slope = (seen[1][1] - start[1]) / (seen[1][0] - start[0])
        figure.add(slope, bare, users=[start[0], seen[1][0]], pss_bytes=[start[1], seen[1][1]])


def few_only(tools, server, ca_file=None):
    """Users and PSS of a run that has few users to begin with, with keys of its own."""
    phases = [("few", 2, FEW, False), ("end", REST + 1, FEW, True)]
    activities = ['kind = "message"\nrate = "200/s"\nbody = 100\nto = "contact"']
    content = profile(FEW, phases, activities, 20, bool(ca_file), ca_file, "20s")
    environment = {"XDG_CACHE_HOME": str(tools.folder / "cache-of-few")}
    return watched(tools, content, server, [2 + REST], environment)[0]


def watched(tools, content, server, instants, environment=None):
    """Users online and PSS at some seconds after the start."""
    seen = []

    def watch(pid):
        began = time.monotonic()
        for at in instants:
            time.sleep(max(0, began + at - time.monotonic()))
            seen.append((time.monotonic_ns(), pss_bytes(pid)))

    path = tools.write("run.toml", content)
    result, *_ = tools.run(path, server.address, watch=watch, environment=environment)
    must_be_sound(result)
    online = result["series"]["users_online"]
    return [(online_at(online, (instant - epoch_ns(result)) // 10**9), pss) for instant, pss in seen]


def online_at(column, second):
    """The last count known at a second: one that the run was late to report is null."""
    known = [count for count in column[: second + 1] if count is not None]
    if not known:
        raise Failed("nobody was online when memory was looked at")
    return known[-1]
