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

const statefulSetYAML = `
apiVersion: apps/v1
kind: StatefulSet
metadata: {name: db, namespace: shop}
spec:
  serviceName: db
  selector: {matchLabels: {app: db}}
  template: {metadata: {labels: {app: db}}, spec: {containers: [{name: c, image: i}]}}
  volumeClaimTemplates:
  - {metadata: {name: data}, spec: {accessModes: [ReadWriteOnce], resources: {requests: {storage: 1Gi}}}}
`

func TestServiceFindsPodsByWhatTheirControllerGivesThem(t *testing.T) {
	service := "---\napiVersion: v1\nkind: Service\nmetadata: {name: s, namespace: shop}\n" +
		"spec: {selector: {app: db, %s}, ports: [{port: 80}]}\n"
	for label, finding := range map[string]string{
		"statefulset.kubernetes.io/pod-name: db-0":    "",
		"apps.kubernetes.io/pod-index: '1'":           "",
		"statefulset.kubernetes.io/pod-name: other-0": "selects-nothing spec.selector",
		"pod-template-hash: a":                        "selects-nothing spec.selector",
	} {
		text := statefulSetYAML + strings.Replace(service, "%s", label, 1)
		if found := strings.Join(told(t, &judgeRequest{Objects: objectsOf(t, text)}, nil), ", "); found != finding {
			t.Errorf("%s: found %q", label, found)
		}
	}
}

func TestServiceOfWhatAnOperatorMakesMayFindItsPods(t *testing.T) {
	const text = "apiVersion: monitoring.coreos.com/v1\nkind: KIND\nmetadata: {name: main, namespace: shop}\nspec: {}\n" +
		"---\napiVersion: v1\nkind: Service\nmetadata: {name: s, namespace: shop}\n" +
		"spec: {selector: {operator.prometheus.io/name: main}, ports: [{port: 80}]}\n"
	of := func(kind string) *judgeRequest {
		return &judgeRequest{Objects: objectsOf(t, strings.Replace(text, "KIND", kind, 1))}
	}
	expectTold(t, of("Prometheus"), nil)
	expectTold(t, of("ServiceMonitor"), nil, "selects-nothing spec.selector")
}

func TestPortOfServiceIsOneThatPodsKeepOpen(t *testing.T) {
	together := func(port, containers string) *judgeRequest {
		text := strings.Replace(deploymentYAML, "      containers:", "      "+containers+"\n      containers:", 1)
		return &judgeRequest{Objects: objectsOf(t, text+"---"+strings.Replace(serviceYAML, "port: 80, targetPort: http", port, 1))}
	}
	const sidecar = "initContainers: [{name: s, image: i, restartPolicy: Always, ports: [{name: metrics, containerPort: 9}]}]"
	const beforehand = "initContainers: [{name: s, image: i, ports: [{name: metrics, containerPort: 9}]}]"
	expectTold(t, together("port: 80, targetPort: metrics", sidecar), nil)
	expectTold(t, together("port: 80, targetPort: metrics", beforehand), nil, "undefined-reference spec.ports[0].targetPort")
	expectTold(t, together("port: 80, targetPort: 9999", beforehand), nil)
	expectTold(t, together("port: 80, protocol: UDP, targetPort: http", sidecar), nil, "undefined-reference spec.ports[0].targetPort")
}

