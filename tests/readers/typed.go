package main

import (
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
)

// typedJSON writes what a reader of YAML made as JSON in which a float looks like one. What JSON has no type for, such as
// a time, is an error: no reader may see it in a Kubernetes object.
func typedJSON(value any) (json.RawMessage, error) {
	typed, err := typedValue(value)
	if err != nil {
		return nil, err
	}
	return json.Marshal(typed)
}

func typedValue(value any) (any, error) {
	switch value := value.(type) {
	case nil, bool, string, int, int64, uint64:
		return value, nil
	case float64:
		text := strconv.FormatFloat(value, 'g', -1, 64)
		if !strings.ContainsAny(text, ".eIN") {
			text += ".0"
		}
		return json.RawMessage(text), nil // an infinity fails as JSON does
	case []any:
		typed := make([]any, len(value))
		for at, item := range value {
			var err error
			if typed[at], err = typedValue(item); err != nil {
				return nil, err
			}
		}
		return typed, nil
	case map[string]any:
		typed := make(map[string]any, len(value))
		for key, item := range value {
			var err error
			if typed[key], err = typedValue(item); err != nil {
				return nil, err
			}
		}
		return typed, nil
	}
	return nil, fmt.Errorf("a value of the type %T", value)
}
