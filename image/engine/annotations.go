package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"

	"sigs.k8s.io/kustomize/api/konfig"
	"sigs.k8s.io/kustomize/kyaml/kio/kioutil"
	kyaml3 "sigs.k8s.io/kustomize/kyaml/yaml"
)

// Flux has Kustomize build what it applies. Kustomize keeps notes in annotations while it builds, and believes them whoever
// wrote them: by such a note an object gets another name, or is taken for one of another app, whose references then lead to
// it. To a cluster they mean nothing, and Kustomize takes them away in the end; so they are left out before.
//
// It leaves out objects with `config.kubernetes.io/local-config`, and writes all annotations anew: what it cannot write
// stops all other objects of the folder.

// notes are resource.BuildAnnotations of Kustomize's api, which is not imported for them: it is large, and the reader is
// to start quickly. A test compares the two.
var notes = []string{
	konfig.ConfigAnnoDomain + "/previousKinds",
	konfig.ConfigAnnoDomain + "/previousNames",
	konfig.ConfigAnnoDomain + "/prefixes",
	konfig.ConfigAnnoDomain + "/suffixes",
	konfig.ConfigAnnoDomain + "/previousNamespaces",
	konfig.ConfigAnnoDomain + "/allowNameChange",
	konfig.ConfigAnnoDomain + "/allowKindChange",
	konfig.ConfigAnnoDomain + "/refBy",
	konfig.ConfigAnnoDomain + "/generatorBehavior",
	konfig.ConfigAnnoDomain + "/needsHashSuffix",

	kioutil.PathAnnotation,
	kioutil.IndexAnnotation,
	kioutil.SeqIndentAnnotation,
	kioutil.IdAnnotation,
	kioutil.InternalAnnotationsMigrationResourceIDAnnotation,

	"config.kubernetes.io/path",
	"config.kubernetes.io/index",
	"config.k8s.io/id",

	konfig.HelmGeneratedAnnotation,
}

// isNote says whether Kustomize takes an annotation for a note of its own.
func isNote(annotation string) bool { return slices.Contains(notes, annotation) }

// annotated is an object as all see it, once Kustomize has read its annotations.
type annotated struct {
	data    json.RawMessage
	warning string
	isLeft  bool // out
}

// readAnnotations leaves out what Kustomize leaves out. isKept says that the text of the object must not change.
func readAnnotations(data json.RawMessage, fields map[string]any, one head, isKept bool) (annotated, error) {
	found := annotated{data: data}
	meta := metadata(fields)
	value, ok := meta["annotations"]
	if !ok || value == nil {
		return found, nil
	}
	name := clip(strings.TrimSpace(one.Kind+" "+one.Name), 300)
	annotations, ok := value.(map[string]any)
	if !ok {
		return found, unreadableAnnotations(name, "annotations that are no map", "write 'metadata.annotations' as a map of strings")
	}
	if local, ok := annotations[konfig.IgnoredByKustomizeAnnotation]; ok && local != "false" {
		found.isLeft = true
		found.warning = fmt.Sprintf("%s is left out: by its annotation '%s' it is not for the cluster", name, konfig.IgnoredByKustomizeAnnotation)
		return found, nil
	}
	kept, changes := maps.Clone(annotations), 0
	for _, key := range slices.Sorted(maps.Keys(annotations)) {
		change, err := keptAnnotation(kept, key)
		if err != nil {
			return found, unreadableAnnotations(name, err.Message, err.Hint)
		}
		if change == "" {
			continue
		}
		if changes++; changes == 1 {
			found.warning = fmt.Sprintf("%s: the annotation '%s' %s", name, clip(key, 100), change)
		}
	}
	switch {
	case changes == 0:
		return found, nil
	case isKept:
		return found, ambiguous(name, "Kustomize and Flux change its annotations")
	case changes > 1:
		found.warning += fmt.Sprintf(" (and %d more)", changes-1)
	}
	found.data = encoded(withAnnotations(fields, kept))
	return found, nil
}

// keptAnnotation changes an annotation into what all take it for, and says what it changed.
func keptAnnotation(annotations map[string]any, key string) (warning string, unreadable *failure) {
	value, shown := annotations[key], clip(key, 100)
	_, isMap := value.(map[string]any)
	_, isList := value.([]any)
	switch {
	case isNote(key):
		delete(annotations, key)
		return "is left out: Kustomize and Flux take it for a note of their own", nil
	case isMap || isList:
		return "", &failure{Message: fmt.Sprintf("the annotation '%s' that is no string", shown), Hint: "write it as a string"}
	case notAString(key) && !survivesKustomize(key):
		return "", &failure{
			Message: fmt.Sprintf("the annotation '%s', which Kustomize and Flux take for no string", shown),
			Hint:    "give it a name such as example.com/" + shown,
		}
	case value == nil:
		annotations[key] = "" // Kustomize would write "null"
		return "is null, which is an empty string to Kubernetes", nil
	}
	return "", nil
}

func unreadableAnnotations(name, what, hint string) error {
	return &failure{Kind: notObject, Message: fmt.Sprintf("%s has %s", name, what), Hint: hint}
}

func withAnnotations(fields, annotations map[string]any) map[string]any {
	changed, meta := maps.Clone(fields), maps.Clone(metadata(fields))
	if meta["annotations"] = annotations; len(annotations) == 0 {
		delete(meta, "annotations")
	}
	changed["metadata"] = meta
	return changed
}

// survivesKustomize says whether an annotation is the same once Kustomize wrote it.
func survivesKustomize(key string) bool {
	node, err := kyaml3.Parse(`{"metadata": {}}`)
	if err != nil || node.SetAnnotations(map[string]string{key: "x"}) != nil {
		return false
	}
	data, err := node.MarshalJSON()
	return err == nil && bytes.Contains(data, encoded(key))
}
