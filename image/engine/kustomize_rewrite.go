//go:build !reader

package main

import (
	"encoding/json"
	"fmt"
	"path"
	"strings"

	yaml3 "go.yaml.in/yaml/v3"
)

// valuesName is the ConfigMap from which `replacements` read values.
const valuesName = "headgate-values"

// changes are what Kustomize reads otherwise than it was written.
type changes struct {
	fetched    []fetchedEntry
	resources  []string
	components []string // before all others: in the place of charts
}

// fetchedEntry is where a base lies that a hand-off fetched, and the entry that names it by its address.
type fetchedEntry struct {
	place []any
	path  string
}

// applied returns the text for Kustomize: JSON, which is YAML, of what was checked.
func (c changes) applied(to *kustomization) ([]byte, error) {
	if len(c.fetched)+len(c.resources)+len(c.components) == 0 {
		return asciiJSON(to.document.json), nil
	}
	var data map[string]any
	if err := decode(to.document.json, &data); err != nil {
		return nil, err
	}
	for _, each := range c.fetched {
		field, _ := each.place[0].(string)
		at, _ := each.place[1].(int)
		if list, ok := data[field].([]any); ok {
			list[at] = each.path
		}
	}
	for _, each := range c.resources {
		list, _ := data["resources"].([]any)
		data["resources"] = append(list, each)
	}
	if len(c.components) > 0 {
		var list []any
		for _, each := range c.components {
			list = append(list, each)
		}
		own, _ := data["components"].([]any)
		data["components"] = append(list, own...)
		for _, field := range chartFields {
			delete(data, field)
		}
	}
	text, err := json.Marshal(data)
	return asciiJSON(text), err
}

// asciiJSON writes characters by number that YAML takes for more than themselves: line breaks, byte order marks, controls.
func asciiJSON(text []byte) []byte {
	var written strings.Builder
	for _, char := range string(text) {
		if char < 0x7f || char > 0xffff {
			written.WriteRune(char)
		} else {
			fmt.Fprintf(&written, `\u%04x`, char)
		}
	}
	return []byte(written.String())
}

// addValues puts the ConfigMap with the values beside the root's kustomization and returns its path. It is not part of
// the output: https://kubectl.docs.kubernetes.io/references/kustomize/kustomization/replacements/
func (b *kustomizeBuild) addValues() (string, error) {
	text, err := yaml3.Marshal(map[string]any{
		"apiVersion": "v1",
		"kind":       "ConfigMap",
		"metadata": map[string]any{
			"name":        valuesName,
			"annotations": map[string]string{"config.kubernetes.io/local-config": "true"},
		},
		"data": b.request.Values,
	})
	name := b.freeName(path.Join(b.root, valuesName+".yaml"))
	b.addFile(name, text)
	return name, err
}

// addFile puts a file beside those of the tree.
func (b *kustomizeBuild) addFile(name string, data []byte) {
	b.files.added[name] = data
	b.uses[name] = asGenerated
}

// freeName returns a name that nothing has yet.
func (b *kustomizeBuild) freeName(name string) string {
	for b.files.Exists(path.Join(treeRoot, name)) {
		name = path.Join(parent(name), "_"+path.Base(name))
	}
	return name
}
