package main

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"
)

const policyYAML = `
apiVersion: admissionregistration.k8s.io/v1
kind: ValidatingAdmissionPolicy
metadata: {name: replicas}
spec:
  matchConstraints:
    resourceRules:
      - {apiGroups: [apps], apiVersions: [v1], operations: [CREATE, UPDATE], resources: [deployments]}
  variables:
    - {name: many, expression: object.spec.replicas > 3}
  validations:
    - {expression: "!variables.many", messageExpression: "'too many: ' + string(object.spec.replicas)"}
`

// judgedBy returns what policies find in objects, as `rule field: message`.
func judgedBy(t *testing.T, request *judgeRequest, files map[string]string, policies ...string) []string {
	t.Helper()
	request.Policies = objectsOf(t, strings.Join(policies, "\n---\n"))
	found := []string{}
	for _, entry := range newJudge().verdict(request, files).Findings {
		if strings.HasPrefix(entry.Rule, policyRule) {
			found = append(found, entry.Rule+" "+entry.Field+": "+entry.Message)
		}
	}
	return found
}

func expectKept(t *testing.T, found []string, expected ...string) {
	t.Helper()
	if !slices.Equal(found, expected) && len(found)+len(expected) > 0 {
		t.Errorf("found %q, expected %q", found, expected)
	}
}

func withReplicas(number string) string {
	return strings.Replace(deploymentYAML, "replicas: 2", "replicas: "+number, 1)
}

const tooMany = "policy/replicas spec.validations[0].expression: too many: 4"

func TestPolicyFindsWhatItIsFor(t *testing.T) {
	expectKept(t, judgedBy(t, &judgeRequest{Objects: objectsOf(t, withReplicas("3"))}, nil, policyYAML))
	expectKept(t, judgedBy(t, &judgeRequest{Objects: objectsOf(t, withReplicas("4"))}, nil, policyYAML), tooMany)
	other := strings.Replace(withReplicas("4"), "kind: Deployment", "kind: StatefulSet", 1)
	expectKept(t, judgedBy(t, &judgeRequest{Objects: objectsOf(t, other)}, nil, policyYAML))
}

func TestPolicySeesDefaults(t *testing.T) {
	unset := strings.Replace(deploymentYAML, "replicas: 2,", "", 1)
	unset = strings.Replace(unset, "  replicas: 2\n", "", 1)
	one := strings.Replace(policyYAML, "> 3", "== 1", 1)
	expectKept(t, judgedBy(t, &judgeRequest{Objects: objectsOf(t, unset)}, nil, one),
		"policy/replicas spec.validations[0].expression: too many: 1")
}

func TestPolicyComparesOldAndNew(t *testing.T) {
	step := strings.Replace(policyYAML, "object.spec.replicas > 3",
		"oldObject != null && object.spec.replicas - oldObject.spec.replicas > 1", 1)
	expectKept(t, judgedBy(t, &judgeRequest{Objects: objectsOf(t, withReplicas("4"))}, nil, step))
	current := objectsOf(t, deploymentYAML)
	expectKept(t, judgedBy(t, &judgeRequest{Objects: objectsOf(t, withReplicas("4")), Current: current}, nil, step), tooMany)
	expectKept(t, judgedBy(t, &judgeRequest{Objects: objectsOf(t, withReplicas("3")), Current: current}, nil, step))
	recreated := strings.Replace(withReplicas("4"), "{name: web, namespace: shop}",
		"{name: web, namespace: shop, annotations: {kustomize.toolkit.fluxcd.io/force: enabled}}", 1)
	expectKept(t, judgedBy(t, &judgeRequest{Objects: objectsOf(t, recreated), Current: current}, nil, step), tooMany)
}

func TestPolicySeesWhatGoes(t *testing.T) {
	gone := strings.NewReplacer("[CREATE, UPDATE]", "[DELETE]", "object.spec.replicas > 3", "object == null",
		"string(object.spec.replicas)", "oldObject.metadata.name").Replace(policyYAML)
	request := &judgeRequest{Objects: objectsOf(t, withReplicas("4")), Removed: objectsOf(t, deploymentYAML)}
	expectKept(t, judgedBy(t, request, nil, gone), "policy/replicas spec.validations[0].expression: too many: web")
	expectKept(t, judgedBy(t, request, nil, policyYAML), tooMany)
}

