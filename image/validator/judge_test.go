package main

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"sigs.k8s.io/yaml"
)

const deploymentYAML = `
apiVersion: apps/v1
kind: Deployment
metadata: {name: web, namespace: shop}
spec:
  replicas: 2
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec:
      containers:
      - {name: web, image: registry.example.com/web:1, ports: [{name: http, containerPort: 8080}]}
`

func objectsOf(t *testing.T, text string) []json.RawMessage {
	t.Helper()
	var all []json.RawMessage
	for _, document := range documentsOf(text) {
		if strings.TrimSpace(document) == "" {
			continue
		}
		data, err := yaml.YAMLToJSON([]byte(document))
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, data)
	}
	return all
}

// told returns the findings of a request as `rule field`.
func told(t *testing.T, request *judgeRequest, files map[string]string) []string {
	t.Helper()
	found := []string{}
	for _, entry := range newJudge().verdict(request, files).Findings {
		found = append(found, strings.TrimSpace(entry.Rule+" "+entry.Field))
	}
	slices.Sort(found)
	return found
}

func expectTold(t *testing.T, request *judgeRequest, files map[string]string, expected ...string) {
	t.Helper()
	found := told(t, request, files)
	slices.Sort(expected)
	if !slices.Equal(found, expected) && len(found)+len(expected) > 0 {
		t.Errorf("found %q, expected %q", found, expected)
	}
}

func TestRightObjectHasNoFindings(t *testing.T) {
	expectTold(t, &judgeRequest{Objects: objectsOf(t, deploymentYAML)}, nil)
}

// Each changes one thing of a right object.
func TestWrongObjectIsFoundWithItsField(t *testing.T) {
	for name, wrong := range map[string]struct{ old, new, finding string }{
		"misspelt":        {"replicas:", "replica:", "unknown-field spec.replica"},
		"deep":            {"name: http,", "nome: http,", "unknown-field spec.template.spec.containers[0].ports[0].nome"},
		"type":            {"replicas: 2", "replicas: two", "invalid spec.replicas"},
		"bounds":          {"8080", "80800", "invalid spec.template.spec.containers[0].ports[0].containerPort"},
		"name":            {"name: web, namespace", "name: Web, namespace", "invalid metadata.name"},
		"selector":        {"matchLabels: {app: web}", "matchLabels: {app: api}", "invalid spec.template.metadata.labels"},
		"label of a type": {"labels: {app: web}", "labels: {app: web, size: 1}", "invalid spec.template.metadata.labels.size"},
		"kind":            {"kind: Deployment", "kind: Deploymint", "unknown-kind kind"},
		"version":         {"apps/v1", "apps/v2", "unknown-kind apiVersion"},
		"removed":         {"apps/v1", "apps/v1beta1", "removed-api apiVersion"},
	} {
		t.Run(name, func(t *testing.T) {
			text := strings.Replace(deploymentYAML, wrong.old, wrong.new, 1)
			expectTold(t, &judgeRequest{Objects: objectsOf(t, text)}, nil, wrong.finding)
		})
	}
}

func TestFieldOfLaterMinorIsFound(t *testing.T) {
	text := strings.Replace(deploymentYAML, "name: web, image:", "restartPolicyRules: [], name: web, image:", 1)
	expectTold(t, &judgeRequest{Kubernetes: "1.37", Objects: objectsOf(t, text)}, nil)
	expectTold(t, &judgeRequest{Kubernetes: "1.31", Objects: objectsOf(t, text)}, nil,
		"newer-field spec.template.spec.containers[0].restartPolicyRules")
}

func TestKindOfLaterMinorIsFound(t *testing.T) {
	text := "apiVersion: networking.k8s.io/v1\nkind: ServiceCIDR\nmetadata: {name: a}\nspec: {cidrs: [10.0.0.0/16]}\n"
	expectTold(t, &judgeRequest{Kubernetes: "1.33", Objects: objectsOf(t, text)}, nil)
	expectTold(t, &judgeRequest{Kubernetes: "1.32", Objects: objectsOf(t, text)}, nil, "newer-kind apiVersion")
}

