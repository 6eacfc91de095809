package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"iter"
	"strings"
	"unicode/utf8"
)

// maxKey is how many bytes a key may have in JSON: a reader of YAML takes no more than 1024 for a key on one line.
const maxKey = 1000

// checkPortable refuses an object that Kustomize cannot hand on. Flux has Kustomize read and write all that it applies, and
// Kustomize reads the JSON of each object as if it were YAML (sigs.k8s.io/yaml.JSONToYAML): one object that this fails for
// stops all others of its folder.
func checkPortable(data json.RawMessage, one head) error {
	why, hint := "", ""
	for text, isKey := range stringsIn(data) {
		switch {
		case isKey && (text == `<<` || text == `\u003c\u003c`):
			why, hint = "the key '<<', which Kustomize and Flux take for a merge of YAML", "give it another name"
		case isKey && len(text) > maxKey:
			why = fmt.Sprintf("a key of %d bytes, and Kustomize and Flux read none above %d", len(text), maxKey)
			hint = "give it a shorter name; the key begins with: " + clip(text, 60)
		case endsInOddBreak(text):
			why = "text that ends in U+2028 or U+2029, which Kustomize and Flux add a line break to"
			hint = "leave the character out"
		}
	}
	if at := bytes.IndexFunc(data, lostByKustomize); at >= 0 {
		lost, _ := utf8.DecodeRune(data[at:])
		why = fmt.Sprintf("the character U+%04X, which Kustomize and Flux cannot read", lost)
		hint = "leave it out; a ConfigMap or Secret can hold it in base64, in binaryData or data"
	}
	if why == "" {
		return nil
	}
	name := clip(strings.TrimSpace(one.Kind+" "+one.Name), 300)
	return &failure{Kind: notObject, Message: name + " has " + why, Hint: hint}
}

// stringsIn yields the strings in compact JSON as they are written there, and whether they are keys.
func stringsIn(data []byte) iter.Seq2[string, bool] {
	return func(yield func(string, bool) bool) {
		for at := 0; at < len(data); at++ {
			if data[at] != '"' {
				continue
			}
			begin := at + 1
			for at = begin; data[at] != '"'; at++ {
				if data[at] == '\\' {
					at++
				}
			}
			if !yield(string(data[begin:at]), at+1 < len(data) && data[at+1] == ':') {
				return
			}
		}
	}
}

// endsInOddBreak says so of text that becomes a block, in which the two characters are line breaks of YAML 1.1.
func endsInOddBreak(text string) bool {
	return (strings.HasSuffix(text, `\u2028`) || strings.HasSuffix(text, `\u2029`)) && strings.Contains(text, `\n`)
}

// lostByKustomize says which characters JSON leaves as they are, and YAML does not allow or takes for a line break.
func lostByKustomize(char rune) bool {
	return char >= 0x7f && char <= 0x9f || char == 0xfffe || char == 0xffff
}

// checkBreaks refuses text in which not all see the same lines: kubectl and Flux read JSON as JSON, and leave out the
// carriage return of each line.
func checkBreaks(found document) error {
	if strings.HasPrefix(strings.TrimSpace(found.text), "{") && strings.ContainsAny(found.text, "\u0085\u2028\u2029") {
		return &failure{
			Kind: notYAML, Message: "JSON with a character that YAML takes for a line break (U+0085, U+2028 or U+2029)",
			Hint: `write it as an escape, such as "\u2028"`,
		}
	}
	if strings.Contains(found.text, "\r\r\n") {
		return &failure{Kind: notYAML, Message: "two carriage returns at the end of a line, of which some readers see one", Hint: "end lines as one system does"}
	}
	return nil
}
