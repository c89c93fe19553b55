# SPDX-License-Identifier: Apache-2.0
"""The house checks that read text: each takes a Tree and yields Findings.  checks_test.py seeds every one of them."""

import ast
import posixpath
import re
import subprocess

from tree import C_FILES, Finding

LICENCE = "SPDX-License-Identifier: Apache-2.0"
LICENCE_WITHIN_LINES = 3
FUNCTION_LINES_MAX = 70
FUNCTION_COMPLEXITY_MAX = 15
FILE_MAX_BYTES = 512 * 1024


def check_format(tree, style):
    """clang-format-14 has nothing to change."""
    paths = tree.paths(C_FILES)
    for start in range(0, len(paths), 50):
        run = subprocess.run(
            ["clang-format-14", "--style=file:" + style, "--dry-run"] + paths[start:start + 50],
            cwd=tree.root, stderr=subprocess.PIPE, text=True)
        for path, line in sorted(set(re.findall(r"(?m)^([^:\n]+):(\d+):\d+: warning:", run.stderr))):
            yield Finding(path, int(line), "not as clang-format-14 -i writes it")
        if run.returncode != 0:
            yield Finding(paths[start], 1, "clang-format-14 failed: " + run.stderr[-500:])


def check_licence(tree):
    """Every source file and script names its licence at the top."""
    for path in tree.paths():
        text = tree.text(path)
        if path.endswith((".bzl", ".c", ".h", ".proto", ".py", ".sh", ".sql")) or text.startswith("#!"):
            if not any(LICENCE in line for line in text.split("\n")[:LICENCE_WITHIN_LINES]):
                yield Finding(path, 1, "no line '%s' at the top" % LICENCE)


# Words that are right in their place and that codespell takes for others: halves of words in tests and patterns, and how
# others spelled a name on the wire.
SPELLED_RIGHT = "compressable,fo,nd,ot,te"


def check_spelling(tree):
    """codespell knows no word as a slip."""
    run = subprocess.run(["codespell", "--ignore-words-list=" + SPELLED_RIGHT] + _prose(tree),
                         cwd=tree.root, stdout=subprocess.PIPE, text=True)
    for path, line, slip in re.findall(r"(?m)^(?:\./)?([^:\n]+):(\d+): (.*)$", run.stdout):
        yield Finding(path, int(line), slip)


def _prose(tree):
    return [p for p in tree.paths() if "_corpus/" not in p and b"\0" not in tree.bytes(p)]


def check_shell(tree):
    """shellcheck has nothing to say about the scripts."""
    scripts = [p for p in tree.paths() if p.endswith(".sh") or re.match(r"#!.*\b(ba)?sh\b", tree.text(p)[:80])]
    if not scripts:
        return
    run = subprocess.run(["shellcheck", "--external-sources", "--source-path=SCRIPTDIR", "--severity=warning",
                          "--format=gcc"] + scripts,
                         cwd=tree.root, stdout=subprocess.PIPE, text=True)
    for path, line, text in re.findall(r"(?m)^([^:\n]+):(\d+):\d+: (.*)$", run.stdout):
        yield Finding(path, int(line), text)


BANNED = {
    "alloca": "its failure is a crash",
    "asctime": "not thread-safe; strftime",
    "atof": "cannot tell an error; strtod",
    "atoi": "cannot tell an error; strtol",
    "atol": "cannot tell an error; strtol",
    "atoll": "cannot tell an error; strtoll",
    "ctime": "not thread-safe; strftime",
    "gets": "unbounded",
    "gmtime": "not thread-safe; gmtime_r",
    "localtime": "not thread-safe; localtime_r",
    "mktemp": "races; mkstemp",
    "popen": "starts a shell; posix_spawn",
    "rand": "not random, not thread-safe; getrandom",
    "srand": "not random, not thread-safe; getrandom",
    "sprintf": "unbounded; snprintf",
    "strcat": "unbounded",
    "strcpy": "unbounded",
    "strncat": "easily wrong by one",
    "strncpy": "may leave no terminator",
    "strtok": "not thread-safe, changes its input",
    "system": "starts a shell; posix_spawn",
    "tmpnam": "races; mkstemp",
    "vsprintf": "unbounded; vsnprintf",
}
_BANNED = re.compile(r"(?<![\w.>])(%s)\s*\(" % "|".join(BANNED))