func TestKindThatIsNotStoredIsFound(t *testing.T) {
	for _, kind := range []string{
		"v1 Binding", "v1 ComponentStatus", "v1 ConfigMapList", "v1 DeleteOptions", "apps/v1 DeploymentList", "autoscaling/v1 Scale",
		"authentication.k8s.io/v1 TokenReview", "authorization.k8s.io/v1 SubjectAccessReview", "policy/v1 Eviction",
		"apiregistration.k8s.io/v1 APIServiceList", "apiextensions.k8s.io/v1 CustomResourceDefinitionList",
	} {
		version, name, _ := strings.Cut(kind, " ")
		text := "apiVersion: " + version + "\nkind: " + name + "\nmetadata: {name: a, namespace: shop}\n"
		t.Run(kind, func(t *testing.T) {
			expectTold(t, &judgeRequest{Objects: objectsOf(t, text)}, nil, "unknown-kind kind")
		})
	}
}

func TestVersionToUseIsOneThatIsServed(t *testing.T) {
	for version, hint := range map[string]string{
		"batch/v2alpha1 CronJob": "use batch/v1", "networking.k8s.io/v1beta1 IngressClass": "use networking.k8s.io/v1",
		"apps/v2 Deployment": "use apps/v1", "flowcontrol.apiserver.k8s.io/v1alpha1 FlowSchema": "use flowcontrol.apiserver.k8s.io/v1",
	} {
		version, name, _ := strings.Cut(version, " ")
		text := "apiVersion: " + version + "\nkind: " + name + "\nmetadata: {name: a, namespace: shop}\n"
		found := newJudge().verdict(&judgeRequest{Objects: objectsOf(t, text)}, nil).Findings
		if len(found) != 1 || found[0].Hint != hint {
			t.Errorf("%s: found %+v, expected %q", version, found, hint)
		}
	}
}

func TestEqualKeysOfListsAreFound(t *testing.T) {
	env := "env: [{name: A, value: b}, {name: A, value: c}], name: web, image:"
	text := strings.Replace(deploymentYAML, "name: web, image:", env, 1)
	expectTold(t, &judgeRequest{Objects: objectsOf(t, text)}, nil,
		"duplicate-key spec.template.spec.containers[0].env[1]", "server-warning spec.template.spec.containers[0].env[1]")
}

func TestUpdateThatIsRejectedIsFound(t *testing.T) {
	current := objectsOf(t, deploymentYAML)
	text := strings.ReplaceAll(deploymentYAML, "app: web", "app: api")
	expectTold(t, &judgeRequest{Objects: objectsOf(t, text), Current: current}, nil, "immutable spec.selector")
	recreated := strings.Replace(text, "{name: web, namespace: shop}",
		"{name: web, namespace: shop, annotations: {kustomize.toolkit.fluxcd.io/force: enabled}}", 1)
	expectTold(t, &judgeRequest{Objects: objectsOf(t, recreated), Current: current}, nil)
	image := strings.Replace(deploymentYAML, "web:1", "web:2", 1)
	expectTold(t, &judgeRequest{Objects: objectsOf(t, image), Current: current}, nil)
}

func TestWhatFluxDoesNotUpdateOrCreatesAgainIsNotRejected(t *testing.T) {
	text := strings.ReplaceAll(deploymentYAML, "app: web", "app: api")
	marked := func(text, mark string) []json.RawMessage {
		name := "{name: web, namespace: shop"
		return objectsOf(t, strings.Replace(text, name+"}", name+", "+strings.Replace(mark, "{", "{"+fluxMarks, 1)+"}", 1))
	}
	for _, mark := range []string{
		"labels: {force: Enabled}", "annotations: {ssa: IfNotPresent}", "annotations: {ssa: ignore}",
		"annotations: {reconcile: disabled}", "labels: {reconcile: disabled}",
	} {
		expectTold(t, &judgeRequest{Objects: marked(text, mark), Current: objectsOf(t, deploymentYAML)}, nil)
	}
	forced := marked(deploymentYAML, "annotations: {force: enabled}")
	expectTold(t, &judgeRequest{Objects: objectsOf(t, text), Current: forced}, nil)
	merged := marked(text, "annotations: {ssa: Merge}")
	expectTold(t, &judgeRequest{Objects: merged, Current: objectsOf(t, deploymentYAML)}, nil, "immutable spec.selector")
}

func TestServiceKeepsWhatTheServerGaveIt(t *testing.T) {
	service := "apiVersion: v1\nkind: Service\nmetadata: {name: web, namespace: shop}\nspec: {%s ports: [{port: 80}]}\n"
	with := func(spec string) []json.RawMessage { return objectsOf(t, strings.Replace(service, "%s", spec, 1)) }
	named, other, none, headless := with("clusterIP: 10.96.7.7,"), with("clusterIP: 10.96.7.8,"), with(""), with("clusterIP: None,")
	expectTold(t, &judgeRequest{Objects: named}, nil)
	expectTold(t, &judgeRequest{Objects: none, Current: named}, nil)
	expectTold(t, &judgeRequest{Objects: none, Current: headless}, nil)
	expectTold(t, &judgeRequest{Objects: other, Current: named}, nil, "immutable spec.clusterIPs[0]")
	expectTold(t, &judgeRequest{Objects: headless, Current: none}, nil, "immutable spec.clusterIPs[0]")
}

