#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""grep_oracle.py SOURCE CORPUS MAX

Copies up to MAX text files of SOURCE into the folder CORPUS, and prints ten words of them, from frequent to rare, each with
the files that it stands in: "WORD<tab>FILE<tab>FILE ...", sorted. Words are cut by a few lines of Python's own, not by
anything of the server.
"""
import collections
import os
import re
import sys
import unicodedata

WORDS = 10
BYTES_MAX = 200_000
# Files whose text is not what is in them.
MARKED_UP = (".gz", ".html", ".htm", ".xhtml", ".xml", ".svg", ".pdf", ".eml", ".md", ".js", ".css", ".json")


def words_of(text):
    text = unicodedata.normalize("NFKD", text.casefold())
    return set(re.findall(r"[a-z]{3,20}", "".join(c for c in text if not unicodedata.combining(c))))


def text_files(source):
    for folder, folders, names in os.walk(source):
        folders.sort()
        for name in sorted(names):
            path = os.path.join(folder, name)
            if os.path.islink(path) or name.endswith(MARKED_UP):
                continue
            try:
                with open(path, "rb") as file:
                    content = file.read(BYTES_MAX + 1)
                text = content.decode("utf-8")
            except (OSError, UnicodeDecodeError):
                continue
            # Letters and digits together, and other scripts, make words that this does not cut.
            if 0 < len(content) <= BYTES_MAX and "\0" not in text and text.isascii():
                yield re.sub(r"[^A-Za-z0-9.]", "-", os.path.relpath(path, source)), content, text


def main():
    source, corpus, most = sys.argv[1], sys.argv[2], int(sys.argv[3])
    places = collections.defaultdict(list)
    for number, (name, content, text) in enumerate(text_files(source)):
        if number == most:
            break
        name = "%04d-%s" % (number, name[-80:])
        with open(os.path.join(corpus, name), "wb") as file:
            file.write(content)
        for word in words_of(text):
            places[word].append(name)
        # What stands beside a digit is part of another word.
        for word in set(re.findall(r"[a-z]*(?:[0-9]+[a-z]+|[a-z]+[0-9]+)[a-z0-9]*", text.casefold())):
            for part in re.findall(r"[a-z]{3,20}", word):
                places.pop(part, None)
                places.setdefault(part, []).append(None)
    usable = sorted((word for word in places if None not in places[word]), key=lambda word: (-len(places[word]), word))
    for i in range(WORDS):
        word = usable[round(len(usable) ** (i / (WORDS - 1))) - 1]
        print("\t".join([word] + sorted(places[word])))


main()
