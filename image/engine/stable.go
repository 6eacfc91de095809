//go:build !reader

package main

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"sort"
	"strings"
)

// renderStable renders a chart, and refuses one that gives something else each time. A chart whose objects may come from a
// function that draws random numbers or reads the clock is rendered once more, with other results of all these calls.
func renderStable(loaded *loadedChart, request *helmRequest, out *result, on *budget) (*rendering, error) {
	r, err := newRelease(loaded, request, out.request)
	if err != nil {
		return nil, err
	}
	found, err := r.render(newChance(noCall, loaded.drawn), on)
	if err != nil {
		return nil, err
	}
	out.warnings = append(out.warnings, found.warnings...)
	for _, file := range slices.Sorted(maps.Keys(found.chance.files.lookups)) {
		out.warnings = append(out.warnings, warning{Message: "uses 'lookup', which finds nothing here", File: file})
	}
	if !found.chance.files.mayMatter(found.objects) {
		return found, nil
	}
	compared := &comparison{first: found, limits: on.limits}
	if !compared.matter(everyCall) {
		return found, nil
	}
	return nil, compared.explain()
}

// comparison finds out which calls matter to the objects.
type comparison struct {
	first  *rendering
	limits limits
}

func (c *comparison) vary(varies choice) (*rendering, error) {
	return c.first.render(newChance(varies, c.first.loaded.drawn), newBudget(c.limits))
}

// matter says whether other results of some calls give other objects, or an error.
func (c *comparison) matter(varies choice) bool {
	other, err := c.vary(varies)
	return err != nil || !slices.EqualFunc(c.first.objects, other.objects, sameObject)
}

func sameObject(a, b answer) bool {
	return string(a.Object) == string(b.Object) && a.Text == b.Text && a.Source == b.Source && slices.Equal(a.Hook, b.Hook)
}

// explain names the functions that matter, the first call of them that does, and where its result shows.
func (c *comparison) explain() error {
	functions := c.functions()
	number, varies := c.firstCall(functions[0])
	function := c.first.chance.calls[number]
	found := &failure{Kind: notStable, Functions: functions, Hint: wayOut(function)}
	other, err := c.vary(varies)
	if err != nil {
		found.Message = fmt.Sprintf("'%s' gives something else at every hydration, and may make the template fail", function)
	} else {
		changed, source := difference(c.first.objects, other.objects)
		found.Message = fmt.Sprintf("%s changes with every hydration, because of '%s'", changed, function)
		found.File = source
	}
	c.place(found, number)
	return found
}

// functions returns those that matter alone, in the order of their first calls; or all that were called.
func (c *comparison) functions() []string {
	called, matter := []string{}, []string{}
	for _, function := range c.first.chance.calls {
		if !slices.Contains(called, function) {
			called = append(called, function)
		}
	}
	for _, name := range called {
		if c.matter(func(_ int, function string) bool { return function == name }) {
			matter = append(matter, name)
		}
	}
	if len(matter) == 0 {
		return called
	}
	return matter
}

// firstCall returns the call of a function that, together with those before it, changes the objects.
func (c *comparison) firstCall(name string) (int, choice) {
	var calls []int
	for number, function := range c.first.chance.calls {
		if function == name {
			calls = append(calls, number)
		}
	}
	upTo := func(at int) choice {
		return func(number int, function string) bool { return function == name && number <= calls[at] }
	}
	at := sort.Search(len(calls), func(at int) bool { return c.matter(upTo(at)) })
	if at == len(calls) { // only together with other functions
		return calls[0], everyCall
	}
	return calls[at], upTo(at)
}

// place finds where a call stands: it fails in one more rendering, and Helm tells the place.
func (c *comparison) place(found *failure, number int) {
	stopped := newChance(noCall, c.first.loaded.drawn)
	stopped.stop = number
	_, err := c.first.render(stopped, newBudget(c.limits))
	told, ok := errors.AsType[*failure](err)
	if !ok || len(stopped.calls) <= number {
		return
	}
	found.File, found.Line = told.File, told.Line
	if _, callers, ok := strings.Cut(told.Message, calledIn); ok {
		found.Message += calledIn + callers
	}
	if told.Template == "" {
		return
	}
	function := c.first.chance.calls[number]
	if value := valueWith(c.first.values.AsMap(), function, told.Template); value != "" {
		found.Template = value
	} else if file, line := c.first.fileWith(c.first.chart, told.Template); file != "" {
		found.File, found.Line = file, line
	} else {
		found.Template = told.Template
	}
}

func wayOut(function string) string {
	const outside = "create the Secret outside of the template and refer to it by name"
	switch {
	case strings.HasPrefix(function, "gen"):
		return outside + "; cert-manager issues certificates"
	case function == "htpasswd", function == "bcrypt", function == "encryptAES":
		return "its result is salted: " + outside
	case strings.Contains(strings.ToLower(function), "date"), function == "now", function == "ago", function == "durationRound":
		return "take the time out of the template, or set it in the app's values"
	default:
		return "set the value that the template makes up when it is not set; or " + outside
	}
}

// difference names the first object that differs, the field of it, and the file that it is from.
func difference(first, second []answer) (changed, source string) {
	for at := range min(len(first), len(second)) {
		if sameObject(first[at], second[at]) {
			continue
		}
		var a, b map[string]any
		if decode(first[at].Object, &a) != nil || decode(second[at].Object, &b) != nil {
			break
		}
		return describe(a, differing(a, b, nil)), first[at].Source
	}
	longer := first
	if len(second) > len(first) {
		longer = second
	}
	last := longer[len(longer)-1]
	return fmt.Sprintf("the number of objects of %s", last.Source), last.Source
}

func describe(object map[string]any, field []any) string {
	kind, _ := object["kind"].(string)
	metadata, _ := object["metadata"].(map[string]any)
	name, _ := metadata["name"].(string)
	described := clip(strings.TrimSpace(kind+" "+name), 300)
	if len(field) > 0 {
		described += ": " + dotted(field)
	}
	return described
}

// differing returns the path to the first field that two values do not have in common.
func differing(a, b any, above []any) []any {
	switch a := a.(type) {
	case map[string]any:
		if b, ok := b.(map[string]any); ok {
			for _, key := range sortedKeys(a, b) {
				if found := differing(a[key], b[key], append(above[:len(above):len(above)], key)); found != nil {
					return found
				}
			}
			return nil
		}
	case []any:
		if b, ok := b.([]any); ok && len(a) == len(b) {
			for at := range a {
				if found := differing(a[at], b[at], append(above[:len(above):len(above)], at)); found != nil {
					return found
				}
			}
			return nil
		}
	default:
		if a == b {
			return nil
		}
	}
	return above
}
