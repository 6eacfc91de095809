package main

import (
	"slices"
	"strings"
	"testing"
)

// unstableCase is a chart in the folder web, and what is told of it.
type unstableCase struct {
	name      string
	files     tree
	values    string
	functions string
	message   string
	file      string
	line      int
	template  string
}

var unstableCases = []unstableCase{
	{
		name:      "in a template",
		files:     chartOf("web/templates/a.yaml", printedMap("a", "{{ randAlphaNum 5 }}")),
		functions: "randAlphaNum", message: "ConfigMap a: data.key", file: "web/templates/a.yaml", line: 6,
	},
	{
		name: "in a helper",
		files: chartOf("web/templates/a.yaml", printedMap("a", `{{ include "secret" . }}`),
			"web/templates/_h.tpl", "\n{{ define \"secret\" -}}\n{{ uuidv4 }}{{ end }}"),
		functions: "uuidv4", message: "ConfigMap a: data.key", file: "web/templates/_h.tpl", line: 3,
	},
	{
		name:   "in a value, by tpl",
		files:  chartOf("web/templates/a.yaml", printedMap("a", "{{ tpl (toYaml .Values.annotations) . | quote }}")),
		values: `{"annotations": {"rollme": "{{ randAlphaNum 5 }}", "other": "{{ .Release.Name }}"}}`, functions: "randAlphaNum",
		message: "ConfigMap a: data.key", file: "web/templates/a.yaml", line: 6, template: "{{ randAlphaNum 5 }}",
	},
	{
		name: "in a file, by tpl",
		files: chartOf("web/templates/a.yaml", printedMap("a", `{{ tpl (.Files.Get "files/x.tpl") . | trim | quote }}`),
			"web/files/x.tpl", "{{ uuidv4 }}\n"),
		functions: "uuidv4", message: "ConfigMap a: data.key", file: "web/files/x.tpl", line: 1,
	},
	{
		name:   "the year in a value",
		files:  chartOf("web/templates/a.yaml", printedMap("a", "{{ tpl .Values.day . | quote }}")),
		values: `{"day": "{{ now | date \"2006\" }}"}`, functions: "now",
		message: "ConfigMap a: data.key", file: "web/templates/a.yaml", line: 6, template: `{{ now | date "2006" }}`,
	},
	{
		name:      "the clock for what is no date",
		files:     chartOf("web/templates/a.yaml", printedMap("a", `{{ date "2006" "1.5" | quote }}`)),
		functions: "date", message: "ConfigMap a: data.key", file: "web/templates/a.yaml", line: 6,
	},
	{
		name:      "behind a hash",
		files:     chartOf("web/templates/a.yaml", printedMap("a", `{{ genPrivateKey "ed25519" | sha256sum }}`)),
		functions: "genPrivateKey", message: "ConfigMap a: data.key", file: "web/templates/a.yaml", line: 6,
	},
	{
		name:      "in a condition",
		files:     chartOf("web/templates/a.yaml", `{{ if lt (now | unixEpoch | int64) 1700000000 }}`+printedMap("a", "old")+"{{ end }}"),
		functions: "now", message: "the number of objects of web/templates/a.yaml", file: "web/templates/a.yaml", line: 1,
	},
	{
		name:      "that decides whether it renders",
		files:     chartOf("web/templates/a.yaml", `{{ if gt (now | unixEpoch | int64) 1700000000 }}{{ fail "late" }}{{ end }}`+printedMap("a", "b")),
		functions: "now", message: "may make the template fail", file: "web/templates/a.yaml", line: 1,
	},
	{
		name: "the one that matters",
		files: chartOf(
			"web/templates/a.yaml", "{{ $unused := uuidv4 }}{{ $short := randInt 3 4 }}\n"+printedMap("a", "{{ $short }}-{{ shuffle \"abcdefghijklmnop\" }}"),
			"web/templates/b.yaml", printedMap("b", "c"),
		),
		functions: "shuffle", message: "ConfigMap a: data.key", file: "web/templates/a.yaml", line: 7,
	},
	{
		name: "the call that matters",
		files: chartOf("web/templates/a.yaml",
			"{{ range until 50 }}{{ $unused := randAlpha 3 }}{{ end }}\n\n"+printedMap("a", "{{ randAlpha 3 }}")+"  more: {{ randAlpha 4 }}\n"),
		functions: "randAlpha", message: "ConfigMap a: data.key", file: "web/templates/a.yaml", line: 8,
	},
	{
		name: "through a value that another template sets",
		files: chartOf("web/templates/a.yaml", printedMap("a", "{{ .Values.token }}"),
			"web/templates/z-test.yaml", `{{ $_ := set .Values "token" uuidv4 }}`),
		functions: "uuidv4", message: "ConfigMap a: data.key", file: "web/templates/z-test.yaml", line: 1,
	},
	{
		name: "in a chart by file://",
		files: chartOf("web/Chart.yaml", "apiVersion: v2\nname: web\nversion: 1.0.0\ndependencies:\n- {name: s, version: 1.0.0, repository: file://../lib/s}\n",
			"lib/s/Chart.yaml", "apiVersion: v2\nname: s\nversion: 1.0.0\n", "lib/s/templates/a.yaml", printedMap("a", "{{ uuidv4 }}")),
		functions: "uuidv4", message: "ConfigMap a: data.key", file: "lib/s/templates/a.yaml", line: 6,
	},
	{
		name:      "in the name",
		files:     chartOf("web/templates/a.yaml", printedMap("a-{{ randNumeric 9 }}", "b")),
		functions: "randNumeric", message: "metadata.name", file: "web/templates/a.yaml", line: 4,
	},
}

