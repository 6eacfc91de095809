package main

import (
	"encoding/json"
	"fmt"
	"runtime"
	"strings"
	"testing"

	"helm.sh/helm/v4/pkg/chart/v2/loader"
)

func valuesOf(text string, given limits) (string, *failure) {
	out := &result{budget: newBudget(given)}
	if err := readValues(&valuesRequest{File: "values.yaml", Text: text}, out); err != nil {
		return "", asFailure(err)
	}
	return string(out.value), nil
}

func TestValuesAreThoseThatHelmReads(t *testing.T) {
	for _, text := range []string{
		"", "# nothing\n", "---\n---\n", "~\n", "a: 1\nb: {c: [1, x, ~]}\n", "no: 1\nyes: [on, off]\n1: a\n1.5: b\n", "a: &a {b: 1}\nc: {<<: *a, d: 2}\n",
		"a: {b: 1, c: 2}\nd: [1]\n---\na: {b: ~, e: {}}\nd: []\n---\nf: x\n", "a: {b: 1}\n---\na: x\n---\na: {c: 1}\n", "a: x\n---\na: ~\n", "a: ~\n---\na: {b: 1}\n",
		"a: {b: 1}\n---\na: {}\n", "a: 0644\nb: 1e3\nc: 1.0\nd: 12345678901234567890\ne: '0644'\nf: 9007199254740993\n", "a: \"<&>\\u2028\"\n",
	} {
		expected, err := loader.LoadValues(strings.NewReader(text))
		if err != nil {
			t.Fatal(err)
		}
		data, err := json.Marshal(expected)
		if err != nil {
			t.Fatal(err)
		}
		// Helm's loader makes floats of all numbers that it reads; ours stay integers.
		var found any
		read, why := valuesOf(text, limits{})
		if why != nil {
			t.Errorf("%q: %+v", text, why)
			continue
		}
		if err := json.Unmarshal([]byte(read), &found); err != nil {
			t.Fatal(err)
		}
		again, err := json.Marshal(found)
		if err != nil {
			t.Fatal(err)
		}
		var floats any
		if err := json.Unmarshal(data, &floats); err != nil {
			t.Fatal(err)
		}
		if data, err = json.Marshal(floats); err != nil || string(again) != string(data) {
			t.Errorf("%q gives %s, and Helm's loader %s", text, again, data)
		}
	}
}

func TestIntegersOfValuesStayWhatTheyAre(t *testing.T) {
	found, why := valuesOf("a: 9007199254740993\nb: 18446744073709551615\nc: 1.50\nd: -7\n", limits{})
	if why != nil || found != `{"a":9007199254740993,"b":18446744073709551615,"c":1.5,"d":-7}` {
		t.Error(found, why)
	}
}

func TestValuesThatAreNoMappingAreRefusedWhereTheyBegin(t *testing.T) {
	for text, line := range map[string]int{"- a\n": 1, "\n\ntext\n": 3, "a: 1\n---\n\n[b]\n": 4, "1": 1} {
		found, why := valuesOf(text, limits{})
		if why == nil || why.Kind != notConfig || why.File != "values.yaml" || why.Line != line || why.Message != "expected one mapping of values" {
			t.Errorf("%q: %s %+v", text, found, why)
		}
	}
}

func TestManyDocumentsOfValuesAreMergedWithoutCopies(t *testing.T) {
	const documents = 10_000
	var text strings.Builder
	for number := range documents {
		fmt.Fprintf(&text, "k%d: 1\n---\n", number)
	}
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	found, why := valuesOf(text.String(), limits{})
	runtime.ReadMemStats(&after)
	if why != nil || strings.Count(found, ":") != documents {
		t.Fatal(why)
	}
	if used := after.TotalAlloc - before.TotalAlloc; used > documents*60_000 {
		t.Errorf("%d bytes for each document", used/documents)
	}
}

func TestAnswerAboveTheLimitIsRefused(t *testing.T) {
	text := "a: '" + strings.Repeat("x", 1000) + "'\n"
	if _, why := valuesOf(text, limits{BytesOut: 1000}); why == nil || why.Kind != overBudget {
		t.Errorf("%+v", why)
	}
	if _, why := valuesOf(text, limits{BytesOut: 1100}); why != nil {
		t.Errorf("%+v", why)
	}
}

