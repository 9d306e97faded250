#!/usr/bin/env python3
"""Tests of what the tests are made with: each check must find what it is for."""

import json
import shutil
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

sys.dont_write_bytecode = True
HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))

import readme  # noqa: E402
import structure  # noqa: E402

ABI = str(HERE.parent / "scripts" / "abi")
COUNT_TESTS = str(HERE.parent / "scripts" / "count-tests")


def tree(directory, files):
    for name, text in files.items():
        path = Path(directory) / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    return Path(directory)


class Structure(unittest.TestCase):
    def check(self, check, files, *expected):
        """The check finds, in such a tree, one fault for each expected piece of text."""
        with tempfile.TemporaryDirectory() as directory:
            found = list(check(tree(directory, files)))
        self.assertEqual(len(found), len(expected), found)
        for fault, piece in zip(found, expected):
            self.assertIn(piece, fault)

    def test_arrows(self):
        good = {"gossip/a.h": "", "gossip/a.c": '#include "gossip/a.h"\n#include <string.h>\n',
                "store/s.h": '#include "gossip/a.h"\n', "cmd/c.c": '#include "store/s.h"\n'}
        self.check(structure.arrows, good)
        for name, text, piece in [
                ("gossip/b.c", '#include "store/s.h"\n', "gossip/ may not include"),
                ("transport/t.c", '#include "store/s.h"\n', "transport/ may not include"),
                ("store/t.c", '#include "cmd/c.h"\n', "store/ may not include"),
                ("gossip/b.c", "#include <time.h>\n", "<time.h>"),
                ("gossip/b.c", " # include <sys/socket.h>\n", "<sys/socket.h>"),
                ("gossip/b.c", '#include "a.h"\n', "may not include"),
                ("gossip/b.c", '#include "gossip/none.h"\n', "no file"),
                ("examples/e.c", '#include "gossip/a.h"\n', "public headers only"),
                ("gossip/a.c", '#include <string.h>\n#include "gossip/a.h"\n', "first"),
        ]:
            with self.subTest(text=text):
                self.check(structure.arrows, {**good, name: text}, piece)

    def test_owners(self):
        good = {"gossip/crypto.c": "#include <sodium.h>\n",
                "gossip/wire.c": '#include "wire.pb-c.h"\n',
                "store/sqlite_database.c": "#include <sqlite3.h>\n"}
        self.check(structure.owners, good)
        for name in ("store/virtual_vfs.c", "store/sqlite_file.c", "store/sqlite_rows.c"):
            self.check(structure.owners, {**good, name: "#include <sqlite3.h>\n"})
        for name, text, piece in [
                ("gossip/other.c", "#include <sodium.h>\n", "2 owners"),
                ("store/other.c", "#include <sqlite3.h>\n", "2 owners"),
                ("store/sqlite.c", "#include <sqlite3.h>\n", "2 owners"),
                ("store/virtual_vfs.c", "#include <jansson.h>\n", "belongs to cmd/"),
                ("gossip/other.h", "#include <sodium.h>\n", "shows in a header"),
                ("store/other.c", '#include "wire.pb-c.h"\n', "belongs to gossip/"),
                ("cmd/other.c", "#include <sqlite3.h>\n", "belongs to store/"),
                ("transport/other.c", "#include <jansson.h>\n", "belongs to cmd/"),
        ]:
            with self.subTest(text=text):
                self.check(structure.owners, {**good, name: text}, piece)

    def test_limits(self):
        root = HERE.parent
        files = {name: (root / name).read_text(encoding="utf-8")
                 for name in ("gossip/limits.h", "docs/protocol.md")}
        self.check(structure.limits, files)
        for name, old, new, pieces in [
                ("gossip/limits.h", "HELLO_SIZE = 512", "HELLO_SIZE = 513",
                 ["lacks HELLO_SIZE = 513", "lacks GOSSIP_HELLO_SIZE = 512"]),
                ("docs/protocol.md", "| `FANOUT_MAX` | 3 |", "", ["lacks FANOUT_MAX"]),
                ("docs/protocol.md", "2^62 |", "2^61 |", ["2^62", "2^61"]),
                ("docs/protocol.md", 'D("gossip/seal/1")', "", ["gossip/seal/1"]),
                ("gossip/limits.h", '"gossip/seal/1"', '"gossip/seal/2"',
                 ["gossip/seal/2", "gossip/seal/1"]),
        ]:
            with self.subTest(old=old):
                self.assertIn(old, files[name])
                self.check(structure.limits, {**files, name: files[name].replace(old, new)},
                           *pieces)

    def test_declared_functions(self):
        text = """
            /* int gossip_comment(void); */
            #ifdef __cplusplus
            extern "C" {
            #endif
            #define GOSSIP_X (1)
            struct gossip_ops { int (*gossip_member)(void); enum { A = 1 } kind; };
            typedef int gossip_visit(void *context);
            enum { GOSSIP_MAX = 3 };
            int gossip_one(struct gossip_ops *ops, gossip_visit *visit);
            const char *gossip_two(void);
            struct gossip_ops *gossip_three(
                void);
            struct gossip_opaque;
            """
        self.assertEqual(list(structure.declared_functions(text)),
                         ["gossip_one", "gossip_two", "gossip_three"])

    def compiled(self, directory, text, *arguments):
        source = tree(directory, {"x.c": text}) / "x.c"
        subprocess.run(["cc", *arguments, str(source)], check=True, cwd=directory)

    def test_core_symbols(self):
        with tempfile.TemporaryDirectory() as directory:
            for text, count in [("#include <string.h>\nint f(const char *s);\n"
                                 "int f(const char *s) { return (int)strlen(s); }\n", 0),
                                ("#include <stdio.h>\nvoid f(int x);\n"
                                 "void f(int x) { printf(\"%d\", x); }\n", 1),
                                ("#include <time.h>\nlong f(void);\n"
                                 "long f(void) { return time(NULL); }\n", 1)]:
                self.compiled(directory, text, "-O2", "-c", "-o", "gossip_x.c.o")
                archive = str(Path(directory) / "libx.a")
                Path(archive).unlink(missing_ok=True)
                subprocess.run(["ar", "crs", archive, "gossip_x.c.o"], check=True, cwd=directory)
                found = list(structure.core_symbols(HERE.parent, archive))
                self.assertEqual(len(found), count, found)

    def test_museum(self):
        self.check(structure.museum, {"gossip/a.c": "#ifdef GOSSIP_MUSEUM\n#endif\n"},
                   "gossip/a.c:1: asks with the preprocessor")
        with tempfile.TemporaryDirectory() as directory:
            root = tree(directory, {})
            for name, count in [("museum_exhibit", 1), ("exhibit", 0)]:
                self.compiled(directory, f"int {name} = 1;\n", "-c", "-o", "x.o")
                found = list(structure.museum(root, str(Path(directory) / "x.o")))
                self.assertEqual(len(found), count, found)

    def test_symbols(self):
        """A library with one function too many, and without those that are declared."""
        with tempfile.TemporaryDirectory() as directory:
            tree(directory, {"map": "GOSSIP_0 { global: gossip_*; local: *; };\n"})
            self.compiled(directory, "void gossip_more(void);\nvoid gossip_more(void) {}\n"
                          "int gossip_data;\nvoid other(void);\nvoid other(void) {}\n", "-shared",
                          "-fPIC", "-Wl,--version-script,map", "-Wl,-soname,libgossip.so.0",
                          "-o", "x.so")
            found = list(structure.symbols(HERE.parent, str(Path(directory) / "x.so")))
        self.assertIn("gossip_more: is exported, and no public header declares it", found)
        self.assertIn("gossip_data: is exported and no function", found)
        self.assertIn("gossip_create: is declared, and not exported", found)
        self.assertIn("gossip_more: is exported, and tests/test_symbols.c does not name it: "
                      "add it there", found)
        self.assertIn("gossip_create: is named in tests/test_symbols.c, and not exported", found)
        self.assertFalse([fault for fault in found if "other" in fault or "soname" in fault])

    def test_headers(self):
        self.check(structure.headers, {"gossip/a.h": "int f(size_t size);\n"}, "gossip/a.h")
        self.check(structure.headers, {"gossip/vclock.h": "int f(int class);\n"}, "is no c++")

    def test_documented(self):
        good = "#ifndef GOSSIP_A_H\n#define GOSSIP_A_H\n\n" + \
            "/* A. */\nint gossip_a(int a,\n             int b);\n" + \
            "struct gossip_s; /* S. */\n" + \
            "/* N. */\n#define GOSSIP_N 1\n#define GOSSIP_M 2\n" + \
            "/* T. */\nstruct gossip_t {\n    int a;\n    int b;\n};\n#endif\n"
        bad = {"/* A. */\n": "gossip_a", "/* S. */": "struct gossip_s;", "/* N. */\n": "GOSSIP_N",
               "/* T. */\n": "struct gossip_t"}
        files = {"gossip/" + name: good for name in structure.PUBLIC_HEADERS}
        self.check(structure.documented, files)
        for comment, name in bad.items():
            with self.subTest(name=name):
                self.check(structure.documented,
                           {**files, "gossip/store.h": good.replace(comment, "")}, name)
        self.check(structure.documented,
                   {**files, "gossip/store.h": good.replace("/* A. */\n", "/* A. */\n\n")},
                   "gossip_a")


