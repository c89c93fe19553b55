#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What real_files_test.sh needs beside the shell.

real_files.py collect FOLDER COMB_EXTRACT MAX
    Puts documents into FOLDER: up to MAX PDFs, office files, mails and pages of this machine's packages (and of the folder
    COMB_REAL_FILES), and a few that it makes. Prints ten words of what comb-extract takes out of them, from frequent to rare,
    each with the files that have it: "WORD<tab>FILE<tab>FILE ...", sorted. Then, after an empty line, the files of which not
    all is read, each with comb-extract's outcome and reason.
real_files.py fresh COMB FOLDER PREFIX N
    Puts N files into the remote FOLDER, one after the other, each with a word of its own, and asks for the word until it is
    found. Prints the milliseconds from the end of each upload, sorted.
"""
import collections
import email.message
import os
import re
import subprocess
import sys
import tempfile
import time
import unicodedata
import zipfile

WORDS = 10
KINDS = (".pdf", ".docx", ".xlsx", ".pptx", ".odt", ".ods", ".odp", ".eml", ".mbox", ".html")
# Pages are everywhere: they leave room for the others.
SHARE_OF_PAGES = 0.5
# Far from what comb-extract's limits of time end, on a busy machine too.
FILE_BYTES_MAX = 2 << 20
# Well below what the index keeps of a text.
TEXT_BYTES_MAX = 200_000
FOUND_S_MAX = 60


def documents(most):
    """Paths of files, those of the rarer kinds first."""
    pages, others = [], []
    for source in ["/usr/share", "/usr/lib/python3"] + [os.environ[k] for k in ["COMB_REAL_FILES"] if k in os.environ]:
        for folder, folders, names in os.walk(source):
            folders.sort()
            for name in sorted(names):
                path = os.path.join(folder, name)
                if not name.lower().endswith(KINDS) or os.path.islink(path) or not os.access(path, os.R_OK):
                    continue
                if 0 < os.path.getsize(path) <= FILE_BYTES_MAX:
                    (pages if name.endswith(".html") else others).append(path)
    return (others + pages[: int(most * SHARE_OF_PAGES)])[:most]


def package(path, entries):
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in entries:
            archive.writestr(name, content)


def make(folder):
    """One of each kind, and some that cannot be read."""
    word = "<w:document xmlns:w='urn:w'><w:body><w:p><w:r><w:t>%s</w:t></w:r></w:p></w:body></w:document>"
    package(folder + "/made-letter.docx", [("[Content_Types].xml", "<Types/>"),
                                           ("word/document.xml", word % "a pangolin writes to the tapir")])
    package(folder + "/made-notes.odt",
            [("mimetype", "application/vnd.oasis.opendocument.text"),
             ("content.xml", "<office:document-content xmlns:office='urn:o' xmlns:text='urn:t'><office:body><office:text>"
              "<text:p>the tapir answers</text:p></office:text></office:body></office:document-content>")])
    mail = email.message.EmailMessage()
    mail["Subject"], mail["From"], mail["To"] = "axolotl", "anna@example.org", "bert@example.org"
    mail.set_content("The tapir is in the attachment.\n")
    with open(folder + "/made-letter.docx", "rb") as letter:
        mail.add_attachment(letter.read(), maintype="application", filename="letter.docx",
                            subtype="vnd.openxmlformats-officedocument.wordprocessingml.document")
    with open(folder + "/made-mail.eml", "wb") as out:
        out.write(mail.as_bytes())
    with open(folder + "/made-damaged.pdf", "wb") as out:
        out.write(b"%PDF-1.4\nnothing that follows\n")
    with open(folder + "/made-damaged.docx", "wb") as out:
        out.write(b"PK\x03\x04 and then nothing that a zip has")
    package(folder + "/made-bomb.docx", [("[Content_Types].xml", "<Types/>"),
                                         ("word/document.xml", "<!DOCTYPE w [<!ENTITY a 'a'>]>" + word % "&a;")])


def runs(text):
    """What stands without a blank or mark between: letters, digits, and what belongs to them."""
    run = []
    for c in unicodedata.normalize("NFKD", text.casefold()) + " ":
        category = unicodedata.category(c)
        if category[0] in "LNM" or category == "Cf":
            run.append(c)
        elif run:
            yield "".join(run)
            run = []


def collect(folder, extract, most):
    make(folder)
    for number, path in enumerate(documents(most)):
        name = "%04d-%s" % (number, re.sub(r"[^A-Za-z0-9.]", "-", os.path.basename(path))[-80:])
        with open(path, "rb") as source, open(os.path.join(folder, name), "wb") as out:
            out.write(source.read())
    places, unusable, unread = collections.defaultdict(set), set(), []
    for name in sorted(os.listdir(folder)):
        path = os.path.join(folder, name)
        done = subprocess.run([extract, path], capture_output=True)
        if len(done.stdout) > TEXT_BYTES_MAX:
            os.unlink(path)
            continue
        complaint = re.search(r": (\w+) \(([a-z-]+)\): ", done.stderr.decode())
        if complaint:
            unread.append((name, {"truncated": "cut"}.get(complaint[1], complaint[1]), complaint[2]))
        elif done.returncode != 0:
            unread.append((name, "unsupported", "-"))
        for run in runs(done.stdout.decode()):
            if re.fullmatch("[a-z]{3,20}", run):
                places[run].add(name)
            else:
                # How such a word is cut is the server's matter.
                unusable.update(re.findall("[a-z]{3,20}", run))
    usable = sorted(set(places) - unusable, key=lambda word: (-len(places[word]), word))
    for i in range(WORDS):
        word = usable[round(len(usable) ** (i / (WORDS - 1))) - 1]
        print("\t".join([word] + sorted(places[word])))
    print()
    for line in unread:
        print("%s\t%s\t%s" % line)


def fresh(comb, folder, prefix, n):
    took = []
    with tempfile.TemporaryDirectory() as place:
        for number in range(n):
            word = "fresh%s%d" % (prefix, number)
            path = os.path.join(place, "%s.txt" % prefix)
            with open(path, "w", encoding="ascii") as out:
                out.write("what is new: %s\n" % word)
            subprocess.run([comb, "put", path, "%s/%s-%d.txt" % (folder, prefix, number)], check=True, stdout=subprocess.DEVNULL)
            begin = time.monotonic()
            while not subprocess.run([comb, "find", "content:" + word], check=True, capture_output=True).stdout:
                if time.monotonic() - begin > FOUND_S_MAX:
                    sys.exit("%s is not found" % word)
            took.append(round((time.monotonic() - begin) * 1000))
    print(*sorted(took))


if sys.argv[1] == "collect":
    collect(sys.argv[2], sys.argv[3], int(sys.argv[4]))
else:
    fresh(sys.argv[2], sys.argv[3], sys.argv[4], int(sys.argv[5]))
