"""Profiles of the runs, and what is read out of their results."""

from processes import Failed

PASSWORDS = 'jid = "u{n}@{domain}"\npassword = "p{n}"\n'


def profile(users, phases, activities, contacts=20, tls=False, ca_file=None, deadline="5s"):
    """A profile in TOML. `phases`: (name, seconds, users at its end, measured); `activities`: TOML lines each."""
    trust = f'ca_file = "{ca_file}"\n' if ca_file else ""
    text = f'deadline = "{deadline}"\ndrain = "{deadline}"\n[target]\nurl = "loopback:"\ndomain = "localhost"\n'
    # More addresses to connect from than one run needs: closed connections of the run before keep their ports a while.
    text += f'tls = "{"required" if tls else "off"}"\n{trust}source_addresses = ["127.0.0.2-127.0.0.9"]\n'
    text += f'[[users]]\ncount = {users}\n{PASSWORDS}auth = ["SCRAM-SHA-256"]\ncontacts = {contacts}\n'
    for name, seconds, online, measured in phases:
        text += f'[[phase]]\nname = "{name}"\nduration = "{seconds}s"\nusers = {online}\nmeasure = {str(measured).lower()}\n'
    for lines in activities:
        text += f"[[activity]]\n{lines}\n"
    return text


def epoch_ns(result):
    """Where a run's zero lies on the monotonic clock."""
    return result["host"]["epoch_monotonic_ns"]


class Window:
    """Whole seconds of one phase, the last one left out: what is done in them, and what it cost."""

    def __init__(self, result, phase, cut=1):
        found = next(p for p in result["phases"] if p["name"] == phase)
        self.result, self.start, self.end = result, int(found["start_s"]), int(found["end_s"]) - cut
        self.seconds = self.end - self.start

    def done(self, operation):
        count = sum(self.result["series"]["operations"][operation]["done"][self.start : self.end])
        if not count:
            raise Failed(f"no {operation} was done in the measured seconds")
        return count

    def bytes(self):
        """Sent and received."""
        series = self.result["series"]
        return tuple(sum(series[name][self.start : self.end]) for name in ("bytes_out", "bytes_in"))

    def cpu_s(self, sampler):
        zero = epoch_ns(self.result)
        return sampler.between(zero + self.start * 10**9, zero + self.end * 10**9)


def must_be_sound(result):
    """A run whose numbers mean nothing must not become a figure."""
    for kind, account in result["ledger"].items():
        ended = sum(account[name] for name in ("delivered", "lost", "failed", "indeterminate"))
        if account["expected"] != ended:
            raise Failed(f"the account of {kind} does not add up")
    if result["exit"]["code"] in (1, 2, 3):
        raise Failed(f"the run failed: {result['exit']['reasons']}")
