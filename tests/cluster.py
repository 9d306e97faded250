#!/usr/bin/env python3
"""Stories of real processes: nodes on UDP loopback that are killed with -9 and started again.

    cluster.py GOSSIP SCENARIO [--seconds N]

GOSSIP is the command under test. The truth that its answers are held against is what was
acknowledged to this script, never a clock of a node.
"""

import argparse
import collections
import contextlib
import http.client
import json
import os
import random
import shutil
import signal
import socket
import stat
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

LOOPBACK = "127.0.0.1"
READY_SECONDS = 15
AGREE_SECONDS = 60


class Failure(Exception):
    """What a scenario expected, and what it saw."""


def expect(condition, message):
    if not condition:
        raise Failure(message)


class Cut(Exception):
    """The node went away before it answered."""


class UnixConnection(http.client.HTTPConnection):
    """HTTP over a Unix socket."""

    def __init__(self, path):
        super().__init__("localhost", timeout=30)
        self.path = path

    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        self.sock.connect(str(self.path))


class Client:
    """One keep-alive connection to a node, opened anew where it broke."""

    def __init__(self, node):
        self.node = node
        self.connection = None

    def request(self, method, path, body=None):
        try:
            if self.connection is None:
                self.connection = UnixConnection(self.node.socket_path())
            self.connection.request(method, path, body=body)
            response = self.connection.getresponse()
            data = response.read()
        except (OSError, http.client.HTTPException) as error:
            self.close()
            raise Cut(f"{self.node.name}: {method} {path}: {error!r}") from error
        expect(200 <= response.status < 300,
               f"{self.node.name}: {method} {path}: {response.status} {data[:200]!r}")
        return data

    def publish(self, payload):
        """Returns the event's dot."""
        return json.loads(self.request("POST", "/v1/events", payload.encode()))["dot"]

    def clock(self):
        return json.loads(self.request("GET", "/v1/clock"))["clock"]

    def log(self):
        return [json.loads(line) for line in self.request("GET", "/v1/log").splitlines() if line]

    def close(self):
        if self.connection is not None:
            self.connection.close()
            self.connection = None


class Node:
    """A directory, and the process that runs on it now and then."""

    def __init__(self, cluster, name, port):
        self.cluster = cluster
        self.name = name
        self.directory = cluster.directory / name
        self.address = f"{LOOPBACK}:{port}"
        self.process = None
        self.output = cluster.directory / f"{name}.output"

    def init(self, key=None):
        arguments = ["init", "--dir", self.directory, "--name", self.name]
        if key is not None:
            arguments += ["--cluster", key]
        self.cluster.run(*arguments)

    def start(self, *joins, alone_after="10s"):
        """Starts the node and returns once it answers."""
        expect(self.process is None, f"{self.name} runs already")
        arguments = [self.cluster.command, "node", "--dir", self.directory,
                     "--listen", self.address, "--alone-after", alone_after]
        for node in joins:
            arguments += ["--join", node.address]
        with open(self.output, "ab") as output:
            self.process = subprocess.Popen(arguments, stdin=subprocess.DEVNULL, stdout=output,
                                            stderr=output)
        self.cluster.wait(self.answers, READY_SECONDS, f"{self.name} does not answer")

    def answers(self):
        expect(self.process.poll() is None,
               f"{self.name} ended by itself with {self.process.returncode}")
        try:
            with contextlib.closing(Client(self)) as client:
                client.clock()
        except Cut:
            return False
        return True

    def kill(self):
        """Ends the process as a power cut would, for what runs on it."""
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()
        self.process = None

    def stop(self):
        """Ends the process as a person would."""
        self.cluster.run("stop", "--dir", self.directory)
        try:
            code = self.process.wait(timeout=10)
        except subprocess.TimeoutExpired:
            raise Failure(f"{self.name} still runs 10 s after stop") from None
        self.process = None
        expect(code == 0, f"{self.name} was stopped and ended with {code}")

    def refuses(self, code):
        """It does not start, and ends with code."""
        expect(self.process is None, f"{self.name} runs")
        result = subprocess.run([self.cluster.command, "node", "--dir", self.directory, "--listen",
                                 self.address], stdin=subprocess.DEVNULL, capture_output=True,
                                text=True, timeout=30, check=False)
        expect(result.returncode == code,
               f"{self.name} should have ended with {code}: {result.returncode} {result.stderr}")
        return result.stderr

    def status(self):
        return json.loads(self.cluster.run("status", "--json", "--dir", self.directory))

    def epochs(self):
        """How many events its key has written in each of its epochs, and which is open."""
        return sorted((epoch["have"], epoch["open"]) for epoch in self.status()["epochs"])

    def payloads(self):
        """Of its log, by author and number."""
        log = self.log()
        check_log(self.name, log)
        return {event["dot"]: event.get("data") for event in log if "kind" not in event}

    def socket_path(self):
        """The socket that the node listens on; a Cut while there is none."""
        for path in self.directory.iterdir():
            if stat.S_ISSOCK(path.stat().st_mode):
                return path
        raise Cut(f"{self.name}: there is no socket in {self.directory}")

    def clock(self):
        with contextlib.closing(Client(self)) as client:
            return client.clock()

    def clock_on_disk(self):
        """What the command reads from the directory, running or not."""
        return json.loads(self.cluster.run("clock", "--json", "--dir", self.directory))["clock"]

    def log(self):
        with contextlib.closing(Client(self)) as client:
            return client.log()

    def publish(self, payload):
        with contextlib.closing(Client(self)) as client:
            return client.publish(payload)


