//go:build !reader

package main

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"path"
	"slices"
	"strings"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"github.com/santhosh-tekuri/jsonschema/v6/kind"
	"helm.sh/helm/v4/pkg/chart/common"
	chart "helm.sh/helm/v4/pkg/chart/v2"
)

const schemaURL = "file:///values.schema.json" // as Helm calls it

// validate checks values as Helm's ValidateAgainstSchema does (helm.sh/helm/v4/pkg/chart/common/util/jsonschema.go), and
// tells it in Helm's words. Helm's own function would open what a schema refers to: files and addresses.
func (l *loadedChart) validate(of *chart.Chart, values map[string]any) error {
	found := &complaints{}
	if err := l.eachSchema(of, values, nil, found); err != nil || found.words == "" {
		return err
	}
	hint := ""
	if slices.ContainsFunc(found.refused, refusedValue.isGlobal) {
		hint = "Helm passes 'global' to each subchart, so its schema has to allow that key"
	}
	return &failure{
		Kind: notValid, File: found.file, Refused: found.refused, Hint: hint,
		Message: "values don't meet the specifications of the schema(s) in the following chart(s):\n" + strings.TrimRight(found.words, "\n"),
	}
}

// complaints are what the schemas of a chart, and of those below it, have against its values.
type complaints struct {
	words   string
	file    string // the first schema that complains
	refused []refusedValue
}

const maxRefused = 20

func (c *complaints) add(of *chart.Chart, file, words string, refused []refusedValue) {
	c.words += of.Name() + ":\n" + words
	c.file = cmp.Or(c.file, file)
	c.refused = append(c.refused, refused...)
	c.refused = c.refused[:min(len(c.refused), maxRefused)]
}

// eachSchema checks a chart, whose values lie at a path of all values, and those below it.
func (l *loadedChart) eachSchema(of *chart.Chart, values map[string]any, place []string, all *complaints) error {
	file := path.Join(l.folder(of), "values.schema.json")
	if of.Schema != nil {
		words, refused, err := l.complaint(of, values)
		if err != nil {
			return err
		}
		for at := range refused {
			refused[at].Path = slices.Concat(place, refused[at].Path)
		}
		if words != "" {
			all.add(of, file, words, refused)
		}
	}
	for _, sub := range of.Dependencies() {
		below := append(slices.Clone(place), sub.Name())
		inner, ok := values[sub.Name()].(map[string]any)
		if !ok {
			if found := values[sub.Name()]; found != nil {
				all.add(sub, file, fmt.Sprintf("invalid type for values: expected object (map), got %T\n", found), []refusedValue{{Path: below}})
			}
			continue
		}
		if err := l.eachSchema(sub, inner, below, all); err != nil {
			return err
		}
	}
	return nil
}

// complaint returns what a chart's schema has against its values.
func (l *loadedChart) complaint(of *chart.Chart, values common.Values) (complaint string, refused []refusedValue, err error) {
	defer func() {
		if found := recover(); found != nil {
			complaint = fmt.Sprintf("unable to validate schema: %v\n", found)
		}
	}()
	schema, ok := l.schemas[of.Raw[0]]
	if !ok {
		schema, err = compileSchema(of.Schema)
		if found, refused := errors.AsType[*failure](err); refused {
			found.File = path.Join(l.folder(of), "values.schema.json")
			return "", nil, found
		}
		if err != nil {
			return err.Error() + "\n", nil, nil
		}
		l.schemas[of.Raw[0]] = schema
	}
	err = schema.Validate(values.AsMap())
	if found, ok := errors.AsType[*jsonschema.ValidationError](err); ok {
		sortCauses(found)
		words := strings.TrimPrefix(found.Error(), "jsonschema validation failed with '"+schemaURL+"#'\n") + "\n"
		return words, refusedBy(found, nil), nil
	}
	return "", nil, err
}

// refusedBy collects the values that a schema refuses; one that is missing is none.
func refusedBy(of *jsonschema.ValidationError, found []refusedValue) []refusedValue {
	if len(found) > maxRefused {
		return found
	}
	for _, cause := range of.Causes {
		found = refusedBy(cause, found)
	}
	switch why := of.ErrorKind.(type) {
	case *kind.AdditionalProperties:
		for _, name := range slices.Sorted(slices.Values(why.Properties)) {
			found = append(found, refusedValue{append(slices.Clone(of.InstanceLocation), name), true})
		}
	case *kind.Required:
	default:
		if len(of.Causes) == 0 && len(of.InstanceLocation) > 0 {
			found = append(found, refusedValue{Path: slices.Clone(of.InstanceLocation)})
		}
	}
	return found
}

func compileSchema(text []byte) (*jsonschema.Schema, error) {
	document, err := jsonschema.UnmarshalJSON(bytes.NewReader(text))
	if err != nil {
		return nil, err
	}
	outside := &outsideLoader{}
	compiler := jsonschema.NewCompiler()
	compiler.UseLoader(jsonschema.SchemeURLLoader{"file": outside, "http": outside, "https": outside, "urn": anyLoader{}})
	if err := compiler.AddResource(schemaURL, document); err != nil {
		return nil, err
	}
	schema, err := compiler.Compile(schemaURL)
	if outside.refused != nil {
		return nil, outside.refused
	}
	return schema, err
}

// outsideLoader refuses what a schema refers to. Nothing is read: neither the machine's files nor the network.
type outsideLoader struct{ refused *failure }

func (l *outsideLoader) Load(url string) (any, error) {
	l.refused = &failure{
		Kind: notSafe, Message: fmt.Sprintf("the schema of the chart refers to %s, which is not read", clip(url, 300)),
		Hint: "put what it refers to below '$defs' of values.schema.json itself",
	}
	return nil, l.refused
}

// anyLoader lets everything pass, as Helm does for urn: addresses that it does not know.
type anyLoader struct{}

func (anyLoader) Load(string) (any, error) { return true, nil }

// sortCauses puts complaints in order: the library goes over maps.
func sortCauses(of *jsonschema.ValidationError) {
	for _, cause := range of.Causes {
		sortCauses(cause)
	}
	slices.SortStableFunc(of.Causes, func(a, b *jsonschema.ValidationError) int {
		return cmp.Or(slices.Compare(a.InstanceLocation, b.InstanceLocation), cmp.Compare(a.Error(), b.Error()))
	})
}
