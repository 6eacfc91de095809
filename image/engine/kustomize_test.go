package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"strings"
	"testing"
)

func writerTo(out io.Writer) *answerWriter { return &answerWriter{out: bufio.NewWriter(out)} }

// buildTree renders a kustomization and returns the objects, sorted, or why there are none.
func buildTree(t testing.TB, state *state, files tree, request *kustomizeRequest) ([]string, *failure) {
	t.Helper()
	return buildWithin(t, state, files, request, limits{})
}

func buildWithin(t testing.TB, state *state, files tree, request *kustomizeRequest, budget limits) ([]string, *failure) {
	t.Helper()
	request.Tree = "files"
	if state.trees[request.Tree] == nil {
		state.trees[request.Tree] = files
	}
	answers := answersTo(t, state, message{Request: 1, Budget: budget, Kustomize: request})
	return objectsIn(t, answers), answers[len(answers)-1].Error
}

func answersTo(t testing.TB, state *state, request message) []answer {
	t.Helper()
	var written bytes.Buffer
	if err := state.answer(request, writerTo(&written)); err != nil {
		t.Fatal(err)
	}
	var answers []answer
	for line := range bytes.Lines(written.Bytes()) {
		var read answer
		if err := json.Unmarshal(line, &read); err != nil {
			t.Fatal(err)
		}
		answers = append(answers, read)
	}
	return answers
}

const (
	plainConfigMap = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: x}\ndata: {a: b}\n"
	plainService   = "apiVersion: v1\nkind: Service\nmetadata: {name: web}\nspec: {ports: [{port: 80}]}\n"
	componentHead  = "apiVersion: kustomize.config.k8s.io/v1alpha1\nkind: Component\n"
)

// with returns a tree of texts, in which root/kustomization.yaml is built.
func rootTree(kustomization string, files map[string]string) tree {
	made := tree{"root/kustomization.yaml": []byte(kustomization), "root/x.yaml": []byte(plainConfigMap)}
	for name, text := range files {
		made[name] = []byte(text)
	}
	return made
}

func buildRoot(t testing.TB, files tree) ([]string, *failure) {
	t.Helper()
	return buildTree(t, newState(), files, &kustomizeRequest{Root: "root"})
}

