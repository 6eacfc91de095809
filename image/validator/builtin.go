package main

import (
	"context"
	"errors"
	"io"
	"strings"
	"sync"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/runtime/serializer/json"
	"k8s.io/apiserver/pkg/authentication/user"
	"k8s.io/apiserver/pkg/endpoints/request"
	"k8s.io/apiserver/pkg/registry/rest"
	"k8s.io/apiserver/pkg/warning"
	"k8s.io/klog/v2"
	"k8s.io/kubernetes/pkg/api/legacyscheme"
	"k8s.io/kubernetes/pkg/apis/core"
	"k8s.io/kubernetes/pkg/capabilities"

	// The groups that an API server has.
	_ "k8s.io/kubernetes/pkg/apis/admissionregistration/install"
	_ "k8s.io/kubernetes/pkg/apis/apps/install"
	_ "k8s.io/kubernetes/pkg/apis/authentication/install"
	_ "k8s.io/kubernetes/pkg/apis/authorization/install"
	_ "k8s.io/kubernetes/pkg/apis/autoscaling/install"
	_ "k8s.io/kubernetes/pkg/apis/batch/install"
	_ "k8s.io/kubernetes/pkg/apis/certificates/install"
	_ "k8s.io/kubernetes/pkg/apis/coordination/install"
	_ "k8s.io/kubernetes/pkg/apis/core/install"
	_ "k8s.io/kubernetes/pkg/apis/discovery/install"
	_ "k8s.io/kubernetes/pkg/apis/events/install"
	_ "k8s.io/kubernetes/pkg/apis/extensions/install"
	_ "k8s.io/kubernetes/pkg/apis/flowcontrol/install"
	_ "k8s.io/kubernetes/pkg/apis/networking/install"
	_ "k8s.io/kubernetes/pkg/apis/node/install"
	_ "k8s.io/kubernetes/pkg/apis/policy/install"
	_ "k8s.io/kubernetes/pkg/apis/rbac/install"
	_ "k8s.io/kubernetes/pkg/apis/resource/install"
	_ "k8s.io/kubernetes/pkg/apis/scheduling/install"
	_ "k8s.io/kubernetes/pkg/apis/storage/install"
	_ "k8s.io/kubernetes/pkg/apis/storagemigration/install"
)

func init() {
	// Whether privileged pods are allowed is a flag of the server's, which every installer sets.
	capabilities.Initialize(capabilities.Capabilities{AllowPrivileged: true})
}

// silenceLogs drops what Kubernetes' libraries log: a caller gets it as an error.
func silenceLogs() {
	klog.LogToStderr(false)
	klog.SetOutput(io.Discard)
}

// A served kind is one that the server's code knows: how its objects are read, and what is done before one is stored.
type servedKind struct {
	gvk      schema.GroupVersionKind
	scheme   *runtime.Scheme
	strategy strategy
	// strictly tells of fields that are unknown or there twice; quickly does not, in less time.
	strictly, quickly runtime.Decoder
}

func newKind(gvk schema.GroupVersionKind, scheme *runtime.Scheme, strategy strategy) servedKind {
	reader := func(options json.SerializerOptions) runtime.Decoder {
		return json.NewSerializerWithOptions(knownKind(gvk), scheme, scheme, options)
	}
	return servedKind{gvk, scheme, strategy, reader(json.SerializerOptions{Strict: true}), reader(json.SerializerOptions{})}
}

// knownKind is what objects say of themselves: the server's own way to find that out parses them whole.
type knownKind schema.GroupVersionKind

func (k knownKind) Interpret([]byte) (*schema.GroupVersionKind, error) {
	found := schema.GroupVersionKind(k)
	return &found, nil
}

// servedKinds caches the kinds that were looked up.
var servedKinds sync.Map

// served finds a built-in kind; its strategy is nil where objects of it are not stored.
func served(gvk schema.GroupVersionKind) (servedKind, bool) {
	if found, ok := servedKinds.Load(gvk); ok {
		return found.(servedKind), true
	}
	found, ok := builtInKind(gvk)
	if ok {
		servedKinds.Store(gvk, found)
	}
	return found, ok
}

func builtInKind(gvk schema.GroupVersionKind) (servedKind, bool) {
	if legacyscheme.Scheme.Recognizes(gvk) {
		return newKind(gvk, legacyscheme.Scheme, strategyOf[gvk.GroupKind()]), true
	}
	for _, find := range []func(schema.GroupVersionKind) (servedKind, bool){definitionKind, serviceKind} {
		if found, ok := find(gvk); ok {
			return found, true
		}
	}
	return servedKind{}, false
}

