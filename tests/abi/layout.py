#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""layout.py INCLUDE SUBFOLDER: what programs that include INCLUDE/SUBFOLDER/*.h are built on, a line each: functions with
their parameters, values of enums, where each member of a struct lies, and the size of structs that programs allocate and
that do not begin with `size`: those may not grow."""

import os
import re
import subprocess
import sys
import tempfile

# What programs neither include themselves nor name.
INTERNAL = ("generated.h", "compiler.h")


def plain(text):
    text = re.sub(r"/\*.*?\*/", " ", text, flags=re.S)
    return re.sub(r"^[ \t]*#(?:[^\n]*\\\n)*[^\n]*", "", text, flags=re.M)


def squeezed(text):
    return re.sub(r" ?([(),*]) ?", r"\1", re.sub(r"\s+", " ", text)).strip()


def functions(text):
    text = re.sub(r"\bGRPCC_(MUST_CHECK|FORMAT\([^)]*\))", "", text)
    for match in re.finditer(r"^[A-Za-z][\w \t\n*]*?\b\w+\([^;{]*;", text, flags=re.M):
        if not match.group().startswith("typedef"):
            yield squeezed(match.group().rstrip(";"))


def members(body):
    """Names of the members of a struct's body."""
    depth, start, found = 0, 0, []
    for i, c in enumerate(body + ";"):
        depth += (c in "({") - (c in ")}")
        if c == ";" and depth == 0:
            declaration = body[start:i]
            start = i + 1
            pointer = re.search(r"\(\*\s*(\w+)\)", declaration)
            if pointer:
                found.append(pointer.group(1))
            elif declaration.strip():
                found += [re.search(r"(\w+)\s*(?:\[[^]]*\])?\s*$", part).group(1) for part in declaration.split(",")]
    return found


def structs(text):
    for name, body in re.findall(r"^struct (\w+) \{\n(.*?)\n\};", text, flags=re.M | re.S):
        yield name, members(body)


def constants(text):
    for body in re.findall(r"^enum \w+ \{(.*?)\};", text, flags=re.M | re.S):
        yield from re.findall(r"\b([A-Z]\w+)\b\s*(?:=|,|$)", body.strip())


def program(headers, texts):
    lines = ["#include <stddef.h>", "#include <stdio.h>"] + ["#include <%s>" % h for h in headers] + ["int main(void) {"]
    for text in texts:
        for name in constants(text):
            lines.append('printf("%s %%d\\n", (int)%s);' % (name, name))
        for name, names in structs(text):
            for member in names:
                lines.append('printf("%s.%s %%zu\\n", offsetof(struct %s, %s));' % (name, member, name, member))
            if names[:1] != ["size"]:
                lines.append('printf("sizeof %s %%zu\\n", sizeof(struct %s));' % (name, name))
    return "\n".join(lines + ["return 0; }"])


def main():
    include, subfolder = sys.argv[1:]
    names = [n for n in sorted(os.listdir(os.path.join(include, subfolder))) if n.endswith(".h") and n not in INTERNAL]
    texts = []
    for name in names:
        with open(os.path.join(include, subfolder, name), encoding="utf-8") as file:
            texts.append(plain(file.read()))
    for text in texts:
        for function in functions(text):
            print(function)
    with tempfile.TemporaryDirectory() as folder:
        binary = os.path.join(folder, "layout")
        subprocess.run(["gcc", "-std=c11", "-I", include, "-x", "c", "-", "-o", binary], check=True, text=True,
                       input=program([subfolder + "/" + n for n in names], texts))
        sys.stdout.flush()
        subprocess.run([binary], check=True)


if __name__ == "__main__":
    main()
