package main

import (
	"slices"
	"strings"
	"testing"
)

func hooked(name, events string) string {
	return strings.Replace(printedMap(name, "b"), "\ndata:", "\n  annotations: {helm.sh/hook: '"+events+"'}\ndata:", 1) + "---\n"
}

func TestHooksAreHelms(t *testing.T) {
	files := chartOf("web/templates/a.yaml", hooked("test", "test")+hooked("old", "test-success")+hooked("gone", "post-delete,pre-rollback")+
		hooked("install", "Pre-Install, post-upgrade")+hooked("mixed", "test,pre-install")+hooked("unknown", "crd-install")+hooked("odd", "true")+
		printedMap("plain", "b")+`---
apiVersion: v1
kind: List
items:
- {apiVersion: v1, kind: ConfigMap, metadata: {name: inside, annotations: {helm.sh/hook: test}}}
`)
	for hooks, want := range map[string]string{
		"":     "ConfigMap/plain ConfigMap/inside ConfigMap/install ConfigMap/mixed",
		"keep": "ConfigMap/plain ConfigMap/inside ConfigMap/install ConfigMap/mixed",
		"drop": "ConfigMap/plain ConfigMap/inside",
	} {
		found := ask(files, &helmRequest{Folder: "web", Hooks: hooks})
		if found.err != nil || found.names() != want {
			t.Fatalf("%q: %s %v", hooks, found.names(), found.err)
		}
		if hooks != "drop" {
			if events := found.objects[2].Hook; !slices.Equal(events, []string{"pre-install", "post-upgrade"}) {
				t.Error(events)
			}
		}
		if len(found.warnings) != 2 || found.warnings[0].Message != "ConfigMap unknown is left out: Helm does not know its hook 'crd-install'" {
			t.Error(found.warnings)
		}
	}
}

func TestReadsWhatHelmPrints(t *testing.T) {
	for name, text := range map[string]string{
		"begins of documents":       "\n---\n# Source\n---\n" + printedMap("a", "b") + "---\n---\n",
		"a document behind a begin": "---apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\n",
		"CRLF":                      strings.ReplaceAll("---\n"+printedMap("a", "b"), "\n", "\r\n"),
		"null":                      "null\n---\n" + printedMap("a", "b") + "--- # only a comment\n",
		"annotations of any type":   "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a, annotations: {a: 1, b: true, c: null}}\n",
	} {
		found := ask(chartOf("web/templates/a.yaml", text), web)
		if found.err != nil || found.names() != "ConfigMap/a" {
			t.Errorf("%s: %s %v", name, found.names(), found.err)
		}
	}
}

func TestTellsWhatIsWrongWithWhatATemplatePrints(t *testing.T) {
	for name, each := range map[string]struct{ text, kind, message string }{
		"a key twice":   {"# {{ 1 }}\n---\n" + printedMap("x", "b") + "  key: c\n", notYAML, "ConfigMap x: the key 'data.key' is set twice\n    line 9 of the rendered text: key: c"},
		"no YAML":       {"a: b: c\n", notYAML, "line 1 of the rendered text: a: b: c"},
		"a text":        {"hello\n", notObject, "printed something that is no Kubernetes object"},
		"no object":     {"a: b\n", notObject, "not a Kubernetes object: apiVersion nothing, kind nothing"},
		"an annotation": {"apiVersion: v1\nkind: A\nmetadata: {annotations: {a: [1]}}\n", notObject, "YAML parse error"},
	} {
		found := ask(chartOf("web/templates/a.yaml", each.text), web)
		if found.err == nil || found.err.Kind != each.kind || !strings.Contains(found.err.Message, each.message) || found.err.File != "web/templates/a.yaml" || found.err.Line != 0 {
			t.Errorf("%s: %+v", name, found.err)
		}
	}
}

func TestCRDsAreSentOnce(t *testing.T) {
	crds := "apiVersion: apiextensions.k8s.io/v1\nkind: CustomResourceDefinition\nmetadata: {name: a}\n---\n" +
		"apiVersion: v1\nkind: Namespace\nmetadata: {name: b, annotations: {helm.sh/hook: test}}\n"
	s := newState()
	s.trees["t"] = chartOf("web/crds/a.yaml", crds, "web/crds/readme.md", "x", "web/templates/a.yaml", printedMap("c", "d"),
		"other/Chart.yaml", chartS, "other/crds/b.yaml", crds)
	first, again := askAgain(s, web, limits{}), askAgain(s, web, limits{})
	other := askAgain(s, &helmRequest{Folder: "other"}, limits{})
	if first.err != nil || first.names() != "CustomResourceDefinition/a Namespace/b ConfigMap/c" {
		t.Fatal(first.names(), first.err)
	}
	for number := range 2 {
		content := first.objects[number].Content
		if content == "" || again.objects[number].Content != content || other.objects[number].Content != content {
			t.Error(content)
		}
		if again.objects[number].Object != nil || other.objects[number].Object != nil {
			t.Error("sent twice")
		}
	}
	if first.objects[0].Source != "web/crds/a.yaml" || other.objects[0].Source != "other/crds/b.yaml" || first.objects[0].Content == first.objects[1].Content {
		t.Error(other.objects[0])
	}
	if found := askAgain(s, web, limits{Objects: 2}); found.err == nil || found.err.Kind != overBudget {
		t.Error(found.err)
	}
	if found := askAgain(s, web, limits{BytesIn: 120}); found.err == nil || found.err.Kind != overBudget || found.err.File != "web/crds/a.yaml" {
		t.Error(found.err)
	}
	if found := askAgain(s, web, limits{BytesIn: len(crds) + 20}); found.err != nil {
		t.Error("CRDs are not budgeted apart: ", found.err)
	}
}

func TestPiecesOfAChartForAKustomization(t *testing.T) {
	files := chartOf("charts/web/Chart.yaml", chartS, "charts/web/crds/a.yaml", "a: b\n", "charts/web/templates/a.yaml", hooked("hook", "pre-install")+printedMap("plain", "{{ .Values.a }}"))
	s := newState()
	out := &result{budget: newBudget(limits{}), state: s}
	pieces, err := s.chartText(&helmRequest{Name: "web", Kubernetes: "1.34", Values: `{"a": "b"}`}, files, "charts/web", out)
	if err != nil || len(pieces) != 3 {
		t.Fatal(pieces, err)
	}
	want := []rendered{
		{source: "charts/web/crds/a.yaml", text: "a: b\n", crd: true},
		{source: "charts/web/templates/a.yaml", text: printedMap("plain", "b"), hook: []string{}},
		{source: "charts/web/templates/a.yaml", text: strings.TrimSuffix(hooked("hook", "pre-install"), "---\n"), hook: []string{"pre-install"}},
	}
	for at, piece := range pieces {
		if piece.source != want[at].source || piece.text != want[at].text || piece.crd != want[at].crd || !slices.Equal(piece.hook, want[at].hook) {
			t.Errorf("%+v", piece)
		}
	}
}
