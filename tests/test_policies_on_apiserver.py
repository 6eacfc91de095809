"""Policies next to a real API server that has the same ones: both say the same of each object and of each change."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import pytest

from headgate.engine import pool, reading
from headgate.engine.protocol import Request, validator_command
from support.apiserver import ApiServer, serve_apiserver
from support.validator import use_validator

pytestmark = pytest.mark.long

HERE = "policies"

POLICIES = """
apiVersion: admissionregistration.k8s.io/v1
kind: ValidatingAdmissionPolicy
metadata: {name: replicas}
spec:
  matchConstraints:
    resourceRules: [{apiGroups: [apps], apiVersions: [v1], operations: [CREATE, UPDATE], resources: [deployments]}]
  validations:
    - {expression: object.spec.replicas <= 3, message: at most 3 replicas}
    - expression: oldObject == null || object.spec.replicas <= oldObject.spec.replicas + 1
      messageExpression: "'grows by ' + string(object.spec.replicas - oldObject.spec.replicas)"
---
apiVersion: admissionregistration.k8s.io/v1
kind: ValidatingAdmissionPolicy
metadata: {name: defaults}
spec:
  matchConstraints:
    resourceRules: [{apiGroups: [apps], apiVersions: ['*'], operations: ['*'], resources: ['*']}]
  matchConditions: [{name: there, expression: object != null}]
  variables: [{name: pod, expression: object.spec.template.spec}]
  validations:
    - expression: variables.pod.containers.all(one, one.imagePullPolicy != 'Always')
      messageExpression: "'pulls always: ' + variables.pod.containers.map(one, one.image).join(',')"
    - {expression: variables.pod.terminationGracePeriodSeconds != 30}
---
apiVersion: admissionregistration.k8s.io/v1
kind: ValidatingAdmissionPolicy
metadata: {name: labels}
spec:
  failurePolicy: Fail
  matchConstraints:
    resourceRules:
      - {apiGroups: [''], apiVersions: [v1], operations: [CREATE, UPDATE], resources: [configmaps, services]}
    excludeResourceRules:
      - {apiGroups: [''], apiVersions: [v1], operations: ['*'], resources: [configmaps], resourceNames: [excluded]}
  validations: [{expression: object.metadata.labels.team != '', message: names no team}]
---
apiVersion: admissionregistration.k8s.io/v1
kind: ValidatingAdmissionPolicy
metadata: {name: lenient}
spec:
  failurePolicy: Ignore
  matchConstraints:
    objectSelector: {matchLabels: {strict: 'yes'}}
    namespaceSelector: {matchLabels: {kubernetes.io/metadata.name: policies}}
    resourceRules:
      - {apiGroups: [''], apiVersions: [v1], operations: ['*'], resources: [configmaps], scope: Namespaced}
  validations: [{expression: object.metadata.annotations.reason != ''}, {expression: request.operation != 'UPDATE'}]
---
apiVersion: admissionregistration.k8s.io/v1
kind: ValidatingAdmissionPolicy
metadata: {name: versions}
spec:
  matchConstraints:
    resourceRules:
      - {apiGroups: [autoscaling], apiVersions: [v1], operations: [CREATE], resources: [horizontalpodautoscalers]}
  validations: [{expression: object.spec.targetCPUUtilizationPercentage > 60, message: too early}]
---
apiVersion: admissionregistration.k8s.io/v1
kind: ValidatingAdmissionPolicy
metadata: {name: functions}
spec:
  matchConstraints:
    resourceRules: [{apiGroups: [''], apiVersions: [v1], operations: [CREATE, UPDATE], resources: [configmaps]}]
  matchConditions: [{name: sized, expression: has(object.data) && 'size' in object.data}]
  validations:
    - expression: isQuantity(object.data.size) && quantity(object.data.size).isLessThan(quantity('1Gi'))
      message: size
    - expression: "!object.data.?url.hasValue() || url(object.data.url).getScheme() == 'https'"
      reason: Forbidden
