"""A proxy between users and a server that breaks their connections on command, as a bad network would.

    proxy.py --to 127.0.0.1:16222 [--share 0.1]

Prints the port it listens on. SIGUSR1 resets that share of the connections, on both sides, without notice, and prints
`cut N of M`. SIGUSR2 stops reading from all of them for good, and prints `stalled M`. Ends on SIGTERM.
"""

import argparse
import asyncio
import signal
import socket
import struct

RESET = struct.pack("ii", 1, 0)
CHUNK = 65536


class Pair:
    """A user's connection and the one to the server in its name."""

    def __init__(self, proxy, user, server):
        self.proxy, self.ends = proxy, (user, server)

    async def forward(self, source, sink):
        loop = asyncio.get_running_loop()
        try:
            while data := await loop.sock_recv(source, CHUNK):
                await self.proxy.may_read.wait()
                await loop.sock_sendall(sink, data)
            sink.shutdown(socket.SHUT_WR)
        except OSError:
            pass

    async def run(self):
        user, server = self.ends
        self.tasks = [asyncio.create_task(self.forward(*way)) for way in ((user, server), (server, user))]
        await asyncio.gather(*self.tasks, return_exceptions=True)
        self.proxy.pairs.discard(self)
        for end in self.ends:
            end.close()

    def cut(self):
        for task in self.tasks:
            task.cancel()
        for end in self.ends:
            end.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
            end.close()


class Proxy:
    def __init__(self, target, share):
        self.target, self.share, self.pairs, self.may_read = target, share, set(), asyncio.Event()
        self.may_read.set()

    async def accept(self, user):
        server = socket.socket()
        server.setblocking(False)
        try:
            await asyncio.get_running_loop().sock_connect(server, self.target)
        except OSError:
            user.close()
            return
        for end in (user, server):
            end.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        pair = Pair(self, user, server)
        self.pairs.add(pair)
        await pair.run()

    def cut(self):
        pairs = sorted(self.pairs, key=lambda pair: pair.ends[0].fileno())
        victims = pairs[: round(len(pairs) * self.share)]
        for pair in victims:
            pair.cut()
        print(f"cut {len(victims)} of {len(pairs)}", flush=True)

    def stall(self):
        self.may_read.clear()
        print(f"stalled {len(self.pairs)}", flush=True)

    async def run(self):
        loop, tasks = asyncio.get_running_loop(), set()
        loop.add_signal_handler(signal.SIGUSR1, self.cut)
        loop.add_signal_handler(signal.SIGUSR2, self.stall)
        listener = socket.create_server(("127.0.0.1", 0), backlog=1024)
        listener.setblocking(False)
        print(listener.getsockname()[1], flush=True)
        while True:
            user, _ = await loop.sock_accept(listener)
            user.setblocking(False)
            task = loop.create_task(self.accept(user))
            tasks.add(task)
            task.add_done_callback(tasks.discard)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--to", required=True)
    parser.add_argument("--share", type=float, default=0.1)
    options = parser.parse_args()
    host, port = options.to.rsplit(":", 1)
    asyncio.run(Proxy((host, int(port)), options.share).run())


if __name__ == "__main__":
    main()
