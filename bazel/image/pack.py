#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""pack.py OUT.TAR VERSION PROGRAM...

Makes a container image of programs and of what they need of the machine on which they were built: an OCI image layout
(https://github.com/opencontainers/image-spec, v1.1) in one tar file, which podman, skopeo, docker and containerd read.

Nothing else is in it: no shell, no package manager. Libraries are those that `ldd` names, and those that a program's
note of dlopen (https://uapi-group.org/specifications/specs/elf_dlopen_metadata/) does. The first program is what runs, as
user 65532, over a root file system that may be read-only; it writes below HOME alone. The same inputs give the same bytes.
"""
import gzip
import hashlib
import io
import json
import os
import platform
import re
import subprocess
import sys
import tarfile

USER = 65532  # "nonroot" of other images
HOME = "/var/lib/comb"
CERTIFICATES = "/etc/ssl/certs/ca-certificates.crt"
ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64"}


def run(*words):
    return subprocess.run(words, check=True, stdout=subprocess.PIPE, text=True).stdout


def loader_cache():
    """soname -> path."""
    found = {}
    for line in run("/sbin/ldconfig", "-p").splitlines():
        match = re.match(r"\t(\S+) .*=> (\S+)$", line)
        if match:
            found.setdefault(match[1], match[2])
    return found


def late_libraries(program):
    """Sonames that a program loads when it first needs them."""
    notes = subprocess.run(["readelf", "-p", ".note.dlopen", program], check=True, stdout=subprocess.PIPE,
                           stderr=subprocess.DEVNULL, text=True).stdout
    return [soname for note in re.findall(r"(\[\{.*\}\])", notes) for entry in json.loads(note)
            for soname in entry["soname"]]


def needed(path):
    """Paths of the libraries that the loader maps for a program or a library, the loader itself among them."""
    paths = []
    for line in run("ldd", path).splitlines():
        match = re.match(r"\t(?:\S+ => )?(/\S+) \(0x", line)
        if match:
            paths.append(match[1])
        elif "not found" in line:
            raise SystemExit("pack.py: %s needs a library that is not here: %s" % (path, line.strip()))
    return paths


def in_usr(path):
    """Where a file of Debian lies: /lib is a link to /usr/lib."""
    return path if path.startswith("/usr/") else "/usr" + path


class Layer:
    def __init__(self):
        self.raw = io.BytesIO()
        self.tar = tarfile.open(fileobj=self.raw, mode="w", format=tarfile.GNU_FORMAT)
        self.folders = set()

    def add(self, kind, path, mode, content=b"", target="", owner=0):
        folder = os.path.dirname(path)
        if folder != "/" and folder not in self.folders:
            self.add(tarfile.DIRTYPE, folder, 0o755)
        info = tarfile.TarInfo(path.lstrip("/"))
        info.type, info.mode, info.size, info.linkname = kind, mode, len(content), target
        info.uid = info.gid = owner
        if kind == tarfile.DIRTYPE:
            self.folders.add(path)
        self.tar.addfile(info, io.BytesIO(content))

    def file(self, path, content, mode=0o644):
        self.add(tarfile.REGTYPE, path, mode, content)

    def copy(self, source, path, mode):
        with open(source, "rb") as file:
            self.file(path, file.read(), mode)

    def close(self):
        self.tar.close()
        return self.raw.getvalue()


def base_layer(programs):
    """What changes with the machine: libraries, certificates, the user."""
    cache = loader_cache()
    libraries = set()
    for program in programs:
        for path in [program] + [cache[soname] for soname in late_libraries(program)]:
            libraries.update(needed(path))
            if path != program:
                libraries.add(path)
    layer = Layer()
    for link in sorted({os.path.dirname(path).split("/")[1] for path in libraries} - {"usr"}):
        layer.add(tarfile.SYMTYPE, "/" + link, 0o777, target="usr/" + link)
    for path in sorted(libraries):
        layer.copy(path, in_usr(path), 0o755)
    if os.path.exists(CERTIFICATES):
        layer.copy(CERTIFICATES, CERTIFICATES, 0o644)
    layer.file("/etc/passwd", b"comb:x:%d:%d::%s:/nowhere\n" % (USER, USER, HOME.encode()))
    layer.file("/etc/group", b"comb:x:%d:\n" % USER)
    layer.file("/etc/nsswitch.conf", b"hosts: files dns\n")
    layer.add(tarfile.DIRTYPE, HOME, 0o700, owner=USER)
    layer.add(tarfile.DIRTYPE, "/tmp", 0o1777)
    return layer.close()


def program_layer(programs):
    layer = Layer()
    for program in programs:
        layer.copy(program, "/usr/bin/" + os.path.basename(program), 0o755)
    return layer.close()


class Layout:
    """The files of an image layout."""

    def __init__(self):
        self.files = {"oci-layout": b'{"imageLayoutVersion":"1.0.0"}'}

    def blob(self, media_type, content):
        digest = hashlib.sha256(content).hexdigest()
        self.files["blobs/sha256/" + digest] = content
        return {"mediaType": media_type, "digest": "sha256:" + digest, "size": len(content)}

    def json(self, media_type, value):
        return self.blob(media_type, json.dumps(value, sort_keys=True).encode())

    def write(self, path):
        with tarfile.open(path, "w", format=tarfile.GNU_FORMAT) as tar:
            for name in sorted(self.files):
                info = tarfile.TarInfo(name)
                info.size, info.mode = len(self.files[name]), 0o644
                tar.addfile(info, io.BytesIO(self.files[name]))


def main():
    out, version, *programs = sys.argv[1:]
    layout = Layout()
    layers = [base_layer(programs), program_layer(programs)]
    blobs = [layout.blob("application/vnd.oci.image.layer.v1.tar+gzip", gzip.compress(layer, mtime=0))
             for layer in layers]
    target = {"os": "linux", "architecture": ARCHITECTURES[platform.machine()]}
    config = layout.json("application/vnd.oci.image.config.v1+json", {
        **target,
        "config": {
            "User": "%d:%d" % (USER, USER),
            "Entrypoint": ["/usr/bin/" + os.path.basename(programs[0])],
            "Env": ["COMB_HOME=" + HOME, "SSL_CERT_FILE=" + CERTIFICATES],
            "WorkingDir": "/",
            "StopSignal": "SIGTERM",
            "Labels": {
                "org.opencontainers.image.title": "comb",
                "org.opencontainers.image.version": version,
                # comb-extract is linked with poppler: its binary is under the GPL.
                "org.opencontainers.image.licenses": "Apache-2.0 AND GPL-3.0-or-later",
            },
        },
        "rootfs": {"type": "layers",
                   "diff_ids": ["sha256:" + hashlib.sha256(layer).hexdigest() for layer in layers]},
        "history": [{"created_by": "libraries"}, {"created_by": "comb " + version}],
    })
    manifest = layout.json("application/vnd.oci.image.manifest.v1+json", {
        "schemaVersion": 2,
        "mediaType": "application/vnd.oci.image.manifest.v1+json",
        "config": config,
        "layers": blobs,
    })
    layout.files["index.json"] = json.dumps({
        "schemaVersion": 2,
        "mediaType": "application/vnd.oci.image.index.v1+json",
        "manifests": [{**manifest, "platform": target,
                       "annotations": {"org.opencontainers.image.ref.name": "comb:" + version}}],
    }, sort_keys=True).encode()
    layout.write(out)


main()
