#!/usr/bin/env python3
"""Runs what a document shows, and compares.

    readme.py DOCUMENT GOSSIP
    readme.py --after COMMAND DOCUMENT < OUTPUT

All fenced blocks of language `console` are one session of bash, in order, in a new directory, with
GOSSIP first on PATH:

    ```console
    $ gossip publish --dir n1 'hello'
    n1:1
    ```

A line that starts with `$ ` is a command (`> ` goes on with it), the others are what it prints. `…`
stands for any text within a line, and a line that is only `…` for any number of lines. A command
must succeed, unless the next one is `echo $?`. One that ends in `&` goes on in the background, and
the next one waits until it has printed as many lines as are shown.

Blocks of language `sh` are for what cannot run inside a test; each line must be in RUN_ELSEWHERE.
Where one is followed by a block of language `text`, that is what its last command prints; with --after
it is compared with OUTPUT.
Where the system allows it the session has a network of its own, so that its ports are free.
"""

import os
import re
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

EMBED = "cc examples/embed.c $(pkg-config --cflags --libs gossip) -o embed"
RUN_ELSEWHERE = {
    EMBED: "install.py",
    "./embed": "install.py",
    "export PATH=$PWD/build-release/cmd:$PATH": "here GOSSIP is on PATH",
    "scripts/dev": "a stage of scripts/test",
    "scripts/demo": "a stage of scripts/test",
    "scripts/test": "runs this",
}
SHELL_LANGUAGES = {"sh", "bash", "shell"}
SECONDS = 120
MARK = "\x1e"  # Between the outputs of two commands.


class Mistake(Exception):
    """The document is not of the form above."""


class Step:
    """A command, and the lines that it is shown to print."""

    def __init__(self, line, command):
        self.line = line
        self.command = command
        self.shown = []

    @property
    def in_background(self):
        return self.command.endswith("&") and not self.command.endswith("&&")


def fenced_blocks(text):
    """(line number of the first line inside, language, lines) of each fenced block."""
    block = None
    for number, line in enumerate(text.splitlines(), start=1):
        match = re.match(r"\s*```\s*(\S*)", line)
        if match and block is None:
            block = (number + 1, match[1], [])
        elif match:
            yield block
            block = None
        elif block is not None:
            block[2].append(line)
    if block is not None:
        raise Mistake(f"the block of line {block[0] - 1} does not end")


def read_steps(text):
    """The steps of all console blocks."""
    steps = []
    for first, language, lines in fenced_blocks(text):
        if language in SHELL_LANGUAGES:
            for number, line in enumerate(lines, start=first):
                command = line.split("#")[0].strip()
                if command and command not in RUN_ELSEWHERE:
                    raise Mistake(f"line {number}: no test runs `{command}`; show it in a "
                                  "console block")
        if language != "console":
            continue
        begin = len(steps)
        for number, line in enumerate(lines, start=first):
            if line.startswith("$ "):
                steps.append(Step(number, line[2:].strip()))
            elif len(steps) == begin:
                raise Mistake(f"line {number}: output before any command")
            elif line.startswith("> ") and not steps[-1].shown:
                steps[-1].command += "\n" + line[2:]
            else:
                steps[-1].shown.append(line.rstrip())
        while len(steps) > begin and steps[-1].shown and not steps[-1].shown[-1]:
            steps[-1].shown.pop()
    if not steps:
        raise Mistake("no console block shows a command")
    return steps


def matches(shown, printed):
    """Whether the printed lines are what the shown ones stand for."""
    pattern = ""
    for line in shown:
        if line.strip() == "…":
            pattern += r"(?:[^\n]*\n)*"
        else:
            pattern += "[^\n]*".join(map(re.escape, line.split("…"))) + "\n"
    return re.fullmatch(pattern, "".join(line.rstrip() + "\n" for line in printed)) is not None


def session_script(steps):
    """What bash runs: each command, then a mark with its number and exit status."""
    script = ["trap 'jobs=$(jobs -p); [ -z \"$jobs\" ] || kill $jobs' EXIT"]
    for index, step in enumerate(steps):
        if step.in_background:
            log = f'"$SESSION/{index}"'
            lines = sum(1 for line in step.shown if line.strip() != "…")
            script += [
                f": > {log}",
                f"{step.command[:-1].rstrip()} > {log} 2>&1 &",
                # Ten seconds for it to say what the document shows.
                f"for _ in {{1..200}}; do [ $(wc -l < {log}) -lt {lines} ] || break; "
                "sleep 0.05; done",
                f"head -n {lines} {log}" if lines == len(step.shown) else f"cat {log}",
                "true",
            ]
        else:
            script.append(step.command)
        # The exit status stays what it was, for `echo $?`.
        script.append(f"status=$?; printf '\\n{MARK}{index} %d\\n' $status; "
                      "(exit $status)")
    return "\n".join(script) + "\n"


