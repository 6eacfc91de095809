package main

import (
	"encoding/json"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/kubernetes/pkg/apis/autoscaling"
	"k8s.io/kubernetes/pkg/apis/core"
)

// What is known of pods that others than the server's own controllers make, count or label.

// customWorkload takes a custom resource that has a template of pods for a workload: a Rollout, a CloneSet.
func customWorkload(one *judged) *podMaker {
	spec, _ := one.fields["spec"].(map[string]any)
	template, ok := spec["template"].(map[string]any)
	if _, builtIn := served(one.gvk()); builtIn || !ok {
		return nil
	}
	metadata, _ := template["metadata"].(map[string]any)
	found := labels.Set{}
	written, _ := metadata["labels"].(map[string]any)
	for name, value := range written {
		if text, ok := value.(string); ok {
			found[name] = text
		}
	}
	made := &podMaker{
		kind: one.Kind, namespace: one.namespace(), name: one.name(), labels: found, portNames: portNamesIn(template["spec"]),
	}
	if likeDeployments[one.gvk().GroupKind().String()] {
		made.path, made.spec, made.replicas = "spec.template.spec", podSpecOf(template), replicasIn(spec)
	}
	return made
}

// likeDeployments make pods of their template as it stands, so that what it names has to be there.
var likeDeployments = map[string]bool{
	"CloneSet.apps.kruise.io": true, "Rollout.argoproj.io": true, "StatefulSet.apps.kruise.io": true,
}

// podSpecOf reads a template of pods as the server does; nil where it cannot be read.
func podSpecOf(template map[string]any) *core.PodSpec {
	data, err := json.Marshal(map[string]any{"apiVersion": "v1", "kind": "PodTemplate", "template": template})
	if err != nil {
		return nil
	}
	one := parse(data)
	one.build()
	if read, ok := one.built.(*core.PodTemplate); ok {
		return &read.Template.Spec
	}
	return nil
}

func replicasIn(spec map[string]any) *int32 {
	count := int32(1)
	if written, ok := spec["replicas"].(json.Number); ok {
		number, _ := written.Int64()
		count = int32(number)
	}
	return &count
}

// portNamesIn returns the names of all ports below a value.
func portNamesIn(value any) []string {
	found := []string{}
	switch value := value.(type) {
	case map[string]any:
		if _, ok := value["containerPort"]; ok {
			if name, ok := value["name"].(string); ok {
				found = append(found, name)
			}
		}
		for _, name := range sortedKeys(value) {
			found = append(found, portNamesIn(value[name])...)
		}
	case []any:
		for _, item := range value {
			found = append(found, portNamesIn(item)...)
		}
	}
	return found
}

// givenLabels are those that controllers give pods beside their template's, by the kind of the workload.
var givenLabels = map[string][]string{
	"CronJob":     {"batch.kubernetes.io/job-completion-index", "batch.kubernetes.io/job-name", "job-name"},
	"DaemonSet":   {"controller-revision-hash", "pod-template-generation"},
	"Deployment":  {"pod-template-hash"},
	"Job":         {"batch.kubernetes.io/job-completion-index", "batch.kubernetes.io/job-name", "job-name"},
	"ReplicaSet":  {"pod-template-hash"},
	"Rollout":     {"rollouts-pod-template-hash"},
	"StatefulSet": {"apps.kubernetes.io/pod-index", "controller-revision-hash", "statefulset.kubernetes.io/pod-name"},
}

// hasPods says whether a selector finds the workload's pods, or may find one of them.
func (w *podMaker) hasPods(selector labels.Selector) bool {
	requirements, selectable := selector.Requirements()
	return selectable && !slices.ContainsFunc(requirements, func(one labels.Requirement) bool {
		return !one.Matches(w.labels) && !w.mayBeGiven(one)
	})
}

func (w *podMaker) mayBeGiven(requirement labels.Requirement) bool {
	if !slices.Contains(givenLabels[w.kind], requirement.Key()) {
		return false
	}
	return !strings.HasSuffix(requirement.Key(), "-name") || slices.ContainsFunc(
		requirement.ValuesUnsorted(), func(value string) bool { return strings.HasPrefix(value, w.name) },
	)
}

// scalesFrom returns what an object scales, and the fewest replicas that it leaves; nothing for what scales nothing.
func scalesFrom(one *judged) (target autoscaling.CrossVersionObjectReference, fewest *int32) {
	if scaler, ok := one.built.(*autoscaling.HorizontalPodAutoscaler); ok {
		return scaler.Spec.ScaleTargetRef, scaler.Spec.MinReplicas
	}
	if one.gvk().GroupKind().String() != "ScaledObject.keda.sh" {
		return target, nil
	}
	target.Kind = orElse(one.text("spec", "scaleTargetRef", "kind"), "Deployment")
	target.Name = one.text("spec", "scaleTargetRef", "name")
	spec, _ := one.fields["spec"].(map[string]any)
	written, _ := spec["minReplicaCount"].(json.Number)
	count, _ := written.Int64()
	none := int32(count)
	return target, &none
}

// makesNoPods has groups whose objects only describe: no operator makes pods of them.
var makesNoPods = []string{
	"acme.cert-manager.io", "autoscaling.k8s.io", "bitnami.com", "cert-manager.io", "cilium.io", "external-secrets.io",
	"gateway.networking.k8s.io", "keda.sh", "kyverno.io", "networking.istio.io", "secrets-store.csi.x-k8s.io",
	"secrets.hashicorp.com", "security.istio.io", "snapshot.storage.k8s.io", "traefik.io", "trust.cert-manager.io",
}

// describing has kinds that only describe, of groups that have others, too.
var describing = []string{
	"AlertmanagerConfig.monitoring.coreos.com", "AnalysisTemplate.argoproj.io", "AppProject.argoproj.io",
	"Application.argoproj.io", "PodMonitor.monitoring.coreos.com", "Probe.monitoring.coreos.com",
	"PrometheusRule.monitoring.coreos.com", "ScrapeConfig.monitoring.coreos.com", "ServiceMonitor.monitoring.coreos.com",
}

// mayBeOperated says so of a custom resource of which an operator may make pods that nobody can see here: a Prometheus.
func mayBeOperated(one *judged) bool {
	kind := one.gvk().GroupKind()
	if _, builtIn := served(one.gvk()); builtIn || kind == (schema.GroupKind{}) || customWorkload(one) != nil {
		return false
	}
	return !isBuiltInGroup(kind.Group) && !slices.Contains(makesNoPods, kind.Group) && !slices.Contains(describing, kind.String())
}

// isOperated says whether a selector names a custom resource of which an operator may make the pods.
func (all *neighbourhood) isOperated(namespace string, selector labels.Selector) bool {
	requirements, _ := selector.Requirements()
	return slices.ContainsFunc(all.operated, func(one [2]string) bool {
		return one[0] == namespace && slices.ContainsFunc(requirements, func(requirement labels.Requirement) bool {
			return slices.ContainsFunc(requirement.ValuesUnsorted(), func(value string) bool { return strings.Contains(value, one[1]) })
		})
	})
}