func TestBuilds(t *testing.T) {
	for name, test := range map[string]struct {
		kustomization string
		files         map[string]string
		expected      string // in the objects
	}{
		"a resource":                {"resources: [x.yaml]", nil, `"name":"x"`},
		"a folder beside":           {"resources: [../base/]", map[string]string{"base/kustomization.yml": "resources: [y.yaml]", "base/y.yaml": plainService}, `"name":"web"`},
		"odd names":                 {"resources: [\"a b:ü#.yaml\"]", map[string]string{"root/a b:ü#.yaml": plainService}, `"name":"web"`},
		"a component":               {"resources: [x.yaml]\ncomponents: [../c]", map[string]string{"c/kustomization.yaml": componentHead + "namePrefix: p-\n"}, `"name":"p-x"`},
		"an old spelling":           {"resources: [x.yaml]\nvars: [{name: V, objref: {kind: ConfigMap, name: x, apiVersion: v1}, fieldref: {fieldpath: data.a}}]", nil, `"a":"b"`},
		"an inline transformer":     {"resources: [x.yaml]\ntransformers: [\"{apiVersion: builtin, kind: PrefixTransformer, metadata: {name: p}, prefix: p-, fieldSpecs: [{path: metadata/name}]}\"]", nil, `"name":"p-x"`},
		"prefix and suffix":         {"resources: [x.yaml]\ntransformers: [t.yaml]", map[string]string{"root/t.yaml": "apiVersion: builtin\nkind: PrefixSuffixTransformer\nmetadata: {name: t}\nprefix: p-\nsuffix: -s\nfieldSpecs: [{path: metadata/name}]\n"}, `"name":"p-x-s"`},
		"a generator":               {"generators: [g.yaml]", map[string]string{"root/g.yaml": "apiVersion: builtin\nkind: ConfigMapGenerator\nmetadata: {name: g}\nfiles: [k=t.txt]\n", "root/t.txt": "hello"}, `"k":"hello"`},
		"a folder of generators":    {"generators: [../gs]", map[string]string{"gs/kustomization.yaml": "resources: [g.yaml]", "gs/g.yaml": "apiVersion: builtin\nkind: ConfigMapGenerator\nmetadata: {name: g}\nfiles: [t.txt]\n", "root/t.txt": "hello"}, `"t.txt":"hello"`},
		"files that are no YAML":    {"configMapGenerator: [{name: c, files: [t.txt, kustomization.yaml]}]", map[string]string{"root/t.txt": "a: *b\n\t"}, `"kustomization.yaml":"configMapGenerator`},
		"replacements of a file":    {"resources: [x.yaml, y.yaml]\nreplacements: [{path: r.yaml}]", map[string]string{"root/y.yaml": plainService, "root/r.yaml": "source: {kind: ConfigMap, name: x, fieldPath: data.a}\ntargets: [{select: {kind: Service}, fieldPaths: [metadata.name]}]\n"}, `"name":"b"`},
		"a kustomization as object": {"resources: [f/kustomization.yaml]", map[string]string{"root/f/kustomization.yaml": "apiVersion: kustomize.toolkit.fluxcd.io/v1\nkind: Kustomization\nmetadata: {name: f}\nspec: {interval: 1m}\n"}, `"interval":"1m"`},
		"JSON with tabs":            {"resources: [x.yaml]\npatches: [{path: p.json, target: {kind: ConfigMap}}]", map[string]string{"root/p.json": "[\n\t{\"op\": \"replace\",\n\t\"path\": \"/data/a\", \"value\": \"c\"}\n]"}, `"a":"c"`},
		"odd characters":            {"resources: [x.yaml]\ncommonAnnotations: {a: \"b\\u2028\\ufeff😀 <&>\"}", nil, `"b\u2028` + "\ufeff😀 <&>"},
	} {
		t.Run(name, func(t *testing.T) {
			objects, failed := buildRoot(t, rootTree(test.kustomization, test.files))
			if failed != nil {
				t.Fatalf("%+v", failed)
			}
			all := strings.NewReplacer(`\u003c`, "<", `\u003e`, ">", `\u0026`, "&").Replace(strings.Join(objects, "\n"))
			if !strings.Contains(all, test.expected) {
				t.Error(all)
			}
		})
	}
}

