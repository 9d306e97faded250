#!/usr/bin/env python3
"""Recovery: what becomes of doubles, of recoveries that were cut off, and of events whose causes are
gone. What it does to damaged files as such: cli.py.

usage: cli_recover.py GOSSIP [NAME]...    GOSSIP is the command; NAMEs choose tests
"""

import contextlib
import json
import os
import shutil
import signal
import sqlite3
import subprocess
import sys
import unittest

from cli import (CONFIGURATION, DAMAGED, GOSSIP, NO, OK, PATIENCE, CommandFixture, environment,
                 gossip, wait_until)


class RecoverTest(CommandFixture):
    def doubles(self):
        """A node that runs, and a copy that has met it and stopped."""
        original = self.written()
        copy = self.path("copy")
        shutil.copytree(original, copy)
        node = self.start(original)
        self.assertEqual(self.run_node(copy, "--join", node.address).returncode, CONFIGURATION)
        return original, copy, node

    def run_node(self, directory, *arguments):
        """Runs a node that ends by itself."""
        return subprocess.run([GOSSIP, "node", "--dir", directory, "--listen", "127.0.0.1:0",
                               *arguments], capture_output=True, timeout=PATIENCE,
                              env=environment())

    def refuse_start(self, directory):
        done = self.run_node(directory)
        self.assertEqual(done.returncode, CONFIGURATION, done)
        last = done.stderr.splitlines()[-1]
        self.assertIn(b"--new-key", last)
        self.assertIn(b"--keep-key", last)

    # ---- Doubles. ----

    def test_mark_of_a_double(self):
        """A store that is built anew does not forget that its node has a double."""
        original, copy, node = self.doubles()
        result = gossip("recover", "--dir", copy, "--force")
        self.check(result, OK)
        self.assertIn(b"does not start before", result.out)
        self.assertIn(b"--new-key", result.out)
        self.assertIn(b"--keep-key", result.out)
        self.assertNotIn(b"At its next start", result.out)
        self.refuse_start(copy)
        self.assertIs(json.loads(gossip("recover", "--dir", copy, "--force", "--json").out)["cloned"], True)
        self.refuse_start(copy)
        self.assertIsNone(node.process.poll())
        # Told which of the two it is, it starts.
        cluster = os.path.join(original, "cluster.key")
        told = gossip("recover", "--dir", copy, "--new-key", "--name", "n7", "--cluster", cluster,
                      "--json")
        self.check(told, OK)
        self.assertIs(json.loads(told.out)["cloned"], False)
        self.start(copy)
        self.check(gossip("publish", "--dir", copy, "x"), OK, out=b"n7:1\n")

    def test_mark_of_the_original(self):
        """Likewise the original: it keeps its key."""
        _, copy, node = self.doubles()
        node.end()
        self.check(gossip("recover", "--dir", copy, "--force"), OK)
        self.refuse_start(copy)
        self.check(gossip("recover", "--dir", copy, "--keep-key"), OK)
        self.start(copy)

    def test_verify_tells_of_a_double(self):
        """It is no fault of what is stored, but the node does not start."""
        original, copy, node = self.doubles()
        result = gossip("verify", "--dir", copy)
        self.check(result, OK)
        notes = [line for line in result.out.splitlines()
                 if line.startswith(b"note: ") and b"another process" in line]
        self.assertEqual(len(notes), 1, result)
        for part in b"--new-key", b"--keep-key":
            self.assertIn(part, notes[0])
        self.check(gossip("recover", "--dir", copy, "--force"), OK)
        self.assertIn(notes[0], gossip("verify", "--dir", copy).out)
        self.assertIn("--keep-key",
                      json.loads(gossip("verify", "--dir", copy, "--json").out.splitlines()[0])["note"])
        node.end()
        self.check(gossip("recover", "--dir", copy, "--keep-key"), OK)
        self.assertNotIn(notes[0], gossip("verify", "--dir", copy).out)
        self.assertNotIn(b"note: ", gossip("verify", "--dir", original).out)

    def test_keep_key_of_a_sound_node(self):
        """Who has no double is not put into a new epoch."""
        directory = self.written()
        before = self.tree(directory)
        for _ in range(2):
            self.check(gossip("recover", "--dir", directory, "--keep-key"), NO, out=b"",
                       err=["has not stopped because of a double", "nothing was changed"])
        self.assertEqual(self.tree(directory), before)
        self.start(directory)
        self.check(gossip("publish", "--dir", directory, "x"), OK, out=b"n1:4\n")

    def test_sound_node(self):
        """Nothing is wrong, so no epoch is opened for nothing, unless that is what is asked for."""
        directory = self.written()
        before = self.tree(directory)
        for arguments in [], ["--json"], ["--empty"]:
            self.check(gossip("recover", "--dir", directory, *arguments), NO, out=b"",
                       err=["has no fault", "nothing was changed", "start the node",
                            "`gossip recover --dir %s --force`" % directory])
            self.assertEqual(self.tree(directory), before)
        result = gossip("recover", "--dir", directory, "--force")
        self.check(result, OK)
        self.assertIn(b"3 of 3 events", result.out)
        # Also with what a killed node leaves: a log that is to be replayed.
        node = self.start(directory)
        self.check(gossip("publish", "--dir", directory, "x"), OK)
        node.end(signal.SIGKILL)
        before = self.tree(directory)
        self.assertIn("store.db-wal", before)
        self.check(gossip("recover", "--dir", directory), NO, out=b"", err="has no fault")
        self.assertEqual(self.tree(directory), before)

    def test_sound_double(self):
        """Which of the two it is, is what such a node is to be told, and nothing else."""
        _, copy, _ = self.doubles()
        before = self.tree(copy)
        self.check(gossip("recover", "--dir", copy), NO, out=b"",
                   err=["has no fault", "nothing was changed", "--new-key", "--keep-key"])
        self.assertEqual(self.tree(copy), before)

    def test_store_of_another_cluster(self):
        """None of its events can be verified, but nothing says that it is damaged."""
        directory, other = self.written(), self.init("n9")
        shutil.copy(os.path.join(directory, "node.key"), self.path("old.key"))
        shutil.copy(os.path.join(other, "node.key"), os.path.join(directory, "node.key"))
        before = self.tree(directory)
        self.check(gossip("recover", "--dir", directory), CONFIGURATION, out=b"",
                   err=["the store of another key", "another cluster", "nothing was changed"])
        self.assertEqual(self.tree(directory), before)
        shutil.copy(self.path("old.key"), os.path.join(directory, "node.key"))
        before = self.tree(directory)
        self.check(gossip("recover", "--dir", directory, "--new-key", "--name", "n7", "--cluster",
                          os.path.join(other, "cluster.key")), DAMAGED, out=b"",
                   err=["none of the 3 events", "--cluster", "nothing was changed"])
        self.assertEqual(self.tree(directory), before)

    # ---- Cut off. ----

    def cut_off(self, *arguments, with_key=False):
        """A node whose recovery was cut off before the new store was put in its place; with_key,
        after the new key was. Returns the directory, and one where it was not cut off."""
        self.count = getattr(self, "count", 0) + 1
        directory = self.path("cut%d" % self.count)
        done = self.path("done%d" % self.count)
        shutil.copytree(self.sound, directory)
        shutil.copytree(self.sound, done)
        self.check(gossip("recover", "--dir", done, *(arguments or ["--force"])), OK)

        def put(source, name):
            shutil.copy(os.path.join(source, name.split(".recovered")[0]),
                        os.path.join(directory, name))

        def put_aside(name):
            os.rename(os.path.join(directory, name),
                      os.path.join(directory, name + ".20260102T030405Z"))

        put_aside("store.db")
        put(done, "store.db.recovered")
        if with_key:
            put_aside("node.key")
            put(done, "node.key")
        elif "--new-key" in arguments:
            put(done, "node.key.recovered")
        return directory, done

    def new_key(self, name):
        return ["--new-key", "--name", name, "--cluster", os.path.join(self.sound, "cluster.key")]

    def check_node(self, directory, dot):
        """It is whole, and a node of its own, or what it was, in a new epoch."""
        self.check(gossip("verify", "--dir", directory), OK)
        self.assertEqual(self.payloads(directory), ["text 1", "text 2", "text 3"])
        self.assertEqual([name for name in self.tree(directory) if "recover" in name], [])
        node = self.start(directory)
        result = gossip("publish", "--dir", directory, "x")
        self.check(result, OK)
        self.assertRegex(result.out.decode("ascii"), "^%s\n$" % dot)
        node.end()

    def test_cut_off_and_asked_for_the_same(self):
        self.sound = self.written()
        for with_key in False, True:
            directory, done = self.cut_off(*self.new_key("n7"), with_key=with_key)
            result = gossip("recover", "--dir", directory, *self.new_key("n7"))
            self.check(result, OK)
            self.assertIn(b"was cut off", result.out)
            self.assertIn(b"a node of its own now", result.out)
            self.assertEqual(self.tree(directory)["node.key"], self.tree(done)["node.key"])
            self.check_node(directory, "n7:1")
        directory, _ = self.cut_off()
        result = gossip("recover", "--dir", directory, "--json")
        self.check(result, OK)
        self.assertEqual(json.loads(result.out), {
            "recovered": directory, "found": 0, "events": 0, "unreadable": 0, "kept": None,
            "cloned": False, "waiting": 0, "archive": None})
        self.check_node(directory, r"n1#[0-9a-f]{4,}:\d+")

    def test_cut_off_and_asked_for_a_new_key(self):
        """What was cut off is ended, and then the key is made that was asked for."""
        self.sound = self.written()
        for before in [], self.new_key("n6"):
            directory, _ = self.cut_off(*before)
            result = gossip("recover", "--dir", directory, *self.new_key("n7"))
            self.check(result, OK)
            self.assertIn(b"was cut off", result.out)
            self.assertIn(b"3 of 3 events", result.out)
            self.assertIn(b"a node of its own now", result.out)
            self.assertNotIn(b"At its next start", result.out)
            self.check_node(directory, "n7:1")

    def test_cut_off_and_asked_for_nothing(self):
        """What is said is what the one that was cut off has done."""
        self.sound = self.written()
        for with_key in False, True:
            directory, _ = self.cut_off(*self.new_key("n7"), with_key=with_key)
            result = gossip("recover", "--dir", directory)
            self.check(result, OK)
            self.assertIn(b"was cut off", result.out)
            self.assertIn(b"a node of its own now", result.out)
            self.assertNotIn(b"At its next start", result.out)
            self.check_node(directory, "n7:1")

    def test_cut_off_and_keep_key(self):
        """The original is told to be one when its store is there; a copy is none."""
        _, self.sound, node = self.doubles()
        node.end()
        self.refuse_start(self.sound)
        directory, _ = self.cut_off()
        result = gossip("recover", "--dir", directory)
        self.check(result, OK)
        self.assertIn(b"does not start before", result.out)
        self.refuse_start(directory)
        directory, _ = self.cut_off()
        result = gossip("recover", "--dir", directory, "--keep-key")
        self.check(result, OK)
        self.assertIn(b"was cut off", result.out)
        self.assertIn(b"keeps its key", result.out)
        self.check_node(directory, r"n1#[0-9a-f]{4,}:\d+")
        for with_key in False, True:
            directory, _ = self.cut_off(*self.new_key("n7"), with_key=with_key)
            before = self.tree(directory)
            self.check(gossip("recover", "--dir", directory, "--keep-key"), CONFIGURATION, out=b"",
                       err=["--new-key", "cut off", "gossip recover --dir " + directory])
            self.assertEqual(self.tree(directory), before)

    def test_keep_key_without_a_store(self):
        directory = self.written()
        os.rename(os.path.join(directory, "store.db"), self.path("gone"))
        self.check(gossip("recover", "--dir", directory, "--keep-key"), CONFIGURATION,
                   err=["no store.db", "backup", "`gossip recover --dir %s`" % directory])

    # ---- Events whose causes are gone. ----

    def effects(self, lines, others=()):
        """x1, which has lost x2:1 and holds what it has written since and nobody else does; x2, which
        has x2:1. Both are stopped."""
        second = self.init("x2")
        cluster = os.path.join(second, "cluster.key")
        first = self.init("x1", cluster=cluster)
        two = self.start(second)
        self.check(gossip("publish", "--dir", second, "a cause"), OK, out=b"x2:1\n")
        one = self.start(first, "--join", two.address)
        clock = {"x2": 1}
        for name in others:
            directory = self.init(name, cluster=cluster)
            node = self.start(directory)
            self.check(gossip("publish", "--dir", directory, "of " + name), OK)
            node.end() # What it has written has seen nothing of the others.
            self.start(directory, "--join", one.address)
            clock[name] = 1
        wait_until(lambda: json.loads(gossip("clock", "--dir", first, "--json").out)["clock"] == clock,
                   "x1 has them")
        for node in self.nodes:
            if node is not one:
                node.end()
        self.check(gossip("publish", "--dir", first, "--lines", stdin=lines.encode("ascii")), OK)
        one.end()
        with contextlib.closing(sqlite3.connect(os.path.join(first, "store.db"))) as store:
            changed = store.execute("UPDATE events SET body = CAST(replace(body, 'a cause', 'A cause')"
                                    " AS BLOB) WHERE instr(body, CAST('a cause' AS BLOB)) > 0")
            self.assertEqual(changed.rowcount, 1)
            store.commit()
        self.check(gossip("verify", "--dir", first), DAMAGED)
        return first, second

    def meet(self, first, second):
        """x1 meets x2, and gets x2:1 of it."""
        two = self.start(second)
        one = self.start(first, "--join", two.address)
        wait_until(lambda: b"a cause" in gossip("log", "--dir", first).out, "x1 has x2:1")
        return one, two

    def bring_back(self, first, second, archive, count):
        one, two = self.meet(first, second)
        one.end()
        result = gossip("import", "--dir", first, archive, "--json")
        self.check(result, OK)
        told = json.loads(result.out)
        self.assertEqual((told["new"], told["waiting"], told["refused"]), (count, 0, 0))
        self.check(gossip("verify", "--dir", first), OK)
        self.start(first, "--join", two.address)
        self.check(gossip("publish", "--dir", first, "in a new epoch"), OK)
        wait_until(lambda: b"in a new epoch" in gossip("log", "--dir", second).out,
                   "x2 has the new one")
        for directory in first, second:
            lines = [json.loads(line)
                     for line in gossip("log", "--dir", directory, "--json").out.splitlines()]
            self.assertEqual(len({line["dot"] for line in lines}), len(lines))
            texts = [line["data"] for line in lines]
            for i in range(1, count + 1):
                self.assertEqual(texts.count("effect %d" % i), 1)
            self.assertEqual(texts[-1], "in a new epoch")
            self.check(gossip("proof", "list", "--dir", directory), OK, out=b"no forks are proven\n")

    def test_effects_of_a_damaged_event(self):
        """Nothing can be delivered, and yet not all is lost: what can be verified waits in a file."""
        first, second = self.effects("effect 1\neffect 2\n")
        result = gossip("recover", "--dir", first)
        self.check(result, OK)
        self.assertIn(b"0 of 3 events", result.out)
        self.assertIn(b"\n2 more are verified", result.out)
        (archive,) = [name for name in os.listdir(first) if name.endswith(".waiting")]
        archive = os.path.join(first, archive)
        self.assertIn(("`gossip import --dir %s %s`" % (first, archive)).encode(), result.out)
        self.assertEqual(os.stat(archive).st_mode & 0o777, 0o600)
        result = gossip("import", "--check", "--json", archive)
        self.check(result, OK)
        self.assertEqual(json.loads(result.out)["events"], 2)
        # Before the cause is there, they go on waiting.
        self.check(gossip("import", "--dir", first, archive), NO, err=["2 events", "wait"])
        self.bring_back(first, second, archive, 2)

    def test_effects_and_others(self):
        """What is kept, what waits and what cannot be verified are told apart; of long chains too."""
        lines = "".join("effect %d\n" % i for i in range(1, 301))
        first, second = self.effects(lines, others=["x3"])
        result = gossip("recover", "--dir", first, "--json")
        self.check(result, OK)
        told = json.loads(result.out)
        self.assertEqual((told["found"], told["events"], told["waiting"]), (302, 1, 300))
        self.assertTrue(os.path.exists(told["archive"]))
        self.assertEqual(self.payloads(first), ["of x3"])
        self.bring_back(first, second, told["archive"], 300)

    def test_effects_cut_off(self):
        """The archive has its part in a recovery that is cut off and ended later."""
        self.sound, second = self.effects("effect 1\neffect 2\n")
        directory, done = self.cut_off()
        (archive,) = [name for name in os.listdir(done) if name.endswith(".waiting")]
        shutil.copy(os.path.join(done, archive), os.path.join(directory, "store.db.recovered.waiting"))
        result = gossip("recover", "--dir", directory, "--json")
        self.check(result, OK)
        self.bring_back(directory, second, json.loads(result.out)["archive"], 2)

    # ---- Whose store it is. ----

    def test_store_of_another_node(self):
        """It is not taken for one's own, by whatever is said of it; damage is told apart from it."""
        first = self.init("n1")
        second = self.init("n2", cluster=os.path.join(first, "cluster.key"))
        one = self.start(first)
        two = self.start(second, "--join", one.address)
        for i in range(1, 4):
            self.check(gossip("publish", "--dir", first, "text %d" % i), OK)
        wait_until(lambda: gossip("clock", "--dir", second).out == b"{n1:3}\n", "n2 has them")
        one.end()
        two.end()
        mixed = self.path("mixed")
        os.mkdir(mixed, 0o700)
        shutil.copy(os.path.join(first, "node.key"), mixed)
        shutil.copy(os.path.join(second, "store.db"), mixed)
        parts = ["another node", "or is damaged", "`gossip recover --dir %s`" % mixed]
        for verb in "verify", "log":
            self.check(gossip(verb, "--dir", mixed), CONFIGURATION, err=parts)
        self.assertIn("or is damaged", self.run_node(mixed).stderr.decode("ascii"))
        before = self.tree(mixed)
        for arguments in [], ["--empty"]:
            self.check(gossip("recover", "--dir", mixed, *arguments), CONFIGURATION, out=b"",
                       err=["the store of n2", "the key of n1", "nothing was changed", "right one"])
            self.assertEqual(self.tree(mixed), before)

    def test_store_that_names_nobody(self):
        """A bit of the key that the store names has flipped: nobody has that key, so it is damage."""
        directory = self.written()
        with contextlib.closing(sqlite3.connect(os.path.join(directory, "store.db"))) as store:
            (key,) = store.execute("SELECT value FROM meta WHERE name = 'key'").fetchone()
            store.execute("UPDATE meta SET value = ? WHERE name = 'key'",
                          (bytes([key[0] ^ 1]) + key[1:],))
            store.commit()
        result = gossip("verify", "--dir", directory)
        self.assertIn(result.code, (DAMAGED, CONFIGURATION))
        self.assertIn("damaged", result.err)
        self.assertIn("`gossip recover --dir %s`" % directory, result.err)
        result = gossip("recover", "--dir", directory)
        self.check(result, OK)
        self.assertIn(b"3 of 3 events", result.out)
        self.check(gossip("verify", "--dir", directory), OK)


if __name__ == "__main__":
    unittest.main(argv=[sys.argv[0], "-v", *("RecoverTest." + name for name in sys.argv[2:])])
