package main

import (
	"context"

	corev1 "k8s.io/api/core/v1"
	resourcev1 "k8s.io/api/resource/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apiserver/pkg/authorization/authorizer"
	"k8s.io/apiserver/pkg/registry/rest"
	clientcorev1 "k8s.io/client-go/kubernetes/typed/core/v1"
	"k8s.io/kubernetes/pkg/apis/admissionregistration"
	"k8s.io/kubernetes/pkg/registry/admissionregistration/mutatingadmissionpolicy"
	"k8s.io/kubernetes/pkg/registry/admissionregistration/mutatingadmissionpolicybinding"
	"k8s.io/kubernetes/pkg/registry/admissionregistration/mutatingwebhookconfiguration"
	"k8s.io/kubernetes/pkg/registry/admissionregistration/resolver"
	"k8s.io/kubernetes/pkg/registry/admissionregistration/validatingadmissionpolicy"
	"k8s.io/kubernetes/pkg/registry/admissionregistration/validatingadmissionpolicybinding"
	"k8s.io/kubernetes/pkg/registry/admissionregistration/validatingwebhookconfiguration"
	"k8s.io/kubernetes/pkg/registry/apps/controllerrevision"
	"k8s.io/kubernetes/pkg/registry/apps/daemonset"
	"k8s.io/kubernetes/pkg/registry/apps/deployment"
	"k8s.io/kubernetes/pkg/registry/apps/replicaset"
	"k8s.io/kubernetes/pkg/registry/apps/statefulset"
	"k8s.io/kubernetes/pkg/registry/autoscaling/horizontalpodautoscaler"
	"k8s.io/kubernetes/pkg/registry/batch/cronjob"
	"k8s.io/kubernetes/pkg/registry/batch/job"
	"k8s.io/kubernetes/pkg/registry/certificates/certificates"
	"k8s.io/kubernetes/pkg/registry/certificates/clustertrustbundle"
	"k8s.io/kubernetes/pkg/registry/certificates/podcertificaterequest"
	"k8s.io/kubernetes/pkg/registry/coordination/lease"
	"k8s.io/kubernetes/pkg/registry/coordination/leasecandidate"
	"k8s.io/kubernetes/pkg/registry/core/configmap"
	"k8s.io/kubernetes/pkg/registry/core/endpoint"
	"k8s.io/kubernetes/pkg/registry/core/event"
	"k8s.io/kubernetes/pkg/registry/core/limitrange"
	"k8s.io/kubernetes/pkg/registry/core/namespace"
	"k8s.io/kubernetes/pkg/registry/core/node"
	"k8s.io/kubernetes/pkg/registry/core/persistentvolume"
	"k8s.io/kubernetes/pkg/registry/core/persistentvolumeclaim"
	"k8s.io/kubernetes/pkg/registry/core/pod"
	"k8s.io/kubernetes/pkg/registry/core/podtemplate"
	"k8s.io/kubernetes/pkg/registry/core/replicationcontroller"
	"k8s.io/kubernetes/pkg/registry/core/resourcequota"
	"k8s.io/kubernetes/pkg/registry/core/secret"
	"k8s.io/kubernetes/pkg/registry/core/service"
	"k8s.io/kubernetes/pkg/registry/core/serviceaccount"
	"k8s.io/kubernetes/pkg/registry/discovery/endpointslice"
	"k8s.io/kubernetes/pkg/registry/flowcontrol/flowschema"
	"k8s.io/kubernetes/pkg/registry/flowcontrol/prioritylevelconfiguration"
	"k8s.io/kubernetes/pkg/registry/networking/ingress"
	"k8s.io/kubernetes/pkg/registry/networking/ingressclass"
	"k8s.io/kubernetes/pkg/registry/networking/ipaddress"
	"k8s.io/kubernetes/pkg/registry/networking/networkpolicy"
	"k8s.io/kubernetes/pkg/registry/networking/servicecidr"
	"k8s.io/kubernetes/pkg/registry/node/runtimeclass"
	"k8s.io/kubernetes/pkg/registry/policy/poddisruptionbudget"
	"k8s.io/kubernetes/pkg/registry/rbac/clusterrole"
	"k8s.io/kubernetes/pkg/registry/rbac/clusterrolebinding"
	"k8s.io/kubernetes/pkg/registry/rbac/role"
	"k8s.io/kubernetes/pkg/registry/rbac/rolebinding"
	"k8s.io/kubernetes/pkg/registry/resource/deviceclass"
	"k8s.io/kubernetes/pkg/registry/resource/devicetaintrule"
	"k8s.io/kubernetes/pkg/registry/resource/resourceclaim"
	"k8s.io/kubernetes/pkg/registry/resource/resourceclaimtemplate"
	"k8s.io/kubernetes/pkg/registry/resource/resourcepoolstatusrequest"
	"k8s.io/kubernetes/pkg/registry/resource/resourceslice"
	"k8s.io/kubernetes/pkg/registry/scheduling/podgroup"
	"k8s.io/kubernetes/pkg/registry/scheduling/priorityclass"
	"k8s.io/kubernetes/pkg/registry/scheduling/workload"
	"k8s.io/kubernetes/pkg/registry/storage/csidriver"
	"k8s.io/kubernetes/pkg/registry/storage/csinode"
	"k8s.io/kubernetes/pkg/registry/storage/csistoragecapacity"
	"k8s.io/kubernetes/pkg/registry/storage/storageclass"
	"k8s.io/kubernetes/pkg/registry/storage/volumeattachment"
	"k8s.io/kubernetes/pkg/registry/storage/volumeattributesclass"
	"k8s.io/kubernetes/pkg/registry/storagemigration/storagemigration"
)

