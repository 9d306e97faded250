#!/usr/bin/env python3
"""Tests of watch, wait and tokens as processes.

usage: cli_watch.py GOSSIP [NAME]...    GOSSIP is the command; NAMEs choose tests

GOSSIP_TEST_EVENTS is how many events are watched across restarts: 5,000, where the environment names
no other number.
"""

import http.client
import json
import os
import select
import signal
import socket
import subprocess
import sys
import threading
import time
import unittest

import cli
from cli import (DAMAGED, GOSSIP, INPUT_OUTPUT, NO, NO_NODE, OK, PATIENCE, TIMED_OUT, USAGE,
                 Connection, environment, gossip, is_sanitized, wait_until)

EVENTS = int(os.environ.get("GOSSIP_TEST_EVENTS", "5000"))
ESCAPES = b"\x1b[2J\x1b]0;title\x07\r\n\xc2\x9b31m"


class Publisher:
    """Publishes numbers, on some connections at a time; goes on when the node is back."""

    LANES, AT_ONCE = 4, 25

    def __init__(self, directory, first, last):
        self.directory, self.failed = directory, []
        parts = [range(start, min(start + self.AT_ONCE, last + 1))
                 for start in range(first, last + 1, self.AT_ONCE)]
        self.threads = [threading.Thread(target=self.run, args=(parts[i::self.LANES],))
                        for i in range(self.LANES)]
        for thread in self.threads:
            thread.start()

    def run(self, parts):
        connection = None
        for part in parts:
            body = b"".join(b"%d\n" % number for number in part)
            done = False
            end = time.monotonic() + PATIENCE
            while not done:
                try:
                    if connection is None:
                        connection = Connection(self.directory)
                    connection.request("POST", "/v1/events?lines=1", body=body)
                    answer = connection.getresponse()
                    text = answer.read()
                    done = answer.status == 200
                    if answer.status not in (200, 500, 503):
                        self.failed.append(text)
                        return
                except (OSError, http.client.HTTPException):
                    if connection is not None:
                        connection.close()
                    connection = None
                    if time.monotonic() > end:
                        self.failed.append("no node for a minute")
                        return
                if not done:
                    select.select([], [], [], 0.05)
        if connection is not None:
            connection.close()

    def join(self):
        for thread in self.threads:
            thread.join(5 * PATIENCE)


class Watch:
    """A watch as a process, its lines read on the side."""

    def __init__(self, directory, *arguments):
        self.process = subprocess.Popen([GOSSIP, "watch", "--dir", directory, *arguments],
                                        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                        stderr=subprocess.PIPE, env=environment())
        self.lines, self.change, self.ended = [], threading.Condition(), False
        self.errors = []
        self.readers = [threading.Thread(target=self.read, daemon=True),
                        threading.Thread(target=self.read_errors, daemon=True)]
        for reader in self.readers:
            reader.start()

    def read(self):
        for line in self.process.stdout:
            with self.change:
                self.lines.append(line)
                self.change.notify_all()
        with self.change:
            self.ended = True
            self.change.notify_all()

    def read_errors(self):
        for line in self.process.stderr:
            with self.change:
                self.errors.append(line.decode())
                self.change.notify_all()

    def wait_for(self, condition, what):
        with self.change:
            self.change.wait_for(condition, PATIENCE)
            if not condition():
                raise AssertionError("has not come about: %s; %d lines, errors %r"
                                     % (what, len(self.lines), self.errors))

    def wait_lines(self, count):
        self.wait_for(lambda: len(self.lines) >= count, "%d lines" % count)
        return self.lines[:count]

    def wait_error(self, part):
        self.wait_for(lambda: any(part in line for line in self.errors), part)

    def end(self, number=None):
        if number is not None:
            self.process.send_signal(number)
        code = self.process.wait(PATIENCE)
        for reader in self.readers:
            reader.join(PATIENCE)
        self.process.stdout.close()
        self.process.stderr.close()
        return code


