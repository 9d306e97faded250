#!/usr/bin/env python3
"""Tests of the command as a process: what it prints, where, and the code it exits with.

usage: cli.py GOSSIP [NAME]...    GOSSIP is the command; NAMEs choose tests

Nodes listen on ports of 127.0.0.1 that the system chooses. Nothing is waited for by the clock: where
a test waits, it waits for something to happen, and gives up after a minute.
"""

import base64
import contextlib
import http.client
import json
import os
import re
import select
import shutil
import signal
import socket
import sqlite3
import stat
import subprocess
import sys
import tempfile
import threading
import time
import unittest

GOSSIP = os.path.abspath(sys.argv[1])
PATIENCE = 60

OK, NO, USAGE, NO_NODE, TIMED_OUT = range(5)
DAMAGED, INPUT_OUTPUT, LOCKED, PERMISSION, CONFIGURATION = 65, 74, 75, 77, 78

VERBS = ("init node dev publish log watch wait clock relation peers status key stop verify backup recover export "
         "import proof").split()


VECTORS = os.path.join(os.path.dirname(os.path.abspath(__file__)), "vectors")


def read_vectors(name):
    """Golden bytes, by their names."""
    with open(os.path.join(VECTORS, name), encoding="ascii") as file:
        pairs = [line.split(" = ", 1) for line in file if " = " in line and line[0] != "#"]
    return {key: bytes.fromhex(value) for key, value in pairs}


class Result:
    def __init__(self, code, out, err):
        self.code, self.out, self.err = code, out, err

    def __repr__(self):
        return "code %d\nstdout: %r\nstderr: %r" % (self.code, self.out[-2000:], self.err[-2000:])


def is_sanitized():
    with open(GOSSIP, "rb") as file:
        return b"__asan_init" in file.read()


def environment(**extra):
    kept = {name: value for name, value in os.environ.items() if name != "GOSSIP_DIR"}
    kept.update(extra)
    return kept


def gossip(*arguments, stdin=b"", env=None, cwd=None):
    """Runs the command to its end."""
    done = subprocess.run([GOSSIP, *arguments], input=stdin, capture_output=True, timeout=PATIENCE,
                          env=env or environment(), cwd=cwd)
    return Result(done.returncode, done.stdout, done.stderr.decode("utf-8", "backslashreplace"))


class Connection(http.client.HTTPConnection):
    """Speaks HTTP with the socket in a node's directory."""

    def __init__(self, directory):
        super().__init__("node", timeout=PATIENCE)
        self.path = os.path.join(directory, "api.sock")

    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX)
        # With a timeout it would fail at once where many are ahead in the queue.
        self.sock.connect(self.path)
        self.sock.settimeout(PATIENCE)


class Node:
    """A running node; its log is read on the side, so that it never fills up."""

    def __init__(self, directory, *arguments, listen="127.0.0.1:0"):
        self.directory = directory
        self.process = subprocess.Popen(
            [GOSSIP, "node", "--dir", directory, "--listen", listen, *arguments],
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
            env=environment())
        self.lines = []
        self.change = threading.Condition()
        self.ended = False
        self.reader = threading.Thread(target=self.read, daemon=True)
        self.reader.start()
        ready = self.wait_line("event=ready")
        self.address = re.search(r" address=(\S+)", ready).group(1)

    def read(self):
        for line in self.process.stderr:
            with self.change:
                self.lines.append(line.decode("utf-8", "backslashreplace"))
                self.change.notify_all()
        with self.change:
            self.ended = True
            self.change.notify_all()

    def wait_line(self, part):
        def found():
            return [line for line in self.lines if part in line]

        with self.change:
            self.change.wait_for(lambda: found() or self.ended, PATIENCE)
            if not found():
                raise AssertionError("no line with %r in %r" % (part, self.lines))
            return found()[0]

    def end(self, number=signal.SIGTERM):
        """Sends a signal and waits for the end: (exit code, seconds it took)."""
        begin = time.monotonic()
        if self.process.poll() is None:
            self.process.send_signal(number)
        code = self.process.wait(PATIENCE)
        took = time.monotonic() - begin
        self.reader.join(PATIENCE)
        self.process.stderr.close()
        return code, took


def wait_until(condition, what):
    """Asks again and again, because what another process does cannot be waited for otherwise."""
    end = time.monotonic() + PATIENCE
    while True:
        last = condition()
        if last:
            return last
        if time.monotonic() > end:
            raise AssertionError("has not come about: " + what)
        select.select([], [], [], 0.02)


class CommandFixture(unittest.TestCase):
    """Directories and nodes, and what is expected of every call."""

    def setUp(self):
        self.root = tempfile.mkdtemp(prefix="gossip-cli-")
        self.addCleanup(shutil.rmtree, self.root, ignore_errors=True)
        self.nodes = []
        self.addCleanup(self.end_all)

    def end_all(self):
        for node in self.nodes:
            node.end(signal.SIGKILL)

    def path(self, name):
        return os.path.join(self.root, name)

    def init(self, name="n1", directory=None, cluster=None):
        directory = directory or self.path(name)
        arguments = ["--cluster", cluster] if cluster else []
        result = gossip("init", "--dir", directory, "--name", name, *arguments)
        self.check(result, OK)
        return directory

    def start(self, directory, *arguments, **keywords):
        node = Node(directory, *arguments, **keywords)
        self.nodes.append(node)
        return node

    def check(self, result, code, out=None, err=None):
        """Results on stdout alone; an error is one line on stderr, and all of err stand in it."""
        self.assertEqual(result.code, code, result)
        if out is not None:
            self.assertEqual(result.out, out, result)
        if code == OK:
            self.assertEqual(result.err, "", result)
            return
        self.assertEqual(result.err.count("\n"), 1, result)
        self.assertTrue(result.err.startswith("gossip: "), result)
        for part in [err] if isinstance(err, str) else err or []:
            self.assertIn(part, result.err, result)

    def tree(self, directory):
        """All files of a directory with their bytes, but for the lock."""
        found = {}
        for name in sorted(os.listdir(directory)):
            path = os.path.join(directory, name)
            if not name.endswith(".lock") and stat.S_ISREG(os.lstat(path).st_mode):
                with open(path, "rb") as file:
                    found[name] = file.read()
        return found


    def written(self, count=3, size=0):
        """A stopped node that has written some events."""
        directory = self.init()
        node = self.start(directory)
        for i in range(1, count + 1):
            self.check(gossip("publish", "--dir", directory, "text %d %s" % (i, "x" * size)), OK)
        node.end()
        return directory

    def payloads(self, directory):
        result = gossip("log", "--dir", directory, "--json")
        self.check(result, OK)
        return [json.loads(line)["data"].strip() for line in result.out.splitlines()]