func TestDocumentsOfAConfigurationKnowTheirLines(t *testing.T) {
	for text, expected := range map[string]string{
		"":                                 "[]",
		"~\n---\n# c\n":                    "[]",
		"\n\na: b\n":                       `[{"line":3,"value":{"a":"b"}}]`,
		"a: b\n---\n\n# c\n[1, 2]\n---\n~": `[{"line":1,"value":{"a":"b"}},{"line":5,"value":[1,2]}]`,
		"a: b\r\n---\r\n\r\nc\r\n":         `[{"line":1,"value":{"a":"b"}},{"line":4,"value":"c"}]`,
	} {
		out := &result{budget: newBudget(limits{})}
		if err := readConfig(&fileRequest{Text: text}, out); err != nil || string(out.value) != expected {
			t.Errorf("%q: %s %v", text, out.value, err)
		}
	}
}

const located = `# a comment

a:
  b: [x,
      z]
  "c.d":
    - name: e
      value: "f"
    - name: g
  8080: &ports [p]
  0x1: one
  on: switch
  other: *ports
  a: first
  a: last
last: {h: 0644, <<: {merged: i}}
---
b: c
a: {deeper: {here: 1}}
`

func TestPlacesAreFoundByTheirPath(t *testing.T) {
	for path, expected := range map[string]string{
		`[]`: `{"line":3}`, `["a"]`: `{"line":3}`, `["a","b"]`: `{"line":4}`, `["a","b",1]`: `{"line":5,"scalar":"z"}`, `["a","c.d"]`: `{"line":6}`,
		`["a","c.d",0]`: `{"line":7}`, `["a","c.d",0,"value"]`: `{"line":8,"scalar":"f"}`, `["a","c.d",1,"name"]`: `{"line":9,"scalar":"g"}`,
		`["a","8080"]`: `{"line":10}`, `["a","1"]`: `{"line":11,"scalar":"one"}`, `["a","true"]`: `{"line":12,"scalar":"switch"}`, `["a","other",0]`: `{"line":10,"scalar":"p"}`,
		`["a","a"]`: `{"line":15,"scalar":"last"}`, `["last","h"]`: `{"line":16,"scalar":"0644"}`,
		// Nothing is there: the nearest thing above it that is.
		`["a","x","w"]`: `{"line":3}`, `["a","b",7]`: `{"line":4}`, `["a","b","x"]`: `{"line":4}`, `["x"]`: `{"line":3}`, `["a","b",-1]`: `{"line":4}`,
		// In another document.
		`["b"]`: `{"line":18,"scalar":"c"}`, `["a","deeper","here"]`: `{"line":19,"scalar":"1"}`,
	} {
		var steps []any
		if err := json.Unmarshal([]byte(path), &steps); err != nil {
			t.Fatal(err)
		}
		out := &result{budget: newBudget(limits{})}
		if err := locate(&locateRequest{Text: located, Path: steps}, out); err != nil || string(out.value) != expected {
			t.Errorf("%s: %s %v, not %s", path, out.value, err, expected)
		}
	}
}

func TestPlacesInTextThatNobodyCanReadAreItsBeginning(t *testing.T) {
	for _, text := range []string{"", "a: b: c", "a: *x", "\x00", strings.Repeat("[", 20_000), "a: &x [*x]"} {
		out := &result{budget: newBudget(limits{})}
		err := locate(&locateRequest{Text: text, Path: []any{"a", 0.0, "b"}}, out)
		if err != nil && asFailure(err).Kind != notYAML || err == nil && len(out.value) > 20 {
			t.Errorf("%q: %s %v", clip(text, 20), out.value, err)
		}
	}
}

func TestScalarAtAPlaceIsCutShort(t *testing.T) {
	out := &result{budget: newBudget(limits{})}
	if err := locate(&locateRequest{Text: "a: " + strings.Repeat("x", 1<<20), Path: []any{"a"}}, out); err != nil || len(out.value) > 300 {
		t.Error(len(out.value), err)
	}
}
