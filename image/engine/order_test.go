package main

import (
	"testing"
)

func TestConfigurationKeepsTheOrderOfItsKeys(t *testing.T) {
	for text, expected := range map[string]string{
		"b: 1\na: {z: 1, x: 2}\n":                      `{"b":1,"a":{"z":1,"x":2}}`,
		"- {b: 1, a: 2}\n- []\n- {}\n":                 `[{"b":1,"a":2},[],{}]`,
		"z: 1\nyes: 2\n2: 3\n'1': 4\n":                 `{"z":1,"true":2,"2":3,"1":4}`,
		"base: &b {y1: 1, x: 2}\nc: {<<: *b, b: *b}\n": `{"base":{"y1":1,"x":2},"c":{"b":{"y1":1,"x":2},"x":2,"y1":1}}`,
		"b: 123456789012345678901\na: \"<\\u2028\"\n":  `{"b":123456789012345680000,"a":"\u003c\u2028"}`,
		"text\n": `"text"`,
	} {
		out := &result{budget: newBudget(limits{})}
		documents, err := readStream(text, "test.yaml", out, false)
		if err != nil {
			t.Fatalf("%q: %v", text, err)
		}
		found, err := documents[0].inOrder()
		if err != nil || string(found) != expected {
			t.Errorf("%q: found %s (%v), expected %s", text, found, err, expected)
		}
	}
}
