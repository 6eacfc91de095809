package main

import (
	"fmt"

	"k8s.io/apimachinery/pkg/util/intstr"
	"k8s.io/kubernetes/pkg/apis/core"
)

// A lookup finds what the pods of a workload name, and says what nothing defines.
type lookup struct {
	all   *neighbourhood
	from  *podMaker
	found []finding
}

// ofPods looks up all that pods cannot start without.
func (all *neighbourhood) ofPods(from *podMaker) []finding {
	look := &lookup{all: all, from: from}
	look.name("ServiceAccount", from.spec.ServiceAccountName, from.path+".serviceAccountName", nil)
	for number, volume := range from.spec.Volumes {
		look.volume(volume, fmt.Sprintf("%s.volumes[%d]", from.path, number))
	}
	look.containers(from.spec.InitContainers, "initContainers")
	look.containers(from.spec.Containers, "containers")
	return look.found
}

func (l *lookup) name(kind, name, path string, optional *bool) {
	isOptional := optional != nil && *optional
	if name == "" || isOptional || isMadeElsewhere(kind, name) || l.all.has(kind, l.from.namespace, name) {
		return
	}
	l.found = append(l.found, finding{
		Rule: ruleUndefined, Field: path, Message: fmt.Sprintf("nothing defines the %s %s in this namespace", kind, name),
	})
}

// key looks up an entry of a ConfigMap or Secret.
func (l *lookup) key(kind, name, key, path string, optional *bool) {
	before := len(l.found)
	l.name(kind, name, path+".name", optional)
	defined := l.all.names[[3]string{kind, l.from.namespace, name}]
	if len(l.found) > before || defined == nil || optional != nil && *optional || defined.isEncrypted {
		return
	}
	has := false
	switch object := defined.built.(type) {
	case *core.ConfigMap:
		_, inData := object.Data[key]
		_, inBinary := object.BinaryData[key]
		has = inData || inBinary
	case *core.Secret:
		_, inData := object.Data[key]
		_, written := defined.fields["stringData"].(map[string]any)
		has = inData || written || len(object.Data) == 0 // somebody else fills in what is empty
	default:
		has = true
	}
	if !has {
		l.found = append(l.found, finding{
			Rule: ruleUndefined, Field: path + ".key", Message: fmt.Sprintf("the %s %s has no key %s", kind, name, key),
		})
	}
}

func (l *lookup) volume(volume core.Volume, path string) {
	if source := volume.ConfigMap; source != nil {
		l.name("ConfigMap", source.Name, path+".configMap.name", source.Optional)
	}
	if source := volume.Secret; source != nil {
		l.name("Secret", source.SecretName, path+".secret.secretName", source.Optional)
	}
	if source := volume.PersistentVolumeClaim; source != nil {
		l.name("PersistentVolumeClaim", source.ClaimName, path+".persistentVolumeClaim.claimName", nil)
	}
	if volume.Projected == nil {
		return
	}
	for number, source := range volume.Projected.Sources {
		at := fmt.Sprintf("%s.projected.sources[%d]", path, number)
		if source.ConfigMap != nil {
			l.name("ConfigMap", source.ConfigMap.Name, at+".configMap.name", source.ConfigMap.Optional)
		}
		if source.Secret != nil {
			l.name("Secret", source.Secret.Name, at+".secret.name", source.Secret.Optional)
		}
	}
}

func (l *lookup) containers(containers []core.Container, field string) {
	for number, container := range containers {
		path := fmt.Sprintf("%s.%s[%d]", l.from.path, field, number)
		l.environment(container, path)
		l.probe(container, container.LivenessProbe, path+".livenessProbe")
		l.probe(container, container.ReadinessProbe, path+".readinessProbe")
		l.probe(container, container.StartupProbe, path+".startupProbe")
	}
}

func (l *lookup) environment(container core.Container, path string) {
	for number, variable := range container.Env {
		at := fmt.Sprintf("%s.env[%d].valueFrom", path, number)
		if variable.ValueFrom == nil {
			continue
		}
		if source := variable.ValueFrom.ConfigMapKeyRef; source != nil {
			l.key("ConfigMap", source.Name, source.Key, at+".configMapKeyRef", source.Optional)
		}
		if source := variable.ValueFrom.SecretKeyRef; source != nil {
			l.key("Secret", source.Name, source.Key, at+".secretKeyRef", source.Optional)
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
	if probe.HTTPGet != nil {
		l.port(container, probe.HTTPGet.Port, path+".httpGet.port")
	}
	if probe.TCPSocket != nil {
		l.port(container, probe.TCPSocket.Port, path+".tcpSocket.port")
	}
}

func (l *lookup) port(container core.Container, port intstr.IntOrString, path string) {
	if port.Type == intstr.String && !hasPort(container.Ports, port.StrVal) {
		l.found = append(l.found, finding{
			Rule: ruleUndefined, Field: path, Message: fmt.Sprintf("the container %s has no port %s", container.Name, port.StrVal),
		})
	}
}
