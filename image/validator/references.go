package main

import (
	"slices"
	"strconv"
	"strings"

	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/util/intstr"
	"k8s.io/kubernetes/pkg/apis/admissionregistration"
	"k8s.io/kubernetes/pkg/apis/apps"
	"k8s.io/kubernetes/pkg/apis/autoscaling"
	"k8s.io/kubernetes/pkg/apis/batch"
	"k8s.io/kubernetes/pkg/apis/core"
	"k8s.io/kubernetes/pkg/apis/networking"
	"k8s.io/kubernetes/pkg/apis/policy"
	"k8s.io/kubernetes/pkg/apis/rbac"
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
	operated  [][2]string          // namespaces and names of what an operator may make pods of
	budgets   []*policy.PodDisruptionBudget
	// covered are the namespaces of the objects of the request, all of whose objects are known then: but for the cluster's own
	// (kube-system), in which Kubernetes makes roles and accounts.
	covered map[string]bool
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
		if _, isBuiltIn := served(one.gvk()); one.isEncrypted || isBuiltIn && one.built == nil {
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
	case *networking.Ingress:
		return all.ofIngress(object)
	case *rbac.RoleBinding:
		return all.ofBinding(object.Namespace, object.RoleRef, object.Subjects)
	case *rbac.ClusterRoleBinding:
		return all.ofBinding("", object.RoleRef, object.Subjects)
	case *admissionregistration.MutatingWebhookConfiguration, *admissionregistration.ValidatingWebhookConfiguration:
		return all.ofWebhooks(one)
	}
	if found := workloadOf(one); found != nil && found.spec != nil {
		return append(all.ofPods(found), all.ofSet(one)...)
	}
	return nil
}

func newNeighbourhood(objects, around []*judged) *neighbourhood {
	all := &neighbourhood{names: map[[3]string]*judged{}, scaled: map[[3]string]*int32{}, covered: map[string]bool{}}
	for _, one := range objects {
		all.covered[one.namespace()] = !strings.HasPrefix(one.namespace(), "kube-")
	}
	for number, one := range slices.Concat(objects, around) {
		for _, name := range definedBy(one) {
			all.names[name] = one
		}
		if found := workloadOf(one); found != nil {
			found.object = number
			all.workloads = append(all.workloads, *found)
		}
		if one.name() != "" && mayBeOperated(one) {
			all.operated = append(all.operated, [2]string{one.namespace(), one.name()})
		}
		if budget, ok := one.built.(*policy.PodDisruptionBudget); ok {
			all.budgets = append(all.budgets, budget)
		}
		if target, fewest := scalesFrom(one); target.Name != "" {
			all.scaled[[3]string{target.Kind, one.namespace(), target.Name}] = fewest
		}
	}
	return all
}

// has says whether a name is defined in a namespace, or in all of them.
func (all *neighbourhood) has(kind, namespace, name string) bool {
	return all.names[[3]string{kind, namespace, name}] != nil || all.names[[3]string{kind, "", name}] != nil
}

// hasClaimOfPod says whether a claim is one that a StatefulSet makes for one of its pods.
func (all *neighbourhood) hasClaimOfPod(namespace, name string) bool {
	end := strings.LastIndexByte(name, '-')
	if end < 0 {
		return false
	}
	_, err := strconv.ParseUint(name[end+1:], 10, 31)
	return err == nil && all.has(claimTemplate, namespace, name[:end])
}

// selected returns the workloads whose pods a selector finds.
func (all *neighbourhood) selected(namespace string, selector labels.Selector) []podMaker {
	var found []podMaker
	for _, one := range all.workloads {
		if one.namespace == namespace && one.hasPods(selector) {
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

// hasPort says whether a workload's pods have a port of a name: the server asks neither for one by number, nor containers
// that end before the pod is ready.
func (w *podMaker) hasPort(port intstr.IntOrString, protocol core.Protocol) bool {
	if port.Type == intstr.Int || w.spec == nil && slices.Contains(w.portNames, port.StrVal) {
		return true
	}
	if w.spec == nil {
		return false
	}
	containers := slices.Clone(w.spec.Containers)
	for _, container := range w.spec.InitContainers {
		if container.RestartPolicy != nil && *container.RestartPolicy == core.ContainerRestartPolicyAlways {
			containers = append(containers, container)
		}
	}
	return slices.ContainsFunc(containers, func(one core.Container) bool { return hasPort(one.Ports, port.StrVal, protocol) })
}

func hasPort(ports []core.ContainerPort, name string, protocol core.Protocol) bool {
	return slices.ContainsFunc(ports, func(port core.ContainerPort) bool {
		return port.Name == name && (protocol == "" || port.Protocol == protocol)
	})
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