// Each is a pod's spec next to some other object, and what is found.
func TestPodsFindWhatTheyName(t *testing.T) {
	const pod = "apiVersion: v1\nkind: Pod\nmetadata: {name: p, namespace: shop}\nspec: {%s containers: [{name: c, image: i%s}]}\n---\n"
	const config = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: one, namespace: shop}\ndata: {a: b}\n"
	const secret = "apiVersion: v1\nkind: Secret\nmetadata: {name: one, namespace: shop}\nstringData: {a: b}\n"
	const classes = "apiVersion: secrets-store.csi.x-k8s.io/v1\nkind: SecretProviderClass\nmetadata: {name: x, namespace: shop}\n" +
		"spec: {provider: vault, secretObjects: [{secretName: one, type: Opaque, data: []}]}\n"
	const bundle = "apiVersion: trust.cert-manager.io/v1alpha1\nkind: Bundle\nmetadata: {name: one}\nspec: {}\n"
	for name, given := range map[string]struct{ pod, container, other, finding string }{
		"file of a map": {"volumes: [{name: v, configMap: {name: one, items: [{key: a, path: b}]}}],", "", config, ""},
		"no file of a map": {
			"volumes: [{name: v, configMap: {name: one, items: [{key: x, path: b}]}}],", "", config,
			"undefined-reference spec.volumes[0].configMap.items[0].key",
		},
		"optional file": {"volumes: [{name: v, configMap: {name: one, optional: true, items: [{key: x, path: b}]}}],", "", config, ""},
		"no projected file": {
			"volumes: [{name: v, projected: {sources: [{secret: {name: one, items: [{key: x, path: b}]}}]}}],", "", secret,
			"undefined-reference spec.volumes[0].projected.sources[0].secret.items[0].key",
		},
		"written key": {"", ", env: [{name: A, valueFrom: {secretKeyRef: {name: one, key: a}}}]", secret, ""},
		"no written key": {
			"", ", env: [{name: A, valueFrom: {secretKeyRef: {name: one, key: x}}}]", secret,
			"undefined-reference spec.containers[0].env[0].valueFrom.secretKeyRef.key",
		},
		"map that somebody fills": {
			"volumes: [{name: v, configMap: {name: one, items: [{key: x, path: b}]}}],", "",
			strings.Replace(config, "data: {a: b}", "data: {}", 1), "",
		},
		"secret of a class": {"", ", envFrom: [{secretRef: {name: one}}]", classes, ""},
		"secret of a job": {
			"", ", envFrom: [{secretRef: {name: one}}]", "apiVersion: batch/v1\nkind: Job\nmetadata: {name: j, namespace: shop}\n" +
				"spec: {template: {spec: {restartPolicy: Never, containers: [{name: c, image: i, args: [create, --secret-name=one]}]}}}\n", "",
		},
		"map of a bundle": {"volumes: [{name: v, configMap: {name: one}}],", "", bundle, ""},
		"claim of a set":  {"volumes: [{name: v, persistentVolumeClaim: {claimName: data-db-0}}],", "", statefulSetYAML, ""},
		"no claim of the set": {
			"volumes: [{name: v, persistentVolumeClaim: {claimName: log-db-0}}],", "", statefulSetYAML,
			"undefined-reference spec.volumes[0].persistentVolumeClaim.claimName",
		},
		"port of a hook": {
			"", ", lifecycle: {preStop: {httpGet: {port: http}}}", config,
			"undefined-reference spec.containers[0].lifecycle.preStop.httpGet.port",
		},
	} {
		t.Run(name, func(t *testing.T) {
			text := strings.Replace(strings.Replace(pod, "%s", given.pod, 1), "%s", given.container, 1) + given.other
			if found := strings.Join(told(t, &judgeRequest{Objects: objectsOf(t, text)}, nil), ", "); found != given.finding {
				t.Errorf("found %q, expected %q", found, given.finding)
			}
		})
	}
}

func TestRolloutIsLookedAtLikeADeployment(t *testing.T) {
	rollout := strings.Replace(strings.Replace(deploymentYAML, "apps/v1", "argoproj.io/v1alpha1", 1), "kind: Deployment", "kind: KIND", 1)
	rollout = strings.Replace(rollout, "name: web, image:", "envFrom: [{configMapRef: {name: c}}], name: web, image:", 1)
	budget := "---\napiVersion: policy/v1\nkind: PodDisruptionBudget\nmetadata: {name: b, namespace: shop}\n" +
		"spec: {minAvailable: 2, selector: {matchLabels: {app: web}}}\n"
	of := func(kind string) *judgeRequest {
		return &judgeRequest{Objects: objectsOf(t, strings.Replace(rollout, "KIND", kind, 1)+budget)}
	}
	expectTold(t, of("Rollout"), nil, "blocking-budget spec.minAvailable",
		"undefined-reference spec.template.spec.containers[0].envFrom[0].configMapRef.name")
	expectTold(t, of("Other"), nil)
}

func TestActionOfAnIngressIsNoService(t *testing.T) {
	text := "apiVersion: networking.k8s.io/v1\nkind: Ingress\nmetadata: {name: i, namespace: shop}\n" +
		"spec: {defaultBackend: {service: {name: redirect, port: {name: PORT}}}}\n"
	of := func(port string) *judgeRequest {
		return &judgeRequest{Objects: objectsOf(t, strings.Replace(text, "PORT", port, 1))}
	}
	expectTold(t, of("use-annotation"), nil)
	expectTold(t, of("http"), nil, "undefined-reference spec.defaultBackend.service.name")
}

func TestBudgetCountsWhatAScalerLeaves(t *testing.T) {
	budget := "---\napiVersion: policy/v1\nkind: PodDisruptionBudget\nmetadata: {name: b, namespace: shop}\n" +
		"spec: {minAvailable: 2, selector: {matchExpressions: [{key: app, operator: In, values: [web, api]}]}}\n"
	scaled := "---\napiVersion: keda.sh/v1alpha1\nkind: ScaledObject\nmetadata: {name: s, namespace: shop}\n" +
		"spec: {%s scaleTargetRef: {name: web}}\n"
	with := func(more string) *judgeRequest {
		return &judgeRequest{Objects: objectsOf(t, deploymentYAML+budget+more)}
	}
	expectTold(t, with(""), nil, "blocking-budget spec.minAvailable")
	expectTold(t, with(strings.Replace(scaled, "%s", "minReplicaCount: 3,", 1)), nil)
	expectTold(t, with(strings.Replace(scaled, "%s", "", 1)), nil)
}
