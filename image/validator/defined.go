package main

import (
	"slices"
	"strings"

	"k8s.io/kubernetes/pkg/apis/apps"
	"k8s.io/kubernetes/pkg/apis/core"
)

const (
	claimKind     = "PersistentVolumeClaim"
	claimTemplate = "claim of a StatefulSet, but for its number"
)

// definedBy returns the names that an object gives its neighbours: its own, and those of what a controller makes of it.
func definedBy(one *judged) [][3]string {
	namespace, name := one.namespace(), one.name()
	found := [][3]string{{one.Kind, namespace, name}}
	add := func(kind, name string) {
		if name != "" {
			found = append(found, [3]string{kind, namespace, name})
		}
	}
	if set, ok := one.built.(*apps.StatefulSet); ok {
		for _, claim := range set.Spec.VolumeClaimTemplates {
			add(claimTemplate, claim.Name+"-"+name)
		}
	}
	switch one.gvk().GroupKind().String() {
	case "SealedSecret.bitnami.com":
		add("Secret", orElse(one.text("spec", "template", "metadata", "name"), name))
	case "ExternalSecret.external-secrets.io":
		add("Secret", orElse(one.text("spec", "target", "name"), name))
	case "Certificate.cert-manager.io":
		add("Secret", one.text("spec", "secretName"))
	case "VaultStaticSecret.secrets.hashicorp.com", "VaultDynamicSecret.secrets.hashicorp.com", "VaultPKISecret.secrets.hashicorp.com":
		add("Secret", one.text("spec", "destination", "name"))
	case "SecretProviderClass.secrets-store.csi.x-k8s.io":
		for _, made := range one.items("spec", "secretObjects") {
			name, _ := made["secretName"].(string)
			add("Secret", name)
		}
	case "OnePasswordItem.onepassword.com", "KafkaUser.kafka.strimzi.io":
		add("Secret", name)
	case "InfisicalSecret.secrets.infisical.com":
		add("Secret", one.text("spec", "managedSecretReference", "secretName"))
	case "DopplerSecret.secrets.doppler.com":
		add("Secret", one.text("spec", "managedSecret", "name"))
	case "ObjectBucketClaim.objectbucket.io":
		add("Secret", name)
		add("ConfigMap", name)
	case "Cluster.postgresql.cnpg.io":
		for _, end := range []string{"-app", "-superuser", "-ca", "-server", "-replication"} {
			add("Secret", name+end)
		}
	case "RabbitmqCluster.rabbitmq.com":
		add("Secret", name+"-default-user")
	case "Bundle.trust.cert-manager.io":
		found = append(found, [3]string{"ConfigMap", "", name}, [3]string{"Secret", "", name})
	}
	return found
}

func orElse(text, other string) string {
	if text == "" {
		return other
	}
	return text
}

func (one *judged) at(path []string) any {
	var value any = one.fields
	for _, name := range path {
		fields, _ := value.(map[string]any)
		value = fields[name]
	}
	return value
}

// text returns the text at a path of an object; empty where there is none.
func (one *judged) text(path ...string) string {
	text, _ := one.at(path).(string)
	return text
}

// items returns the maps in the list at a path of an object.
func (one *judged) items(path ...string) []map[string]any {
	listed, _ := one.at(path).([]any)
	found := make([]map[string]any, 0, len(listed))
	for _, item := range listed {
		if fields, ok := item.(map[string]any); ok {
			found = append(found, fields)
		}
	}
	return found
}

// isToldTo says whether a program is told the name of a Secret or ConfigMap, so that it may make it: a Job that makes the
// certificate of a webhook, an operator that makes its own.
func (all *neighbourhood) isToldTo(kind, namespace, name string) bool {
	if kind != "Secret" && kind != "ConfigMap" {
		return false
	}
	return slices.ContainsFunc(all.workloads, func(one podMaker) bool {
		if one.spec == nil || one.namespace != namespace {
			return false
		}
		return slices.ContainsFunc(slices.Concat(one.spec.InitContainers, one.spec.Containers), func(container core.Container) bool {
			return slices.ContainsFunc(slices.Concat(container.Command, container.Args), func(word string) bool {
				return word == name || strings.HasPrefix(word, "-") && strings.HasSuffix(word, "="+name)
			})
		})
	})
}

// isMadeElsewhere says so of names that Kubernetes itself gives every namespace.
func isMadeElsewhere(kind, name string) bool {
	return kind == "ConfigMap" && name == "kube-root-ca.crt" || kind == "ServiceAccount" && name == "default"
}
