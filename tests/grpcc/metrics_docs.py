#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""metrics_docs.py DOC PORT PREFIX...: what a server tells at /metrics is what the tables of DOC say, as far as names begin
with one of PREFIX. Prometheus' own parser reads it."""

import http.client
import re
import sys

from prometheus_client.parser import text_string_to_metric_families

_ROW = re.compile(
    r"^\| `([a-z][a-z_0-9.]*)` \| `([a-z_0-9]+)` \| (counter|gauge|histogram) \| ([^|]*) \| ([^|]*) \| (.*) \|$")
# Labels whose values are few, so that the row names all of them.
_SPELT_OUT = {"grpcc_reason", "comb_kind", "comb_result"}


def documented(path, prefixes):
    """Prometheus' name -> (kind, labels) of each row, and name -> what it means."""
    rows, meanings = {}, {}
    with open(path, encoding="utf-8") as file:
        for line in file:
            row = _ROW.match(line)
            if row and row.group(1).startswith(prefixes):
                labels = frozenset(re.findall(r"`([^`]+)`", row.group(5)))
                rows[row.group(2)] = (row.group(3), frozenset(label.replace(".", "_") for label in labels))
                meanings[row.group(2)] = row.group(6)
    return rows, meanings


def fetch(port, path):
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    connection.request("GET", path)
    response = connection.getresponse()
    if response.status != 200:
        sys.exit("%s: %d %s" % (path, response.status, response.reason))
    return response.headers["Content-Type"], response.read().decode("utf-8")


def exposed(text):
    """The same of what is told; of metrics without a series, labels None."""
    told = {}
    for family in text_string_to_metric_families(text):
        name = family.name + "_total" if family.type == "counter" else family.name
        labels = {frozenset(s.labels) - {"le"} for s in family.samples}
        if len(labels) > 1:
            sys.exit("%s: series with different labels: %s" % (name, labels))
        told[name] = (family.type, labels.pop() if labels else None)
    return told


def unexplained(text, meanings):
    """Values of labels that the row of their metric does not name."""
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            for label in _SPELT_OUT & set(sample.labels):
                if "`%s`" % sample.labels[label] not in meanings.get(sample.name, ""):
                    yield "%s: %s=%s is not explained" % (sample.name, label, sample.labels[label])


def main():
    doc, port, prefixes = sys.argv[1], int(sys.argv[2]), tuple(sys.argv[3:])
    media_type, text = fetch(port, "/metrics")
    if not media_type.startswith("text/plain; version=0.0.4"):
        sys.exit("/metrics is %s" % media_type)
    rows, meanings = documented(doc, prefixes)
    told = exposed(text)
    told = {name: what for name, what in told.items() if name.startswith(tuple(p.replace(".", "_") for p in prefixes))}
    if not rows:
        sys.exit("%s has no rows of %s" % (doc, prefixes))
    wrong = ["%s is not in %s" % (name, doc) for name in told if name not in rows]
    wrong += ["%s is in %s and is not told" % (name, doc) for name in rows if name not in told]
    for name in rows:
        kind, labels = told.get(name, rows[name])
        if kind != rows[name][0]:
            wrong.append("%s is a %s, and a %s in %s" % (name, kind, rows[name][0], doc))
        if labels is not None and labels != rows[name][1]:
            wrong.append("%s has the labels %s, and %s in %s" % (name, sorted(labels), sorted(rows[name][1]), doc))
    wrong += unexplained(text, meanings)
    print("%d metrics, %d wrong" % (len(rows), len(wrong)))
    sys.exit("\n".join(wrong) if wrong else 0)


if __name__ == "__main__":
    main()
