package main

import (
	"encoding/json"
	"slices"
	"strings"

	structuralschema "k8s.io/apiextensions-apiserver/pkg/apiserver/schema"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
)

// What server-side apply makes of a new text: fields that the old text had and the new one has not go, and what the server
// filled in beside the old text stays, since it is nobody's.
// https://kubernetes.io/docs/reference/using-api/server-side-apply/

// A shape says how values of a type are merged.
type shape interface {
	// isWhole: one text takes the place of the other.
	isWhole() bool
	field(name string) shape
	// items are those of a list, and the keys that tell them apart; none where the list is taken whole.
	items() (shape, []string)
}

// kept returns a new text with what stays of an object whose text was old, and which became filled. Null is what is left of
// a map that loses all it had.
func kept(of shape, text, old, filled any) any {
	switch filled := filled.(type) {
	case map[string]any:
		fields, isMap := text.(map[string]any)
		if of.isWhole() || !isMap && text != nil {
			return text
		}
		before, _ := old.(map[string]any)
		return keptFields(of, fields, before, filled)
	case []any:
		item, keys := of.items()
		written, isList := text.([]any)
		if !isList || len(keys) == 0 {
			return text
		}
		before, _ := old.([]any)
		return keptItems(item, keys, written, before, filled)
	}
	return text
}

func keptFields(of shape, fields, before, filled map[string]any) any {
	found := map[string]any{}
	for name, value := range fields {
		found[name] = kept(of.field(name), value, before[name], filled[name])
	}
	for name, value := range filled {
		_, isWritten := fields[name]
		if _, wasWritten := before[name]; !isWritten && !wasWritten {
			found[name] = value
		}
	}
	if len(found) == 0 && len(before) > 0 {
		return nil
	}
	return found
}

func keptItems(of shape, keys []string, written, before, filled []any) []any {
	find := func(all []any, identity string) any {
		at := slices.IndexFunc(all, func(item any) bool { return identityOf(keys, item) == identity })
		if at < 0 {
			return nil
		}
		return all[at]
	}
	found := make([]any, len(written))
	for number, item := range written {
		identity := identityOf(keys, item)
		found[number] = kept(of, item, find(before, identity), find(filled, identity))
	}
	return found
}

// A builtInShape is a type of the pooled schemas.
type builtInShape struct {
	kind string
	keys *[]string
}

func (s builtInShape) isWhole() bool {
	return s.kind == "any" || wholeTypes[s.kind[strings.LastIndexByte(s.kind, '.')+1:]]
}

func (s builtInShape) field(name string) shape {
	if strings.HasPrefix(s.kind, "{") {
		return builtInShape{kind: s.kind[1:]}
	}
	if field, ok := schemas().Definitions[strings.TrimPrefix(s.kind, "#")][name]; ok {
		return builtInShape{field.Type, field.Keys}
	}
	return builtInShape{kind: "any"}
}

func (s builtInShape) items() (shape, []string) {
	if !strings.HasPrefix(s.kind, "[") || s.keys == nil {
		return nil, nil
	}
	return builtInShape{kind: s.kind[1:]}, *s.keys
}

// wholeTypes have the map type atomic.
var wholeTypes = map[string]bool{
	"ConfigMapKeySelector": true, "CrossVersionObjectReference": true, "EndpointAddress": true, "EndpointPort": true,
	"FileKeySelector": true, "LabelSelector": true, "LocalObjectReference": true, "MatchResources": true,
	"NamedRuleWithOperations": true, "NodeSelector": true, "NodeSelectorTerm": true, "ObjectFieldSelector": true,
	"ObjectReference": true, "OwnerReference": true, "ParamKind": true, "ParamRef": true, "ResourceFieldSelector": true,
	"RoleRef": true, "ScopeSelector": true, "SecretKeySelector": true, "SecretReference": true, "ServiceBackendPort": true,
	"Subject": true, "TopologySelectorTerm": true, "TypedLocalObjectReference": true, "Variable": true,
}

// A customShape is a type of a CRD's schema; nil is unknown.
type customShape struct{ *structuralschema.Structural }

func (s customShape) isWhole() bool {
	return s.Structural == nil || s.XMapType != nil && *s.XMapType == "atomic"
}

func (s customShape) field(name string) shape {
	if s.Structural == nil {
		return s
	}
	return customShape{fieldSchema(s.Structural, name)}
}

func (s customShape) items() (shape, []string) {
	if s.Structural == nil || s.Items == nil || s.XListType == nil || *s.XListType != "map" {
		return nil, nil
	}
	return customShape{s.Items}, s.XListMapKeys
}

