package main

import (
	"fmt"
	"strings"

	"k8s.io/kubernetes/pkg/apis/admissionregistration"
	"k8s.io/kubernetes/pkg/apis/apps"
	"k8s.io/kubernetes/pkg/apis/networking"
	"k8s.io/kubernetes/pkg/apis/rbac"
)

// What others than pods name: accounts and roles, certificates, the Service of a StatefulSet, those of webhooks. Other
// namespaces than those of the request's objects are not looked into.

// ofBinding says whether the role and the accounts of a binding are there. Cluster roles are the cluster's.
func (all *neighbourhood) ofBinding(namespace string, role rbac.RoleRef, subjects []rbac.Subject) []finding {
	look := &lookup{all: all, namespace: namespace}
	if role.Kind == "Role" && all.covered[namespace] {
		look.name("Role", role.Name, "roleRef.name", nil)
	}
	for number, subject := range subjects {
		if subject.Kind == rbac.ServiceAccountKind && all.covered[subject.Namespace] {
			look.namespace, look.elsewhere = subject.Namespace, "the namespace "+subject.Namespace
			look.name("ServiceAccount", subject.Name, fmt.Sprintf("subjects[%d].name", number), nil)
		}
	}
	return look.found
}

// ofCertificates says whether the Secrets with the certificates of an Ingress are there. Annotations may have somebody make
// them: https://cert-manager.io/docs/usage/ingress/#supported-annotations
func (all *neighbourhood) ofCertificates(ingress *networking.Ingress) []finding {
	for name := range ingress.Annotations {
		if strings.HasPrefix(name, "cert-manager.io/") || name == "kubernetes.io/tls-acme" {
			return nil
		}
	}
	look := &lookup{all: all, namespace: ingress.Namespace}
	for number, each := range ingress.Spec.TLS {
		look.name("Secret", each.SecretName, fmt.Sprintf("spec.tls[%d].secretName", number), nil)
	}
	return look.found
}

// ofSet says whether the Service is there that gives the pods of a StatefulSet their names.
func (all *neighbourhood) ofSet(one *judged) []finding {
	set, ok := one.built.(*apps.StatefulSet)
	if !ok {
		return nil
	}
	look := &lookup{all: all, namespace: set.Namespace}
	look.name("Service", set.Spec.ServiceName, "spec.serviceName", nil)
	return look.found
}

// ofWebhooks says whether the Services that a server would ask are there.
func (all *neighbourhood) ofWebhooks(one *judged) []finding {
	var found []finding
	look := func(number int, client admissionregistration.WebhookClientConfig) {
		service := client.Service
		if service != nil && all.covered[service.Namespace] && !all.has("Service", service.Namespace, service.Name) {
			found = append(found, undefined("Service", service.Name, "the namespace "+service.Namespace,
				fmt.Sprintf("webhooks[%d].clientConfig.service.name", number)))
		}
	}
	switch object := one.built.(type) {
	case *admissionregistration.MutatingWebhookConfiguration:
		for number := range object.Webhooks {
			look(number, object.Webhooks[number].ClientConfig)
		}
	case *admissionregistration.ValidatingWebhookConfiguration:
		for number := range object.Webhooks {
			look(number, object.Webhooks[number].ClientConfig)
		}
	}
	return found
}
