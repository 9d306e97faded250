"""The log of real nodes, in both formats, against what docs/messages.md promises of it.

usage: cli_log.py GOSSIP ROOT      ROOT is where docs/ is
"""

import contextlib
import json
import os
import re
import resource
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import unittest

from cli import wait_until

GOSSIP = ROOT = None
PATIENCE = 60
TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z")


def gossip(*arguments):
    return subprocess.run([GOSSIP, *arguments], capture_output=True, timeout=PATIENCE, check=False)


def read_page():
    """Of each event its level, the fields it always has and those it may have; and which fields are
    numbers."""
    with open(os.path.join(ROOT, "docs", "messages.md"), encoding="ascii") as file:
        page = file.read()
    events = {}
    for name, level, fields in re.findall(
            r"^### `(\S+)`\n\n- priority: (\w+)\n- fields: (.*)$", page, re.M):
        always, _, known = fields.partition("where known ")
        events[name] = (level, re.findall("`(.+?)`", always), re.findall("`(.+?)`", known))
    numbers = re.findall(r"^\| `(\w+)` \|.*\| number \|$", page, re.M)
    return events, set(numbers)


def read_logfmt(line):
    """A line as pairs: a value in quotes is a string of JSON."""
    pairs = []
    while line:
        match = re.match(r'(\w+)=("(?:[^"\\]|\\.)*"|[^\s"=\\]+)(?: |$)', line)
        if match is None:
            raise ValueError("is no logfmt: %r" % line)
        value = match[2]
        pairs.append((match[1], json.loads(value) if value[0] == '"' else value))
        line = line[match.end():]
    return pairs


