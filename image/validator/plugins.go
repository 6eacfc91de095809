package main

import (
	"fmt"
	"slices"
	"strconv"

	certificatesv1 "k8s.io/api/certificates/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/kubernetes/pkg/apis/certificates"
	"k8s.io/kubernetes/pkg/apis/core"
	podsecurity "k8s.io/pod-security-admission/api"
)

// admit says what admission plugins that every server runs say of a new object, as far as they ask for nothing but it.
func admit(object runtime.Object) []finding {
	switch object := object.(type) {
	case *core.Namespace:
		return admitNamespace(object)
	case *core.Pod:
		if object.Spec.Overhead != nil && object.Spec.RuntimeClassName == nil {
			return []finding{{
				Rule: ruleInvalid, Field: "spec.overhead", Message: "may only be set with a runtime class that has the same",
			}}
		}
	case *core.Service:
		return admitNodePorts(object)
	case *certificates.CertificateSigningRequest:
		return admitSigningRequest(object)
	}
	return nil
}

// admitNodePorts says which ports of nodes no server gives: a dry run does not ask.
func admitNodePorts(service *core.Service) []finding {
	var found []finding
	for number, port := range service.Spec.Ports {
		at := finding{Field: fmt.Sprintf("spec.ports[%d].nodePort", number)}
		switch {
		case port.NodePort < 0 || port.NodePort > maxPort:
			at.Rule, at.Message = ruleInvalid, fmt.Sprintf("Invalid value: %d: must be between 1 and %d, inclusive", port.NodePort, maxPort)
		case port.NodePort > 0 && (port.NodePort < someNodePort || port.NodePort > lastNodePort):
			at.Rule, at.Message = ruleWarning, fmt.Sprintf("%d is not between %d and %d: a cluster rejects it unless it is set up "+
				"for other ports", port.NodePort, someNodePort, lastNodePort)
		default:
			continue
		}
		found = append(found, at)
	}
	return found
}

const maxPort, lastNodePort = 65535, 32767

// admitNamespace looks at the labels that say which pods a namespace takes.
func admitNamespace(namespace *core.Namespace) []finding {
	_, errs := podsecurity.PolicyToEvaluate(namespace.Labels, podsecurity.Policy{})
	var found []finding
	for _, err := range errs {
		found = append(found, finding{Rule: ruleInvalid, Field: err.Field, Message: err.ErrorBody()})
	}
	return found
}

// admitSigningRequest refuses administrators whom nobody could ever take their rights away from.
func admitSigningRequest(request *certificates.CertificateSigningRequest) []finding {
	if request.Spec.SignerName != certificatesv1.KubeAPIServerClientSignerName {
		return nil
	}
	parsed, err := certificates.ParseCSR(request.Spec.Request)
	if err != nil || !slices.Contains(parsed.Subject.Organization, "system:masters") {
		return nil
	}
	return []finding{{
		Rule: ruleInvalid, Field: "spec.request",
		Message: fmt.Sprintf("the signer %s takes nobody of the group system:masters", request.Spec.SignerName),
	}}
}

// notApplied says what server-side apply does not take, which all objects go through: what only the server writes.
func notApplied(one *judged) []finding {
	metadata := one.metadata()
	var found []finding
	if written, ok := metadata["managedFields"]; ok && written != nil {
		found = append(found, finding{
			Rule: ruleInvalid, Field: "metadata.managedFields", Message: "must not be set: server-side apply rejects it",
		})
	}
	version, ok := metadata["resourceVersion"].(string)
	if _, err := strconv.ParseUint(version, 10, 64); ok && version != "" && err != nil {
		found = append(found, finding{
			Rule: ruleInvalid, Field: "metadata.resourceVersion", Message: shown(version) + " is no version of an object",
		})
	}
	return found
}

// describes says whether something was found at a place already, or below it.
func describes(found []finding, path string) bool {
	return slices.ContainsFunc(found, func(entry finding) bool { return isBelow(entry.Field, path) })
}

func isBelow(path, other string) bool {
	return len(path) >= len(other) && path[:len(other)] == other &&
		(len(path) == len(other) || path[len(other)] == '.' || path[len(other)] == '[')
}