class Cluster:
    """Nodes in a directory of their own, which goes when they do."""

    def __init__(self, command, seconds):
        self.command = Path(command).resolve()
        self.deadline = time.monotonic() + seconds
        # A short path: the name of a Unix socket has 107 bytes at most.
        self.directory = Path(tempfile.mkdtemp(prefix="gossip-"))
        self.nodes = []

    def __enter__(self):
        return self

    def __exit__(self, kind, error, trace):
        for node in self.nodes:
            if node.process is not None:
                node.kill()
            if kind is not None and node.output.exists():
                lines = node.output.read_text(encoding="utf-8", errors="replace").splitlines()
                print(f"--- the last lines of {node.name}:", *lines[-20:], sep="\n")
        shutil.rmtree(self.directory)

    def add(self, *names):
        """Makes a node for each name, all of one cluster."""
        ports = free_ports(len(names))
        for name, port in zip(names, ports):
            node = Node(self, name, port)
            node.init(self.nodes[0].directory / "cluster.key" if self.nodes else None)
            self.nodes.append(node)
        return self.nodes[-len(names):]

    def run(self, *arguments):
        """Runs a verb that must succeed; returns what it printed."""
        result = subprocess.run([self.command, *arguments], stdin=subprocess.DEVNULL,
                                capture_output=True, text=True, timeout=30, check=False)
        shown = " ".join(map(str, arguments))
        expect(result.returncode == 0,
               f"gossip {shown} ended with {result.returncode}: {result.stderr.strip()}")
        return result.stdout

    def wait(self, condition, seconds, message):
        """Asks condition until it holds. message may be a function that tells more."""
        end = min(time.monotonic() + seconds, self.deadline)
        while not condition():
            if time.monotonic() > end:
                raise Failure(f"{message() if callable(message) else message} (waited "
                              f"{seconds} s at most)")
            time.sleep(0.02)

    def agree(self, clock=None):
        """Waits until all running nodes show one clock (that one, if given), and returns it."""
        def clocks():
            return {node.name: node.clock() for node in self.nodes if node.process}

        def agreed():
            seen = list(clocks().values())
            return all(one == (clock or seen[0]) for one in seen)

        self.wait(agreed, AGREE_SECONDS, lambda: f"the clocks do not agree: {clocks()}"
                  + (f", they should be {clock}" if clock else ""))
        return next(iter(clocks().values()))


def free_ports(count):
    """UDP ports that nothing uses now, below those that the system hands out."""
    ports = []
    for port in random.sample(range(20000, 32000), 1000):
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
            try:
                probe.bind((LOOPBACK, port))
            except OSError:
                continue
        ports.append(port)
        if len(ports) == count:
            return ports
    raise Failure(f"there are no {count} free ports on {LOOPBACK}")