class Abi(unittest.TestCase):
    """scripts/abi tells which changes break a program that was linked before."""

    BEFORE = """struct gossip_options { unsigned long size; long speed; };
        struct gossip_stats { int a; };
        int gossip_run(struct gossip_options *options, struct gossip_stats *stats);
        int gossip_run(struct gossip_options *options, struct gossip_stats *stats)
        { return options->speed == stats->a; }
        """

    def compare(self, after, soname="libgossip.so.0"):
        with tempfile.TemporaryDirectory() as directory:
            for name, text, so in [("old", self.BEFORE, "libgossip.so.0"), ("new", after, soname)]:
                source = Path(directory) / f"{name}.c"
                source.write_text(text, encoding="utf-8")
                subprocess.run(["cc", "-g", "-shared", "-fPIC", f"-Wl,-soname,{so}", "-o",
                                f"{directory}/{name}.so", source], check=True)
            return subprocess.run([ABI, "--compare", f"{directory}/old.so", f"{directory}/new.so"],
                                  capture_output=True, text=True, check=False)

    @unittest.skipUnless(shutil.which("abidiff"), "there is no abidiff")
    def test_compare(self):
        for after, soname, code in [
                (self.BEFORE, "libgossip.so.0", 0),
                (self.BEFORE + "int gossip_more(void); int gossip_more(void) { return 1; }",
                 "libgossip.so.0", 0),
                (self.BEFORE.replace("long speed;", "long speed; long colour;"),
                 "libgossip.so.0", 0),
                (self.BEFORE.replace("long speed;", "long colour; long speed;"),
                 "libgossip.so.0", 1),
                (self.BEFORE.replace("int a;", "int a; int b;"), "libgossip.so.0", 1),
                (self.BEFORE.replace("gossip_run", "gossip_go"), "libgossip.so.0", 1),
                (self.BEFORE.replace("gossip_run", "gossip_go"), "libgossip.so.1", 0)]:
            with self.subTest(after=after, soname=soname):
                result = self.compare(after, soname)
                self.assertEqual(result.returncode, code, result.stdout + result.stderr)

    @unittest.skipUnless(shutil.which("abidiff"), "there is no abidiff")
    def test_no_tag(self):
        """Where there is nothing to compare with it says so, and is neither passed nor failed."""
        with tempfile.TemporaryDirectory() as directory:
            root = tree(directory, {"scripts/abi": Path(ABI).read_text(encoding="utf-8")})
            result = subprocess.run(["bash", root / "scripts/abi"], capture_output=True, text=True,
                                    check=False)
        self.assertEqual((result.returncode, result.stdout),
                         (77, "no tag yet: there is nothing to compare with\n"))


