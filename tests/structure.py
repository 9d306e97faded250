#!/usr/bin/env python3
"""Holds the tree to its own rules.

    structure.py CHECK ROOT [ARGUMENT...]

Each CHECK is a function below, one test for meson. It prints what breaks the rule, one line each,
and exits 1; or it exits 77, with the reason, where it cannot run.
"""

import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

# Who may include what. Nothing else follows from a directory's place in the tree.
ARROWS = {
    "gossip": {"gossip"},
    "transport": {"gossip", "transport"},
    "store": {"gossip", "store"},
    "cmd": {"gossip", "transport", "store", "cmd"},
    "examples": {"gossip"},
    "tests": {"gossip", "transport", "store", "cmd", "tests"},
}
PUBLIC_HEADERS = ["gossip.h", "limits.h", "mailbox.h", "store.h", "transport.h", "vclock.h"]
EXAMPLE_HEADERS = {"gossip/" + name for name in PUBLIC_HEADERS}

# What gossip/ may use of the system: language and memory, and no socket, file or clock.
CORE_SYSTEM_HEADERS = {
    "assert.h", "inttypes.h", "limits.h", "sodium.h", "stdarg.h", "stdatomic.h", "stdbool.h",
    "stddef.h", "stdint.h", "stdio.h", "stdlib.h", "string.h",
}
# <stdio.h> and <stdlib.h> bring more than snprintf() and malloc(); these no core object may need.
CORE_BANNED_SYMBOLS = {
    "abort", "atexit", "clock", "clock_gettime", "close", "exit", "_exit", "fopen", "fork",
    "fprintf", "fputs", "fwrite", "getenv", "getrandom", "gettimeofday", "nanosleep", "open",
    "open64", "poll", "printf", "putchar", "puts", "rand", "random", "read", "recvmmsg",
    "sendmmsg", "setenv", "sigaction", "signal", "sleep", "socket", "srand", "stderr", "stdin",
    "stdout", "system", "time", "usleep", "vfprintf", "vprintf", "write",
}
# A dependency's header, and the directory that its one owner is in.
OWNED_HEADERS = {
    r"sodium\.h|sodium/.*": "gossip",
    r"(.*/)?[a-z_.]+\.pb-c\.h|protobuf-c/.*": "gossip",
    r"sqlite3(ext)?\.h": "store",
    r"microhttpd\.h": "cmd",
    r"jansson\.h": "cmd",
}
# Who else may include what has an owner already, and must have a reason.
OTHER_USERS = {
    # The owner is http.c, which speaks with the socket.
    "cmd/http_tcp.c": r"microhttpd\.h",  # Speaks with a TCP port, of less, and with less trust.
    # The owner is sqlite_database.c, which has the connection.
    "store/sqlite_backup.c": r"sqlite3\.h",  # Copies a store by another connection to the copy.
    "store/sqlite_file.c": r"sqlite3\.h",  # Makes, migrates and judges tables, before there are rows.
    "store/sqlite_rows.c": r"sqlite3\.h",  # Has the statements.
    "store/sqlite_salvage.c": r"sqlite3\.h",  # Reads what no store would open.
    "store/virtual_vfs.c": r"sqlite3\.h",  # What SQLite stands on, where the store stands on SQLite.
}


class Fault(Exception):
    """What breaks a rule."""


class CannotRun(Exception):
    """The reason why a check cannot run on this machine."""


def sources(root, directories=tuple(ARROWS)):
    """All C files of the directories, as (path from the root, text)."""
    for directory in directories:
        for path in sorted((root / directory).rglob("*.[ch]")):
            yield path.relative_to(root), path.read_text(encoding="utf-8")


def includes(text):
    """(line number, quote or bracket, what is included) of each include."""
    for match in re.finditer(r'^[ \t]*#[ \t]*include[ \t]*(["<])([^">]+)[">]', text, re.M):
        yield text.count("\n", 0, match.start()) + 1, match[1], match[2]


def is_system(quote, name):
    return quote == "<" or name.endswith(".pb-c.h")


def arrows(root):
    """Includes follow cmd -> {transport, store} -> gossip, from the root, own header first."""
    for path, text in sources(root):
        directory = path.parts[0]
        found = list(includes(text))
        for line, quote, name in found:
            if is_system(quote, name):
                if directory == "gossip" and quote == "<" and name not in CORE_SYSTEM_HEADERS:
                    yield f"{path}:{line}: gossip/ may not use <{name}>"
                continue
            if name.split("/")[0] not in ARROWS[directory] or "/" not in name:
                yield f"{path}:{line}: {directory}/ may not include \"{name}\""
            elif not (root / name).is_file():
                yield f"{path}:{line}: \"{name}\" is no file of this tree"
            elif directory == "examples" and name not in EXAMPLE_HEADERS:
                yield f"{path}:{line}: an example uses public headers only, not \"{name}\""
        own = path.with_suffix(".h")
        if path.suffix == ".c" and (root / own).is_file():
            first = found[0][2] if found else "nothing"
            if first != own.as_posix():
                yield f"{path}: includes {first} first, not its own header"


