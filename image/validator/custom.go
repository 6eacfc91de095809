package main

import (
	"context"
	"errors"
	"fmt"

	"k8s.io/apiextensions-apiserver/pkg/apis/apiextensions"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	structuralschema "k8s.io/apiextensions-apiserver/pkg/apiserver/schema"
	structuraldefaulting "k8s.io/apiextensions-apiserver/pkg/apiserver/schema/defaulting"
	"k8s.io/apiextensions-apiserver/pkg/apiserver/schema/objectmeta"
	"k8s.io/apiextensions-apiserver/pkg/apiserver/schema/pruning"
	"k8s.io/apiextensions-apiserver/pkg/apiserver/validation"
	"k8s.io/apiextensions-apiserver/pkg/registry/customresource"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apiserver/pkg/registry/rest"
)

// A customKind is one version of a kind that a CRD defines: its schema, and what is done before an object is stored.
type customKind struct {
	gvk      schema.GroupVersionKind
	schema   *structuralschema.Structural
	keepsAll bool // spec.preserveUnknownFields
	strategy strategy
}

// version compiles a version of a CRD once; an error where the CRD itself is wrong, which is told of it.
func (d *definition) version(name string) (*customKind, error) {
	if found, ok := d.versions[name]; ok {
		if found == nil {
			return nil, errNoDefinition
		}
		return found, nil
	}
	d.versions[name] = nil
	found, err := compile(d.crd, name)
	if err == nil {
		d.versions[name] = found
	}
	return found, err
}

func compile(crd *apiextensionsv1.CustomResourceDefinition, name string) (*customKind, error) {
	version, err := schemasOf(crd, name)
	if err != nil {
		return nil, err
	}
	structural, err := structuralschema.NewStructural(version.props)
	if err != nil {
		return nil, err
	}
	structural = structural.DeepCopy()
	if err := structuraldefaulting.PruneDefaults(structural); err != nil {
		return nil, err
	}
	validator, _, err := validation.NewSchemaValidator(version.props)
	if err != nil {
		return nil, err
	}
	gvk := schema.GroupVersionKind{Group: crd.Spec.Group, Version: name, Kind: crd.Spec.Names.Kind}
	return &customKind{
		gvk: gvk, schema: structural, keepsAll: crd.Spec.PreserveUnknownFields,
		strategy: customresource.NewStrategy(
			typer{gvk}, crd.Spec.Scope == apiextensionsv1.NamespaceScoped, gvk, validator, nil, structural,
			version.status, version.scale, version.selectable,
		),
	}, nil
}

// versionSchemas is what a version of a CRD says of its objects, in the server's internal form.
type versionSchemas struct {
	props      *apiextensions.JSONSchemaProps
	status     *apiextensions.CustomResourceSubresourceStatus
	scale      *apiextensions.CustomResourceSubresourceScale
	selectable []apiextensionsv1.SelectableField
}

func schemasOf(crd *apiextensionsv1.CustomResourceDefinition, name string) (versionSchemas, error) {
	for _, version := range crd.Spec.Versions {
		if version.Name != name {
			continue
		}
		internal := &apiextensions.CustomResourceDefinitionVersion{}
		if err := apiextensionsv1.Convert_v1_CustomResourceDefinitionVersion_To_apiextensions_CustomResourceDefinitionVersion(&version, internal, nil); err != nil {
			return versionSchemas{}, err
		}
		if internal.Schema == nil || internal.Schema.OpenAPIV3Schema == nil {
			return versionSchemas{}, errors.New("the version has no schema")
		}
		found := versionSchemas{props: internal.Schema.OpenAPIV3Schema, selectable: version.SelectableFields}
		if internal.Subresources != nil {
			found.status, found.scale = internal.Subresources.Status, internal.Subresources.Scale
		}
		return found, nil
	}
	return versionSchemas{}, fmt.Errorf("no version %s", name)
}