func TestRefuses(t *testing.T) {
	const elsewhere = "comes from another host, which is not read while hydrating"
	plugin := func(text string) map[string]string {
		return map[string]string{"root/t.yaml": text}
	}
	for name, test := range map[string]struct {
		kustomization string
		files         map[string]string
		expected      failure // without its hint
	}{
		"a field in another case": {"resources: [x.yaml]\nResources: [x.yaml]", nil, failure{notConfig, "unknown field 'Resources'", "root/kustomization.yaml", 2, "", "", nil, nil}},
		"a field inside":          {"configMapGenerator: [{Name: g, files: []}]", nil, failure{notConfig, "unknown field 'configMapGenerator[0].Name'", "root/kustomization.yaml", 1, "", "", nil, nil}},
		"a field deep inside":     {"replacements:\n- source: {kind: A}\n  targets:\n  - select: {Kind: B}", nil, failure{notConfig, "unknown field 'replacements[0].targets[0].select.Kind'", "root/kustomization.yaml", 4, "", "", nil, nil}},
		"an unknown field":        {"resource: [x.yaml]", nil, failure{notConfig, "unknown field 'resource'", "root/kustomization.yaml", 1, "", "", nil, nil}},
		"two spellings":           {"resources: [x.yaml]\nvars: [{name: V, objref: {kind: A, name: x}, fieldref: {fieldpath: a, fieldPath: b}}]", nil, failure{notConfig, "unknown field 'vars[0].fieldref.fieldpath'", "root/kustomization.yaml", 2, "", "", nil, nil}},
		"a field of openapi":      {"resources: [x.yaml]\nopenapi: {Path: x}", nil, failure{notConfig, "unknown field 'openapi.Path'", "root/kustomization.yaml", 2, "", "", nil, nil}},
		"a key twice":             {"resources: [x.yaml]\nresources: []", nil, failure{notYAML, "the key 'resources' is set twice", "root/kustomization.yaml", 2, "", "", nil, nil}},
		"a field in a base":       {"resources: [../base]", map[string]string{"base/kustomization.yaml": "Resources: []"}, failure{notConfig, "unknown field 'Resources'", "base/kustomization.yaml", 1, "", "", nil, nil}},

		"a file by HTTP":            {"resources:\n- http://127.0.0.1:1/x.yaml", nil, failure{notSafe, "resources: 'http://127.0.0.1:1/x.yaml' " + elsewhere, "root/kustomization.yaml", 2, "", "", nil, nil}},
		"a repository":              {"resources: ['https://git.example.com/a/b//c?ref=v1']", nil, failure{notSafe, "resources: 'https://git.example.com/a/b//c?ref=v1' " + elsewhere, "root/kustomization.yaml", 1, "", "", nil, nil}},
		"a repository by SSH":       {"components: ['git@git.example.com:a/b.git']", nil, failure{notSafe, "components: 'git@git.example.com:a/b.git' " + elsewhere, "root/kustomization.yaml", 1, "", "", nil, nil}},
		"GitHub, though there":      {"bases: [github.com/a/b]", map[string]string{"root/github.com/a/b/kustomization.yaml": "resources: []"}, failure{notSafe, "bases: 'github.com/a/b' " + elsewhere, "root/kustomization.yaml", 1, "", "", nil, nil}},
		"a host without scheme":     {"resources: [git.example.com/a/b]", nil, failure{notSafe, "resources: 'git.example.com/a/b' " + elsewhere, "root/kustomization.yaml", 1, "", "", nil, nil}},
		"a generator elsewhere":     {"generators: ['https://x/y']", nil, failure{notSafe, "generators: 'https://x/y' " + elsewhere, "root/kustomization.yaml", 1, "", "", nil, nil}},
		"a patch elsewhere":         {"resources: [x.yaml]\npatches: [{path: 'http://x/y'}]", nil, failure{notSafe, "patches: 'http://x/y' " + elsewhere, "root/kustomization.yaml", 2, "", "", nil, nil}},
		"an old patch elsewhere":    {"resources: [x.yaml]\npatchesStrategicMerge: ['http://x/y']", nil, failure{notSafe, "patchesStrategicMerge: 'http://x/y' " + elsewhere, "root/kustomization.yaml", 2, "", "", nil, nil}},
		"a text elsewhere":          {"configMapGenerator: [{name: g, files: ['k=http://x/y']}]", nil, failure{notSafe, "configMapGenerator: 'http://x/y' " + elsewhere, "root/kustomization.yaml", 1, "", "", nil, nil}},
		"a schema elsewhere":        {"resources: [x.yaml]\nopenapi: {path: 'https://x/y'}", nil, failure{notSafe, "openapi: 'https://x/y' " + elsewhere, "root/kustomization.yaml", 2, "", "", nil, nil}},
		"a plugin's file elsewhere": {"resources: [x.yaml]\ntransformers: [t.yaml]", plugin("apiVersion: builtin\nkind: PatchTransformer\nmetadata: {name: t}\npath: https://x/y\n"), failure{notSafe, "path: 'https://x/y' " + elsewhere, "root/t.yaml", 0, "", "", nil, nil}},
		"a patched plugin": {"resources: [x.yaml]\ntransformers: [../t]", map[string]string{
			"t/kustomization.yaml": "resources: [t.yaml]\npatches: [{target: {name: t}, patch: '[{\"op\": \"replace\", \"path\": \"/path\", \"value\": \"http://127.0.0.1:1/y\"}]'}]",
			"t/t.yaml":             "apiVersion: builtin\nkind: PatchTransformer\nmetadata: {name: t}\npath: x.yaml\n",
		}, failure{notSafe, "'http://127.0.0.1:1/y' " + elsewhere, "root/kustomization.yaml", 0, "", "", nil, nil}},

		"a path out of the tree":    {"resources: [../../x]", nil, failure{notSafe, "resources: '../../x' leaves the folder that may be read", "root/kustomization.yaml", 1, "", "", nil, nil}},
		"an absolute path":          {"resources: [/root/x.yaml]", nil, failure{notSafe, "resources: '/root/x.yaml' leaves the folder that may be read", "root/kustomization.yaml", 1, "", "", nil, nil}},
		"a file of another folder":  {"resources: [../other/x.yaml]", map[string]string{"other/x.yaml": plainConfigMap}, failure{notRendered, "resources: the file '../other/x.yaml' is not below the kustomization's folder", "root/kustomization.yaml", 1, "", "", nil, nil}},
		"a file that is not there":  {"resources:\n- x.yaml\n- gone.yaml", nil, failure{notRendered, "resources: 'gone.yaml' is not there", "root/kustomization.yaml", 3, "", "", nil, nil}},
		"no path":                   {"resources: ['']", nil, failure{notRendered, "resources: an entry is empty", "root/kustomization.yaml", 1, "", "", nil, nil}},
		"a patch that is not there": {"resources: [x.yaml]\npatches: [{path: gone.yaml}]", nil, failure{notRendered, "patches: 'gone.yaml' is not there", "root/kustomization.yaml", 2, "", "", nil, nil}},
		"a folder of files":         {"resources: [more]", map[string]string{"root/more/y.yaml": plainService}, failure{notRendered, "resources: the folder 'more' has no kustomization.yaml", "root/kustomization.yaml", 1, "", "", nil, nil}},
		"a file as component":       {"components: [x.yaml]", nil, failure{notRendered, "components: 'x.yaml' is a file, expected the folder of a component", "root/kustomization.yaml", 1, "", "", nil, nil}},
		"a folder as patch":         {"patches: [{path: more}]", map[string]string{"root/more/y.yaml": plainService}, failure{notRendered, "patches: 'more' is a folder, expected a file", "root/kustomization.yaml", 1, "", "", nil, nil}},

		"a function":            {"resources: [x.yaml]\ntransformers: [t.yaml]", plugin("apiVersion: example.com/v1\nkind: Tool\nmetadata: {name: t}\n"), failure{notConfig, "the plugin 'example.com/v1 Tool' is not allowed: expected one of Kustomize's own (apiVersion: builtin)", "root/t.yaml", 1, "", "", nil, nil}},
		"an annotated builtin":  {"resources: [x.yaml]\ntransformers: [t.yaml]", plugin("apiVersion: builtin\nkind: PrefixTransformer\nmetadata: {name: t, annotations: {config.kubernetes.io/function: 'exec: {path: x}'}}\n"), failure{notConfig, "the plugin 'function PrefixTransformer' is not allowed: expected one of Kustomize's own (apiVersion: builtin)", "root/t.yaml", 1, "", "", nil, nil}},
		"a plugin in JSON":      {"generators: ['{\"apiVersion\": \"builtin\", \"kind\": \"ConfigMapGenerator\", \"Name\": \"x\"}']", nil, failure{notConfig, "generators[0]: unknown field 'Name'", "root/kustomization.yaml", 1, "", "", nil, nil}},
		"a chart's generator":   {"generators: [\"{apiVersion: builtin, kind: HelmChartInflationGenerator, metadata: {name: t}, name: x}\"]", nil, failure{notConfig, "generators[0]: the generator HelmChartInflationGenerator is not allowed", "root/kustomization.yaml", 1, "", "", nil, nil}},
		"a plugin's field":      {"resources: [x.yaml]\ntransformers: [t.yaml]", plugin("apiVersion: builtin\nkind: PatchTransformer\nmetadata: {name: t}\nPath: x.yaml\n"), failure{notConfig, "unknown field 'Path'", "root/t.yaml", 4, "", "", nil, nil}},
		"a replacement's field": {"resources: [x.yaml]\nreplacements: [{path: r.yaml}]", map[string]string{"root/r.yaml": "- source: {Kind: x}\n"}, failure{notConfig, "unknown field '[0].source.Kind'", "root/r.yaml", 1, "", "", nil, nil}},

		"what Kustomize refuses": {"resources: [../base]", map[string]string{"base/kustomization.yaml": "patches: [{patch: '{apiVersion: v1, kind: A, metadata: {name: b}}'}]"}, failure{notRendered, "Kustomize: accumulating resources: no resource matches strategic merge patch \"A.v1.[noGrp]/b.[noNs]\": no matches for Id A.v1.[noGrp]/b.[noNs]; failed to find unique target for patch A.v1.[noGrp]/b.[noNs]", "base/kustomization.yaml", 0, "", "", nil, nil}},
		"a circle":               {"resources: [../base]", map[string]string{"base/kustomization.yaml": "resources: [../root]"}, failure{notRendered, "Kustomize: accumulating resources: cycle detected: candidate root 'root' contains visited root 'root'", "base/kustomization.yaml", 0, "", "", nil, nil}},
		"no object":              {"resources: [y.yaml]", map[string]string{"root/y.yaml": "a: b\n"}, failure{notRendered, "Kustomize: accumulating resources: 'y.yaml': missing Resource metadata", "root/kustomization.yaml", 0, "", "", nil, nil}},
		"a list in disguise":     {"resources: [y.yaml]", map[string]string{"root/y.yaml": "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: list}\nitems: []\n"}, failure{notObject, "ConfigMap list has a top-level 'items', which makes it a list to Flux, kubectl and Argo CD", "root/y.yaml", 0, "", "", nil, nil}},
	} {
		t.Run(name, func(t *testing.T) {
			objects, failed := buildRoot(t, rootTree(test.kustomization, test.files))
			if failed == nil {
				t.Fatalf("built: %s", objects)
			}
			hint := failed.Hint
			if failed.Hint = ""; fmt.Sprintf("%+v", *failed) != fmt.Sprintf("%+v", test.expected) {
				t.Errorf("%+v\nhint: %s", *failed, hint)
			}
		})
	}
}

