package main

// definedBy returns the names that an object gives its neighbours: its own, and those of what a controller makes of it.
func definedBy(one *judged) [][3]string {
	namespace, name := one.namespace(), one.name()
	found := [][3]string{{one.Kind, namespace, name}}
	add := func(kind, name string) {
		if name != "" {
			found = append(found, [3]string{kind, namespace, name})
		}
	}
	switch one.gvk().GroupKind().String() {
	case "SealedSecret.bitnami.com":
		add("Secret", orElse(one.text("spec", "template", "metadata", "name"), name))
	case "ExternalSecret.external-secrets.io":
		add("Secret", orElse(one.text("spec", "target", "name"), name))
	case "Certificate.cert-manager.io":
		add("Secret", one.text("spec", "secretName"))
	case "VaultStaticSecret.secrets.hashicorp.com", "VaultDynamicSecret.secrets.hashicorp.com":
		add("Secret", one.text("spec", "destination", "name"))
	case "Bundle.trust.cert-manager.io":
		found = append(found, [3]string{"ConfigMap", "", name})
	}
	return found
}

func orElse(text, other string) string {
	if text == "" {
		return other
	}
	return text
}

// text returns the text at a path of an object; empty where there is none.
func (one *judged) text(path ...string) string {
	var value any = one.fields
	for _, name := range path {
		fields, _ := value.(map[string]any)
		value = fields[name]
	}
	text, _ := value.(string)
	return text
}

// isMadeElsewhere says so of names that Kubernetes itself gives every namespace.
func isMadeElsewhere(kind, name string) bool {
	return kind == "ConfigMap" && name == "kube-root-ca.crt" || kind == "ServiceAccount" && name == "default"
}
