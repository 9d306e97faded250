"""Colours: on a terminal, and nowhere else.

usage: cli_colour.py GOSSIP
"""

import json
import os
import re
import select
import signal
import subprocess
import sys
import termios
import unittest

import cli
from cli import OK, PATIENCE, CommandFixture, environment, gossip, wait_until

COLOURS = re.compile(rb"\x1b\[(?:0|1|31|32|33)m")
BOLD, RED, GREEN, YELLOW, END = b"\x1b[1m", b"\x1b[31m", b"\x1b[32m", b"\x1b[33m", b"\x1b[0m"


def on_terminal(*arguments, stdout=None, **variables):
    """What the command writes to a terminal, as it was written: (output, exit code)."""
    master, slave = os.openpty()
    attributes = termios.tcgetattr(slave)
    attributes[1] &= ~termios.OPOST
    termios.tcsetattr(slave, termios.TCSANOW, attributes)
    env = environment()
    for name in ("TERM", "NO_COLOR"):
        env.pop(name, None)
    env.update(variables)
    process = subprocess.Popen([cli.GOSSIP, *arguments], stdin=slave, stdout=stdout or slave,
                               stderr=slave, env=env)
    os.close(slave)
    data = b""
    try:
        while select.select([master], [], [], PATIENCE)[0]:
            try:
                part = os.read(master, 65536)
            except OSError:  # EIO: nobody has the other end any more.
                break
            if not part:
                break
            data += part
        return data, process.wait(PATIENCE)
    finally:
        os.close(master)
        process.kill()
        process.wait(PATIENCE)


