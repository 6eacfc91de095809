//go:build !reader

package main

import (
	"errors"
	"maps"
	"path"
	"strings"
	"text/template"
	"text/template/parse"
	_ "unsafe" // for go:linkname

	ci "helm.sh/helm/v4/pkg/chart"
	"helm.sh/helm/v4/pkg/chart/common"
	chart "helm.sh/helm/v4/pkg/chart/v2"
)

// Helm's engine parses all templates of a chart for each render, which takes a quarter of the time of one. Here a chart's
// templates are parsed once in the life of the process. All else is Helm's: what a template sees, its functions, and the
// loop (Engine.render in helm.sh/helm/v4/pkg/engine/engine.go). What does not succeed here is left to Helm, for its words.

// renderable is laid out as Helm's type of that name.
type renderable struct {
	tpl      string
	vals     common.Values
	basePath string
}

// These are Helm's own, which it does not export. Where a new version has others, every test that renders a chart fails.

//go:linkname allTemplates helm.sh/helm/v4/pkg/engine.allTemplates
func allTemplates(of ci.Charter, values common.Values) map[string]renderable

//go:linkname sortTemplates helm.sh/helm/v4/pkg/engine.sortTemplates
func sortTemplates(all map[string]renderable) []string

//go:linkname funcMap helm.sh/helm/v4/pkg/engine.funcMap
func funcMap() template.FuncMap

//go:linkname includeFun helm.sh/helm/v4/pkg/engine.includeFun
func includeFun(of *template.Template, included map[string]int) func(string, any) (string, error)

//go:linkname tplFun helm.sh/helm/v4/pkg/engine.tplFun
func tplFun(of *template.Template, included map[string]int, strict bool) func(string, any) (string, error)

// parsed is what a file of a chart defines: itself and others, by their names.
type parsed struct {
	text  string
	trees map[string]*parse.Tree
}

// renderQuickly gives what the templates of a chart print; false where any of them fails.
func (l *loadedChart) renderQuickly(of *chart.Chart, values common.Values, own template.FuncMap) (printed map[string]string, ok bool) {
	defer func() {
		if recover() != nil {
			printed, ok = nil, false
		}
	}()
	all := allTemplates(of, values)
	set := template.New("gotpl").Option("missingkey=zero")
	functions := funcMap()
	addOwn(functions, set, own)
	set.Funcs(functions)
	names := sortTemplates(all)
	for _, name := range names {
		file, err := l.parse(name, all[name].tpl, functions)
		if err != nil {
			return nil, false
		}
		added := set.New(name)
		for defined, tree := range file.trees {
			if _, err := added.AddParseTree(defined, tree); err != nil {
				return nil, false
			}
		}
	}
	printed = make(map[string]string, len(names))
	for _, name := range names {
		if strings.HasPrefix(path.Base(name), "_") {
			continue
		}
		seen := all[name].vals
		seen["Template"] = common.Values{"Name": name, "BasePath": all[name].basePath}
		var text strings.Builder
		if set.ExecuteTemplate(&text, name, seen) != nil {
			return nil, false
		}
		printed[name] = strings.ReplaceAll(text.String(), noValue, "")
	}
	return printed, true
}

var errLeftToHelm = errors.New("told by Helm")

// noValue is what Go prints for what is missing, and Helm takes away.
const noValue = "<no value>"

// addOwn adds the functions that Helm binds to the set of templates, and ours, as Engine.initFunMap does.
func addOwn(to template.FuncMap, set *template.Template, own template.FuncMap) {
	included := map[string]int{}
	renderText := tplFun(set, included, false)
	to["include"] = includeFun(set, included)
	to["tpl"] = func(text string, values any) (string, error) {
		if !strings.Contains(text, "{{") { // no template: Helm would copy the whole set to find out
			return strings.ReplaceAll(text, noValue, ""), nil
		}
		return renderText(text, values)
	}
	to["required"] = func(message string, value any) (any, error) {
		if value == nil || value == "" {
			return nil, errLeftToHelm
		}
		return value, nil
	}
	to["fail"] = func(string) (string, error) { return "", errLeftToHelm }
	to["getHostByName"] = func(string) string { return "" }
	maps.Copy(to, own)
}

// parse returns what a file defines. The same file is parsed once.
func (l *loadedChart) parse(name, text string, functions template.FuncMap) (*parsed, error) {
	if known := l.parsed[name]; known != nil && known.text == text {
		return known, nil
	}
	read, err := template.New(name).Funcs(functions).Parse(text)
	if err != nil {
		return nil, err
	}
	found := &parsed{text: text, trees: map[string]*parse.Tree{}}
	for _, each := range read.Templates() {
		found.trees[each.Name()] = each.Tree
	}
	l.parsed[name] = found
	return found, nil
}
