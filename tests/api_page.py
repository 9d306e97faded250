#!/usr/bin/env python3
"""docs/api.md and gossip-api(7) tell of each request that the node answers, and of no other.

    api_page.py CMD_API_C DOCUMENT [MANUAL]

In the document each has a heading, and under it an example with curl; what those print is checked
by readme.py. In the source of the manual page each is named.
"""

import re
import sys
from pathlib import Path


def routes_of(source):
    table = source[source.index("} routes[] = {"):]
    table = table[:table.index("\n};")]
    probes = source[source.index("} probes[] = {"):]
    probes = probes[:probes.index("\n};")]
    return (["%s %s" % pair for pair in re.findall(r'\{"([A-Z]+)", "([^"]+)"', table)] +
            ["GET " + path for path in re.findall(r'\{"(/[^"]+)"', probes)])


def sections_of(document):
    """The text under each heading that names a request."""
    parts = re.split(r"^#{2,3} (.*)$", document, flags=re.M)
    return {heading: text for heading, text in zip(parts[1::2], parts[2::2])
            if re.match(r"[A-Z]+ /", heading)}


def main():
    routes = routes_of(Path(sys.argv[1]).read_text(encoding="utf-8"))
    sections = sections_of(Path(sys.argv[2]).read_text(encoding="utf-8"))
    found = ["%s: nothing tells of it" % route for route in routes if route not in sections]
    found += ["%s: there is no such request" % name for name in sections if name not in routes]
    for name, text in sections.items():
        path = name.split()[1]
        if not re.search(r"^\$ .*\bhttp://node%s['\"?\s]" % re.escape(path), text + "\n", re.M):
            found.append("%s: no example with curl" % name)
    if len(sys.argv) > 3:
        manual = Path(sys.argv[3]).read_text(encoding="utf-8")
        found += ["%s: the manual page does not tell of it" % route for route in routes
                  if "*%s*" % route not in manual]
    for fault in found:
        print(fault)
    print("%d requests, %d faults" % (len(routes), len(found)))
    return 1 if found or len(routes) < 15 else 0


if __name__ == "__main__":
    sys.exit(main())
