package main

import (
	"fmt"
	"maps"
	"strings"
	"testing"
)

func TestBombsEndWithinTheBudget(t *testing.T) {
	bomb := "a: &a [x,x,x,x,x,x,x,x,x]\n"
	for at := range 8 {
		bomb += fmt.Sprintf("%c: &%c [%s]\n", 'b'+at, 'b'+at, strings.TrimSuffix(strings.Repeat(fmt.Sprintf("*%c,", 'a'+at), 9), ","))
	}
	object := plainConfigMap + "x:\n  " + strings.ReplaceAll(strings.TrimSpace(bomb), "\n", "\n  ") + "\n"
	twice := map[string]string{}
	for at := range 40 {
		twice[fmt.Sprintf("d%d/kustomization.yaml", at)] = fmt.Sprintf("resources: [a, b]\nnamePrefix: d%d-\n", at)
		for _, half := range []string{"a", "b"} {
			twice[fmt.Sprintf("d%d/%s/kustomization.yaml", at, half)] = fmt.Sprintf("resources: [../../d%d]\nnamePrefix: %s-\n", at+1, half)
		}
	}
	twice["d40/kustomization.yaml"], twice["d40/x.yaml"] = "resources: [x.yaml]", plainConfigMap
	for name, files := range map[string]tree{
		"in a kustomization": rootTree(bomb, nil),
		"in a resource":      rootTree("resources: [y.yaml]", map[string]string{"root/y.yaml": object}),
		"in a patch":         rootTree("resources: [x.yaml]\npatches: [{path: y.yaml}]", map[string]string{"root/y.yaml": object}),
		"in an inline patch": rootTree("resources: [x.yaml]\npatches:\n- patch: |\n    "+strings.ReplaceAll(object, "\n", "\n    "), nil),
		"in an old patch":    rootTree("resources: [x.yaml]\npatchesStrategicMerge:\n- |\n    "+strings.ReplaceAll(object, "\n", "\n    "), nil),
		"in a transformer":   rootTree("resources: [x.yaml]\ntransformers:\n- |\n    "+strings.ReplaceAll(object, "\n", "\n    "), nil),
		"in a configuration": rootTree("resources: [x.yaml]\nconfigurations: [y.yaml]", map[string]string{"root/y.yaml": object}),
		"in a schema":        rootTree("resources: [x.yaml]\nopenapi: {path: y.yaml}", map[string]string{"root/y.yaml": object}),
		"in a CRD":           rootTree("resources: [x.yaml]\ncrds: [y.yaml]", map[string]string{"root/y.yaml": object}),
		"in a replacement":   rootTree("resources: [x.yaml]\nreplacements: [{path: y.yaml}]", map[string]string{"root/y.yaml": object}),
		"of kustomizations":  rootTree("resources: [../d0]", twice),
	} {
		t.Run(name, func(t *testing.T) {
			_, failed := buildWithin(t, newState(), files, &kustomizeRequest{Root: "root"}, limits{BytesIn: 1 << 20, Nodes: 100_000, Objects: 100, BytesOut: 1 << 20})
			if failed == nil || failed.Kind != overBudget || failed.File == "" {
				t.Errorf("%+v", failed)
			}
		})
	}
}

// The same verdict, whether a file was checked before in this process or not.
func TestBudgetDoesNotDependOnWhatWasBuiltBefore(t *testing.T) {
	files := rootTree("resources: [x.yaml]\npatches: [{patch: '[{op: add, path: /data/c, value: d}]', target: {kind: ConfigMap}}]", nil)
	shared := newState()
	for _, budget := range []limits{{Nodes: 40}, {Nodes: 60}, {BytesIn: 200}, {BytesIn: 400}} {
		for range 2 {
			_, alone := buildWithin(t, newState(), maps.Clone(files), &kustomizeRequest{Root: "root"}, budget)
			_, again := buildWithin(t, shared, files, &kustomizeRequest{Root: "root"}, budget)
			if (alone == nil) != (again == nil) {
				t.Errorf("%+v: alone %v, again %v", budget, alone, again)
			}
		}
	}
}

// Kustomize keeps a schema in a variable of the process.
func TestSchemaOfOneBuildDoesNotReachTheNext(t *testing.T) {
	merged := `{"definitions": {"v1.Widget": {"type": "object",
		"x-kubernetes-group-version-kind": [{"group": "example.com", "kind": "Widget", "version": "v1"}],
		"properties": {"list": {"type": "array", "items": {"type": "object"}, "x-kubernetes-patch-merge-key": "name", "x-kubernetes-patch-strategy": "merge"}}}}}`
	widget := "apiVersion: example.com/v1\nkind: Widget\nmetadata: {name: w}\nlist: [{name: a, x: 1}, {name: b}]\n"
	patch := "patches: [{patch: '{apiVersion: example.com/v1, kind: Widget, metadata: {name: w}, list: [{name: a, y: 2}]}'}]\n"
	plain := rootTree("resources: [w.yaml]\n"+patch, map[string]string{"root/w.yaml": widget})
	custom := rootTree("resources: [../base]", map[string]string{
		"base/kustomization.yaml": "openapi: {path: s.json}\nresources: [w.yaml]\n" + patch, "base/s.json": merged, "base/w.yaml": widget,
	})
	before, failed := buildRoot(t, plain)
	if failed != nil || strings.Contains(before[0], `"b"`) {
		t.Fatalf("%s, %+v", before, failed)
	}
	if between, failed := buildRoot(t, custom); failed != nil || !strings.Contains(between[0], `"b"`) {
		t.Fatalf("%s, %+v", between, failed)
	}
	if after, failed := buildRoot(t, plain); failed != nil || after[0] != before[0] {
		t.Errorf("%s, %+v", after, failed)
	}
	if _, failed := buildRoot(t, rootTree("openapi: {path: s.json}\nresources: [x.yaml, ../b]", map[string]string{
		"root/s.json": "nonsense", "b/kustomization.yaml": "resources: [w.yaml]\n" + patch, "b/w.yaml": widget,
	})); failed == nil || failed.Kind != notRendered || !strings.Contains(failed.Message, "invalid schema") {
		t.Errorf("a schema that is none: %+v", failed)
	}
	if after, failed := buildRoot(t, plain); failed != nil || after[0] != before[0] {
		t.Errorf("after a panic: %s, %+v", after, failed)
	}
}
