package main

import (
	"fmt"
	"slices"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/util/intstr"
	"k8s.io/kubernetes/pkg/apis/autoscaling"
	"k8s.io/kubernetes/pkg/apis/core"
	"k8s.io/kubernetes/pkg/apis/networking"
	"k8s.io/kubernetes/pkg/apis/policy"
)

// ofService says whether a Service finds pods, and whether they have the ports that it names.
func (all *neighbourhood) ofService(service *core.Service) []finding {
	if len(service.Spec.Selector) == 0 || service.Spec.Type == core.ServiceTypeExternalName {
		return nil
	}
	selector := labels.SelectorFromSet(service.Spec.Selector)
	selected := all.selected(service.Namespace, selector)
	if len(selected) == 0 && all.isOperated(service.Namespace, selector) {
		return nil
	}
	if len(selected) == 0 {
		return []finding{{
			Rule: ruleSelectsNone, Field: "spec.selector",
			Message: fmt.Sprintf("no workload here has pods with %s", labels.Set(service.Spec.Selector)),
		}}
	}
	var found []finding
	for number, port := range service.Spec.Ports {
		if !slices.ContainsFunc(selected, func(one podMaker) bool { return one.hasPort(port.TargetPort, port.Protocol) }) {
			found = append(found, finding{
				Rule: ruleUndefined, Field: fmt.Sprintf("spec.ports[%d].targetPort", number),
				Message: fmt.Sprintf("no container of %s %s has a port %s", selected[0].kind, selected[0].name, port.TargetPort.StrVal),
			})
		}
	}
	return found
}

// ofIngress says whether the Services that an Ingress sends to are there, and have the ports, and whether its certificates
// are there.
func (all *neighbourhood) ofIngress(ingress *networking.Ingress) []finding {
	found := all.ofCertificates(ingress)
	look := func(backend *networking.IngressBackend, path string) {
		if backend != nil && backend.Service != nil {
			found = append(found, all.ofBackend(ingress.Namespace, backend.Service, path+".service")...)
		}
	}
	look(ingress.Spec.DefaultBackend, "spec.defaultBackend")
	for number, rule := range ingress.Spec.Rules {
		if rule.HTTP == nil {
			continue
		}
		for index := range rule.HTTP.Paths {
			look(&rule.HTTP.Paths[index].Backend, fmt.Sprintf("spec.rules[%d].http.paths[%d].backend", number, index))
		}
	}
	return found
}

// isOfAnnotation is the port of a backend that is no Service, but an action in an annotation of the Ingress:
// https://kubernetes-sigs.github.io/aws-load-balancer-controller/latest/guide/ingress/annotations/#actions
const isOfAnnotation = "use-annotation"

func (all *neighbourhood) ofBackend(namespace string, backend *networking.IngressServiceBackend, path string) []finding {
	if backend.Port.Name == isOfAnnotation {
		return nil
	}
	defined := all.names[[3]string{"Service", namespace, backend.Name}]
	if defined == nil {
		return []finding{undefined("Service", backend.Name, "this namespace", path+".name")}
	}
	service, ok := defined.built.(*core.Service)
	if !ok || service.Spec.Type == core.ServiceTypeExternalName || slices.ContainsFunc(service.Spec.Ports, func(port core.ServicePort) bool {
		return backend.Port.Name != "" && port.Name == backend.Port.Name || port.Port == backend.Port.Number
	}) {
		return nil
	}
	name := orElse(backend.Port.Name, fmt.Sprint(backend.Port.Number))
	return []finding{{
		Rule: ruleUndefined, Field: path + ".port", Message: fmt.Sprintf("the Service %s has no port %s", backend.Name, name),
	}}
}

// ofScaler says whether what is to be scaled is there.
func (all *neighbourhood) ofScaler(scaler *autoscaling.HorizontalPodAutoscaler) []finding {
	target := scaler.Spec.ScaleTargetRef
	if all.has(target.Kind, scaler.Namespace, target.Name) {
		return nil
	}
	return []finding{undefined(target.Kind, target.Name, "this namespace", "spec.scaleTargetRef.name")}
}

// ofBudget says whether a PodDisruptionBudget finds pods, and ever lets one of them go.
func (all *neighbourhood) ofBudget(budget *policy.PodDisruptionBudget) []finding {
	selector, err := metav1.LabelSelectorAsSelector(budget.Spec.Selector)
	if err != nil || budget.Spec.Selector == nil {
		return nil
	}
	selected := all.selected(budget.Namespace, selector)
	if len(selected) == 0 && all.isOperated(budget.Namespace, selector) {
		return nil
	}
	if len(selected) == 0 {
		return []finding{{Rule: ruleSelectsNone, Field: "spec.selector", Message: "no workload here has pods that it selects"}}
	}
	if found := all.ofOtherBudgets(budget, selected); found != nil {
		return found
	}
	replicas, known := all.replicasOf(selected)
	field, why := blocks(budget, replicas, known)
	if field == "" {
		return nil
	}
	return []finding{{
		Rule: ruleBlocking, Field: field, Message: why + ", so that no node can be drained",
		Hint: "run one replica more, or set maxUnavailable: 1",
	}}
}

// ofOtherBudgets says whether another budget selects the same pods: then none of them can be evicted.
// https://kubernetes.io/docs/concepts/scheduling-eviction/api-eviction/#how-api-initiated-eviction-works
func (all *neighbourhood) ofOtherBudgets(budget *policy.PodDisruptionBudget, selected []podMaker) []finding {
	for _, other := range all.budgets {
		selector, err := metav1.LabelSelectorAsSelector(other.Spec.Selector)
		if err != nil || other.Namespace != budget.Namespace || other.Name == budget.Name {
			continue
		}
		if at := slices.IndexFunc(selected, func(one podMaker) bool { return selector.Matches(one.labels) }); at >= 0 {
			return []finding{{
				Rule: ruleBlocking, Field: "spec.selector",
				Message: fmt.Sprintf("the PodDisruptionBudget %s selects pods of %s %s too, so that no node can be drained",
					other.Name, selected[at].kind, selected[at].name),
				Hint: "let one budget select each pod",
			}}
		}
	}
	return nil
}

// replicasOf adds up the fewest pods that workloads run; false where that is not known.
func (all *neighbourhood) replicasOf(selected []podMaker) (int, bool) {
	sum := 0
	for _, one := range selected {
		replicas := one.replicas
		if fewest, ok := all.scaled[[3]string{one.kind, one.namespace, one.name}]; ok {
			once := int32(1)
			replicas = valueOr(fewest, &once)
		}
		if replicas == nil {
			return 0, false
		}
		sum += int(*replicas)
	}
	return sum, true
}

// blocks says which field of a budget lets no pod go, and why.
func blocks(budget *policy.PodDisruptionBudget, replicas int, known bool) (field, why string) {
	if limit := budget.Spec.MaxUnavailable; limit != nil {
		count, err := intstr.GetScaledValueFromIntOrPercent(limit, 100, true)
		if err == nil && count == 0 {
			return "spec.maxUnavailable", fmt.Sprintf("%s pods may be away", limit.String())
		}
	}
	limit := budget.Spec.MinAvailable
	if limit == nil {
		return "", ""
	}
	if limit.Type == intstr.String && limit.StrVal == "100%" {
		return "spec.minAvailable", "all pods must be there"
	}
	count, err := intstr.GetScaledValueFromIntOrPercent(limit, replicas, true)
	if err == nil && known && replicas > 0 && count >= replicas {
		return "spec.minAvailable", fmt.Sprintf("%s of %d pods must be there", limit.String(), replicas)
	}
	return "", ""
}
