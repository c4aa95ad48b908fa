"""User-space memory per user online: how PSS grows from 2,000 users to 18,000, logged in, 20 contacts, ledger on."""

import time

from figures import Figure
from processes import pss_bytes
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
    plain = Figure("memory per user online, TCP", "bytes", 2_048, "value")
    secure = Figure("memory per user online, TLS; floor: bare rustls", "bytes", 2_048, "over")
    figures += [plain, secure]
    profile_text = tools.write("server.toml", text(order)[0])
    with tools.server(profile_text, "--tls", "absent") as server:
        warm(tools, order, server)
        for _ in range(order.repeat):
            slope, facts = one(tools, order, server)
            plain.add(slope, **facts)
    more = ("--tls", "required", "--direct-tls", "127.0.0.1:0", "--ca-out", ca_file)
    with tools.server(profile_text, *more) as server:
        warm(tools, order, server, ca_file)
        for _ in range(order.repeat):
            slope, facts = one(tools, order, server, ca_file)
            rustls = tools.floor_alone("tls-logins", server.direct_tls, ca_file, 4_000, 2_000)
            secure.add(slope, rustls["pss_bytes_each"], **facts)


def warm(tools, order, server, ca_file=None):
    content, *_ = text(order, ca_file, pace=800)
    tools.run(tools.write("warm.toml", content), server.address, seconds=200)


def one(tools, order, server, ca_file=None):
    """Bytes per user, from what the process holds at the end of the two rests."""
    content, few, many, ramps = text(order, ca_file)
    seen = []

    def watch(pid):
        # The epoch is half a second after the start; the rests are long enough not to need it exactly.
        began = time.monotonic()
        for at in (ramps[0] + REST, sum(ramps) + 2 * REST):
            time.sleep(max(0, began + at - time.monotonic()))
            seen.append((time.monotonic_ns(), pss_bytes(pid)))

    result, *_ = tools.run(tools.write("run.toml", content), server.address, watch=watch)
    must_be_sound(result)
    online = result["series"]["users_online"]
    at = [online[(instant - epoch_ns(result)) // 10**9] for instant, _ in seen]
    slope = (seen[1][1] - seen[0][1]) / (at[1] - at[0])
    return slope, {"users": at, "pss_bytes": [pss for _, pss in seen]}