def check_log(name, log):
    """Each event once, after all that its clock names, and with itself in its clock."""
    shown = collections.Counter()
    for event in log:
        dot = f"{event['author']}:{event['seq']}"
        expect(event["dot"] == dot, f"{name}: dot {event['dot']} of {dot}")
        expect(event["seq"] == shown[event["author"]] + 1,
               f"{name}: shows {dot} after {event['author']}:{shown[event['author']]}")
        expect(event["clock"].get(event["author"]) == event["seq"],
               f"{name}: the clock of {dot} does not include itself: {event['clock']}")
        shown[event["author"]] += 1
        for author, seq in event["clock"].items():
            expect(shown[author] >= seq,
                   f"{name}: shows {dot} before {author}:{seq}, which its clock names")
    return dict(shown)


def kills(cluster, events=1000, times=10, publishers=4):
    """1,000 events at each of five nodes while one of them is killed ten times."""
    nodes = cluster.add("n1", "n2", "n3", "n4", "n5")
    first, victim = nodes[0], nodes[2]
    for node in nodes:
        node.start(*([] if node is first else [first]))

    state = threading.Condition()
    acknowledged = {node.name: {} for node in nodes}  # Payload to dot.
    unknown = []  # Payloads of the victim that were cut by a kill.
    failures = []
    numbers = {node.name: iter(range(1, events + 1)) for node in nodes}

    def next_payload(node):
        """The next to publish; None at the end. The others go no faster than the victim, so that
        each kill falls into their work too."""
        with state:
            if node is victim:
                missing = events - len(acknowledged[node.name])
                number = len(acknowledged[node.name]) + len(unknown) + 1 if missing else None
            else:
                number = next(numbers[node.name], None)
            if number is None:
                return None
            needed = number - 2 * events // times
            while node is not victim and len(acknowledged[victim.name]) < needed and not failures:
                expect(state.wait(max(0, cluster.deadline - time.monotonic())),
                       f"{node.name}: out of time before event {number}")
            return None if failures else f"{node.name} event {number}"

    def publisher(node):
        client = Client(node)
        try:
            while (payload := next_payload(node)) is not None:
                try:
                    dot = client.publish(payload)
                except Cut as cut:
                    expect(node is victim, f"nobody kills {node.name}: {cut}")
                    with state:
                        unknown.append(payload)
                        # For the kill that cut this event, and the start after it.
                        while (not (alive[0] and kill_count[0] >= len(unknown))
                               and not failures):
                            expect(state.wait(READY_SECONDS), f"{node.name} is not back after "
                                   f"{kill_count[0]} kills: {cut}")
                    continue
                with state:
                    acknowledged[node.name][payload] = dot
                    state.notify_all()
        except Exception as error:  # Told by the main thread.
            with state:
                failures.append(error)
                state.notify_all()
        finally:
            client.close()

    kill_count, alive = [0], [True]
    threads = [threading.Thread(target=publisher, args=(node,), daemon=True) for node in nodes
               for _ in range(1 if node is victim else publishers)]
    for thread in threads:
        thread.start()

    try:
        for kill in range(1, times + 1):
            with state:
                wanted = kill * events // (times + 1)
                while len(acknowledged[victim.name]) < wanted and not failures:
                    expect(state.wait(max(0, cluster.deadline - time.monotonic())),
                           f"out of time before kill {kill}: {victim.name} has acknowledged "
                           f"{len(acknowledged[victim.name])} of {events}")
                if failures:
                    raise failures[0]
                alive[0] = False
                kill_count[0] = kill
            victim.kill()
            with state:
                promised = len(acknowledged[victim.name])
            victim.start(first)
            seen = victim.clock().get(victim.name, 0)
            # One for each kill so far may be stored and not acknowledged, and the last
            # acknowledgement may be on its way to the count.
            expect(promised <= seen <= promised + kill + 1,
                   f"{victim.name} had acknowledged {promised} events before kill {kill} and "
                   f"shows {seen} after it")
            with state:
                alive[0] = True
                state.notify_all()
        for thread in threads:
            thread.join(max(0, cluster.deadline - time.monotonic()))
        with state:
            if failures:
                raise failures[0]
        expect(not any(thread.is_alive() for thread in threads), "out of time while publishing")
    except BaseException:
        with state:
            failures.append(Failure("given up"))
            state.notify_all()
        raise

    published = time.monotonic()
    clock = cluster.agree()
    agreed_after = time.monotonic() - published

    dots = {payload: dot for acks in acknowledged.values() for payload, dot in acks.items()}
    expect(len(dots) == events * len(nodes), f"{len(dots)} events were acknowledged")
    order = None
    for node in nodes:
        log = node.log()
        expect(check_log(node.name, log) == clock,
               f"{node.name}: its log does not show what its clock names, {clock}")
        found = collections.Counter(event["data"] for event in log)
        for event in log:
            dot = dots.get(event["data"])
            expect(dot in (None, event["dot"]), f"{node.name}: {event['data']} was acknowledged "
                   f"as {dot} and is shown as {event['dot']}")
        lost = [payload for payload in dots if found[payload] == 0]
        twice = [payload for payload, count in found.items() if count > 1]
        extra = [payload for payload in found if payload not in dots]
        expect(not lost, f"{node.name}: lost {len(lost)} acknowledged events: {lost[:5]}")
        expect(not twice, f"{node.name}: shows {len(twice)} events twice: {twice[:5]}")
        expect(len(extra) <= times, f"{node.name}: {len(extra)} events more: {extra[:20]}")
        expect(set(extra) <= set(unknown), f"{node.name}: nobody published {extra[:20]}")
        mine = [event["dot"] for event in log]
        order = order or mine
        expect(mine == order, f"{node.name}: shows another order than {first.name}")
    print(f"{len(dots)} events acknowledged, {sum(clock.values()) - len(dots)} more, "
          f"{times} kills, {len(unknown)} publishes cut, clocks equal after {agreed_after:.1f} s")


