//go:build !reader

package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"
)

// fields are those of a struct by their names in JSON.
type fields map[string]reflect.Type

// checkFields refuses the first key of an object, or of a list of such, that is no field, in exact spelling: Go's JSON
// reader takes names in any case, so "Resources" counts to Kustomize, and beside "resources" one of the two is dropped.
func (d *document) checkFields(known fields, file string) error {
	var data any
	if err := decode(d.json, &data); err != nil {
		return &failure{Kind: notYAML, Message: err.Error(), File: file, Line: d.line}
	}
	place, among := known.unknownInAny(data)
	if place == nil {
		return nil
	}
	key, _ := place[len(place)-1].(string)
	hint := "delete it, or correct its spelling: Kustomize has no such field there"
	for name := range among {
		if strings.EqualFold(name, key) {
			hint = fmt.Sprintf("write '%s'", name)
		}
	}
	return d.failAt(notConfig, place, file, fmt.Sprintf("unknown field '%s'", dotted(place)), hint)
}

func (f fields) unknownInAny(data any) (unknown []any, among fields) {
	switch data := data.(type) {
	case map[string]any:
		return f.unknown(data, nil)
	case []any:
		for at, item := range data {
			if object, ok := item.(map[string]any); ok {
				if unknown, among = f.unknown(object, []any{at}); unknown != nil {
					return unknown, among
				}
			}
		}
	}
	return nil, nil
}

// oldFieldPath is how Kustomize's own pages spell a field of `vars`, and so many kustomizations.
const oldFieldPath = "fieldpath"

// unknown returns the key path of the first key that is no field, and the fields that are there.
func (f fields) unknown(data map[string]any, place []any) (unknown []any, among fields) {
	place = place[:len(place):len(place)]
	for _, key := range slices.Sorted(maps.Keys(data)) {
		of, ok := f[key]
		if !ok && key == oldFieldPath && data["fieldPath"] == nil {
			of, ok = f["fieldPath"]
		}
		if !ok {
			return append(place, key), f
		}
		if unknown, among = unknownIn(data[key], of, append(place, key)); unknown != nil {
			return unknown, among
		}
	}
	return nil, nil
}

// unknownIn is unknown for a value of any type. One of a wrong type has no fields; decoding it fails.
func unknownIn(data any, of reflect.Type, place []any) (unknown []any, among fields) {
	if of.Kind() == reflect.Pointer {
		of = of.Elem()
	}
	place = place[:len(place):len(place)]
	switch data := data.(type) {
	case map[string]any:
		if of.Kind() == reflect.Struct {
			return fieldsOf(of).unknown(data, place)
		}
	case []any:
		if of.Kind() != reflect.Slice {
			return nil, nil
		}
		for at, item := range data {
			if unknown, among = unknownIn(item, of.Elem(), append(place, at)); unknown != nil {
				return unknown, among
			}
		}
	}
	return nil, nil
}

// fieldsOf returns the fields of a struct; those of an embedded struct are its own.
func fieldsOf(of reflect.Type) fields {
	known := fields{}
	for at := range of.NumField() {
		field := of.Field(at)
		name, _, _ := strings.Cut(field.Tag.Get("json"), ",")
		switch {
		case name == "-":
		case name == "" && field.Anonymous && field.Type.Kind() == reflect.Struct:
			maps.Copy(known, fieldsOf(field.Type))
		case field.IsExported() && name == "":
			known[field.Name] = field.Type
		case field.IsExported():
			known[name] = field.Type
		}
	}
	return known
}

// failAt is an error about a key path of a document.
func (d *document) failAt(kind string, place []any, file, message, hint string) error {
	path := make([]any, len(place))
	for at, step := range place {
		if index, ok := step.(int); ok {
			step = float64(index)
		}
		path[at] = step
	}
	at, _ := follow(d.node, path)
	return &failure{Kind: kind, Message: message, File: file, Line: d.line + at.Line - 1, Hint: hint}
}

// mistyped explains that a field has a value of a wrong type.
func (d *document) mistyped(err error, file string) error {
	wrong, ok := errors.AsType[*json.UnmarshalTypeError](err)
	if !ok {
		return &failure{Kind: notConfig, Message: err.Error(), File: file}
	}
	var place []any
	for step := range strings.SplitSeq(wrong.Field, ".") {
		place = append(place, step)
	}
	message := fmt.Sprintf("%s: expected %s, found a JSON %s", wrong.Field, typeWords(wrong.Type), wrong.Value)
	return d.failAt(notConfig, place, file, strings.TrimPrefix(message, ": "), "")
}

func typeWords(of reflect.Type) string {
	switch of.Kind() {
	case reflect.Slice:
		return "a list"
	case reflect.Struct, reflect.Map:
		return "a mapping"
	case reflect.Bool:
		return "true or false"
	case reflect.String:
		return "a string"
	default:
		return "a number"
	}
}
