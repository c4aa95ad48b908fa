"""A receiver that shares no code with the load generator: slixmpp logs in as one user and prints what comes.

One line for each message, as it comes: its id, a tab, the first 24 characters of its body. `ready` stands alone on the
first line once the user is online. Ends after --seconds, or on SIGTERM or SIGINT, with exit code 0; 3 when the login
fails or the connection breaks. Needs slixmpp (pip install slixmpp).

    slixmpp_receiver.py --host 127.0.0.1 --port 16222 --ca ca.pem --jid u0@localhost --password p0 [--seconds 30]
"""

import argparse
import asyncio
import signal
import sys

import slixmpp

HEAD = 24


class Receiver(slixmpp.ClientXMPP):
    """Prints messages until it is told to end."""

    def __init__(self, jid, password, ca_file):
        super().__init__(jid, password)
        self.ca_certs = ca_file
        # STARTTLS and nothing else: it would try direct TLS on the same port first.
        self.enable_direct_tls, self.enable_starttls, self.enable_plaintext = False, True, False
        self.done = asyncio.Event()
        self.failure = None
        # Every way in which a session can fail to begin or to go on.
        for event in ("failed_all_auth", "connection_failed", "disconnected", "ssl_invalid_cert"):
            self.add_event_handler(event, lambda what, event=event: self.fail(event, what))
        self.add_event_handler("session_start", self.begin)
        self.add_event_handler("message", self.show)

    async def begin(self, _event):
        # The roster is not asked for: an account of a load test has none, or a large one.
        self.send_presence()
        print("ready", flush=True)

    def show(self, message):
        if message["type"] != "error":
            print(f"{message['id']}\t{message['body'][:HEAD]}", flush=True)

    def fail(self, event, what):
        if not self.done.is_set():
            self.failure = f"{event}: {what}"
            self.done.set()


async def receive(options):
    receiver = Receiver(options.jid, options.password, options.ca)
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, receiver.done.set)
    receiver.connect(options.host, options.port)
    try:
        await asyncio.wait_for(receiver.done.wait(), options.seconds)
    except asyncio.TimeoutError:
        pass
    if receiver.failure:
        print(f"slixmpp_receiver: {receiver.failure}", file=sys.stderr)
        return 3
    receiver.done.set()
    await receiver.disconnect(wait=2)
    return 0


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--ca", required=True)
    parser.add_argument("--jid", required=True)
    parser.add_argument("--password", required=True)
    parser.add_argument("--seconds", type=float, default=None)
    return asyncio.run(receive(parser.parse_args()))


if __name__ == "__main__":
    sys.exit(main())
