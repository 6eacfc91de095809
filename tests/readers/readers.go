package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"strings"

	yaml3 "go.yaml.in/yaml/v3"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/util/yaml"
	"sigs.k8s.io/kustomize/api/provider"
	"sigs.k8s.io/kustomize/api/resmap"
)

// kubectl reads as k8s.io/cli-runtime/pkg/resource.StreamVisitor and FlattenListVisitor do.
func kubectl(text string) ([]json.RawMessage, error) {
	decoder := yaml.NewYAMLOrJSONDecoder(strings.NewReader(text), 4096)
	var found []json.RawMessage
	for {
		var document runtime.RawExtension
		if err := decoder.Decode(&document); errors.Is(err, io.EOF) {
			return found, nil
		} else if err != nil {
			return nil, err
		}
		raw := bytes.TrimSpace(document.Raw)
		if len(raw) == 0 || string(raw) == "null" {
			continue
		}
		read, err := runtime.Decode(unstructured.UnstructuredJSONScheme, raw)
		if err != nil {
			return nil, err
		}
		if found, err = appendObjects(found, read); err != nil {
			return nil, err
		}
	}
}

// flux reads as github.com/fluxcd/pkg/ssa/utils.ReadObjects does.
func flux(text string) ([]json.RawMessage, error) {
	decoder := yaml.NewYAMLOrJSONDecoder(strings.NewReader(text), 2048)
	var found []json.RawMessage
	for {
		document := &unstructured.Unstructured{}
		if err := decoder.Decode(document); errors.Is(err, io.EOF) {
			return found, nil
		} else if err != nil {
			return nil, err
		}
		var err error
		if found, err = appendObjects(found, document); err != nil {
			return nil, err
		}
	}
}

// appendObjects appends an object, or the items of a list, as they go to the API server.
func appendObjects(found []json.RawMessage, read runtime.Object) ([]json.RawMessage, error) {
	list, ok := read.(interface {
		IsList() bool
		EachListItem(func(runtime.Object) error) error
	})
	if ok && list.IsList() {
		err := list.EachListItem(func(item runtime.Object) (err error) {
			found, err = appendObjects(found, item)
			return err
		})
		return found, err
	}
	data, err := json.Marshal(read.(*unstructured.Unstructured).Object)
	return append(found, data), err
}

// kustomize reads a resource and writes it again, as Flux has it do, and Flux reads that.
func kustomize(text string) ([]json.RawMessage, error) {
	resources, err := resourcesIn(text)
	if err != nil {
		return nil, err
	}
	written, err := resources.AsYaml()
	if err != nil {
		return nil, err
	}
	return flux(string(written))
}

// kyaml gives the resources as Kustomize itself has them.
func kyaml(text string) ([]json.RawMessage, error) {
	resources, err := resourcesIn(text)
	if err != nil {
		return nil, err
	}
	var found []json.RawMessage
	for _, resource := range resources.Resources() {
		value, err := resource.Map()
		if err != nil {
			return nil, err
		}
		data, err := typedJSON(value)
		if err != nil {
			return nil, err
		}
		found = append(found, data)
	}
	return found, nil
}

func resourcesIn(text string) (resmap.ResMap, error) {
	return resmap.NewFactory(provider.NewDefaultDepProvider().GetResourceFactory()).NewResMapFromBytes([]byte(text))
}

// yamlV3 reads all documents by the library alone, which Kubernetes' own readers do not use.
func yamlV3(text string) ([]json.RawMessage, error) {
	decoder := yaml3.NewDecoder(strings.NewReader(text))
	var found []json.RawMessage
	for {
		var value any
		if err := decoder.Decode(&value); errors.Is(err, io.EOF) {
			return found, nil
		} else if err != nil {
			return nil, err
		}
		data, err := typedJSON(value)
		if err != nil {
			return nil, err
		}
		found = append(found, data)
	}
}