func TestHintSaysTheRightSpelling(t *testing.T) {
	_, failed := buildRoot(t, rootTree("resources: [x.yaml]\nConfigMapGenerator: []", nil))
	if failed == nil || failed.Hint != "write 'configMapGenerator'" {
		t.Errorf("%+v", failed)
	}
}

func TestFetchedBaseTakesThePlaceOfItsAddress(t *testing.T) {
	address := "https://git.example.com/acme/platform//web?ref=" + pinned
	folder := "headgate-bases/git.example.com/acme/platform@" + pinned
	files := map[string]string{
		folder + "/web/kustomization.yaml":   "resources: [w.yaml, '" + strings.Replace(address, "//web", "//db", 1) + "']",
		folder + "/web/w.yaml":               plainService,
		folder + "/db/kustomization.yaml":    "resources: [d.yaml]",
		folder + "/db/d.yaml":                strings.ReplaceAll(plainService, "web", "db"),
		"root/components/kustomization.yaml": componentHead + "namePrefix: p-\n",
	}
	objects, failed := buildRoot(t, rootTree("namePrefix: a-\nresources: [x.yaml, '"+address+"']\ncomponents: [components]", files))
	if failed != nil || len(objects) != 3 || !strings.Contains(strings.Join(objects, ""), `"a-p-db"`) {
		t.Errorf("%s, %+v", objects, failed)
	}
	_, failed = buildRoot(t, rootTree("resources: ['"+strings.Replace(address, "//web", "//gone", 1)+"']", files))
	if failed == nil || failed.Kind != notSafe || !strings.Contains(failed.Hint, "hand-off") {
		t.Errorf("%+v", failed)
	}
}

