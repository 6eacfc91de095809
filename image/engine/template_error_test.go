package main

import (
	"strings"
	"testing"
)

func TestPlacesErrorsOfTemplates(t *testing.T) {
	helper := "{{ define \"web.deep\" }}\n{{ .Values.a.b.c }}\n{{ end }}"
	for name, each := range map[string]struct {
		files    []string
		message  string
		file     string
		line     int
		hint     bool
		template string
	}{
		"parse error":      {[]string{"web/templates/a.yaml", "a\n{{ if }}\n"}, "Helm: missing value for if", "web/templates/a.yaml", 2, false, ""},
		"unclosed action":  {[]string{"web/templates/a.yaml", "a\n{{ if true"}, "Helm: unclosed action", "web/templates/a.yaml", 2, false, ""},
		"unknown function": {[]string{"web/templates/a.yaml", "a\n\n{{ foo }}\n"}, `Helm: function "foo" not defined`, "web/templates/a.yaml", 3, false, ""},
		"no env":           {[]string{"web/templates/a.yaml", `{{ env "HOME" }}`}, `Helm: function "env" not defined`, "web/templates/a.yaml", 1, false, ""},
		"fail":             {[]string{"web/templates/a.yaml", "a\n{{ fail \"first line\\n  second: line\" }}"}, "Helm: first line\n    second: line", "web/templates/a.yaml", 2, false, ""},
		"required":         {[]string{"web/templates/a.yaml", `{{ required "a is required" .Values.a }}`}, "Helm: a is required", "web/templates/a.yaml", 1, true, ""},
		"a missing value":  {[]string{"web/templates/a.yaml", "\n{{ .Values.a.b.c }}"}, `Helm: executing "web/templates/a.yaml" at <.Values.a.b.c>: nil pointer evaluating interface {}.b`, "web/templates/a.yaml", 2, true, ""},
		"in a helper": {[]string{"web/templates/a.yaml", "\n\n{{ include \"web.deep\" . }}", "web/templates/_h.tpl", helper},
			"Helm: executing \"web.deep\" at <.Values.a.b.c>: nil pointer evaluating interface {}.b\n    called in web/templates/a.yaml, line 3", "web/templates/_h.tpl", 2, true, ""},
		"in tpl": {[]string{"web/values.yaml", "text: \"x\\n{{ .Values.no.thing }}\"\n", "web/templates/a.yaml", "\n{{ tpl .Values.text . }}"},
			"Helm: in line 2 of a text that 'tpl' renders: executing \"gotpl\" at <.Values.no.thing>: nil pointer evaluating interface {}.thing", "web/templates/a.yaml", 2, true, "x\n{{ .Values.no.thing }}"},
		"broken tpl": {[]string{"web/values.yaml", "text: \"{{ foo }}\"\n", "web/templates/_h.tpl", "\n{{ define \"x\" }}{{ tpl .Values.text . }}{{ end }}", "web/templates/a.yaml", `{{ include "x" . }}`},
			`Helm: in line 1 of a text that 'tpl' renders: function "foo" not defined`, "web/templates/_h.tpl", 2, false, "{{ foo }}"},
		"tpl in tpl": {[]string{"web/values.yaml", "a: '{{ tpl .Values.b . }}'\nb: '{{ fail \"inner\" }}'\n", "web/templates/a.yaml", "{{ tpl .Values.a . }}"},
			"inner", "web/templates/a.yaml", 1, false, ""},
		"a text that looks like a place": {[]string{"web/values.yaml", "text: 'web/templates/other.yaml:77: {{ foo }}'\n", "web/templates/a.yaml", "{{ tpl .Values.text . }}"},
			`function "foo" not defined`, "web/templates/a.yaml", 1, false, "web/templates/other.yaml:77: {{ foo }}"},
		"in a chart by an alias": {[]string{"web/Chart.yaml", needing("[{name: s, version: 1.0.0, alias: other, repository: file://../lib}]"), "lib/Chart.yaml", chartS, "lib/templates/x/a.yaml", "\n{{ fail \"no\" }}"},
			"Helm: no", "lib/templates/x/a.yaml", 2, false, ""},
		"recursion":              {[]string{"web/templates/a.yaml", `{{ define "x" }}{{ include "x" . }}{{ end }}{{ include "x" . }}`}, "nested reference name: x", "web/templates/a.yaml", 1, false, ""},
		"a function that panics": {[]string{"web/templates/a.yaml", `{{ list | first | required "x" }}{{ dig "a" }}`}, "x", "web/templates/a.yaml", 1, false, ""},
	} {
		t.Run(name, func(t *testing.T) {
			found := ask(chartOf(each.files...), web)
			if found.err == nil || found.err.Kind != notRendered || !strings.Contains(found.err.Message, each.message) || len(found.err.Message) > 1000 {
				t.Fatalf("%+v", found.err)
			}
			if found.err.File != each.file || found.err.Line != each.line || (found.err.Hint != "") != each.hint {
				t.Errorf("%+v", found.err)
			}
			if each.template != "" && found.err.Template != each.template || strings.Contains(found.err.Message, beginMark) {
				t.Errorf("%+v", found.err)
			}
		})
	}
}

func TestLongErrorsAreCut(t *testing.T) {
	found := ask(chartOf("web/templates/a.yaml", `{{ fail (repeat 100000 "long\n") }}`), web)
	if found.err == nil || len(found.err.Message) > 1000 || !strings.Contains(found.err.Message, "more lines") {
		t.Error(found.err)
	}
}
