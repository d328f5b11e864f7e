"""The files for a cluster: they are read as Ray, Kubernetes and Docker read them."""

import re
import shlex
from pathlib import Path

import pytest
import yaml

from tests.server import ROOT
from var_core.serving.fair_queue import QueueLimits
from var_core.serving.replica_settings import ReplicaSettings
from var_core.serving.stop_signals import VARIABLE
from var_core.web.arguments import parse_arguments

FOLDER = ROOT / "var_core" / "serving" / "cluster"
(PIN,) = (FOLDER / "requirements.txt").read_text().split()
INSTRUCTIONS = {"FROM", "ARG", "WORKDIR", "COPY", "RUN", "USER", "ENV", "EXPOSE", "CMD"}
DOCKERFILES = ("Dockerfile.cpu", "Dockerfile.cuda")


def test_kubernetes_gets_a_cluster_pages_and_walls() -> None:
    documents = list(yaml.safe_load_all((FOLDER / "kuberay.yaml").read_text()))
    kinds = [one["kind"] for one in documents]
    assert kinds == ["RayCluster", "Deployment", "Service", "NetworkPolicy", "NetworkPolicy"]
    cluster, page, service, *walls = documents
    assert all(set(one) == {"apiVersion", "kind", "metadata", "spec"} for one in documents)
    assert PIN.endswith(f"=={cluster['spec']['rayVersion']}")
    (workers,) = cluster["spec"]["workerGroupSpecs"]
    (painter,) = workers["template"]["spec"]["containers"]
    (web,) = page["spec"]["template"]["spec"]["containers"]
    for container in (painter, web):  # all of one version, with the secret, within limits
        assert container["image"] == painter["image"]
        assert {"RAY_AUTH_MODE", "RAY_AUTH_TOKEN"} <= {one["name"] for one in container["env"]}
        assert {"cpu", "memory"} <= set(container["resources"]["limits"])
    join, start = web["args"][0].strip().split("\n")
    assert f"--address={cluster['metadata']['name']}-head-svc:6379" in join.split()
    words = shlex.split(start)
    assert words[:3] == ["exec", "python", "app.py"]
    found = parse_arguments([word for word in words[3:] if word not in ("--host", "0.0.0.0")])
    most = workers["maxReplicas"]
    assert found.replicas == ReplicaSettings(workers["minReplicas"], most, "auto")
    assert found.limits.running == most and found.num_proxies == 1
    (drain,) = [one["value"] for one in web["env"] if one["name"] == VARIABLE]
    grace = page["spec"]["template"]["spec"]["terminationGracePeriodSeconds"]
    assert QueueLimits.seconds < int(drain) < grace  # an old page finishes what it draws
    labels = page["spec"]["template"]["metadata"]["labels"]
    assert service["spec"]["selector"] == labels == page["spec"]["selector"]["matchLabels"]
    assert service["spec"]["ports"][0]["targetPort"] == web["ports"][0]["containerPort"] == 7860
    assert [wall["spec"]["podSelector"]["matchLabels"] for wall in walls] == [
        {"ray.io/cluster": cluster["metadata"]["name"]},
        labels,
    ]


def instructions(path: Path) -> list[tuple[str, str]]:
    """The instructions of a Dockerfile with their arguments, without comments."""
    text = re.sub(r"^\s*#.*\n", "", path.read_text(), flags=re.MULTILINE).replace("\\\n", " ")
    lines = (line.partition(" ") for line in text.split("\n"))
    return [(word, rest.strip()) for word, _, rest in lines if word]


@pytest.mark.parametrize("name", DOCKERFILES)
def test_an_image_installs_what_is_locked_and_runs_as_nobody_special(name: str) -> None:
    found = instructions(FOLDER / name)
    words = [word for word, _ in found]
    assert words[0] == "FROM" and set(words) <= INSTRUCTIONS
    assert re.fullmatch(r"python:\d+\.\d+\.\d+-slim-\w+", found[0][1])  # a fixed version
    assert words.index("USER") < words.index("CMD") and dict(found)["USER"] != "root"
    for word, rest in found:
        if word == "COPY":
            for source in rest.split()[:-1]:
                assert (ROOT / source).exists(), f"{name} copies {source}"
        if word == "RUN":
            assert "--require-hashes" in rest and "--no-cache-dir" in rest
            locks = set(re.findall(r"-r locks/(\S+)", rest))
            assert locks == {f"torch-{name.split('.')[1]}.txt", "app.txt", "ray.txt"}
    assert dict(found)["CMD"].startswith('["python", "app.py"')