class WatchTest(cli.CommandTest):
    def setUp(self):
        super().setUp()
        self.watches = []
        self.addCleanup(self.end_watches)

    def end_watches(self):
        for watch in self.watches:
            if watch.process.poll() is None:
                watch.end(signal.SIGKILL)

    def watch(self, directory, *arguments):
        watch = Watch(directory, *arguments)
        self.watches.append(watch)
        return watch

    def publish(self, directory, *payloads):
        for payload in payloads:
            self.check(gossip("publish", "--dir", directory, "-", stdin=payload), OK)

    def data(self, lines):
        return [json.loads(line)["data"] for line in lines]

    # ---- watch. ----

    def test_follows(self):
        directory = self.init()
        self.start(directory)
        self.publish(directory, b"a")
        watch = self.watch(directory, "--json")
        text = self.watch(directory)
        watch.wait_lines(1)
        self.publish(directory, b"b", b"c")
        lines = watch.wait_lines(3)
        self.assertEqual(self.data(lines), ["a", "b", "c"])
        self.assertEqual([json.loads(line)["delivery"] for line in lines], [1, 2, 3])
        shown = gossip("log", "--dir", directory)
        self.assertEqual([line.split()[1:] for line in text.wait_lines(3)],
                         [line.split()[1:] for line in shown.out.splitlines()])
        for number, one in (signal.SIGINT, watch), (signal.SIGTERM, text):
            self.assertEqual(one.end(number), OK, one.errors)
            self.assertEqual(one.errors, [])

    def test_bytes(self):
        directory = self.init()
        self.start(directory)
        payloads = [bytes(range(256)), ESCAPES, b"", b"x" * 65536]
        self.publish(directory, *payloads)
        result = gossip("watch", "--dir", directory, "--count", "4", "--json")
        self.check(result, OK)
        result.out.decode("ascii")
        lines = [json.loads(line) for line in result.out.splitlines()]
        self.assertEqual(cli.base64.b64decode(lines[0]["data_base64"]), payloads[0])
        self.assertEqual([line["data"].encode() for line in lines[1:]], payloads[1:])
        result = gossip("watch", "--dir", directory, "--count", "4")
        self.check(result, OK)
        self.assertEqual(result.out.count(b"\n"), 4)
        for byte in b"\x1b\x07\r\x00\x9b":
            self.assertNotIn(bytes([byte]), result.out)

    def test_after(self):
        directory = self.init()
        self.start(directory)
        self.publish(directory, b"a", b"b", b"c")
        cursor = json.loads(gossip("watch", "--dir", directory, "--count", "1", "--json").out)
        for where in cursor["cursor"], "n1:1":
            result = gossip("watch", "--dir", directory, "--count", "2", "--json", "--after", where)
            self.check(result, OK)
            self.assertEqual(self.data(result.out.splitlines()), ["b", "c"])
        token = gossip("clock", "--dir", directory, "--token").out.decode().strip()
        watches = [self.watch(directory, "--json", "--count", "1", "--after", where)
                   for where in ("now", token, "n1:3")]
        # Whether a watch has begun to follow can only be seen in what it shows.
        for watch in watches:
            self.publish_until_shown(directory, watch)
        for watch in watches:
            self.assertEqual(watch.end(), OK, watch.errors)
            self.assertGreater(json.loads(watch.lines[0])["seq"], 3)

    def publish_until_shown(self, directory, watch):
        wait_until(lambda: self.publish(directory, b"more") or watch.lines, "a line")

    def test_refusals(self):
        directory = self.init()
        where = ["--dir", directory]
        self.check(gossip("watch", *where), NO_NODE, out=b"", err=["no node is running", "--reconnect"])
        self.check(gossip("watch", "--dir", self.path("none")), NO_NODE, out=b"", err="no directory")
        for arguments, part in [(["--count", "0"], "from 1 on"), (["--count", "x"], '"x"'),
                                (["--after", ""], "names no event"), (["more"], "too many"),
                                (["--cursor", ""], "names no file")]:
            self.check(gossip("watch", *where, *arguments), USAGE, out=b"", err=part)
        self.start(directory)
        self.publish(directory, b"a")
        token = gossip("clock", *where, "--token").out.decode().strip()
        damaged = token[:9] + ("A" if token[9] != "A" else "B") + token[10:]
        for after, code, part in [(damaged, USAGE, "damaged"), (token[:-1], USAGE, "damaged"),
                                  ("c9" + token[2:], USAGE, "newer version"),
                                  ("\x1b", USAGE, "\\x1b"), ("n1:9", NO, "n1:9 is not here"),
                                  ("n9:1", NO, "n9")]:
            self.check(gossip("watch", *where, "--after", after), code, out=b"", err=part)
        other = self.init("n2", self.path("other"))
        token = gossip("clock", "--dir", other, "--token").out.decode().strip()
        self.check(gossip("watch", *where, "--after", token), USAGE, err="another cluster")
        with open(self.path("cursor"), "w", encoding="ascii") as file:
            file.write(damaged + "\n")
        self.check(gossip("watch", *where, "--cursor", self.path("cursor")), DAMAGED,
                   err=[self.path("cursor"), "damaged"])
        with open(self.path("cursor"), "wb") as file:
            file.write(b"\0" * 40)
        self.check(gossip("watch", *where, "--cursor", self.path("cursor")), DAMAGED,
                   err=[self.path("cursor"), "holds no cursor"])
        self.check(gossip("watch", *where, "--count", "1", "--cursor", self.path("no/cursor")),
                   cli.CONFIGURATION, err=self.path("no/cursor"))

    def test_reader_that_has_had_enough(self):
        directory = self.init()
        self.start(directory)
        self.publish(directory, b"a", b"b")
        watch = subprocess.Popen([GOSSIP, "watch", "--dir", directory], stdout=subprocess.PIPE,
                                 stderr=subprocess.PIPE, env=environment())
        self.assertIn(b"n1:1", watch.stdout.readline())
        watch.stdout.close()
        # No event comes any more: it ends all the same.
        self.assertEqual(watch.wait(PATIENCE), OK)
        self.assertEqual(watch.stderr.read(), b"")
        watch.stderr.close()
        shell = subprocess.run(
            ["sh", "-c", '"$1" watch --dir "$2" | head -1', "sh", GOSSIP, directory],
            capture_output=True, timeout=PATIENCE, check=True, env=environment())
        self.assertEqual((shell.stdout.count(b"\n"), shell.stderr), (1, b""))

    def test_full_output(self):
        directory = self.init()
        self.start(directory)
        self.publish(directory, b"a")
        with open("/dev/full", "wb") as full:
            done = subprocess.run([GOSSIP, "watch", "--dir", directory, "--cursor",
                                   self.path("cursor")], stdout=full, stderr=subprocess.PIPE,
                                  timeout=PATIENCE, env=environment(), check=False)
        self.assertEqual(done.returncode, INPUT_OUTPUT)
        self.assertIn(b"standard output", done.stderr)
        self.assertFalse(os.path.exists(self.path("cursor")))

    def test_signal_while_nobody_reads(self):
        directory = self.init()
        self.start(directory)
        self.publish(directory, *[b"x" * 60000] * 3)
        watch = subprocess.Popen([GOSSIP, "watch", "--dir", directory], stdout=subprocess.PIPE,
                                 env=environment())
        select.select([watch.stdout], [], [], PATIENCE)
        watch.send_signal(signal.SIGTERM)
        self.assertEqual(watch.wait(PATIENCE), OK)
        watch.stdout.close()

    def test_node_that_ends(self):
        directory = self.init()
        for number in signal.SIGTERM, signal.SIGKILL:
            node = self.start(directory)
            self.publish(directory, b"a")
            watch = self.watch(directory, "--json")
            count = len(watch.wait_lines(1))
            node.end(number)
            self.assertEqual(watch.end(), NO_NODE)
            self.assertGreaterEqual(count, 1)
            self.assertEqual(len(watch.errors), 1)
            self.assertIn("has ended; --after c1", watch.errors[0])
            # What it names goes on from there.
            cursor = watch.errors[0].split("--after ")[1].split()[0]
            self.assertEqual(cursor, json.loads(watch.lines[-1])["cursor"])

    def test_reconnect_without_end(self):
        directory = self.init()
        node = self.start(directory)
        watch = self.watch(directory, "--json", "--reconnect")
        for data in "a", "b":
            self.publish(directory, data.encode())
            watch.wait_lines(ord(data) - ord("a") + 1)
            node.end(signal.SIGKILL)
            node = self.start(directory)
        self.publish(directory, b"c")
        self.assertEqual(self.data(watch.wait_lines(3)), ["a", "b", "c"])
        self.assertEqual(watch.end(signal.SIGTERM), OK)

    def test_reconnect(self):
        directory = self.init()
        watch = self.watch(directory, "--json", "--reconnect", "--count", "4")
        watch.wait_error("waits for it to start")
        for count, number in enumerate([signal.SIGKILL, signal.SIGTERM, signal.SIGKILL]):
            node = self.start(directory)
            self.publish(directory, b"%d" % count)
            watch.wait_lines(count + 1)
            node.end(number)
        self.start(directory)
        self.publish(directory, b"3")
        self.assertEqual(watch.end(), OK, watch.errors)
        self.assertEqual(self.data(watch.lines), ["0", "1", "2", "3"])

    def test_cursor_file(self):
        directory = self.init()
        self.start(directory)
        cursor = self.path("cursor")
        arguments = ["--json", "--cursor", cursor]
        self.publish(directory, b"a", b"b", b"c")
        result = gossip("watch", "--dir", directory, *arguments, "--count", "2")
        self.check(result, OK)
        self.assertEqual(self.data(result.out.splitlines()), ["a", "b"])
        with open(cursor, encoding="ascii") as file:
            self.assertEqual(file.read(), json.loads(result.out.splitlines()[1])["cursor"] + "\n")
        self.assertEqual(os.listdir(self.root).count("cursor.new"), 0)
        # Text or JSON, it is one cursor; --after counts no longer.
        result = gossip("watch", "--dir", directory, "--cursor", cursor, "--count", "1", "--after", "n1:1")
        self.check(result, OK)
        self.assertIn(b"n1:3", result.out)
        watch = self.watch(directory, *arguments)
        self.publish(directory, b"d")
        watch.wait_lines(1)
        end = json.loads(watch.lines[0])["cursor"] + "\n"

        def is_saved():
            with open(cursor, encoding="ascii") as file:
                return file.read() == end

        wait_until(is_saved, "the cursor is saved while nothing happens")
        watch.end(signal.SIGKILL)
        self.publish(directory, b"e")
        result = gossip("watch", "--dir", directory, *arguments, "--count", "1")
        self.assertEqual(self.data(result.out.splitlines()), ["e"])
        # What is new, once: from then on the file tells.
        other = self.path("other")
        watch = self.watch(directory, "--json", "--cursor", other, "--after", "now")
        wait_until(lambda: os.path.exists(other), "the first cursor")
        watch.end(signal.SIGKILL)
        self.publish(directory, b"f")
        result = gossip("watch", "--dir", directory, "--json", "--cursor", other, "--after", "now",
                        "--count", "1")
        self.assertEqual(self.data(result.out.splitlines()), ["f"])

    def test_cursor_and_restored_store(self):
        """A store that was set back has other delivery numbers: nothing is passed over."""
        directory = self.init()
        node = self.start(directory)
        self.publish(directory, b"a", b"b")
        self.check(gossip("backup", "--dir", directory, self.path("copy")), OK)
        self.publish(directory, b"c", b"d")
        cursor = self.path("cursor")
        arguments = ["--json", "--cursor", cursor]
        self.check(gossip("watch", "--dir", directory, *arguments, "--count", "4"), OK)
        node.end()
        for name in "store.db", "store.db-wal", "store.db-shm":
            if os.path.exists(os.path.join(directory, name)):
                os.unlink(os.path.join(directory, name))
        os.rename(self.path("copy"), os.path.join(directory, "store.db"))
        self.start(directory, "--alone-after", "1ms")
        watch = self.watch(directory, *arguments)
        watch.wait_error("the cursor is past n1:4, which this node does not have")
        self.publish(directory, b"e")
        watch.wait_lines(3)
        self.assertEqual(self.data(watch.lines)[:2], ["a", "b"])
        wait_until(lambda: "e" in self.data(watch.lines), "the event of the new epoch")

    def test_many_watches(self):
        """They cost a turn each, and those that have gone leave no trace."""
        directory = self.init()
        self.start(directory)
        for _ in range(3):
            watches = []
            for _ in range(100):
                watch = Connection(directory)
                watch.request("GET", "/v1/watch")
                watches.append((watch, watch.getresponse()))
            self.publish(directory, b"x")
            for _, answer in watches:
                self.assertEqual(json.loads(answer.readline())["data"], "x")
            for watch, answer in watches:
                answer.close()
                watch.close()
        crowd = []
        for _ in range(128):
            watch = Connection(directory)
            watch.request("GET", "/v1/wait?clock=" + gossip_token_of_nothing(directory, self))
            crowd.append(watch)
        # Whoever comes last is refused, and everybody else is still answered.
        wait_until(lambda: self.asks_in_vain(directory), "a watch that is refused")
        self.check(gossip("clock", "--dir", directory), OK)
        for watch in crowd:
            watch.close()
        wait_until(lambda: not self.asks_in_vain(directory), "room for a watch")

    def asks_in_vain(self, directory):
        watch = Connection(directory)
        watch.request("GET", "/v1/watch?count=1")
        answer = watch.getresponse()
        refused = answer.status == 503
        if not refused:
            self.assertEqual(json.loads(answer.readline())["data"], "x")
        answer.close()
        watch.close()
        return refused

    def test_waiting_costs_nothing(self):
        """A node has no turns for those who wait but where something happens."""
        directory = self.init()
        node = self.start(directory)
        watches = [self.watch(directory) for _ in range(5)]
        self.publish(directory, b"x")
        for watch in watches:
            watch.wait_lines(1)
        before = turns_of(node.process.pid)
        self.check(gossip("wait", "--dir", directory, "in-step", "--timeout", "1s"), TIMED_OUT,
                   err="no other node answers")
        self.assertLess(turns_of(node.process.pid) - before, 100)

    def test_slow_reader(self):
        """Who does not read holds nobody up, and costs no memory."""
        directory = self.init()
        node = self.start(directory)
        slow = socket.socket(socket.AF_UNIX)
        slow.connect(os.path.join(directory, "api.sock"))
        slow.sendall(b"GET /v1/watch HTTP/1.1\r\nHost: node\r\n\r\n")
        before = memory_of(node.process.pid)
        self.publish(directory, *[b"x" * 65536] * 60)
        self.check(gossip("clock", "--dir", directory), OK, out=b"{n1:60}\n")
        grown = memory_of(node.process.pid) - before
        if is_sanitized(): # It keeps what was freed, and more around each piece of memory.
            print("not measured under a sanitizer: %d bytes more; " % grown, end="")
        else:
            self.assertLess(grown, 60 * 65536)
        slow.close()

    def test_events_across_restarts(self):
        """Nothing is lost while node and watch are killed; what is shown twice has been shown."""
        directory = self.init()
        cursor = self.path("cursor")
        arguments = ["--json", "--reconnect", "--cursor", cursor]
        node = self.start(directory)
        begin = time.monotonic()
        publisher = Publisher(directory, 1, EVENTS)
        shown, lines = set(), 0
        watch = self.watch(directory, *arguments)
        # First the node is killed, then the watch, then both, each in the middle of the stream.
        for kills_node, kills_watch in (True, False), (False, True), (True, True):
            before = len(watch.lines)
            watch.wait_for(lambda: len(watch.lines) > before + EVENTS // 8, "an eighth of all")
            if kills_node:
                node.end(signal.SIGKILL)
            if kills_watch:
                self.assertEqual(watch.end(signal.SIGKILL), -signal.SIGKILL, watch.errors)
                shown |= {json.loads(line)["dot"] for line in watch.lines if line.endswith(b"\n")}
                lines += len(watch.lines)
            if kills_node:
                node = self.start(directory, "--alone-after", "1ms")
            if kills_watch:
                watch = self.watch(directory, *arguments)
        publisher.join()
        published = time.monotonic() - begin
        self.assertEqual(publisher.failed, [])
        have = json.loads(gossip("clock", "--dir", directory, "--json").out)["clock"]["n1"]
        self.assertGreaterEqual(have, EVENTS)
        watch.wait_for(lambda: watch.lines and
                       watch.lines[-1].startswith(b'{"dot":"n1:%d",' % have), "the last event")
        took = time.monotonic() - begin
        self.assertEqual(watch.end(signal.SIGTERM), OK)
        shown |= {json.loads(line)["dot"] for line in watch.lines}
        lines += len(watch.lines)
        self.assertEqual(len(shown), have)
        numbers = {json.loads(line)["data"] for line in gossip("log", "--dir", directory, "--json")
                   .out.splitlines()}
        self.assertEqual(numbers, {str(number) for number in range(1, EVENTS + 1)})
        print("%d events, %d lines: published in %.1f s, watched in %.1f s"
              % (have, lines, published, took), file=sys.stderr)

    # ---- wait, tokens. ----

    def test_wait(self):
        cluster = os.path.join(self.init("n1"), "cluster.key")
        one, two = self.path("n1"), self.init("n2", cluster=cluster)
        node = self.start(one, "--period", "50")
        self.publish(one, b"a", b"b")
        token = gossip("clock", "--dir", one, "--token").out.decode().strip()
        self.check(gossip("wait", "--dir", one, "clock", token), OK, out=b"{n1:2}\n")
        self.check(gossip("wait", "--dir", one, "in-step", "--timeout", "100ms"), TIMED_OUT, out=b"",
                   err="no other node answers")
        waiting = subprocess.Popen([GOSSIP, "wait", "--dir", one, "in-step"], env=environment(),
                                   stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        self.start(two, "--join", node.address, "--period", "50")
        self.assertEqual(waiting.communicate(timeout=PATIENCE), (b"in step with 1 node\n", b""))
        self.check(gossip("wait", "--dir", two, "clock", token, "--json"), OK,
                   out=b'{"node":"n2","clock":{"n1":2}}\n')
        self.publish(two, b"c")
        token = gossip("clock", "--dir", two, "--token").out.decode().strip()
        self.check(gossip("wait", "--dir", one, "clock", token), OK)
        self.assertIn(b"n2:1", gossip("clock", "--dir", one).out)
        self.nodes[1].end()
        self.publish(one, b"d")
        self.check(gossip("wait", "--dir", one, "in-step", "--timeout", "0"), TIMED_OUT, err="n2")
        token = gossip("clock", "--dir", one, "--token").out.decode().strip()
        node.end(signal.SIGKILL)
        self.start(two, "--period", "50")
        self.check(gossip("wait", "--dir", two, "clock", token, "--timeout", "200ms"), TIMED_OUT,
                   err="of n1 it has 2 and not 3")

    def test_wait_refusals(self):
        directory = self.init()
        where = ["--dir", directory]
        token = gossip("clock", *where, "--token").out.decode().strip()
        self.check(gossip("wait", *where, "in-step"), NO_NODE, err="no node is running")
        for arguments in [], ["in-step", "x"], ["clock"], ["rain"], ["clock", token, "x"]:
            self.check(gossip("wait", *where, *arguments), USAGE, out=b"")
        self.check(gossip("wait", *where, "in-step", "--timeout", "25h"), USAGE, err="24h")
        node = self.start(directory)
        self.check(gossip("wait", *where, "clock", token[:-2]), USAGE, err="damaged")
        self.check(gossip("wait", *where, "clock", "n1:1"), USAGE, err="no token")
        for number, code in (signal.SIGTERM, NO_NODE), (signal.SIGKILL, INPUT_OUTPUT):
            waiting = subprocess.Popen([GOSSIP, "wait", *where, "in-step"], env=environment(),
                                       stdout=subprocess.PIPE, stderr=subprocess.PIPE)
            pid = str(node.process.pid)
            wait_until(lambda: connections_of(pid) > 0, "the request")
            node.end(number)
            _, error = waiting.communicate(timeout=PATIENCE)
            self.assertEqual(waiting.returncode, code, error)
            node = self.start(directory)


def gossip_token_of_nothing(directory, test):
    """A token that no node will ever cover: of an author that nobody knows."""
    other = test.path("stranger")
    if not os.path.exists(other):
        test.init("n9", other, cluster=os.path.join(directory, "cluster.key"))
        node = test.start(other)
        test.publish(other, b"never")
        test.stranger = gossip("clock", "--dir", other, "--token").out.decode().strip()
        node.end()
    return test.stranger


def memory_of(pid):
    with open("/proc/%d/status" % pid, encoding="ascii") as file:
        return next(int(line.split()[1]) * 1024 for line in file if line.startswith("VmRSS"))


def turns_of(pid):
    with open("/proc/%d/status" % pid, encoding="ascii") as file:
        return sum(int(line.split()[1]) for line in file if "ctxt_switches" in line)


def connections_of(pid):
    """How many connections of a node are open: its sockets but for those that it listens on."""
    links = [os.readlink("/proc/%s/fd/%s" % (pid, name)) for name in os.listdir("/proc/%s/fd" % pid)]
    return sum(link.startswith("socket:") for link in links) - 2


if __name__ == "__main__":
    names = sys.argv[2:] or [name for name in vars(WatchTest) if name.startswith("test_")]
    unittest.main(argv=[sys.argv[0], "-v", *("WatchTest." + name for name in names)])
