"""Processes that are measured: started on one CPU, watched through /proc, ended by their number."""

import json
import os
import re
import subprocess
import threading
import time
from pathlib import Path

GENERATOR_CPU, SERVER_CPU = sorted(os.sched_getaffinity(0))[:2] if len(os.sched_getaffinity(0)) > 1 else (0, 0)


class Failed(Exception):
    """A measurement that could not be made; its text says why."""


def cpu_ns(pid):
    """CPU time of all threads a process has now, as the scheduler counts it (exact to the last tick of running ones)."""
    total = 0
    for path in Path(f"/proc/{pid}/task").glob("*/schedstat"):
        try:
            total += int(path.read_text().split()[0])
        except (OSError, IndexError):
            pass  # The thread has just ended.
    return total


def pss_bytes(pid):
    """Proportional set size."""
    for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
        if line.startswith("Pss:"):
            return int(line.split()[1]) * 1024
    raise Failed("the kernel shows no PSS")


class Sampler:
    """Reads a process's CPU time a few times a second, to be asked for any instant in between afterwards."""

    def __init__(self, pid, every=0.1):
        self.pid, self.every, self.points, self.over = pid, every, [], threading.Event()
        self.thread = threading.Thread(target=self._watch, daemon=True)
        self.thread.start()

    def _watch(self):
        while not self.over.wait(self.every):
            now, spent = time.monotonic_ns(), cpu_ns(self.pid)
            if spent:
                self.points.append((now, spent))

    def stop(self):
        self.over.set()
        self.thread.join()

    def between(self, start_ns, end_ns):
        """CPU seconds spent between two instants of the monotonic clock."""
        return (self._at(end_ns) - self._at(start_ns)) / 1e9

    def _at(self, instant):
        for (t0, c0), (t1, c1) in zip(self.points, self.points[1:]):
            if t0 <= instant <= t1:
                return c0 + (c1 - c0) * (instant - t0) / (t1 - t0)
        raise Failed("the process was not watched for long enough")


class Process:
    """A child on one CPU. Used in a `with`, it never outlives it."""

    # What every child is started through, ours and floor alike; each replaces itself by the next.
    before = ()

    def __init__(self, cpu, command, environment=None, **kwargs):
        words = [*Process.before, "taskset", "-c", str(cpu), *map(str, command)]
        self.child = subprocess.Popen(
            words, env={**os.environ, **(environment or {})}, stdin=subprocess.DEVNULL, text=True, **kwargs
        )
        self.pid = self.child.pid  # Of the command: what starts it replaces itself.

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.child.poll() is None:
            self.child.terminate()
            try:
                self.child.wait(10)
            except subprocess.TimeoutExpired:
                self.child.kill()
                self.child.wait()
        for pipe in (self.child.stdout, self.child.stderr):
            if pipe:
                pipe.close()


class Tools:
    """The two programs, and a folder for what they leave behind."""

    def __init__(self, binary, floor, folder):
        self.binary, self.floor, self.folder = Path(binary).resolve(), Path(floor).resolve(), Path(folder)
        self.environment = {"XDG_CACHE_HOME": str(self.folder / "cache"), "NO_COLOR": "1"}
        self.runs = 0

    def write(self, name, text):
        path = self.folder / name
        path.write_text(text)
        return path

    def server(self, profile, *more, cpu=SERVER_CPU):
        """The embedded server, its port taken from what it announces."""
        command = [self.binary, "serve", "--listen", "127.0.0.1:0", "--profile", profile, *more]
        process = Process(cpu, command, self.environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        process.direct_tls = None
        for line in process.child.stderr:
            found = re.search(r"direct TLS on (\S+:\d+)", line)
            if found:
                process.direct_tls = found[1]
                break
            found = re.search(r"listening on (\S+:\d+)", line)
            if found:
                process.address = found[1]
                if "--direct-tls" not in more:
                    break
        else:
            raise Failed("the embedded server did not start")
        return process

    def run(self, profile, address, *more, watch=None, server=None, seconds=120, environment=None):
        """One run of ours. Returns its result, its CPU sampler, and the server's if one was given."""
        self.runs += 1
        out = self.folder / f"run-{self.runs}.json"
        command = [self.binary, "run", profile, "--target", f"xmpp://{address}", "--workers", "1"]
        command += ["--seed", str(self.runs), "--out", out, "--quiet", *more]
        environment = {**self.environment, **(environment or {})}
        with Process(GENERATOR_CPU, command, environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as ours:
            samplers = [Sampler(process.pid) for process in (ours, server) if process]
            try:
                if watch:
                    watch(ours.pid)
                said, errors = ours.child.communicate(timeout=seconds)
            except subprocess.TimeoutExpired:
                raise Failed(f"a run took longer than {seconds} s") from None
            finally:
                for sampler in samplers:
                    sampler.stop()
        if not out.exists():
            raise Failed(f"a run left no result: {errors.strip() or said.strip()}")
        result = json.loads(out.read_text())
        out.unlink()
        return result, *samplers

    def floor_pair(self, role, out_bytes, in_bytes, *client):
        """A floor's server and client; gives the client's numbers."""
        command = [self.floor, role, "127.0.0.1:0", out_bytes, in_bytes]
        with Process(SERVER_CPU, command, stdout=subprocess.PIPE) as server:
            address = server.child.stdout.readline().strip()
            what, *numbers = client
            return self.floor_alone(what, address, out_bytes, in_bytes, *numbers)

    def floor_alone(self, *words, seconds=120):
        with Process(GENERATOR_CPU, [self.floor, *words], stdout=subprocess.PIPE) as client:
            try:
                said, _ = client.child.communicate(timeout=seconds)
            except subprocess.TimeoutExpired:
                raise Failed(f"the floor took longer than {seconds} s") from None
        if client.child.returncode != 0 or not said:
            raise Failed(f"the floor failed: {' '.join(map(str, words))}")
        return json.loads(said)
