package main

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"fmt"
	"strings"
	"testing"
)

// archived packs files into a chart archive.
func archived(t *testing.T, files map[string]string) []byte {
	t.Helper()
	var packed bytes.Buffer
	zipped := gzip.NewWriter(&packed)
	archive := tar.NewWriter(zipped)
	for name, text := range files {
		if err := archive.WriteHeader(&tar.Header{Name: name, Size: int64(len(text)), Mode: 0o644}); err != nil {
			t.Fatal(err)
		}
		if _, err := archive.Write([]byte(text)); err != nil {
			t.Fatal(err)
		}
	}
	if err := archive.Close(); err != nil {
		t.Fatal(err)
	}
	if err := zipped.Close(); err != nil {
		t.Fatal(err)
	}
	return packed.Bytes()
}

const chartS = "apiVersion: v2\nname: s\nversion: 1.0.0\n"

func needing(dependencies string) string {
	return "apiVersion: v2\nname: web\nversion: 1.0.0\ndependencies: " + dependencies + "\n"
}

func TestLoadsChartsAsHelmDoes(t *testing.T) {
	own := printedMap("own", "b")
	for name, each := range map[string]struct {
		files tree
		want  string
	}{
		"ignored files": {chartOf("web/.helmignore", "a*.yaml\n/templates/d/\n", "web/templates/a1.yaml", own, "web/templates/d/x.yaml", own,
			"web/templates/b.yaml", own), "ConfigMap/own"},
		"negated":                {chartOf("web/.helmignore", "!*.yaml\n", "web/templates/a.yaml", own), ""},
		"dot files in templates": {chartOf("web/templates/.a.yaml", own, "web/templates/b.yaml", own), "ConfigMap/own"},
		"byte order marks":       {chartOf("web/values.yaml", "\ufeffa: own\n", "web/templates/a.yaml", "\ufeff"+printedMap("{{ .Values.a }}", "b")), "ConfigMap/own"},
		"charts in charts":       {chartOf("web/charts/s/Chart.yaml", chartS, "web/charts/s/templates/a.yaml", own, "web/charts/_x/y", "", "web/charts/.z", ""), "ConfigMap/own"},
		"an archive": {chartOf("web/charts/s-1.0.0.tgz", string(archived(t, map[string]string{"s/Chart.yaml": chartS, "s/templates/a.yaml": own}))),
			"ConfigMap/own"},
		"a library": {chartOf("web/charts/s/Chart.yaml", chartS+"type: library\n", "web/charts/s/templates/a.yaml", own,
			"web/charts/s/templates/_h.tpl", `{{ define "n" }}own{{ end }}`, "web/templates/a.yaml", printedMap(`{{ include "n" . }}`, "b")), "ConfigMap/own"},
		"one switched off": {chartOf("web/Chart.yaml", needing("[{name: s, version: 1.0.0, condition: s.enabled}]"), "web/values.yaml", "s: {enabled: false}\n",
			"web/charts/s/Chart.yaml", chartS, "web/charts/s/templates/a.yaml", own, "web/templates/b.yaml", own), "ConfigMap/own"},
		"notes and partials": {chartOf("web/templates/NOTES.txt", "{{ 1 }}", "web/templates/_a.yaml", "{{ 2 }}", "web/templates/a.yaml", own), "ConfigMap/own"},
		"apiVersion v1": {chartOf("web/Chart.yaml", "name: web\nversion: 1.0.0\n", "web/requirements.yaml", "dependencies: [{name: s, version: 1.0.0, repository: file://../s}]\n",
			"s/Chart.yaml", chartS, "s/templates/a.yaml", own), "ConfigMap/own"},
		"a file dependency with its own": {chartOf("web/Chart.yaml", needing("[{name: s, version: ^1.0.0, repository: file://../s}]"),
			"s/Chart.yaml", chartS+"dependencies: [{name: r, version: 1.0.0, repository: file://r}]\n", "s/r/Chart.yaml", strings.Replace(chartS, ": s", ": r", 1),
			"s/r/templates/a.yaml", own, "s/.helmignore", "r/templates/b*\n", "s/r/templates/b.yaml", own), "ConfigMap/own ConfigMap/own"},
		"one that charts/ has": {chartOf("web/Chart.yaml", needing("[{name: s, version: 1.0.0, repository: file://../none}]"),
			"web/charts/s/Chart.yaml", chartS, "web/charts/s/templates/a.yaml", own), "ConfigMap/own"},
		"one chart by two aliases": {chartOf("web/Chart.yaml", needing("[{name: s, version: 1.0.0, alias: a, repository: file://../s}, {name: s, version: 1.0.0, alias: b, repository: file://../s}]"),
			"s/Chart.yaml", chartS, "s/templates/a.yaml", printedMap("{{ .Chart.Name }}", "b")), "ConfigMap/a ConfigMap/b"},
	} {
		t.Run(name, func(t *testing.T) {
			if found := ask(each.files, web); found.err != nil || found.names() != each.want {
				t.Errorf("%s %v", found.names(), found.err)
			}
		})
	}
}