def owners(root):
    """Each dependency is known to one .c file (or one of OTHER_USERS), and to no header."""
    for pattern, directory in OWNED_HEADERS.items():
        users = []
        for path, text in sources(root, ("gossip", "transport", "store", "cmd", "examples")):
            for line, _, name in includes(text):
                if not re.fullmatch(pattern, name):
                    continue
                if path.suffix == ".h":
                    yield f"{path}:{line}: {name} shows in a header"
                elif path.parts[0] != directory:
                    yield f"{path}:{line}: {name} belongs to {directory}/"
                elif re.fullmatch(OTHER_USERS.get(path.as_posix(), r"(?!)"), name):
                    continue
                elif path not in users:
                    users.append(path)
        if len(users) > 1:
            yield f"{pattern}: has {len(users)} owners: {' '.join(map(str, users))}"


def core_symbols(root, archive, nm="nm"):
    """No object of gossip/ needs a socket, a file, a clock or a stream."""
    output = subprocess.run([nm, "--undefined-only", "--portability", "--print-file-name", archive],
                            check=True, capture_output=True, text=True).stdout
    objects = set()
    for line in output.splitlines():
        # libgossip-all.a[libgossip-all.a.p/gossip_bytes.c.o]: memcpy U
        match = re.match(r".*\[(?:\S*/)?([^/\s]+)\]: (\S+) U", line)
        if not match or not match[1].startswith("gossip_"):
            continue
        objects.add(match[1])
        # Fortified builds call __printf_chk for printf.
        name = re.sub(r"^__(\w+)_chk$", r"\1", match[2].split("@")[0])
        if name in CORE_BANNED_SYMBOLS:
            yield f"{match[1]}: needs {match[2]}"
    if not objects:
        yield f"{archive}: holds no object of gossip/"


def museum(root, *programs, nm="nm"):
    """Nothing that is shipped can make the museum's mistakes, and only its header decides that."""
    for program in programs:
        output = subprocess.run([nm, "--portability", program], check=True, capture_output=True,
                                text=True).stdout
        for line in output.splitlines():
            if line.startswith("museum"):
                yield f"{program}: has {line.split()[0]}"
    for path, text in sources(root, ("gossip", "transport", "store", "cmd")):
        for match in re.finditer(r"#[ \t]*if.*GOSSIP_MUSEUM", text):
            if path.as_posix() != "gossip/museum.h":
                line = text.count("\n", 0, match.start()) + 1
                yield f"{path}:{line}: asks with the preprocessor; MUSEUM(NAME) is how"


def limits(root):
    """gossip/limits.h and docs/protocol.md say the same, in the same order."""
    header = (root / "gossip/limits.h").read_text(encoding="utf-8")
    document = (root / "docs/protocol.md").read_text(encoding="utf-8")
    plain = re.sub(r"/\*.*?\*/", "", header, flags=re.S)
    enum = re.search(r"enum gossip_limit \{(.*?)\};", plain, re.S)[1]
    in_header = re.findall(r"GOSSIP_(\w+) = (\d+)", enum)
    in_header += [(name, f"2^{shift}") for name, shift in
                  re.findall(r"#define GOSSIP_(\w+) \(UINT64_C\(1\) << (\d+)\)", plain)]
    in_document = re.findall(r"^\| `(\w+)` \| (\S+) \|", document, re.M)
    if len(in_header) < 40:
        yield f"gossip/limits.h: only {len(in_header)} limits could be read"
    if len(re.findall(r"=", enum)) != len(in_header) - 1:
        yield "gossip/limits.h: a limit is not a plain number"
    for name, value in in_header:
        if (name, value) not in in_document:
            yield f"docs/protocol.md: lacks {name} = {value}"
    for name, value in in_document:
        if (name, value) not in in_header:
            yield f"gossip/limits.h: lacks GOSSIP_{name} = {value}"
    if sorted(in_header) == sorted(in_document) and in_header != in_document:
        yield "docs/protocol.md: lists the limits in another order than gossip/limits.h"

    domains = set(re.findall(r'GOSSIP_DOMAIN_\w+\s+"([^"]+)"', plain))
    shown = set(re.findall(r'D\("([^"]+)"\)', document))
    for name in sorted(domains - shown):
        yield f"docs/protocol.md: lacks the domain {name}"
    for name in sorted(shown - domains):
        yield f"gossip/limits.h: lacks the domain {name}"


