package main

import (
	"crypto/sha256"
	"encoding/json"
	"errors"
	"slices"
	"strings"

	"k8s.io/apiextensions-apiserver/pkg/apis/apiextensions"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	"k8s.io/apiextensions-apiserver/pkg/apiserver"
	"k8s.io/apiextensions-apiserver/pkg/registry/customresourcedefinition"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apiserver/pkg/registry/rest"
	aggregator "k8s.io/kube-aggregator/pkg/apiserver/scheme"
	"k8s.io/kube-aggregator/pkg/registry/apiservice"
	"sigs.k8s.io/yaml"
)

const definitionGroup = "apiextensions.k8s.io"

// definitionKind is the kind of CRDs, which another part of the API server keeps.
func definitionKind(gvk schema.GroupVersionKind) (servedKind, bool) {
	if gvk.Group != definitionGroup || gvk.Kind != "CustomResourceDefinition" || !apiserver.Scheme.Recognizes(gvk) {
		return servedKind{}, false
	}
	return newKind(gvk, apiserver.Scheme, customresourcedefinition.NewStrategy(apiserver.Scheme)), true
}

// serviceKind is the kind of API servers that others bring, which a third part keeps.
func serviceKind(gvk schema.GroupVersionKind) (servedKind, bool) {
	if gvk.Group != "apiregistration.k8s.io" || gvk.Kind != "APIService" || !aggregator.Scheme.Recognizes(gvk) {
		return servedKind{}, false
	}
	return newKind(gvk, aggregator.Scheme, both{apiservice.NewStrategy(aggregator.Scheme)}), true
}

// both only gives the aggregator's strategy the name of the others' shape.
type both struct {
	rest.CreateUpdateResetFieldsStrategy
}

// definitions are the CRDs that a request knows, by the kind that each defines.
type definitions map[schema.GroupKind]*definition

// A definition is a CRD. Its versions are compiled when an object of theirs comes first.
type definition struct {
	content  [sha256.Size]byte
	crd      *apiextensionsv1.CustomResourceDefinition
	versions map[string]*customKind
}

func (d *definition) served() []string {
	var names []string
	for _, version := range d.crd.Spec.Versions {
		if version.Served {
			names = append(names, version.Name)
		}
	}
	return names
}

// definitionsOf reads the CRDs in files: those of the repository, and those of folders that the configuration names.
func (j *judge) definitionsOf(files map[string]string) definitions {
	found := definitions{}
	for _, path := range sortedKeys(files) {
		for _, text := range documentsOf(files[path]) {
			if data, err := yaml.YAMLToJSON([]byte(text)); err == nil {
				found.add(j.definition(data))
			}
		}
	}
	return found
}

// documentsOf splits a file at the lines that begin a document.
func documentsOf(text string) []string {
	return strings.Split("\n"+text, "\n---")
}

func (all definitions) add(one *definition) {
	if one != nil {
		all[schema.GroupKind{Group: one.crd.Spec.Group, Kind: one.crd.Spec.Names.Kind}] = one
	}
}

// definition reads a CRD once in the process's life; nil for what is none.
func (j *judge) definition(data []byte) *definition {
	content := sha256.Sum256(data)
	if found, ok := j.definitions[content]; ok {
		return found
	}
	found := &definition{content: content, versions: map[string]*customKind{}}
	crd, err := readDefinition(data)
	if err != nil {
		found = nil
	} else {
		found.crd = crd
	}
	j.definitions[content] = found
	return found
}

var errNoDefinition = errors.New("no CRD")

// readDefinition reads a CRD of any version as its newest one, with its defaults.
func readDefinition(data []byte) (*apiextensionsv1.CustomResourceDefinition, error) {
	var head head
	if err := json.Unmarshal(data, &head); err != nil {
		return nil, err
	}
	kind, ok := served(head.gvk())
	if !ok || kind.gvk.Group != definitionGroup {
		return nil, errNoDefinition
	}
	object, _, err := kind.decode(data)
	if err != nil {
		return nil, err
	}
	internal, ok := object.(*apiextensions.CustomResourceDefinition)
	if !ok {
		return nil, errNoDefinition
	}
	crd := &apiextensionsv1.CustomResourceDefinition{}
	if err := apiextensionsv1.Convert_apiextensions_CustomResourceDefinition_To_v1_CustomResourceDefinition(internal, crd, nil); err != nil {
		return nil, err
	}
	apiextensionsv1.SetDefaults_CustomResourceDefinition(crd)
	return crd, nil
}

func sortedKeys[V any](all map[string]V) []string {
	names := make([]string, 0, len(all))
	for name := range all {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}