class Readme(unittest.TestCase):
    def faults(self, text):
        steps = readme.read_steps(text)
        return list(readme.faults(steps, readme.run_session(steps, "/usr/bin/true")))

    def session(self, *lines):
        return self.faults("\n".join(["```console", *lines, "```", ""]))

    def test_matches(self):
        for shown, printed, fits in [
                ([], [], True),
                ([], ["a"], False),
                (["a"], [], False),
                (["a"], ["a"], True),
                (["a…c"], ["abbbc"], True),
                (["a…c"], ["ab", "c"], False),
                (["…"], [], True),
                (["…"], ["a", "b"], True),
                (["a", "…", "b"], ["a", "b"], True),
                (["a", "…", "b"], ["a", "x", "y", "b"], True),
                (["a", "…", "b"], ["a", "x", "y"], False),
                (["a.c"], ["abc"], False),
        ]:
            with self.subTest(shown=shown, printed=printed):
                self.assertEqual(readme.matches(shown, printed), fits)

    def test_session(self):
        self.assertEqual(self.session(
            "$ x=1; echo one", "one", "$ echo $x |", "> cat", "1", "$ (exit 75)", "$ echo $?", "75",
            "$ printf 'no newline'", "no newline", "$ { echo up; sleep 60; } &", "up",
            "$ cat"), [])

    def test_session_finds(self):
        for lines, piece in [
                (["$ echo two", "one"], "is shown to print"),
                (["$ echo two"], "is shown to print"),
                (["$ true", "one"], "is shown to print"),
                (["$ false"], "ended with 1"),
                (["$ no-such-command"], "ended with 127"),
                (["$ exit 0"], "did not end"),
                (["$ { echo down; sleep 60; } &", "up"], "is shown to print"),
        ]:
            with self.subTest(lines=lines):
                found = self.session(*lines)
                self.assertEqual(len(found), 1, found)
                self.assertIn(piece, found[0])

    def test_form(self):
        self.assertEqual(self.faults("```sh\nscripts/test  # All tests.\n```\n```console\n"
                                     "$ true\n```\n"), [])
        for text in ["text\n", "```sh\nmake\n```\n```console\n$ true\n```\n",
                     "```console\noutput\n$ true\n```\n", "```console\n$ true\n"]:
            with self.subTest(text=text), self.assertRaises(readme.Mistake):
                readme.read_steps(text)