def restart(cluster):
    """S15: a node at {A:100 B:50} is killed; it starts as {A:100 B:50} and goes on at A:101."""
    a, b = cluster.add("A", "B")
    a.start()
    b.start(a)
    for number in range(100):
        a.publish(f"a {number}")
    for number in range(50):
        b.publish(f"b {number}")
    known = {"A": 100, "B": 50}
    cluster.agree(known)
    a.kill()
    expect(a.clock_on_disk() == known, f"killed, A's directory shows {a.clock_on_disk()}")
    b.kill()
    a.start()
    expect(a.clock() == known, f"alone again, A shows {a.clock()}")
    check_log("A", a.log())
    b.start(a)
    dot = a.publish("after the restart")
    expect(dot == "A:101", f"A's next event is {dot}")
    cluster.agree({"A": 101, "B": 50})


def restart_with_events(cluster):
    """S16: one event, an end, a start: the event is there and served, the next is A:2."""
    (a,) = cluster.add("A")
    a.start()
    expect(a.publish("one") == "A:1", "A's first event is not A:1")
    for number, end in enumerate((a.stop, a.kill), start=1):
        end()
        a.start()
        expect(a.clock() == {"A": number}, f"A shows {a.clock()} after start {number + 1}")
        log = a.log()
        expect([event["dot"] for event in log] == [f"A:{n}" for n in range(1, number + 1)],
               f"A's log shows {log}")
        expect(log[0]["data"] == "one", f"A:1 reads {log[0]}")
        (new,) = cluster.add(f"new{number}")
        new.start(a)
        cluster.wait(lambda: new.clock() == {"A": number}, AGREE_SECONDS,
                     lambda: f"a new peer has got {new.clock()} of A's {number} events")
        expect(new.log()[0]["data"] == "one", f"a new peer shows {new.log()}")
        dot = a.publish("next")
        expect(dot == f"A:{number + 1}", f"A's next event is {dot}")
    cluster.agree({"A": 3})


