#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""deploy_test.py COMBD IMAGE KUBERNETES-FOLDER UNIT METRICS.MD

What is written for Kubernetes and for systemd says nothing that is not so: it fits the published schemas, its parts find each
other, and every flag, path, user, port and metric in it is one of combd, of the image, of the documentation. Each of the
checks is tried on something wrong as well.
"""
import copy
import functools
import glob
import json
import os
import re
import subprocess
import sys
import tarfile
import unittest

import kubernetes_validate
import yaml

# The oldest and the newest that the manifests are for.
KUBERNETES_VERSIONS = ("1.29", "1.37")
# As `systemd-analyze security` counts, in tenths: what is left is the network, and what comb-extract confines itself by.
EXPOSURE_MAX = 25
BINARY = "/usr/local/bin/combd"


def read_manifests(folder):
    manifests = []
    for path in sorted(glob.glob(os.path.join(folder, "*.yaml"))):
        with open(path, encoding="utf-8") as file:
            manifests += [(os.path.basename(path), one) for one in yaml.safe_load_all(file)]
    return manifests


def read_image(path):
    """The configuration of the image, and what there is in it."""
    with tarfile.open(path) as tar:
        def blob(descriptor):
            return tar.extractfile("blobs/" + descriptor["digest"].replace(":", "/"))
        manifest = json.load(blob(json.load(tar.extractfile("index.json"))["manifests"][0]))
        paths = set()
        for layer in manifest["layers"]:
            with tarfile.open(fileobj=blob(layer), mode="r:gz") as files:
                paths.update("/" + name for name in files.getnames())
        return json.load(blob(manifest["config"]))["config"], paths


def read_flags(combd):
    text = subprocess.run([combd, "--help"], check=True, stdout=subprocess.PIPE, text=True, timeout=60).stdout
    return set(re.findall(r"^ +(--[a-z0-9-]+)", text, re.MULTILINE))


def variable(flag):
    return "COMB_" + flag[2:].upper().replace("-", "_")


# ---- Kubernetes ----

@functools.cache
def schema_says(manifest, version):
    """What is wrong with a manifest in JSON, or None."""
    try:
        kubernetes_validate.validate(json.loads(manifest), version, strict=True)
    except kubernetes_validate.ValidationError as error:
        return error.message
    return None


class Manifests:
    """What is checked, with a list of what is wrong."""

    def __init__(self, manifests, flags, image, metrics):
        self.manifests = {(one["kind"], one["metadata"]["name"]): one for _, one in manifests if "metadata" in one}
        self.kustomization = next(one for _, one in manifests if one["kind"] == "Kustomization")
        self.files = {name for name, _ in manifests}
        self.flags = flags
        self.image, self.paths = image
        self.metrics = metrics
        self.wrong = []

    def must(self, is_right, what):
        if not is_right:
            self.wrong.append(what)

    def one(self, kind):
        return next(one for (its, _), one in self.manifests.items() if its == kind)

    def check(self):
        self.check_schemas()
        self.check_kustomization()
        pod = self.one("Deployment")["spec"]["template"]
        self.check_container(pod["spec"], pod["spec"]["containers"][0])
        self.check_confinement(pod["spec"], pod["spec"]["containers"][0])
        self.check_probes(pod["spec"], pod["spec"]["containers"][0])
        self.check_volumes(pod["spec"], pod["spec"]["containers"][0])
        self.check_references(pod)
        return self.wrong

    def check_schemas(self):
        for (kind, name), manifest in self.manifests.items():
            for version in KUBERNETES_VERSIONS:
                said = schema_says(json.dumps(manifest), version)
                self.must(not said, "%s %s, Kubernetes %s: %s" % (kind, name, version, said))

    def check_kustomization(self):
        listed = set(self.kustomization["resources"])
        self.must(listed == self.files - {"kustomization.yaml"}, "kustomization.yaml lists %s" % sorted(listed))
        version = self.image["Labels"]["org.opencontainers.image.version"]
        self.must(self.kustomization["images"] == [{"name": "comb", "newTag": version}], "the image is comb:%s" % version)

    def check_container(self, pod, container):
        self.must("command" not in container and self.image["Entrypoint"] == ["/usr/bin/combd"], "the image runs combd")
        self.must(pod["securityContext"]["runAsUser"] == int(self.image["User"].split(":", maxsplit=1)[0]), "the user is the image's")
        given = {argument.split("=")[0] for argument in container["args"]}
        for flag in given - self.flags:
            self.must(False, "combd has no flag %s" % flag)
        known = {variable(flag) for flag in self.flags}
        named = set(self.one("ConfigMap")["data"])
        for name in named - known:
            self.must(False, "combd has no variable %s" % name)
        for name in named & {variable(flag) for flag in given}:
            self.must(False, "%s is given twice" % name)
        for argument in container["args"]:
            for name in re.findall(r"\$\((\w+)\)", argument):
                self.must(any(one["name"] == name for one in container["env"]), "nothing is called %s" % name)

    def check_confinement(self, pod, container):
        own, around = container["securityContext"], pod["securityContext"]
        self.must(around["runAsNonRoot"] and own["readOnlyRootFilesystem"], "it is not root, over a root that is read-only")
        self.must(own["capabilities"] == {"drop": ["ALL"]} and not own["allowPrivilegeEscalation"], "it has no rights")
        self.must(around["seccompProfile"]["type"] == "RuntimeDefault", "it has a filter of system calls")
        self.must(not pod["automountServiceAccountToken"], "it has no token of Kubernetes")

    def argument(self, container, flag):
        return next((one.split("=", 1)[1] for one in container["args"] if one.startswith(flag + "=")), None)

    def check_probes(self, pod, container):
        ports = {port["containerPort"] for port in container["ports"]}
        listens = {int(self.argument(container, flag).rsplit(":", 1)[1]) for flag in ("--listen", "--metrics-listen")}
        self.must(ports == listens, "the ports are those where it listens")
        for probe in ("startupProbe", "readinessProbe", "livenessProbe"):
            self.must(container[probe].get("grpc", {}).get("port") == 7070, "%s asks grpc.health.v1.Health" % probe)
        drain_s = sum(int(self.argument(container, flag)) for flag in ("--drain-delay-ms", "--drain-grace-ms")) / 1000
        self.must(pod["terminationGracePeriodSeconds"] > drain_s, "a drain has its time")
        alive = container["livenessProbe"]
        self.must(alive["periodSeconds"] * alive["failureThreshold"] > drain_s, "a drain is not taken for death")

    def check_volumes(self, pod, container):
        mounted = {mount["name"]: mount["mountPath"] for mount in container["volumeMounts"]}
        self.must(set(mounted) == {volume["name"] for volume in pod["volumes"]}, "each volume is mounted, and nothing else")
        for name in ("home", "tmp"):
            self.must(mounted[name] in self.paths, "the image has no folder %s" % mounted[name])
        home = "COMB_HOME=" + mounted["home"]
        self.must(home in self.image["Env"], "the image's home is another one")
        for argument in container["args"]:
            path = argument.split("=", 1)[-1]
            if path.startswith("/"):
                self.must(os.path.dirname(path) == mounted["secrets"], "%s is not among the secrets" % argument)
        secret = next(volume["secret"] for volume in pod["volumes"] if volume["name"] == "secrets")
        self.must(secret["defaultMode"] == 0o440, "combd takes no secret that others may read")

    def check_references(self, pod):
        labels = pod["metadata"]["labels"]
        container = pod["spec"]["containers"][0]
        ports = {port["name"] for port in container["ports"]}
        for (kind, name), manifest in self.manifests.items():
            spec = manifest.get("spec", {})
            selector = spec.get("podSelector" if kind == "NetworkPolicy" else "selector")
            if selector is not None:
                self.must(selector.get("matchLabels", selector) == labels, "%s %s selects others" % (kind, name))
            for port in spec.get("ports", []):
                self.must(port["targetPort"] in ports, "%s %s: no port %s" % (kind, name, port["targetPort"]))
        policy = self.one("NetworkPolicy")["spec"]
        for rule in policy["ingress"]:
            for port in rule["ports"]:
                self.must(port["port"] in ports, "NetworkPolicy: no port %s" % port["port"])
        stores = {int(port) for url in self.one("ConfigMap")["data"].values() for port in re.findall(r":(\d+)", url)}
        reached = {port["port"] for rule in policy["egress"] for port in rule["ports"]} - {53}
        self.must(stores == reached, "the stores' ports are %s, not %s" % (sorted(stores), sorted(reached)))
        scaler = self.one("HorizontalPodAutoscaler")["spec"]
        self.must((scaler["scaleTargetRef"]["kind"], scaler["scaleTargetRef"]["name"]) in self.manifests, "what is scaled is not there")
        for metric in scaler["metrics"]:
            name = metric["pods"]["metric"]["name"]
            self.must("`%s`" % name in self.metrics, "there is no metric %s" % name)
        for kind, names in (("ConfigMap", [one["configMapRef"]["name"] for one in container["envFrom"]]),
                            ("ServiceAccount", [pod["spec"]["serviceAccountName"]])):
            for name in names:
                self.must((kind, name) in self.manifests, "there is no %s %s" % (kind, name))


class Kubernetes(unittest.TestCase):
    def complaints(self, change=None):
        manifests = copy.deepcopy(read_manifests(KUBERNETES))
        if change:
            change({one["kind"]: one for _, one in manifests})
        return Manifests(manifests, FLAGS, IMAGE, METRICS).check()

    def test_manifests_are_right(self):
        self.assertEqual(self.complaints(), [])

    def test_what_is_wrong_is_found(self):
        def pod(kinds):
            return kinds["Deployment"]["spec"]["template"]["spec"]

        def container(kinds):
            return pod(kinds)["containers"][0]

        cases = {
            "Additional properties": lambda kinds: kinds["Deployment"]["spec"].update(replica=3),
            "is not of type": lambda kinds: kinds["HorizontalPodAutoscaler"]["spec"].update(minReplicas="three"),
            "no flag --listn": lambda kinds: container(kinds)["args"].append("--listn=0.0.0.0:7070"),
            "no variable COMB_SQL_URL": lambda kinds: kinds["ConfigMap"]["data"].update(COMB_SQL_URL="x"),
            "given twice": lambda kinds: kinds["ConfigMap"]["data"].update(COMB_CLUSTER="1"),
            "nothing is called NODE": lambda kinds: container(kinds)["args"].append("--ready-file=$(NODE)"),
            "user is the image's": lambda kinds: pod(kinds)["securityContext"].update(runAsUser=1000),
            "read-only": lambda kinds: container(kinds)["securityContext"].update(readOnlyRootFilesystem=False),
            "no rights": lambda kinds: container(kinds)["securityContext"].update(allowPrivilegeEscalation=True),
            "where it listens": lambda kinds: container(kinds)["ports"].pop(),
            "a drain has its time": lambda kinds: pod(kinds).update(terminationGracePeriodSeconds=30),
            "taken for death": lambda kinds: container(kinds)["livenessProbe"].update(failureThreshold=3),
            "no folder /var/comb": lambda kinds: container(kinds)["volumeMounts"][0].update(mountPath="/var/comb"),
            "not among the secrets": lambda kinds: container(kinds)["args"].append("--tls-key=/key"),
            "others may read": lambda kinds: pod(kinds)["volumes"][2]["secret"].update(defaultMode=0o444),
            "selects others": lambda kinds: kinds["PodDisruptionBudget"]["spec"]["selector"]["matchLabels"].update(a="b"),
            "no metric": lambda kinds: kinds["HorizontalPodAutoscaler"]["spec"]["metrics"][0]["pods"]["metric"].update(name="x"),
            "what is scaled": lambda kinds: kinds["HorizontalPodAutoscaler"]["spec"]["scaleTargetRef"].update(name="x"),
            "the stores' ports": lambda kinds: kinds["ConfigMap"]["data"].update(COMB_CACHE="redis://redis:6380"),
            "lists": lambda kinds: kinds["Kustomization"]["resources"].pop(),
            "the image is": lambda kinds: kinds["Kustomization"]["images"][0].update(newTag="0.0.1"),
        }
        for says, change in cases.items():
            with self.subTest(says):
                self.assertIn(says, "\n".join(self.complaints(change)))


# ---- systemd ----

class Systemd(unittest.TestCase):
    def setUp(self):
        with open(UNIT, encoding="utf-8") as file:
            self.text = file.read()

    def write(self, text):
        """As it is installed here: combd lies elsewhere, and there are no man pages."""
        path = os.path.join(os.environ["TEST_TMPDIR"], "combd.service")
        with open(path, "w", encoding="utf-8") as file:
            file.write(re.sub("^Documentation=.*\n", "", text.replace(BINARY, COMBD), flags=re.MULTILINE))
        return path

    def analyze(self, *words):
        return subprocess.run(["systemd-analyze", *words], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                              check=False, timeout=60)

    def test_it_is_understood(self):
        done = self.analyze("verify", "--man=no", self.write(self.text))
        self.assertEqual((done.returncode, done.stdout), (0, ""))

    def test_what_is_wrong_is_found(self):
        for line, says in (("ProtectHme=yes\n", "Unknown key"), ("RestrictNamespaces=usr\n", "Failed to parse"),
                           ("ExecStartPre=/nothing\n", "not executable")):
            with self.subTest(line):
                done = self.analyze("verify", "--man=no", self.write(self.text.replace("[Install]", line + "[Install]")))
                self.assertIn(says, done.stdout)

    def test_it_is_confined(self):
        done = self.analyze("security", "--offline=yes", "--threshold=%d" % EXPOSURE_MAX, self.write(self.text))
        self.assertEqual(done.returncode, 0, done.stdout)
        open_to = self.write(self.text.replace("ProtectSystem=strict\n", "").replace("SystemCallFilter=", "#"))
        self.assertNotEqual(self.analyze("security", "--offline=yes", "--threshold=%d" % EXPOSURE_MAX, open_to).returncode, 0)

    def test_names_are_those_of_combd(self):
        start = re.search("^ExecStart=(.*)$", self.text, re.MULTILINE)[1].split()
        self.assertEqual(start[0], BINARY)
        for flag in start[1:]:
            self.assertIn(flag.split("=")[0], FLAGS)
        names = set(re.findall(r"\b(COMB_\w+)=", self.text))
        self.assertLessEqual(names, {variable(flag) for flag in FLAGS})
        self.assertIn("COMB_HOME", names)


if __name__ == "__main__":
    COMBD, image_path, KUBERNETES, UNIT, metrics_path = [os.path.abspath(path) for path in sys.argv[1:6]]
    FLAGS = read_flags(COMBD)
    IMAGE = read_image(image_path)
    with open(metrics_path, encoding="utf-8") as metrics_file:
        METRICS = metrics_file.read()
    unittest.main(argv=sys.argv[:1])