func TestRefusesWhatDiffersFromRenderToRender(t *testing.T) {
	for _, each := range unstableCases {
		t.Run(each.name, func(t *testing.T) {
			found := ask(each.files, &helmRequest{Folder: "web", Values: each.values})
			if found.err == nil || found.err.Kind != notStable {
				t.Fatalf("%s %v", found.names(), found.err)
			}
			if len(found.objects) != 0 {
				t.Error("objects were sent")
			}
			if got := strings.Join(found.err.Functions, " "); got != each.functions {
				t.Error("functions:", got)
			}
			if !strings.Contains(found.err.Message, each.message) || found.err.Hint == "" {
				t.Error(found.err.Message, "|", found.err.Hint)
			}
			if found.err.File != each.file || found.err.Line != each.line {
				t.Errorf("%s:%d", found.err.File, found.err.Line)
			}
			if found.err.Template != each.template {
				t.Error("template:", found.err.Template)
			}
			again := ask(each.files, &helmRequest{Folder: "web", Values: each.values})
			if again.err.Message != found.err.Message {
				t.Error("told in other words: ", again.err.Message)
			}
		})
	}
}

func TestTakesRandomnessThatReachesNoObject(t *testing.T) {
	test := printedMap("test-{{ randAlphaNum 5 | lower }}", "b")
	test = strings.Replace(test, "\ndata:", "\n  annotations: {helm.sh/hook: test}\ndata:", 1)
	for name, files := range map[string]tree{
		"in a test":               chartOf("web/templates/tests/t.yaml", test),
		"in the notes":            chartOf("web/templates/NOTES.txt", "{{ now }}"),
		"unused":                  chartOf("web/templates/b.yaml", "{{ $unused := genCA \"a\" 1 }}"),
		"by its length":           chartOf("web/templates/b.yaml", "{{ if ne (len (randAscii 5)) 5 }}"+printedMap("b", "c")+"{{ end }}"),
		"of no width":             chartOf("web/templates/b.yaml", printedMap("a2", "{{ randInt 5 6 | quote }}")),
		"of a date that is given": chartOf("web/templates/b.yaml", printedMap("a2", `{{ date "2006" 0 }}-{{ ago now }}`)),
	} {
		files["web/templates/a.yaml"] = []byte(printedMap("a", "b"))
		found := ask(files, web)
		if found.err != nil || !strings.HasPrefix(found.names(), "ConfigMap/a") {
			t.Errorf("%s: %s %v", name, found.names(), found.err)
		}
	}
}

// Draws that do not show are the same in every process, even where a template acts on one in a thousand.
func TestDrawsTheSameInEveryProcess(t *testing.T) {
	files := chartOf("web/templates/a.yaml", `{{ $drawn := printf "%s%s%d%s" (randAlphaNum 40) uuidv4 (randInt 0 1000000) (randBytes 20) }}`+
		`{{ if has (substr 0 1 (sha256sum $drawn)) (list "0" "1" "2" "3" "4" "5" "6" "7") }}{{ end }}{{ fail $drawn }}`)
	if first, second := ask(files, web), ask(files, web); first.err.Message != second.err.Message {
		t.Error(first.err.Message, second.err.Message)
	}
}

func TestPutsMapsInOrder(t *testing.T) {
	files := chartOf(
		"web/values.yaml", "m: {a: 1, b: 2, c: 3, d: 4, e: 5, f: 6, g: 7, h: 8, i: 9, j: 10}\n",
		"web/templates/a.yaml", printedMap("a", `{{ keys .Values.m | join "" }}{{ values .Values.m | join "" }}{{ keys .Values.m .Values.m | len }}`),
	)
	for range 20 {
		found := ask(files, web)
		if found.err != nil || !strings.Contains(found.text(), `"key":"abcdefghij1234567891020"`) {
			t.Fatal(found)
		}
	}
}

func TestPrintsNoAddresses(t *testing.T) {
	files := chartOf("web/templates/a.yaml", printedMap("a", "{{ toString . | b64enc }}-{{ .Capabilities.KubeVersion }}-{{ .Capabilities.APIVersions.Has \"v1\" }}"))
	first, second := ask(files, web), ask(files, web)
	if first.err != nil || first.text() != second.text() {
		t.Error(first, second)
	}
	if !strings.Contains(first.text(), "-v1.34-true") {
		t.Error(first.text())
	}
	if found := ask(chartOf("web/templates/a.yaml", printedMap("a", `{{ printf "%%p%-10p" .Values }}`)), web); found.err == nil {
		t.Error("an address is printed")
	}
}

func TestWarnsOfLookups(t *testing.T) {
	found := ask(chartOf(
		"web/templates/a.yaml", printedMap("a", `{{ len (lookup "v1" "Secret" "a" "b") }}-{{ lookup "v1" "Secret" "" "" | len }}`),
		"web/templates/b.yaml", printedMap("b", `{{ if false }}{{ lookup "v1" "Secret" "a" "b" }}{{ end }}`),
		"web/templates/c.yaml", printedMap("c", `{{ tpl "{{ len (lookup \"v1\" \"Secret\" \"a\" \"b\") }}" . | quote }}`),
	), web)
	want := []warning{
		{Message: "uses 'lookup', which finds nothing here", File: "web/templates/a.yaml"},
		{Message: "uses 'lookup', which finds nothing here", File: "web/templates/c.yaml"},
	}
	if found.err != nil || !slices.Equal(found.warnings, want) {
		t.Error(found.err, found.warnings)
	}
}

func TestRandomnessIsWithinItsBudget(t *testing.T) {
	files := chartOf("web/templates/a.yaml", printedMap("a", "{{ randAlphaNum 5000 }}"))
	s := newState()
	s.trees["t"] = files
	found := askAgain(s, web, limits{BytesIn: 1000})
	if found.err == nil || found.err.Kind != overBudget {
		t.Error(found.err)
	}
}
