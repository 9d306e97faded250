#!/usr/bin/env python3
"""What is installed is all that a program of somebody else needs, and nothing else.

    install.py ROOT BUILD COMPILER

Installs into a temporary directory, looks at every file of it, and there, outside the tree, builds
the examples with the flags of pkg-config, and runs them and the command.
"""

import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import readme

HEADERS = {"gossip.h", "limits.h", "mailbox.h", "store.h", "transport.h", "vclock.h"}
# What people read and shells complete by, which may be any number of files.
SHARED = re.compile(r"share/(man|bash-completion|zsh|fish|doc)/.+")
EXAMPLES = ["cart.c", "chat.c", "embed.c", "embed_thread.c", "order_states.c", "store_custom.c"]
# Of the museum, which is in nothing, and of virtual worlds, which the command has for its
# experiments: by the beginnings of their names.
NOT_SHIPPED = re.compile(r"\bmuseum_\w*")
NOT_IN_LIBRARY = re.compile(r"\b(virtual_disk_|virtual_network_|museum_|world_start|checker_)\w*")


class Fault(Exception):
    """What is not as it should be."""


def run(*command, **more):
    result = subprocess.run([str(part) for part in command], capture_output=True, text=True,
                            check=False, stdin=subprocess.DEVNULL, timeout=120,
                            env={**os.environ, **more})
    if result.returncode != 0:
        raise Fault(f"{' '.join(map(str, command))}: {result.returncode}\n{result.stdout}"
                    f"{result.stderr}")
    return result.stdout


def check_files(prefix, library):
    """Every file under the prefix is one that is wanted; returns nothing or raises."""
    libraries = library.relative_to(prefix).as_posix()
    wanted = {"bin/gossip", f"{libraries}/pkgconfig/gossip.pc", f"{libraries}/libgossip.so",
              f"{libraries}/libgossip.so.0"} | {f"include/gossip/{name}" for name in HEADERS}
    found = {path.relative_to(prefix).as_posix() for path in prefix.rglob("*")
             if path.is_symlink() or path.is_file()}
    versioned = {name for name in found
                 if re.fullmatch(re.escape(libraries) + r"/libgossip\.so\.0\.\d+\.\d+", name)}
    if len(versioned) != 1:
        raise Fault(f"there is not one library: {sorted(versioned)}")
    if wanted - found:
        raise Fault(f"is not installed: {sorted(wanted - found)}")
    more = {name for name in found - wanted - versioned if not SHARED.fullmatch(name)}
    if more:
        raise Fault(f"is installed, and should not be: {sorted(more)}")
    for name in ("bin/gossip", *versioned):
        symbols = run("nm", "--portability", prefix / name)
        unwanted = (NOT_SHIPPED if name == "bin/gossip" else NOT_IN_LIBRARY).search(symbols)
        if unwanted:
            raise Fault(f"{name} has {unwanted[0]}, which is not to be shipped")


def check_programs(root, place, compiler, packages):
    """A program that is somewhere else is built and runs."""
    def flags(*packages_wanted):
        return run("pkg-config", "--cflags", "--libs", *packages_wanted, **packages).split()

    library = next(flag for flag in flags("gossip") if flag.startswith("-L"))[2:]
    if flags("gossip")[-1] != "-lgossip":
        raise Fault(f"pkg-config asks for more than the library: {flags('gossip')}")
    for name in EXAMPLES:
        source = place / name
        shutil.copyfile(root / "examples" / name, source)
        program = source.with_suffix("")
        run(compiler, "-std=c11", "-D_POSIX_C_SOURCE=200809L", "-pthread", "-Wall", "-Wextra",
            "-Wpedantic", "-Werror", "-o", program, source, *flags("gossip"))
        run(program, LD_LIBRARY_PATH=library)


def check_readme(root, place, library, packages):
    """What the README says of programs is so: its commands, with nothing but what is installed."""
    (place / "examples").mkdir()
    shutil.copyfile(root / "examples/embed.c", place / "examples/embed.c")
    _, shown = readme.shown_after((root / "README.md").read_text(encoding="utf-8"), "./embed")
    printed = run("sh", "-c", f"cd {place} && {readme.EMBED} && ./embed",
                  LD_LIBRARY_PATH=str(library), **packages)
    if not readme.matches(shown, printed.splitlines()):
        raise Fault(f"the README shows {shown} of ./embed, which prints {printed}")


def check(root, build, compiler, place):
    destination = place / "destination"
    run("meson", "install", "-C", build, "--no-rebuild", "--destdir", destination)
    packages = list(destination.rglob("gossip.pc"))
    if len(packages) != 1:
        raise Fault(f"there is not one gossip.pc: {packages}")
    library = packages[0].parent.parent
    prefix = next(destination.rglob("bin")).parent
    check_files(prefix, library)
    found = {"PKG_CONFIG_PATH": str(packages[0].parent),
             "PKG_CONFIG_SYSROOT_DIR": str(destination)}
    check_programs(root, place, compiler, found)
    check_readme(root, place, library, found)
    shown = run("pkg-config", "--modversion", "gossip", PKG_CONFIG_PATH=str(packages[0].parent))
    node = place / "n1"
    run(prefix / "bin/gossip", "init", "--dir", node, "--name", "n1")
    clock = run(prefix / "bin/gossip", "clock", "--json", "--dir", node)
    if not shown.strip() or '"clock":{}' not in clock:
        raise Fault(f"the command that is installed does not work: {clock}")


def main():
    if len(sys.argv) != 4:
        sys.exit(__doc__)
    os.environ.pop("GOSSIP_DIR", None)
    with tempfile.TemporaryDirectory(prefix="gossip-") as place:
        try:
            check(Path(sys.argv[1]).resolve(), sys.argv[2], sys.argv[3], Path(place))
        except Fault as fault:
            sys.exit(f"install: {fault}")


if __name__ == "__main__":
    main()