def restore(node, copy):
    """What a person does: the store's files go, and the copy takes their place. The side file
    stays, as nobody thinks of it."""
    for name in "store.db", "store.db-wal", "store.db-shm":
        with contextlib.suppress(FileNotFoundError):
            (node.directory / name).unlink()
    shutil.copy(copy, node.directory / "store.db")


def set_back(node, saved):
    """The files of a stopped node get the bytes they had without being copied, so that nothing on
    the machine tells."""
    for path in list(node.directory.iterdir()):
        if path.name in saved:
            with open(path, "r+b") as file:
                file.write(saved[path.name])
                file.truncate()
        elif path.suffix != ".lock":
            path.unlink()


def all_files(node):
    return {path.name: path.read_bytes() for path in node.directory.iterdir()
            if path.suffix != ".lock" and path.is_file()}


def backed_up(cluster):
    """A writes 1 to 100, is backed up while it runs, and writes 101 to 150, which B gets."""
    a, b = cluster.add("A", "B")
    copy = cluster.directory / "backup"
    a.start()
    b.start(a)
    for number in range(1, 101):
        a.publish(f"a {number}")
    cluster.agree({"A": 100})
    cluster.run("backup", "--dir", a.directory, copy)
    for number in range(101, 151):
        a.publish(f"a {number}")
    cluster.agree({"A": 150})
    return a, b, copy


def check_recovered(cluster, a, b, lost=()):
    """A has gone on in one new epoch; both hold the old events, and each under one name."""
    clock = cluster.agree()
    (old,) = [author for author, seq in clock.items() if seq == 150]
    (new,) = [author for author, seq in clock.items() if seq != 150]
    expect(old.startswith("A#") and new.startswith("A#"), f"the clock is {clock}")
    expect(a.epochs() == [(clock[new], True), (150, False)], f"A's epochs are {a.epochs()}")
    shown = b.payloads()
    expect(shown == a.payloads(), "A and B do not show the same")
    for number in range(1, 151):
        expect(shown.get(f"{old}:{number}") == f"a {number}", f"{old}:{number} is lost")
    opened = next(event for event in b.log() if event["dot"] == f"{new}:1")
    expect(opened["kind"] == "epoch-open", f"{new}:1 is {opened}")
    seen = opened["clock"].get(old)
    expect(seen == (100 if lost else 150), f"the new epoch has seen {old}:{seen}")
    for node in a, b:
        expect(not node.status()["cuts"], f"{node.name} shows a fork: {node.status()['cuts']}")
    return new


def restored_backup(cluster):
    """S27: restored from its backup with B in reach, A gets 101 to 150 back under the old epoch
    before it writes; its next event opens a new one. An ordinary restart then opens none."""
    a, b, copy = backed_up(cluster)
    a.kill()
    restore(a, copy)
    a.start(b)
    evidence = a.status()["start"]["evidence"]
    expect("backup" in evidence and "moved" in evidence, f"A's evidence is {evidence}")
    dot = a.publish("after the backup")
    new = check_recovered(cluster, a, b)
    expect(dot == f"{new}:2", f"A's next event is {dot}")
    a.kill()
    a.start(b)
    dot = a.publish("after a restart")
    expect(dot == f"{new}:3", f"after a restart A's next event is {dot}")
    a.stop()
    cluster.run("verify", "--dir", a.directory)


def restored_alone(cluster):
    """S27 with nobody in reach: the new epoch has seen 100 of the old one, and 101 to 150 come back
    when B does."""
    a, b, copy = backed_up(cluster)
    a.kill()
    b.kill()
    restore(a, copy)
    a.start(alone_after="200ms")
    dot = a.publish("alone")
    expect(a.clock()[dot.split(":")[0]] == 2, f"A's next event is {dot}")
    expect(sorted(a.clock().values()) == [2, 100], f"alone, A shows {a.clock()}")
    b.start(a)
    cluster.agree()
    cluster.wait(lambda: 150 in a.clock().values(), AGREE_SECONDS, "A does not get 101 to 150 back")
    check_recovered(cluster, a, b, lost=range(101, 151))


