package main

import (
	"encoding/json"
	"strings"
	"testing"
)

const widgets = `
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: widgets.example.com}
spec:
  group: example.com
  scope: Namespaced
  names: {kind: Widget, plural: widgets, singular: widget, listKind: WidgetList}
  versions:
  - name: v1
    served: true
    storage: true
    schema:
      openAPIV3Schema:
        type: object
        properties:
          spec:
            type: object
            required: [low]
            x-kubernetes-validations: [{rule: "self.low <= self.high", message: "low above high"}]
            properties:
              low: {type: integer}
              high: {type: integer, default: 10}
              day: {type: string, format: date}
              made: {type: object, x-kubernetes-embedded-resource: true, x-kubernetes-preserve-unknown-fields: true}
              at: {type: object, properties: {host: {type: string}, port: {type: integer, default: 80}}}
              color: {type: string, x-kubernetes-validations: [{rule: "self == oldSelf", message: "stays"}]}
`

const widget = "apiVersion: example.com/v1\nkind: Widget\nmetadata: {name: w, namespace: shop}\nspec: {low: 1, color: red}\n"

func TestCustomResourceIsJudgedByItsDefinition(t *testing.T) {
	files := map[string]string{"crd.yaml": widgets}
	for name, wrong := range map[string]struct{ old, new, finding string }{
		"null":    {"color: red", "color: null", "invalid spec.color"},
		"list":    {"color: red", "color: red, day: []", "invalid spec.day"},
		"made":    {"color: red", "color: red, made: {apiVersion: v1, kind: null}", "invalid spec.made.kind"},
		"day":     {"color: red", "color: red, day: '2026-01-31'", ""},
		"twice":   {"name: w,", "name: w, finalizers: [example.com/a, example.com/a],", "duplicate-key metadata.finalizers[1]"},
		"right":   {"low: 1", "low: 1", ""},
		"rule":    {"low: 1", "low: 11", "invalid spec"},
		"unknown": {"low: 1", "low: 1, wide: 2", "unknown-field spec.wide"},
		"type":    {"low: 1", "low: one", "invalid spec.low"},
		"version": {"example.com/v1", "example.com/v2", "unknown-kind apiVersion"},
	} {
		t.Run(name, func(t *testing.T) {
			text := strings.Replace(widget, wrong.old, wrong.new, 1)
			request := &judgeRequest{Definitions: "t", Objects: objectsOf(t, text)}
			found := strings.Join(told(t, request, files), ", ")
			if found != wrong.finding && !strings.HasSuffix(found, ", "+wrong.finding) {
				t.Errorf("found %q, expected %q", found, wrong.finding)
			}
		})
	}
}

func TestTransitionRuleIsFoundOnUpdate(t *testing.T) {
	request := &judgeRequest{
		Definitions: "t", Objects: objectsOf(t, strings.Replace(widget, "red", "blue", 1)), Current: objectsOf(t, widget),
	}
	expectTold(t, request, map[string]string{"crd.yaml": widgets}, "immutable spec.color")
}

func TestDefinitionOfTheSameOutputCounts(t *testing.T) {
	text := strings.Replace(widget, "low: 1", "low: 1, wide: 2", 1) + "---" + widgets
	expectTold(t, &judgeRequest{Objects: objectsOf(t, text)}, nil, "unknown-field spec.wide")
}

func TestKindWithoutDefinitionIsNotChecked(t *testing.T) {
	verdict := newJudge().verdict(&judgeRequest{Objects: objectsOf(t, widget+"---\n"+widget)}, nil)
	if len(verdict.Findings) != 0 || len(verdict.Unchecked) != 1 || verdict.Unchecked[0] != "Widget.example.com" {
		t.Errorf("%+v", verdict)
	}
}

func TestWrongDefinitionIsFound(t *testing.T) {
	text := strings.Replace(widgets, `"self.low <= self.high"`, `"self.low <= self.hihg"`, 1)
	expectTold(t, &judgeRequest{Objects: objectsOf(t, text)}, nil,
		"invalid spec.validation.openAPIV3Schema.properties[spec].x-kubernetes-validations[0].rule")
}

// Server-side apply makes null of a map that loses all it had, and a CRD does not take that.
func TestMapOfCustomResourceIsNotEmptied(t *testing.T) {
	with := func(at string) []json.RawMessage {
		return objectsOf(t, strings.Replace(widget, "low: 1", "low: 1, at: "+at, 1))
	}
	from := func(old, new string, expected ...string) {
		t.Helper()
		request := &judgeRequest{Objects: with(new), Current: with(old)}
		expectTold(t, request, map[string]string{"crd.yaml": strings.Replace(widgets, ", default: 80", "", 1)}, expected...)
	}
	from("{host: a}", "{}", "immutable spec.at")
	from("{host: a}", "{port: 80}")
	from("{}", "{}")
}

func TestWholeNumberWithAPointStaysWhole(t *testing.T) {
	whole := strings.Replace(widget, "low: 1", "low: 1.0", 1)
	request := &judgeRequest{Definitions: "t", Objects: objectsOf(t, whole), Current: objectsOf(t, strings.Replace(whole, "1.0,", "2.0,", 1))}
	for number, data := range request.Objects { // which YAML read as a whole number
		request.Objects[number] = json.RawMessage(strings.Replace(string(data), `"low":1`, `"low":1.0`, 1))
	}
	expectTold(t, request, map[string]string{"crd.yaml": widgets})
	request.Current = objectsOf(t, strings.Replace(widget, "low: 1, color: red", "low: 2, color: red, at: {host: a}", 1))
	expectTold(t, request, map[string]string{"crd.yaml": widgets})
}