def said(root):
    """The log says each message of cmd/messages.h somewhere, and nothing else writes events."""
    header = (root / "cmd/messages.h").read_text(encoding="utf-8")
    names = re.findall(r"\bMESSAGE_\w+", re.search(r"enum message \{(.*?)\};", header, re.S)[1])
    if len(names) < 20:
        yield f"cmd/messages.h: only {len(names)} messages could be read"
    used = set()
    for path, text in sources(root, ["cmd"]):
        used.update(re.findall(r"\blog_begin\(\S+ (MESSAGE_\w+)\)", text))
        if path.name == "messages.c":
            used.update(re.findall(r"return (MESSAGE_\w+);", text))
        if path.name == "log.c":
            used.update(re.findall(r"add_head\(.*?message_row\((MESSAGE_\w+)\)\)", text))
    for name in sorted(set(names) - used):
        yield f"cmd/messages.h: nothing says {name}"


def declared_functions(text):
    """The functions that a public header declares."""
    text = re.sub(r"/\*.*?\*/", " ", text, flags=re.S)
    text = re.sub(r"#ifdef __cplusplus.*?#endif", " ", text, flags=re.S)
    text = re.sub(r"^[ \t]*#.*$", " ", text, flags=re.M)
    while re.search(r"\{[^{}]*\}", text):
        text = re.sub(r"\{[^{}]*\}", " ", text)
    for statement in text.split(";"):
        match = re.match(r"(?!typedef\b)[\w\s*]*?\b(gossip_\w+)\s*\(", statement.strip())
        if match:
            yield match[1]


def symbols(root, library, nm="nm", readelf="readelf"):
    """libgossip.so exports what its public headers declare and tests/test_symbols.c names, and
    nothing else."""
    declared = set()
    for name in PUBLIC_HEADERS:
        declared.update(declared_functions((root / "gossip" / name).read_text(encoding="utf-8")))
    if len(declared) < 50:
        yield f"only {len(declared)} declarations could be read"
    output = subprocess.run([nm, "--dynamic", "--defined-only", library], check=True,
                            capture_output=True, text=True).stdout
    exported = set()
    for line in output.splitlines():
        kind, name = line.split()[-2:]
        base, _, version = name.partition("@@")
        if kind == "A" and base == "GOSSIP_0":
            continue
        exported.add(base)
        if kind != "T":
            yield f"{base}: is exported and no function"
        if version != "GOSSIP_0":
            yield f"{base}: has version \"{version}\", not GOSSIP_0"
    for name in sorted(declared - exported):
        yield f"{name}: is declared, and not exported"
    for name in sorted(exported - declared):
        yield f"{name}: is exported, and no public header declares it"
    text = (root / "tests/test_symbols.c").read_text(encoding="utf-8")
    referenced = set(re.findall(r"SYMBOL\((gossip_\w+)\)", text))
    for name in sorted(exported - referenced):
        yield f"{name}: is exported, and tests/test_symbols.c does not name it: add it there"
    for name in sorted(referenced - exported):
        yield f"{name}: is named in tests/test_symbols.c, and not exported"
    dynamic = subprocess.run([readelf, "--dynamic", "--wide", library], check=True,
                             capture_output=True, text=True).stdout
    if "[libgossip.so.0]" not in dynamic:
        yield "its soname is not libgossip.so.0"


def declarations(text):
    """Each declaration of a public header, as (line number, name, whether it is a function, whether a
    comment stands right above it or on its line)."""
    lines = text.split("\n")
    # What is a comment becomes blanks, so that places stay.
    code = re.sub(r"/\*.*?\*/", lambda match: re.sub(r"[^\n]", " ", match[0]), text, flags=re.S)
    code = re.sub(r'extern "C" \{|^\}\s*$', lambda match: " " * len(match[0]), code, flags=re.M)
    starts, depth, begins = [], 0, True
    for number, line in enumerate(code.split("\n"), 1):
        stripped = line.strip()
        macro = re.match(r"#\s*define (GOSSIP_\w+)", stripped)
        if macro and not macro[1].endswith("_H"):
            starts.append((number, number))
        if not stripped or stripped.startswith("#"):
            continue
        if begins:
            first = number
        depth += stripped.count("{") - stripped.count("}")
        begins = depth == 0 and stripped.endswith(";")
        if begins:
            starts.append((first, number))
    for first, last in sorted(starts):
        statement = " ".join(code.split("\n")[first - 1:last]).strip()
        head = re.sub(r"\{.*", "", statement)
        function = not re.match(r"typedef\b|#", head) and re.search(r"(gossip_\w+)\s*\(", head)
        name = function[1] if function else head.strip()
        above = lines[first - 2].strip().endswith("*/") and not code.split("\n")[first - 2].strip()
        beside = "/*" in lines[last - 1] and first == last
        yield first, name, bool(function), above or beside


