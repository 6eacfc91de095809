//go:build !reader

package main

import (
	"crypto/rand"
	"fmt"
	"path"
	"reflect"
	"strings"
	"text/template"

	"helm.sh/helm/v4/pkg/chart/common"
	chart "helm.sh/helm/v4/pkg/chart/v2"
)

// Helm does not say which template calls a function. So each template that Helm renders by itself gets a mark at its begin
// and its end, calls that print nothing. A template cannot forge them: it does not know their names.
var beginMark, endMark = func() (string, string) {
	name := "mark" + rand.Text()
	return name + "Begin", name + "End"
}()

// marked returns a chart's templates with their marks.
func marked(templates []*common.File, place string) []*common.File {
	found := make([]*common.File, len(templates))
	for at, file := range templates {
		found[at] = file
		if !strings.HasPrefix(path.Base(file.Name), "_") {
			begin := fmt.Sprintf("{{ %s %q }}", beginMark, path.Join(place, file.Name))
			text := begin + string(file.Data) + "{{ " + endMark + " }}"
			found[at] = &common.File{Name: file.Name, Data: []byte(text)}
		}
	}
	return found
}

// templates are those of a chart, which all its copies share.
type templates struct {
	plain, marked []*common.File
}

// setMarks gives a chart, and those below it, their templates with or without marks.
func (l *loadedChart) setMarks(of *chart.Chart, marked bool) {
	if of.Templates = l.templates[of.Raw[0]].plain; marked {
		of.Templates = l.templates[of.Raw[0]].marked
	}
	for _, sub := range of.Dependencies() {
		l.setMarks(sub, marked)
	}
}

// files notes what the templates do that Helm renders by themselves, by their places in the tree.
type files struct {
	current string // the one that Helm renders, which may include others
	depth   int
	draws   map[string]bool
	changes map[string]bool // whether it changed values, which others see
	lookups map[string]bool
}

func newFiles() files {
	return files{draws: map[string]bool{}, changes: map[string]bool{}, lookups: map[string]bool{}}
}

// changing are the functions that change what they are given.
var changing = []string{"set", "unset", "merge", "mergeOverwrite", "mustMerge", "mustMergeOverwrite", "sortAlpha"}

func (f *files) addFunctions(functions template.FuncMap) {
	functions[beginMark] = func(place string) string {
		if f.depth++; f.depth == 1 {
			f.current = place
		}
		return ""
	}
	functions[endMark] = func() string {
		f.depth--
		return ""
	}
	functions["lookup"] = func(string, string, string, string) (map[string]any, error) {
		f.lookups[f.current] = true
		return map[string]any{}, nil
	}
	for _, name := range changing {
		functions[name] = f.noted(name)
	}
}

func (f *files) noted(name string) any {
	function := reflect.ValueOf(sprigFunctions[name])
	call := function.Call
	if function.Type().IsVariadic() {
		call = function.CallSlice
	}
	return reflect.MakeFunc(function.Type(), func(arguments []reflect.Value) []reflect.Value {
		f.changes[f.current] = true
		return call(arguments)
	}).Interface()
}

// mayMatter says whether what the templates drew may have reached an object, by what they did: it cannot where all that a
// template printed is dropped, and it changed nothing that others see. Charts have names by chance in their tests.
func (f *files) mayMatter(sent []answer) bool {
	for file := range f.draws {
		if file == "" || f.changes[file] { // templates without marks say nothing
			return true
		}
		for _, object := range sent {
			if object.Source == file {
				return true
			}
		}
	}
	return false
}
