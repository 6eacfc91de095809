package main

import (
	"cmp"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apiextensions-apiserver/pkg/apis/apiextensions"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/runtime"
	apiservice "k8s.io/kubernetes/pkg/api/service"
	"k8s.io/kubernetes/pkg/apis/batch"
	"k8s.io/kubernetes/pkg/apis/core"
)

// fillLinked fills in what the server fills in beside its defaults: fields that say the same as others.
func fillLinked(object runtime.Object) {
	switch object := object.(type) {
	case *corev1.Secret:
		for name, value := range object.StringData {
			if object.Data == nil {
				object.Data = map[string][]byte{}
			}
			object.Data[name] = []byte(value)
		}
		object.StringData = nil
	case *corev1.PersistentVolumeClaim:
		spec := &object.Spec
		if one := spec.DataSource; one != nil && spec.DataSourceRef == nil {
			spec.DataSourceRef = &corev1.TypedObjectReference{APIGroup: one.APIGroup, Kind: one.Kind, Name: one.Name}
		} else if one := spec.DataSourceRef; one != nil && one.Namespace == nil && spec.DataSource == nil {
			spec.DataSource = &corev1.TypedLocalObjectReference{APIGroup: one.APIGroup, Kind: one.Kind, Name: one.Name}
		}
	}
}

// asStored makes of two texts what the server would see of them: the old one as it is in a cluster, the new one with what
// server-side apply leaves in place, since it is not the text's.
func asStored(object, old runtime.Object) {
	copySystemFields(object, old)
	switch object := object.(type) {
	case *core.Pod:
		fillAccount(old.(*core.Pod), "")
		fillAccount(object, old.(*core.Pod).Spec.ServiceAccountName)
	case *core.Service:
		serviceAsStored(object, old.(*core.Service))
	case *core.PersistentVolumeClaim:
		claimAsStored(object, old.(*core.PersistentVolumeClaim))
	case *batch.Job:
		jobAsStored(object, old.(*batch.Job))
	case *apiextensions.CustomResourceDefinition:
		definitionAsStored(old.(*apiextensions.CustomResourceDefinition))
	}
}

// fillAccount gives a Pod the account that the plugin ServiceAccount gives it, before it is validated; one that it had stays.
func fillAccount(pod *core.Pod, before string) {
	if spec := &pod.Spec; spec.ServiceAccountName == "" {
		spec.ServiceAccountName = cmp.Or(before, "default")
		spec.DeprecatedServiceAccount = spec.ServiceAccountName
	}
}

func copySystemFields(object, old runtime.Object) {
	after, err := meta.Accessor(object)
	if err != nil {
		return
	}
	before, err := meta.Accessor(old)
	if err != nil {
		return
	}
	before.SetResourceVersion("1")
	after.SetResourceVersion("1")
	after.SetUID(before.GetUID())
	after.SetCreationTimestamp(before.GetCreationTimestamp())
}

// Some address of a cluster: which one the server gave is not known here, only that it gave one.
const someAddress = "10.96.0.99"

// serviceAsStored gives the old Service an address where that decides, and keeps what the new one does not name.
func serviceAsStored(object, old *core.Service) {
	if old.Spec.ClusterIP == "" && object.Spec.ClusterIP == core.ClusterIPNone && old.Spec.Type != core.ServiceTypeExternalName {
		old.Spec.ClusterIP = someAddress
	}
	fillAddresses(old)
	isExternal := object.Spec.Type == core.ServiceTypeExternalName || old.Spec.Type == core.ServiceTypeExternalName
	if object.Spec.ClusterIP == "" && !isExternal {
		object.Spec.ClusterIP, object.Spec.ClusterIPs = old.Spec.ClusterIP, old.Spec.ClusterIPs
	}
	if len(object.Spec.IPFamilies) == 0 && !isExternal { // which follow from the addresses
		object.Spec.IPFamilies = old.Spec.IPFamilies
	}
	fillAddresses(object)
	keepHealthCheckPort(object, old)
}

// Some port of a node, the first that servers give: which one it was is not known here either.
const someNodePort = 30000

// fillHealthCheckPort gives a Service the port that the server's storage gives it before it is validated.
func fillHealthCheckPort(service *core.Service) {
	if apiservice.NeedsHealthCheck(service) && service.Spec.HealthCheckNodePort == 0 {
		service.Spec.HealthCheckNodePort = someNodePort
	}
}

// keepHealthCheckPort lets the new Service name the port that the old one was given.
func keepHealthCheckPort(object, old *core.Service) {
	if apiservice.NeedsHealthCheck(old) && old.Spec.HealthCheckNodePort == 0 {
		old.Spec.HealthCheckNodePort = object.Spec.HealthCheckNodePort
	}
	fillHealthCheckPort(old)
	if apiservice.NeedsHealthCheck(old) && apiservice.NeedsHealthCheck(object) && object.Spec.HealthCheckNodePort == 0 {
		object.Spec.HealthCheckNodePort = old.Spec.HealthCheckNodePort
	}
	fillHealthCheckPort(object)
}

// fillAddresses does what the server's storage does for those who name one address only.
func fillAddresses(service *core.Service) {
	if service.Spec.ClusterIP != "" && len(service.Spec.ClusterIPs) == 0 {
		service.Spec.ClusterIPs = []string{service.Spec.ClusterIP}
	}
}

// claimAsStored binds the old claim: one that waits for a volume may change less than one that is in use.
func claimAsStored(object, old *core.PersistentVolumeClaim) {
	if old.Spec.VolumeName == "" { // the new text may name the volume that it got, or none
		old.Spec.VolumeName = orElse(object.Spec.VolumeName, "bound")
		object.Spec.VolumeName = old.Spec.VolumeName
	}
	old.Status.Phase = core.ClaimBound
	old.Status.Capacity = old.Spec.Resources.Requests.DeepCopy()
}

// definitionAsStored says that there may be objects of the CRD, in the version in which it stores them.
func definitionAsStored(old *apiextensions.CustomResourceDefinition) {
	old.Status.Conditions = []apiextensions.CustomResourceDefinitionCondition{
		{Type: apiextensions.Established, Status: apiextensions.ConditionTrue},
	}
	for _, version := range old.Spec.Versions {
		if version.Storage {
			old.Status.StoredVersions = []string{version.Name}
		}
	}
}

// jobAsStored keeps the selector and the labels that the server gave the old Job.
func jobAsStored(object, old *batch.Job) {
	if isWritten := old.Spec.ManualSelector != nil && *old.Spec.ManualSelector; object.Spec.Selector == nil && !isWritten {
		object.Spec.Selector = old.Spec.Selector.DeepCopy()
	}
	for name, value := range old.Spec.Template.Labels {
		if strings.HasSuffix(name, "controller-uid") || strings.HasSuffix(name, "job-name") {
			if object.Spec.Template.Labels == nil {
				object.Spec.Template.Labels = map[string]string{}
			}
			object.Spec.Template.Labels[name] = value
		}
	}
}
