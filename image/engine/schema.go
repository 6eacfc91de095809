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
	"helm.sh/helm/v4/pkg/chart/common"
	chart "helm.sh/helm/v4/pkg/chart/v2"
)

const schemaURL = "file:///values.schema.json" // as Helm calls it

// validate checks values as Helm's ValidateAgainstSchema does (helm.sh/helm/v4/pkg/chart/common/util/jsonschema.go), and
// tells it in Helm's words. Helm's own function would open what a schema refers to: files and addresses.
func (l *loadedChart) validate(of *chart.Chart, values map[string]any) error {
	complaints, file := "", ""
	err := l.eachSchema(of, values, func(of *chart.Chart, complaint string) {
		complaints += of.Name() + ":\n" + complaint
		if file == "" {
			file = path.Join(l.folder(of), "values.schema.json")
		}
	})
	if err != nil || complaints == "" {
		return err
	}
	return &failure{
		Kind: notValid, File: file,
		Message: "values don't meet the specifications of the schema(s) in the following chart(s):\n" + strings.TrimRight(complaints, "\n"),
	}
}

// eachSchema checks a chart and those below it, and calls complain for each that refuses its values.
func (l *loadedChart) eachSchema(of *chart.Chart, values map[string]any, complain func(*chart.Chart, string)) error {
	if of.Schema != nil {
		complaint, err := l.complaint(of, values)
		if err != nil {
			return err
		}
		if complaint != "" {
			complain(of, complaint)
		}
	}
	for _, sub := range of.Dependencies() {
		inner, ok := values[sub.Name()].(map[string]any)
		if !ok {
			if found := values[sub.Name()]; found != nil {
				complain(sub, fmt.Sprintf("invalid type for values: expected object (map), got %T\n", found))
			}
			continue
		}
		if err := l.eachSchema(sub, inner, complain); err != nil {
			return err
		}
	}
	return nil
}

// complaint returns what a chart's schema has against its values.
func (l *loadedChart) complaint(of *chart.Chart, values common.Values) (complaint string, err error) {
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
			return "", found
		}
		if err != nil {
			return err.Error() + "\n", nil
		}
		l.schemas[of.Raw[0]] = schema
	}
	err = schema.Validate(values.AsMap())
	if found, ok := errors.AsType[*jsonschema.ValidationError](err); ok {
		sortCauses(found)
		return strings.TrimPrefix(found.Error(), "jsonschema validation failed with '"+schemaURL+"#'\n") + "\n", nil
	}
	return "", err
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
