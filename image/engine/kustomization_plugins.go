//go:build !reader

package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"reflect"
	"strings"

	//lint:ignore SA1019 the fields of Kustomize's own plugins are nowhere else
	"sigs.k8s.io/kustomize/api/builtins"
	"sigs.k8s.io/kustomize/api/types"
)

// inline says whether a string of a kustomization is YAML itself.
type inline int

const (
	neverInline inline = iota
	maybeInline        // a path when it is no YAML of an object, as Kustomize finds out
	alwaysInline
)

// checkInline checks what is YAML itself, before Kustomize follows its aliases. It returns the paths that are left: the
// mention itself, or what an inline plugin names.
func (m mention) checkInline(in *document, file string, out *result) ([]mention, error) {
	if m.inline == neverInline || m.inline == maybeInline && !strings.ContainsAny(m.path, "\n:{[&") {
		return []mention{m}, nil
	}
	read := readData
	if m.use == asPlugin {
		read = readYAML
	}
	documents, err := read(m.path, "", out)
	if m.inline == maybeInline && isPath(m.path, documents, err) {
		return []mention{m}, nil
	}
	var found []mention
	if err == nil && m.use == asPlugin {
		found, err = pluginsIn(documents, "", out)
	}
	for at := range found {
		found[at].place = m.place
	}
	return found, m.placed(err, in, file)
}

func readYAML(text, file string, out *result) ([]document, error) {
	return readStream(text, file, out, false)
}

// readData reads YAML that Kustomize itself reads. JSON has no aliases, and Kustomize takes some that is no YAML, indented
// by tabs: it is only counted.
func readData(text, file string, out *result) ([]document, error) {
	if !strings.HasPrefix(text, "{") && !strings.HasPrefix(text, "[") || !json.Valid([]byte(text)) {
		return readYAML(text, file, out)
	}
	return []document{{json: []byte(text), text: text, line: 1}}, takeJSON([]byte(text), out)
}

// isPath says whether Kustomize takes a string for a path: it is no YAML of an object. What is over a limit is none.
func isPath(text string, documents []document, err error) bool {
	if found, ok := errors.AsType[*failure](err); ok {
		return found.Kind != overBudget && !strings.Contains(text, "\n")
	}
	for _, each := range documents {
		if each.json[0] == '{' {
			return false
		}
	}
	return !strings.Contains(text, "\n")
}

// placed says where an error in inline YAML is: where the kustomization has it.
func (m mention) placed(err error, in *document, file string) error {
	found, ok := errors.AsType[*failure](err)
	if !ok {
		return err
	}
	return in.failAt(found.Kind, m.place, file, dotted(m.place)+": "+found.Message, found.Hint)
}

// plugins are Kustomize's own, by kind. HelmChartInflationGenerator would start Helm: `helmCharts` is rendered here.
var plugins = map[string]reflect.Type{
	"AnnotationsTransformer":         reflect.TypeFor[builtins.AnnotationsTransformerPlugin](),
	"ConfigMapGenerator":             reflect.TypeFor[builtins.ConfigMapGeneratorPlugin](),
	"HashTransformer":                reflect.TypeFor[builtins.HashTransformerPlugin](),
	"IAMPolicyGenerator":             reflect.TypeFor[builtins.IAMPolicyGeneratorPlugin](),
	"ImageTagTransformer":            reflect.TypeFor[builtins.ImageTagTransformerPlugin](),
	"LabelTransformer":               reflect.TypeFor[builtins.LabelTransformerPlugin](),
	"NamespaceTransformer":           reflect.TypeFor[builtins.NamespaceTransformerPlugin](),
	"PatchJson6902Transformer":       reflect.TypeFor[builtins.PatchJson6902TransformerPlugin](),
	"PatchStrategicMergeTransformer": reflect.TypeFor[builtins.PatchStrategicMergeTransformerPlugin](),
	"PatchTransformer":               reflect.TypeFor[builtins.PatchTransformerPlugin](),
	"PrefixSuffixTransformer":        reflect.TypeFor[prefixSuffix](),
	"PrefixTransformer":              reflect.TypeFor[builtins.PrefixTransformerPlugin](),
	"ReplacementTransformer":         reflect.TypeFor[builtins.ReplacementTransformerPlugin](),
	"ReplicaCountTransformer":        reflect.TypeFor[builtins.ReplicaCountTransformerPlugin](),
	"SecretGenerator":                reflect.TypeFor[builtins.SecretGeneratorPlugin](),
	"SuffixTransformer":              reflect.TypeFor[builtins.SuffixTransformerPlugin](),
	"ValueAddTransformer":            reflect.TypeFor[builtins.ValueAddTransformerPlugin](),
}