// A strategy is what the API server does with objects of a kind before it stores them.
type strategy interface {
	rest.RESTCreateStrategy
	rest.RESTUpdateStrategy
}

// strategyOf is by group and kind, whatever the version: the server's strategies work on the internal form.
var strategyOf = byGroup(map[string]map[string]strategy{
	"": {
		"ConfigMap": configmap.Strategy, "Endpoints": endpoint.Strategy, "Event": event.Strategy,
		"LimitRange": limitrange.Strategy, "Namespace": namespace.Strategy, "Node": node.Strategy,
		"PersistentVolume": persistentvolume.Strategy, "PersistentVolumeClaim": persistentvolumeclaim.Strategy,
		"Pod": pod.Strategy, "PodTemplate": podtemplate.Strategy, "ReplicationController": replicationcontroller.Strategy,
		"ResourceQuota": resourcequota.Strategy, "Secret": secret.Strategy, "Service": service.Strategy,
		"ServiceAccount": serviceaccount.Strategy,
	},
	"admissionregistration.k8s.io": {
		"MutatingAdmissionPolicy":          mutatingadmissionpolicy.NewStrategy(anybody{}, noResource),
		"MutatingAdmissionPolicyBinding":   mutatingadmissionpolicybinding.NewStrategy(anybody{}, noPolicies{}, noResource),
		"MutatingWebhookConfiguration":     mutatingwebhookconfiguration.Strategy,
		"ValidatingAdmissionPolicy":        validatingadmissionpolicy.NewStrategy(anybody{}, noResource),
		"ValidatingAdmissionPolicyBinding": validatingadmissionpolicybinding.NewStrategy(anybody{}, noPolicies{}, noResource),
		"ValidatingWebhookConfiguration":   validatingwebhookconfiguration.Strategy,
	},
	"apps": {
		"ControllerRevision": controllerrevision.Strategy, "DaemonSet": daemonset.Strategy, "Deployment": deployment.Strategy,
		"ReplicaSet": replicaset.Strategy, "StatefulSet": statefulset.Strategy,
	},
	"autoscaling": {"HorizontalPodAutoscaler": horizontalpodautoscaler.Strategy},
	"batch":       {"CronJob": cronjob.Strategy, "Job": job.Strategy},
	"certificates.k8s.io": {
		"CertificateSigningRequest": certificates.Strategy, "ClusterTrustBundle": clustertrustbundle.Strategy,
		"PodCertificateRequest": podcertificaterequest.NewStrategy(),
	},
	"coordination.k8s.io": {"Lease": lease.Strategy, "LeaseCandidate": leasecandidate.Strategy},
	"discovery.k8s.io":    {"EndpointSlice": endpointslice.Strategy},
	"events.k8s.io":       {"Event": event.Strategy},
	"flowcontrol.apiserver.k8s.io": {
		"FlowSchema": flowschema.Strategy, "PriorityLevelConfiguration": prioritylevelconfiguration.Strategy,
	},
	"networking.k8s.io": {
		"Ingress": ingress.Strategy, "IngressClass": ingressclass.Strategy, "IPAddress": ipaddress.Strategy,
		"NetworkPolicy": networkpolicy.Strategy, "ServiceCIDR": servicecidr.Strategy,
	},
	"node.k8s.io": {"RuntimeClass": runtimeclass.Strategy},
	"policy":      {"PodDisruptionBudget": poddisruptionbudget.Strategy},
	"rbac.authorization.k8s.io": {
		"ClusterRole": clusterrole.Strategy, "ClusterRoleBinding": clusterrolebinding.Strategy, "Role": role.Strategy,
		"RoleBinding": rolebinding.Strategy,
	},
	"resource.k8s.io": {
		"DeviceClass": deviceclass.Strategy, "DeviceTaintRule": devicetaintrule.Strategy,
		"ResourcePoolStatusRequest": resourcepoolstatusrequest.Strategy,
		"ResourceClaim":             resourceclaim.NewStrategy(adminNamespaces{}, anybody{}),
		"ResourceClaimTemplate":     resourceclaimtemplate.NewStrategy(adminNamespaces{}), "ResourceSlice": resourceslice.Strategy,
	},
	"scheduling.k8s.io": {
		"PodGroup": podgroup.NewStrategy(), "PriorityClass": priorityclass.Strategy, "Workload": workload.Strategy,
	},
	"storage.k8s.io": {
		"CSIDriver": csidriver.Strategy, "CSINode": csinode.Strategy, "CSIStorageCapacity": csistoragecapacity.Strategy,
		"StorageClass": storageclass.Strategy, "VolumeAttachment": volumeattachment.Strategy,
		"VolumeAttributesClass": volumeattributesclass.Strategy,
	},
	"storagemigration.k8s.io": {"StorageVersionMigration": storagemigration.Strategy},
})