// decode reads an object as the server does that is asked for strict reading: unknown fields are told, and left out.
func (k servedKind) decode(data []byte) (object runtime.Object, unknown []error, err error) {
	object, _, err = k.strictly.Decode(data, nil, nil)
	if strict, ok := runtime.AsStrictDecodingError(err); ok && object != nil {
		unknown, err = strict.Errors(), nil
	}
	if err != nil {
		return nil, nil, err
	}
	object, err = k.internal(object)
	return object, unknown, err
}

// decodeCurrent reads an object that is there already: unknown fields were reported when it was new.
func (k servedKind) decodeCurrent(data []byte) (runtime.Object, error) {
	object, _, err := k.quickly.Decode(data, nil, nil)
	if err != nil {
		return nil, err
	}
	return k.internal(object)
}

// internal fills in the defaults of an object and returns it in the server's internal form.
func (k servedKind) internal(object runtime.Object) (runtime.Object, error) {
	k.scheme.Default(object)
	return k.toInternal(object)
}

func (k servedKind) toInternal(object runtime.Object) (runtime.Object, error) {
	return k.scheme.UnsafeConvertToVersion(object, schema.GroupVersion{Group: k.gvk.Group, Version: runtime.APIVersionInternal})
}

// create is what the server does with a new object.
func (k servedKind) create(object runtime.Object) ([]finding, error) {
	return before(k.gvk, object, func(ctx context.Context) error {
		switch object := object.(type) {
		case *core.Service:
			fillAddresses(object)
			fillHealthCheckPort(object)
		case *core.Pod:
			fillAccount(object, "")
		}
		return rest.BeforeCreate(k.strategy, ctx, object)
	})
}

// update is what the server does with an object that takes the place of an old one.
func (k servedKind) update(object, old runtime.Object) ([]finding, error) {
	return before(k.gvk, object, func(ctx context.Context) error {
		accessor, err := meta.Accessor(old)
		if err != nil {
			return err
		}
		rest.FillObjectMetaSystemFields(accessor)
		k.strategy.PrepareForCreate(ctx, old)
		asStored(object, old)
		return rest.BeforeUpdate(k.strategy, ctx, object, old)
	})
}

// before runs what the server does before it stores an object, and returns what it says.
func before(gvk schema.GroupVersionKind, object runtime.Object, do func(context.Context) error) ([]finding, error) {
	accessor, err := meta.Accessor(object)
	if err != nil {
		return nil, err
	}
	rest.FillObjectMetaSystemFields(accessor)
	accessor.SetResourceVersion("")
	warned := &recorder{}
	err = do(contextOf(gvk, accessor, warned))
	return append(causesOf(err), warned.found...), nil
}

// contextOf is the context of a request for an object, made by one who may do everything.
func contextOf(gvk schema.GroupVersionKind, object metav1.Object, warned *recorder) context.Context {
	plural, _ := meta.UnsafeGuessKindToResource(gvk)
	ctx := request.WithNamespace(context.Background(), object.GetNamespace())
	ctx = request.WithUser(ctx, &user.DefaultInfo{Name: "headgate", Groups: []string{user.SystemPrivilegedGroup}})
	ctx = request.WithRequestInfo(ctx, &request.RequestInfo{
		IsResourceRequest: true, Verb: "create", APIGroup: gvk.Group, APIVersion: gvk.Version,
		Resource: plural.Resource, Namespace: object.GetNamespace(), Name: object.GetName(),
	})
	return warning.WithWarningRecorder(ctx, warned)
}

// recorder keeps what the server warns of.
type recorder struct{ found []finding }

func (r *recorder) AddWarning(_, text string) {
	field, words, ok := strings.Cut(text, ": ")
	if !ok || strings.ContainsAny(field, " ") {
		field, words = "", text
	}
	r.found = append(r.found, finding{Rule: ruleWarning, Field: field, Message: words})
}

// notAsked is what the server adds where it found something else before it came to the rules of a CRD.
const notAsked = "some validation rules were not checked because the object was invalid"

// causesOf tells the server's errors by their fields.
func causesOf(err error) []finding {
	if err == nil {
		return nil
	}
	var found []finding
	if status, ok := errors.AsType[*apierrors.StatusError](err); ok && status.ErrStatus.Details != nil {
		for _, cause := range status.ErrStatus.Details.Causes {
			if strings.Contains(cause.Message, notAsked) {
				continue // which says nothing of the object
			}
			found = append(found, finding{Rule: ruleInvalid, Field: strings.TrimPrefix(cause.Field, "<nil>"), Message: cause.Message})
		}
	}
	if found == nil {
		found = []finding{{Rule: ruleInvalid, Message: err.Error()}}
	}
	return found
}
