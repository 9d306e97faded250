"""Completion in a real bash, by the file that is installed.

usage: completion.py GOSSIP COMPLETION

Asks bash what it would offer for a line, as it does when the Tab key is pressed. Exit status 77:
there is no bash.
"""

import os
import shutil
import subprocess
import sys
import tempfile
import time

ASK = r"""
source "$1"
COMP_LINE=$2 COMP_POINT=${#2}
read -ra COMP_WORDS <<<"$2"
[[ $2 == *' ' ]] && COMP_WORDS+=('')
COMP_CWORD=$((${#COMP_WORDS[@]} - 1))
_gossip
printf '%s\n' "${COMPREPLY[@]}"
"""
PATIENCE = 20


def main():
    gossip, completion = (os.path.abspath(path) for path in sys.argv[1:3])
    if shutil.which("bash") is None:
        print("not done: there is no bash")
        return 77
    root = tempfile.mkdtemp(prefix="gossip-completion-")
    os.symlink(gossip, os.path.join(root, "gossip"))
    environment = {name: value for name, value in os.environ.items() if name != "GOSSIP_DIR"}
    environment["PATH"] = root + ":" + environment["PATH"]
    failed = 0

    def run(*arguments):
        return subprocess.run(["gossip", *arguments], cwd=root, env=environment, timeout=PATIENCE,
                              stdout=subprocess.PIPE, text=True, check=True).stdout

    def offers(line, wanted, unwanted=(), exactly=False, **extra):
        nonlocal failed
        done = subprocess.run(["bash", "--norc", "-c", ASK, "bash", completion, line], cwd=root,
                              env=dict(environment, **extra), timeout=PATIENCE,
                              capture_output=True, text=True, check=False)
        got = done.stdout.split()
        good = (done.returncode == 0 and done.stderr == "" and set(wanted) <= set(got) and
                not set(unwanted) & set(got) and (not exactly or set(got) == set(wanted)))
        print("%s: %r offers %s" % ("ok" if good else "FAILED", line, got), done.stderr)
        failed += not good

    node = None
    try:
        run("init", "--dir", "n1", "--name", "n1")
        os.mkdir(os.path.join(root, "nothing"))
        node = subprocess.Popen(["gossip", "node", "--dir", "n1", "--listen", "127.0.0.1:0"],
                                cwd=root, env=environment, stderr=subprocess.DEVNULL)
        deadline = time.monotonic() + PATIENCE
        while not os.path.exists(os.path.join(root, "n1", "api.sock")):
            if time.monotonic() > deadline:
                raise TimeoutError("the node does not start")
            time.sleep(0.02)
        for text in ("one", "two", "three"):
            run("publish", "--dir", "n1", text)

        for shell, name in (("zsh", "_gossip"), ("fish", "gossip.fish")):
            if shutil.which(shell) is None:
                print("not done: there is no %s to read its completion" % shell)
                continue
            good = subprocess.run([shell, "-n", os.path.join(os.path.dirname(completion), name)],
                                  timeout=PATIENCE, check=False).returncode == 0
            print("%s: %s reads its completion" % ("ok" if good else "FAILED", shell))
            failed += not good
        offers("gossip ", ["init", "node", "publish", "relation", "help"])
        offers("gossip pub", ["publish"], exactly=True)
        offers("gossip publish --", ["--dir", "--json", "--help"], ["--all", "--listen"])
        offers("gossip version --", ["--json", "--help"], ["--dir"])
        offers("gossip node --choice ", ["random", "round-robin", "least-recent", "most-reliable"],
               exactly=True)
        offers("gossip proof ", ["list", "show", "check"], exactly=True)
        offers("gossip lab ", ["run", "new", "list", "check", "up", "partition", "down", "n1"])
        offers("gossip lab pa", ["partition", "pause"], exactly=True)
        offers("gossip lab run --on ", ["sim", "local", "netns"], exactly=True)
        offers("gossip help rel", ["relation"], exactly=True)
        # Directories: of nodes alone, where there is one.
        offers("gossip log --dir n", ["n1"], ["nothing"])
        offers("gossip log --dir noth", ["nothing"])
        offers("gossip init --cluster n1/cluster", ["n1/cluster.key"], exactly=True)
        # Dots: bash parts words at colons, so that only what follows is to be typed.
        offers("gossip relation --dir n1 ", ["n1:3"], exactly=True)
        offers("gossip relation --dir n1 n1:1 n1:", ["1", "2", "3"], exactly=True)
        offers("gossip relation n", ["n1:3"], exactly=True, GOSSIP_DIR="n1")
        offers("gossip relation n", [""][:0], exactly=True)
        offers("gossip export --dir n1 --author ", ["n1"], exactly=True)
    finally:
        if node is not None:
            node.terminate()
            node.wait(PATIENCE)
        shutil.rmtree(root, ignore_errors=True)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
