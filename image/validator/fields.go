package main

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/api/resource"
)

// A fieldWalk goes through an object by its schema. It finds what decoding does not tell, or tells without a place: fields
// that another minor has, items of lists that server-side apply takes for one, and values of another type.
type fieldWalk struct {
	schemas *minorSchemas
	minor   int
	// isSecret: values are not told.
	isSecret bool
	found    []finding
	// wrongTypes are kept apart: whether they matter, only decoding decides.
	wrongTypes []finding
	// unkeyed are items without what tells them apart: often the server itself requires that.
	unkeyed []finding
}

func (w *fieldWalk) object(definition string, value map[string]any, path string) {
	fields, ok := w.schemas.Definitions[definition]
	if !ok {
		return
	}
	for _, name := range sortedKeys(value) {
		field, ok := fields[name]
		if !ok || value[name] == nil {
			continue // unknown fields are told by decoding
		}
		w.field(field, value[name], join(path, name))
	}
}

func (w *fieldWalk) field(field fieldType, value any, path string) {
	if !isThere(field.Since, 0, w.minor) {
		w.add(ruleNewerField, path, fmt.Sprintf("came with Kubernetes 1.%d, and 1.%d does not have it", field.Since, w.minor))
		return
	}
	if field.Keys != nil {
		w.uniqueItems(*field.Keys, value, path)
	}
	w.value(field.Type, value, path)
}

func (w *fieldWalk) add(rule, path, message string) {
	w.found = append(w.found, finding{Rule: rule, Field: path, Message: message})
}

// value goes on below a value, or looks at its type.
func (w *fieldWalk) value(kind string, value any, path string) {
	switch {
	case value == nil || kind == "any":
	case strings.HasPrefix(kind, "["):
		items, ok := value.([]any)
		w.expect(ok, path, "a list", value)
		for number, item := range items {
			w.value(kind[1:], item, fmt.Sprintf("%s[%d]", path, number))
		}
	case strings.HasPrefix(kind, "{"):
		entries, ok := value.(map[string]any)
		w.expect(ok, path, "a map", value)
		for _, name := range sortedKeys(entries) {
			w.value(kind[1:], entries[name], inMap(path, name))
		}
	case strings.HasPrefix(kind, "#"):
		fields, ok := value.(map[string]any)
		if !ok && len(w.schemas.Definitions[kind[1:]]) == 0 {
			return // what may be any value
		}
		w.expect(ok, path, "a map", value)
		w.object(kind[1:], fields, path)
	default:
		expected, ok := isOfType(kind, value)
		w.expect(ok, path, expected, value)
		if _, isList := value.([]any); kind == "bytes" && isList { // which decoding takes, and server-side apply does not
			w.add(ruleInvalid, path, "expected "+expected)
		}
	}
}

func (w *fieldWalk) expect(ok bool, path, expected string, value any) {
	if !ok {
		message := fmt.Sprintf("%s, expected %s", shown(value), expected)
		if w.isSecret {
			message = "expected " + expected
		}
		w.wrongTypes = append(w.wrongTypes, finding{Rule: ruleInvalid, Field: path, Message: message})
	}
}

// isOfType says whether a scalar is of a type of the schema, and what that type is.
func isOfType(kind string, value any) (expected string, ok bool) {
	text, isText := value.(string)
	number, isNumber := value.(json.Number)
	switch kind {
	case "string":
		return "a string", isText
	case "boolean":
		_, ok := value.(bool)
		return "true or false", ok
	case "integer":
		_, err := number.Int64()
		return "a whole number", isNumber && (err == nil || isWhole(number))
	case "number":
		return "a number", isNumber
	case "int-or-string":
		return "a whole number or a string", isNumber || isText
	case "quantity":
		_, err := resource.ParseQuantity(text + number.String())
		return "a quantity such as 500m or 1Gi", (isText || isNumber) && err == nil
	case "bytes":
		_, err := base64.StdEncoding.DecodeString(text)
		return "base64", isText && err == nil
	case "time":
		_, err := time.Parse(time.RFC3339, text)
		return "a time such as 2026-01-31T12:00:00Z", isText && (err == nil || text == "")
	case "object":
		_, ok := value.(map[string]any)
		return "a map", ok
	}
	return "", true
}

// uniqueItems finds items with equal keys. The server stores them, and server-side apply, which Flux uses, rejects them.
func (w *fieldWalk) uniqueItems(keys []string, value any, path string) {
	items, _ := value.([]any)
	first := map[string]int{}
	for number, item := range items {
		if !isKeyed(keys, item) {
			w.unkeyed = append(w.unkeyed, finding{
				Rule: ruleInvalid, Field: fmt.Sprintf("%s[%d]", path, number),
				Message: fmt.Sprintf("%s, which has no %s: server-side apply rejects it", shown(item), orElse(strings.Join(keys, ", "), "value")),
			})
			continue
		}
		identity := identityOf(keys, item)
		if before, ok := first[identity]; ok {
			w.add(ruleDuplicateKey, fmt.Sprintf("%s[%d]", path, number),
				fmt.Sprintf("the same %s as item %d: server-side apply rejects it", identity, before))
			continue
		}
		first[identity] = number
	}
}

// isKeyed says whether an item of a list of maps has one of the keys, or a key has a default; of a set, whether there is one.
func isKeyed(keys []string, item any) bool {
	fields, ok := item.(map[string]any)
	if item == nil || !ok || len(keys) == 0 {
		return item != nil // one of another type is told of it
	}
	return slices.ContainsFunc(keys, func(key string) bool {
		name, _, hasDefault := strings.Cut(key, "=")
		_, isThere := fields[name]
		return hasDefault || isThere
	})
}

// identityOf returns what makes an item unique: `name "a"`, `containerPort 80, protocol "TCP"`.
func identityOf(keys []string, item any) string {
	if len(keys) == 0 {
		return "value " + shown(item)
	}
	fields, _ := item.(map[string]any)
	parts := make([]string, len(keys))
	for number, key := range keys {
		name, usual, _ := strings.Cut(key, "=")
		value, ok := fields[name]
		if !ok && usual != "" {
			value = usual
		}
		parts[number] = name + " " + shown(value)
	}
	return strings.Join(parts, ", ")
}

func shown(value any) string {
	data, err := json.Marshal(value)
	if err != nil {
		return fmt.Sprint(value)
	}
	return clip(string(data), 60)
}

func join(path, name string) string {
	if path == "" {
		return name
	}
	return path + "." + name
}

// inMap names an entry of a map, whose key may hold dots, as the server does.
func inMap(path, name string) string {
	if strings.ContainsAny(name, "./[") {
		return path + "[" + name + "]"
	}
	return path + "." + name
}