def restored_in_place(cluster):
    """D13: all files are given back the bytes they had, the side file's too, so that nothing on the
    machine tells. B does."""
    a, b = cluster.add("A", "B")
    a.start()
    b.start(a)
    for number in range(1, 101):
        a.publish(f"a {number}")
    cluster.agree({"A": 100})
    a.stop()
    saved = all_files(a)
    a.start(b)
    for number in range(101, 151):
        a.publish(f"a {number}")
    cluster.agree({"A": 150})
    a.kill()
    set_back(a, saved)
    a.start(b)
    a.publish("after it")
    check_recovered(cluster, a, b)


def clone(cluster):
    """S28: the directory is copied while A is stopped, and both run and write. The copy notices by
    itself; of two live holders whoever learns of the other stops, and starts again only when told
    which it is. Nobody loses an event, and no dot gets two contents."""
    a, b, c = cluster.add("A", "B", "C")
    a.start()
    b.start(a)
    c.start(a)
    for number in range(1, 11):
        a.publish(f"a {number}")
    cluster.agree({"A": 10})
    a.stop()
    (port,) = free_ports(1)
    copy = Node(cluster, "copy", port)
    shutil.copytree(a.directory, copy.directory)
    cluster.nodes.append(copy)
    a.start(b)
    copy.start(b, c)
    expect("moved" in copy.status()["start"]["evidence"],
           f"the copy's evidence is {copy.status()['start']}")
    acknowledged = {}

    def write(node, number):
        payload = f"{node.name} writes {number}"
        try:
            acknowledged[payload] = node.publish(payload)
        except (Cut, Failure):
            pass  # It is ending: whether that is right is seen below.

    numbers = iter(range(1000000))

    def one_has_stopped():
        for node in a, copy:
            write(node, next(numbers))
        return any(node.process.poll() is not None for node in (a, copy))

    cluster.wait(one_has_stopped, AGREE_SECONDS, "neither of the two has noticed the other")
    # The other one may have learnt of it too.
    ended = [node for node in (a, copy) if node.process.poll() is not None]
    for node in ended:
        expect(node.process.returncode == 78, f"{node.name} ended with {node.process.returncode}")
        node.process = None
        said = node.refuses(78)
        expect("--new-key" in said and "--keep-key" in said, f"{node.name} says {said}")
    if copy.process is not None:
        copy.stop()
    cluster.run("recover", "--dir", copy.directory, "--new-key", "--name", "D", "--cluster",
                cluster.nodes[0].directory / "cluster.key")
    if a in ended:
        cluster.run("recover", "--dir", a.directory, "--keep-key")
        a.start(b)
    copy.start(b)
    expect(a.publish("A goes on").startswith("A"), "A goes on under another name")
    expect(copy.publish("a node of its own") == "D:1", "the copy is no node of its own")
    cluster.agree()
    shown = a.payloads()
    for node in b, c, copy:
        cluster.wait(lambda: node.payloads() == a.payloads(), AGREE_SECONDS,
                     f"{node.name} does not show what A shows")
        cuts = [[cut["from"], cut["by"]] for cut in node.status()["cuts"]]
        mine = [[cut["from"], cut["by"]] for cut in a.status()["cuts"]]
        expect(cuts == mine, f"{node.name} shows the cuts {cuts}, A {mine}")
    found = collections.Counter(a.payloads().values())
    for payload in acknowledged:
        expect(found[payload] == 1, f"{payload} is shown {found[payload]} times")
    print(f"{len(ended)} of two holders stopped, {len(acknowledged)} events written meanwhile")


SCENARIOS = {scenario.__name__: scenario for scenario in
             (kills, restart, restart_with_events, restored_backup, restored_alone,
              restored_in_place, clone)}


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("command", metavar="GOSSIP")
    parser.add_argument("scenario", choices=SCENARIOS)
    parser.add_argument("--seconds", type=int, default=100, help="give up after (default 100)")
    arguments = parser.parse_args()
    os.environ.pop("GOSSIP_DIR", None)
    try:
        with Cluster(arguments.command, arguments.seconds) as cluster:
            SCENARIOS[arguments.scenario](cluster)
    except (Failure, Cut) as failure:
        sys.exit(f"{arguments.scenario}: {failure}")


if __name__ == "__main__":
    main()