class CountTests(unittest.TestCase):
    def count(self, *tests):
        with tempfile.NamedTemporaryFile("w", suffix=".json") as log:
            for test in tests:
                log.write(json.dumps({"name": "x", "stdout": "", **test}) + "\n")
            log.flush()
            output = subprocess.run([sys.executable, COUNT_TESTS, log.name], check=True,
                                    capture_output=True, text=True).stdout
        return output.splitlines()[-1]

    def test_count(self):
        head = "[==========] Running 3 test(s).\n"
        passed = "[       OK ] a\n[       OK ] b\n"
        for expected, test in [
                ("1 0 0", {"result": "OK", "returncode": 0}),
                ("0 1 0", {"result": "FAIL", "returncode": 1}),
                ("0 1 0", {"result": "TIMEOUT", "returncode": -15}),
                ("0 0 1", {"result": "SKIP", "returncode": 77}),
                ("2 0 1", {"result": "OK", "returncode": 0, "stdout": head + passed,
                           "stderr": "[  PASSED  ] 2 test(s).\n[  SKIPPED ] 1 test(s), listed "
                                     "below:\n[  SKIPPED ] c\n"}),
                ("2 1 0", {"result": "FAIL", "returncode": 1, "stdout": head + passed,
                           "stderr": "[  PASSED  ] 2 test(s).\n[  FAILED  ] 1 test(s), listed "
                                     "below:\n[  FAILED  ] c\n"}),
                # Two groups.
                ("4 0 0", {"result": "OK", "returncode": 0,
                           "stdout": (head + passed) * 2,
                           "stderr": "[  PASSED  ] 2 test(s).\n" * 2}),
                # A crash after two cases; a leak found when all have passed.
                ("2 1 0", {"result": "FAIL", "returncode": -11, "stdout": head + passed}),
                ("2 1 0", {"result": "FAIL", "returncode": 99, "stdout": head + passed,
                           "stderr": "[  PASSED  ] 2 test(s).\n"}),
        ]:
            with self.subTest(test=test):
                self.assertEqual(self.count(test), expected)

    def test_sum(self):
        self.assertEqual(self.count({"result": "OK", "returncode": 0},
                                    {"result": "FAIL", "returncode": 1},
                                    {"result": "SKIP", "returncode": 77}), "1 1 1")


if __name__ == "__main__":
    unittest.main()
