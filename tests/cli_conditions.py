#!/usr/bin/env python3
"""Every verb of the command under every bad condition: what it exits with, and that it says why.

usage: cli_conditions.py GOSSIP [NAME]...    GOSSIP is the command; NAMEs choose tests

The verbs are those that `gossip help` lists: one without a row here fails. Exit status 77: all that
could be tried went well, and what could not is said with the reason.
"""

import base64
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import unittest

import cli
from cli import (CONFIGURATION, INPUT_OUTPUT, LOCKED, NO, NO_NODE, OK, PATIENCE,
                 PERMISSION, TIMED_OUT, CommandFixture, environment, gossip, wait_until)

NOBODY = 65534
SKIPPED = []

# What each verb exits with. The columns: a directory that is not there; a file in its place; a
# directory without a node; a node whose store is another's; one that the user may not enter; a node
# that is stopped; one that runs; the same with /dev/full as standard output; and one that is killed
# with -9 while it is asked.
COLUMNS = ("missing", "file", "empty", "another's", "forbidden", "stopped", "running", "full",
           "killed")
ROWS = {
    "init":     (OK, CONFIGURATION, OK, NO, PERMISSION, NO, NO, NO, NO),
    "node":     (CONFIGURATION, CONFIGURATION, CONFIGURATION, CONFIGURATION, PERMISSION, OK, LOCKED,
                 LOCKED, LOCKED),
    "stop":     (NO_NODE, CONFIGURATION, NO_NODE, NO_NODE, PERMISSION, NO_NODE, OK, INPUT_OUTPUT,
                 INPUT_OUTPUT),
    "publish":  (NO_NODE, CONFIGURATION, NO_NODE, NO_NODE, PERMISSION, NO_NODE, OK, INPUT_OUTPUT,
                 INPUT_OUTPUT),
    "log":      (CONFIGURATION, CONFIGURATION, CONFIGURATION, CONFIGURATION, PERMISSION, OK, OK,
                 INPUT_OUTPUT, INPUT_OUTPUT),
    "clock":    (CONFIGURATION, CONFIGURATION, CONFIGURATION, CONFIGURATION, PERMISSION, OK, OK,
                 INPUT_OUTPUT, INPUT_OUTPUT),
    "relation": (CONFIGURATION, CONFIGURATION, CONFIGURATION, CONFIGURATION, PERMISSION, OK, OK,
                 INPUT_OUTPUT, INPUT_OUTPUT),
    "peers":    (NO_NODE, CONFIGURATION, NO_NODE, NO_NODE, PERMISSION, NO_NODE, OK, INPUT_OUTPUT,
                 INPUT_OUTPUT),
    "status":   (NO_NODE, CONFIGURATION, NO_NODE, NO_NODE, PERMISSION, NO_NODE, OK, INPUT_OUTPUT,
                 INPUT_OUTPUT),
    "key":      (CONFIGURATION, CONFIGURATION, CONFIGURATION, OK, PERMISSION, OK, OK, INPUT_OUTPUT,
                 OK),
    "verify":   (CONFIGURATION, CONFIGURATION, CONFIGURATION, CONFIGURATION, PERMISSION, OK, LOCKED,
                 LOCKED, LOCKED),
    "backup":   (CONFIGURATION, CONFIGURATION, CONFIGURATION, OK, PERMISSION, OK, OK, INPUT_OUTPUT,
                 INPUT_OUTPUT),
    "recover":  (CONFIGURATION, CONFIGURATION, CONFIGURATION, CONFIGURATION, PERMISSION, NO, LOCKED,
                 LOCKED, LOCKED),
    "export":   (CONFIGURATION, CONFIGURATION, CONFIGURATION, CONFIGURATION, PERMISSION, OK, OK,
                 INPUT_OUTPUT, INPUT_OUTPUT),
    "import":   (CONFIGURATION, CONFIGURATION, CONFIGURATION, CONFIGURATION, PERMISSION, OK, LOCKED,
                 LOCKED, LOCKED),
    "proof":    (CONFIGURATION, CONFIGURATION, CONFIGURATION, CONFIGURATION, PERMISSION, OK, OK,
                 INPUT_OUTPUT, INPUT_OUTPUT),
    "watch":    (NO_NODE, CONFIGURATION, NO_NODE, NO_NODE, PERMISSION, NO_NODE, OK, INPUT_OUTPUT,
                 NO_NODE),
    # There is nobody with whom it could be in step.
    "wait":     (NO_NODE, CONFIGURATION, NO_NODE, NO_NODE, PERMISSION, NO_NODE, TIMED_OUT,
                 TIMED_OUT, INPUT_OUTPUT),
    # These need no node, and are tried where the directory does not matter.
    "dev":      (None,) * 9, # It makes its own nodes, and runs until it is told to end: cli_dev.py
    "lab":      (OK, None, None, None, None, None, None, INPUT_OUTPUT, None),
    "help":     (OK, None, None, None, None, None, None, INPUT_OUTPUT, None),
    "version":  (OK, None, None, None, None, None, None, INPUT_OUTPUT, None),
}

