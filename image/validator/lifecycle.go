package main

import (
	"fmt"

	"k8s.io/apimachinery/pkg/runtime/schema"
)

// What Kubernetes' types say of themselves: with which minor they came, were deprecated and went, and what comes instead.
type (
	removedIn    interface{ APILifecycleRemoved() (int, int) }
	deprecatedIn interface{ APILifecycleDeprecated() (int, int) }
	replacedBy   interface {
		APILifecycleReplacement() schema.GroupVersionKind
	}
)

// lifecycle tells whether the minor serves a kind, and will go on to. It is gone where nothing else is worth telling.
func lifecycle(kind servedKind, minor int) (found []finding, isGone bool) {
	object, err := kind.scheme.New(kind.gvk)
	if err != nil {
		return nil, false
	}
	hint := ""
	if typed, ok := object.(replacedBy); ok {
		replacement := typed.APILifecycleReplacement()
		hint = "use " + replacement.GroupVersion().String()
		if replacement.Kind != kind.gvk.Kind && replacement.Kind != kind.gvk.Kind+"List" { // as Kubernetes has it for IngressClass
			hint += " " + replacement.Kind
		}
	}
	removed := 0
	if typed, ok := object.(removedIn); ok {
		_, removed = typed.APILifecycleRemoved()
	}
	known := schemas().kind(kind.gvk)
	switch {
	case removed > 0 && removed <= minor:
		return []finding{about(ruleRemovedAPI, hint, "%s is not served since Kubernetes 1.%d", kind.gvk.GroupVersion(), removed)}, true
	case known != nil && known.Until > 0 && known.Until < minor:
		return []finding{about(ruleRemovedAPI, hint, "%s is not served since Kubernetes 1.%d", kind.gvk.GroupVersion(), known.Until+1)}, true
	case known != nil && known.Since > minor:
		return []finding{about(ruleNewerKind, "", "%s has %s since Kubernetes 1.%d, and this is 1.%d",
			kind.gvk.GroupVersion(), kind.gvk.Kind, known.Since, minor)}, true
	}
	if isOffByDefault(kind.gvk) {
		found = append(found, about(ruleOffByDefault, hint, "%s is off unless the cluster switches it on", kind.gvk.GroupVersion()))
	}
	if typed, ok := object.(deprecatedIn); ok {
		_, deprecated := typed.APILifecycleDeprecated()
		switch {
		case deprecated == 0 || deprecated > minor:
		case removed == 0:
			found = append(found, about(ruleWarning, hint, "%s %s is deprecated since Kubernetes 1.%d", kind.gvk.GroupVersion(),
				kind.gvk.Kind, deprecated))
		default:
			found = append(found, about(ruleDeprecatedAPI, hint, "%s is deprecated, and not served from Kubernetes 1.%d on",
				kind.gvk.GroupVersion(), removed))
		}
	}
	return found, false
}

func about(rule, hint, format string, arguments ...any) finding {
	return finding{Rule: rule, Field: "apiVersion", Message: fmt.Sprintf(format, arguments...), Hint: hint}
}
