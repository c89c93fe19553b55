#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The parts of our texts that are made from a source, and what holds texts and programs together.

usage: pages.py check|write TREE COMBD COMB COMB-EXTRACT

A text has marked regions: what stands between "generated: NAME" and "end of NAME", each in a comment line, is made by
the function NAME of REGIONS. `write` renews the regions of TREE; `check` prints what differs and ends with 1.
"""

import os
import re
import subprocess
import sys

ERRORS = "api/comb/v1/errors.proto"
PAGES = ("docs/errors.md", "docs/config.md", "docs/man/combd.1", "docs/man/comb.1", "docs/man/comb-extract.1")
ENVIRONMENT = "docs/environment.md"


class Source:
    """What the regions are made from."""

    def __init__(self, tree, combd, comb, extract):
        self.tree = tree
        self.combd = os.path.abspath(combd)
        self.comb = os.path.abspath(comb)
        self.extract = os.path.abspath(extract)

    def text(self, path):
        with open(os.path.join(self.tree, path), encoding="utf-8") as file:
            return file.read()

    def help(self, program):
        return subprocess.run([program, "--help"], check=True, stdout=subprocess.PIPE, text=True).stdout


# ---- what the sources say ----


def reasons(source):
    """(number, name, status, meaning) of each reason of errors.proto."""
    comment, found = [], []
    for line in source.text(ERRORS).split("\n"):
        line = line.strip()
        value = re.match(r"ERROR_REASON_(\w+) = (\d+);", line)
        if line.startswith("//"):
            comment.append(line[2:].strip())
            continue
        if value:
            meaning = re.match(r"\[(\w+)\] (.*)", " ".join(comment))
            if meaning:
                found.append((int(value.group(2)), value.group(1), meaning.group(1), meaning.group(2)))
            elif value.group(2) != "0":
                sys.exit("%s: the comment of %s does not begin with its status in brackets" % (ERRORS, value.group(1)))
        comment = []
    return found


def flags_of(source, program):
    """(flag, value's name or "", meaning, default or "") of each flag of a program."""
    found = []
    for line in source.help(program).split("\n"):
        match = re.match(r"  --([a-z-]+) ?([A-Z]*) +(\S.*)$", line)
        if match:
            meaning = re.match(r"(.*?)(?: \[([^]]*)\])?$", match.group(3))
            found.append((match.group(1), match.group(2), meaning.group(1), meaning.group(2) or ""))
    return found


def combd_flags(source):
    return flags_of(source, source.combd)


# Columns of `comb --help`: where a verb's arguments and its meaning begin.
VERB, ARGUMENTS, MEANING = 2, 13, 52


def comb_verbs(source):
    """(verb, arguments or "", meaning) of each verb of comb."""
    found = []
    for line in source.help(source.comb).split("\noptions:\n")[0].split("\n"):
        if re.match(r"  \S", line):
            verb, arguments, meaning = line[VERB:ARGUMENTS], line[ARGUMENTS:MEANING], line[MEANING:]
            if not (verb.endswith(" ") and arguments.endswith(" ") and meaning):
                sys.exit("comb --help: the columns have moved: %s" % line)
            found.append((verb.strip(), arguments.strip(), meaning))
    return found


def comb_options(source):
    """(option, meaning or "") of each option of comb."""
    text = source.help(source.comb).split("\noptions:\n")[1]
    return [(left, right) for left, right in re.findall(r"(?m)^  (\S.*?)(?:  +(\S.*))?$", text)]


# ---- how they are written ----


def environment_name(flag):
    return "COMB_" + flag.upper().replace("-", "_")


def cell(text):
    return text.replace("|", "\\|")


def errors_table(source):
    yield "| reason | status | number | meaning |"
    yield "|---|---|---|---|"
    for number, name, status, meaning in reasons(source):
        yield "| `%s` | `%s` | %d | %s |" % (name, status, number, cell(meaning))


def flags_table(source):
    yield "| flag | environment | default | meaning |"
    yield "|---|---|---|---|"
    for flag, value, meaning, default in combd_flags(source):
        yield "| `--%s%s` | %s | %s | %s |" % (
            flag, " " + value if value else "",
            "" if flag in ("help", "version") else "`%s`" % environment_name(flag),
            "`%s`" % default if re.match(r"^[\w./:~=-]+$", default) else default, cell(meaning))


def mdoc(text):
    """text as a line of mdoc: no escape, no macro."""
    text = text.replace("\\", "\\e").replace("~", "\\(ti").replace("--", "\\-\\-")
    return "\\&" + text if text[0] in ".'" else text


def list_of(flags):
    yield ".Bl -tag -width Ds"
    for flag, value, meaning, default in flags:
        yield ".It Fl -%s%s" % (flag, " Ar " + value if value else "")
        yield mdoc(meaning[0].upper() + meaning[1:] + ".")
        if default:
            yield mdoc("Default: %s." % default)
    yield ".El"


def flags_list(source):
    return list_of(combd_flags(source))


def extract_flags_list(source):
    return list_of(flags_of(source, source.extract))


def verbs_list(source):
    yield ".Bl -tag -width Ds"
    for verb, arguments, meaning in comb_verbs(source):
        yield ".It Cm %s%s" % (verb, " No " + mdoc(arguments).replace("|", "\\(ba") if arguments else "")
        yield mdoc(meaning[0].upper() + meaning[1:] + ".")
    yield ".El"


def options_list(source):
    yield ".Bl -tag -width Ds"
    for option, meaning in comb_options(source):
        yield ".It %s" % mdoc(option)
        if meaning:
            yield mdoc(meaning[0].upper() + meaning[1:] + ".")
    yield ".El"


REGIONS = {
    "errors": errors_table,
    "flags table": flags_table,
    "flags": flags_list,
    "extract flags": extract_flags_list,
    "verbs": verbs_list,
    "options": options_list,
}

_BEGIN = re.compile(r'^(?:<!-- |\.\\" )generated: ([a-z ]+?)(?: -->)?$')


def renewed(source, path):
    """The text of path with its regions made anew."""
    lines, skipping = [], None
    for line in source.text(path).split("\n"):
        if skipping:
            if "end of " + skipping not in line:
                continue
            skipping = None
        lines.append(line)
        begin = _BEGIN.match(line)
        if begin:
            skipping = begin.group(1)
            lines += REGIONS[skipping](source)
    if skipping:
        sys.exit("%s: the region %s does not end" % (path, skipping))
    return "\n".join(lines)


# ---- checks ----


def check_pages(source):
    for path in PAGES:
        if not any(_BEGIN.match(line) for line in source.text(path).split("\n")):
            yield "%s: has no generated region" % path
        if renewed(source, path) != source.text(path):
            yield "%s: is not what its source says; renew it: bazel run //docs:update" % path


def check_man(source):
    for path in PAGES:
        if path.endswith(".1"):
            run = subprocess.run(["mandoc", "-T", "lint", "-W", "warning", os.path.join(source.tree, path)],
                                 stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
            for line in run.stdout.splitlines():
                yield line.replace("mandoc: " + source.tree + "/", "")


def walk(source, folders, endings):
    for folder in folders:
        for place, _, names in os.walk(os.path.join(source.tree, folder), followlinks=True):
            for name in sorted(names):
                if name.endswith(endings):
                    yield os.path.relpath(os.path.join(place, name), source.tree)


def check_environment(source):
    """Each variable that a program reads, flags apart, is in the page about variables."""
    page = source.text(ENVIRONMENT)
    known = {environment_name(flag) for flag, _, _, _ in combd_flags(source)}
    for path in walk(source, ("client", "server", "gen"), (".c", ".h")):
        for name in re.findall(r'"(COMB_[A-Z_]+)"', source.text(path)):
            if name not in known and "`%s`" % name not in page:
                yield "%s: %s is not in %s" % (path, name, ENVIRONMENT)


def check_labels(source):
    """The targets that texts name are there; NAME_DRIVER_test is made by contract_tests(NAME)."""
    drivers = "|".join(re.findall(r'"(\w+)": struct\(', source.text("bazel/drivers.bzl")))
    pages = ["README.md"] + list(walk(source, ("docs",), (".md",)))
    for path in pages:
        for package, name in re.findall(r"(?<![\w:/@])//([a-z][\w/]*)(?::([\w-]+))?(?![\w:/.…-])", source.text(path)):
            build = os.path.join(package, "BUILD")
            if not os.path.exists(os.path.join(source.tree, build)):
                yield "%s: there is no package //%s" % (path, package)
            elif name:
                given = re.sub(r"_(?:%s)_test$" % drivers, "", name)
                unit = os.path.exists(os.path.join(source.tree, package, name + ".c"))
                if not unit and not re.search(r'"(?:%s|%s)(?:\.\w+)?"' % (name, re.escape(given)), source.text(build)):
                    yield "%s: there is no target //%s:%s" % (path, package, name)


def main():
    action, source = sys.argv[1], Source(*sys.argv[2:])
    if action == "write":
        for path in PAGES:
            text = renewed(source, path)
            with open(os.path.join(source.tree, path), "w", encoding="utf-8") as file:
                file.write(text)
        return
    findings = []
    for check in (check_pages, check_man, check_environment, check_labels):
        findings += check(source)
    for finding in findings:
        print(finding)
    counts = [len(read(source)) for read in (reasons, combd_flags, comb_verbs, comb_options)]
    print("%d findings; %d reasons, %d flags, %d verbs, %d options" % (len(findings), *counts))
    if not all(counts):
        findings.append("a source is empty")
    sys.exit(1 if findings else 0)


if __name__ == "__main__":
    main()
