#!/usr/bin/env python3
"""The shipped command under strace, which kills it or makes the system fail at the N-th call.

usage: strace_faults.py GOSSIP

Every life of a node is: start, publish one by one, publish at once, take in a peer's events, copy the
log into the database, stop. The life is first traced untouched; then again and again with one fault
each, at a sample of its system calls (with GOSSIP_CRASH_ALL=1 at all of them). After each fault the
same directory must start, hold what was acknowledged and at most what was in flight besides, go on
with the next number, and verify. Exit status 77: strace cannot do this here.
"""

import concurrent.futures
import contextlib
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time

GOSSIP = os.path.abspath(sys.argv[1])
ALL = os.environ.get("GOSSIP_CRASH_ALL") == "1"
PATIENCE = 60
SAMPLE = 12  # Of the calls of one kind in one life.
SKIPPED = 77
NO, NO_NODE, TIMED_OUT, DAMAGED, INPUT_OUTPUT = 1, 3, 4, 65, 74
REFUSED, NOT_ASKED, UNKNOWN = "refused", "not asked", "unknown"  # Instead of a number.

CHANGES = ["pwrite64", "fdatasync", "fsync", "ftruncate", "unlink", "rename", "write"]
TRACED = CHANGES + ["pread64", "sendmmsg", "sendmsg"]
LARGE = b"x" * 900000  # Five of them fill the log, so that it is copied.
PEER_EVENTS = 5


class Failure(Exception):
    """What a life should have come to, and what it came to."""


def expect(condition, *what):
    if not condition:
        raise Failure(" ".join(str(part) for part in what))


def gossip(*arguments, stdin=b""):
    return subprocess.run([GOSSIP, *arguments], input=stdin, capture_output=True, timeout=PATIENCE,
                          check=False)


def strace(trace, inject):
    """The tracer is a grandchild, so that what we start is the command itself."""
    injections = [part for text in inject for part in ("-e", "inject=" + text)]
    return ["strace", "-D", "-f", "-qq", "-y", "-s", "160", "-o", trace,
            "-e", "trace=" + ",".join(TRACED), "-e", "signal=none", *injections]