# What follows the verb and its --dir. FILE is a file that is not there, ARCHIVE one of an export.
ARGUMENTS = {
    "init": ["--name", "n1"],
    "node": ["--listen", "127.0.0.1:0"],
    "publish": ["x"],
    "relation": ["n1:1", "n1:2"],
    "backup": ["FILE"],
    "import": ["ARCHIVE"],
    "lab": ["list"],
    "proof": ["list"],
    "watch": ["--count", "1"],
    "wait": ["--timeout", "0", "in-step"],
}
NOWHERE = ("dev", "lab", "help", "version")


def verbs():
    """As `gossip help` lists them."""
    text = gossip("help").out.decode()
    return re.findall(r"(?m)^  ([a-z]+) {2,}\S", text.split("Topics:")[0])


class ConditionsTest(CommandFixture):
    def setUp(self):
        super().setUp()
        os.chmod(self.root, 0o755)
        self.count = 0

    def command(self, verb, directory):
        """The whole command line."""
        self.count += 1
        files = {"FILE": self.path("file%d" % self.count), "ARCHIVE": self.path("archive")}
        arguments = [files.get(word, word) for word in ARGUMENTS.get(verb, [])]
        where = [] if verb in NOWHERE else ["--dir", directory]
        return [cli.GOSSIP, verb, *where, *arguments]

    def call(self, verb, directory, **keywords):
        """Runs it to its end; a node that has started is told to stop: (exit code, stderr)."""
        keywords = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "env": environment(),
                    **keywords}
        with subprocess.Popen(self.command(verb, directory), stderr=subprocess.PIPE,
                              **keywords) as process:
            begun = b""
            while verb == "node" and b"event=ready" not in begun:
                line = process.stderr.readline()
                if not line:
                    break
                begun = line
            if b"event=ready" in begun:
                process.send_signal(signal.SIGTERM)
            try:
                err = process.communicate(timeout=PATIENCE)[1]
            except subprocess.TimeoutExpired:
                process.kill()
                raise
        # What a node tells of itself is no error.
        lines = [line for line in (begun + err).decode("utf-8", "backslashreplace").splitlines()
                 if not line.startswith("time=")]
        return process.returncode, lines

    def made(self, name):
        """A node that has written two events, stopped; and an archive of them."""
        cluster = self.path("archived/cluster.key")
        directory = self.init("n1", self.path(name), cluster if os.path.exists(cluster) else None)
        node = self.start(directory)
        for data in "one", "two":
            self.check(gossip("publish", "--dir", directory, data), OK)
        node.end()
        if not os.path.exists(self.path("archive")):
            self.check(gossip("export", "--dir", directory, self.path("archive")), OK)
        return directory

    def judge(self, verb, condition, code, lines):
        expected = ROWS[verb][COLUMNS.index(condition)]
        self.assertEqual(code, expected, lines)
        # An error is one line, which says what and where; what is no error says nothing.
        self.assertEqual(len(lines), code != OK, lines)
        for line in lines:
            self.assertRegex(line, r"^gossip: .{20,}$")

    def try_all(self, condition, make):
        self.assertEqual(sorted(verbs()), sorted(ROWS), "each verb has a row")
        self.made("archived")
        for verb in verbs():
            if ROWS[verb][COLUMNS.index(condition)] is None:
                continue
            with self.subTest(verb=verb, condition=condition):
                directory, keywords = make(verb)
                self.judge(verb, condition, *self.call(verb, directory, **keywords))
                for node in self.nodes:
                    node.end(signal.SIGKILL)

    def test_missing(self):
        self.try_all("missing", lambda verb: (self.path("none-" + verb), {}))

    def test_file(self):
        def make(verb):
            path = self.path("file-" + verb)
            with open(path, "wb"):
                pass
            return path, {}
        self.try_all("file", make)

    def test_empty(self):
        def make(verb):
            path = self.path("empty-" + verb)
            os.mkdir(path)
            return path, {}
        self.try_all("empty", make)

    def test_anothers(self):
        other = self.made("other")

        def make(verb):
            directory = self.init("n1", self.path("mixed-" + verb),
                                  self.path("archived/cluster.key"))
            for name in os.listdir(other):
                if name.startswith("store.db"):
                    shutil.copy(os.path.join(other, name), directory)
            return directory, {}
        self.try_all("another's", make)

    def test_forbidden(self):
        if os.geteuid() != 0:
            SKIPPED.append("whether a directory of another user is refused: only root can have one")
            return
        def make(verb):
            return self.init("n1", self.path("root-" + verb)), {
                "user": NOBODY, "group": NOBODY, "extra_groups": []}
        self.try_all("forbidden", make)

    def test_stopped(self):
        self.try_all("stopped", lambda verb: (self.made("stopped-" + verb), {}))

    def test_running(self):
        """And without a terminal, a session or anything to read."""
        def make(verb):
            directory = self.made("running-" + verb)
            self.start(directory)
            return directory, {"start_new_session": True}
        self.try_all("running", make)

    def asked(self, directory):
        """Whether somebody waits for the node to take his connection."""
        with open("/proc/net/unix", encoding="ascii") as file:
            return file.read().count(os.path.join(directory, "api.sock")) > 1

    def test_killed(self):
        self.made("archived")
        for verb in verbs():
            if verb in NOWHERE:
                continue
            with self.subTest(verb=verb):
                directory = self.made("killed-" + verb)
                node = self.start(directory)
                node.process.send_signal(signal.SIGSTOP)
                with subprocess.Popen(self.command(verb, directory), stdin=subprocess.DEVNULL,
                                      stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                                      env=environment()) as process:
                    wait_until(lambda: self.asked(directory) or process.poll() is not None,
                               "the node is asked")
                    node.end(signal.SIGKILL)
                    err = process.communicate(timeout=PATIENCE)[1]
                self.judge(verb, "killed", process.returncode, err.decode().splitlines())

    def test_full(self):
        """Standard output that takes nothing."""
        with open("/dev/full", "wb") as full:
            def make(verb):
                directory = self.made("full-" + verb)
                self.start(directory)
                return directory, {"stdout": full}
            self.try_all("full", make)

    def test_reader_has_gone(self):
        """Nobody reads what is printed, as after `| head -1`: all is done all the same."""
        directory = self.made("archived")
        self.start(directory)
        for verb in verbs():
            if ROWS[verb][COLUMNS.index("full")] != INPUT_OUTPUT or verb == "stop":
                continue
            with self.subTest(verb=verb):
                reader, writer = os.pipe()
                os.close(reader)
                with open(writer, "wb") as pipe:
                    self.assertEqual(self.call(verb, directory, stdout=pipe), (OK, []))

    def test_no_output(self):
        """Standard output is closed: what would print says so, and nothing is written elsewhere."""
        directory = self.made("archived")
        self.start(directory)
        for verb in verbs():
            if ROWS[verb][COLUMNS.index("full")] != INPUT_OUTPUT or verb == "stop":
                continue
            with self.subTest(verb=verb):
                code, lines = self.call(verb, directory, stdout=None,
                                        preexec_fn=lambda: os.close(1))
                self.assertEqual((code, len(lines)), (INPUT_OUTPUT, 1), lines)

    def publish(self, directory, payload, form):
        if form == "argument":
            return gossip("publish", "--dir", directory, "--", payload)
        options = {"standard input": ["-"], "lines": ["--lines"],
                   "once": ["--once", "%d %d" % (len(payload), payload[0]), "-"]}[form]
        return gossip("publish", "--dir", directory, *options, stdin=payload)

    def test_payloads(self):
        """At the limits and past them, binary, and what would steer a terminal."""
        limit = 1000
        directory = self.init()
        self.start(directory, "--payload-max", str(limit))
        large = self.init("n2")
        self.start(large, "--payload-max", "1000000")
        steering = b"\x1b]0;title\x07\x1b[2J\x9b31m\xe2\x80\xae"
        cases = [
            # payload, node, forms, code, a part of the error
            (b"x" * limit, directory, ("argument", "standard input", "lines", "once"), OK, None),
            (b"x" * (limit + 1), directory, ("argument", "standard input", "lines", "once"), NO,
             "larger than 1000 bytes"),
            (b"x" * 1000000, large, ("standard input", "lines", "once"), OK, None),
            (b"x" * 1000001, large, ("standard input", "lines", "once"), NO, "1000000 bytes"),
            (b"x" * 1000001, directory, ("standard input", "lines", "once"), NO, "1000"),
            (bytes(range(256)), directory, ("standard input", "once"), OK, None),
            (bytes(set(range(256)) - {10}), directory, ("lines",), OK, None),
            (bytes(range(1, 256)), directory, ("argument",), OK, None),
            (steering, directory, ("argument", "standard input", "lines", "once"), OK, None),
        ]
        for payload, where, forms, code, part in cases:
            for form in forms:
                with self.subTest(size=len(payload), form=form, code=code):
                    result = self.publish(where, payload, form)
                    self.check(result, code, err=part)
                    if code != OK:
                        self.assertEqual(result.out, b"")
                        continue
                    shown = gossip("log", "--dir", where, "--json", "--limit", "1")
                    event = json.loads(shown.out)
                    self.assertEqual(event["data"].encode() if "data" in event
                                     else base64.b64decode(event["data_base64"]), payload)
                    plain = gossip("log", "--dir", where, "--limit", "1")
                    self.check(plain, OK)
                    self.assertTrue(all(byte >= 0x20 and byte != 0x7f or byte == 10
                                        for byte in plain.out))
                    self.assertNotIn(b"\x9b", plain.out.replace(b"\xc2\x9b", b"\x9b"))
                    self.assertNotIn("\u202e".encode(), plain.out)


if __name__ == "__main__":
    result = unittest.main(argv=[sys.argv[0], "-v", *("ConditionsTest." + name
                                                      for name in sys.argv[2:])], exit=False)
    for reason in SKIPPED:
        print("not tried: " + reason)
    sys.exit(1 if not result.result.wasSuccessful() else 77 if SKIPPED else 0)
