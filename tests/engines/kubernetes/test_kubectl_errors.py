"""What kubectl 1.32 and Kubernetes 1.36 complain about, as recorded, and what we make of it."""

from __future__ import annotations

import pytest

from procman.engines.calls import Outcome
from procman.engines.kubernetes.kubectl_errors import error_of, is_conflict, is_missing_namespace, warnings_of

_MEMCACHE = (
    'E1130 03:25:38.858929    7136 memcache.go:265] "Unhandled Error" err="couldn\'t get current server API group list:'
    ' Get \\"http://localhost:8080/api?timeout=32s\\": dial tcp 127.0.0.1:8080: connect: connection refused"\n'
)
_CANNOT = 'User "ann" cannot patch resource'
_PLUGIN = "\n\nIt looks like you are trying to use a client-go credential plugin that is not installed.\n"

CASES = [
    (
        "Error in configuration: context was not found for specified context: nix",
        'the context "nix" is not in the kubeconfig',
    ),
    ("error: cannot locate context nix", 'the context "nix" is not in the kubeconfig'),
    (
        f"{_MEMCACHE}The connection to the server localhost:8080 was refused - did you specify the right host or port?",
        "kubectl knows no cluster",
    ),
    ("error: current-context must exist in order to minify", "kubectl knows no cluster"),
    (
        'error: error loading config file "/home/ann/.kube/config": yaml: line 1: did not find expected node content',
        "the kubeconfig /home/ann/.kube/config cannot be read: yaml: line 1: did not find expected node content",
    ),
    (
        "The connection to the server 10.0.0.1:6443 was refused - did you specify the right host or port?",
        "the API server 10.0.0.1:6443 refuses connections",
    ),
    (
        "Unable to connect to the server: dial tcp: lookup api.example: no such host",
        "the API server of prod cannot be reached: lookup api.example: no such host",
    ),
    (
        "error: You must be logged in to the server (Unauthorized)",
        "the cluster of prod does not accept the credentials: they are wrong, or have expired",
    ),
    (
        'error: error validating "STDIN": error validating data: failed to download openapi: the server has asked for'
        " the client to provide credentials; if you choose to ignore these errors, turn validation off",
        "the cluster of prod does not accept the credentials: they are wrong, or have expired",
    ),
    (
        "Unable to connect to the server: tls: failed to verify certificate: x509: certificate signed by unknown"
        " authority",
        "the certificate of the API server of prod is not accepted: certificate signed by unknown authority",
    ),
    (
        f"Unable to connect to the server: getting credentials: exec: executable aws not found{_PLUGIN}",
        "the program that gets the credentials for prod failed: executable aws not found",
    ),
    (
        'Error from server (Forbidden): pods is forbidden: User "ann" cannot list resource "pods" in API group "" in '
        'the namespace "live"',
        "ann may not list pods in the namespace live",
    ),
    (
        f'Error from server (Forbidden): deployments.apps "web" is forbidden: {_CANNOT} "deployments" in API group '
        f'"apps" in the namespace "live"\nError from server (Forbidden): services "web" is forbidden: {_CANNOT} '
        '"services" in API group "" in the namespace "live"\n',
        "ann may not patch deployments, patch services in the namespace live",
    ),
    (
        'Error from server (Forbidden): namespaces is forbidden: User "ann" cannot create resource "namespaces" in API '
        'group "" at the cluster scope',
        "ann may not create namespaces in the cluster of prod",
    ),
    (
        'error: resource mapping not found for name: "x" namespace: "" from "STDIN": no matches for kind '
        '"PodDisruptionBudget" in version "policy/v1"\nensure CRDs are installed first\n',
        "the cluster of prod does not know PodDisruptionBudget of policy/v1",
    ),
    (
        'Error from server (Forbidden): pods "x" is forbidden: violates PodSecurity "restricted:latest": '
        "runAsNonRoot != true\n",
        "the namespace live (restricted:latest) refuses the pods: runAsNonRoot != true",
    ),
    (
        "Error: unknown flag: --quiet\nSee 'kubectl get --help' for usage.\n",
        "this kubectl is too old: it does not know",
    ),
    (
        'The Deployment "web" is invalid: spec.selector: Invalid value: {}: field is immutable',
        'kubectl: The Deployment "web" is invalid: spec.selector: Invalid value: {}: field is immutable',
    ),
    (f"{_MEMCACHE}error: something new\n", "kubectl: something new"),
    ("", "kubectl: exit code 1"),
]


@pytest.mark.parametrize(("complaint", "message"), CASES)
def test_a_complaint_becomes_a_sentence(complaint: str, message: str) -> None:
    error = error_of(Outcome(1, b"", complaint.encode()), "prod", "live")
    assert error.message.startswith(message)
    assert "\n" not in error.message
    assert error.exit_code == 1


def test_a_time_out_of_ours_is_one() -> None:
    error = error_of(Outcome(124, b"", b"\nkubectl get did not answer within 30 s\n"), "prod")
    assert (error.message, error.exit_code) == ("the API server of prod does not answer", 124)


def test_a_missing_namespace_is_told_apart() -> None:
    complaint = b'Error from server (NotFound): error when creating "STDIN": namespaces "nix" not found\n'
    assert is_missing_namespace(error_of(Outcome(1, b"", complaint), "prod", "nix"))
    assert not is_missing_namespace(error_of(Outcome(1, b"", b"error: other\n"), "prod", "nix"))


@pytest.mark.parametrize(
    "complaint",
    [
        b'Error from server (AlreadyExists): error when creating "STDIN": leases "x" already exists',
        b'Error from server (Conflict): error when replacing "STDIN": Operation cannot be fulfilled on leases',
    ],
)
def test_a_lost_race_is_told_apart(complaint: bytes) -> None:
    assert is_conflict(Outcome(1, b"", complaint))


def test_warnings_of_the_cluster_are_found() -> None:
    written = b'Warning: would violate PodSecurity "restricted:latest": runAsNonRoot != true\nservice/web applied\n'
    assert warnings_of(Outcome(0, b"", written)) == [
        'would violate PodSecurity "restricted:latest": runAsNonRoot != true'
    ]
