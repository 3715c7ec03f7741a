"""The manifests are what Kubernetes' own schemas allow, and as its strictest policy asks for."""

import shutil
import subprocess

import kubernetes_validate
import pytest
import yaml

from tests.deploy.parts import DEPLOY, MANIFESTS, WORKLOADS, documents, kept, pods

BASE = DEPLOY / "kubernetes"
VERSIONS = ("1.33", "1.34", "1.37")


@pytest.mark.parametrize("version", VERSIONS)
def test_the_api_knows_every_field(version):
    for _, document in documents():
        kubernetes_validate.validate(document, version, strict=True)


def test_a_field_that_there_is_not_would_be_found():
    (worker,) = (d for _, d in documents() if d["kind"] == "StatefulSet")
    worker["spec"]["replica"] = 2
    with pytest.raises(kubernetes_validate.ValidationError):
        kubernetes_validate.validate(worker, VERSIONS[-1], strict=True)


def test_the_base_holds_every_manifest_but_the_example_of_secrets():
    base = yaml.safe_load((BASE / "kustomization.yaml").read_text("utf-8"))
    assert {*base["resources"], "secrets.example.yaml"} == {path.name for path in MANIFESTS}


def test_kustomize_builds_the_base_with_a_pinned_image():
    if shutil.which("kubectl") is None:
        pytest.skip("kubectl is not installed here")
    done = subprocess.run(
        ["kubectl", "kustomize", BASE], capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stderr
    built = list(yaml.safe_load_all(done.stdout))
    images = {
        d["spec"]["template"]["spec"]["containers"][0]["image"]
        for d in built
        if d["kind"] in WORKLOADS
    }
    assert images == {"registry.example/hanhtrinh:0.1.0"}
    assert {d["metadata"].get("namespace", "hanhtrinh") for d in built} == {"hanhtrinh"}


def test_every_pod_is_restricted():
    for name, pod in pods().items():
        context = pod["securityContext"]
        assert context["runAsNonRoot"], name
        assert context["seccompProfile"] == {"type": "RuntimeDefault"}, name
        assert pod["automountServiceAccountToken"] is False, name
        (container,) = pod["containers"]
        assert container["securityContext"] == {
            "allowPrivilegeEscalation": False, "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        }, name  # fmt: skip
        assert container["resources"]["limits"]["memory"], name


def test_no_pod_is_told_of_services_by_variables():
    # HANHTRINH_API_PORT, of a service hanhtrinh-api, would be no setting and stop the start.
    assert {name: pod["enableServiceLinks"] for name, pod in pods().items()} == dict.fromkeys(
        pods(), False
    )


def test_secrets_that_are_asked_for_are_in_the_example():
    secrets = kept("Secret")
    for name, pod in pods().items():
        for variable in pod["containers"][0]["env"]:
            if "secretKeyRef" in variable.get("valueFrom", ()):
                reference = variable["valueFrom"]["secretKeyRef"]
                assert reference["key"] in secrets[reference["name"]], name


def test_one_worker_judges():
    (worker,) = (d for _, d in documents() if d["kind"] == "StatefulSet")
    assert worker["spec"]["replicas"] == 1


def test_policies_and_budgets_choose_pods_that_there_are():
    for _, document in documents():
        spec = document.get("spec", {})
        chosen = {
            **spec.get("podSelector", {}).get("matchLabels", {}),
            **(spec["selector"] if document["kind"] == "Service" else {}),
            **(
                spec["selector"]["matchLabels"] if document["kind"] == "PodDisruptionBudget" else {}
            ),
        }
        assert chosen.get("app.kubernetes.io/name", "worker") in pods(), document["metadata"]


def test_every_pod_has_a_policy_and_what_serves_a_port_lets_it_in():
    policies = [d["spec"] for _, d in documents() if d["kind"] == "NetworkPolicy"]
    for name, pod in pods().items():
        label = {"matchLabels": {"app.kubernetes.io/name": name}}
        own = [policy for policy in policies if policy["podSelector"] == label]
        assert any("egress" in policy for policy in own), name
        ports = {port["name"] for port in pod["containers"][0].get("ports", [])}
        let_in = {
            port["port"]
            for policy in own
            for rule in policy.get("ingress", [])
            for port in rule["ports"]
        }
        assert let_in == ports, name
    assert {"podSelector": {}, "policyTypes": ["Ingress", "Egress"]} in policies