class ColourTest(CommandFixture):
    fork = cli.CommandTest.fork
    set_back = cli.CommandTest.set_back

    def shown(self, *arguments):
        """On a terminal; without its colours it is what a pipe gets."""
        data, code = on_terminal(*arguments, TERM="xterm-256color")
        self.assertEqual(code, OK, data)
        result = gossip(*arguments)
        self.check(result, OK)
        self.assertNotIn(b"\x1b", result.out)
        if arguments[0] not in ("peers", "status"):  # What these count goes on.
            self.assertEqual(COLOURS.sub(b"", data), result.out)
        self.assertNotIn(b"\x1b", COLOURS.sub(b"", data))
        return data

    def test_verbs(self):
        first = self.init("n1")
        second = self.init("a-longer-name", cluster=os.path.join(first, "cluster.key"))
        one = self.start(first, "--period", "50")
        two = self.start(second, "--period", "50", "--join", one.address)
        self.check(gossip("publish", "--dir", first, "\x1b[31mred \x1b]0;title\x07"), OK)
        wait_until(lambda: gossip("clock", "--dir", second).out == b"{n1:1}\n", "n1:1 there")
        self.check(gossip("publish", "--dir", second, "x"), OK)
        wait_until(lambda: b"a-longer-name:1" in gossip("clock", "--dir", first).out, "it here")

        status = self.shown("status", "--dir", first)
        self.assertIn(BOLD + b"writing" + END + b"      " + GREEN + b"yes" + END + b"\n", status)
        for line in COLOURS.sub(b"", status).splitlines():
            self.assertRegex(line, rb"^(\S.{11}|             ?)\s?\S")
            self.assertEqual(line[12:13], b" ")
        key = self.shown("key", "--dir", first)
        self.assertIn(BOLD + b"node" + END + b"         n1\n", key)
        relation = self.shown("relation", "--dir", first, "n1:1", "a-longer-name:1")
        self.assertTrue(relation.startswith(b"n1:1 " + BOLD + b"before" + END), relation)
        self.assertIn(rb"\x1b[31mred", self.shown("log", "--dir", first))
        self.shown("watch", "--dir", first, "--count", "2")
        self.check_peers(first, GREEN + b"alive" + END)
        two.end(signal.SIGKILL)
        wait_until(lambda: b" silent " in gossip("peers", "--dir", first).out, "it is silent")
        self.check_peers(first, YELLOW + b"silent" + END)

        # Not where it was refused, nor where there is no terminal, nor for programs.
        verbs = (["status"], ["peers"], ["log"], ["key"], ["relation", "n1:1", "n1:1"],
                 ["watch", "--count", "1"])
        for verb in verbs:
            arguments = [*verb, "--dir", first]
            for variables in ({"TERM": "dumb"}, {}, {"TERM": "xterm", "NO_COLOR": "1"},
                              {"TERM": "xterm", "NO_COLOR": "0"}, {"TERM": ""}):
                data, code = on_terminal(*arguments, **variables)
                self.assertEqual(code, OK)
                self.assertNotIn(b"\x1b", data)
            data, code = on_terminal(*arguments, "--json", TERM="xterm")
            self.assertEqual(code, OK)
            self.assertNotIn(b"\x1b", data)
            for line in data.splitlines():
                json.loads(line)
            with open(self.path("out"), "wb") as out:
                self.assertEqual(on_terminal(*arguments, stdout=out, TERM="xterm"), (b"", OK))
            with open(self.path("out"), "rb") as out:
                self.assertNotIn(b"\x1b", out.read())
        data, code = on_terminal("status", "--dir", first, TERM="xterm", NO_COLOR="")
        self.assertIn(GREEN, data)
        # Errors have none.
        data, code = on_terminal("relation", "--dir", first, "n1:1", "n1:9", TERM="xterm")
        self.assertEqual(code, 1)
        self.assertNotIn(b"\x1b", data)
        one.end()
        self.assertTrue(self.shown("verify", "--dir", first).endswith(
            b" checked, " + GREEN + b"0 faults" + END + b" found\n"))
        os.chmod(os.path.join(first, "node.key"), 0o640)
        data, code = on_terminal("verify", "--dir", first, TERM="xterm")
        self.assertEqual(code, cli.PERMISSION, data)
        os.chmod(os.path.join(first, "node.key"), 0o600)
        os.chmod(os.path.join(first, "store.db.side"), 0o640)
        data, code = on_terminal("verify", "--dir", first, TERM="xterm")
        self.assertEqual(code, cli.DAMAGED, data)
        self.assertTrue(data.startswith(RED + b"fault:" + END + b" "), data)
        self.assertIn(RED + b"1 fault" + END + b" found\n", data)
        os.chmod(os.path.join(first, "store.db.side"), 0o600)
        self.assertIn(BOLD + b"before" + END,
                      self.shown("relation", "--dir", first, "n1:1", "a-longer-name:1"))

    def check_peers(self, directory, state):
        """Each word stands under its heading, which is where it stands without colours."""
        data = self.shown("peers", "--dir", directory)
        self.assertIn(state, data)
        heading, row = COLOURS.sub(b"", data).splitlines()
        (plain, _) = gossip("peers", "--dir", directory).out.splitlines()
        self.assertEqual(heading, plain)
        for word in (b"NAME", b"KEY", b"ADDRESS", b"STATE", b"STANDING", b"IN STEP", b"HEARD",
                     b"ANSWERED"):
            self.assertIn(BOLD + word + END, data)
            place = heading.index(word)
            self.assertNotEqual(row[place:place + 1], b" ")
            self.assertIn(row[place - 1:place], (b" ", b""))
        place = heading.index(b"STATE")
        self.assertTrue(row[place:].startswith(COLOURS.sub(b"", state) + b" "))

    def test_fork(self):
        """What no longer counts is red."""
        first, _, _ = self.fork()
        wait_until(lambda: gossip("log", "--dir", first, "--contested").out, "contested events")
        self.assertIn(RED + b"<contested>" + END + b" one",
                      self.shown("log", "--dir", first, "--contested"))
        self.assertIn(RED + b"forked" + END + b"    ", self.shown("peers", "--dir", first))
        self.assertIn(BOLD + b"cuts" + END, self.shown("status", "--dir", first))
        self.assertIn(b"; " + RED + b"1" + END + b" of its events",
                      self.shown("status", "--dir", first))
        self.assertIn(BOLD + b"contested" + END + b"    " + RED + b"1" + END,
                      self.shown("proof", "list", "--dir", first))


if __name__ == "__main__":
    if not hasattr(os, "openpty"):
        print("not done: there are no terminals")
        sys.exit(77)
    unittest.main(argv=[sys.argv[0], "-v", *("ColourTest." + name for name in sys.argv[2:])])
