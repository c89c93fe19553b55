#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""image_test.py IMAGE COMB

The container image is whole, and holds nothing but what runs: its layout is checked, unpacked, and its program started in
namespaces, as its user, over a root file system that is read-only but for the home and /tmp.
"""
import hashlib
import json
import os
import subprocess
import sys
import tarfile
import tempfile
import time

START_S = 60
FIND_S = 120


def read_layout(path):
    """name -> bytes, each blob checked against its digest."""
    with tarfile.open(path) as tar:
        files = {info.name: tar.extractfile(info).read() for info in tar.getmembers()}
    for name, content in files.items():
        if name.startswith("blobs/sha256/"):
            assert name == "blobs/sha256/" + hashlib.sha256(content).hexdigest(), name
    assert json.loads(files["oci-layout"]) == {"imageLayoutVersion": "1.0.0"}
    return files


def blob(files, descriptor):
    content = files["blobs/" + descriptor["digest"].replace(":", "/")]
    assert len(content) == descriptor["size"], descriptor
    return content


def unpack(files, root):
    """The configuration of the image, whose layers are below root then."""
    manifest = json.loads(blob(files, json.loads(files["index.json"])["manifests"][0]))
    config = json.loads(blob(files, manifest["config"]))
    for descriptor, diff_id in zip(manifest["layers"], config["rootfs"]["diff_ids"], strict=True):
        layer = os.path.join(root, "layer")
        with open(layer, "wb") as file:
            file.write(blob(files, descriptor))
        raw = subprocess.run(["gzip", "-dc", layer], check=True, stdout=subprocess.PIPE, timeout=60).stdout
        assert diff_id == "sha256:" + hashlib.sha256(raw).hexdigest()
        subprocess.run(["tar", "-xz", "--no-same-owner", "-C", root, "-f", layer], check=True, timeout=60)
        os.remove(layer)
    return config["config"]


def check_contents(root):
    """No shell, no interpreter, nothing with the rights of another user."""
    programs = os.listdir(os.path.join(root, "usr/bin"))
    assert sorted(programs) == ["comb-extract", "combd"], programs
    for folder, _, names in os.walk(root):
        for name in names:
            path = os.path.join(folder, name)
            assert os.path.islink(path) or os.stat(path).st_mode & 0o6022 == 0, path


# In a mount namespace: the root read-only, /proc and /dev/null as all containers have them, a home and a /tmp of its own;
# then in a user namespace as the image's user, who has no rights beyond his own.
START = """
set -e
root=$1 uid=$2
shift 2
mount --bind "$root" "$root"
mkdir "$root/proc" "$root/dev"
: >"$root/dev/null"
mount --rbind /proc "$root/proc"
mount --bind /dev/null "$root/dev/null"
mount -t tmpfs -o mode=0777,size=256m tmpfs "$root/var/lib/comb"
mount -t tmpfs -o mode=1777,size=16m tmpfs "$root/tmp"
mount -o remount,bind,ro "$root"
if touch "$root/usr/bin/x" 2>/dev/null; then echo "the root can be written" >&2; exit 1; fi
exec unshare --user --map-user="$uid" --map-group="$uid" --root="$root" "$@"
"""


def start(root, config):
    uid = config["User"].split(":", maxsplit=1)[0]
    assert int(uid) != 0
    command = ["unshare", "--user", "--map-root-user", "--mount", "sh", "-c", START, "sh", root, uid, *config["Entrypoint"]]
    command += ["--listen", "127.0.0.1:0", "--admin-listen", "127.0.0.1:0", "--ready-file", "/var/lib/comb/ready"]
    environment = dict(pair.split("=", 1) for pair in config["Env"])
    return subprocess.Popen(command, env={"PATH": os.environ["PATH"], **environment})


def inside(process, path):
    """A file as the process sees it."""
    return "/proc/%d/root%s" % (process.pid, path)


def wait_ready(process):
    deadline = time.monotonic() + START_S
    while time.monotonic() < deadline:
        assert process.poll() is None, "combd ended with %d" % process.returncode
        try:
            with open(inside(process, "/var/lib/comb/ready"), encoding="utf-8") as file:
                lines = dict(line.split("=", 1) for line in file.read().splitlines())
                if "listen" in lines:
                    return lines["listen"]
        except OSError:
            pass
        time.sleep(0.05)
    raise SystemExit("combd does not serve")


def find_content(comb, environment, folder):
    """comb-extract, which is confined further, reads what is put."""
    path = os.path.join(folder, "letter.txt")
    with open(path, "w", encoding="utf-8") as file:
        file.write("dear quokka\n")
    subprocess.run([comb, "put", path, "/personal/letter"], env=environment, check=True, timeout=60)
    deadline = time.monotonic() + FIND_S
    while time.monotonic() < deadline:
        found = subprocess.run([comb, "find", "content:quokka"], env=environment, check=True, stdout=subprocess.PIPE,
                               text=True, timeout=60).stdout
        if found == "/personal/letter\n":
            return
        time.sleep(0.2)
    raise SystemExit("content is not found")


def main():
    image, comb = sys.argv[1:]
    root = tempfile.mkdtemp(dir=os.environ["TEST_TMPDIR"])
    config = unpack(read_layout(image), root)
    check_contents(root)
    process = start(root, config)
    try:
        server = wait_ready(process)
        home = tempfile.mkdtemp(dir=os.environ["TEST_TMPDIR"])
        with open(inside(process, "/var/lib/comb/admin"), "rb") as secret:
            password = os.path.join(home, "password")
            with open(os.open(password, os.O_CREAT | os.O_WRONLY, 0o600), "wb") as file:
                file.write(secret.read())
        environment = {**os.environ, "COMB_HOME": home, "COMB_SERVER": server}
        for words in (["login", "--user", "admin", "--password-file", password], ["put", comb, "/personal/program"],
                      ["ls", "/personal"]):
            done = subprocess.run([comb, *words], env=environment, check=True, stdout=subprocess.PIPE, text=True,
                                  timeout=60)
        assert "program" in done.stdout, done.stdout
        find_content(comb, environment, home)
        process.terminate()
        assert process.wait(60) == 0
    finally:
        process.kill()
        process.wait()


main()