// typer says of every object that it is of one kind.
type typer struct{ gvk schema.GroupVersionKind }

func (t typer) ObjectKinds(runtime.Object) ([]schema.GroupVersionKind, bool, error) {
	return []schema.GroupVersionKind{t.gvk}, false, nil
}

func (t typer) Recognizes(gvk schema.GroupVersionKind) bool { return gvk == t.gvk }

// decode reads an object as the server does: it says which fields the schema does not have and leaves them out, and fills in
// defaults.
func (k *customKind) decode(data []byte) (*unstructured.Unstructured, []string, error) {
	object := &unstructured.Unstructured{}
	if err := object.UnmarshalJSON(data); err != nil {
		return nil, nil, err
	}
	metadata, hasMetadata, unknown, err := objectmeta.GetObjectMetaWithOptions(
		object.Object, objectmeta.ObjectMetaOptions{ReturnUnknownFieldPaths: true},
	)
	if err != nil {
		return nil, nil, err
	}
	if !k.keepsAll {
		options := structuralschema.UnknownFieldPathOptions{TrackUnknownFieldPaths: true}
		unknown = append(unknown, pruning.PruneWithOptions(object.Object, k.schema, true, options)...)
	}
	failed, paths := objectmeta.CoerceWithOptions(
		nil, object.Object, k.schema, false, objectmeta.CoerceOptions{ReturnUnknownFieldPaths: true},
	)
	if failed != nil {
		return nil, nil, failed
	}
	if hasMetadata {
		err = objectmeta.SetObjectMeta(object.Object, metadata)
	}
	object.SetGroupVersionKind(k.gvk)
	structuraldefaulting.Default(object.Object, k.schema)
	return object, append(unknown, paths...), err
}

// create is what the server does with a new object.
func (k *customKind) create(object *unstructured.Unstructured) ([]finding, error) {
	return before(k.gvk, object, func(ctx context.Context) error {
		return rest.BeforeCreate(k.strategy, ctx, object)
	})
}

// update is what it does with one that takes the place of an old one.
func (k *customKind) update(object, old *unstructured.Unstructured) ([]finding, error) {
	return before(k.gvk, object, func(ctx context.Context) error {
		rest.FillObjectMetaSystemFields(old)
		k.strategy.PrepareForCreate(ctx, old)
		copySystemFields(object, old)
		return rest.BeforeUpdate(k.strategy, ctx, object, old)
	})
}

// head is what every object says of itself.
type head struct {
	APIVersion string `json:"apiVersion"`
	Kind       string `json:"kind"`
}

func (h head) gvk() schema.GroupVersionKind {
	return schema.FromAPIVersionAndKind(h.APIVersion, h.Kind)
}

// listsForTexts finds lists where a CRD has a text of some format, which its schema takes and server-side apply does not.
func listsForTexts(schema *structuralschema.Structural, value any, path string) []finding {
	var found []finding
	switch value := value.(type) {
	case map[string]any:
		for _, name := range sortedKeys(value) {
			if below := fieldSchema(schema, name); below != nil {
				found = append(found, listsForTexts(below, value[name], join(path, name))...)
			}
		}
	case []any:
		if schema.Type == "string" {
			return []finding{{Rule: ruleInvalid, Field: path, Message: shown(value) + ", expected a string"}}
		}
		for number, item := range value {
			if schema.Items != nil {
				found = append(found, listsForTexts(schema.Items, item, fmt.Sprintf("%s[%d]", path, number))...)
			}
		}
	}
	return found
}

// fieldSchema is the schema of a property, or of an entry of a map; nil where there is none.
func fieldSchema(schema *structuralschema.Structural, name string) *structuralschema.Structural {
	if property, ok := schema.Properties[name]; ok {
		return &property
	}
	if schema.AdditionalProperties != nil {
		return schema.AdditionalProperties.Structural
	}
	return nil
}