class LogTest(unittest.TestCase):
    def setUp(self):
        self.place = os.fsencode(tempfile.mkdtemp(prefix="gossip-cli-log-"))
        self.addCleanup(shutil.rmtree, self.place, ignore_errors=True)
        self.events, self.numbers = read_page()
        self.assertGreater(len(self.events), 20)

    def start(self, directory, name, *arguments, **more):
        """A node whose log is a file, called name."""
        path = os.path.join(self.place, name.encode())
        with open(path, "wb") as log:
            process = subprocess.Popen([GOSSIP, "node", "--dir", directory, "--listen",
                                        "127.0.0.1:0", "--period", "20", *arguments], stderr=log,
                                       stdin=subprocess.DEVNULL, **more)
        self.addCleanup(process.wait, PATIENCE)
        self.addCleanup(process.kill)
        self.await_event(path, "ready")
        return process, path

    def data(self, path):
        with open(path, "rb") as file:
            return file.read()

    def await_event(self, path, event):
        shown = re.compile(b"event=%b |\"event\":\"%b\"" % (event.encode(), event.encode()))
        wait_until(lambda: shown.search(self.data(path)), "%s in %r" % (event, path))

    def lines(self, path, form):
        return self.read_lines(self.data(path), form)

    def read_lines(self, data, form):
        """Every line as pairs, each held against the page."""
        self.assertTrue(data.endswith(b"\n"))
        self.assertNotRegex(data, rb"[^\n -~]")
        found = []
        for line in data.decode("ascii").splitlines():
            self.assertLess(len(line), 4096)
            if form == "json":
                pairs = json.loads(line, object_pairs_hook=list)
                self.assertNotIn(" ", re.sub(r'"(?:[^"\\]|\\.)*"', "", line))
            else:
                pairs = read_logfmt(line)
            keys = [key for key, _ in pairs]
            self.assertEqual(keys[:3], ["time", "level", "event"])
            self.assertEqual(len(keys), len(set(keys)))
            self.assertRegex(pairs[0][1], TIME)
            level, always, known = self.events[pairs[2][1]]
            self.assertEqual(pairs[1][1], level, line)
            self.assertLessEqual(set(always), set(keys[3:]), line)
            self.assertLessEqual(set(keys[3:]), set(always + known), line)
            for key, value in pairs:
                kind = int if key in self.numbers and form == "json" else str
                self.assertIs(type(value), kind, line)
                if key in self.numbers:
                    self.assertRegex(str(value), r"^(0|[1-9]\d*)$")
            found.append(dict(pairs))
        return found

    def init(self, directory, name, *arguments):
        done = gossip("init", "--dir", directory, "--name", name, *arguments)
        self.assertEqual(done.returncode, 0, done)

    def ask_nonsense(self, directory):
        """What the HTTP library has something to say of; returns when it has been read."""
        with socket.socket(socket.AF_UNIX) as asker:
            asker.connect(os.path.join(directory, b"api.sock"))
            with contextlib.suppress(ConnectionResetError, BrokenPipeError):
                asker.sendall(b"GET /" + b"x" * 100000 + b"\r\n\r\n")
                while asker.recv(4096):
                    pass

    def test_flood(self):
        """What others can bring about is cut short, and the count told before the last line."""
        directory = os.path.join(self.place, b"n1")
        self.init(directory, "n1")
        process, path = self.start(directory, "log", "--log-format", "json")
        begin = time.monotonic()
        for _ in range(200):
            self.ask_nonsense(directory)
        process.send_signal(signal.SIGTERM)
        self.assertEqual(process.wait(PATIENCE), 0)
        took = time.monotonic() - begin
        lines = self.lines(path, "json")
        shown = [line for line in lines if line["event"] == "api"]
        lost = [line for line in lines if line["event"] == "lines-lost"]
        self.assertEqual({line["kind"] for line in lost}, {"api"})
        self.assertEqual(len(shown) + sum(line["count"] for line in lost), 200)
        self.assertGreaterEqual(len(shown), 20)
        self.assertLessEqual(len(shown), 20 + took + 1)
        self.assertEqual([line["event"] for line in lines[-2:]], ["lines-lost", "stopped"])

    def test_failure(self):
        """A node whose disk fails says so, and what to do, in its last two lines."""
        for form in "logfmt", "json":
            directory = os.path.join(self.place, form.encode())
            self.init(directory, "n1")
            process = subprocess.Popen([GOSSIP, "node", "--dir", directory, "--listen",
                                        "127.0.0.1:0", "--log-format", form],
                                       stderr=subprocess.PIPE, stdin=subprocess.DEVNULL)
            self.addCleanup(process.wait, PATIENCE)
            self.addCleanup(process.stderr.close)
            self.addCleanup(process.kill)
            data = process.stderr.readline()
            # Files that end sooner: to the store that is a disk that fails.
            resource.prlimit(process.pid, resource.RLIMIT_FSIZE, (1000, resource.RLIM_INFINITY))
            self.assertEqual(gossip("publish", "--dir", directory, "x").returncode, 74)
            data += process.stderr.read()
            self.assertEqual(process.wait(PATIENCE), 74)
            failed, stopped = self.read_lines(data, form)[-2:]
            self.assertEqual((failed["event"], failed["level"]), ("failed", "error"))
            self.assertIn("store.db: saving failed", failed["store"])
            self.assertIn("look at the disk", failed["next"])
            self.assertEqual((stopped["event"], int(stopped["code"])), ("stopped", 74))

    def test_two_nodes(self):
        """A life: they meet, one is killed, one is a copy, one is asked nonsense."""
        for form in "logfmt", "json":
            with self.subTest(form=form):
                place = os.path.join(self.place, form.encode())
                os.mkdir(place)
                one, two, copy = (os.path.join(place, name) for name in (
                    b"a\n\x1b[31m\"= \\\xff\xc3\xa9", b"two", b"copy"))
                self.init(one, "n1")
                self.init(two, "n2", "--cluster", os.path.join(one, b"cluster.key"))
                extra = ["--log-format", form] if form == "json" else []
                first, path = self.start(one, form + ".1", *extra)
                address = dict(self.lines(path, form)[0])["address"]
                second, other = self.start(two, form + ".2", "--join", address, *extra)
                self.assertEqual(gossip("publish", "--dir", one, "x").returncode, 0)
                self.await_event(path, "peer-alive")
                self.await_event(other, "peer-alive")
                second.kill()
                second.wait(PATIENCE)
                self.await_event(path, "peer-silent")
                self.ask_nonsense(one)
                first.send_signal(signal.SIGTERM)
                self.assertEqual(first.wait(PATIENCE), 0)
                lines = self.lines(path, form)
                ready = lines[0]
                self.assertEqual(ready["event"], "ready")
                self.assertEqual(ready["node"], "n1")
                self.assertEqual(ready["dir"], os.fsdecode(one).encode("utf-8", "surrogateescape")
                                 .decode("utf-8", "backslashreplace"))
                self.assertEqual(int(ready["pid"]), first.pid)
                self.assertEqual([line["event"] for line in lines[-2:]], ["signal", "stopped"])
                self.assertEqual(lines[-2]["signal"], "TERM")
                self.assertEqual(int(lines[-1]["code"]), 0)
                self.assertLessEqual({"member", "peer-alive", "peer-silent", "api"},
                                     {line["event"] for line in lines})

                shutil.copytree(one, copy)
                third, path = self.start(copy, form + ".3", *extra)
                self.await_event(path, "store-set-back")
                third.send_signal(signal.SIGINT)
                self.assertEqual(third.wait(PATIENCE), 0)
                told = [line for line in self.lines(path, form)
                        if line["event"] == "store-set-back"]
                self.assertEqual(told[0]["evidence"], "moved")
                self.assertIn("gossip recover --new-key", told[0]["next"])
        self.assertEqual(gossip("node", "--dir", "x", "--listen", "127.0.0.1:0", "--log-format",
                                "xml").returncode, 2)

    def test_journal(self):
        """Priorities only where the stream that the variable names is what is written to."""
        directory = os.path.join(self.place, b"n1")
        self.init(directory, "n1")
        for own in True, False:
            ours, theirs = socket.socketpair()
            status = os.fstat(theirs.fileno())
            stream = "%d:%d" % (status.st_dev, status.st_ino + (not own))
            for arguments, shown in ((["--listen", "127.0.0.1:0"], rb"time=\S+ level=info event="),
                                     (["--listen", "nonsense"], rb"gossip: ")):
                process = subprocess.Popen([GOSSIP, "node", "--dir", directory, *arguments],
                                           stderr=theirs, stdin=subprocess.DEVNULL,
                                           env=dict(os.environ, JOURNAL_STREAM=stream))
                self.addCleanup(process.wait, PATIENCE)
                self.addCleanup(process.kill)
                data = b""
                while not data.endswith(b"\n"):
                    data += ours.recv(65536)
                process.terminate()
                process.wait(PATIENCE)
                if shown[:1] == b"t":
                    while b"event=stopped" not in data:
                        data += ours.recv(65536)
                priority = (b"<6>" if shown[:1] == b"t" else b"<3>") if own else b""
                for line in data.splitlines():
                    self.assertRegex(line, b"^" + priority + shown)
            ours.close()
            theirs.close()


if __name__ == "__main__":
    GOSSIP = os.path.abspath(sys.argv.pop(1))
    ROOT = os.path.abspath(sys.argv.pop(1))
    unittest.main(verbosity=2)
