package main

import (
	"encoding/json"
	"strings"
	"testing"
)

// What the server filled in stays until somebody says otherwise, and may not go with what is new.
func TestUpdateKeepsWhatTheServerFilledIn(t *testing.T) {
	for name, change := range map[string]struct{ old, new, finding string }{
		"recreate":       {"replicas: 2", "replicas: 2\n  strategy: {type: Recreate}", "immutable spec.strategy.rollingUpdate"},
		"never by null":  {"replicas: 2", "replicas: 2\n  strategy: {type: Recreate, rollingUpdate: null}", "immutable spec.strategy.rollingUpdate"},
		"other strategy": {"replicas: 2", "replicas: 2\n  strategy: {rollingUpdate: {maxSurge: 1}}", ""},
		"other image":    {"web:1", "web:2", ""},
	} {
		t.Run(name, func(t *testing.T) {
			text := strings.Replace(deploymentYAML, change.old, change.new, 1)
			request := &judgeRequest{Objects: objectsOf(t, text), Current: objectsOf(t, deploymentYAML)}
			if found := strings.Join(told(t, request, nil), ", "); found != change.finding {
				t.Errorf("found %q, expected %q", found, change.finding)
			}
		})
	}
}

// What the old text said goes with it, and with all that the server filled in below.
func TestUpdateLosesWhatTheOldTextSaid(t *testing.T) {
	rolling := strings.Replace(deploymentYAML, "replicas: 2", "strategy: {type: RollingUpdate, rollingUpdate: {maxSurge: 1}}", 1)
	recreate := strings.Replace(deploymentYAML, "replicas: 2", "strategy: {type: Recreate}", 1)
	expectTold(t, &judgeRequest{Objects: objectsOf(t, recreate), Current: objectsOf(t, rolling)}, nil)
	expectTold(t, &judgeRequest{Objects: objectsOf(t, rolling), Current: objectsOf(t, recreate)}, nil)
}

func TestJobMayNameHowManyPodsRunAtOnce(t *testing.T) {
	job := "apiVersion: batch/v1\nkind: Job\nmetadata: {name: j, namespace: shop}\n" +
		"spec: {template: {spec: {restartPolicy: Never, containers: [{name: c, image: \"c:1\"}]}}}\n"
	parallel := strings.Replace(job, "spec: {template", "spec: {parallelism: 2, template", 1)
	expectTold(t, &judgeRequest{Objects: objectsOf(t, parallel), Current: objectsOf(t, job)}, nil)
}

func TestVolumeThatTheServerMadeEmptyStays(t *testing.T) {
	with := func(volume string) string {
		return strings.Replace(deploymentYAML, "      containers:", "      volumes: [{name: v"+volume+"}]\n      containers:", 1)
	}
	request := &judgeRequest{Objects: objectsOf(t, with(", hostPath: {path: /a}")), Current: objectsOf(t, with(""))}
	expectTold(t, request, nil, "immutable spec.template.spec.volumes[0].hostPath")
	request.Current = objectsOf(t, with(", emptyDir: {}"))
	expectTold(t, request, nil)
}

func TestPodMayRunAnotherImage(t *testing.T) {
	pod := "apiVersion: v1\nkind: Pod\nmetadata: {name: p, namespace: shop}\nspec: {containers: [{name: c, image: a}]}\n"
	request := &judgeRequest{Objects: objectsOf(t, strings.Replace(pod, "image: a", "image: 'a:1'", 1)), Current: objectsOf(t, pod)}
	expectTold(t, request, nil)
}

func TestClaimMayNameTheVolumeThatItGot(t *testing.T) {
	claim := "apiVersion: v1\nkind: PersistentVolumeClaim\nmetadata: {name: c, namespace: shop}\n" +
		"spec: {%s accessModes: [ReadWriteOnce], resources: {requests: {storage: 1Gi}}}\n"
	with := func(volume string) string { return strings.Replace(claim, "%s", volume, 1) }
	request := &judgeRequest{Objects: objectsOf(t, with("volumeName: a,")), Current: objectsOf(t, with(""))}
	expectTold(t, request, nil)
	request.Current = objectsOf(t, with("volumeName: b,"))
	expectTold(t, request, nil, "immutable spec")
}

func TestDefinitionKeepsWhatObjectsMayBeOf(t *testing.T) {
	added := strings.Replace(widgets, "  - name: v1\n    served: true\n    storage: true",
		"  - {name: v2, served: true, storage: true, schema: {openAPIV3Schema: {type: object}}}\n  - name: v1\n    served: true\n    storage: false", 1)
	request := &judgeRequest{Objects: objectsOf(t, added), Current: objectsOf(t, widgets)}
	expectTold(t, request, nil)
	request.Objects = objectsOf(t, strings.Replace(widgets, "name: v1", "name: v2", 1))
	expectTold(t, request, nil, "immutable status.storedVersions[0]")
	request.Objects = objectsOf(t, strings.Replace(widgets, "{kind: Widget, ", "{kind: Gadget, ", 1))
	expectTold(t, request, nil, "immutable spec.names.kind")
}

// The server keeps the bytes of what has no type.
func TestSpellingOfWhatHasNoTypeChangesNothing(t *testing.T) {
	revision := "{\"apiVersion\": \"apps/v1\", \"kind\": \"ControllerRevision\", \"metadata\": {\"name\": \"r\", \"namespace\": \"shop\"}, " +
		"\"revision\": REVISION, \"data\": {\"b\": 1, \"a\": 2}}"
	with := func(number string) []json.RawMessage {
		return []json.RawMessage{json.RawMessage(strings.Replace(revision, "REVISION", number, 1))}
	}
	expectTold(t, &judgeRequest{Objects: with("2"), Current: with("1")}, nil)
}
