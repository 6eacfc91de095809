package main

import (
	"strings"
	"testing"
)

const serviceYAML = `
apiVersion: v1
kind: Service
metadata: {name: web, namespace: shop}
spec: {selector: {app: web}, ports: [{port: 80, targetPort: http}]}
`

func TestServiceFindsItsPods(t *testing.T) {
	together := func(service string) *judgeRequest {
		return &judgeRequest{Objects: objectsOf(t, deploymentYAML+"---"+service)}
	}
	expectTold(t, together(serviceYAML), nil)
	expectTold(t, together(strings.Replace(serviceYAML, "app: web", "app: api", 1)), nil, "selects-nothing spec.selector")
	expectTold(t, together(strings.Replace(serviceYAML, "targetPort: http", "targetPort: web", 1)), nil,
		"undefined-reference spec.ports[0].targetPort")
	expectTold(t, together(strings.Replace(serviceYAML, "namespace: shop", "namespace: other", 1)), nil,
		"selects-nothing spec.selector")
	alone := &judgeRequest{Objects: objectsOf(t, serviceYAML), Around: objectsOf(t, deploymentYAML)}
	expectTold(t, alone, nil)
}

func TestServiceFindsPodsOfCustomWorkload(t *testing.T) {
	rollout := strings.Replace(strings.Replace(deploymentYAML, "apps/v1", "argoproj.io/v1alpha1", 1), "kind: Deployment", "kind: Rollout", 1)
	expectTold(t, &judgeRequest{Objects: objectsOf(t, rollout+"---"+serviceYAML)}, nil)
}

func TestNameThatNothingDefinesIsFound(t *testing.T) {
	const path = "spec.template.spec"
	for name, wrong := range map[string]struct{ old, new, finding string }{
		"config map": {
			"containers:", "volumes: [{name: v, configMap: {name: c}}]\n      containers:",
			"undefined-reference " + path + ".volumes[0].configMap.name",
		},
		"optional": {"containers:", "volumes: [{name: v, configMap: {name: c, optional: true}}]\n      containers:", ""},
		"account": {
			"containers:", "serviceAccountName: web\n      containers:", "undefined-reference " + path + ".serviceAccountName",
		},
		"secret": {
			"name: web, image:", "envFrom: [{secretRef: {name: s}}], name: web, image:",
			"undefined-reference " + path + ".containers[0].envFrom[0].secretRef.name",
		},
		"probe": {
			"name: web, image:", "livenessProbe: {httpGet: {port: web}}, name: web, image:",
			"undefined-reference " + path + ".containers[0].livenessProbe.httpGet.port",
		},
	} {
		t.Run(name, func(t *testing.T) {
			text := strings.Replace(deploymentYAML, wrong.old, wrong.new, 1)
			if found := strings.Join(told(t, &judgeRequest{Objects: objectsOf(t, text)}, nil), ", "); found != wrong.finding {
				t.Errorf("found %q, expected %q", found, wrong.finding)
			}
		})
	}
}

func TestKeyThatConfigMapLacksIsFound(t *testing.T) {
	env := "env: [{name: A, valueFrom: {configMapKeyRef: {name: c, key: %s}}}], name: web, image:"
	settings := "---\napiVersion: v1\nkind: ConfigMap\nmetadata: {name: c, namespace: shop}\ndata: {here: a}\n"
	with := func(key string) *judgeRequest {
		text := strings.Replace(deploymentYAML, "name: web, image:", strings.Replace(env, "%s", key, 1), 1)
		return &judgeRequest{Objects: objectsOf(t, text+settings)}
	}
	expectTold(t, with("here"), nil)
	expectTold(t, with("gone"), nil, "undefined-reference spec.template.spec.containers[0].env[0].valueFrom.configMapKeyRef.key")
}

func TestSecretOfControllerIsDefined(t *testing.T) {
	text := strings.Replace(deploymentYAML, "name: web, image:", "envFrom: [{secretRef: {name: s}}], name: web, image:", 1) +
		"---\napiVersion: external-secrets.io/v1\nkind: ExternalSecret\nmetadata: {name: s, namespace: shop}\nspec: {}\n"
	expectTold(t, &judgeRequest{Objects: objectsOf(t, text)}, nil)
}

func TestBudgetThatBlocksIsFound(t *testing.T) {
	budget := "---\napiVersion: policy/v1\nkind: PodDisruptionBudget\nmetadata: {name: web, namespace: shop}\n" +
		"spec: {%s, selector: {matchLabels: {app: web}}}\n"
	scaler := "---\napiVersion: autoscaling/v2\nkind: HorizontalPodAutoscaler\nmetadata: {name: web, namespace: shop}\n" +
		"spec: {minReplicas: 3, maxReplicas: 4, scaleTargetRef: {apiVersion: apps/v1, kind: Deployment, name: web}}\n"
	with := func(limit, more string) *judgeRequest {
		return &judgeRequest{Objects: objectsOf(t, deploymentYAML+strings.Replace(budget, "%s", limit, 1)+more)}
	}
	expectTold(t, with("minAvailable: 1", ""), nil)
	expectTold(t, with("minAvailable: 50%", ""), nil)
	expectTold(t, with("minAvailable: 2", scaler), nil)
	expectTold(t, with("minAvailable: 2", ""), nil, "blocking-budget spec.minAvailable")
	expectTold(t, with("minAvailable: 51%", ""), nil, "blocking-budget spec.minAvailable")
	expectTold(t, with("maxUnavailable: 0", ""), nil, "blocking-budget spec.maxUnavailable")
}

func TestIngressNamesServiceThatIsThere(t *testing.T) {
	ingress := "---\napiVersion: networking.k8s.io/v1\nkind: Ingress\nmetadata: {name: web, namespace: shop}\n" +
		"spec: {defaultBackend: {service: {name: web, port: {number: 80}}}}\n"
	with := func(old, new string) *judgeRequest {
		return &judgeRequest{Objects: objectsOf(t, deploymentYAML+"---"+serviceYAML+strings.Replace(ingress, old, new, 1))}
	}
	expectTold(t, with("", ""), nil)
	expectTold(t, with("number: 80", "number: 81"), nil, "undefined-reference spec.defaultBackend.service.port")
	expectTold(t, with("{service: {name: web", "{service: {name: api"), nil, "undefined-reference spec.defaultBackend.service.name")
}