func TestPolicyForAnotherVersionSeesTheObjectInIt(t *testing.T) {
	text := "apiVersion: autoscaling/v2\nkind: HorizontalPodAutoscaler\nmetadata: {name: a, namespace: shop}\n" +
		"spec: {maxReplicas: 9, scaleTargetRef: {kind: Deployment, name: web}, metrics: [{type: Resource, resource: " +
		"{name: cpu, target: {type: Utilization, averageUtilization: 50}}}]}\n"
	older := strings.NewReplacer("[apps]", "[autoscaling]", "deployments", "horizontalpodautoscalers",
		"object.spec.replicas > 3", "object.spec.targetCPUUtilizationPercentage == 50",
		"string(object.spec.replicas)", "object.apiVersion").Replace(policyYAML)
	expectKept(t, judgedBy(t, &judgeRequest{Objects: objectsOf(t, text)}, nil, older),
		"policy/replicas spec.validations[0].expression: too many: autoscaling/v1")
	exact := strings.Replace(older, "  matchConstraints:\n", "  matchConstraints:\n    matchPolicy: Exact\n", 1)
	expectKept(t, judgedBy(t, &judgeRequest{Objects: objectsOf(t, text)}, nil, exact))
}

// An object that cannot be judged is still one that policies are for: else an app would evade them by it.
func TestNobodyEvadesAPolicy(t *testing.T) {
	for name, change := range map[string][2]string{
		"encrypted":         {"kind: Deployment\n", "kind: Deployment\nsops: {mac: a}\n"},
		"a wrong type":      {"app: web}, ", "app: web}, finalizers: [1], "},
		"an unknown field":  {"replicas: 4", "replica: 3\n  replicas: 4"},
		"an invalid name":   {"name: web, namespace: shop", "name: Web, namespace: shop"},
		"an older version":  {"apps/v1", "apps/v1beta1"},
		"an unknown volume": {"containers:", "volumes: [{name: a, hostPath: 1}]\n      containers:"},
	} {
		t.Run(name, func(t *testing.T) {
			text := strings.Replace(withReplicas("4"), change[0], change[1], 1)
			rule := strings.Replace(policyYAML, "[v1]", "['*']", 1)
			expectKept(t, judgedBy(t, &judgeRequest{Objects: objectsOf(t, text)}, nil, rule), tooMany)
		})
	}
	// Twenty findings of the server's do not crowd it out.
	crowded := withReplicas("4")
	var object map[string]any
	if err := json.Unmarshal(objectsOf(t, crowded)[0], &object); err != nil {
		t.Fatal(err)
	}
	for _, letter := range "abcdefghijklmnopqrstuvwxyz" {
		object["unknown"+string(letter)] = 1
	}
	data, _ := json.Marshal(object)
	expectKept(t, judgedBy(t, &judgeRequest{Objects: []json.RawMessage{data}}, nil, policyYAML), tooMany)
}

func TestPolicyForCustomResources(t *testing.T) {
	widget := "apiVersion: example.com/v1\nkind: Widget\nmetadata: {name: w, namespace: shop}\nspec: {size: 4}\n"
	rule := strings.NewReplacer("[apps]", "[example.com]", "deployments", "widgets", "replicas > 3", "size > 3",
		"spec.replicas)", "spec.size)").Replace(policyYAML)
	expectKept(t, judgedBy(t, &judgeRequest{Objects: objectsOf(t, widget)}, nil, rule), tooMany)
}

func TestPolicyMatchesByLabelAndNamespace(t *testing.T) {
	with := func(selector string) []string {
		rule := strings.Replace(policyYAML, "  matchConstraints:\n", "  matchConstraints:\n    "+selector+"\n", 1)
		return judgedBy(t, &judgeRequest{Objects: objectsOf(t, withReplicas("4"))}, nil, rule)
	}
	expectKept(t, with("namespaceSelector: {matchLabels: {kubernetes.io/metadata.name: shop}}"), tooMany)
	expectKept(t, with("namespaceSelector: {matchLabels: {kubernetes.io/metadata.name: other}}"))
	expectKept(t, with("objectSelector: {matchLabels: {app: other}}"))
}

func TestSecretIsNotToldByAPolicy(t *testing.T) {
	secret := "apiVersion: v1\nkind: Secret\nmetadata: {name: s, namespace: shop}\nstringData: {password: hunter2}\n"
	for _, expression := range []string{"false", "int(object.stringData.password) > 1"} {
		rule := strings.NewReplacer("[apps]", "['']", "deployments", "secrets", "'too many: ' + string(object.spec.replicas)",
			"object.stringData.password", "!variables.many", expression, "object.spec.replicas > 3", "true").Replace(policyYAML)
		found := judgedBy(t, &judgeRequest{Objects: objectsOf(t, secret)}, nil, rule)
		if len(found) != 1 || strings.Contains(found[0], "hunter2") {
			t.Errorf("%q", found)
		}
	}
}