class CommandTest(CommandFixture):
    # ---- Help and usage. ----

    def test_help(self):
        result = gossip("help")
        self.check(result, OK)
        for verb in VERBS:
            self.assertRegex(result.out.decode(), r"(?m)^  %s " % verb)
        self.check(gossip("--help"), OK, out=result.out)
        self.check(gossip("--version"), OK)
        self.assertRegex(gossip("--version").out.decode(), r"^gossip \d+\.\d+\.\d+\n$")
        for verb in VERBS:
            own = gossip(verb, "--help")
            self.check(own, OK)
            self.assertIn(b"usage: gossip %s " % verb.encode(), own.out)
            self.assertIn(b"\nExamples:\n  gossip ", own.out)
            self.check(gossip("help", verb), OK, out=own.out)

    def test_usage(self):
        where = ["--dir", self.root]
        cases = [
            ([], "gossip help"),
            (["fly"], 'no verb "fly"'),
            (["--dir", "x", "clock"], "verbs come first"),
            (["help", "fly"], 'no verb "fly"'),
            (["\x1b[2J"], 'no verb "\\x1b[2J"'),
            (["clock"], "--dir D or in GOSSIP_DIR"),
            (["clock", "--dir", ""], "empty"),
            (["clock", "--dir"], "--dir needs a value"),
            (["clock", "--fly", *where], "--fly"),
            (["clock", "-x", *where], "-x"),
            (["clock", *where, "more"], 'too many arguments, from "more" on'),
            (["relation", *where, "n1:1"], "an argument is missing"),
            (["relation", *where, "n1:1", "n1:2", "n1:3"], "too many"),
            (["proof", *where], "an argument is missing"),
            (["proof", *where, "show"], "say list, show ID or check FILE"),
            (["proof", *where, "list", "more"], "say list, show ID or check FILE"),
            (["proof", "list"], "--dir D or in GOSSIP_DIR"),
            (["proof", "check", "/dev/null"], "--cluster KEY"),
            (["proof", "check", "/dev/null", "--cluster", "12"], "64 digits"),
            (["proof", "check", "/dev/null", "--cluster", "G" * 64], "64 digits"),
            (["import", *where], "an argument is missing"),
            (["import", "/dev/null"], "--dir D or in GOSSIP_DIR"),
            (["import", "--check", "/dev/null", "--cluster", "x"], "64 digits"),
            (["publish", *where], "an argument is missing"),
            (["publish", *where, "two", "words"], "too many"),
            (["publish", *where, "-5"], "-5"),
            (["init", *where], "--name"),
            (["init", *where, "--name", ""], "1 to 32"),
            (["init", *where, "--name", "a b"], "1 to 32"),
            (["init", *where, "--name", "a" * 33], "1 to 32"),
            (["node", *where], "--listen"),
            (["node", *where, "--listen", "127.0.0.1:0", "--period", "9"], "10 to 60000"),
            (["node", *where, "--listen", "127.0.0.1:0", "--period", "1e3"], "10 to 60000"),
            (["node", *where, "--listen", "127.0.0.1:0", "--period", "4294967396"], "10 to 60000"),
            (["node", *where, "--listen", "127.0.0.1:0", "--period", ""], "10 to 60000"),
            (["node", *where, "--listen", "127.0.0.1:0", "--fanout", "4"], "1 to 3"),
            (["node", *where, "--listen", "127.0.0.1:0", "--payload-max", "0"], "1 to 1000000"),
            (["node", *where, "--listen", "127.0.0.1:0", "--alone-after", "0"], "1ms to 1h"),
            (["node", *where, "--listen", "127.0.0.1:0", "--alone-after", "61m"], "1ms to 1h"),
            (["node", *where, "--listen", "127.0.0.1:0", "--alone-after", "soon"], '"soon"'),
            (["node", *where, "--listen", "127.0.0.1:0", "--alone-after", "1 s"], '"1 s"'),
            (["node", *where, "--listen", "127.0.0.1:0", "--alone-after", ""], "10s or 500ms"),
            (["node", *where, "--listen", "127.0.0.1:0", "--alone-after", "9" * 30 + "ms"], "1h"),
            (["node", *where, "--listen", "127.0.0.1:0", "--choice", "best"], "round-robin"),
            (["node", *where, "--listen", "127.0.0.1:0", "--choice", "\x1b"], "\\x1b"),
        ]
        for arguments, part in cases:
            with self.subTest(arguments=arguments):
                self.check(gossip(*arguments), USAGE, out=b"", err=part)
        self.assertEqual(os.listdir(self.root), [])

    # ---- init. ----

    def test_init(self):
        directory = self.path("n1")
        result = gossip("init", "--dir", directory, "--name", "n1", "--json")
        self.check(result, OK)
        made = json.loads(result.out)
        self.assertEqual(made["node"], "n1")
        self.assertEqual(made["dir"], directory)
        self.assertEqual(made["cluster_key"], os.path.join(directory, "cluster.key"))
        self.assertRegex(made["cluster"], r"^[0-9a-f]{64}$")
        self.assertEqual(stat.S_IMODE(os.stat(directory).st_mode), 0o700)
        for name in "node.key", "cluster.key", "store.db":
            self.assertEqual(stat.S_IMODE(os.stat(os.path.join(directory, name)).st_mode), 0o600)
        second = gossip("init", "--dir", self.path("n2"), "--name", "n2", "--json", "--cluster",
                        made["cluster_key"])
        self.check(second, OK)
        self.assertEqual(json.loads(second.out)["cluster"], made["cluster"])
        self.assertIsNone(json.loads(second.out)["cluster_key"])
        self.assertFalse(os.path.exists(self.path("n2/cluster.key")))

    def test_init_again(self):
        directory = self.init()
        before = self.tree(directory)
        self.check(gossip("init", "--dir", directory, "--name", "n9"), NO,
                   err=["there is a node in", directory])
        self.assertEqual(self.tree(directory), before)
        for name in "node.key", "store.db", "cluster.key":
            part = self.path("with-" + name)
            os.mkdir(part)
            with open(os.path.join(part, name), "w", encoding="ascii") as file:
                file.write("mine")
            self.check(gossip("init", "--dir", part, "--name", "n9"), NO,
                       err=[name, "no whole node"])
            self.assertEqual(self.tree(part), {name: b"mine"})

    def test_init_refusals(self):
        self.check(gossip("init", "--dir", self.path("a/b"), "--name", "n1"), CONFIGURATION,
                   err=[self.path("a/b"), "No such file"])
        with open(self.path("file"), "w", encoding="ascii") as file:
            file.write("not a key\n")
        self.check(gossip("init", "--dir", self.path("file"), "--name", "n1"), CONFIGURATION,
                   err=self.path("file"))
        os.chmod(self.path("file"), 0o600)
        for cluster, code, part in [
                (self.path("none"), CONFIGURATION, "No such file"),
                (self.path("file"), CONFIGURATION, "line 1"),
                (self.root, CONFIGURATION, "is not a file"),
                ("/dev/null", CONFIGURATION, "is not a file"),
        ]:
            self.check(gossip("init", "--dir", self.path("n1"), "--name", "n1", "--cluster",
                              cluster), code, err=[cluster, part])
            self.assertFalse(os.path.exists(self.path("n1")))
        os.chmod(self.path("file"), 0o640)
        self.check(gossip("init", "--dir", self.path("n1"), "--name", "n1", "--cluster",
                          self.path("file")), PERMISSION, err=["0640", "chmod 600"])
        # A node's key is no cluster's.
        directory = self.init("n2")
        self.check(gossip("init", "--dir", self.path("n1"), "--name", "n1", "--cluster",
                          os.path.join(directory, "node.key")), CONFIGURATION, err="cluster")

    # ---- What a node refuses to start on. ----

    def refuse_node(self, directory, code, err, *arguments, listen="127.0.0.1:0"):
        before = self.tree(directory)
        result = gossip("node", "--dir", directory, "--listen", listen, *arguments)
        self.check(result, code, out=b"", err=err)
        self.assertEqual(self.tree(directory), before)

    def test_directory_in_use(self):
        directory = self.init()
        node = self.start(directory)
        holder = str(node.process.pid)
        begin = time.monotonic()
        self.check(gossip("node", "--dir", directory, "--listen", "127.0.0.1:0"), LOCKED,
                   err=[directory, holder])
        self.assertLess(time.monotonic() - begin, PATIENCE / 4)
        self.check(gossip("verify", "--dir", directory), LOCKED, err=[directory, holder])
        # The first is not disturbed.
        self.check(gossip("publish", "--dir", directory, "x"), OK, out=b"n1:1\n")

    def test_wide_key(self):
        directory = self.init()
        for mode in 0o640, 0o604, 0o620, 0o666:
            os.chmod(os.path.join(directory, "node.key"), mode)
            self.refuse_node(directory, PERMISSION, ["node.key", "%04o" % mode, "chmod 600"])
        for verb in ["clock"], ["log"], ["verify"], ["relation", "n1:1", "n1:2"]:
            self.check(gossip(*verb, "--dir", directory), PERMISSION, err="chmod 600")

    def test_missing_parts(self):
        directory = self.init()
        os.rename(os.path.join(directory, "node.key"), self.path("key"))
        self.refuse_node(directory, CONFIGURATION, ["no node.key", directory])
        self.check(gossip("clock", "--dir", directory), CONFIGURATION, err="no node.key")
        os.rename(self.path("key"), os.path.join(directory, "node.key"))
        os.rename(os.path.join(directory, "store.db"), self.path("store"))
        self.refuse_node(directory, CONFIGURATION, ["no store.db", directory])
        self.check(gossip("verify", "--dir", directory), CONFIGURATION, err="no store.db")
        self.assertFalse(os.path.exists(os.path.join(directory, "store.db")))
        os.mkdir(self.path("empty"))
        self.refuse_node(self.path("empty"), CONFIGURATION, "gossip init")
        for verb in "node --listen 127.0.0.1:0", "clock", "log", "verify":
            self.check(gossip(*verb.split(), "--dir", self.path("none")), CONFIGURATION,
                       err=["there is no directory", self.path("none"), "gossip init"])

    def test_damaged_key(self):
        directory = self.init()
        path = os.path.join(directory, "node.key")
        with open(path, "rb") as file:
            whole = file.read()
        for damaged in b"", b"\0" * 100, whole[:len(whole) // 2], whole + b"more\n", b"x" * 5000:
            with open(path, "wb") as file:
                file.write(damaged)
            self.refuse_node(directory, CONFIGURATION, path)
        os.unlink(path)
        os.mkdir(path)
        self.check(gossip("node", "--dir", directory, "--listen", "127.0.0.1:0"), CONFIGURATION,
                   err=[path, "is not a file"])

    def test_foreign_database(self):
        directory = self.init()
        other = self.init("n2")
        os.rename(os.path.join(other, "store.db"), os.path.join(directory, "store.db"))
        result = gossip("node", "--dir", directory, "--listen", "127.0.0.1:0")
        self.check(result, CONFIGURATION, err=["store.db", directory])
        with open(os.path.join(directory, "store.db"), "wb") as file:
            file.write(b"This is no database at all. " * 200)
        result = gossip("node", "--dir", directory, "--listen", "127.0.0.1:0")
        self.assertIn(result.code, (DAMAGED, CONFIGURATION), result)
        self.check(result, result.code, err="store.db")
        with open(os.path.join(directory, "store.db"), "rb") as file:
            self.assertEqual(file.read(), b"This is no database at all. " * 200)

    def test_addresses(self):
        directory = self.init()
        taken = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.addCleanup(taken.close)
        taken.bind(("127.0.0.1", 0))
        port = "127.0.0.1:%d" % taken.getsockname()[1]
        self.refuse_addresses(directory, port, [], port)
        self.refuse_addresses(directory, "nowhere.invalid:7001", [], "nowhere.invalid")
        self.refuse_addresses(directory, "127.0.0.1", [], "127.0.0.1")
        self.refuse_addresses(directory, "127.0.0.1:99999", [], "99999")
        self.refuse_addresses(directory, "127.0.0.1:0", ["--join", "nowhere.invalid:7001"],
                              "nowhere.invalid")
        self.refuse_addresses(directory, "[::1]:0", ["--join", "127.0.0.1:7001"], "IPv6")
        self.refuse_addresses(directory, "127.0.0.1:0", ["--join", "127.0.0.1"], "127.0.0.1")

    def refuse_addresses(self, directory, listen, arguments, part):
        # What SQLite's files hold may change by being opened; the node itself must not have moved.
        self.check(gossip("node", "--dir", directory, "--listen", listen, *arguments),
                   CONFIGURATION, out=b"", err=part)
        self.check(gossip("clock", "--dir", directory), OK, out=b"{}\n")

    def test_socket_that_is_none(self):
        directory = self.init()
        with open(os.path.join(directory, "api.sock"), "w", encoding="ascii") as file:
            file.write("mine")
        self.check(gossip("node", "--dir", directory, "--listen", "127.0.0.1:0"), CONFIGURATION,
                   err=["api.sock", "is no socket"])
        self.assertEqual(self.tree(directory)["api.sock"], b"mine")

    # ---- Without a node. ----

    def test_no_node(self):
        directory = self.init()
        for where in directory, self.path("none"):
            for verb in ["publish", "x"], ["publish", "-"], ["peers"], ["status"], ["stop"]:
                self.check(gossip(*verb, "--dir", where), NO_NODE, out=b"",
                           err=[where, "gossip"])
        # Nor where a socket has stayed behind.
        self.start(directory).end(signal.SIGKILL)
        self.assertTrue(os.path.exists(os.path.join(directory, "api.sock")))
        self.check(gossip("publish", "x", "--dir", directory), NO_NODE, err="no node is running")
        node = self.start(directory)
        self.check(gossip("publish", "x", "--dir", directory), OK, out=b"n1:1\n")
        node.end()
        self.assertFalse(os.path.exists(os.path.join(directory, "api.sock")))

    def test_stopped_node(self):
        directory = self.init()
        node = self.start(directory)
        for text in "one", "two":
            self.check(gossip("publish", "--dir", directory, text), OK)
        running = [gossip(*verb.split(), "--dir", directory)
                   for verb in ("log", "log --json", "clock", "clock --json", "relation n1:1 n1:2")]
        node.end()
        stopped = [gossip(*verb.split(), "--dir", directory)
                   for verb in ("log", "log --json", "clock", "clock --json", "relation n1:1 n1:2")]
        for before, after in zip(running, stopped):
            self.check(before, OK)
            self.check(after, OK, out=before.out)
        self.check(gossip("verify", "--dir", directory), OK,
                   out=b"2 events checked, 0 faults found\n")
        self.check(gossip("verify", "--dir", directory, "--json"), OK,
                   out=b'{"events":2,"faults":0,"forks":0}\n')

    def test_verify_damaged(self):
        """One byte of one event is another: verify finds it, and says so by its code."""
        directory = self.init()
        node = self.start(directory)
        for text in "one", "two", "three":
            self.check(gossip("publish", "--dir", directory, text), OK)
        node.end()
        with contextlib.closing(sqlite3.connect(os.path.join(directory, "store.db"))) as store:
            (body,) = store.execute("SELECT body FROM events WHERE seq = 2").fetchone()
            self.assertTrue(body.endswith(b"two"))
            store.execute("UPDATE events SET body = ? WHERE seq = 2", (body[:-3] + b"TWO",))
            store.commit()
        result = gossip("verify", "--dir", directory)
        self.check(result, DAMAGED, err=["is damaged", "gossip recover --dir " + directory])
        lines = result.out.decode("ascii").splitlines()
        self.assertTrue(lines[:-1], result)
        for line in lines[:-1]:
            self.assertTrue(line.startswith("fault: "), result)
        self.assertRegex(lines[-1], r"^\d+ events? checked, %d faults? found$" % (len(lines) - 1))
        lines = gossip("verify", "--dir", directory, "--json").out.splitlines()
        self.assertTrue(all("fault" in json.loads(line) for line in lines[:-1]))
        self.assertEqual(json.loads(lines[-1])["faults"], len(lines) - 1)

    def test_flipped_event(self):
        """One bit of an event at rest is another: it is shown to nobody and sent nowhere, by no verb."""
        first = self.init("n1")
        node = self.start(first)
        for text in "one", "two", "three":
            self.check(gossip("publish", "--dir", first, text), OK)
        node.end()
        path = os.path.join(first, "store.db")
        with open(path, "rb") as file:
            data = file.read()
        self.assertEqual(data.count(b"two"), 1)
        with open(path, "wb") as file:
            file.write(data.replace(b"two", b"twn"))
        result = gossip("log", "--dir", first)
        self.check(result, DAMAGED, err="gossip verify")
        self.assertEqual([line.split()[-1] for line in result.out.splitlines()], [b"one"])
        result = gossip("verify", "--dir", first)
        self.check(result, DAMAGED, err=["gossip recover --dir " + first])
        self.assertIn(b"fault: n1:2: its bytes do not give its hash\n", result.out)
        archive = self.path("archive")
        self.check(gossip("export", "--dir", first, archive), DAMAGED)
        self.assertFalse(os.path.exists(archive))
        copy = self.path("copy.db")
        self.check(gossip("backup", "--dir", first, copy), DAMAGED,
                   err=["event 2", "is not as it was written", "gossip verify"])
        self.assertFalse(os.path.exists(copy))
        # A running node finds it when somebody asks for it, and ends with all that is to be said.
        second = self.init("n2", cluster=os.path.join(first, "cluster.key"))
        node = self.start(first)
        self.start(second, "--join", node.address)
        self.assertEqual(node.process.wait(PATIENCE), DAMAGED)
        node.wait_line("event 2 (author 0, seq 2) is not as it was written")
        self.assertNotIn(b"twn", gossip("log", "--dir", second).out)

    def test_verify_database(self):
        """What SQLite finds in its own pages is told too: here one that belongs to nothing."""
        directory = self.init()
        with contextlib.closing(sqlite3.connect(os.path.join(directory, "store.db"))) as store:
            store.execute("CREATE TABLE stray (x)")
            store.execute("PRAGMA writable_schema = ON")
            store.execute("DELETE FROM sqlite_schema WHERE name = 'stray'")
            store.commit()
        result = gossip("verify", "--dir", directory)
        self.check(result, DAMAGED, err="gossip recover")
        self.assertRegex(result.out.decode("ascii"), r"(?m)^fault: .*Page \d+ is never used")

    def test_verify_keys(self):
        """An event that its key does not lead to any more would be written again: verify finds it."""
        directory = self.init()
        node = self.start(directory)
        self.check(gossip("publish", "--dir", directory, "--once", "order-17", "x"), OK, out=b"n1:1\n")
        node.end()
        with contextlib.closing(sqlite3.connect(os.path.join(directory, "store.db"))) as store:
            self.assertEqual(store.execute("DELETE FROM onces").rowcount, 1)
            store.commit()
        result = gossip("verify", "--dir", directory)
        self.check(result, DAMAGED, err="gossip recover")
        self.assertEqual(result.out.decode("ascii").splitlines(), [
            "fault: n1:1: is not found by the key that it was published with",
            "1 event checked, 1 fault found"])
        self.check(gossip("recover", "--dir", directory), OK)
        self.check(gossip("verify", "--dir", directory), OK)
        self.start(directory)
        again = gossip("publish", "--dir", directory, "--once", "order-17", "--json", "x")
        self.assertTrue(json.loads(again.out)["repeated"])

    def test_verify_evidence(self):
        """A store that was set back is sound, but the next start opens an epoch: verify says so, and
        from what it is known, and says no more once that was done."""
        directory = self.written()
        store, side = (os.path.join(directory, name) for name in ("store.db", "store.db.side"))
        backup = self.path("backup.db")
        self.check(gossip("backup", "--dir", directory, backup), OK)

        def copy():
            shutil.copy(store, store + ".copy")
            os.rename(store + ".copy", store)

        def damage():
            with open(side, "r+b") as file:
                file.write(b"?")

        def restore():
            for name in os.listdir(directory):
                if name.startswith("store.db"):
                    os.unlink(os.path.join(directory, name))
            shutil.copy(backup, store)

        for change, parts in [(lambda: os.unlink(side), ["the side file is missing"]),
                              (damage, ["the side file is damaged"]),
                              (copy, ["copied, restored or moved"]),
                              (restore, ["`gossip backup`", "restored", "side file"])]:
            self.assertNotIn(b"note: ", gossip("verify", "--dir", directory).out)
            change()
            result = gossip("verify", "--dir", directory)
            self.check(result, OK)
            notes = result.out.decode("ascii").splitlines()[:-1]
            self.assertEqual(len(notes), len(parts), result)
            for note, part in zip(notes, parts):
                self.assertTrue(note.startswith("note: "), note)
                self.assertIn("the next start opens a new epoch", note)
                self.assertIn(part, note)
            told = gossip("verify", "--dir", directory, "--json")
            self.check(told, OK)
            self.assertEqual(["note: " + json.loads(line)["note"]
                              for line in told.out.splitlines()[:-1]], notes)
            node = self.start(directory)
            dot = gossip("publish", "--dir", directory, "x").out
            self.assertRegex(dot.decode(), r"^n1#[0-9a-f]{4,}:\d+\n$")
            node.end()

    def test_verify_modes(self):
        """Whoever may use the files could be the node: verify says which, and what mends it."""
        directory = self.init()
        for name, mode, wide in [("store.db", 0o600, 0o644), ("cluster.key", 0o600, 0o640),
                                 ("store.db.lock", 0o600, 0o602), ("", 0o700, 0o770)]:
            path = os.path.join(directory, name) if name else directory
            os.chmod(path, wide)
            result = gossip("verify", "--dir", directory)
            self.check(result, DAMAGED, err="change the modes")
            self.assertEqual(result.out.decode("ascii").splitlines(), [
                "fault: %s can be used by others (mode %04o); `chmod %o %s` mends it"
                % (path, wide, mode, path),
                "0 events checked, 1 fault found"])
            os.chmod(path, mode)
        os.chmod(directory, 0o755)  # To look at names does no harm.
        self.check(gossip("verify", "--dir", directory), OK)

    def test_files_and_start_do_not_collide(self):
        """Verbs that look into the files again and again keep no node from starting."""
        directory = self.init()
        results = []
        stop = threading.Event()

        def look():
            while not stop.is_set():
                results.append(gossip("clock", "--dir", directory))

        thread = threading.Thread(target=look)
        thread.start()
        try:
            for _ in range(3):
                self.start(directory).end()
        finally:
            stop.set()
            thread.join()
        for result in results:
            self.check(result, OK, out=b"{}\n")

    # ---- Backups. ----

    def check_backup(self, path, events):
        """A store of its own, marked, readable by its owner alone, with nothing beside it."""
        self.assertEqual(stat.S_IMODE(os.stat(path).st_mode), 0o600)
        self.assertEqual([name for name in os.listdir(os.path.dirname(path))
                          if name.startswith(os.path.basename(path))], [os.path.basename(path)])
        with contextlib.closing(sqlite3.connect("file:%s?mode=ro" % path, uri=True)) as store:
            self.assertEqual(store.execute("PRAGMA integrity_check").fetchall(), [("ok",)])
            self.assertEqual(store.execute("SELECT value FROM meta WHERE name = 'backup'").fetchall(),
                             [(1,)])
            self.assertGreaterEqual(store.execute("SELECT count(*) FROM events").fetchone()[0], events)

    def test_backup(self):
        directory = self.init()
        stopped, running = self.path("stopped.db"), self.path("running.db")
        self.check(gossip("backup", "--dir", directory, stopped, "--json"), OK,
                   out=json.dumps({"backup": stopped, "done": True},
                                  separators=(",", ":")).encode() + b"\n")
        self.check_backup(stopped, 0)
        self.start(directory)
        for i in range(50):
            self.check(gossip("publish", "--dir", directory, "-", stdin=os.urandom(50000)), OK)
        # The node goes on meanwhile, and what it has acknowledged before is in the copy.
        busy = threading.Event()
        written = []

        def write():
            while not busy.is_set():
                written.append(gossip("publish", "--dir", directory, "more"))

        thread = threading.Thread(target=write)
        thread.start()
        try:
            result = gossip("backup", "--dir", directory, "running.db", cwd=self.root)
        finally:
            busy.set()
            thread.join()
        self.check(result, OK)
        self.assertIn(b"To restore it", result.out)
        for one in written:
            self.check(one, OK)
        self.check_backup(running, 50)
        before = self.tree(self.root)
        self.check(gossip("backup", "--dir", directory, running), NO, err=[running, "exists"])
        self.check(gossip("backup", "--dir", directory, self.path("no/file")), CONFIGURATION,
                   err=self.path("no/file"))
        self.assertEqual(self.tree(self.root), before)
        # Nothing secret is in it.
        with open(os.path.join(directory, "node.key"), "rb") as file:
            secrets = re.findall(rb"(?m)^(?:seed|secret) ([0-9a-f]+)$", file.read())
        self.assertEqual(len(secrets), 2)
        with open(running, "rb") as file:
            copy = file.read()
        for secret in secrets:
            self.assertNotIn(secret, copy)
            self.assertNotIn(bytes.fromhex(secret.decode()), copy)

    # ---- Recovery. ----

    def recover(self, directory, *arguments):
        """Recovers; returns what it says. What was there is there still, under other names."""
        before = self.tree(directory)
        result = gossip("recover", "--dir", directory, "--json", *arguments)
        self.check(result, OK)
        told = json.loads(result.out)
        after = self.tree(directory)
        for name, content in before.items():
            if name.startswith("store.db") and name.count(".2") == 0 and told["kept"]:
                self.assertEqual(after["store.db." + told["kept"] + name[len("store.db"):]], content)
        self.assertEqual([name for name in after if "salvage" in name or "recover" in name], [])
        self.check(gossip("verify", "--dir", directory), OK)
        with contextlib.closing(sqlite3.connect(os.path.join(directory, "store.db"))) as store:
            self.assertEqual(store.execute("SELECT value FROM meta WHERE name = 'backup'").fetchall(),
                             [(0 if "--new-key" in arguments else 1,)])
        return told

    def test_recover(self):
        directory = self.written()
        self.assertEqual(self.recover(directory, "--force"), {
            "recovered": directory, "found": 3, "events": 3, "unreadable": 0,
            "kept": self.kept(directory), "cloned": False, "waiting": 0, "archive": None})
        self.assertEqual(self.payloads(directory), ["text 1", "text 2", "text 3"])
        # What it had written is another author's now: of the same name, in the epoch before.
        clock = json.loads(gossip("clock", "--dir", directory, "--json").out)
        (author,) = clock["clock"]
        self.assertRegex(author, r"^n1#[0-9a-f]{4,}$")
        self.assertNotEqual(clock["node"], author)

    def kept(self, directory):
        (name,) = [name for name in os.listdir(directory)
                   if re.fullmatch(r"store\.db\.\d{8}T\d{6}Z(-\d+)?", name)]
        return name[len("store.db."):]

    def test_recover_damaged(self):
        """From the first event on, all that holds; what follows an altered one cannot be verified."""
        directory = self.written()
        with contextlib.closing(sqlite3.connect(os.path.join(directory, "store.db"))) as store:
            store.execute("UPDATE events SET body = CAST(replace(body, 'text 2', 'TEXT 2') AS BLOB)"
                          " WHERE seq = 2")
            store.commit()
        self.check(gossip("verify", "--dir", directory), DAMAGED)
        told = self.recover(directory)
        self.assertEqual((told["found"], told["events"]), (3, 1))
        self.assertEqual(self.payloads(directory), ["text 1"])

    def test_recover_from_peers(self):
        """What could not be saved comes from the others; no dot is used twice."""
        first = self.init("n1")
        second = self.init("n2", cluster=os.path.join(first, "cluster.key"))
        n1 = self.start(first)
        n2 = self.start(second, "--join", n1.address)
        for i in range(1, 4):
            self.check(gossip("publish", "--dir", second, "text %d" % i), OK)
        wait_until(lambda: gossip("clock", "--dir", first).out == b"{n2:3}\n", "n1 has them")
        n2.end(signal.SIGKILL)
        with open(os.path.join(second, "store.db"), "r+b") as file:
            file.truncate(100)
        for name in os.listdir(second):
            if name.startswith("store.db-"):
                os.unlink(os.path.join(second, name))
        self.check(gossip("node", "--dir", second, "--listen", "127.0.0.1:0"), DAMAGED,
                   err="gossip recover")
        before = self.tree(second)
        self.check(gossip("recover", "--dir", second), DAMAGED,
                   err=["no event", "--empty", "lost", "peers"])
        self.assertEqual(self.tree(second), before)
        self.recover(second, "--empty")
        self.start(second, "--join", n1.address)
        wait_until(lambda: b"text 3" in gossip("log", "--dir", second).out, "they are back")
        self.check(gossip("publish", "--dir", second, "text 4"), OK)
        wait_until(lambda: b"text 4" in gossip("log", "--dir", first).out, "n1 has the new one")
        lines = [json.loads(line) for line in gossip("log", "--dir", first, "--json").out.splitlines()]
        self.assertEqual(len({line["dot"] for line in lines}), len(lines))
        self.check(gossip("proof", "list", "--dir", first), OK, out=b"no forks are proven\n")

    def test_recover_pages(self):
        """Whatever page of the database is garbage: no crash, and what is kept holds and is a
        beginning of what was written."""
        directory = self.written(count=60, size=300)
        with open(os.path.join(directory, "store.db"), "rb") as file:
            sound = file.read()
        kept = []
        for page in range(len(sound) // 4096):
            spoilt = self.path("p%d" % page)
            os.mkdir(spoilt, 0o700)
            shutil.copy(os.path.join(directory, "node.key"), spoilt)
            with open(os.path.join(spoilt, "store.db"), "wb") as file:
                file.write(sound[:4096 * page] + b"\xa5" * 4096 + sound[4096 * (page + 1):])
            os.chmod(os.path.join(spoilt, "store.db"), 0o600)
            result = gossip("recover", "--dir", spoilt, "--json")
            if result.code != OK:
                self.check(result, DAMAGED, err="--empty")
                kept.append(None)
                continue
            told = json.loads(result.out)
            self.check(gossip("verify", "--dir", spoilt), OK)
            self.assertEqual([text.split()[1] for text in self.payloads(spoilt)],
                             [str(i) for i in range(1, told["events"] + 1)])
            kept.append(told["events"])
        # Without its first page, the authors or the beginning of a chain nothing can be verified; a
        # page of events costs those on it and after it; the rest costs nothing.
        self.assertIsNone(kept[0])
        self.assertIn(60, kept)
        self.assertTrue([count for count in kept if count and count < 60], kept)

    def test_recover_without_store(self):
        directory = self.written()
        for name in os.listdir(directory):
            if name.startswith("store.db"):
                os.unlink(os.path.join(directory, name))
        self.refuse_node(directory, CONFIGURATION, ["no store.db", "gossip recover"])
        result = gossip("recover", "--dir", directory)
        self.check(result, OK)
        self.assertIn(b"an empty store now: there was none", result.out)
        self.check(gossip("clock", "--dir", directory), OK, out=b"{}\n")

    def test_recover_new_key(self):
        """A copy of a node becomes one of its own, and keeps the events as another's."""
        directory = self.written()
        copy = self.path("copy")
        shutil.copytree(directory, copy)
        os.unlink(os.path.join(copy, "cluster.key"))
        cluster = os.path.join(directory, "cluster.key")
        told = self.recover(copy, "--new-key", "--name", "n7", "--cluster", cluster)
        self.assertEqual(told["events"], 3)
        with open(os.path.join(directory, "node.key"), "rb") as file:
            old = file.read()
        self.assertEqual(self.tree(copy)["node.key." + told["kept"]], old)
        self.assertNotEqual(self.tree(copy)["node.key"], old)
        self.check(gossip("clock", "--dir", copy), OK, out=b"{n1:3}\n")
        n7 = self.start(copy)
        n1 = self.start(directory, "--join", n7.address)
        self.check(gossip("publish", "--dir", copy, "of n7"), OK, out=b"n7:1\n")
        wait_until(lambda: b"of n7" in gossip("log", "--dir", directory).out, "n1 has n7:1")
        n1.end()

    def test_recover_cut_off(self):
        """Ended between moving the old files and the new ones: the next attempt goes on."""
        directory = self.written()
        done = self.path("done")
        shutil.copytree(directory, done)
        self.recover(done, "--force")
        os.rename(os.path.join(directory, "store.db"), os.path.join(directory, "store.db.old"))
        shutil.copy(os.path.join(done, "store.db"), os.path.join(directory, "store.db.recovered"))
        self.refuse_node(directory, CONFIGURATION, ["no store.db", "gossip recover"])
        result = gossip("recover", "--dir", directory)
        self.check(result, OK)
        self.assertIn(b"was cut off", result.out)
        self.assertEqual(self.payloads(directory), ["text 1", "text 2", "text 3"])

    def test_recover_killed(self):
        """Killed at each of the calls that change names or make them durable, it is run again: the
        events are there, and so are the bytes of the old store."""
        if not shutil.which("strace"):
            self.skipTest("strace is not installed")
        directory = self.written()
        with open(os.path.join(directory, "store.db"), "rb") as file:
            old = file.read()
        kills = 0
        for call in "renameat2", "unlinkat", "fsync", "fdatasync":
            for number in range(1, 200):
                where = self.path("%s-%d" % (call, number))
                shutil.copytree(directory, where)
                done = subprocess.run(
                    ["strace", "-f", "-o", "/dev/null", "-e", "trace=" + call, "-e",
                     "inject=%s:signal=SIGKILL:when=%d" % (call, number), GOSSIP, "recover", "--dir",
                     where, "--force"], capture_output=True, timeout=PATIENCE,
                    env=environment(ASAN_OPTIONS="detect_leaks=0"))
                if done.returncode == OK:
                    break
                self.assertEqual(done.returncode, -signal.SIGKILL, done)
                kills += 1
                self.check(gossip("recover", "--dir", where, "--force"), OK)
                self.assertEqual(self.payloads(where), ["text 1", "text 2", "text 3"])
                tree = self.tree(where)
                self.assertIn(old, tree.values())
                self.assertEqual([name for name in tree if "salvage" in name or ".recover" in name],
                                 [])
                self.check(gossip("verify", "--dir", where), OK)
                shutil.rmtree(where)
            else:
                self.fail("%s is called without end" % call)
        self.assertGreater(kills, 20)

    def test_recover_refusals(self):
        directory = self.init()
        self.start(directory)
        for arguments in [], ["--keep-key"], ["--empty"], ["--force"]:
            self.check(gossip("recover", "--dir", directory, *arguments), LOCKED, err="in use")
        where = ["recover", "--dir", directory]
        for arguments, part in [(["--new-key"], "go together"), (["--name", "n9"], "go together"),
                                (["--new-key", "--keep-key"], "a copy, or the original"),
                                (["--keep-key", "--empty"], "do not go with it"),
                                (["--keep-key", "--force"], "do not go with it")]:
            self.check(gossip(*where, *arguments), USAGE, out=b"", err=part)
        os.mkdir(self.path("none"))
        self.check(gossip("recover", "--dir", self.path("none")), CONFIGURATION, err="node.key")

    # ---- Archives. ----

    def archive(self, *arguments):
        """Two nodes that have seen each other's events, stopped, and an archive of all of them."""
        first = self.init("n1")
        second = self.init("n2", cluster=os.path.join(first, "cluster.key"))
        n1 = self.start(first)
        self.start(second, "--join", n1.address)
        for i in range(1, 71):  # More than one run.
            self.check(gossip("publish", "--dir", first, "a%d" % i), OK)
            if i % 7 == 0:
                self.check(gossip("publish", "--dir", second, "b%d" % i), OK)
        wait_until(lambda: gossip("clock", "--dir", first).out == b"{n1:70 n2:10}\n", "all are here")
        path = self.path("all.events")
        self.check(gossip("export", "--dir", first, path, *arguments), OK, out=b"")
        return first, path

    def test_export_and_import(self):
        first, path = self.archive()
        cluster = os.path.join(first, "cluster.key")
        key = json.loads(gossip("status", "--dir", first, "--json").out)["cluster"]
        log = gossip("log", "--dir", first, "--json").out
        self.check(gossip("export", "--dir", first, path), NO, err=[path, "exists already"])
        with open(path, "rb") as file:
            self.check(gossip("export", "--dir", first), OK, out=file.read())
        self.check(gossip("import", "--check", path, "--cluster", key), OK,
                   out=b"80 events of 2 authors and 2 records, all sound; of the cluster %s\n"
                   % key.encode())
        self.check(gossip("import", "--check", path, "--cluster", key[::-1]), NO,
                   err=[path, "another cluster"])
        self.check(gossip("import", "--dir", first, path), LOCKED, err="stopped node")
        third = self.init("n3", cluster=cluster)
        for new in 80, 0:  # Once more, it is all there.
            result = gossip("import", "--dir", third, "--json", path)
            self.check(result, OK)
            self.assertEqual(json.loads(result.out), {
                "cluster": key, "authors": 2, "events": 80, "records": 2, "new": new, "waiting": 0,
                "refused": 0})
        self.check(gossip("verify", "--dir", third), OK,
                   out=b"80 events checked, 0 faults found\n")
        self.assertEqual(gossip("log", "--dir", third, "--json").out, log)
        # What comes out of there is as good.
        again = self.path("again.events")
        self.check(gossip("export", "--dir", third, again), OK)
        self.check(gossip("import", "--check", again), OK)
        # Another cluster's node takes nothing.
        other = self.init("o1")
        self.check(gossip("import", "--dir", other, path), NO, err=[path, "another cluster"])
        self.check(gossip("clock", "--dir", other), OK, out=b"{}\n")

    def test_import_of_one_author(self):
        """One author's events wait for what they name; when that is there, they are taken in."""
        first, _ = self.archive()
        one, two = self.path("n1.events"), self.path("n2.events")
        self.check(gossip("export", "--dir", first, "--author", "n2", two), OK)
        self.check(gossip("export", "--dir", first, "--author", "n1", one), OK)
        self.check(gossip("export", "--dir", first, "--author", "n7", self.path("no")), NO,
                   err="no author is called n7")
        self.assertFalse(os.path.exists(self.path("no")))
        third = self.init("n3", cluster=os.path.join(first, "cluster.key"))
        result = gossip("import", "--dir", third, two)
        self.check(result, NO, err=[two, "10 events were left out", "(n2:1) for"])
        self.check(gossip("clock", "--dir", third), OK, out=b"{}\n")
        gossip("import", "--dir", third, one)
        gossip("import", "--dir", third, two)
        gossip("import", "--dir", third, self.path("all.events"))
        self.assertEqual(gossip("log", "--dir", third).out, gossip("log", "--dir", first).out)

    def test_damaged_archives(self):
        """Cut short anywhere, one byte altered anywhere, a block moved: refused, and nothing of it is
        taken in."""
        first, path = self.archive()
        third = self.init("n3", cluster=os.path.join(first, "cluster.key"))
        with open(path, "rb") as file:
            sound = file.read()
        blocks, offset = [], 40
        while offset < len(sound):
            size = 5 + int.from_bytes(sound[offset + 1:offset + 5], "big") + 32
            blocks.append(sound[offset:offset + size])
            offset += size
        self.assertEqual([block[0] for block in blocks], [1, 1, 2, 2, 2, 4])
        bad = self.path("bad.events")
        cases = [sound[:size] for size in range(0, len(sound), 97)]
        cases += [sound[:place] + bytes([sound[place] ^ 1 << place % 8]) + sound[place + 1:]
                  for place in range(0, len(sound), 61)]
        cases += [sound + b"\0",
                  sound[:40] + b"".join(blocks[i] for i in (0, 1, 3, 2, 4, 5)),
                  sound[:40] + b"".join(blocks[i] for i in (0, 1, 2, 3, 5)),
                  sound[:40] + b"".join(blocks[i] for i in (0, 0, 1, 2, 3, 4, 5))]
        for case in cases:
            with open(bad, "wb") as file:
                file.write(case)
            result = gossip("import", "--check", bad)
            self.check(result, DAMAGED, out=b"", err=[bad, "at byte "])
        result = gossip("import", "--dir", third, bad)
        self.check(result, DAMAGED, out=b"", err=[bad, "nothing was taken in"])
        self.check(gossip("clock", "--dir", third), OK, out=b"{}\n")
        self.check(gossip("import", "--check", self.path("none")), CONFIGURATION, err="No such file")
        self.check(gossip("import", "--check", self.root), CONFIGURATION, err="is not a file")

    def test_archive_of_a_fork(self):
        """The proof goes along, and what lies behind the cut does not."""
        first, _, n1 = self.fork()
        n1.end()
        path = self.path("all.events")
        self.check(gossip("export", "--dir", first, path), OK)
        third = self.init("n3", cluster=os.path.join(first, "cluster.key"))
        self.check(gossip("import", "--dir", third, path), OK)
        for verb in ["log", "--json"], ["clock"]:
            self.assertEqual(gossip(*verb, "--dir", third).out, gossip(*verb, "--dir", first).out)
        self.assertEqual(json.loads(gossip("proof", "list", "--dir", third, "--json").out)["cut"], 2)
        self.check(gossip("log", "--contested", "--dir", third), OK, out=b"")
        self.check(gossip("verify", "--dir", third), OK)

    # ---- Proofs. ----

    def test_proof_check(self):
        """A proof in a file is checked with the cluster's public key and nothing else."""
        golden = read_vectors("proof.txt")
        cluster = golden["cluster.key"].hex()
        path = self.path("carol.proof")
        for name, seq in ("fork", 2), ("early_fork", 2):
            with open(path, "wb") as file:
                file.write(golden[name + ".record"])
            result = gossip("proof", "check", path, "--cluster", cluster, "--json")
            self.check(result, OK)
            shown = json.loads(result.out)
            self.assertEqual(shown, {
                "proof": golden[name + ".record_id"].hex(), "key": golden["carol.key"].hex(),
                "epoch": golden["epoch"].hex(), "author_id": shown["author_id"], "seq": seq,
                "cut": int.from_bytes(golden[name + ".cut"], "big"), "a": shown["a"],
                "b": shown["b"]})
            self.assertLess(shown["a"], shown["b"])
            result = gossip("proof", "check", path, "--cluster", cluster)
            self.check(result, OK)
            self.assertIn(golden["carol.key"].hex(), result.out.decode("ascii"))
        self.assertEqual({golden["trunk.2.hash"].hex(), golden["other.2.hash"].hex()},
                         self.hashes_of(golden["fork.record"], cluster))
        # Of another cluster, cut short, altered, and no proof at all.
        other = golden["carol.key"].hex()
        self.check(gossip("proof", "check", path, "--cluster", other), DAMAGED,
                   err=[path, "proves nothing"])
        record = golden["fork.record"]
        for bytes_ in record[:-1], record[:40], b"", record + b"\0", b"\1" + record[1:], b"x" * 9000:
            with open(path, "wb") as file:
                file.write(bytes_)
            self.check(gossip("proof", "check", path, "--cluster", cluster), DAMAGED,
                       out=b"", err=[path, "is no proof"])
        with open(path, "wb") as file:
            file.write(record[:-1] + bytes([record[-1] ^ 1]))
        self.check(gossip("proof", "check", path, "--cluster", cluster), DAMAGED,
                   out=b"", err=[path, "proves nothing"])
        self.check(gossip("proof", "check", self.path("none"), "--cluster", cluster), CONFIGURATION,
                   err=[self.path("none"), "No such file"])

    def hashes_of(self, record, cluster):
        path = self.path("hashes.proof")
        with open(path, "wb") as file:
            file.write(record)
        shown = json.loads(gossip("proof", "check", path, "--cluster", cluster, "--json").out)
        return {shown["a"], shown["b"]}

    def test_proof_of_none(self):
        directory = self.init()
        for running in False, True:
            if running:
                self.start(directory)
            self.check(gossip("proof", "list", "--dir", directory), OK, out=b"no forks are proven\n")
            self.check(gossip("proof", "list", "--dir", directory, "--json"), OK, out=b"")
            out = self.path("none.proof")
            self.check(gossip("proof", "show", "ab", "--dir", directory, "--out", out), NO,
                       err="no such proof")
            self.assertFalse(os.path.exists(out))
            self.check(gossip("proof", "show", "", "--dir", directory), USAGE,
                       err=["the id of a proof is empty", "`gossip proof list`"])
        # The cluster's key is that of the node whose directory is named.
        path = self.path("file")
        with open(path, "wb") as file:
            file.write(read_vectors("proof.txt")["fork.record"])
        self.check(gossip("proof", "check", path, "--dir", directory), DAMAGED, err="proves nothing")
        self.check(gossip("proof", "check", path), USAGE, err=["--cluster KEY", "--dir D"])

    # ---- Forks. ----

    def set_back(self, directory, files):
        """Gives the files of a stopped node the bytes they had, without copying: they stay the same
        files, so that nothing on the machine tells."""
        for name in os.listdir(directory):
            path = os.path.join(directory, name)
            if name in files:
                with open(path, "r+b") as file:
                    file.write(files[name])
                    file.truncate()
            elif not name.endswith(".lock"):
                os.unlink(path)

    def fork(self, *options):
        """n2 gives the dot n2:2 two contents, "one" and "two": n1 knows the first, and then hears of
        the second. Returns the directories and the running n1."""
        first = self.init("n1")
        second = self.init("n2", cluster=os.path.join(first, "cluster.key"))
        n1 = self.start(first)
        n2 = self.start(second, "--join", n1.address)

        def knows(seq):
            return lambda: json.loads(gossip("clock", "--dir", first, "--json").out)["clock"].get(
                "n2") == seq

        self.check(gossip("publish", "--dir", second, "common"), OK, out=b"n2:1\n")
        wait_until(knows(1), "n1 has n2:1")
        n2.end()
        files = self.tree(second)
        n2 = self.start(second, "--join", n1.address)
        self.check(gossip("publish", "--dir", second, *options, "one"), OK, out=b"n2:2\n")
        wait_until(knows(2), "n1 has n2:2")
        n2.end()
        n1.end()
        self.set_back(second, files)
        n2 = self.start(second, "--alone-after", "1ms")
        self.check(gossip("publish", "--dir", second, "two"), OK, out=b"n2:2\n")
        n2.end()
        n1 = self.start(first)
        self.start(second, "--join", n1.address)
        wait_until(lambda: gossip("proof", "list", "--dir", first, "--json").out,
                   "n1 holds a proof")
        return first, second, n1

    def test_once_after_a_fork(self):
        """What is written again is written with its key, and found by it."""
        _, second, _ = self.fork("--once", "k")

        def reissued():
            lines = gossip("log", "--dir", second, "--json").out.splitlines()
            return [event["dot"] for event in map(json.loads, lines)
                    if event["data"] == "one" and "supersedes" in event]

        dots = wait_until(reissued, "n2 has written it again")
        self.check(gossip("publish", "--dir", second, "--once", "k", "--json", "one"), OK,
                   out=b'{"dot":"%s","repeated":true}\n' % dots[0].encode())
        self.check(gossip("publish", "--dir", second, "--once", "k", "two"), NO, out=b"",
                   err="another event, " + dots[0])

    def test_fork(self):
        first, second, n1 = self.fork()
        # Its own node learns of it too.
        wait_until(lambda: json.loads(gossip("status", "--dir", second, "--json").out)["standing"]
                   == "forked", "n2 knows that its key has forked")
        # It writes both again, under a new epoch.
        again = {}

        def reissued():
            for line in gossip("log", "--dir", first, "--json").out.splitlines():
                event = json.loads(line)
                if "supersedes" in event:
                    again[event["data"]] = event
            return len(again) == 2

        wait_until(reissued, "n1 has what n2 has written again")
        (line,) = gossip("proof", "list", "--dir", first, "--json").out.splitlines()
        proof = json.loads(line)
        status = json.loads(gossip("status", "--dir", first, "--json").out)
        (contested,) = map(json.loads, gossip("log", "--dir", first, "--contested",
                                              "--json").out.splitlines())
        (peer,) = map(json.loads, gossip("peers", "--dir", first, "--json").out.splitlines())
        author = contested["author"]
        self.assertEqual((contested["data"], contested["contested"]), ("one", True))
        self.assertEqual((proof["dot"], proof["cut"], proof["contested"]), (author + ":2", 2, 1))
        self.assertEqual(contested["hash"], proof[proof["held"]])
        self.assertEqual(status["cuts"], [{"author": author, "from": 2, "by": "fork",
                                           "contested": 1}])
        self.assertEqual(peer["standing"], "forked")
        events = [json.loads(line) for line in gossip("log", "--dir", first,
                                                      "--json").out.splitlines()]
        self.assertEqual([event["seq"] for event in events if event["author"] == author], [1])
        self.assertEqual(again["one"]["supersedes"], contested["hash"])
        self.assertEqual({again["two"]["supersedes"], contested["hash"]},
                         {proof["a"], proof["b"]})
        self.assertEqual({event["author"] for event in again.values()} - {author},
                         {again["one"]["author"]})
        self.assertIn(b"one", gossip("log", "--dir", first, "--contested").out)
        self.assertRegex(gossip("status", "--dir", first).out.decode(),
                         r"(?m)^cuts +%s: nothing counts from 2 on, by a fork; 1 of" % author)
        # The proof convinces whoever knows the cluster's public key.
        path = self.path("n2.proof")
        self.check(gossip("proof", "show", proof["proof"][:8], "--dir", first, "--out", path), OK,
                   out=b"")
        self.check(gossip("proof", "show", proof["proof"][:8], "--dir", first, "--out", path), NO,
                   err=[path, "exists already"])
        result = gossip("proof", "check", path, "--cluster", status["cluster"], "--json")
        self.check(result, OK)
        self.assertEqual(json.loads(result.out),
                         {key: value for key, value in proof.items()
                          if key not in ("dot", "held", "contested")})
        # A healthy node that holds another's proof is healthy.
        n1.end()
        result = gossip("verify", "--dir", first)
        self.check(result, OK)
        self.assertRegex(result.out.decode(), r"^note: %s: its author has forked at 2; .*\n"
                         r"\d events checked, 0 faults found, 1 fork proven\n$" % author)
        lines = [json.loads(line) for line in gossip("verify", "--dir", first,
                                                     "--json").out.splitlines()]
        self.assertEqual((list(lines[0]), lines[1]["forks"]), (["note"], 1))
        self.check(gossip("proof", "list", "--dir", first, "--json"), OK, out=line + b"\n")

    # ---- Starts. ----

    def test_publish_waits(self):
        """After a start the first event waits for what other nodes hold, and says so; --alone-after
        ends the wait."""
        first = self.init("n1")
        second = self.init("n2", cluster=os.path.join(first, "cluster.key"))
        n1 = self.start(first)
        n2 = self.start(second, "--join", n1.address)
        self.check(gossip("publish", "--dir", second, "one"), OK, out=b"n2:1\n")
        self.assertRegex(gossip("status", "--dir", second).out.decode(), r"(?m)^writing +yes$")
        wait_until(lambda: b"n2:1" in gossip("clock", "--dir", first).out, "n1 has n2:1")
        n1.end()
        n2.end()
        n2 = self.start(second, "--alone-after", "30s")
        start = json.loads(gossip("status", "--dir", second, "--json").out)["start"]
        self.assertTrue(0 < start.pop("left_ms") <= 30000)
        self.assertEqual(start, {"state": "asking", "evidence": [], "asked": 0, "answered": 0})
        self.assertRegex(gossip("status", "--dir", second).out.decode(),
                         r"(?m)^writing +not yet; asking: no other node is reached yet .* \d+ s ")
        with subprocess.Popen([GOSSIP, "publish", "--dir", second, "two"], stdout=subprocess.PIPE,
                              stderr=subprocess.PIPE, env=environment()) as publish:
            said = publish.stderr.readline().decode()
            self.assertRegex(said, r"^gossip: the event waits: asking: .* goes on without\n$")
            # Meanwhile all else goes on; and the first answer ends the wait.
            self.assertIn(b"one", gossip("log", "--dir", second).out)
            n1 = self.start(first, "--join", n2.address, "--alone-after", "1ms")
            self.check(gossip("publish", "--dir", first, "of n1"), OK, out=b"n1:1\n")
            out, err = publish.communicate(timeout=PATIENCE)
            self.assertEqual((publish.returncode, out, err), (OK, b"n2:2\n", b""))
        start = json.loads(gossip("status", "--dir", second, "--json").out)["start"]
        self.assertEqual((start["state"], start["evidence"], start["left_ms"]), ("ready", [], 0))
        # Alone, the wait ends by the clock.
        n1.end()
        n2.end()
        n2 = self.start(second, "--alone-after", "1500ms")
        result = gossip("publish", "--dir", second, "three")
        self.assertEqual((result.code, result.out), (OK, b"n2:3\n"), result)
        self.assertIn("the event waits: asking", result.err)

    def test_evidence_is_shown(self):
        """A store whose file was copied is told at once, and the next event opens an epoch."""
        directory = self.init()
        node = self.start(directory)
        self.check(gossip("publish", "--dir", directory, "one"), OK, out=b"n1:1\n")
        node.end()
        for name in "store.db", "store.db-wal":
            path = os.path.join(directory, name)
            if os.path.exists(path):
                shutil.copy(path, path + ".copy")
                os.rename(path + ".copy", path)
        node = self.start(directory)
        told = node.wait_line("event=store-set-back")
        self.assertIn(" evidence=moved", told)
        self.assertIn("if this is a copy of a node that runs elsewhere", told)
        status = json.loads(gossip("status", "--dir", directory, "--json").out)
        self.assertEqual(status["start"], {"state": "ready", "evidence": ["moved"], "asked": 0,
                                           "answered": 0, "left_ms": 0})
        self.assertRegex(gossip("status", "--dir", directory).out.decode(),
                         r"(?m)^evidence +the store was set back \(its file was copied, restored or "
                         r"moved\): the next event opens a new epoch$")
        result = gossip("publish", "--dir", directory, "two")
        self.check(result, OK)
        self.assertRegex(result.out.decode(), r"^n1#[0-9a-f]{4}:2\n$")
        node.wait_line("event=new-epoch")
        status = json.loads(gossip("status", "--dir", directory, "--json").out)
        self.assertEqual(status["start"]["evidence"], [])
        self.assertEqual([(epoch["have"], epoch["open"]) for epoch in status["epochs"]],
                         [(1, False), (2, True)])
        node.end()
        self.check(gossip("verify", "--dir", directory), OK)

    def test_double(self):
        """Whoever meets its double says who it is, and nothing of a store that is in order."""
        directory = self.init()
        node = self.start(directory)
        self.check(gossip("publish", "--dir", directory, "one"), OK, out=b"n1:1\n")
        node.end()
        copy = self.path("copy")
        shutil.copytree(directory, copy)
        original = self.start(directory)
        double = self.start(copy, "--join", original.address)
        wait_until(lambda: original.ended or double.ended, "one of the two has stopped")
        ended = double if double.ended else original
        self.assertEqual(ended.end()[0], CONFIGURATION)
        self.assertIn(" dot=n1:1", ended.wait_line("event=cloned"))
        self.assertNotIn(" store=", ended.wait_line("event=failed"))

    def test_status_exit_code(self):
        """0 where all is well; 1 with the reasons, one a line, where it is not."""
        first = self.init("n1")
        second = self.init("n2", cluster=os.path.join(first, "cluster.key"))
        where = ["status", "--dir", first, "--exit-code"]

        def judge():
            result = gossip(*where, "--json")
            json.loads(result.out)
            return (result.code,
                    [re.match(r"gossip: ([a-z-]+): .+$", line)[1]
                     for line in result.err.splitlines()])

        self.check(gossip(*where), NO_NODE, out=b"")
        one = self.start(first)
        self.assertEqual(judge(), (OK, []))
        two = self.start(second, "--join", one.address)
        wait_until(lambda: gossip("peers", "--dir", first, "--json").out.count(b"alive"), "n2")
        self.assertEqual(judge(), (OK, []))
        two.end(signal.SIGKILL)
        wait_until(lambda: judge() == (NO, ["alone"]), "n1 is alone")
        one.end()
        # A store that was copied, and nobody there to ask.
        for name in "store.db", "store.db-wal":
            path = os.path.join(first, name)
            if os.path.exists(path):
                shutil.copy(path, path + ".copy")
                os.rename(path + ".copy", path)
        self.start(first, "--alone-after", "1h")
        self.assertEqual(judge(), (NO, ["waiting", "set-back", "alone"]))
        answer = subprocess.run(
            ["curl", "-s", "--unix-socket", os.path.join(first, "api.sock"),
             "http://node/v1/problems"], capture_output=True, check=True, timeout=PATIENCE).stdout
        self.assertEqual(json.loads(answer), {"problems": ["waiting", "set-back", "alone"]})

    def test_key(self):
        """Who a node is, from its file: whether it runs, and whether it has a store."""
        directory = self.init("n1")
        with open(os.path.join(directory, "node.key"), encoding="ascii") as file:
            secrets = re.findall(r"(?m)^(?:seed|secret) ([0-9a-f]+)$", file.read())
        self.assertEqual(len(secrets), 2)
        result = gossip("key", "--dir", directory, "--json")
        self.check(result, OK)
        key = json.loads(result.out)
        self.assertEqual(sorted(key), ["certificate", "cluster", "issuer", "key", "node", "rights"])
        self.assertEqual((key["node"], key["rights"], key["issuer"]), ("n1", [], None))
        self.assertIn(key["key"], key["certificate"])
        plain = gossip("key", "--dir", directory)
        self.check(plain, OK)
        self.assertIn(b"key          %s\n" % key["key"].encode(), plain.out)
        shown = result.out.decode() + plain.out.decode()
        for secret in secrets:
            self.assertNotIn(secret, shown)
        self.start(directory)
        self.check(gossip("key", "--dir", directory), OK, out=plain.out)
        status = json.loads(gossip("status", "--dir", directory, "--json").out)
        self.assertEqual((status["key"], status["cluster"]), (key["key"], key["cluster"]))
        self.check(gossip("key", "--dir", self.root), CONFIGURATION, out=b"")

    # ---- Events. ----

    def test_publish_and_read(self):
        directory = self.init()
        self.start(directory)
        where = ["--dir", directory]
        payloads = [b"hello", "h\u00e4lt \u20ac".encode(), b"\x1b[31m\x9b2J", b"\x00\x01\xff", b"",
                    b"quote \" slash \\ line\nline", bytes(range(256))]
        for count, payload in enumerate(payloads, 1):
            self.check(gossip("publish", *where, "-", stdin=payload), OK,
                       out=b"n1:%d\n" % count)
        self.check(gossip("publish", *where, "--json", "argument"), OK,
                   out=b'{"dot":"n1:8"}\n')
        self.check(gossip("publish", *where, "--", "-5"), OK, out=b"n1:9\n")
        self.check(gossip("publish", "in the environment",
                          env=environment(GOSSIP_DIR=directory)), OK, out=b"n1:10\n")
        payloads += [b"argument", b"-5", b"in the environment"]

        result = gossip("log", *where, "--json")
        self.check(result, OK)
        self.assertTrue(all(byte >= 0x20 or byte == 10 for byte in result.out))
        self.assertTrue(all(byte < 0x7f or byte == 0x7f for byte in result.out))
        events = [json.loads(line) for line in result.out.splitlines()]
        shown = [event["data"].encode() if "data" in event
                 else base64.b64decode(event["data_base64"], validate=True) for event in events]
        self.assertEqual(shown, payloads)
        for count, event in enumerate(events, 1):
            self.assertEqual(event["dot"], "n1:%d" % count)
            self.assertEqual((event["author"], event["seq"]), ("n1", count))
            self.assertEqual(event["clock"], {"n1": count})
            self.assertRegex(event["time"], r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$")
            self.assertRegex(event["hlc"], r"^[0-9a-f]{16}$")
        self.assertEqual(sorted(events, key=lambda event: event["hlc"]), events)

        result = gossip("log", *where)
        self.check(result, OK)
        self.assertEqual(result.out.count(b"\n"), len(payloads))
        for byte in list(range(10)) + list(range(11, 32)) + [0x7f]:
            self.assertNotIn(bytes([byte]), result.out)
        self.assertIn(b"\\x1b[31m\\x9b2J\n", result.out)
        result.out.decode("utf-8")

        self.check(gossip("clock", *where), OK, out=b"{n1:10}\n")
        self.check(gossip("clock", *where, "--json"), OK,
                   out=b'{"node":"n1","clock":{"n1":10}}\n')
        self.check(gossip("relation", *where, "--json", "n1:1", "n1:2"), OK,
                   out=b'{"a":"n1:1","b":"n1:2","relation":"before"}\n')
        self.check(gossip("relation", *where, "n1:2", "n1:11"), NO,
                   err="n1:11 is not here: of n1 this node has 10")
        self.check(gossip("relation", *where, "n1:2", "n2:1"), NO, err="no author is called n2")
        self.check(gossip("relation", *where, "n1:2", "\x1b[2J&b=#"), USAGE, err="\\x1b[2J&b=#")
        status = json.loads(gossip("status", *where, "--json").out)
        self.assertEqual((status["node"], status["clock"]), ("n1", {"n1": 10}))
        self.check(gossip("peers", *where, "--json"), OK, out=b"")

    def test_payload_limits(self):
        directory = self.init()
        node = self.start(directory)
        where = ["--dir", directory]
        self.check(gossip("publish", *where, "-", stdin=b"x" * 65536), OK, out=b"n1:1\n")
        self.check(gossip("publish", *where, "-", stdin=b"x" * 65537), NO,
                   err=["65536 bytes", "--payload-max"])
        self.check(gossip("publish", *where, "-", stdin=b"x" * 1000000), NO, err="65536 bytes")
        self.check(gossip("publish", *where, "-", stdin=b"x" * 1000001), NO, err="1000000 bytes")
        node.end()
        self.start(directory, "--payload-max", "1000000")
        self.check(gossip("publish", *where, "-", stdin=b"y" * 1000000), OK, out=b"n1:2\n")
        self.check(gossip("publish", *where, "-", stdin=b"y" * 1000001), NO, err="1000000 bytes")
        lines = gossip("log", *where, "--json").out.splitlines()
        self.assertEqual(json.loads(lines[1])["data"], "y" * 1000000)

    def test_once(self):
        """The same key is the same event, whatever becomes of the answer, the node and its store."""
        first = self.init("n1")
        second = self.init("n2", cluster=os.path.join(first, "cluster.key"))
        node = self.start(first)
        where = ["--dir", first]
        self.check(gossip("publish", *where, "--once", "a", "one"), OK, out=b"n1:1\n")
        self.check(gossip("publish", *where, "--once", "a", "one"), OK, out=b"n1:1\n")
        self.check(gossip("publish", *where, "--once", "a&b=\u20ac %", "--json", "one"), OK,
                   out=b'{"dot":"n1:2"}\n')
        self.check(gossip("publish", *where, "--once", "a&b=\u20ac %", "--json", "one"), OK,
                   out=b'{"dot":"n1:2","repeated":true}\n')
        self.check(gossip("publish", *where, "--once", "a", "two"), NO, out=b"",
                   err=["another event, n1:1", "nothing was written"])
        self.check(gossip("publish", *where, "--once", "k" * 64, "-", stdin=b"x"), OK,
                   out=b"n1:3\n")
        for key in "", "k" * 65:
            self.check(gossip("publish", *where, "--once", key, "x"), USAGE, err="1 to 64 bytes")
        self.check(gossip("publish", *where, "--once", "a", "--lines"), USAGE, err="--lines")
        node.end(signal.SIGKILL)
        files = self.tree(first)

        # What is lost with a store that is set back comes back from peers, and the key with it.
        node = self.start(first)
        other = self.start(second, "--join", node.address)
        self.check(gossip("publish", *where, "--once", "late", "four"), OK, out=b"n1:4\n")
        wait_until(lambda: json.loads(gossip("clock", "--dir", second, "--json").out)["clock"]
                   .get("n1") == 4, "n1:4 at n2")
        node.end(signal.SIGKILL)
        self.set_back(first, files)
        node = self.start(first, "--join", other.address)
        self.assertRegex(gossip("publish", *where, "--once", "late", "four").out,
                         rb"^n1(#[0-9a-f]+)?:4\n$")
        # Also those of an epoch that is closed.
        node.end()
        for name in "store.db", "store.db-wal":
            path = os.path.join(first, name)
            if os.path.exists(path):
                shutil.copy(path, path + ".copy")
                os.rename(path + ".copy", path)
        node = self.start(first, "--join", other.address)
        opened = gossip("publish", *where, "a new epoch")
        self.check(opened, OK)
        self.assertRegex(opened.out, rb"^n1#[0-9a-f]{4}:2\n$")
        again = gossip("publish", *where, "--once", "a", "one")
        self.assertRegex(again.out, rb"^n1#[0-9a-f]{4}:1\n$")
        self.assertNotEqual(again.out.split(b":")[0], opened.out.split(b":")[0])
        node.end()
        self.check(gossip("verify", *where), OK)

    def lines_of(self, directory):
        return [event.get("data") for event in map(json.loads, gossip(
            "log", "--dir", directory, "--json").out.splitlines())]

    def test_lines(self):
        directory = self.init()
        node = self.start(directory)
        where = ["--dir", directory, "--lines"]
        self.check(gossip("publish", *where, stdin=b""), OK, out=b"")
        self.check(gossip("publish", *where, stdin=b"a\n\nb \r\n\xe2\x82\xac"), OK,
                   out=b"n1:1\nn1:2\nn1:3\nn1:4\n")
        self.check(gossip("publish", *where, "--json", "-", stdin=b"x"), OK,
                   out=b'{"dot":"n1:5"}\n')
        self.assertEqual(self.lines_of(directory), ["a", "", "b \r", "\u20ac", "x"])
        self.check(gossip("publish", *where, "DATA"), USAGE, err='standard input')
        # What is too large ends it; what comes before is written, over many requests too.
        for before in 0, 1, 5000:
            lines = [b"%d" % i for i in range(before)] + [b"x" * 65537, b"after"]
            have = json.loads(gossip("clock", "--dir", directory, "--json").out)["clock"]["n1"]
            result = gossip("publish", *where, stdin=b"\n".join(lines))
            self.check(result, NO, err=["line %d: " % (before + 1), "65536 bytes", "none after it"])
            self.assertEqual(result.out, b"".join(
                b"n1:%d\n" % (have + i + 1) for i in range(before)))
            self.assertIn("no line before it" if before == 0 else
                          "the %d before it were written" % before, result.err)
        for size in 1000001, 3000000:
            self.check(gossip("publish", *where, stdin=b"a\n" + b"x" * size), NO,
                       out=b"n1:%d\n" % (5006 + (size == 3000000) + 1), err="line 2")
        self.assertNotIn("after", self.lines_of(directory))
        node.end()
        self.check(gossip("publish", *where, stdin=b"a\n"), NO_NODE, out=b"",
                   err="no node is running")

    def test_lines_as_they_come(self):
        """Each line is written as soon as it is there, and the reader of dots may go away."""
        directory = self.init()
        node = self.start(directory)
        process = subprocess.Popen([GOSSIP, "publish", "--dir", directory, "--lines"],
                                   stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                   stderr=subprocess.PIPE, env=environment())
        for i in range(1, 4):
            process.stdin.write(b"line %d\nnot yet" % i)
            process.stdin.flush()
            self.assertEqual(process.stdout.readline(), b"n1:%d\n" % i)
        process.stdout.close()
        process.stdin.write(b"\n")
        process.stdin.flush()
        self.assertEqual(process.wait(PATIENCE), NO)
        self.assertIn(b"the first 4 lines were written, and nothing after them",
                      process.stderr.read())
        process.stdin.close()
        process.stderr.close()
        self.assertEqual(self.lines_of(directory),
                         ["line 1", "not yetline 2", "not yetline 3", "not yet"])
        # Input without an end, and a node that ends.
        process = subprocess.Popen([GOSSIP, "publish", "--dir", directory, "--lines"],
                                   stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                   stderr=subprocess.PIPE, env=environment())
        process.stdin.write(b"one\n")
        process.stdin.flush()
        self.assertEqual(process.stdout.readline(), b"n1:5\n")
        node.end(signal.SIGKILL)
        out, err = process.communicate(b"two\n", timeout=PATIENCE)
        self.assertEqual((process.returncode, out), (NO_NODE, b""))
        self.assertIn(b"the first 1 lines were written, and nothing after them", err)

    def test_faults(self):
        """A node that was started for it loses what it is told to, from the first datagram on."""
        first = self.init("n1")
        second = self.init("n2", cluster=self.path("n1/cluster.key"))
        address = re.search(r" address=(\S+)", self.start(first).wait_line("event=ready"))[1]
        faults = self.path("faults")
        with open(faults, "w", encoding="ascii") as file:
            file.write("both * cut\n")
        arguments = ["--join", address, "--period", "20", "--allow-faults"]
        node = self.start(second, *arguments, "--faults", faults)
        self.assertIn(" level=warn ", node.wait_line("event=faults-allowed"))
        self.check(gossip("publish", "--dir", first, "hello"), OK)
        self.check(gossip("wait", "--dir", second, "in-step", "--timeout", "500ms"), 4, err="")
        node.end()
        node = self.start(second, *arguments)
        self.check(gossip("wait", "--dir", second, "in-step", "--timeout", "30s"), OK)
        node.end()
        with open(faults, "a", encoding="ascii") as file:
            file.write("in nowhere cut\n")
        start = ["node", "--dir", second, "--listen", "127.0.0.1:0"]
        self.check(gossip(*start, "--allow-faults", "--faults", faults), DAMAGED, err="line 2")
        self.check(gossip(*start, "--allow-faults", "--faults", self.path("none")), CONFIGURATION,
                   err="cannot open")
        self.check(gossip(*start, "--faults", faults), USAGE, err="--allow-faults")

    def test_lines_without_end(self):
        """Memory does not grow with what is published, and what was answered is there."""
        directory = self.init()
        self.start(directory)
        with subprocess.Popen(["yes", "x" * 200], stdout=subprocess.PIPE) as endless:
            process = subprocess.Popen([GOSSIP, "publish", "--dir", directory, "--lines"],
                                       stdin=endless.stdout, stdout=subprocess.PIPE,
                                       stderr=subprocess.PIPE, env=environment())
            endless.stdout.close()
            sizes = []
            for i in range(1, 20001):
                self.assertEqual(process.stdout.readline(), b"n1:%d\n" % i)
                if i in (5000, 20000):
                    with open("/proc/%d/statm" % process.pid, encoding="ascii") as file:
                        sizes.append(int(file.read().split()[1]))
            process.stdout.close()
            self.assertEqual(process.wait(PATIENCE), NO)
            process.stderr.close()
            endless.kill()
        if is_sanitized(): # It keeps what was freed, and more around each piece of memory.
            print("not measured under a sanitizer: %d pages more; " % (sizes[1] - sizes[0]), end="")
        else:
            self.assertLess(sizes[1], sizes[0] + 256) # Pages: 1 MiB.
        have = json.loads(gossip("clock", "--dir", directory, "--json").out)["clock"]["n1"]
        self.assertGreaterEqual(have, 20000)

    def test_many_at_once(self):
        """Requests that come together share commits, and each gets its own dot."""
        directory = self.init()
        self.start(directory)
        results = []

        def publish(number):
            for i in range(10):
                results.append(gossip("publish", "--dir", directory, "%d %d" % (number, i)))

        threads = [threading.Thread(target=publish, args=(number,)) for number in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        dots = set()
        for result in results:
            self.check(result, OK)
            dots.add(result.out)
        self.assertEqual(dots, {b"n1:%d\n" % i for i in range(1, 81)})

    def test_two_nodes(self):
        first = self.init()
        second = self.init("n2", cluster=os.path.join(first, "cluster.key"))
        one = self.start(first, "--period", "50")
        self.start(second, "--period", "50", "--join", one.address)
        self.check(gossip("publish", "--dir", first, "hello"), OK, out=b"n1:1\n")
        wait_until(lambda: gossip("clock", "--dir", second).out == b"{n1:1}\n", "n1:1 at n2")
        self.check(gossip("publish", "--dir", second, "answer"), OK, out=b"n2:1\n")
        wait_until(lambda: gossip("clock", "--dir", first).out == b"{n1:1 n2:1}\n", "n2:1 at n1")
        for directory in first, second:
            self.check(gossip("relation", "--dir", directory, "n1:1", "n2:1"), OK,
                       out=b"n1:1 before n2:1: when n2:1 was written, its author had seen n1:1\n")
        self.assertEqual(gossip("log", "--dir", first).out, gossip("log", "--dir", second).out)
        peers = [json.loads(line)
                 for line in gossip("peers", "--dir", first, "--json").out.splitlines()]
        self.assertEqual([(peer["name"], peer["state"]) for peer in peers], [("n2", "alive")])
        self.assertIn(b"n2", gossip("peers", "--dir", first).out)
        one.wait_line("event=peer-alive node=n2")

    # ---- Where output goes. ----

    def fill_log(self, directory, count=200, size=20000):
        connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        connection.connect(os.path.join(directory, "api.sock"))
        answers = connection.makefile("rb")
        for _ in range(count):
            connection.sendall(b"POST /v1/events HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n"
                               % size + b"x" * size)
            length = 0
            self.assertIn(b" 200 ", answers.readline())
            for line in iter(answers.readline, b"\r\n"):
                if line.lower().startswith(b"content-length:"):
                    length = int(line.split(b":")[1])
            answers.read(length)
        answers.close()
        connection.close()

    def test_log_options(self):
        """The same on a running node, which goes on meanwhile, and on a stopped one."""
        directory = self.init()
        node = self.start(directory)
        self.fill_log(directory, count=1000, size=1)
        cases = [
            ((), range(1, 1001)),
            (("--limit", "3"), range(998, 1001)),
            (("--after", "n1:990"), range(991, 1001)),
            (("--before", "n1:4"), range(1, 4)),
            (("--before", "n1:900", "--after", "n1:500", "--limit", "2"), range(898, 900)),
            (("--concurrent-with", "n1:7"), ()),
            (("--author", "n1", "--author", "n1", "--limit", "1"), range(1000, 1001)),
            (("--since", "1h", "--limit", "1"), range(1000, 1001)),
            (("--since", "2100-01-01"), ()),
        ]
        refusals = [
            (("--since", "soon"), USAGE, '"soon"'),
            (("--limit", "0"), USAGE, "1 to 1000000"),
            (("--limit", "1", "--limit", "2"), USAGE, "--limit stands there twice"),
            (("--after", "n1:1001"), NO, "n1:1001 is not here"),
            (("--author", "n2"), NO, "no author is called n2"),
            (("--author", "n1,"), USAGE, "a name is missing"),
            (("--before", "n1"), USAGE, "is not the name of an event"),
            (("--contested", "--after", "n1:1"), USAGE, "nobody can tell"),
        ]
        for state in "running", "stopped":
            for options, expected in cases:
                with self.subTest(state=state, options=options):
                    result = gossip("log", "--dir", directory, "--json", *options)
                    self.check(result, OK)
                    self.assertEqual([json.loads(line)["seq"] for line in result.out.splitlines()],
                                     list(expected))
            for options, code, part in refusals:
                with self.subTest(state=state, options=options):
                    self.check(gossip("log", "--dir", directory, *options), code, out=b"", err=part)
            node.end()

    def test_stop_while_a_log_looks(self):
        """A log that has found nothing yet does not keep a node from ending."""
        directory = self.init()
        node = self.start(directory)
        self.fill_log(directory, count=2000, size=1)
        readers = [subprocess.Popen([GOSSIP, "log", "--dir", directory, "--limit", "1"],
                                    stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                                    env=environment()) for _ in range(4)]
        self.assertEqual(node.end()[0], OK)
        for reader in readers:
            out, err = reader.communicate(timeout=PATIENCE)
            if reader.returncode == OK:
                self.assertIn(b"n1:2000 ", out)
            else:
                self.assertEqual(out, b"")
                self.assertTrue(err.startswith(b"gossip: "), err)

    def test_reader_that_has_had_enough(self):
        directory = self.init()
        node = self.start(directory)
        self.fill_log(directory)
        for form in [], ["--json"]:
            process = subprocess.Popen([GOSSIP, "log", "--dir", directory, *form],
                                       stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                                       env=environment())
            self.assertIn(b"n1:1", process.stdout.readline())
            process.stdout.close()
            self.assertEqual(process.wait(PATIENCE), OK)
            self.assertEqual(process.stderr.read(), b"")
            process.stderr.close()
        # The log can be read again, by now or soon.
        wait_until(lambda: gossip("log", "--dir", directory).code == OK, "a second log")
        self.assertIsNone(node.process.poll())

    def test_full_output(self):
        directory = self.init()
        self.start(directory)
        self.check(gossip("publish", "--dir", directory, "x"), OK)
        for verb in ["log"], ["log", "--json"], ["clock"], ["status"]:
            with open("/dev/full", "wb") as full:
                done = subprocess.run([GOSSIP, *verb, "--dir", directory], stdout=full,
                                      stderr=subprocess.PIPE, timeout=PATIENCE,
                                      env=environment())
            self.check(Result(done.returncode, b"", done.stderr.decode()), INPUT_OUTPUT,
                       err="standard output")
        for verb in "help", "--version":
            with open("/dev/full", "wb") as full:
                done = subprocess.run([GOSSIP, verb], stdout=full, stderr=subprocess.PIPE,
                                      timeout=PATIENCE, env=environment())
            self.check(Result(done.returncode, b"", done.stderr.decode()), INPUT_OUTPUT,
                       err="standard output")

    def test_closed_output(self):
        directory = self.init()
        self.start(directory)
        done = subprocess.run(["sh", "-c", 'exec "$0" clock --dir "$1" >&-', GOSSIP, directory],
                              stderr=subprocess.PIPE, timeout=PATIENCE, env=environment())
        self.check(Result(done.returncode, b"", done.stderr.decode()), INPUT_OUTPUT,
                   err="standard output")

    def test_log_that_nobody_reads(self):
        """A node whose stderr is full, or closed, goes on."""
        for how in "full", "closed", "all closed":
            with self.subTest(how=how):
                directory = self.init(directory=self.path(how))
                reader, writer = os.pipe()
                if how == "full":
                    os.set_blocking(writer, False)
                    with contextlib.suppress(BlockingIOError):
                        while True:
                            os.write(writer, b"x" * 4096)
                    os.set_blocking(writer, True)
                close = {"full": "", "closed": "2>&-", "all closed": "<&- >&- 2>&-"}[how]
                process = subprocess.Popen(
                    ["sh", "-c", 'exec "$0" node --dir "$1" --listen 127.0.0.1:0 ' + close,
                     GOSSIP, directory], stderr=writer, env=environment())
                os.close(writer)
                try:
                    wait_until(lambda: gossip("publish", "--dir", directory, "x").code == OK,
                               "an event with stderr " + how)
                    self.check(gossip("stop", "--dir", directory), OK)
                    self.assertEqual(process.wait(PATIENCE), OK)
                    os.close(reader)
                    # Nothing of the log has gone into a file of the node.
                    self.check(gossip("verify", "--dir", directory), OK)
                    for name, data in self.tree(directory).items():
                        self.assertNotIn(b"event=ready", data, name)
                finally:
                    process.kill()
                    process.wait(PATIENCE)

    # ---- The socket. ----

    def test_long_directory(self):
        parent = self.root
        for _ in range(4):
            parent = os.path.join(parent, "d" * 60)
            os.mkdir(parent)
        directory = self.init(directory=os.path.join(parent, "n1"))
        self.assertGreater(len(directory), 200)
        self.start(directory)
        self.check(gossip("publish", "--dir", directory, "x"), OK, out=b"n1:1\n")
        self.check(gossip("clock", "--dir", directory), OK, out=b"{n1:1}\n")
        self.check(gossip("stop", "--dir", directory), OK)
        self.check(gossip("clock", "--dir", directory), OK, out=b"{n1:1}\n")

    def test_relative_directory(self):
        self.init()
        self.start(self.path("n1"))
        self.check(gossip("publish", "--dir", "n1", "x", cwd=self.root), OK, out=b"n1:1\n")

    def test_socket_mode(self):
        directory = self.init()
        self.start(directory)
        mode = os.stat(os.path.join(directory, "api.sock")).st_mode
        self.assertTrue(stat.S_ISSOCK(mode))
        self.assertEqual(stat.S_IMODE(mode), 0o600)
        self.assertFalse(os.path.exists(os.path.join(directory, "api.sock.new")))

    def serve(self, directory, answer):
        """Stands in for a node: answers the first request with these bytes, and hangs up."""
        listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        listener.bind(os.path.join(directory, "api.sock"))
        listener.listen(1)

        def run():
            connection = listener.accept()[0]
            connection.recv(65536)
            connection.sendall(answer)
            connection.close()
            listener.close()
            os.unlink(os.path.join(directory, "api.sock"))

        thread = threading.Thread(target=run)
        thread.start()
        return thread

    def test_answers_that_are_none(self):
        directory = self.init()
        head = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n"
        unknown = "whether the event was written is not known"
        cases = [
            (["publish", "x"], b"", [unknown]),
            (["publish", "x"], b"SSH-2.0-OpenSSH_9.2\r\n", [unknown, "does not answer as a node"]),
            (["publish", "x"], head + b"n1:", [unknown, "in the middle"]),
            (["clock"], head + b"{}", ["in the middle", "not complete"]),
            (["log"], b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n",
             ["in the middle", "not complete"]),
            (["status"], b"HTTP/1.1 200 OK\r\n\r\nhello", ["does not answer as a node"]),
        ]
        for verb, answer, parts in cases:
            with self.subTest(verb=verb, answer=answer):
                thread = self.serve(directory, answer)
                self.check(gossip(*verb, "--dir", directory), INPUT_OUTPUT, err=parts)
                thread.join()
        body = b'{"error":"bad \\u001b[2J","hint":"do \\u00e9"}'
        thread = self.serve(directory, b"HTTP/1.1 500 Oh\r\nGossip-Exit: 65\r\n"
                                       b"Content-Length: %d\r\n\r\n" % len(body) + body)
        self.check(gossip("status", "--dir", directory), DAMAGED,
                   err="bad \\x1b[2J; do \\xc3\\xa9")
        thread.join()

    def test_killed_while_publishing(self):
        """What was acknowledged is there after kill -9, and at most what was cut besides."""
        directory = self.init()
        node = self.start(directory)
        acknowledged = []
        codes = []

        def publish():
            while True:
                result = gossip("publish", "--dir", directory, "x")
                codes.append((result.code, result.err))
                if result.code != OK:
                    return
                acknowledged.append(int(result.out.split(b":")[1]))

        threads = [threading.Thread(target=publish) for _ in range(4)]
        for thread in threads:
            thread.start()
        wait_until(lambda: len(acknowledged) >= 20, "twenty events")
        node.end(signal.SIGKILL)
        for thread in threads:
            thread.join()
        for code, error in codes:
            self.assertIn(code, (OK, INPUT_OUTPUT, NO_NODE), error)
            if code == INPUT_OUTPUT:
                self.assertIn("whether the event was written is not known", error)
        self.assertEqual(sorted(set(acknowledged)), sorted(acknowledged))
        seqs = [json.loads(line)["seq"]
                for line in gossip("log", "--dir", directory, "--json").out.splitlines()]
        self.assertEqual(sorted(seqs), list(range(1, len(seqs) + 1)))
        self.assertLessEqual(set(acknowledged), set(seqs))
        self.assertLessEqual(len(seqs), len(acknowledged) + 4)
        self.start(directory)
        self.check(gossip("publish", "--dir", directory, "y"), OK,
                   out=b"n1:%d\n" % (len(seqs) + 1))

    # ---- The end. ----

    def test_signals(self):
        directory = self.init()
        for number in signal.SIGTERM, signal.SIGINT, signal.SIGHUP:
            node = self.start(directory)
            code, took = node.end(number)
            self.assertEqual(code, OK)
            self.assertLess(took, PATIENCE / 4)
            self.assertIn("event=stopped", node.lines[-1])
            self.assertFalse(os.path.exists(os.path.join(directory, "api.sock")))
        node = self.start(directory)
        node.process.send_signal(signal.SIGPIPE)
        node.process.send_signal(signal.SIGXFSZ)
        self.check(gossip("publish", "--dir", directory, "x"), OK)

    def test_stop(self):
        """When stop returns, the directory is free."""
        directory = self.init()
        for boot in range(3):
            self.start(directory)
            form = ["--json"] if boot == 0 else []
            self.check(gossip("stop", "--dir", directory, *form), OK,
                       out=b'{"stopping":true}\n' if form else b"stopping\n")
        self.check(gossip("verify", "--dir", directory), OK)

    def test_stop_with_a_slow_reader(self):
        directory = self.init()
        node = self.start(directory)
        self.fill_log(directory)
        reader = subprocess.Popen([GOSSIP, "log", "--dir", directory], stdout=subprocess.PIPE,
                                  stderr=subprocess.PIPE, env=environment())
        reader.stdout.readline()
        code, took = node.end()
        self.assertEqual(code, OK)
        self.assertLess(took, PATIENCE / 4)
        reader.stdout.read()
        self.assertEqual(reader.wait(PATIENCE), INPUT_OUTPUT)
        self.assertIn(b"not complete", reader.stderr.read())
        reader.stdout.close()
        reader.stderr.close()

    def test_dot_survives_restart(self):
        directory = self.init()
        for count in range(1, 4):
            node = self.start(directory)
            self.check(gossip("publish", "--dir", directory, "x"), OK, out=b"n1:%d\n" % count)
            node.end(signal.SIGKILL if count % 2 else signal.SIGTERM)
        boots = re.search(r" boot=(\d+)", node.lines[0]).group(1)
        self.assertEqual(int(boots), 3)
        self.check(gossip("clock", "--dir", directory), OK, out=b"{n1:3}\n")


if __name__ == "__main__":
    unittest.main(argv=[sys.argv[0], "-v", *("CommandTest." + name for name in sys.argv[2:])])
