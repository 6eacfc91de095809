package main

import (
	"fmt"
	"slices"
	"strings"
	"testing"
)

// got is what a request gave.
type got struct {
	objects  []answer
	warnings []warning
	err      *failure
}

func (g got) names() string {
	var names []string
	for _, object := range g.objects {
		var one struct {
			Kind     string
			Metadata struct{ Name string }
		}
		if err := decode(object.Object, &one); err != nil {
			panic(err)
		}
		names = append(names, one.Kind+"/"+one.Metadata.Name)
	}
	return strings.Join(names, " ")
}

// text is the first object as JSON.
func (g got) text() string {
	if len(g.objects) == 0 {
		return ""
	}
	return string(g.objects[0].Object)
}

// ask renders a chart in a process of its own.
func ask(files tree, request *helmRequest) got {
	s := newState()
	s.trees["t"] = files
	return askAgain(s, request, limits{})
}

func askAgain(s *state, of *helmRequest, budget limits) got {
	request := *of
	request.Tree = "t"
	if request.Name == "" {
		request.Name, request.Namespace, request.Kubernetes = "web", "shop", "1.34"
	}
	if request.Values == "" {
		request.Values = "{}"
	}
	collected := &collector{}
	out := &result{request: 1, budget: newBudget(budget), writer: collected, state: s}
	err := s.dispatch(message{Helm: &request}, out)
	found := got{objects: collected.answers, warnings: out.warnings}
	if err != nil {
		found.err = asFailure(err)
	}
	return found
}

// chartOf returns a tree with a chart in the folder web; files are pairs of a name and a text.
func chartOf(files ...string) tree {
	found := tree{"web/Chart.yaml": []byte("apiVersion: v2\nname: web\nversion: 1.0.0\n")}
	for at := 0; at < len(files); at += 2 {
		found[files[at]] = []byte(files[at+1])
	}
	return found
}

// printedMap is a template of an object with one field.
func printedMap(name, value string) string {
	return fmt.Sprintf("apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: %s\ndata:\n  key: %s\n", name, value)
}

var web = &helmRequest{Folder: "web"}

func TestRendersTheObjectsOfAChart(t *testing.T) {
	found := ask(chartOf("web/templates/a.yaml", printedMap("a", "{{ .Release.Name }}")), web)
	if found.err != nil || found.names() != "ConfigMap/a" {
		t.Fatalf("%v %v", found.names(), found.err)
	}
	if object := found.objects[0]; object.Source != "web/templates/a.yaml" || !strings.Contains(string(object.Object), `"key":"web"`) {
		t.Error(object.Source, string(object.Object))
	}
}

func TestValuesAreReadAsHelmReadsThem(t *testing.T) {
	files := chartOf("web/values.yaml", "a: 1\nno: 2\nm: {p: 1, q: 2}\n",
		"web/templates/a.yaml", "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\ndata:\n  v: {{ omit .Values \"odd\" | toJson | quote }}\n  k: {{ .Values.big | quote }}\n  odd: {{ printf \"%+q\" .Values.odd | quote }}\n")
	values := "{\"big\": 1000000, \"m\": {\"q\": null}, \"odd\": \"a\u2028b\u0085c\u007fd\ufeff\U0001f600\"}"
	found := ask(files, &helmRequest{Folder: "web", Values: values})
	want := `"data":{"k":"1e+06","odd":"\"a\\u2028b\\u0085c\\x7fd\\ufeff\\U0001f600\"","v":"{\"a\":1,\"big\":1000000,\"false\":2,\"m\":{\"p\":1}}"}`
	if found.err != nil || !strings.Contains(found.text(), want) {
		t.Fatal(found.text(), found.err)
	}
}

func TestImagesGoWhereTheChartHasAMap(t *testing.T) {
	images := map[string]any{"web": map[string]any{"tag": "1"}}
	template := printedMap("a", "{{ toJson .Values.images | quote }}")
	for values, want := range map[string]string{
		"images: {}\n": `{\"web\":{\"tag\":\"1\"}}`, "images: {web: {x: z}}\n": `{\"web\":{\"tag\":\"1\",\"x\":\"z\"}}`,
		"images: [a]\n": `[\"a\"]`, "images: a\n": `\"a\"`, "images:\n": "null", "a: b\n": "null",
	} {
		found := ask(chartOf("web/values.yaml", values, "web/templates/a.yaml", template), &helmRequest{Folder: "web", Images: images})
		if found.err != nil || !strings.Contains(found.text(), `"key":"`+want+`"`) {
			t.Errorf("%s %s %v", values, found.text(), found.err)
		}
	}
	found := ask(chartOf("web/values.yaml", "images: {}\n", "web/templates/a.yaml", template),
		&helmRequest{Folder: "web", Images: images, Values: `{"images": {"web": {"tag": "2"}}}`})
	if !strings.Contains(found.text(), `{\"web\":{\"tag\":\"2\"}}`) {
		t.Error("images lie above the values")
	}
}

func TestKnowsTheClusterThatIsNamed(t *testing.T) {
	files := chartOf("web/templates/a.yaml", printedMap("a", `{{ .Capabilities.KubeVersion.Version }}-{{ .Capabilities.KubeVersion }}-{{ .Capabilities.KubeVersion.Minor }}-{{ .Capabilities.APIVersions.Has "a/v1" }}-{{ .Capabilities.APIVersions.Has "apps/v1" }}`))
	found := ask(files, &helmRequest{Folder: "web", Name: "x", Kubernetes: "1.34.2-gke.100", APIVersions: []string{"a/v1"}})
	if found.err != nil || !strings.Contains(found.text(), "v1.34.2-gke.100-v1.34.2-34-true-true") {
		t.Error(found.text(), found.err)
	}
	if found := ask(files, web); !strings.Contains(found.text(), "-34-false-true") {
		t.Error("API versions of another request")
	}
	for _, wrong := range []*helmRequest{{Folder: "web", Name: "A"}, {Folder: "web", Name: "x", Kubernetes: "new"}, {Folder: "web", Name: strings.Repeat("a", 54)}} {
		if found := ask(files, wrong); found.err == nil || found.err.Kind != notConfig {
			t.Error(found.err)
		}
	}
}

func TestWarnsOfWhatHelmPassesOver(t *testing.T) {
	files := chartOf("web/values.yaml", "a: {secret: x}\nb: y\n", "web/templates/a.yaml", printedMap("a", "b"),
		"web/Chart.yaml", needing("[{name: s, version: 1.0.0, condition: s.enabled}]")+"deprecated: true\n", "web/charts/s/Chart.yaml", chartS)
	found := ask(files, &helmRequest{Folder: "web", Values: `{"a": "z", "b": {"c": "d"}, "s": {"enabled": "yes"}}`})
	want := []warning{
		{Message: "this chart is deprecated", File: "web/Chart.yaml"},
		{Message: "Helm: returned non-bool value path=s.enabled chart=s"},
		{Message: "Helm: skipped value for web.b: Not a table."},
	}
	if found.err != nil || !slices.Equal(found.warnings, want) {
		t.Error(found.warnings, found.err)
	}
}

func TestChartAtTheRootOfItsTree(t *testing.T) {
	found := ask(tree{"Chart.yaml": []byte(chartS), "templates/a.yaml": []byte(printedMap("a", "b"))}, &helmRequest{})
	if found.err != nil || found.objects[0].Source != "templates/a.yaml" {
		t.Error(found.objects, found.err)
	}
}