"""
OBJECTS = """
apiVersion: apps/v1
kind: Deployment
metadata: {name: right}
spec:
  replicas: 2
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec: {terminationGracePeriodSeconds: 5, containers: [{name: web, image: "example.com/web:1"}]}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: many}
spec:
  replicas: 5
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec: {containers: [{name: web, image: example.com/web}]}
---
apiVersion: apps/v1
kind: DaemonSet
metadata: {name: agent}
spec:
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec: {terminationGracePeriodSeconds: 30, containers: [{name: web, image: "example.com/agent:2"}]}
---
{apiVersion: v1, kind: ConfigMap, metadata: {name: bare}}
---
{apiVersion: v1, kind: ConfigMap, metadata: {name: excluded}}
---
{apiVersion: v1, kind: ConfigMap, metadata: {name: mine, labels: {team: a}}}
---
{apiVersion: v1, kind: ConfigMap, metadata: {name: loose, labels: {team: a, strict: 'yes'}}}
---
apiVersion: v1
kind: ConfigMap
metadata: {name: reasoned, labels: {team: a, strict: 'yes'}, annotations: {reason: ''}}
---
{apiVersion: v1, kind: ConfigMap, metadata: {name: sized, labels: {team: a}}, data: {size: 2Gi, url: "http://a/"}}
---
{apiVersion: v1, kind: ConfigMap, metadata: {name: small, labels: {team: a}}, data: {size: 2Mi, url: "https://a/"}}
---
{apiVersion: v1, kind: Service, metadata: {name: nameless}, spec: {ports: [{port: 80}], selector: {app: web}}}
---
apiVersion: autoscaling/v2
kind: HorizontalPodAutoscaler
metadata: {name: early}
spec:
  maxReplicas: 3
  scaleTargetRef: {apiVersion: apps/v1, kind: Deployment, name: right}
  metrics: [{type: Resource, resource: {name: cpu, target: {type: Utilization, averageUtilization: 50}}}]