func TestValuesAreOfferedToReplacements(t *testing.T) {
	replace := "replacements: [{source: {kind: ConfigMap, name: headgate-values, fieldPath: data.host}, targets: [{select: {name: x}, fieldPaths: [data.a]}]}]\n"
	for name, files := range map[string]tree{
		"of the root":        rootTree("resources: [x.yaml]\n"+replace, nil),
		"of a component":     rootTree("resources: [x.yaml]\ncomponents: [c]", map[string]string{"root/c/kustomization.yaml": componentHead + replace}),
		"of a file":          rootTree("resources: [x.yaml]\nreplacements: [{path: r.yaml}]", map[string]string{"root/r.yaml": "[" + replace[len("replacements: ["):]}),
		"beside such a file": rootTree("resources: [x.yaml]\n"+replace, map[string]string{"root/headgate-values.yaml": "no: kustomization\n"}),
	} {
		t.Run(name, func(t *testing.T) {
			objects, failed := buildTree(t, newState(), files, &kustomizeRequest{Root: "root", Values: map[string]string{"host": "h: ü\n"}})
			if failed != nil || len(objects) != 1 || !strings.Contains(objects[0], `"a":"h: ü\n"`) {
				t.Errorf("%s, %+v", objects, failed)
			}
		})
	}
	objects, failed := buildTree(t, newState(), rootTree("resources: [x.yaml]\nreplacements: [{source: {kind: ConfigMap, fieldPath: data.a}, targets: [{select: {name: x}, fieldPaths: [metadata.name]}]}]", nil),
		&kustomizeRequest{Root: "root", Values: map[string]string{"host": "h"}})
	if failed != nil || len(objects) != 1 || !strings.Contains(objects[0], `"name":"b"`) {
		t.Errorf("values stand beside what does not ask for them: %s, %+v", objects, failed)
	}
}

