package main

import (
	"slices"

	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/util/intstr"
	"k8s.io/kubernetes/pkg/apis/apps"
	"k8s.io/kubernetes/pkg/apis/autoscaling"
	"k8s.io/kubernetes/pkg/apis/batch"
	"k8s.io/kubernetes/pkg/apis/core"
	"k8s.io/kubernetes/pkg/apis/policy"
)

// What a server does not ask: whether what objects name is there. Judged are the objects of a request; those around them
// may define what they name.

// A podMaker is a workload: an object that makes pods. Of a custom one only the labels and the names of ports are known.
type podMaker struct {
	object    int // -1: one of those around
	namespace string
	kind      string
	name      string
	path      string // of the pods' spec
	labels    labels.Set
	spec      *core.PodSpec
	replicas  *int32
	// portNames are those of a custom workload, nil for others; its pods may have more, where it is not known to list them.
	portNames []string
}

// A neighbourhood is all that can be named, by kind, namespace and name.
type neighbourhood struct {
	workloads []podMaker
	names     map[[3]string]*judged
	scaled    map[[3]string]*int32 // the fewest replicas of what is scaled automatically
}

// references applies these rules to all objects that could be read.
func (c *court) references() {
	around := make([]*judged, 0, len(c.request.Around))
	for _, data := range c.request.Around {
		one := parse(data)
		one.build()
		around = append(around, one)
	}
	all := newNeighbourhood(c.objects, around)
	for number, one := range c.objects {
		if one.isEncrypted || one.built == nil {
			continue
		}
		for _, entry := range referencesOf(all, one) {
			entry.Object = number
			c.findings = append(c.findings, entry)
		}
	}
}

// build reads an object that is not judged.
func (one *judged) build() {
	if kind, ok := served(one.gvk()); ok {
		if object, err := kind.decodeCurrent(one.data); err == nil {
			one.built = object
		}
	}
}

func referencesOf(all *neighbourhood, one *judged) []finding {
	switch object := one.built.(type) {
	case *core.Service:
		return all.ofService(object)
	case *policy.PodDisruptionBudget:
		return all.ofBudget(object)
	case *autoscaling.HorizontalPodAutoscaler:
		return all.ofScaler(object)
	}
	if found := workloadOf(one); found != nil && found.spec != nil {
		return all.ofPods(found)
	}
	return all.ofIngress(one)
}

func newNeighbourhood(objects, around []*judged) *neighbourhood {
	all := &neighbourhood{names: map[[3]string]*judged{}, scaled: map[[3]string]*int32{}}
	for number, one := range slices.Concat(objects, around) {
		for _, name := range definedBy(one) {
			all.names[name] = one
		}
		if found := workloadOf(one); found != nil {
			found.object = number
			all.workloads = append(all.workloads, *found)
		}
		if scaler, ok := one.built.(*autoscaling.HorizontalPodAutoscaler); ok {
			target := scaler.Spec.ScaleTargetRef
			all.scaled[[3]string{target.Kind, scaler.Namespace, target.Name}] = scaler.Spec.MinReplicas
		}
	}
	return all
}

func (all *neighbourhood) has(kind, namespace, name string) bool {
	return all.names[[3]string{kind, namespace, name}] != nil
}

// selected returns the workloads whose pods a selector finds.
func (all *neighbourhood) selected(namespace string, selector labels.Selector) []podMaker {
	var found []podMaker
	for _, one := range all.workloads {
		if one.namespace == namespace && selector.Matches(one.labels) {
			found = append(found, one)
		}
	}
	return found
}

// workloadOf returns what makes pods; nil for other objects.
func workloadOf(one *judged) *podMaker {
	template := func(kind string, template *core.PodTemplateSpec, replicas *int32) *podMaker {
		return &podMaker{
			kind: kind, namespace: one.namespace(), name: one.name(), path: "spec.template.spec", labels: template.Labels,
			spec: &template.Spec, replicas: replicas,
		}
	}
	switch object := one.built.(type) {
	case *apps.Deployment:
		return template("Deployment", &object.Spec.Template, &object.Spec.Replicas)
	case *apps.StatefulSet:
		return template("StatefulSet", &object.Spec.Template, &object.Spec.Replicas)
	case *apps.ReplicaSet:
		return template("ReplicaSet", &object.Spec.Template, &object.Spec.Replicas)
	case *apps.DaemonSet:
		return template("DaemonSet", &object.Spec.Template, nil)
	case *core.ReplicationController:
		if object.Spec.Template != nil {
			return template("ReplicationController", object.Spec.Template, object.Spec.Replicas)
		}
	case *batch.Job:
		return template("Job", &object.Spec.Template, nil)
	case *batch.CronJob:
		found := template("CronJob", &object.Spec.JobTemplate.Spec.Template, nil)
		found.path = "spec.jobTemplate.spec.template.spec"
		return found
	case *core.Pod:
		return &podMaker{
			kind: "Pod", namespace: one.namespace(), name: one.name(), path: "spec", labels: object.Labels, spec: &object.Spec,
		}
	case nil:
		return customWorkload(one)
	}
	return nil
}

func valueOr[V any](value, other *V) *V {
	if value == nil {
		return other
	}
	return value
}

// customWorkload takes a custom resource that has a template of pods for a workload: a Rollout, a Prometheus.
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
	return &podMaker{
		kind: one.Kind, namespace: one.namespace(), name: one.name(), labels: found, portNames: portNamesIn(template["spec"]),
	}
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

// hasPort says whether a workload's pods have a port of a name.
func (w *podMaker) hasPort(port intstr.IntOrString) bool {
	if port.Type == intstr.Int || w.spec == nil && slices.Contains(w.portNames, port.StrVal) {
		return true
	}
	if w.spec == nil {
		return false
	}
	for _, container := range slices.Concat(w.spec.InitContainers, w.spec.Containers) {
		if hasPort(container.Ports, port.StrVal) {
			return true
		}
	}
	return false
}

func hasPort(ports []core.ContainerPort, name string) bool {
	return slices.ContainsFunc(ports, func(port core.ContainerPort) bool { return port.Name == name })
}

func (one *judged) metadata() map[string]any {
	metadata, _ := one.fields["metadata"].(map[string]any)
	return metadata
}

func (one *judged) namespace() string {
	text, _ := one.metadata()["namespace"].(string)
	return text
}

func (one *judged) name() string {
	text, _ := one.metadata()["name"].(string)
	return text
}