# A test may start a shell: what it gives it is its own.
ALLOWED_IN_TESTS = ("popen", "system")


def check_banned(tree):
    """No function that cannot be used safely."""
    for path in tree.paths(C_FILES):
        for number, line in enumerate(tree.code_lines(path), 1):
            for match in _BANNED.finditer(line):
                if path.startswith("tests/") and match.group(1) in ALLOWED_IN_TESTS:
                    continue
                yield Finding(path, number, "%s() is banned: %s" % (match.group(1), BANNED[match.group(1)]))


_BRANCH = re.compile(r"\b(?:if|for|while|switch)\b|\?")
_NAME = re.compile(r"(\w+)\s*\(")


def functions(tree, path):
    """(name, first line, lines, complexity) of each function: with our layout its body is between { and } in column 0.

    Complexity is McCabe's over statements: one more than the branches, a switch being one branch.
    """
    lines = tree.code_lines(path)
    start = None
    for number, line in enumerate(lines):
        if line.rstrip() == "{":
            start = number
        elif line.startswith("}") and start is not None:
            first = start
            while first > 0 and lines[first - 1].strip() and not lines[first - 1].rstrip().endswith((";", "}")) \
                    and not lines[first - 1].startswith("#"):
                first -= 1
            name = _NAME.search(" ".join(lines[first:start]))
            if name and line.rstrip() == "}":
                body = "\n".join(lines[start:number])
                yield name.group(1), first + 1, number - first + 1, 1 + len(_BRANCH.findall(body))
            start = None


def check_functions(tree):
    """Functions that fit a screen and a head."""
    for path in tree.paths((".c", ".h")):
        for name, line, length, complexity in functions(tree, path):
            if length > FUNCTION_LINES_MAX:
                yield Finding(path, line, "%s() has %d lines, at most %d" % (name, length, FUNCTION_LINES_MAX))
            if complexity > FUNCTION_COMPLEXITY_MAX:
                yield Finding(path, line,
                              "%s() has complexity %d, at most %d" % (name, complexity, FUNCTION_COMPLEXITY_MAX))


# The first of a pair is written in two halves so that this file does not find itself.
_WORDS = [
    (r"\bTO" r"DO\b|\bFIX" r"ME\b|\bX" r"XX\b|\bHA" r"CK\b|\bW" r"IP\b", "do it, or leave it and file an issue"),
    (r"(?i)\bnot implemented ye" r"t\b|\bfor no" r"w\b(?=[,.;:)]|$)", "no stub is called done"),
    (r"(?<![\w/.])/(?:ho" r"me/(?!me/)|ro" r"ot/|var/tmp/co" r"mb/|wo" r"rk/(?:main|shared|wt)\b)", "a path of one machine"),
]


def check_words(tree):
    """No leftovers, no paths of one machine, nothing binary or huge outside of corpora."""
    for path in tree.paths():
        data = tree.bytes(path)
        if len(data) > FILE_MAX_BYTES:
            yield Finding(path, 1, "%d bytes: generated things are not committed" % len(data))
        if "_corpus/" in path:
            continue
        if b"\0" in data:
            yield Finding(path, 1, "binary")
            continue
        for number, line in enumerate(data.decode("utf-8", errors="replace").split("\n"), 1):
            for pattern, why in _WORDS:
                match = re.search(pattern, line)
                if match:
                    yield Finding(path, number, "'%s': %s" % (match.group(0), why))


_LINK = re.compile(r"\]\(([^)#\s]+)(?:#[^)]*)?\)")
DOCS_INDEX = "docs/README.md"


