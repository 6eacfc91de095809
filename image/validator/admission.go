package main

import (
	"encoding/json"
	"errors"
	"slices"
	"strings"

	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured/unstructuredscheme"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apiserver/pkg/admission"
)

// admissionRequest is what the server would ask its policies about an object, right before it stores or deletes it.
type admissionRequest struct {
	attributes admission.Attributes
	interfaces admission.ObjectInterfaces
}

// admissionOf makes the request of an object once. What its kind cannot read is asked about as it stands, so that nobody
// evades a policy by an object that is wrong, encrypted, or of a kind that nobody defines.
func (c *court) admissionOf(one *judged) admissionRequest {
	if one.asked != nil {
		return *one.asked
	}
	gvk := one.gvk()
	resource, interfaces := c.resourceOf(gvk)
	object, old := one.admitted, one.replaced
	if object == nil {
		object = c.admitted(one)
	}
	if one.current != nil && old == nil {
		old = c.admitted(parse(one.current))
	}
	if object == nil || one.current != nil && old == nil {
		interfaces = loose{equivalents{gvk, resource.Resource, []string{gvk.Version}}}
		object, old = one.asItStands(), nil
		if one.current != nil {
			old = parse(one.current).asItStands()
		}
	}
	name, namespace := namesOf(object, gvk)
	operation := admission.Create
	switch {
	case one.isRemoved:
		operation, object, old = admission.Delete, nil, object
	case old != nil:
		operation = admission.Update
	}
	attributes := admission.NewAttributesRecord(object, old, gvk, namespace, name, resource, "", operation, nil, false, nil)
	one.asked = &admissionRequest{attributes, interfaces}
	return *one.asked
}

// resourceOf is the resource of a kind, and how its objects are made and converted.
func (c *court) resourceOf(gvk schema.GroupVersionKind) (schema.GroupVersionResource, admission.ObjectInterfaces) {
	resource, _ := meta.UnsafeGuessKindToResource(gvk)
	if kind, ok := served(gvk); ok {
		return resource, strict{kind.scheme, equivalents{gvk, resource.Resource, kind.versions()}}
	}
	versions := []string{gvk.Version}
	if definition, ok := c.known[gvk.GroupKind()]; ok {
		resource.Resource, versions = definition.crd.Spec.Names.Plural, definition.convertible(gvk.Version)
	}
	return resource, loose{equivalents{gvk, resource.Resource, versions}}
}

// admitted is an object with its defaults, as the server would store it; nil where its kind cannot read it.
func (c *court) admitted(one *judged) runtime.Object {
	if one.isEncrypted {
		return nil
	}
	if kind, ok := served(one.gvk()); ok {
		object, err := kind.decodeCurrent(one.data)
		if err == nil && kind.strategy != nil {
			_, err = kind.create(object)
		}
		return orNone(object, err)
	}
	definition, ok := c.known[one.gvk().GroupKind()]
	if !ok {
		return nil
	}
	kind, err := definition.version(one.gvk().Version)
	if err != nil {
		return nil
	}
	object, _, err := kind.decode(one.data)
	if err == nil {
		_, err = kind.create(object)
	}
	return orNone(object, err)
}

func orNone(object runtime.Object, err error) runtime.Object {
	if err != nil {
		return nil
	}
	return object
}

// versions are those of its group in which the server has the kind.
func (k servedKind) versions() []string {
	var found []string
	for _, version := range k.scheme.PrioritizedVersionsForGroup(k.gvk.Group) {
		if k.scheme.Recognizes(version.WithKind(k.gvk.Kind)) {
			found = append(found, version.Version)
		}
	}
	return found
}

// convertible are the versions of a CRD in which an object can be seen: with a webhook for that, only the one in which it
// stands.
func (d *definition) convertible(version string) []string {
	conversion := d.crd.Spec.Conversion
	if conversion != nil && conversion.Strategy != apiextensionsv1.NoneConverter {
		return []string{version}
	}
	return d.served()
}

// asItStands is an object without what its kind says of it.
func (one *judged) asItStands() *unstructured.Unstructured {
	object := &unstructured.Unstructured{}
	if json.Unmarshal(one.data, &object.Object) != nil || object.Object == nil {
		object.Object = map[string]any{}
	}
	return object
}

// namesOf are the name and the namespace of a request for an object; a namespace is in itself.
func namesOf(object runtime.Object, gvk schema.GroupVersionKind) (name, namespace string) {
	accessor, err := meta.Accessor(object)
	if err != nil {
		return "", ""
	}
	if gvk.Group == "" && gvk.Kind == "Namespace" {
		return accessor.GetName(), accessor.GetName()
	}
	return accessor.GetName(), accessor.GetNamespace()
}

// equivalents are the versions of one kind: what a rule for another version is for, too.
type equivalents struct {
	gvk      schema.GroupVersionKind
	resource string
	versions []string
}

func (e equivalents) EquivalentResourcesFor(schema.GroupVersionResource, string) []schema.GroupVersionResource {
	var all []schema.GroupVersionResource
	for _, version := range e.versions {
		all = append(all, schema.GroupVersionResource{Group: e.gvk.Group, Version: version, Resource: e.resource})
	}
	return all
}

func (e equivalents) KindFor(resource schema.GroupVersionResource, _ string) schema.GroupVersionKind {
	if !slices.Contains(e.versions, resource.Version) {
		return schema.GroupVersionKind{}
	}
	return schema.GroupVersionKind{Group: e.gvk.Group, Version: resource.Version, Kind: e.gvk.Kind}
}

// strict are the interfaces of a built-in kind.
type strict struct {
	*runtime.Scheme
	equivalents
}

func (s strict) GetObjectCreater() runtime.ObjectCreater                       { return s.Scheme }
func (s strict) GetObjectTyper() runtime.ObjectTyper                           { return s.Scheme }
func (s strict) GetObjectDefaulter() runtime.ObjectDefaulter                   { return s.Scheme }
func (s strict) GetObjectConvertor() runtime.ObjectConvertor                   { return s.Scheme }
func (s strict) GetEquivalentResourceMapper() runtime.EquivalentResourceMapper { return s.equivalents }

// loose are those of all other kinds, whose objects have no type.
type loose struct{ equivalents }

func (loose) GetObjectCreater() runtime.ObjectCreater {
	return unstructuredscheme.NewUnstructuredCreator()
}
func (loose) GetObjectTyper() runtime.ObjectTyper {
	return unstructuredscheme.NewUnstructuredObjectTyper()
}
func (loose) GetObjectDefaulter() runtime.ObjectDefaulter { return nil }
func (loose) GetObjectConvertor() runtime.ObjectConvertor { return renaming{} }
func (l loose) GetEquivalentResourceMapper() runtime.EquivalentResourceMapper {
	return l.equivalents
}

// renaming converts as a CRD without a webhook does: only the name of the version changes.
type renaming struct{}

var errNotConverted = errors.New("cannot be converted")

func (renaming) Convert(in, out, _ any) error {
	from, isObject := in.(*unstructured.Unstructured)
	to, isAlike := out.(*unstructured.Unstructured)
	if !isObject || !isAlike {
		return errNotConverted
	}
	to.Object = from.DeepCopy().Object
	return nil
}

func (renaming) ConvertToVersion(runtime.Object, runtime.GroupVersioner) (runtime.Object, error) {
	return nil, errNotConverted
}

func (renaming) ConvertFieldLabel(_ schema.GroupVersionKind, label, value string) (string, string, error) {
	return label, value, nil
}

func isSecret(one *judged) bool {
	return one.Kind == "Secret" && !strings.Contains(one.APIVersion, "/")
}