"""
CHANGES: dict[str, dict[str, Any]] = {
    "right": {"spec": {"replicas": 3}},
    "many": {"spec": {"replicas": 9}},
    "bare": {"metadata": {"labels": {"team": "b"}}},
    "mine": {"metadata": {"labels": {"team": ""}}},
    "loose": {"data": {"a": "b"}},
    "sized": {"data": {"size": "x"}},
}
"""What changes in some of them: the second half of the table."""


@dataclass(frozen=True, kw_only=True)
class Case:
    """An object that comes, changes or goes."""

    name: str
    new: Mapping[str, Any] | None
    old: Mapping[str, Any] | None = None


def documents(text: str) -> list[dict[str, Any]]:
    return [found.data for found in reading.objects(text, "test")]


def placed(data: Mapping[str, Any]) -> dict[str, Any]:
    return {**data, "metadata": {**data["metadata"], "namespace": HERE}}


def merged(data: Mapping[str, Any], change: Mapping[str, Any]) -> dict[str, Any]:
    nested = {key: merged(data.get(key, {}), one) if isinstance(one, dict) else one for key, one in change.items()}
    return {**data, **nested}


def cases() -> list[Case]:
    found = {data["metadata"]["name"]: placed(data) for data in documents(OBJECTS)}
    created = [Case(name=f"{name} comes", new=data) for name, data in found.items()]
    changed = [
        Case(name=f"{name} changes", new=merged(found[name], change), old=found[name])
        for name, change in CHANGES.items()
    ]
    return [*created, *changed, *(Case(name=f"{name} goes", new=None, old=data) for name, data in found.items())]


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ApiServer]:
    """Run an API server with the policies in it, each bound to all objects, and with a binding that warns."""
    with serve_apiserver(tmp_path_factory.mktemp("apiserver")) as running:
        namespace = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": HERE}}
        running.post("/api/v1/namespaces", json.dumps(namespace), "application/json")
        at = "/apis/admissionregistration.k8s.io/v1/"
        for policy in documents(POLICIES):
            name = policy["metadata"]["name"]
            running.post(f"{at}validatingadmissionpolicies", json.dumps(policy), "application/json")
            binding = {
                "apiVersion": policy["apiVersion"],
                "kind": "ValidatingAdmissionPolicyBinding",
                "metadata": {"name": name},
                "spec": {"policyName": name, "validationActions": ["Warn"]},
            }
            running.post(f"{at}validatingadmissionpolicybindings", json.dumps(binding), "application/json")
        yield running


RESOURCES = {
    "Deployment": "/apis/apps/v1/namespaces/policies/deployments",
    "DaemonSet": "/apis/apps/v1/namespaces/policies/daemonsets",
    "ConfigMap": "/api/v1/namespaces/policies/configmaps",
    "Service": "/api/v1/namespaces/policies/services",
    "HorizontalPodAutoscaler": "/apis/autoscaling/v2/namespaces/policies/horizontalpodautoscalers",
}
WARNING = re.compile(
    r"299 - \"Validation failed for ValidatingAdmissionPolicy '(.*?)' with binding '.*?': (.*?)\"(?=, 299|$)"
)


def asked(server: ApiServer, case: Case) -> set[tuple[str, str]]:
    """Return what the server's policies say of a case, which it only tries."""
    data = case.new or case.old or {}
    path, name = f"{server.url}{RESOURCES[data['kind']]}", data["metadata"]["name"]
    dry = {"dryRun": "All"}
    if case.old is None:
        answer = server.session.post(path, json=case.new, params=dry, timeout=30)
    elif case.new is None:
        answer = server.session.delete(f"{path}/{name}", params=dry, timeout=30)
    else:
        answer = server.session.put(f"{path}/{name}", json=case.new, params=dry, timeout=30)
    assert answer.ok, answer.text
    return {
        (policy, message.replace('\\"', '"')) for policy, message in WARNING.findall(answer.headers.get("Warning", ""))
    }


def judged(case: Case) -> set[tuple[str, str]]:
    """Return what the validator says of a case."""
    objects = [case.new] if case.new else []
    body: dict[str, Any] = {"kubernetes": "1.37", "objects": objects, "policies": documents(POLICIES)}
    body |= {"current": [case.old]} if case.new and case.old else {}
    body |= {"removed": [case.old]} if case.new is None else {}
    answer = pool.call(Request(kind="validate", body=body, command=validator_command))
    assert answer.error is None, answer.error
    assert answer.failure is None, answer.failure
    found = [entry for entry in answer.value["findings"] if entry["rule"].startswith("policy/")]
    return {
        (entry["rule"].removeprefix("policy/"), entry["message"].removeprefix("cannot be evaluated: "))
        for entry in found
    }


def test_policies_say_the_same_on_an_api_server(
    server: ApiServer, clean_user: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    use_validator(monkeypatch)
    table = cases()
    first = next(case for case in table if case.name == "early comes")  # what only the last policy but one finds
    end = time.monotonic() + 60
    while not asked(server, first) and time.monotonic() < end:
        time.sleep(0.2)  # a server takes up its policies a moment later
    verdicts = {case.name: (asked(server, case), judged(case)) for case in table if case.old is None}
    for case in table:
        if case.old is None and case.new is not None:
            server.post(RESOURCES[case.new["kind"]], json.dumps(case.new), "application/json")
    verdicts |= {case.name: (asked(server, case), judged(case)) for case in table if case.old is not None}
    assert {name: found for name, found in verdicts.items() if found[0] != found[1]} == {}
    policies = {policy["metadata"]["name"] for policy in documents(POLICIES)}
    assert {policy for found, _ in verdicts.values() for policy, _ in found} == policies
    assert sum(not found for found, _ in verdicts.values()) > 5
