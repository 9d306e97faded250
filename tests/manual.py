"""The pages of the manual: mandoc has nothing to say of them, and every verb has its section, and every
function of the library.

usage: manual.py GOSSIP PAGE...

Exit status 77: there is no mandoc, or no page was built because there is no scdoc.
"""

import re
import shutil
import subprocess
import sys
from pathlib import Path


def main():
    gossip, pages = sys.argv[1], sys.argv[2:]
    if not pages:
        print("not done: there was no scdoc to build the pages")
        return 77
    if shutil.which("mandoc") is None:
        print("not done: there is no mandoc")
        return 77
    failed = 0
    sections = ""
    for page in pages:
        # Of style it dislikes long lines, which are scdoc's own.
        lint = subprocess.run(["mandoc", "-T", "lint", "-W", "warning", page], capture_output=True,
                              text=True, check=False)
        text = subprocess.run(["mandoc", "-T", "ascii", page], capture_output=True, text=True,
                              check=True).stdout
        sections += re.sub(".\b", "", text)
        good = lint.returncode == 0 and lint.stdout == "" and "NAME" in sections
        print("%s: %s" % ("ok" if good else "FAILED", page), lint.stdout)
        failed += not good
    shown = subprocess.run([gossip, "help"], capture_output=True, text=True, check=True).stdout
    verbs = re.findall(r"^  ([a-z]+) +\S.* ", shown.split("GOSSIP_DIR")[0], re.M)
    for verb in verbs:
        good = ("GOSSIP " + verb.upper()) in sections or verb in ("help", "version")
        if not good:
            print("FAILED: no section tells of", verb)
        failed += not good
    symbols = (Path(__file__).parent / "test_symbols.c").read_text(encoding="utf-8")
    functions = re.findall(r"SYMBOL\((gossip_\w+)\)", symbols)
    for function in functions:
        if not re.search(r"\b%s\(" % function, sections):
            print("FAILED: no page tells of", function)
            failed += 1
    print("%d pages, %d verbs, %d functions" % (len(pages), len(verbs), len(functions)))
    return 1 if failed or len(verbs) < 15 or len(functions) < 50 else 0


if __name__ == "__main__":
    sys.exit(main())
