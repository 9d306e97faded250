#!/usr/bin/env python3
"""Makes libgossip(3) of the public headers, in the language of scdoc.

    library.py VERSION INTRODUCTION HEADER...

INTRODUCTION is the page up to its list of functions. Of each header there is what its first comment
says, and each function with the comment that stands above it; types stand in the headers.
"""

import re
import sys
from pathlib import Path


def escaped(text):
    """Text in which nothing means anything to scdoc."""
    text = re.sub(r"([_*\\#`~])", r"\\\1", text)
    return re.sub(r"^([-.])", r"\\\1", text, flags=re.M)


def paragraphs(text):
    """Escaped, but for lines that begin with spaces, which stay as they are."""
    result, literal = [], False
    for line in text.split("\n"):
        if (line[:1] == " ") != literal and (line or literal):
            literal = not literal
            result.append("```")
        result.append(line if literal else escaped(line))
    return "\n".join(result + ["```"] * literal)


def words_of(comment):
    """What a comment says, without its frame."""
    text = re.sub(r"^\s*/\*\s?|\s*\*/\s*$", "", comment)
    lines = [re.sub(r"^\s*\*? ?", "", line).rstrip() for line in text.split("\n")]
    return "\n".join(lines).strip("\n")


def parts_of(header):
    """The first comment, then each function, as ("head" | "section" | "function", text, comment)."""
    text = re.sub(r"^#ifdef __cplusplus.*?^#endif", "", header, flags=re.S | re.M)
    pieces = re.split(r"(/\*.*?\*/)", text, flags=re.S)
    yield "head", None, words_of(pieces[1])
    above, depth, statement = None, 0, ""
    for piece in pieces[2:]:
        if piece.startswith("/*"):
            section = re.match(r"/\* ---- (.*?)\.? ---- \*/", piece)
            if section:
                yield "section", section[1], None
            elif depth == 0 and not statement.strip():
                above = piece
            continue
        for token in re.split(r"([{};])", re.sub(r"^[ \t]*#.*$", "", piece, flags=re.M)):
            if token == "{":
                depth += 1
            elif token == "}":
                depth -= 1
            elif depth > 0:
                continue
            elif token != ";":
                statement += token
            else:
                statement = statement.strip()
                if re.match(r"(?!typedef\b)[\w\s*]*?\bgossip_\w+\s*\(", statement):
                    yield "function", statement + ";", above and words_of(above)
                else:
                    above = None
                statement = ""


def main():
    version, introduction, *headers = sys.argv[1:]
    print('libgossip(3) "gossip %s" "gossip"\n' % version)
    print(Path(introduction).read_text(encoding="utf-8").rstrip())
    for header in headers:
        print("\n# %s\n" % escaped("gossip/" + Path(header).name).upper())
        for kind, text, comment in parts_of(Path(header).read_text(encoding="utf-8")):
            if kind == "section":
                print("## %s\n" % escaped(text))
                continue
            if kind == "function":
                print("```\n%s\n```\n" % text)
            if comment:
                print(paragraphs(comment) + "\n")
    print("# SEE ALSO\n\n*gossip*(1), *gossip-api*(7), *gossip-protocol*(7)")


if __name__ == "__main__":
    main()
