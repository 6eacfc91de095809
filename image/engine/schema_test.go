package main

import (
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestValuesFollowTheSchema(t *testing.T) {
	const schema = `{"type":"object","additionalProperties":false,"properties":{"a":{"type":"integer"},"global":{},"s":{}}}`
	files := chartOf("web/values.yaml", "a: 1\n", "web/values.schema.json", schema, "web/templates/a.yaml", printedMap("a", "b"),
		"web/charts/s/Chart.yaml", chartS, "web/charts/s/values.schema.json", `{"properties":{"b":{"type":"string"},"c":{"enum":[1]}}}`)
	const head = "values don't meet the specifications of the schema(s) in the following chart(s):\n"
	for values, want := range map[string]struct{ message, file string }{
		`{"a": 2}`:                          {},
		`{"domain": "x", "a": "y"}`:         {head + "web:\n- at '': additional properties 'domain' not allowed\n- at '/a': got string, want integer", "web/values.schema.json"},
		`{"s": {"b": 1, "c": 2}}`:           {head + "s:\n- at '/b': got number, want string\n- at '/c': value must be 1", "web/charts/s/values.schema.json"},
		`{"a": "y", "s": {"b": 1, "c": 1}}`: {head + "web:\n- at '/a': got string, want integer\ns:\n- at '/b': got number, want string", "web/values.schema.json"},
	} {
		for range 5 {
			found := ask(files, &helmRequest{Folder: "web", Values: values})
			switch {
			case want.message == "":
				if found.err != nil {
					t.Error(found.err)
				}
			case found.err == nil || found.err.Kind != notValid || found.err.Message != want.message || found.err.File != want.file:
				t.Errorf("%s: %+v", values, found.err)
			}
		}
	}
}

func TestBrokenSchemaIsTheChartsError(t *testing.T) {
	for name, schema := range map[string]string{"JSON": "{", "type": `{"type": 1}`, "pattern": `{"pattern": "("}`, "reference": `{"$ref": "#/none"}`} {
		found := ask(chartOf("web/values.schema.json", schema), web)
		if found.err == nil || found.err.Kind != notValid || found.err.File != "web/values.schema.json" {
			t.Errorf("%s: %+v", name, found.err)
		}
	}
}

// Nothing is opened, locked in or not: a listener and a file that would be taken are there.
func TestSchemasReadNothing(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Skip(err)
	}
	defer func() { _ = listener.Close() }()
	connected := make(chan bool, 1)
	go func() {
		if connection, err := listener.Accept(); err == nil {
			_ = connection.Close()
			connected <- true
		}
	}()
	file := filepath.Join(t.TempDir(), "any.json")
	if err := os.WriteFile(file, []byte("true"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, address := range []string{"file://" + file, "http://" + listener.Addr().String() + "/a.json", "https://example.com/a.json", "other.json"} {
		for _, keyword := range []string{"$ref", "$schema"} {
			if keyword == "$schema" && address == "other.json" {
				continue
			}
			found := ask(chartOf("web/values.schema.json", `{"`+keyword+`": "`+address+`"}`), web)
			if found.err == nil || found.err.Kind != notSafe || !strings.Contains(found.err.Message, "the schema of the chart refers to ") || found.err.File != "web/values.schema.json" {
				t.Errorf("%s %s: %+v", keyword, address, found.err)
			}
		}
	}
	select {
	case <-connected:
		t.Error("a schema was asked for on the network")
	default:
	}
	if found := ask(chartOf("web/values.schema.json", `{"$ref": "urn:example:a", "$schema": "https://json-schema.org/draft-07/schema#"}`), web); found.err != nil {
		t.Error("urn: passes in Helm: ", found.err)
	}
}
