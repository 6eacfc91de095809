//go:build !reader

package main

import (
	"path"
	"regexp"
	"slices"
	"strings"

	chart "helm.sh/helm/v4/pkg/chart/v2"
)

var action = regexp.MustCompile(`(?s)\{\{.*?\}\}`)

// callsFunction says whether an action in a template's text seems to call a function.
func callsFunction(text, function string) bool {
	if !strings.Contains(text, function) {
		return false
	}
	word := regexp.MustCompile(`(?:^|[^\w.$"])` + regexp.QuoteMeta(function) + `\b`)
	return slices.ContainsFunc(action.FindAllString(text, -1), word.MatchString)
}

// valueWith returns the value whose text calls a function, and is part of a text that a template puts together; or else
// any value whose text calls it.
func valueWith(values any, function, text string) string {
	found := ""
	eachString(values, func(value string) bool {
		if !callsFunction(value, function) {
			return false
		}
		isPart := strings.Contains(text, value)
		if found == "" || isPart {
			found = value
		}
		return isPart
	})
	return found
}

// eachString goes over all strings in a value, in order, until one is the right one.
func eachString(value any, isRight func(string) bool) bool {
	switch value := value.(type) {
	case string:
		return isRight(value)
	case []any:
		return slices.ContainsFunc(value, func(inner any) bool { return eachString(inner, isRight) })
	case map[string]any:
		return slices.ContainsFunc(sortedValues(value), func(inner any) bool { return eachString(inner, isRight) })
	}
	return false
}

// fileWith returns the file of a chart, or of one below it, that holds a text, and the line where the text begins.
func (r *release) fileWith(of *chart.Chart, text string) (string, int) {
	for _, file := range of.Files {
		if before, _, ok := strings.Cut(string(file.Data), text); ok {
			return path.Join(r.loaded.folder(of), file.Name), 1 + strings.Count(before, "\n")
		}
	}
	for _, sub := range of.Dependencies() {
		if file, line := r.fileWith(sub, text); file != "" {
			return file, line
		}
	}
	return "", 0
}
