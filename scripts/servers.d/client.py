"""A small XMPP client of the standard library alone, for waiting until a login works and for testing what a server counts.

    client.py login    --port 16222 --ca ca.pem --jid u0@localhost --password p0
        STARTTLS, SCRAM-SHA-256, bind; prints the mechanisms offered, the salt and the rounds as JSON.
    client.py exchange --port 16222 --ca ca.pem --pairs 3 --each 5 [--prefix xm]
        u(2k) writes to u(2k+1), and waits until all has come; prints how many copies came as JSON. With --prefix xp it shows
        its presence instead, to that user and then to everybody; with --prefix xg both are in a room and it writes there.
    client.py leave    --port 16222 --ca ca.pem --to u7@localhost --count 4 [--errors]
        u0 writes to an address, and waits until the server has taken it all; with --errors until as many came back.
    client.py fetch    --port 16222 --ca ca.pem --jid u7@localhost --password p7 --count 4
        Comes online, and waits for so many messages kept for it.
    client.py say      --port 16222 --ca ca.pem --jid u7@localhost --password p7 --stanza "<presence type='…' to='…'/>"
        Sends a stanza, and waits until the server has dealt with it.
"""

import argparse
import base64
import hashlib
import hmac
import json
import os
import re
import socket
import ssl
import sys
import xml.etree.ElementTree as ElementTree

CLIENT, STREAM = "jabber:client", "http://etherx.jabber.org/streams"
MUC = "http://jabber.org/protocol/muc"
SASL, TLS, BIND = (f"urn:ietf:params:xml:ns:xmpp-{name}" for name in ("sasl", "tls", "bind"))


class Failure(Exception):
    """The server said no, or said what was not expected."""


class Session:
    """One stream, from the TCP connection to a bound resource."""

    def __init__(self, port, ca, jid, password, timeout=10):
        self.user, self.domain = jid.split("@")
        self.context = ssl.create_default_context(cafile=ca)
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=timeout)
        features = self.open()
        if features.find(f"{{{TLS}}}starttls") is None:
            raise Failure("STARTTLS is not offered")
        self.send(f"<starttls xmlns='{TLS}'/>")
        self.expect(f"{{{TLS}}}proceed")
        self.socket = self.context.wrap_socket(self.socket, server_hostname=self.domain)
        features = self.open()
        self.mechanisms = [element.text for element in features.iter(f"{{{SASL}}}mechanism")]
        self.scram(password)
        self.open()
        self.send(f"<iq type='set' id='bind'><bind xmlns='{BIND}'/></iq>")
        answer = self.expect(f"{{{CLIENT}}}iq")
        self.jid = answer.findtext(f"{{{BIND}}}bind/{{{BIND}}}jid")
        if self.jid is None:
            raise Failure("no resource was bound")

    def open(self):
        self.parser = ElementTree.XMLPullParser(["start", "end"])
        self.depth = 0
        self.send(
            f"<?xml version='1.0'?><stream:stream xmlns='{CLIENT}' xmlns:stream='{STREAM}' "
            f"to='{self.domain}' version='1.0'>"
        )
        return self.expect(f"{{{STREAM}}}features")

    def send(self, text):
        self.socket.sendall(text.encode())

    def stanza(self):
        """The next whole element below the stream."""
        while True:
            for event, element in self.parser.read_events():
                self.depth += 1 if event == "start" else -1
                if event == "end" and self.depth == 1:
                    return element
                if event == "end" and self.depth == 0:
                    raise Failure("the server closed the stream")
            data = self.socket.recv(65536)
            if not data:
                raise Failure("the server closed the connection")
            self.parser.feed(data)

    def gather(self, count, prefix):
        """The ids of the next stanzas that begin so."""
        ids = []
        while len(ids) < count:
            name = self.stanza().get("id") or ""
            if name.startswith(prefix):
                ids.append(name)
        return ids

    def expect(self, tag):
        element = self.stanza()
        if element.tag != tag:
            raise Failure(f"expected {tag}, got {ElementTree.tostring(element, 'unicode')}")
        return element

    def scram(self, password):
        """SCRAM-SHA-256 (RFC 5802, RFC 7677), the server's proof checked."""
        if "SCRAM-SHA-256" not in self.mechanisms:
            raise Failure(f"SCRAM-SHA-256 is not offered, only {self.mechanisms}")
        nonce = base64.b64encode(os.urandom(18)).decode()
        first = f"n={self.user},r={nonce}"
        encoded = base64.b64encode(f"n,,{first}".encode()).decode()
        self.send(f"<auth xmlns='{SASL}' mechanism='SCRAM-SHA-256'>{encoded}</auth>")
        challenge = base64.b64decode(self.expect(f"{{{SASL}}}challenge").text).decode()
        fields = dict(re.findall(r"(?:^|,)([a-z])=([^,]*)", challenge))
        if not fields["r"].startswith(nonce):
            raise Failure("the server's nonce does not continue ours")
        self.salt, self.rounds = fields["s"], int(fields["i"])
        salted = hashlib.pbkdf2_hmac("sha256", password.encode(), base64.b64decode(self.salt), self.rounds)
        client_key = hmac.digest(salted, b"Client Key", "sha256")
        bare = f"c=biws,r={fields['r']}"
        message = f"{first},{challenge},{bare}".encode()
        signature = hmac.digest(hashlib.sha256(client_key).digest(), message, "sha256")
        proof = base64.b64encode(bytes(a ^ b for a, b in zip(client_key, signature))).decode()
        self.send(f"<response xmlns='{SASL}'>{base64.b64encode(f'{bare},p={proof}'.encode()).decode()}</response>")
        success = base64.b64decode(self.expect(f"{{{SASL}}}success").text).decode()
        expected = hmac.digest(hmac.digest(salted, b"Server Key", "sha256"), message, "sha256")
        if success != "v=" + base64.b64encode(expected).decode():
            raise Failure("the server's signature is wrong")

    def close(self):
        self.send("</stream:stream>")
        self.socket.close()


