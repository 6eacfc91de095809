package main

import (
	"strings"
	"testing"
)

// Errors that Helm and Kustomize tell in words of their own say what to do about them.

func TestErrorsOfChartsNameTheWayOut(t *testing.T) {
	for hint, files := range map[string][]string{
		"put texts elsewhere in the chart":              {"web/templates/readme.md", "hello"},
		"all in charts/ is a chart to Helm: move a.md":  {"web/charts/a.md", "hello"},
		"a pattern in .helmignore names it":             {"web/.helmignore", "*.txt\n!keep.txt\n"},
		"write 'type: application'":                     {"web/Chart.yaml", "apiVersion: v2\nname: web\nversion: 1.0.0\ntype: library\n"},
		"'kubernetes' of the environment":               {"web/Chart.yaml", "apiVersion: v2\nname: web\nversion: 1.0.0\nkubeVersion: '>=1.99'\n"},
		"separate documents by a line that begins with": {"web/templates/a.yaml", printedMap("a", "b") + "...\n" + printedMap("c", "d")},
	} {
		if found := ask(chartOf(files...), web); found.err == nil || !strings.Contains(found.err.Hint, hint) {
			t.Errorf("%s: %+v", hint, found.err)
		}
	}
}

func TestErrorsOfKustomizationsSayWhatIsWrong(t *testing.T) {
	for words, text := range map[string]string{
		"an entry is empty":                            "resources: [x.yaml, '']",
		"has a key that Kustomize takes for no string": "resources: [x.yaml]\ncommonLabels: {n: a}",
	} {
		if _, why := buildRoot(t, rootTree(text, nil)); why == nil || !strings.Contains(why.Message, words) || why.Hint == "" {
			t.Errorf("%s: %+v", words, why)
		}
	}
}

func TestLimitIsNamedByItsKey(t *testing.T) {
	text := object("ConfigMap", "a") + "\n---\n" + object("ConfigMap", "b") + "\n"
	for key, given := range map[string]limits{
		"limits.objects": {Objects: 1}, "limits.nodes": {Nodes: 3}, "limits.input_mebibytes": {BytesIn: 10}, "limits.output_mebibytes": {BytesOut: 10},
	} {
		if _, why := emit(text, given); why == nil || why.Kind != overBudget || !strings.Contains(why.Hint, key) {
			t.Errorf("%s: %+v", key, why)
		}
	}
}

func TestRefusedValuesAreNamedByTheirPaths(t *testing.T) {
	schema := `{"properties": {"a": {"type": "integer"}, "l": {"items": {"type": "string"}}}, "additionalProperties": false}`
	request := *web
	request.Values = `{"a": "text", "l": ["x", 1], "b": 2}`
	found := ask(chartOf("web/values.schema.json", schema), &request)
	if found.err == nil || len(found.err.Refused) != 3 {
		t.Fatalf("%+v", found.err)
	}
	paths := map[string]bool{}
	for _, each := range found.err.Refused {
		paths[strings.Join(each.Path, ".")] = each.Unknown
	}
	if unknown, ok := paths["b"]; !ok || !unknown {
		t.Error(paths)
	}
	if unknown, ok := paths["l.1"]; !ok || unknown {
		t.Error(paths)
	}
}