// replacing returns what takes the place of an object, as server-side apply would store it, and that object. Where nothing of
// the old one can matter to the new one, that is as it was built.
func (k servedKind) replacing(one *judged, built runtime.Object, text *judged) (object, old runtime.Object, err error) {
	gvk := text.gvk()
	before, ok := served(gvk)
	if !ok {
		return nil, nil, errNotConverted
	}
	if gvk != k.gvk || gvk.Kind != "Pod" && isPlainChange(text.fields, one.fields) {
		old, err = before.decodeCurrent(text.data)
		return built.DeepCopyObject(), old, err
	}
	current := text.data
	if written, err := json.Marshal(text.fields); k.keepsBytes() && err == nil { // as the other is written
		current = written
	}
	filled, _, err := k.quickly.Decode(current, nil, nil)
	if err != nil {
		return nil, nil, err
	}
	k.scheme.Default(filled)
	fillLinked(filled)
	if object = k.applied(one, text.fields, filled); object == nil {
		object = built.DeepCopyObject()
	}
	old, err = k.toInternal(filled)
	return object, old, err
}

// keepsBytes says whether the server keeps what has no type as it is written, in some field of a kind.
func (k servedKind) keepsBytes() bool {
	return k.gvk.Kind == "ControllerRevision" || k.gvk.Group == definitionGroup || k.gvk.Group == "resource.k8s.io"
}

// applied reads an object as server-side apply would store it in the place of another of the same version, which is filled;
// nil where nothing of that one stays, or it cannot be told.
func (k servedKind) applied(one *judged, old map[string]any, filled runtime.Object) runtime.Object {
	all, err := runtime.DefaultUnstructuredConverter.ToUnstructured(filled)
	if err != nil {
		return nil
	}
	definition := ""
	if known := schemas().kind(k.gvk); known != nil {
		definition = known.Definition
	}
	text := keptTexts(builtInShape{kind: "#" + definition}, one.fields, old, all)
	if !k.keepsBytes() && sameBut(nil, text, one.fields) {
		return nil
	}
	data, err := json.Marshal(text)
	if err != nil {
		return nil
	}
	object, err := k.decodeCurrent(wholeNumbers(data))
	if err != nil {
		return nil
	}
	return object
}

// keptTexts keeps what stays of a whole object; its metadata and status are others' business.
func keptTexts(of shape, text, old, filled map[string]any) map[string]any {
	found := map[string]any{}
	for name, value := range text {
		found[name] = value
	}
	for _, name := range sortedKeys(filled) {
		if slices.Contains([]string{"apiVersion", "kind", "metadata", "status"}, name) {
			continue
		}
		value, isWritten := text[name]
		if _, wasWritten := old[name]; isWritten {
			found[name] = kept(of.field(name), value, old[name], filled[name])
		} else if !wasWritten {
			found[name] = filled[name]
		}
	}
	return found
}

// applied reads a custom resource in the same way; filled is what it takes the place of, with its defaults. Where nothing of
// that stays, it is as it was read.
func (k *customKind) applied(one *judged, read *unstructured.Unstructured, old map[string]any, filled *unstructured.Unstructured) (*unstructured.Unstructured, error) {
	text := keptTexts(customShape{k.schema}, one.fields, old, filled.Object)
	if sameBut(nil, text, one.fields) {
		return read, nil
	}
	data, err := json.Marshal(text)
	if err != nil {
		return nil, err
	}
	object, _, err := k.decode(wholeNumbers(data))
	return object, err
}

// isPlainChange says whether two texts differ only in values on which nothing that the server fills in depends, as they do
// where another version of an image is handed off. (The pull policy of a Pod depends on its image, and may not change.)
func isPlainChange(old, text any) bool { return sameBut(plainFields, old, text) }

var plainFields = map[string]bool{"annotations": true, "image": true, "labels": true, "replicas": true, "value": true}

// sameBut says whether two texts are the same, but for some fields that both have.
func sameBut(fields map[string]bool, old, text any) bool {
	switch text := text.(type) {
	case map[string]any:
		before, ok := old.(map[string]any)
		if !ok || len(before) != len(text) {
			return false
		}
		for name, value := range text {
			other, isThere := before[name]
			if !isThere || !fields[name] && !sameBut(fields, other, value) {
				return false
			}
		}
		return true
	case []any:
		before, ok := old.([]any)
		return ok && slices.EqualFunc(before, text, func(one, other any) bool { return sameBut(fields, one, other) })
	}
	return old == text
}