func TestJobMayNotChangeItsTemplate(t *testing.T) {
	job := "apiVersion: batch/v1\nkind: Job\nmetadata: {name: j, namespace: shop}\n" +
		"spec: {template: {spec: {restartPolicy: Never, containers: [{name: c, image: \"c:1\"}]}}}\n"
	current := objectsOf(t, job)
	labelled := strings.Replace(job, "name: j,", "name: j, labels: {a: b},", 1)
	expectTold(t, &judgeRequest{Objects: objectsOf(t, labelled), Current: current}, nil)
	expectTold(t, &judgeRequest{Objects: objectsOf(t, strings.Replace(job, "c:1", "c:2", 1)), Current: current}, nil,
		"immutable spec.template")
}

func TestSecretIsNotTold(t *testing.T) {
	text := "apiVersion: v1\nkind: Secret\nmetadata: {name: s, namespace: shop}\ndata: {password: 'hunter2!'}\n"
	verdict := newJudge().verdict(&judgeRequest{Objects: objectsOf(t, text)}, nil)
	if len(verdict.Findings) != 1 || verdict.Findings[0].Field != "data.password" ||
		strings.Contains(verdict.Findings[0].Message, "hunter2") {
		t.Errorf("%+v", verdict)
	}
}

func TestEncryptedObjectIsNotJudged(t *testing.T) {
	text := "apiVersion: v1\nkind: Secret\nmetadata: {name: s, namespace: shop}\ndata: {a: 'ENC[1]'}\nsops: {mac: a}\n"
	expectTold(t, &judgeRequest{Objects: objectsOf(t, text)}, nil)
}

// Each is an object and what is found; the API server says the same (tests/verdicts).
func TestAskedIsWhatTheServersOwnPluginsAsk(t *testing.T) {
	for name, given := range map[string]struct{ text, finding string }{
		"time zone": {
			"apiVersion: batch/v1\nkind: CronJob\nmetadata: {name: c, namespace: shop}\nspec: {schedule: '0 * * * *', timeZone: " +
				"Europe/Berlin, jobTemplate: {spec: {template: {spec: {restartPolicy: Never, containers: [{name: c, image: i}]}}}}}", "",
		},
		"health check": {
			"apiVersion: v1\nkind: Service\nmetadata: {name: s, namespace: shop}\n" +
				"spec: {type: LoadBalancer, externalTrafficPolicy: Local, ports: [{port: 80}]}", "",
		},
		"pod security": {
			"apiVersion: v1\nkind: Namespace\nmetadata: {name: shop, labels: {pod-security.kubernetes.io/enforce: strict}}",
			"invalid metadata.labels[pod-security.kubernetes.io/enforce]",
		},
		"overhead": {
			"apiVersion: v1\nkind: Pod\nmetadata: {name: p, namespace: shop}\n" +
				"spec: {overhead: {cpu: 1}, containers: [{name: c, image: i}]}", "invalid spec.overhead",
		},
		"token of the default account": {
			"apiVersion: v1\nkind: Pod\nmetadata: {name: p, namespace: shop}\nspec: {containers: [{name: c, image: i}], " +
				"volumes: [{name: t, projected: {sources: [{serviceAccountToken: {path: t}}]}}]}", "",
		},
		"managed fields": {
			"apiVersion: v1\nkind: ConfigMap\nmetadata: {name: c, namespace: shop, managedFields: []}", "invalid metadata.managedFields",
		},
		"version": {
			"apiVersion: v1\nkind: ConfigMap\nmetadata: {name: c, namespace: shop, resourceVersion: a}", "invalid metadata.resourceVersion",
		},
		"no key": {
			"apiVersion: v1\nkind: ServiceAccount\nmetadata: {name: c, namespace: shop}\nsecrets: [{name: a}, {}]", "invalid secrets[1]",
		},
		"no key, but null": {
			"apiVersion: v1\nkind: ServiceAccount\nmetadata: {name: c, namespace: shop}\nsecrets: [{name: null}]", "",
		},
		"null in a set": {
			"apiVersion: v1\nkind: Node\nmetadata: {name: c}\nspec: {podCIDRs: [null]}", "invalid spec.podCIDRs[0]",
		},
		"number of 33 bits": {
			"apiVersion: scheduling.k8s.io/v1\nkind: PriorityClass\nmetadata: {name: c}\nvalue: 4294967296", "invalid value",
		},
		"number of 33 bits in a list": {
			"apiVersion: v1\nkind: Pod\nmetadata: {name: p, namespace: shop}\n" +
				"spec: {containers: [{name: b, image: i}, {name: c, image: i, ports: [{containerPort: 80}, {containerPort: 4294967296}]}]}",
			"invalid spec.containers[1].ports[1].containerPort",
		},
		"port of a node":         {nodePortYAML("30080"), ""},
		"no port":                {nodePortYAML("99999"), "invalid spec.ports[0].nodePort"},
		"port of other clusters": {nodePortYAML("8080"), "server-warning spec.ports[0].nodePort"},
		"deprecated": {
			"apiVersion: v1\nkind: Endpoints\nmetadata: {name: e, namespace: shop}", "server-warning apiVersion",
		},
		"devices of administrators": {
			"apiVersion: resource.k8s.io/v1\nkind: ResourceClaim\nmetadata: {name: c, namespace: shop}\n" +
				"spec: {devices: {requests: [{name: a, exactly: {deviceClassName: c, adminAccess: true}}]}}", "",
		},
		"key that is required": {
			"apiVersion: v1\nkind: Pod\nmetadata: {name: p, namespace: shop}\nspec: {containers: [{name: c, image: i, env: [{value: a}]}]}",
			"invalid spec.containers[0].env[0].name",
		},
		"list of bytes": {
			"apiVersion: v1\nkind: Secret\nmetadata: {name: c, namespace: shop}\ndata: {a: []}", "invalid data.a",
		},
	} {
		t.Run(name, func(t *testing.T) {
			if found := strings.Join(told(t, &judgeRequest{Objects: objectsOf(t, given.text)}, nil), ", "); found != given.finding {
				t.Errorf("found %q, expected %q", found, given.finding)
			}
		})
	}
}

