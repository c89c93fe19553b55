#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""man.py VERSION OUT HEADER...: a page of section 3 for each public header, made of its declarations and comments.

A header reads as: a comment about all of it, then comments at the left margin, each before what it is about.
"""

import itertools
import os
import re
import sys

SEE_ALSO = ("protoc-gen-grpcc 1", "grpcc 7")
DATE = "November 22, 2026"


def plain(comment):
    """The text of a comment: its lines without stars, paragraphs apart."""
    return [re.sub(r"^[ \t]*\*[ ]?", "", line).rstrip() for line in comment[2:-2].strip().split("\n")]


def escaped(line):
    line = line.replace("\\", "\\e")
    return "\\&" + line if line[:1] in (".", "'") else line


def body(text):
    """The header without what is there for the preprocessor alone."""
    lines = []
    guard = False
    for line in text.split("\n"):
        if line.startswith("#ifdef __cplusplus"):
            guard = True
        elif guard:
            guard = not line.startswith("#endif")
        elif not re.match(r"#\s*(ifndef|include|endif|define \w+_H$)", line):
            lines.append(line)
    return "\n".join(lines)


def items(text):
    """(comment or "", code) in the header's order."""
    found = []
    for part in re.split(r"^(/\*.*?\*/)[ \t]*$", body(text), flags=re.M | re.S):
        if part.startswith("/*"):
            found.append([part, ""])
        elif part.strip() and found:
            found[-1][1] = part.strip("\n")
    return [(comment, code) for comment, code in found if "SPDX" not in comment]


def sentences(lines):
    """Text with a line for each sentence, as mdoc wants it."""
    return re.split(r"(?<=[.?!]) +", re.sub(r"([.?!]) *$", r"\1 ", " ".join(lines)).strip())


def write_text(out, lines):
    """A paragraph for each run of lines; indented ones as they are."""
    for literal, group in itertools.groupby(lines, key=lambda line: line.startswith("    ") if line else None):
        group = list(group)
        if literal is None:
            continue
        if literal:
            write_code(out, [line[4:] for line in group])
        else:
            out.append(".Pp")
            out += [escaped(line) for line in sentences(group)]


def write_code(out, lines):
    out += [".Bd -literal -offset indent"] + [escaped(line) for line in lines] + [".Ed"]


def functions(code):
    return re.findall(r"^[A-Za-z][\w \t\n*]*?\b(grpcc_\w+)\([^;{]*;", re.sub(r"/\*.*?\*/", "", code, flags=re.S), flags=re.M)


def page(name, text, others, version):
    found = items(text)
    about = plain(found[0][0])
    first = sentences(itertools.takewhile(bool, about))[0].rstrip(".")
    names = ["grpcc_" + name]
    for _, code in found:
        names += [n for n in functions(code) if n not in names]
    out = ['.\\" Made from grpcc/%s.h' % name, ".Dd " + DATE, ".Dt GRPCC_%s 3" % name.upper(), ".Os grpcc " + version,
           ".Sh NAME"]
    out += [".Nm %s%s" % (n, " ," if n != names[-1] else "") for n in names]
    out += [".Nd " + first[0].lower() + first[1:], ".Sh LIBRARY", "libgrpcc (\\-lgrpcc)",
            ".Sh SYNOPSIS", ".In grpcc/%s.h" % name, ".Sh DESCRIPTION"]
    write_text(out, about)
    for i, (comment, code) in enumerate(found):
        if code:
            write_code(out, code.split("\n"))
        if i:
            write_text(out, plain(comment))
    out.remove(".Pp")
    see = [tuple(entry.split()) for entry in SEE_ALSO]
    see += [("grpcc_" + other, "3") for other in others if other != name]
    see.sort(key=lambda entry: (entry[1], entry[0]))
    out.append(".Sh SEE ALSO")
    out += [".Xr %s %s%s" % (entry[0], entry[1], " ," if entry is not see[-1] else "") for entry in see]
    return "\n".join(out) + "\n"


def main():
    version, folder, headers = sys.argv[1], sys.argv[2], sys.argv[3:]
    names = [os.path.basename(path)[:-2] for path in headers]
    os.makedirs(folder, exist_ok=True)
    for name, path in zip(names, headers):
        with open(path, encoding="utf-8") as file:
            text = file.read()
        with open(os.path.join(folder, "grpcc_%s.3" % name), "w", encoding="utf-8") as file:
            file.write(page(name, text, names, version))


if __name__ == "__main__":
    main()