func TestTwoVersionsByFileStayTwo(t *testing.T) {
	files := chartOf(
		"web/Chart.yaml", needing("[{name: s, version: 1.0.0, alias: one, repository: file://../s1}, {name: s, version: 2.0.0, alias: two, repository: file://../s2}]"),
		"s1/Chart.yaml", chartS, "s1/templates/x.yaml", printedMap("{{ .Chart.Name }}", "from s1"), "s1/templates/only.yaml", printedMap("only-{{ .Chart.Name }}", "b"),
		"s2/Chart.yaml", strings.Replace(chartS, "1.0.0", "2.0.0", 1), "s2/templates/x.yaml", printedMap("{{ .Chart.Name }}", "from s2"),
	)
	found := ask(files, web)
	if found.err != nil || found.names() != "ConfigMap/only-one ConfigMap/one ConfigMap/two" {
		t.Fatal(found.names(), found.err)
	}
	for at, want := range []string{"s1/templates/only.yaml", "s1/templates/x.yaml", "s2/templates/x.yaml"} {
		if found.objects[at].Source != want {
			t.Error(found.objects[at].Source)
		}
	}
}

func TestRefusesChartsThatAreNotWhole(t *testing.T) {
	nested := tree{}
	for depth := range 12 {
		nested[fmt.Sprintf("c%d/Chart.yaml", depth)] = []byte(strings.Replace(
			needing(fmt.Sprintf("[{name: c%d, version: 1.0.0, repository: file://../c%d}]", depth+1, depth+1)), "web", fmt.Sprintf("c%d", depth), 1))
	}
	for name, each := range map[string]struct {
		files               tree
		kind, message, file string
	}{
		"no Chart.yaml":   {tree{"web/values.yaml": nil}, notRendered, "Chart.yaml file is missing", "web/Chart.yaml"},
		"missing":         {chartOf("web/Chart.yaml", needing("[{name: s, version: 1.0.0, repository: https://example.com}]")), notRendered, "the dependency 's' (from https://example.com) is not in charts/", "web/Chart.yaml"},
		"missing folder":  {chartOf("web/Chart.yaml", needing("[{name: s, version: 1.0.0, repository: file://../s}]")), notRendered, "is not in charts/", "web/Chart.yaml"},
		"outside":         {chartOf("web/Chart.yaml", needing("[{name: s, version: 1.0.0, repository: file://../../s}]")), notSafe, "leaves the folder", "web/Chart.yaml"},
		"absolute":        {chartOf("web/Chart.yaml", needing("[{name: s, version: 1.0.0, repository: file:///etc}]")), notSafe, "leaves the folder", "web/Chart.yaml"},
		"the root":        {chartOf("web/Chart.yaml", needing("[{name: s, version: 1.0.0, repository: file://..}]")), notSafe, "leaves the folder", "web/Chart.yaml"},
		"itself":          {chartOf("web/Chart.yaml", needing("[{name: web, version: 1.0.0, repository: file://../web}]")), overBudget, "nested deeper than 10", "web/Chart.yaml"},
		"too deep":        {nested, overBudget, "nested deeper than 10", "c11/Chart.yaml"},
		"another version": {chartOf("web/Chart.yaml", needing("[{name: s, version: 2.x, repository: file://../s}]"), "s/Chart.yaml", chartS), notRendered, "is version 1.0.0, not 2.x", "web/Chart.yaml"},
		"another name":    {chartOf("web/Chart.yaml", needing("[{name: r, version: 1.0.0, repository: file://../s}]"), "s/Chart.yaml", chartS), notRendered, "is a chart called 's'", "web/Chart.yaml"},
		"two of one version": {chartOf("web/Chart.yaml", needing("[{name: s, version: 1.0.0, alias: a, repository: file://../s}, {name: s, version: 1.0.0, alias: b, repository: file://../r}]"),
			"s/Chart.yaml", chartS, "r/Chart.yaml", chartS), notRendered, "has a version that the chart of that name in s fits", "web/Chart.yaml"},
		"two of one name":                 {chartOf("web/charts/a/Chart.yaml", chartS, "web/charts/b/Chart.yaml", chartS), notRendered, "two charts are called 's': web/charts/a and web/charts/b", "web/Chart.yaml"},
		"a library":                       {chartOf("web/Chart.yaml", chartS+"type: library\n"), notRendered, "library charts are not installable", "web/Chart.yaml"},
		"another apiVersion":              {chartOf("web/Chart.yaml", "apiVersion: v3\nname: web\nversion: 1.0.0\n"), notRendered, "unsupported chart version", "web/Chart.yaml"},
		"another Kubernetes":              {chartOf("web/Chart.yaml", chartS+"kubeVersion: '>=1.40'\n"), notRendered, "chart requires kubeVersion: >=1.40 which is incompatible with Kubernetes v1.34", "web/Chart.yaml"},
		"no archive":                      {chartOf("web/charts/s.tgz", "x"), notRendered, "not a chart archive", "web/charts/s.tgz"},
		"an archive outside of itself":    {chartOf("web/charts/s.tgz", string(archived(t, map[string]string{"s/../../x": "y"}))), notRendered, "not a chart archive", "web/charts/s.tgz"},
		"wrong .helmignore":               {chartOf("web/.helmignore", "a/**\n"), notRendered, "double-star", "web/.helmignore"},
		"values that are no mapping":      {chartOf("web/values.yaml", "[]\n"), notRendered, "cannot load values.yaml", "web/Chart.yaml"},
		"broken values of a chart inside": {chartOf("web/charts/s/Chart.yaml", chartS, "web/charts/s/values.yaml", "a: b\n  c: d\n"), notYAML, "not YAML", "web/charts/s/values.yaml"},
		"broken YAML in an archive":       {chartOf("web/charts/s.tgz", string(archived(t, map[string]string{"s/Chart.yaml": "a: *b"}))), notYAML, "", "web/charts/s.tgz/Chart.yaml"},
	} {
		t.Run(name, func(t *testing.T) {
			request := web
			if _, ok := each.files["c0/Chart.yaml"]; ok {
				request = &helmRequest{Folder: "c0"}
			}
			found := ask(each.files, request)
			if found.err == nil || found.err.Kind != each.kind || !strings.Contains(found.err.Message, each.message) || found.err.File != each.file {
				t.Errorf("%+v", found.err)
			}
		})
	}
}

