package main

import (
	"encoding/json"
	"errors"
	"io"
	"math"
	"strings"
	"unicode/utf8"

	yaml2 "go.yaml.in/yaml/v2"
)

// readQuickly does what readStream does without lenient, in half of the time for documents in which nothing can be that
// nodeCheck looks for. These have no node. All others, and what is wrong with one, are readStream's.
func readQuickly(text, file string, out *result) ([]document, error) {
	pieces, err := split(text, file)
	limit := out.budget.limits.BytesOut
	// Without aliases JSON is at most this much longer than the text.
	if err != nil || limit > 0 && len(text) > limit/len(`\u0000`) || !utf8.ValidString(text) {
		return readStream(text, file, out, false)
	}
	if err := out.budget.takeBytes(len(text)); err != nil {
		return nil, inFile(err, file, 0)
	}
	var found []document
	size := 0
	for _, piece := range pieces {
		read, err := readPiece(piece, file, out)
		if err != nil {
			return nil, err
		}
		if read == nil {
			continue
		}
		size += len(read.json)
		if err := within(size, limit, expandedBytes, "output_mebibytes"); err != nil {
			return nil, inFile(err, file, piece.line)
		}
		found = append(found, *read)
	}
	return found, nil
}

func readPiece(from piece, file string, out *result) (*document, error) {
	data, value, nodes, ok := readPlain(from.text)
	if !ok {
		return readDocument(from, file, out, false)
	}
	if err := out.budget.takeNodes(nodes); err != nil {
		return nil, inFile(err, file, from.line)
	}
	return &document{json: data, value: value, text: from.text, line: from.line}, nil
}

// unusual says whether there may be an anchor, alias, tag, merge key, directive, the begin or end of a document, a
// character that not all take for the same, or a last line without an end.
func unusual(text string) bool {
	before := byte('\n')
	for at := range len(text) {
		char := text[at]
		switch char {
		case '&', '*', '!':
			if strings.IndexByte(" \t\n:,[{", before) >= 0 {
				return true
			}
		case '<', '%', '-', '.':
			if rest := text[at:]; strings.HasPrefix(rest, "<<") ||
				before == '\n' && (char == '%' || strings.HasPrefix(rest, "---") || strings.HasPrefix(rest, "...")) {
				return true
			}
		case '\r', 0x7f, 0xC2, 0xE2, 0xEF: // U+0085, U+2028 and U+FEFF begin with the last three
			return true
		}
		before = char
	}
	return before != '\n' || !utf8.ValidString(text)
}

// readPlain reads one document that is a mapping with strings for keys.
func readPlain(text string) (data []byte, value any, nodes int, ok bool) {
	if unusual(text) {
		return nil, nil, 0, false
	}
	decoder := yaml2.NewDecoder(strings.NewReader(text))
	decoder.SetStrict(true) // no key twice
	var read, more any
	if decoder.Decode(&read) != nil || !errors.Is(decoder.Decode(&more), io.EOF) {
		return nil, nil, 0, false
	}
	if _, isMap := read.(map[any]any); !isMap {
		return nil, nil, 0, false
	}
	value, nodes, ok = plainValue(read, 0)
	if !ok {
		return nil, nil, 0, false
	}
	data, err := json.Marshal(value)
	return data, value, nodes, err == nil
}

// plainValue returns what sigs.k8s.io/yaml makes JSON of, and how many nodes it has.
func plainValue(read any, depth int) (value any, nodes int, ok bool) {
	if depth > maxDepth {
		return nil, 0, false
	}
	switch read := read.(type) {
	case map[any]any:
		return plainMap(read, depth)
	case []any:
		nodes = 1
		for at, item := range read {
			inner, count, ok := plainValue(item, depth+1)
			if !ok {
				return nil, 0, false
			}
			read[at] = inner
			nodes += count
		}
		return read, nodes, true
	case float64:
		return read, 1, !math.IsNaN(read) && !math.IsInf(read, 0)
	case nil, string, bool, int, int64, uint64:
		return read, 1, true
	}
	return nil, 0, false
}

func plainMap(read map[any]any, depth int) (value any, nodes int, ok bool) {
	found := make(map[string]any, len(read))
	nodes = 1
	for key, item := range read {
		name, isString := key.(string)
		inner, count, ok := plainValue(item, depth+1)
		if !isString || !ok {
			return nil, 0, false
		}
		found[name] = inner
		nodes += 1 + count
	}
	return found, nodes, true
}
