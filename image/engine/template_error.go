//go:build !reader

package main

import (
	"fmt"
	"path"
	"regexp"
	"strconv"
	"strings"
)

// Helm tells the place of an error by its text alone. Its forms (helm.sh/helm/v4/pkg/engine/engine.go):
//
//	parse error at (web/templates/a.yaml:3): unexpected "}" in operand
//	execution error at (web/templates/a.yaml:5:3): what a chart tells by 'fail' or 'required'
//	web/templates/a.yaml:1:3
//	  executing "web/templates/a.yaml" at <include "web.name" .>:
//	    error calling include:
//	web/templates/_helpers.tpl:8:7
//	  executing "web.name" at <.Values.a.b>:
//	    nil pointer evaluating interface {}.b
//	template: web/templates/a.yaml:1:3: executing "web/templates/a.yaml" at <tpl .Values.text .>: error calling tpl:
//	  error during tpl function execution for "the text": template: gotpl:1:3: executing "gotpl" at <...>: ...
var (
	templatePlace = regexp.MustCompile(`(?:[^\s:"'()<>]+/)?(?:templates|crds)/[^\s:"'()<>]+:(\d+)(?::\d+)?`)
	errorHead     = regexp.MustCompile(`^(?:parse|execution) error (?:at|in) \([^\n]*?\): `)
	executing     = regexp.MustCompile(`executing "[^"\n]*" at <`)
	textInTpl     = regexp.MustCompile(`(?:error during tpl function execution for|cannot parse template) "`)
	lineInTpl     = regexp.MustCompile(`^template: [^:\n]+:(\d+)(?::\d+)?: `)
	missingValue  = regexp.MustCompile(`nil pointer evaluating|no entry for key|\brequired\b`)
)

const (
	maxCallers = 3
	maxWords   = 100_000 // of an error, whose text a template may choose
	calledIn   = "\n    called in "
)

// explain places an error of Helm's templates in the tree. The innermost of the places that Helm names comes last.
func (r *release) explain(err error) *failure {
	words := clip(err.Error(), maxWords)
	found := &failure{Kind: notRendered, File: path.Join(r.request.Folder, "Chart.yaml")}
	outside, text, inside := cutTpl(words)
	places := r.placesIn(outside)
	if len(places) > 0 {
		found.File, found.Line = places[len(places)-1].File, places[len(places)-1].Line
	}
	found.Template = text
	if match := lineInTpl.FindStringSubmatch(inside); match != nil && text != "" {
		found.Message = fmt.Sprintf("Helm: in line %s of a text that 'tpl' renders: %s", match[1], shortened(inside[len(match[0]):]))
	} else {
		found.Message = "Helm: " + shortened(inside)
	}
	for at := len(places) - 2; at >= 0 && at >= len(places)-1-maxCallers; at-- {
		found.Message += fmt.Sprintf(calledIn+"%s, line %d", places[at].File, places[at].Line)
	}
	if missingValue.MatchString(words) {
		found.Hint = "a value is missing: set it in the app's values, or give it a default in the chart"
	}
	return found
}

// placesIn returns the places that Helm names, each once.
func (r *release) placesIn(words string) []warning {
	var places []warning
	for _, match := range templatePlace.FindAllStringSubmatch(words, -1) {
		name, _, _ := strings.Cut(match[0], ":")
		line, err := strconv.Atoi(match[1])
		place := warning{File: r.source(name), Line: line}
		if err == nil && (len(places) == 0 || places[len(places)-1] != place) {
			places = append(places, place)
		}
	}
	return places
}

// cutTpl returns the innermost text that went through tpl, and what Helm says before the outermost and behind the
// innermost. The texts themselves may look like anything.
func cutTpl(words string) (outside, text, inside string) {
	outside, inside = words, words
	for {
		at := textInTpl.FindStringIndex(inside)
		if at == nil {
			return outside, text, inside
		}
		if text == "" {
			outside = inside[:at[0]]
		}
		quoted, err := strconv.QuotedPrefix(inside[at[1]-1:])
		if err != nil {
			return outside, text, inside
		}
		text, _ = strconv.Unquote(quoted)
		inside = strings.TrimPrefix(inside[at[1]-1+len(quoted):], ": ")
	}
}

// shortened leaves of an error what is not told otherwise: what was executed at last, and what is wrong with it.
func shortened(words string) string {
	words = errorHead.ReplaceAllString(words, "")
	if all := executing.FindAllStringIndex(words, -1); all != nil {
		words = words[all[len(all)-1][0]:]
	}
	lines := []string{}
	for line := range strings.Lines(words) {
		if line = strings.TrimSpace(line); line != "" {
			lines = append(lines, clip(line, 500))
		}
	}
	if len(lines) > 12 {
		lines = append(lines[:12], fmt.Sprintf("... (%d more lines)", len(lines)-12))
	}
	// "executing ... at <...>:" stands on a line of its own.
	if len(lines) > 1 && strings.HasSuffix(lines[0], ">:") {
		lines = append([]string{lines[0] + " " + lines[1]}, lines[2:]...)
	}
	return strings.Join(lines, "\n    ")
}