class Node:
    """A running node, whose log is read on the side."""

    def __init__(self, directory, *options, tracer=()):
        self.directory = directory
        self.process = subprocess.Popen(
            [*tracer, GOSSIP, "node", "--dir", directory, "--listen", "127.0.0.1:0", "--period", "50",
             "--payload-max", "1000000", *options],
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
        self.lines = []
        self.ready = threading.Event()
        self.reader = threading.Thread(target=self.read, daemon=True)
        self.reader.start()

    def read(self):
        for line in self.process.stderr:
            self.lines.append(line.decode("utf-8", "replace"))
            if "event=ready" in self.lines[-1]:
                self.ready.set()
        self.ready.set()

    def start(self):
        """Whether it has come up."""
        expect(self.ready.wait(PATIENCE), "neither starts nor ends", self.lines)
        return any("event=ready" in line for line in self.lines)

    def address(self):
        return next(re.search(r" address=(\S+)", line) for line in self.lines
                    if "event=ready" in line).group(1)

    def end(self, number=signal.SIGTERM):
        if self.process.poll() is None:
            self.process.send_signal(number)
        code = self.process.wait(PATIENCE)
        self.reader.join(PATIENCE)
        self.process.stderr.close()
        return code

    def publish(self, data):
        """The number of the event, or why there is none."""
        done = gossip("publish", "--dir", self.directory, "-", stdin=data)
        if done.returncode == 0:
            return int(done.stdout.split(b":")[1])
        if done.returncode == NO and b"the disk is full" in done.stderr:
            return REFUSED
        if done.returncode == NO_NODE:
            return NOT_ASKED
        expect(done.returncode in (TIMED_OUT, INPUT_OUTPUT, DAMAGED), "publish ends with",
               done.returncode, done.stderr)
        return UNKNOWN


class Life:
    """What became of a node and of what was published there."""

    def __init__(self, directory):
        self.directory = directory
        self.acknowledged = {}
        self.refused = 0
        self.in_flight = 0
        self.peer_events = 0
        self.code = None
        self.started = False
        self.trace = []

    def note(self, data, seq):
        if isinstance(seq, str):
            self.refused += seq == REFUSED
            self.in_flight += seq == UNKNOWN
            return
        expect(seq not in self.acknowledged, "the number", seq, "is used twice")
        self.acknowledged[seq] = data


def peer_clock(directory):
    done = gossip("clock", "--dir", directory, "--json")
    if done.returncode != 0:
        return None
    return json.loads(done.stdout)["clock"].get("n2", 0)


def publish(life, node, data, patient):
    while node.process.poll() is None:
        seq = node.publish(data)
        life.note(data, seq)
        if seq != REFUSED or not patient:
            break
        time.sleep(0.1)


def live(directory, peer, inject=(), patient=False):
    """One life. patient: what is refused for want of room is published again until it is taken."""
    life = Life(directory)
    trace = directory + ".trace"
    node = Node(directory, "--join", peer, tracer=strace(trace, inject))
    life.started = node.start()
    payloads = [b"one", b"two"] + [LARGE] * 5 + [b"three"]
    if life.started:
        for data in payloads:
            publish(life, node, data, patient)
        with concurrent.futures.ThreadPoolExecutor(3) as pool:
            list(pool.map(lambda data: publish(life, node, data, patient),
                          [b"at once %d" % i for i in range(3)]))
        end = time.monotonic() + 2
        while node.process.poll() is None and time.monotonic() < end:
            life.peer_events = max(life.peer_events, peer_clock(directory) or 0)
            if life.peer_events == PEER_EVENTS:
                break
            time.sleep(0.02)
    life.code = node.end()
    with contextlib.suppress(FileNotFoundError):
        with open(trace, encoding="utf-8", errors="replace") as file:
            life.trace = file.readlines()
        os.unlink(trace)
    return life


def check(life):
    """What must hold of a directory whatever has happened to it."""
    verified = gossip("verify", "--dir", life.directory)
    expect(verified.returncode == 0, "does not verify:", verified.stdout, verified.stderr)
    # Its peer has gone, and would be waited for before the next event.
    node = Node(life.directory, "--alone-after", "1ms")
    expect(node.start(), "does not start again:", node.lines)
    log = gossip("log", "--dir", life.directory, "--all", "--json")
    expect(log.returncode == 0, "has no log:", log.stderr)
    events = [json.loads(line) for line in log.stdout.splitlines()]
    seqs = sorted(event["seq"] for event in events if event["author"] == "n1")
    last = len(seqs)
    expect(seqs == list(range(1, last + 1)), "has holes:", seqs)
    expect(last >= max(life.acknowledged, default=0), "lost:", last, "of", len(life.acknowledged))
    carrying = sum(event["author"] == "n1" and "kind" not in event for event in events)
    expect(carrying <= len(life.acknowledged) + life.in_flight, "has", carrying, "events, of",
           len(life.acknowledged), "acknowledged and", life.in_flight, "in flight")
    for seq, data in life.acknowledged.items():
        shown = next(event for event in events
                     if event["author"] == "n1" and event["seq"] == seq)["data"]
        expect(shown == data.decode(), "shows other data at", seq, shown[:80])
    expect((peer_clock(life.directory) or 0) >= life.peer_events, "its clock went back")
    following = node.publish(b"next")
    # A node that has taken in much and written little may say so in an event of its own first.
    expect(following in (last + 1, last + 2), "does not go on at", last + 1, "but at", following)
    expect(node.end(signal.SIGKILL) == -signal.SIGKILL, "does not die")
    verified = gossip("verify", "--dir", life.directory)
    expect(verified.returncode == 0, "does not verify:", verified.stdout, verified.stderr)
    return carrying - len(life.acknowledged)


def check_silence(life):
    """After a commit that failed not one datagram leaves."""
    failed = False
    for line in life.trace:
        if "(INJECTED)" in line and "-wal" in line and re.search(r" (pwrite64|fdatasync)\(", line):
            failed = True
        expect(not (failed and re.search(r" send(mmsg|msg)\(.*sin6?_port", line)),
               "sends after a failed commit:", line)
    return failed


def calls_of(life, kind):
    """Which calls of a kind, from 1, are about the node's own files or log."""
    found = []
    number = 0
    for line in life.trace:
        if re.search(r"^\d+ +%s\(" % kind, line):
            number += 1
            if life.directory in line or kind == "write" and '"time=' in line:
                found.append(number)
    return found


def sample(calls):
    if ALL or len(calls) <= SAMPLE:
        return calls
    return sorted({calls[i * (len(calls) - 1) // (SAMPLE - 1)] for i in range(SAMPLE)})


class Faults:
    """All faults of one run, and what they came to."""

    def __init__(self, root):
        self.root = root
        self.fresh = os.path.join(root, "fresh")
        self.counts = {}
        self.ahead = 0
        self.failures = []
        self.lock = threading.Lock()
        made = gossip("init", "--dir", self.fresh, "--name", "n1")
        expect(made.returncode == 0, "init:", made.stderr)
        other = os.path.join(root, "n2")
        made = gossip("init", "--dir", other, "--name", "n2", "--cluster",
                      os.path.join(self.fresh, "cluster.key"))
        expect(made.returncode == 0, "init:", made.stderr)
        self.other = other
        peer = Node(other)
        expect(peer.start(), "no peer", peer.lines)
        for i in range(PEER_EVENTS):
            expect(peer.publish(b"of n2 %d" % i) == i + 1, "no event of the peer")
        expect(peer.end() == 0, "the peer does not stop")

    def directory(self, name, fresh=True):
        path = os.path.join(self.root, re.sub(r"\W+", "-", name))
        if fresh:
            shutil.copytree(self.fresh, path)
        return path

    def live(self, name, inject=(), patient=False):
        """One life, with a peer of its own: another would know what an earlier life has written."""
        other = self.directory(name) + ".peer"
        shutil.copytree(self.other, other)
        peer = Node(other)
        try:
            expect(peer.start(), "no peer", peer.lines)
            return live(other[:-len(".peer")], peer.address(), inject, patient)
        finally:
            peer.end(signal.SIGKILL)
            shutil.rmtree(other)

    def baseline(self):
        life = self.live("baseline")
        expect(life.code == 0 and len(life.acknowledged) == 11 and life.peer_events == PEER_EVENTS,
               "an untouched life:", life.code, life.acknowledged.keys(), life.peer_events)
        check(life)
        return life

    def run(self, name, what):
        """Carries out one fault: what() returns the label to count it under."""
        try:
            label = what()
        except Failure as failure:
            with self.lock:
                self.failures.append(name)
                print("%s: %s" % (name, str(failure)[:2000]), flush=True)
            return
        with self.lock:
            self.counts[label] = self.counts.get(label, 0) + 1

    def kill(self, name, kind, number):
        life = self.live(name, ["%s:signal=SIGKILL:when=%d" % (kind, number)])
        expect(life.code in (0, -signal.SIGKILL), "ends with", life.code)
        self.finish(life)
        return "killed at " + kind if life.code else "came to its end before"

    def fail(self, name, kind, number, sticky):
        life = self.live(name, ["%s:error=EIO:when=%d%s" % (kind, number, "+" if sticky else "")])
        expected = (0, DAMAGED, INPUT_OUTPUT) if kind == "pread64" else (0, INPUT_OUTPUT)
        expect(life.code in expected, "ends with", life.code)
        stopped = next((i for i, line in enumerate(life.trace) if "event=signal" in line), None)
        failed_commit = check_silence(life)
        if failed_commit and stopped is None:
            expect(life.code == INPUT_OUTPUT, "goes on after a failed commit")
        if life.code == 0:
            expect(life.in_flight == 0, "refuses and goes on")
        self.finish(life)
        return "EIO %s at %s" % ("for ever" if sticky else "once", kind)

    def full(self, name, number, sticky):
        life = self.live(name, ["pwrite64:error=ENOSPC:when=%d%s" % (number, "+" if sticky else "")],
                    patient=not sticky)
        expect(life.code in (0, INPUT_OUTPUT), "ends with", life.code)
        if life.started:
            expect(life.code == 0, "ends for want of room")
        if life.started and not sticky:
            expect(len(life.acknowledged) == 11, "does not go on")
        self.finish(life)
        return "ENOSPC %s at pwrite64" % ("for ever" if sticky else "once")

    def slow(self, name):
        life = self.live(name, ["fdatasync:delay_exit=200000"])
        expect(life.code == 0 and len(life.acknowledged) == 11, "slow disk:", life.code,
               life.acknowledged.keys())
        self.finish(life)
        return "every fdatasync takes 200 ms"

    def kill_init(self, name, kind, number):
        """Of a node that was being made there is a whole one, or none that starts."""
        directory = self.directory(name, fresh=False)
        tracer = strace(directory + ".trace", ["%s:signal=SIGKILL:when=%d" % (kind, number)])
        done = subprocess.run([*tracer, GOSSIP, "init", "--dir", directory, "--name", "n1"],
                              capture_output=True, timeout=PATIENCE, check=False)
        expect(done.returncode in (0, -signal.SIGKILL), "init ends with", done.returncode)
        again = gossip("init", "--dir", directory, "--name", "n1")
        if again.returncode == 0:
            expect(done.returncode != 0, "a node is made twice")
        else:
            expect(again.returncode == 1, "init again ends with", again.returncode, again.stderr)
        if again.returncode == 0 or b"no whole node" not in again.stderr:
            check(Life(directory))
            return "init killed at %s: whole" % kind
        node = Node(directory)
        expect(not node.start() and node.end() == 78, "half a node starts", node.lines)
        return "init killed at %s: refused, as no whole node" % kind

    def finish(self, life):
        self.ahead += check(life)
        shutil.rmtree(life.directory, ignore_errors=True)

    def init_calls(self):
        directory = self.directory("init", fresh=False)
        trace = directory + ".trace"
        done = subprocess.run([*strace(trace, []), GOSSIP, "init", "--dir", directory, "--name", "n1"],
                              capture_output=True, timeout=PATIENCE, check=False)
        expect(done.returncode == 0, "init under strace:", done.stderr)
        life = Life(directory)
        end = time.monotonic() + PATIENCE
        while not life.trace and time.monotonic() < end:
            with open(trace, encoding="utf-8", errors="replace") as file:
                life.trace = file.readlines()
        return {kind: calls_of(life, kind) for kind in CHANGES}

    def plan(self):
        work = []

        def add(name, function, *arguments):
            work.append((name, lambda: function(name, *arguments)))

        for kind, calls in self.init_calls().items():
            for number in calls:
                add("init killed at %s %d" % (kind, number), self.kill_init, kind, number)
        life = self.baseline()
        for kind in CHANGES:
            for number in sample(calls_of(life, kind)):
                add("killed at %s %d" % (kind, number), self.kill, kind, number)
        for kind in "pwrite64", "fdatasync", "pread64":
            for number in sample(calls_of(life, kind)):
                for sticky in False, True:
                    add("EIO at %s %d%s" % (kind, number, "+" if sticky else ""), self.fail, kind,
                        number, sticky)
        for number in sample(calls_of(life, "pwrite64")):
            for sticky in False, True:
                add("ENOSPC at pwrite64 %d%s" % (number, "+" if sticky else ""), self.full, number,
                    sticky)
        add("slow disk", self.slow)
        return work


def can_inject():
    if shutil.which("strace") is None:
        return "strace is not installed"
    done = subprocess.run(["strace", "-D", "-f", "-qq", "-o", "/dev/null", "-e", "trace=getppid",
                           "-e", "inject=getppid:retval=1234567", sys.executable, "-c",
                           "import os; print(os.getppid())"],
                          capture_output=True, text=True, timeout=PATIENCE, check=False)
    if done.stdout.strip() != "1234567":
        return "strace cannot inject here: " + (done.stderr.strip() or "no effect")
    return None


def main():
    reason = can_inject()
    if reason is not None:
        print("skipped: " + reason)
        return SKIPPED
    base = "/dev/shm" if os.access("/dev/shm", os.W_OK | os.X_OK) else None
    root = tempfile.mkdtemp(prefix="gossip-strace-", dir=base)
    started = time.monotonic()
    try:
        faults = Faults(root)
        work = faults.plan()
        with concurrent.futures.ThreadPoolExecutor(2) as pool:
            for _ in pool.map(lambda one: faults.run(*one), work):
                pass
    finally:
        shutil.rmtree(root, ignore_errors=True)
    for label, count in sorted(faults.counts.items()):
        print("%6d  %s" % (count, label))
    print("%d faults, %d failed; %d events more than acknowledged, each in flight; %.0f s" %
          (len(work), len(faults.failures), faults.ahead, time.monotonic() - started))
    return 1 if faults.failures else 0


if __name__ == "__main__":
    sys.exit(main())