func TestSourceIsTheFileOfTheObject(t *testing.T) {
	state := newState()
	state.trees["t"] = rootTree("namespace: shop\nresources: [x.yaml, ../base]\nconfigMapGenerator: [{name: g, literals: [a=b]}]",
		map[string]string{"base/kustomization.yaml": "resources: [w.yaml]", "base/w.yaml": plainService})
	sources := map[string]string{}
	for _, each := range answersTo(t, state, message{Request: 1, Kustomize: &kustomizeRequest{Tree: "t", Root: "root/"}}) {
		if each.Object != nil {
			var read struct{ Metadata struct{ Name string } }
			if err := json.Unmarshal(each.Object, &read); err != nil {
				t.Fatal(err)
			}
			name, _, _ := strings.Cut(read.Metadata.Name, "-")
			sources[name] = each.Source
		}
	}
	if expected := (map[string]string{"x": "root/x.yaml", "web": "base/w.yaml", "g": "root/kustomization.yaml"}); !maps.Equal(sources, expected) {
		t.Errorf("%+v", sources)
	}
}

func TestFolderWithoutKustomizationIsNotBuilt(t *testing.T) {
	_, failed := buildTree(t, newState(), rootTree("", nil), &kustomizeRequest{Root: "../elsewhere"})
	if failed == nil || failed.Message != "no kustomization.yaml in this folder" || failed.File != "elsewhere" {
		t.Errorf("%+v", failed)
	}
}