func TestBombsInChartsEndWithinTheirBudget(t *testing.T) {
	bomb := "a: &a [1,1,1,1,1,1,1,1,1,1]\n"
	for letter := 'b'; letter < 'l'; letter++ {
		bomb += fmt.Sprintf("%c: &%c [%s*%c]\n", letter, letter, strings.Repeat(fmt.Sprintf("*%c, ", letter-1), 9), letter-1)
	}
	packed := string(archived(t, map[string]string{"s/Chart.yaml": chartS, "s/x": strings.Repeat("\x00", 40<<20)}))
	aliases := "["
	for number := range 40 {
		aliases += fmt.Sprintf("{name: %%s, version: 1.0.0, alias: a%d},", number)
	}
	aliases = strings.TrimSuffix(aliases, ",") + "]"
	inner := func(name, needs string) string {
		return strings.Replace(chartS, "name: s", "name: "+name, 1) + "dependencies: " + strings.ReplaceAll(aliases, "%s", needs) + "\n"
	}
	for name, files := range map[string]tree{
		"values":                 chartOf("web/values.yaml", bomb),
		"Chart.yaml":             chartOf("web/Chart.yaml", chartS+bomb),
		"Chart.lock":             chartOf("web/Chart.lock", bomb),
		"requirements":           chartOf("web/requirements.yaml", bomb),
		"values in an archive":   chartOf("web/charts/s.tgz", string(archived(t, map[string]string{"s/Chart.yaml": chartS, "s/values.yaml": bomb}))),
		"what a template prints": chartOf("web/templates/a.yaml", bomb),
		"CRDs":                   chartOf("web/crds/a.yaml", bomb),
		"documents":              chartOf("web/templates/a.yaml", "{{ range until 100000 }}---\na: b\n{{ end }}"),
		"text":                   chartOf("web/templates/a.yaml", `{{ range until 10000 }}{{ repeat 1000 "# " }}{{ end }}`),
		"archives":               chartOf("web/charts/s.tgz", packed, "web/charts/r.tgz", packed),
		"objects":                chartOf("web/templates/a.yaml", "{{ range until 2000 }}---\n"+printedMap("a", "b")+"{{ end }}"),
		"aliases of charts": chartOf("web/Chart.yaml", inner("web", "s"), "web/charts/s/Chart.yaml", inner("s", "r"),
			"web/charts/s/charts/r/Chart.yaml", inner("r", "q"), "web/charts/s/charts/r/charts/q/Chart.yaml", strings.Replace(chartS, ": s", ": q", 1)),
	} {
		t.Run(name, func(t *testing.T) {
			s := newState()
			s.trees["t"] = files
			found := askAgain(s, web, limits{BytesIn: 10 << 20, Nodes: 100_000, Objects: 1000, BytesOut: 10 << 20})
			if found.err == nil || found.err.Kind != overBudget || len(found.err.Message) > 500 {
				t.Errorf("%+v", found.err)
			}
		})
	}
}