def check_links(tree):
    """Links between our texts lead somewhere, and the index of docs/ has every text of it."""
    paths = set(tree.paths())
    folders = {p.rsplit("/", n)[0] for p in paths for n in range(1, p.count("/") + 1)}
    linked = set()
    for path in tree.paths((".md",)):
        for number, line in enumerate(tree.lines(path), 1):
            for target in _LINK.findall(line):
                if "://" in target or target.startswith("mailto:"):
                    continue
                full = posixpath.normpath(posixpath.join(posixpath.dirname(path), target))
                if path == DOCS_INDEX:
                    linked.add(full)
                if full not in paths and full not in folders and full not in TOP_FILES:
                    yield Finding(path, number, "the link to %s leads nowhere" % target)
    for path in sorted(paths):
        if path.startswith("docs/") and path.endswith(".md") and path != DOCS_INDEX and path not in linked:
            yield Finding(path, 1, "%s does not link it" % DOCS_INDEX)


_RAW_RULE = re.compile(r"^\s*(?:native\.)?(cc_library|cc_binary|cc_test|sh_test)\s*\(")
_BAD_TAG = re.compile(r"""["'](flaky|local|no-sandbox|exclusive|external)["']|\bflaky\s*=""")


def _rule_text(lines):
    """The rule that begins at the first line, to its closing bracket."""
    depth, text = 0, []
    for line in lines:
        code = line.split("#")[0]
        text.append(code)
        depth += code.count("(") - code.count(")")
        if depth <= 0:
            break
    return "\n".join(text)


def check_build_files(tree):
    """BUILD files use the macros of bazel/, which carry warnings and sandbox, and no test leaves its sandbox."""
    for path in tree.paths():
        name = path.split("/")[-1]
        if name == "BUILD.bazel":
            yield Finding(path, 1, "build files are called BUILD here")
        if name != "BUILD":
            continue
        lines = tree.lines(path)
        for number, line in enumerate(lines, 1):
            code = line.split("#")[0]
            rule = _RAW_RULE.match(code)
            # A bundle of other libraries compiles nothing: cc_library without srcs is fine.
            if rule and rule.group(1) != "sh_test" and "srcs" in _rule_text(lines[number - 1:]):
                yield Finding(path, number, "%s: use the macro of //bazel:cc.bzl" % rule.group(1))
            if rule and rule.group(1) == "sh_test" and "block-network" not in _rule_text(lines[number - 1:]):
                yield Finding(path, number, "sh_test without the tag block-network: ports would collide")
            tag = _BAD_TAG.search(code)
            if tag:
                yield Finding(path, number, "%s: a test runs in its sandbox, cached, beside others" % tag.group(0))


def check_apt_lists(tree):
    """bazel/system.bzl and the two lists of packages name the same ones, each once, sorted."""
    listed = {}
    for name in ("bazel/apt-run.txt", "bazel/apt-test.txt"):
        last = ""
        for number, line in enumerate(tree.lines(name), 1):
            package = line.split("#")[0].strip()
            if not package:
                continue
            if package in listed:
                yield Finding(name, number, "%s is in %s already" % (package, listed[package]))
            if package < last:
                yield Finding(name, number, "%s is out of order" % package)
            listed[package], last = name, package
    wanted = {}
    for node in ast.parse(tree.text("bazel/system.bzl")).body:
        if isinstance(node, ast.Assign) and node.targets[0].id in ("LIBRARIES", "PROGRAMS", "PROTOS"):
            for key, value in ast.literal_eval(node.value).items():
                wanted[value[1]] = (node.lineno, key)
    if not wanted:
        yield Finding("bazel/system.bzl", 1, "no package found in it")
    for package, (line, key) in sorted(wanted.items()):
        if package not in listed:
            yield Finding("bazel/system.bzl", line, "%s of '%s' is in neither list of packages" % (package, key))


TOP_FOLDERS = {".ci", "api", "bazel", "client", "docs", "gen", "server", "tests"}
TOP_FILES = {
    ".bazelrc", ".bazelrc.user", ".clang-format", ".clang-tidy", ".editorconfig", ".gitattributes", ".gitignore",
    "BUILD", "CHANGELOG.md", "CONTRIBUTING.md", "LICENSE", "README.md", "SECURITY.md", "WORKSPACE",
    "compile_commands.json",
}


def check_top(names):
    """The top of the repository holds what DESIGN names and nothing else."""
    for name in sorted(names):
        if name not in TOP_FOLDERS | TOP_FILES:
            yield Finding(name, 1, "does not belong at the top of the repository")