def own_network():
    """The words before bash that give it a network with only a loopback, if that is allowed."""
    for words in (["unshare", "--net"], ["unshare", "--map-root-user", "--net"]):
        words = words + ["sh", "-c", 'ip link set lo up && exec "$@"', "sh"]
        try:
            if subprocess.run([*words, "true"], capture_output=True, check=False).returncode == 0:
                return words
        except FileNotFoundError:
            break
    return []


def run_session(steps, command, isolate=True):
    """What each step printed, and its exit status; fewer than steps if the session broke off."""
    with tempfile.TemporaryDirectory(prefix="gossip-") as directory:
        (Path(directory) / "work").mkdir()
        environment = {
            "HOME": directory, "SESSION": directory, "LC_ALL": "C.UTF-8", "TZ": "UTC",
            "PATH": f"{Path(command).resolve().parent}:{os.environ['PATH']}",
        }
        # What sanitizers are told must reach the commands too.
        environment.update({name: value for name, value in os.environ.items()
                            if name.endswith("SAN_OPTIONS")})
        script = Path(directory) / "script"
        script.write_text(session_script(steps), encoding="utf-8")
        words = own_network() if isolate else []
        process = subprocess.Popen([*words, "bash", str(script)], stdin=subprocess.DEVNULL,
                                   stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                                   cwd=Path(directory) / "work", env=environment,
                                   start_new_session=True)
        try:
            output, _ = process.communicate(timeout=SECONDS)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            output, _ = process.communicate()
            print(f"ended after {SECONDS} s")
    pieces = re.split(f"\n?{MARK}(\\d+) (\\d+)\n", output.decode(errors="replace"))
    return [(pieces[3 * i].splitlines(), int(pieces[3 * i + 2])) for i in range(len(pieces) // 3)]


def faults(steps, results):
    """What does not match, one text each."""
    for index, step in enumerate(steps):
        if index >= len(results):
            yield f"line {step.line}: `{step.command}` did not end"
            return
        printed, status = results[index]
        asked = index + 1 < len(steps) and steps[index + 1].command == "echo $?"
        if status != 0 and not asked:
            yield "\n".join([f"line {step.line}: `{step.command}` ended with {status}:", *printed])
        elif not matches(step.shown, printed):
            yield "\n".join([f"line {step.line}: `{step.command}` is shown to print",
                             *("    " + line for line in step.shown), "and prints",
                             *("    " + line for line in printed)])


def shown_after(text, wanted):
    """The text block that follows the command, as (line number, lines)."""
    last = None
    for first, language, lines in fenced_blocks(text):
        if language in SHELL_LANGUAGES:
            commands = [line.split("#")[0].strip() for line in lines]
            last = [command for command in commands if command][-1]
        elif language == "text" and last == wanted:
            return first, lines
        else:
            last = None
    raise Mistake(f"no text block follows `{wanted}`")


def compare(wanted, document):
    try:
        first, shown = shown_after(Path(document).read_text(encoding="utf-8"), wanted)
    except Mistake as mistake:
        sys.exit(f"{document}: {mistake}")
    printed = sys.stdin.read().splitlines()
    if not matches(shown, printed):
        sys.exit("\n".join([f"{document}: line {first}: `{wanted}` is shown to print",
                            *("    " + line for line in shown), "and prints",
                            *("    " + line for line in printed)]))
    print(f"{document}: what `{wanted}` prints is what is shown")


def main():
    if len(sys.argv) == 4 and sys.argv[1] == "--after":
        compare(sys.argv[2], sys.argv[3])
        return
    if len(sys.argv) != 3:
        sys.exit("usage: readme.py DOCUMENT GOSSIP, or readme.py --after COMMAND DOCUMENT")
    try:
        steps = read_steps(Path(sys.argv[1]).read_text(encoding="utf-8"))
    except Mistake as mistake:
        sys.exit(f"{sys.argv[1]}: {mistake}")
    found = list(faults(steps, run_session(steps, sys.argv[2])))
    for fault in found:
        print(f"{sys.argv[1]}: {fault}")
    print(f"{len(steps)} commands run, {len(found)} faults")
    sys.exit(1 if found else 0)


if __name__ == "__main__":
    main()