// prefixSuffix has the fields of two plugins, which Kustomize gives the same configuration.
type prefixSuffix struct {
	Prefix     string            `json:"prefix"`
	Suffix     string            `json:"suffix"`
	FieldSpecs []types.FieldSpec `json:"fieldSpecs"`
}

// loadPlugins reads the text of a file of generators or transformers and returns what it names.
func loadPlugins(text, file string, out *result) ([]mention, error) {
	documents, err := readStream(text, file, out, false)
	if err != nil {
		return nil, err
	}
	return pluginsIn(documents, file, out)
}

func pluginsIn(documents []document, file string, out *result) ([]mention, error) {
	var all []mention
	for _, each := range documents {
		if string(each.json) == "null" {
			continue
		}
		found, err := each.plugin(file, out)
		if err != nil {
			return all, err
		}
		all = append(all, found...)
	}
	return all, nil
}

// plugin checks the configuration of one generator or transformer and returns the paths that it names.
func (d *document) plugin(file string, out *result) ([]mention, error) {
	var of types.TypeMeta
	if err := json.Unmarshal(d.json, &of); err != nil {
		return nil, d.mistyped(err, file)
	}
	own, ok := plugins[of.Kind]
	if !ok || of.APIVersion != "builtin" {
		return nil, d.foreignPlugin(of.APIVersion, of.Kind, file)
	}
	known := fieldsOf(reflect.TypeFor[pluginHead]())
	maps.Copy(known, fieldsOf(own))
	if err := d.checkFields(known, file); err != nil {
		return nil, err
	}
	var config pluginConfig
	if err := json.Unmarshal(d.json, &config); err != nil {
		return nil, d.mistyped(err, file)
	}
	for key := range config.Metadata.Annotations {
		if strings.HasPrefix(key, "config.kubernetes.io/function") || strings.HasPrefix(key, "config.k8s.io/function") {
			return nil, d.foreignPlugin("function", of.Kind, file)
		}
	}
	var found []mention
	for _, each := range config.mentions() {
		paths, err := each.checkInline(d, file, out)
		if err != nil {
			return nil, err
		}
		found = append(found, paths...)
	}
	return found, nil
}

type pluginHead struct {
	types.TypeMeta
	Metadata types.ObjectMeta `json:"metadata"`
}

// pluginConfig is what plugins have of files and YAML.
type pluginConfig struct {
	pluginHead
	types.KvPairSources
	Path           string                   `json:"path"`
	Patch          string                   `json:"patch"`
	JSONOp         string                   `json:"jsonOp"`
	Paths          []string                 `json:"paths"`
	Patches        string                   `json:"patches"`
	Replacements   []types.ReplacementField `json:"replacements"`
	TargetFilePath string                   `json:"targetFilePath"`
}

func (c *pluginConfig) mentions() []mention {
	var found mentions
	found.optional(asYAML, c.Path, "path")
	found.text(c.Patch, "patch")
	found.text(c.JSONOp, "jsonOp")
	for at, entry := range c.Paths {
		found.add(mention{asYAML, []any{"paths", at}, entry, maybeInline})
	}
	found.text(c.Patches, "patches")
	found.replacements(c.Replacements)
	found.optional(asYAML, c.TargetFilePath, "targetFilePath")
	found.sources(c.KvPairSources)
	return found
}

func (d *document) foreignPlugin(version, kind, file string) error {
	if kind == "HelmChartInflationGenerator" {
		return d.failAt(notConfig, []any{"kind"}, file, "the generator HelmChartInflationGenerator is not allowed",
			"name the chart in 'helmCharts' of the kustomization, and put it into the folder 'charts' beside it")
	}
	return d.failAt(notConfig, []any{"apiVersion"}, file,
		fmt.Sprintf("the plugin '%s' is not allowed: expected one of Kustomize's own (apiVersion: builtin)",
			clip(strings.TrimSpace(version+" "+kind), 200)),
		"use a builtin generator or transformer, or put what the plugin writes into the repository: no programs run while hydrating")
}
