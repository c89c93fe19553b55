# SPDX-License-Identifier: Apache-2.0
"""api/api.lock: what of our .proto files is on the wire or in the ABI of the generated C, to which may only be added.

usage: api_lock.py test|update PROTOC TREE LOCK

Fields and methods keep their order too: the generated structs have them in order of declaration, so that a program
built on an older header goes on working only where new ones come last.  `bazel run //tests/house:update_api_lock`
takes additions over; what it refuses is a breaking change and needs the line to be taken out of the lock by hand.
"""

import sys

from descriptors import compile_all, facts_of

HEAD = "# On the wire and in the ABI. Only additions: bazel run //tests/house:update_api_lock\n"


def facts_now(protoc, tree):
    facts = {}
    for file in compile_all(protoc, tree).file:
        if not file.name.startswith("google/protobuf/"):
            for container, entries in facts_of(file).items():
                facts.setdefault(container, {}).update(entries)
    return facts


def write(facts):
    lines = []
    for container in sorted(facts):
        lines.append("\n%s\n" % container)
        lines += ["    %s = %s\n" % entry for entry in facts[container].items()]
    return HEAD + "".join(lines)


def read(text):
    facts, container = {}, None
    for line in text.split("\n"):
        if line.startswith("    "):
            name, fact = line.strip().split(" = ", 1)
            facts[container][name] = fact
        elif line and not line.startswith("#"):
            container = line
            facts[container] = {}
    return facts


def broken(locked, now):
    """What the lock has and the files no longer have, or have elsewhere."""
    complaints = []
    for container, entries in locked.items():
        present = now.get(container)
        if present is None:
            complaints.append("%s is gone" % container)
            continue
        for name, fact in entries.items():
            if present.get(name) != fact:
                complaints.append("%s: %s = %s is now %s" % (container, name, fact, present.get(name)))
        if not container.startswith("enum ") and list(present)[:len(entries)] != list(entries) and \
                all(name in present for name in entries):
            complaints.append("%s: new ones come last, and none changes its place" % container)
    return complaints


def self_test():
    """The lock sees what it is for."""
    locked = {"message a.B": {"x": "1 string", "y": "2 int32"}, "enum a.E": {"E_A": "0"}}

    def now(**changes):
        return {"message a.B": changes.get("b", locked["message a.B"]), "enum a.E": changes.get("e", locked["enum a.E"])}

    assert broken(locked, now()) == []
    assert broken(locked, now(b={"x": "1 string", "y": "2 int32", "z": "3 bool"})) == []
    assert broken(locked, now(e={"E_B": "1", "E_A": "0"})) == []
    assert len(broken(locked, now(b={"x": "1 string"}))) == 1
    assert len(broken(locked, now(b={"x": "1 bytes", "y": "2 int32"}))) == 1
    assert len(broken(locked, now(b={"y": "2 int32", "x": "1 string"}))) == 1
    assert len(broken(locked, now(b={"x": "1 string", "z": "3 bool", "y": "2 int32"}))) == 1
    assert len(broken(locked, {"enum a.E": {"E_A": "0"}})) == 1
    assert read(write(locked)) == locked


def main():
    action, protoc, tree, lock = sys.argv[1:]
    self_test()
    now = facts_now(protoc, tree)
    with open(lock) as f:
        text = f.read()
    complaints = broken(read(text), now)
    for complaint in complaints:
        print("breaks programs: " + complaint)
    if not complaints and write(now) != text:
        if action == "update":
            with open(lock, "w") as f:
                f.write(write(now))
            print("%s written" % lock)
        else:
            print("api/api.lock lacks what is new: bazel run //tests/house:update_api_lock")
            complaints = ["new"]
    sys.exit(1 if complaints else 0)


if __name__ == "__main__":
    main()
