package main

import (
	"encoding/json"
	"reflect"
	"slices"
	"strings"
	"testing"
)

type kustomizationAnswer struct {
	Data    map[string]any
	Entries []struct{ Field, Path string }
	Remote  []struct {
		Entry, Address, Path, Commit, Problem, Hint string
	}
	Problems []failure
}

func askKustomization(t *testing.T, request kustomizationRequest) (kustomizationAnswer, error) {
	t.Helper()
	out := &result{budget: newBudget(limits{Nodes: 10_000})}
	if err := readKustomization(&request, out); err != nil {
		return kustomizationAnswer{}, err
	}
	var read kustomizationAnswer
	if err := json.Unmarshal(out.value, &read); err != nil {
		t.Fatal(err)
	}
	return read, nil
}

func TestKustomizationNamesWhatItReads(t *testing.T) {
	text := strings.ReplaceAll(`
resources: [../base, web.yaml, "https://git.example.com/acme/platform//web?ref=COMMIT", "https://git.example.com/a/b//c?ref=v1"]
bases: [old]
components: [../component]
crds: [crd.json]
configurations: [refs.yaml]
openapi: {path: schema.json}
generators: [g.yaml, "{apiVersion: builtin, kind: ConfigMapGenerator, metadata: {name: g}, files: [k=inline.txt]}"]
transformers:
  - |
    apiVersion: builtin
    kind: PatchTransformer
    metadata: {name: p}
    path: patched.yaml
validators: [v.yaml]
patchesStrategicMerge:
  - s.yaml
  - |
    kind: Deployment
    metadata: {name: web}
patchesJson6902: [{path: j.json, target: {kind: Service, name: web}}]
patches: [{path: p.yaml}, {patch: "[]", target: {kind: Service}}]
replacements: [{path: r.yaml}]
configMapGenerator: [{name: c, files: [a.txt, b=c.txt], envs: [d.env], env: e.env}]
secretGenerator: [{name: s, files: [f.txt]}]
helmCharts: [{name: redis, releaseName: cache, valuesFile: values.yaml, additionalValuesFiles: [more.yaml]}]
`, "COMMIT", pinned)
	read, err := askKustomization(t, kustomizationRequest{File: "kustomization.yaml", Text: text})
	if err != nil {
		t.Fatal(err)
	}
	var found []string
	for _, each := range read.Entries {
		found = append(found, each.Field+" "+each.Path)
	}
	expected := []string{
		"resources ../base", "resources web.yaml", "resources https://git.example.com/acme/platform//web?ref=" + pinned,
		"resources https://git.example.com/a/b//c?ref=v1", "bases old", "configurations refs.yaml", "crds crd.json",
		"openapi schema.json", "configMapGenerator a.txt", "configMapGenerator c.txt", "configMapGenerator d.env",
		"configMapGenerator e.env", "secretGenerator f.txt", "generators g.yaml", "generators inline.txt",
		"components ../component", "patchesStrategicMerge s.yaml", "patches p.yaml", "patchesJson6902 j.json",
		"replacements r.yaml", "transformers patched.yaml", "validators v.yaml", "helmCharts charts/redis",
		"helmCharts values.yaml", "helmCharts more.yaml",
	}
	if !slices.Equal(found, expected) {
		t.Errorf("found %q, expected %q", found, expected)
	}
	if len(read.Problems) > 0 || len(read.Remote) != 2 {
		t.Fatalf("%+v", read)
	}
	if read.Remote[0].Commit != pinned || read.Remote[0].Address != "https://git.example.com/acme/platform" || read.Remote[0].Path != "web" {
		t.Errorf("%+v", read.Remote[0])
	}
	if !strings.Contains(read.Remote[1].Problem, "may move") || read.Remote[1].Hint == "" {
		t.Errorf("%+v", read.Remote[1])
	}
}

func TestPluginsNameWhatTheyRead(t *testing.T) {
	read, err := askKustomization(t, kustomizationRequest{Plugin: true, Text: `
apiVersion: builtin
kind: PatchStrategicMergeTransformer
metadata: {name: p}
paths: [a.yaml]
---
apiVersion: builtin
kind: ReplacementTransformer
metadata: {name: r}
replacements: [{path: b.yaml}]
`})
	if err != nil || len(read.Problems) > 0 || len(read.Entries) != 2 || read.Entries[0].Path != "a.yaml" || read.Entries[1].Path != "b.yaml" {
		t.Errorf("%+v, %v", read, err)
	}
}

func TestProblemsAreToldBesideWhatIsNamed(t *testing.T) {
	read, err := askKustomization(t, kustomizationRequest{File: "k.yaml", Text: "resources: [a.yaml]\nnameprefix: x\n"})
	if err != nil {
		t.Fatal(err)
	}
	expected := failure{Kind: notConfig, Message: "unknown field 'nameprefix'", File: "k.yaml", Line: 2, Hint: "write 'namePrefix'"}
	if len(read.Problems) != 1 || !reflect.DeepEqual(read.Problems[0], expected) || len(read.Entries) != 1 {
		t.Errorf("%+v", read)
	}
}

func TestWhatIsNoKustomizationIsAnError(t *testing.T) {
	for text, expected := range map[string]string{
		"":                               "expected one kustomization",
		"[]":                             "expected one kustomization",
		"a: b\n---\nc: d\n":              "expected one kustomization",
		"resources: [a]\n...\nx: y":      "not YAML",
		"resources: {a: b}":              "resources: expected a list, found a JSON object",
		"resources: [[a]]":               "resources: expected a string",
		"resources: [a]\nresources: [b]": "the key 'resources' is set twice",
		"a: &a [x, x, x, x, x, x, x, x, x, x]\nb: &b [*a, *a, *a, *a, *a, *a, *a, *a, *a, *a]\nc: &c [*b, *b, *b, *b, *b, *b, *b, *b, *b, *b]\nd: [*c, *c, *c, *c, *c, *c, *c, *c, *c, *c]": "nodes of YAML",
	} {
		_, err := askKustomization(t, kustomizationRequest{Text: text})
		if err == nil || !strings.Contains(err.Error(), expected) {
			t.Errorf("%q: %v", text, err)
		}
	}
}

// Whatever fields Kustomize has, each is known in its one spelling.
func TestAllFieldsOfKustomizeAreKnown(t *testing.T) {
	for _, field := range []string{
		"apiVersion", "kind", "metadata", "resources", "bases", "components", "crds", "configurations", "openapi", "namePrefix",
		"nameSuffix", "namespace", "commonLabels", "labels", "commonAnnotations", "patchesStrategicMerge", "patchesJson6902",
		"patches", "images", "imageTags", "replacements", "replicas", "vars", "sortOptions", "configMapGenerator",
		"secretGenerator", "helmGlobals", "helmCharts", "helmChartInflationGenerator", "generatorOptions", "generators",
		"transformers", "validators", "buildMetadata",
	} {
		if _, ok := kustomizationFields[field]; !ok {
			t.Errorf("%s is not known", field)
		}
	}
}
