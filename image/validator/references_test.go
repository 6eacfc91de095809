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

func TestBudgetsOfTheSamePodsBlock(t *testing.T) {
	const budget = "---\napiVersion: policy/v1\nkind: PodDisruptionBudget\nmetadata: {name: NAME, namespace: shop}\n" +
		"spec: {maxUnavailable: 1, selector: {matchLabels: {LABELS}}}\n"
	named := func(name, labels string) string {
		return strings.Replace(strings.Replace(budget, "NAME", name, 1), "LABELS", labels, 1)
	}
	both := deploymentYAML + named("a", "app: web") + named("b", "app: web")
	expectTold(t, &judgeRequest{Objects: objectsOf(t, both)}, nil, "blocking-budget spec.selector", "blocking-budget spec.selector")
	apart := deploymentYAML + strings.NewReplacer("name: web, namespace", "name: api, namespace", "app: web", "app: api").Replace(deploymentYAML)
	apart = strings.Replace(apart, "\napiVersion", "\n---\napiVersion", 2)
	expectTold(t, &judgeRequest{Objects: objectsOf(t, apart+named("a", "app: web")+named("b", "app: api"))}, nil)
}

// Each is an object next to another one, and what is found.
func TestOtherObjectsFindWhatTheyName(t *testing.T) {
	const (
		binding = "apiVersion: rbac.authorization.k8s.io/v1\nkind: RoleBinding\nmetadata: {name: a, namespace: shop}\n" +
			"roleRef: {apiGroup: rbac.authorization.k8s.io, kind: KIND, name: one}\nsubjects: [{kind: ServiceAccount, name: ACCOUNT, namespace: NAMESPACE}]\n"
		ingress = "apiVersion: networking.k8s.io/v1\nkind: Ingress\nmetadata: {name: a, namespace: shop, annotations: {NOTE: b}}\n" +
			"spec: {tls: [{secretName: one}], rules: [{host: a.example.com}]}\n"
		webhook = "apiVersion: admissionregistration.k8s.io/v1\nkind: ValidatingWebhookConfiguration\nmetadata: {name: a}\n" +
			"webhooks: [{name: a.b.c, sideEffects: None, admissionReviewVersions: [v1], clientConfig: {service: {name: one, namespace: NAMESPACE}}}]\n"
		account = "apiVersion: v1\nkind: ServiceAccount\nmetadata: {name: one, namespace: shop}\n"
		secret  = "apiVersion: v1\nkind: Secret\nmetadata: {name: one, namespace: shop}\nstringData: {a: b}\n"
		role    = "apiVersion: rbac.authorization.k8s.io/v1\nkind: Role\nmetadata: {name: one, namespace: shop}\nrules: []\n"
		service = "apiVersion: v1\nkind: Service\nmetadata: {name: one, namespace: shop}\nspec: {ports: [{port: 80}]}\n"
		pod     = "apiVersion: v1\nkind: Pod\nmetadata: {name: p, namespace: shop}\nspec: {SPEC, containers: [{name: c, image: i}]}\n"
	)
	bound := func(kind, name, namespace string) string {
		return strings.NewReplacer("KIND", kind, "ACCOUNT", name, "NAMESPACE", namespace).Replace(binding)
	}
	set := strings.Replace(statefulSetYAML, "spec:\n", "spec:\n  serviceName: one\n", 1)
	for name, given := range map[string]struct{ text, other, finding string }{
		"account of a binding":     {bound("ClusterRole", "one", "shop"), account, ""},
		"no account of a binding":  {bound("ClusterRole", "two", "shop"), account, "undefined-reference subjects[0].name"},
		"account that all have":    {bound("ClusterRole", "default", "shop"), account, ""},
		"account elsewhere":        {bound("ClusterRole", "two", "other"), account, ""},
		"role of a binding":        {bound("Role", "one", "shop"), account + "---\n" + role, ""},
		"no role of a binding":     {bound("Role", "one", "shop"), account, "undefined-reference roleRef.name"},
		"role of the cluster":      {strings.ReplaceAll(bound("Role", "one", "shop"), "namespace: shop", "namespace: kube-system"), account, ""},
		"certificate":              {strings.Replace(ingress, "NOTE", "x", 1), secret, ""},
		"no certificate":           {strings.Replace(ingress, "NOTE", "x", 1), account, "undefined-reference spec.tls[0].secretName"},
		"certificate that is made": {strings.Replace(ingress, "NOTE", "cert-manager.io/cluster-issuer", 1), account, ""},
		"service of a set":         {set, service, ""},
		"no service of a set":      {set, account, "undefined-reference spec.serviceName"},
		"service of a webhook":     {strings.Replace(webhook, "NAMESPACE", "shop", 1), service, ""},
		"no service of a webhook":  {strings.Replace(webhook, "NAMESPACE", "shop", 1), account, "undefined-reference webhooks[0].clientConfig.service.name"},
		"service elsewhere":        {strings.Replace(webhook, "NAMESPACE", "other", 1), account, ""},
		"no pull secret":           {strings.Replace(pod, "SPEC", "imagePullSecrets: [{name: one}]", 1), account, ""},
		"no secret of a driver": {
			strings.Replace(pod, "SPEC", "volumes: [{name: v, csi: {driver: a.b, nodePublishSecretRef: {name: one}}}]", 1), account,
			"undefined-reference spec.volumes[0].csi.nodePublishSecretRef.name",
		},
	} {
		t.Run(name, func(t *testing.T) {
			request := &judgeRequest{Objects: objectsOf(t, given.text+"---\n"+given.other)}
			if found := strings.Join(told(t, request, nil), ", "); found != given.finding {
				t.Errorf("found %q, expected %q", found, given.finding)
			}
		})
	}
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