func TestLastOfEqualKeysInValuesCounts(t *testing.T) {
	files := chartOf("web/values.yaml", "a: 1\nb: 2\na: 3\n", "web/templates/a.yaml", printedMap("a", "{{ .Values.a | quote }}"))
	s := newState()
	s.trees["t"] = files
	for range 2 { // the second time the chart is known
		found := askAgain(s, web, limits{})
		if found.err != nil || !strings.Contains(found.text(), `"key":"3"`) {
			t.Fatal(found)
		}
		if len(found.warnings) != 1 || found.warnings[0].File != "web/values.yaml" || found.warnings[0].Line != 3 {
			t.Error(found.warnings)
		}
	}
}

func TestEachRequestPaysForTheChart(t *testing.T) {
	s := newState()
	s.trees["t"] = chartOf("web/values.yaml", "a: ["+strings.Repeat("1,", 1000)+"1]\n", "web/templates/a.yaml", printedMap("a", "b"))
	if found := askAgain(s, web, limits{}); found.err != nil {
		t.Fatal(found.err)
	}
	for range 2 {
		if found := askAgain(s, web, limits{Nodes: 500}); found.err == nil || found.err.Kind != overBudget {
			t.Error(found.err)
		}
	}
}

// A rendering changes neither the chart nor its values for the next one.
func TestRenderingsAreIndependent(t *testing.T) {
	s := newState()
	s.trees["t"] = chartOf(
		"web/Chart.yaml", needing("[{name: s, version: 1.0.0, alias: other, condition: other.enabled}]")+"keywords: [b, a]\n",
		"web/values.yaml", "other: {enabled: true}\nm: {a: b}\n", "web/charts/s/Chart.yaml", chartS, "web/charts/s/templates/a.yaml", printedMap("s", "b"),
		"web/templates/a.yaml", printedMap("a", `{{ .Values.m.a }}{{ $_ := set .Values.m "a" "c" }}{{ .Chart.Keywords | join "" }}{{ $_ := sortAlpha .Chart.Keywords }}`),
	)
	first := askAgain(s, web, limits{})
	if first.err != nil || first.names() != "ConfigMap/s ConfigMap/a" {
		t.Fatal(first.names(), first.err)
	}
	if off := askAgain(s, &helmRequest{Folder: "web", Values: `{"other": {"enabled": false}}`}, limits{}); off.names() != "ConfigMap/a" {
		t.Error(off.names(), off.err)
	}
	again := askAgain(s, web, limits{})
	for at := range first.objects {
		if string(first.objects[at].Object) != string(again.objects[at].Object) {
			t.Error(string(again.objects[at].Object))
		}
	}
}