// What costs too much ends by the server's own limit, and is not kept unless the policy ignores failures.
func TestCostIsBounded(t *testing.T) {
	costly := strings.Replace(policyYAML, "!variables.many", "[1,2,3,4,5,6,7,8,9,10].all(a, [1,2,3,4,5,6,7,8,9,10].all(b, "+
		"[1,2,3,4,5,6,7,8,9,10].all(c, [1,2,3,4,5,6,7,8,9,10].all(d, [1,2,3,4,5,6,7,8,9,10].all(e, "+
		"[1,2,3,4,5,6,7,8,9,10].all(f, a > 0))))))", 1)
	found := judgedBy(t, &judgeRequest{Objects: objectsOf(t, deploymentYAML)}, nil, costly)
	if len(found) != 1 || !strings.Contains(found[0], "cost") {
		t.Errorf("%q", found)
	}
	ignored := strings.Replace(costly, "spec:\n", "spec:\n  failurePolicy: Ignore\n", 1)
	expectKept(t, judgedBy(t, &judgeRequest{Objects: objectsOf(t, deploymentYAML)}, nil, ignored))
}

func TestPolicyThatCannotBeUsedIsToldWithItsField(t *testing.T) {
	for name, wrong := range map[string]struct{ old, new, field, message string }{
		"syntax":    {"!variables.many", "!variables.many)", "spec.validations[0].expression", "Syntax error"},
		"function":  {"!variables.many", "object.spec.foo()", "spec.validations[0].expression", "undeclared reference to 'foo'"},
		"variable":  {"!variables.many", "variables.few", "spec.validations[0].expression", "undefined field 'few'"},
		"no rule":   {"resourceRules:", "excludeResourceRules:", "spec.matchConstraints.resourceRules", "Required value"},
		"field":     {"  variables:", "  variable:", "spec.variable", "unknown field"},
		"kind":      {"kind: ValidatingAdmissionPolicy", "kind: ValidatingAdmissionPolicy2", "kind", "no kind"},
		"name":      {"{name: replicas}", "{name: Replicas}", "metadata.name", "lowercase"},
		"parameter": {"spec:\n", "spec:\n  paramKind: {apiVersion: v1, kind: ConfigMap}\n", "spec.paramKind", "paramKind"},
		"audit": {"spec:\n", "spec:\n  auditAnnotations: [{key: a, valueExpression: \"'b'\"}]\n", "spec.auditAnnotations",
			"auditAnnotations"},
		"labels of namespaces": {"  matchConstraints:\n", "  matchConstraints:\n    namespaceSelector: {matchLabels: {a: b}}\n",
			"spec.matchConstraints.namespaceSelector", "namespaceSelector"},
		"user": {"!variables.many", "request.userInfo.username != ''", "spec.validations[0].expression",
			"request.userInfo has no value here"},
		"authorizer": {"!variables.many", "authorizer.path('/').check('get').allowed()", "spec.validations[0].expression",
			"authorizer has no value here"},
		"namespace": {"object.spec.replicas > 3", "namespaceObject.metadata.name == 'a'", "spec.variables[0].expression",
			"namespaceObject has no value here"},
		"only a subresource": {"[deployments]", "[deployments/scale]", "spec.matchConstraints.resourceRules", "subresources"},
	} {
		t.Run(name, func(t *testing.T) {
			text := strings.Replace(policyYAML, wrong.old, wrong.new, 1)
			if text == policyYAML {
				t.Fatal("nothing changed")
			}
			found := newJudge().problemsOf(&policyRequest{Policies: objectsOf(t, text)}).Findings
			if !slices.ContainsFunc(found, func(entry finding) bool {
				return entry.Field == wrong.field && strings.Contains(entry.Message, wrong.message)
			}) {
				t.Errorf("%+v", found)
			}
			unused := judgedBy(t, &judgeRequest{Objects: objectsOf(t, deploymentYAML)}, nil, text)
			if len(unused) != 1 || !strings.Contains(unused[0], "the policy is wrong") {
				t.Errorf("a wrong policy lets pass: %q", unused)
			}
		})
	}
	if found := newJudge().problemsOf(&policyRequest{Policies: objectsOf(t, policyYAML)}).Findings; len(found) > 0 {
		t.Errorf("%+v", found)
	}
}
