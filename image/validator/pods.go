package main

import (
	"fmt"

	"k8s.io/apimachinery/pkg/util/intstr"
	"k8s.io/kubernetes/pkg/apis/core"
)

// A lookup finds what an object names, and says what nothing defines.
type lookup struct {
	all       *neighbourhood
	namespace string
	elsewhere string // what to call a namespace that is not the object's own
	found     []finding
}

// ofPods looks up all that pods cannot start without. They start without the Secrets that images are pulled with, which are
// mostly made by hand.
func (all *neighbourhood) ofPods(from *podMaker) []finding {
	look := &lookup{all: all, namespace: from.namespace}
	look.name("ServiceAccount", from.spec.ServiceAccountName, from.path+".serviceAccountName", nil)
	for number, volume := range from.spec.Volumes {
		look.volume(volume, fmt.Sprintf("%s.volumes[%d]", from.path, number))
	}
	look.containers(from.spec.InitContainers, from.path+".initContainers")
	look.containers(from.spec.Containers, from.path+".containers")
	return look.found
}

func (l *lookup) name(kind, name, path string, optional *bool) {
	isOptional := optional != nil && *optional
	if name == "" || isOptional || l.all.isToldTo(kind, l.namespace, name) || isMadeElsewhere(kind, name) || l.all.has(kind, l.namespace, name) ||
		kind == claimKind && l.all.hasClaimOfPod(l.namespace, name) {
		return
	}
	l.found = append(l.found, undefined(kind, name, orElse(l.elsewhere, "this namespace"), path))
}

func undefined(kind, name, where, path string) finding {
	return finding{Rule: ruleUndefined, Field: path, Message: fmt.Sprintf("nothing defines the %s %s in %s", kind, name, where)}
}

// reference looks up an entry of a ConfigMap or Secret, and that itself.
func (l *lookup) reference(kind, name, key, path string, optional *bool) {
	l.name(kind, name, path+".name", optional)
	l.key(kind, name, key, path+".key", optional)
}

// files looks up a ConfigMap or Secret of which a volume makes files, and the entries that it names. The field is that of
// the name below the path.
func (l *lookup) files(kind, name string, items []core.KeyToPath, path, field string, optional *bool) {
	l.name(kind, name, path+"."+field, optional)
	for number, item := range items {
		l.key(kind, name, item.Key, fmt.Sprintf("%s.items[%d].key", path, number), optional)
	}
}

// key looks up an entry of a ConfigMap or Secret that is there.
func (l *lookup) key(kind, name, key, path string, optional *bool) {
	defined := l.all.names[[3]string{kind, l.namespace, name}]
	if defined == nil || optional != nil && *optional || defined.isEncrypted || defined.hasEntry(key) {
		return
	}
	l.found = append(l.found, finding{
		Rule: ruleUndefined, Field: path, Message: fmt.Sprintf("the %s %s has no key %s", kind, name, key),
	})
}

// hasEntry says whether a ConfigMap or Secret has an entry; somebody else fills in what is empty.
func (one *judged) hasEntry(key string) bool {
	switch object := one.built.(type) {
	case *core.ConfigMap:
		_, inData := object.Data[key]
		_, inBinary := object.BinaryData[key]
		return inData || inBinary || len(object.Data)+len(object.BinaryData) == 0
	case *core.Secret:
		_, inData := object.Data[key]
		return inData || len(object.Data) == 0
	}
	return true
}

func (l *lookup) volume(volume core.Volume, path string) {
	if source := volume.ConfigMap; source != nil {
		l.files("ConfigMap", source.Name, source.Items, path+".configMap", "name", source.Optional)
	}
	if source := volume.Secret; source != nil {
		l.files("Secret", source.SecretName, source.Items, path+".secret", "secretName", source.Optional)
	}
	if source := volume.PersistentVolumeClaim; source != nil {
		l.name(claimKind, source.ClaimName, path+".persistentVolumeClaim.claimName", nil)
	}
	if source := volume.CSI; source != nil && source.NodePublishSecretRef != nil {
		l.name("Secret", source.NodePublishSecretRef.Name, path+".csi.nodePublishSecretRef.name", nil)
	}
	if volume.Projected == nil {
		return
	}
	for number, source := range volume.Projected.Sources {
		at := fmt.Sprintf("%s.projected.sources[%d]", path, number)
		if source := source.ConfigMap; source != nil {
			l.files("ConfigMap", source.Name, source.Items, at+".configMap", "name", source.Optional)
		}
		if source := source.Secret; source != nil {
			l.files("Secret", source.Name, source.Items, at+".secret", "name", source.Optional)
		}
	}
}

func (l *lookup) containers(containers []core.Container, field string) {
	for number, container := range containers {
		path := fmt.Sprintf("%s[%d]", field, number)
		l.environment(container, path)
		l.probe(container, container.LivenessProbe, path+".livenessProbe")
		l.probe(container, container.ReadinessProbe, path+".readinessProbe")
		l.probe(container, container.StartupProbe, path+".startupProbe")
		if lifecycle := container.Lifecycle; lifecycle != nil {
			l.handler(container, lifecycle.PostStart, path+".lifecycle.postStart")
			l.handler(container, lifecycle.PreStop, path+".lifecycle.preStop")
		}
	}
}

func (l *lookup) environment(container core.Container, path string) {
	for number, variable := range container.Env {
		at := fmt.Sprintf("%s.env[%d].valueFrom", path, number)
		if variable.ValueFrom == nil {
			continue
		}
		if source := variable.ValueFrom.ConfigMapKeyRef; source != nil {
			l.reference("ConfigMap", source.Name, source.Key, at+".configMapKeyRef", source.Optional)
		}
		if source := variable.ValueFrom.SecretKeyRef; source != nil {
			l.reference("Secret", source.Name, source.Key, at+".secretKeyRef", source.Optional)
		}
	}
	for number, from := range container.EnvFrom {
		at := fmt.Sprintf("%s.envFrom[%d]", path, number)
		if from.ConfigMapRef != nil {
			l.name("ConfigMap", from.ConfigMapRef.Name, at+".configMapRef.name", from.ConfigMapRef.Optional)
		}
		if from.SecretRef != nil {
			l.name("Secret", from.SecretRef.Name, at+".secretRef.name", from.SecretRef.Optional)
		}
	}
}

// probe looks up the port that a probe names, which must be one of its own container's.
func (l *lookup) probe(container core.Container, probe *core.Probe, path string) {
	if probe == nil {
		return
	}
	l.handler(container, &core.LifecycleHandler{HTTPGet: probe.HTTPGet, TCPSocket: probe.TCPSocket}, path)
}

func (l *lookup) handler(container core.Container, handler *core.LifecycleHandler, path string) {
	if handler == nil {
		return
	}
	if handler.HTTPGet != nil {
		l.port(container, handler.HTTPGet.Port, path+".httpGet.port")
	}
	if handler.TCPSocket != nil {
		l.port(container, handler.TCPSocket.Port, path+".tcpSocket.port")
	}
}

func (l *lookup) port(container core.Container, port intstr.IntOrString, path string) {
	if port.Type == intstr.String && !hasPort(container.Ports, port.StrVal, "") {
		l.found = append(l.found, finding{
			Rule: ruleUndefined, Field: path, Message: fmt.Sprintf("the container %s has no port %s", container.Name, port.StrVal),
		})
	}
}
