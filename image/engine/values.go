package main

import (
	"encoding/json"
	"fmt"
	"io"

	yaml3 "go.yaml.in/yaml/v3"
)

func newNumberDecoder(from io.Reader) *json.Decoder {
	decoder := json.NewDecoder(from)
	decoder.UseNumber()
	return decoder
}

// readValues reads a values file as helm.sh/helm/v4/pkg/chart/v2/loader.LoadValues does (its documents are merged), but
// keeps integers as they are: Helm gets the merged layers as text, Jinja2 and Kustomize get integers as integers.
func readValues(request *valuesRequest, out *result) error {
	values, err := valuesIn(request.Text, request.File, out, request.Lenient)
	if err != nil {
		return err
	}
	return out.give(values)
}

func valuesIn(text, file string, out *result, lenient bool) (map[string]any, error) {
	documents, err := readStream(text, file, out, lenient)
	if err != nil {
		return nil, err
	}
	values := map[string]any{}
	for _, found := range documents {
		var read any
		if err := decode(found.json, &read); err != nil {
			return nil, &failure{Kind: notYAML, Message: err.Error(), File: file, Line: found.line}
		}
		layer, ok := read.(map[string]any)
		if !ok && read != nil {
			return nil, &failure{Kind: notConfig, Message: "expected one mapping of values", File: file, Line: found.line + found.node.Line - 1}
		}
		mergeInto(values, layer)
	}
	return values, nil
}

// mergeInto is mergeMaps without a copy: there may be a million documents.
func mergeInto(lower, upper map[string]any) {
	for key, value := range upper {
		above, isMap := value.(map[string]any)
		below, wasMap := lower[key].(map[string]any)
		if isMap && wasMap {
			mergeInto(below, above)
		} else {
			lower[key] = value
		}
	}
}

// mergeMaps puts upper over lower as helm.sh/helm/v4/pkg/chart/v2/loader.MergeMaps does: maps are merged, everything
// else is replaced, lists and nulls too.
func mergeMaps(lower, upper map[string]any) map[string]any {
	merged := make(map[string]any, len(lower)+len(upper))
	for key, value := range lower {
		merged[key] = value
	}
	for key, value := range upper {
		above, isMap := value.(map[string]any)
		below, wasMap := merged[key].(map[string]any)
		if isMap && wasMap {
			merged[key] = mergeMaps(below, above)
		} else {
			merged[key] = value
		}
	}
	return merged
}

// readConfig reads the documents of a configuration file: [{"line": 1, "value": ...}], with keys in their order.
func readConfig(request *fileRequest, out *result) error {
	documents, err := readStream(request.Text, request.File, out, false)
	if err != nil {
		return err
	}
	type read struct {
		Line  int             `json:"line"`
		Value json.RawMessage `json:"value"`
	}
	found := make([]read, 0, len(documents))
	for _, one := range documents {
		if string(one.json) == "null" {
			continue
		}
		value, err := one.inOrder()
		if err != nil {
			return err
		}
		found = append(found, read{one.line + one.node.Line - 1, value})
	}
	return out.give(found)
}

// give sets the value of the answer.
func (r *result) give(value any) error {
	data, err := json.Marshal(value)
	if err != nil {
		return err
	}
	if err := r.budget.takeOutput(len(data)); err != nil {
		return err
	}
	r.value = data
	return nil
}

// place is where a key path stands in a text.
type place struct {
	Line int `json:"line"` // 0 when the text has not even its beginning
	// Scalar is how the value there is written, without quotes; empty when it is none.
	Scalar string `json:"scalar,omitempty"`
}

// locate finds a key path in a text, or the nearest thing above it that stands somewhere.
func locate(request *locateRequest, out *result) error {
	pieces, err := split(request.Text, "")
	if err != nil {
		return err
	}
	best, depth := place{}, -1
	for _, from := range pieces {
		var root yaml3.Node
		if yaml3.Unmarshal([]byte(from.text), &root) != nil || len(root.Content) == 0 {
			continue
		}
		found, reached := follow(root.Content[0], request.Path)
		if reached > depth {
			found.Line += from.line - 1
			best, depth = found, reached
		}
	}
	return out.give(best)
}

// follow goes down a path as far as the nodes have it.
func follow(node *yaml3.Node, path []any) (place, int) {
	at := place{Line: node.Line}
	for depth, step := range path {
		for node.Kind == yaml3.AliasNode && node.Alias != nil {
			node = node.Alias
		}
		key, value := below(node, step)
		if value == nil {
			return at, depth
		}
		at.Line = key.Line
		node = value
	}
	if node.Kind == yaml3.ScalarNode {
		at.Scalar = clip(node.Value, 200)
	}
	return at, len(path)
}

func below(node *yaml3.Node, step any) (key, value *yaml3.Node) {
	switch step := step.(type) {
	case float64:
		if index := int(step); node.Kind == yaml3.SequenceNode && index >= 0 && index < len(node.Content) {
			return node.Content[index], node.Content[index]
		}
	case string:
		if node.Kind != yaml3.MappingNode {
			return nil, nil
		}
		// The last of equal keys counts, and a plain 1 is the key "1".
		for at := len(node.Content) - 2; at >= 0; at -= 2 {
			name := node.Content[at].Value
			if name == step {
				return node.Content[at], node.Content[at+1]
			}
			if read, ok := plainKey(name); ok && keyText(read) == step {
				return node.Content[at], node.Content[at+1]
			}
		}
	default:
		panic(fmt.Sprintf("a step of a path that is a %T", step))
	}
	return nil, nil
}