// YAML's 2.0 is a 2 when it reaches a server.
func TestWholeNumberMayBeWrittenAsAFraction(t *testing.T) {
	written := func(number string) *judgeRequest {
		data := strings.Replace(string(objectsOf(t, deploymentYAML)[0]), `"replicas":2`, `"replicas":`+number, 1)
		return &judgeRequest{Objects: []json.RawMessage{json.RawMessage(data)}}
	}
	expectTold(t, written("2.0"), nil)
	expectTold(t, written("2e0"), nil)
	expectTold(t, written("2.5"), nil, "invalid spec.replicas")
}

func TestServiceKeepsThePortOfItsHealthCheck(t *testing.T) {
	service := "apiVersion: v1\nkind: Service\nmetadata: {name: web, namespace: shop}\n" +
		"spec: {type: LoadBalancer, externalTrafficPolicy: Local, ports: [{port: 80}]%s}\n"
	with := func(more string) []json.RawMessage { return objectsOf(t, strings.Replace(service, "%s", more, 1)) }
	none, named, other := with(""), with(", healthCheckNodePort: 30001"), with(", healthCheckNodePort: 30002")
	expectTold(t, &judgeRequest{Objects: none, Current: none}, nil)
	expectTold(t, &judgeRequest{Objects: none, Current: named}, nil)
	expectTold(t, &judgeRequest{Objects: named, Current: none}, nil)
	expectTold(t, &judgeRequest{Objects: other, Current: named}, nil, "immutable spec.healthCheckNodePort")
}

func nodePortYAML(port string) string {
	return "apiVersion: v1\nkind: Service\nmetadata: {name: s, namespace: shop}\nspec: {type: NodePort, ports: [{port: 80, nodePort: " + port + "}]}"
}

func TestFindingsComeInTheSameOrder(t *testing.T) {
	text := strings.Replace(deploymentYAML, "name: web, namespace: shop", "name: web, namespace: shop, labels: {a b: c, d e: f, g: h i, k l: m, n o: p q}", 1)
	text = strings.Replace(text, "spec:\n      containers", "spec:\n      nodeSelector: {x y: a, z w: b, q: r s}\n      containers", 1)
	request := &judgeRequest{Objects: objectsOf(t, text)}
	first := newJudge().verdict(request, nil).Findings
	if len(first) != 9 {
		t.Fatalf("%d findings: %v", len(first), first)
	}
	for range 50 {
		if again := newJudge().verdict(request, nil).Findings; !slices.Equal(again, first) {
			t.Fatalf("%v, then %v", first, again)
		}
	}
}