def grouped(text, first):
    """Whether a line of macros stands right below another, whose comment holds for both."""
    lines = text.split("\n")
    return lines[first - 1].startswith("#define") and lines[first - 2].startswith("#define")


def documented(root):
    """A comment right above, or on its line, says what each declaration of a public header is."""
    for name in PUBLIC_HEADERS:
        text = (root / "gossip" / name).read_text(encoding="utf-8")
        found = list(declarations(text))
        functions = {declared for _, declared, function, _ in found if function}
        if functions != set(declared_functions(text)):
            yield f"gossip/{name}: could not be read: {functions ^ set(declared_functions(text))}"
        for line, declared, _, has_comment in found:
            if not has_comment and not grouped(text, line):
                yield f"gossip/{name}:{line}: no comment says what {declared} is"


def header_fault(root, path, compilers):
    """What the first of the compilers that has to say something says of a header by itself."""
    public = path.as_posix() in EXAMPLE_HEADERS
    for compiler in compilers if public else compilers[:1]:
        for standard in ["c11", "c++11", "c++20"] if public else ["c11"]:
            result = subprocess.run(
                [compiler, "-x", "c" if standard == "c11" else "c++", f"-std={standard}", "-Wall",
                 "-Wextra", "-Werror", *(["-Wpedantic"] if public else ["-D_GNU_SOURCE"]),
                 "-fsyntax-only", "-I.", "-"],
                input=f'#include "{path.as_posix()}"\n', capture_output=True, text=True, cwd=root,
                check=False)
            if result.returncode != 0:
                return f"{path}: is no {standard} by itself, says {compiler}:\n{result.stderr}"
    return None


def headers(root, compiler="cc"):
    """Each header compiles by itself as C; the public ones also as C++, and with other compilers."""
    others = [name for name in ("gcc", "clang") if shutil.which(name) and name != compiler]
    for path, _ in sources(root, ("gossip", "transport", "store", "cmd")):
        if path.suffix == ".h":
            fault = header_fault(root, path, [compiler, *others])
            if fault:
                yield fault


def cplusplus(root, library):
    """A program in C++, by each compiler that is here, links the library and runs."""
    compilers = [name for name in ("g++", "clang++") if shutil.which(name)]
    if not compilers:
        raise CannotRun("there is neither g++ nor clang++")
    directory = Path(library).resolve().parent
    for compiler in compilers:
        with tempfile.TemporaryDirectory(prefix="gossip-") as place:
            program = Path(place) / "program"
            for command in (
                    [compiler, "-std=c++11", "-Wall", "-Wextra", "-Wpedantic", "-Werror", "-I", root,
                     "-o", program, root / "tests/cplusplus.cpp", "-L", directory, "-lgossip"],
                    [program]):
                result = subprocess.run(command, capture_output=True, text=True, check=False,
                                        env={**os.environ, "LD_LIBRARY_PATH": str(directory)})
                if result.returncode != 0:
                    yield f"{' '.join(map(str, command))}:\n{result.stdout}{result.stderr}"
                    break


def layout(root):
    """clang-format has nothing to change."""
    program = shutil.which("clang-format")
    if program is None:
        raise CannotRun("there is no clang-format")
    version = subprocess.run([program, "--version"], check=True, capture_output=True,
                             text=True).stdout
    if not re.search(r"version 14\.", version):
        raise CannotRun("the layout is that of clang-format 14, and this is " + version.strip())
    files = [str(root / path) for path, _ in sources(root)]
    result = subprocess.run([program, "--dry-run", "-Werror", *files], capture_output=True,
                            text=True, check=False)
    if result.returncode != 0:
        yield result.stderr


CHECKS = {check.__name__: check
          for check in (arrows, owners, core_symbols, museum, limits, said, symbols, documented, headers,
                        cplusplus, layout)}


def main():
    if len(sys.argv) < 3 or sys.argv[1] not in CHECKS:
        sys.exit(f"usage: structure.py {'|'.join(CHECKS)} ROOT [ARGUMENT...]")
    check = CHECKS[sys.argv[1]]
    try:
        faults = list(check(Path(sys.argv[2]).resolve(), *sys.argv[3:]))
    except CannotRun as reason:
        print(f"skipped: {reason}")
        sys.exit(77)
    for fault in faults:
        print(fault)
    sys.exit(1 if faults else 0)


if __name__ == "__main__":
    main()