func byGroup(groups map[string]map[string]strategy) map[schema.GroupKind]strategy {
	all := map[schema.GroupKind]strategy{}
	for group, kinds := range groups {
		for kind, found := range kinds {
			all[schema.GroupKind{Group: group, Kind: kind}] = found
		}
	}
	return all
}

// anybody may do everything: who applies the objects is not judged here.
type anybody struct{}

func (anybody) Authorize(context.Context, authorizer.Attributes) (authorizer.Decision, string, error) {
	return authorizer.DecisionAllow, "", nil
}

// adminNamespaces all let their objects use devices as administrators do: their labels are a cluster's state.
type adminNamespaces struct {
	clientcorev1.NamespaceInterface
}

func (adminNamespaces) Get(_ context.Context, name string, _ metav1.GetOptions) (*corev1.Namespace, error) {
	labels := map[string]string{resourcev1.DRAAdminNamespaceLabelKey: "true"}
	return &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: name, Labels: labels}}, nil
}

// noResource resolves nothing: only authorization would need it.
var noResource = resolver.ResourceResolverFunc(func(schema.GroupVersionKind) (schema.GroupVersionResource, error) {
	return schema.GroupVersionResource{}, nil
})

// noPolicies knows no policy that is in the cluster already: only authorization would need it.
type noPolicies struct{}

func (noPolicies) GetMutatingAdmissionPolicy(context.Context, string) (*admissionregistration.MutatingAdmissionPolicy, error) {
	return &admissionregistration.MutatingAdmissionPolicy{}, nil
}

func (noPolicies) GetValidatingAdmissionPolicy(context.Context, string) (*admissionregistration.ValidatingAdmissionPolicy, error) {
	return &admissionregistration.ValidatingAdmissionPolicy{}, nil
}
