//go:build !reader

package main

import (
	"encoding/json"
	"reflect"
	"strings"

	"sigs.k8s.io/kustomize/api/types"
)

// kustomization is a kustomization file that was read: all its fields are known, and what it holds of YAML is in bounds.
type kustomization struct {
	document document
	fields   types.Kustomization // as Kustomize decodes them
	mentions []mention
}

// openapi is a map in Kustomize, of which two keys count.
var kustomizationFields = func() fields {
	known := fieldsOf(reflect.TypeFor[types.Kustomization]())
	known["openapi"] = reflect.TypeFor[struct {
		Path    string `json:"path"`
		Version string `json:"version"`
	}]()
	return known
}()

// loadKustomization reads the text of a kustomization file, which Kustomize decodes without minding the case of fields.
// With a problem there may be a kustomization all the same, for what it names.
func loadKustomization(text, file string, out *result) (*kustomization, error) {
	documents, err := readStream(text, file, out, false)
	if err != nil {
		return nil, err
	}
	if len(documents) != 1 || documents[0].json[0] != '{' {
		return nil, &failure{Kind: notRendered, Message: "expected one kustomization", File: file}
	}
	found := &kustomization{document: documents[0]}
	problem := found.document.checkFields(kustomizationFields, file)
	if err := json.Unmarshal(found.document.json, &found.fields); err != nil {
		return nil, firstOf(problem, found.document.mistyped(err, file))
	}
	for _, each := range mentionsOf(&found.fields) {
		paths, err := each.checkInline(&found.document, file, out)
		problem = firstOf(problem, err)
		found.mentions = append(found.mentions, paths...)
	}
	found.fields.FixKustomization()
	return found, problem
}

func firstOf(problem, next error) error {
	if problem != nil {
		return problem
	}
	return next
}

// mention is a path that a kustomization or the configuration of a plugin names, or YAML in its place.
type mention struct {
	use    use
	place  []any // its key path
	path   string
	inline inline
}

// field is the first step of the key path.
func (m mention) field() string {
	name, _ := m.place[0].(string)
	return name
}

// use is what Kustomize does with a file that is named. Of two uses of one file the later in this list counts.
type use int

const (
	asText          use = iota
	asYAML              // read as YAML
	asResource          // objects, or the folder of another kustomization
	asComponent         // the folder of a component
	asReplacement       // one replacement or a list of them
	asPlugin            // configuration of generators or transformers, or the folder of a kustomization that gives such
	asGenerated         // written by the engine
	asKustomization     // of a folder
)

// mayBeFolder says whether a use takes the folder of a kustomization, and so whether Kustomize would clone a repository.
func (u use) mayBeFolder() bool { return u == asResource || u == asComponent || u == asPlugin }

// mentionsOf returns what a kustomization names, in the order in which Kustomize opens other kustomizations.
func mentionsOf(fields *types.Kustomization) []mention {
	var found mentions
	found.list(asResource, "resources", fields.Resources)
	//lint:ignore SA1019 Kustomize still takes these three
	found.list(asResource, "bases", fields.Bases)
	found.list(asYAML, "configurations", fields.Configurations)
	found.list(asYAML, "crds", fields.Crds)
	found.optional(asYAML, fields.OpenAPI["path"], "openapi", "path")
	for at, args := range fields.ConfigMapGenerator {
		found.sources(args.KvPairSources, "configMapGenerator", at)
	}
	for at, args := range fields.SecretGenerator {
		found.sources(args.KvPairSources, "secretGenerator", at)
	}
	found.plugins("generators", fields.Generators)
	found.list(asComponent, "components", fields.Components)
	//lint:ignore SA1019 as above
	for at, patch := range fields.PatchesStrategicMerge {
		found.add(mention{asYAML, []any{"patchesStrategicMerge", at}, string(patch), maybeInline})
	}
	found.patches(fields.Patches, "patches")
	//lint:ignore SA1019 as above
	found.patches(fields.PatchesJson6902, "patchesJson6902")
	found.replacements(fields.Replacements)
	found.plugins("transformers", fields.Transformers)
	found.plugins("validators", fields.Validators)
	return found
}

type mentions []mention

func (m *mentions) add(found mention) { *m = append(*m, found) }

func (m *mentions) optional(use use, path string, place ...any) {
	if path != "" {
		m.add(mention{use: use, place: place, path: path})
	}
}

func (m *mentions) list(use use, field string, paths []string) {
	for at, path := range paths {
		m.add(mention{use: use, place: []any{field, at}, path: path})
	}
}

func (m *mentions) plugins(field string, entries []string) {
	for at, entry := range entries {
		m.add(mention{asPlugin, []any{field, at}, entry, maybeInline})
	}
}

// sources are the files of a generator: PATH or KEY=PATH.
func (m *mentions) sources(from types.KvPairSources, place ...any) {
	place = place[:len(place):len(place)]
	for at, source := range from.FileSources {
		if _, file, ok := strings.Cut(source, "="); ok {
			source = file
		}
		m.add(mention{use: asText, place: append(place, "files", at), path: source})
	}
	for at, file := range from.EnvSources {
		m.add(mention{use: asText, place: append(place, "envs", at), path: file})
	}
	m.optional(asText, from.EnvSource, append(place, "env")...)
}

func (m *mentions) patches(patches []types.Patch, field string) {
	for at, patch := range patches {
		m.optional(asYAML, patch.Path, field, at, "path")
		m.text(patch.Patch, field, at, "patch")
	}
}

func (m *mentions) replacements(all []types.ReplacementField) {
	for at, replacement := range all {
		m.optional(asReplacement, replacement.Path, "replacements", at, "path")
	}
}

// text is YAML in a string.
func (m *mentions) text(text string, place ...any) {
	if text != "" {
		m.add(mention{asYAML, place, text, alwaysInline})
	}
}

// readKustomization answers what a kustomization file, or one of generators and transformers, says and names, without
// building anything. Whether a path is there is for the caller to find out.
func readKustomization(request *kustomizationRequest, out *result) error {
	type entry struct {
		Field string `json:"field"`
		Path  string `json:"path"`
	}
	var answer struct {
		Data     json.RawMessage `json:"data,omitempty"`
		Entries  []entry         `json:"entries"`
		Remote   []remoteEntry   `json:"remote"`
		Problems []*failure      `json:"problems"` // what refuses it when it is built
	}
	answer.Entries, answer.Remote, answer.Problems = []entry{}, []remoteEntry{}, []*failure{}
	var found []mention
	var problem error
	if request.Plugin {
		found, problem = loadPlugins(request.Text, request.File, out)
	} else {
		loaded, err := loadKustomization(request.Text, request.File, out)
		if loaded == nil {
			return err
		}
		problem, answer.Data = err, loaded.document.json
		found = append(loaded.mentions, chartMentions(&loaded.fields)...)
	}
	if problem != nil {
		answer.Problems = append(answer.Problems, asFailure(problem))
	}
	for _, each := range found {
		answer.Entries = append(answer.Entries, entry{each.field(), each.path})
		if each.use == asResource || each.use == asComponent {
			answer.Remote = appendRemote(answer.Remote, each.path)
		}
	}
	return out.give(answer)
}