# A server handles what one session sends in order: once this is answered, all before it has been dealt with.
DONE = "<iq type='get' id='done' to='localhost'><ping xmlns='urn:xmpp:ping'/></iq>"


def token(prefix, number):
    """24 characters in the shape of a token."""
    return prefix + f"{number:x}".rjust(24 - len(prefix), "A")


def login(options):
    session = Session(options.port, options.ca, options.jid, options.password)
    print(json.dumps({"mechanisms": session.mechanisms, "salt": session.salt, "rounds": session.rounds}))
    session.close()


def exchange(options):
    def user(number):
        return Session(options.port, options.ca, f"u{number}@localhost", f"p{number}")

    came = 0
    for pair in range(options.pairs):
        sender, receiver = user(2 * pair), user(2 * pair + 1)
        receiver.send("<presence/>")
        sent = [token(options.prefix, (options.first + pair) << 16 | number) for number in range(options.each)]
        readers = [receiver]
        if options.prefix == "xg":
            readers.append(sender)
            enter_room(*readers, room=f"pair{pair}@conference.localhost")
        for name in sent:
            sender.send(written(name, receiver.jid, f"pair{pair}@conference.localhost"))
        if options.prefix == "xp":
            # It comes back to its sender, and to nobody else: nobody is subscribed.
            sender.send(f"<presence id='{token('xp', 1 << 30 | pair)}'/>")
            sender.gather(1, "xp")
        for reader in readers:
            got = reader.gather(len(sent), options.prefix)
            if got != sent:
                raise Failure(f"sent {sent}, got {got}")
            came += len(got)
        sender.close()
        receiver.close()
    print(json.dumps({"copies": came}))


def written(name, to, room):
    """A stanza with a token, of the kind its letter tells."""
    if name.startswith("xp"):
        return f"<presence to='{to}' id='{name}'><status>{name}</status></presence>"
    to, kind = (room, "groupchat") if name.startswith("xg") else (to, "chat")
    return f"<message to='{to}' type='{kind}' id='{name}'><body>{name}</body></message>"


def enter_room(*sessions, room):
    """The first makes it, and opens it where it has to be (XEP-0045 §10.1.2). Each is in once it was told the subject."""
    for session in sessions:
        nick = session.user
        session.send(f"<presence to='{room}/{nick}'><x xmlns='{MUC}'><history maxstanzas='0'/></x></presence>")
        if session is sessions[0]:
            form = f"<query xmlns='{MUC}#owner'><x xmlns='jabber:x:data' type='submit'/></query>"
            session.send(f"<iq type='set' to='{room}' id='open'>{form}</iq>")
            while session.stanza().get("id") != "open":
                pass
        else:
            while session.stanza().find(f"{{{CLIENT}}}subject") is None:
                pass


def leave(options):
    session = Session(options.port, options.ca, "u0@localhost", "p0")
    for number in range(options.count):
        name = token("xm", number)
        session.send(f"<message to='{options.to}' type='chat' id='{name}'><body>{name} and more</body></message>")
    session.send(DONE)
    wanted, done = options.count if options.errors else 0, False
    while wanted > 0 or not done:
        stanza = session.stanza()
        wanted -= stanza.tag == f"{{{CLIENT}}}message" and stanza.get("type") == "error"
        done = done or stanza.get("id") == "done"
    session.close()


def say(options):
    session = Session(options.port, options.ca, options.jid, options.password)
    session.send(options.stanza)
    session.send(DONE)
    while session.stanza().get("id") != "done":
        pass
    session.close()


def fetch(options):
    session = Session(options.port, options.ca, options.jid, options.password)
    session.send("<presence/>")
    wanted = options.count
    while wanted > 0:
        wanted -= session.stanza().tag == f"{{{CLIENT}}}message"
    session.close()


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(required=True)
    for command in (login, exchange, leave, fetch, say):
        sub = commands.add_parser(command.__name__)
        sub.set_defaults(run=command)
        sub.add_argument("--port", type=int, required=True)
        sub.add_argument("--ca", required=True)
    for name in ("login", "fetch", "say"):
        commands.choices[name].add_argument("--jid", required=True)
        commands.choices[name].add_argument("--password", required=True)
    for name in ("leave", "fetch"):
        commands.choices[name].add_argument("--count", type=int, required=True)
    commands.choices["say"].add_argument("--stanza", required=True)
    commands.choices["leave"].add_argument("--to", required=True)
    commands.choices["leave"].add_argument("--errors", action="store_true")
    commands.choices["exchange"].add_argument("--pairs", type=int, default=3)
    commands.choices["exchange"].add_argument("--each", type=int, default=5)
    commands.choices["exchange"].add_argument("--first", type=int, default=0)
    commands.choices["exchange"].add_argument("--prefix", default="xm")
    options = parser.parse_args()
    try:
        options.run(options)
    except (Failure, OSError, KeyError) as error:
        sys.exit(f"client.py: {error or type(error).__name__}")


if __name__ == "__main__":
    main()
