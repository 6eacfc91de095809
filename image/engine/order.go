package main

import (
	"bytes"
	"encoding/json"
	"maps"
	"slices"

	yaml3 "go.yaml.in/yaml/v3"
)

// inOrder returns a document with the keys of its maps in the order in which they stand there: people mean it, as with
// environments, which come in the order of promotion. What a merge key brings comes last.
func (d *document) inOrder() (json.RawMessage, error) {
	var value any
	if err := decode(d.json, &value); err != nil {
		return nil, err
	}
	var written bytes.Buffer
	err := writeInOrder(&written, value, d.node)
	return written.Bytes(), err
}

func writeInOrder(to *bytes.Buffer, value any, node *yaml3.Node) error {
	for node != nil && node.Kind == yaml3.AliasNode {
		node = node.Alias
	}
	switch value := value.(type) {
	case map[string]any:
		return writeMapInOrder(to, value, node)
	case []any:
		to.WriteByte('[')
		for at, item := range value {
			if at > 0 {
				to.WriteByte(',')
			}
			if err := writeInOrder(to, item, itemAt(node, at)); err != nil {
				return err
			}
		}
		to.WriteByte(']')
		return nil
	}
	data, err := json.Marshal(value)
	to.Write(data)
	return err
}

func writeMapInOrder(to *bytes.Buffer, value map[string]any, node *yaml3.Node) error {
	keys := make([]string, 0, len(value))
	places := make(map[string]*yaml3.Node, len(value))
	for at := 0; node != nil && node.Kind == yaml3.MappingNode && at < len(node.Content); at += 2 {
		name := keyInJSON(node.Content[at])
		if _, known := places[name]; !known {
			keys = append(keys, name)
		}
		places[name] = node.Content[at+1] // the last of equal keys counts
	}
	separator := byte('{')
	write := func(key string) error {
		to.WriteByte(separator)
		separator = ','
		to.Write(encoded(key))
		to.WriteByte(':')
		return writeInOrder(to, value[key], places[key])
	}
	for _, key := range append(keys, slices.Sorted(maps.Keys(value))...) {
		if _, left := value[key]; !left {
			continue
		}
		if err := write(key); err != nil {
			return err
		}
		delete(value, key)
	}
	if separator == '{' {
		to.WriteByte('{')
	}
	to.WriteByte('}')
	return nil
}

// keyInJSON returns what a key of YAML is called in JSON.
func keyInJSON(key *yaml3.Node) string {
	if key.Style&(yaml3.DoubleQuotedStyle|yaml3.SingleQuotedStyle) == 0 {
		if read, ok := plainKey(key.Value); ok {
			return keyText(read)
		}
	}
	return key.Value
}

func itemAt(node *yaml3.Node, at int) *yaml3.Node {
	if node == nil || node.Kind != yaml3.SequenceNode || at >= len(node.Content) {
		return nil
	}
	return node.Content[at]
}
