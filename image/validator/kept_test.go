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
	request.Objects = objectsOf(t, with(""))
	expectTold(t, request, nil, "immutable spec")
}

// Each is a text, what takes its place, and what is found; the API server says the same (tests/verdicts).
func TestFieldThatAnotherFollowsStaysWhenOneIsLeftOut(t *testing.T) {
	const service = "apiVersion: v1\nkind: Service\nmetadata: {name: a, namespace: shop}\nspec: {ports: [{port: 80}]%s}\n"
	const claim = "apiVersion: v1\nkind: PersistentVolumeClaim\nmetadata: {name: a, namespace: shop}\n" +
		"spec: {accessModes: [ReadWriteOnce], resources: {requests: {storage: 1Gi}}%s}\n"
	const source = ", dataSource: {kind: VolumeSnapshot, apiGroup: snapshot.storage.k8s.io, name: a}"
	const secret = "apiVersion: v1\nkind: Secret\nmetadata: {name: a, namespace: shop}\nimmutable: true\n%s"
	const pod = "apiVersion: v1\nkind: Pod\nmetadata: {name: a, namespace: shop}\nspec: {containers: [{name: c, image: i}]%s}\n"
	for name, given := range map[string]struct{ text, old, new, finding string }{
		"family of addresses":   {service, ", ipFamilies: [IPv4]", "", ""},
		"families of addresses": {service, ", ipFamilies: [IPv4], ipFamilyPolicy: SingleStack", "", ""},
		"other family":          {service, ", ipFamilies: [IPv4]", ", ipFamilies: [IPv6]", "immutable spec.ipFamilies[0]"},
		"source of a claim":     {claim, source, "", ""},
		"reference of a claim":  {claim, strings.Replace(source, "dataSource", "dataSourceRef", 1), "", ""},
		"both of a claim":       {claim, source + strings.Replace(source, "dataSource", "dataSourceRef", 1), "", "immutable spec"},
		"other source":          {claim, source, strings.Replace(source, "name: a", "name: b", 1), "immutable spec, immutable spec"},
		"entry as text":         {secret, "stringData: {a: b, c: d}", "stringData: {a: b}", ""},
		"entry as bytes":        {secret, "data: {a: Yg==, c: Yg==}", "data: {a: Yg==}", "immutable data"},
		"other entry":           {secret, "stringData: {a: b}", "stringData: {a: c}", "immutable data"},
		"account of a pod":      {pod, ", serviceAccountName: default", "", ""},
	} {
		t.Run(name, func(t *testing.T) {
			with := func(more string) []json.RawMessage { return objectsOf(t, strings.Replace(given.text, "%s", more, 1)) }
			request := &judgeRequest{Objects: with(given.new), Current: with(given.old)}
			if found := strings.Join(told(t, request, nil), ", "); found != given.finding {
				t.Errorf("found %q, expected %q", found, given.finding)
			}
		})
	}
}

func TestSelectorThatJobChoseItselfGoesWithIt(t *testing.T) {
	job := "apiVersion: batch/v1\nkind: Job\nmetadata: {name: j, namespace: shop}\n" +
		"spec: {%s template: {metadata: {labels: {a: b}}, spec: {restartPolicy: Never, containers: [{name: c, image: i}]}}}\n"
	with := func(more string) []json.RawMessage { return objectsOf(t, strings.Replace(job, "%s", more, 1)) }
	own := with("manualSelector: true, selector: {matchLabels: {a: b}},")
	request := &judgeRequest{Objects: with(""), Current: own}
	found := told(t, request, nil)
	if len(found) == 0 || !strings.HasPrefix(found[0], "immutable spec.selector") {
		t.Errorf("found %q", found)
	}
	expectTold(t, &judgeRequest{Objects: own, Current: own}, nil)
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
