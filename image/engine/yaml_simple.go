package main

import (
	"strings"

	yaml2 "go.yaml.in/yaml/v2"
)

// readSimple reads what most YAML is, and all that Headgate writes: maps and lists in block style, names for keys, and
// scalars and literal blocks as people write them. It takes a fifth of the time of a reader of all of YAML. false: there is
// something else in the text, which readPlain then reads.
func readSimple(text string) (value any, nodes int, ok bool) {
	reader := &simpleReader{text: text}
	if !reader.next() || reader.indent != 0 || !isKeyed(reader.line) {
		return nil, 0, false
	}
	value, ok = reader.mapping(0, 0)
	return value, reader.nodes, ok && reader.line == ""
}

// maxSimpleDepth is how deep simple YAML nests.
const maxSimpleDepth = 40

type simpleReader struct {
	text  string // what follows the line
	line  string // the line without its indentation; empty at the end, and where it is not simple
	nodes int

	indent int
}

// next goes to the next line that is no comment. It returns false at the end, and for what is not simple.
func (r *simpleReader) next() bool {
	for {
		line, rest, found := strings.Cut(r.text, "\n")
		r.line = ""
		if !found {
			return false
		}
		r.text = rest
		content := strings.TrimLeft(line, " ")
		if !isPrintable(content) || content != "" && content[len(content)-1] == ' ' {
			r.line = "?" // which nobody takes for the end
			return false
		}
		if content != "" && content[0] != '#' {
			r.line, r.indent = content, len(line)-len(content)
			return true
		}
	}
}

func isPrintable(text string) bool {
	for at := range len(text) {
		if text[at] < ' ' || text[at] > '~' {
			return false
		}
	}
	return true
}

// isItem says whether a line is an item of a list.
func isItem(line string) bool { return strings.HasPrefix(line, "- ") }

// isKeyed says whether a line is an entry of a map, or something that is not simple.
func isKeyed(line string) bool {
	return !isItem(line) && (strings.Contains(line, ": ") || line[len(line)-1] == ':')
}

func (r *simpleReader) mapping(indent, depth int) (any, bool) {
	if depth > maxSimpleDepth {
		return nil, false
	}
	found := map[string]any{}
	r.nodes++
	for r.line != "" && r.indent == indent && !isItem(r.line) {
		key, rest, isEntry := strings.Cut(r.line, ":")
		if !isEntry || !isSimpleKey(key) || rest != "" && (len(rest) < 2 || rest[0] != ' ' || rest[1] == ' ') {
			return nil, false
		}
		if _, twice := found[key]; twice {
			return nil, false
		}
		var value any
		ok := true
		if rest == "" {
			value, ok = r.below(indent, depth)
		} else {
			value, ok = r.scalar(rest[1:], indent)
		}
		if !ok {
			return nil, false
		}
		r.nodes++
		found[key] = value
	}
	return found, r.line == "" || r.indent <= indent
}

// below reads what follows a key with nothing behind it.
func (r *simpleReader) below(indent, depth int) (any, bool) {
	switch {
	case !r.next():
		r.nodes++
		return nil, r.line == ""
	case isItem(r.line) && r.indent >= indent:
		return r.list(r.indent, depth+1)
	case r.indent > indent:
		if !isKeyed(r.line) {
			return nil, false
		}
		return r.mapping(r.indent, depth+1)
	}
	r.nodes++
	return nil, true
}

func (r *simpleReader) list(indent, depth int) (any, bool) {
	if depth > maxSimpleDepth {
		return nil, false
	}
	found := []any{}
	r.nodes++
	for r.line != "" && r.indent == indent && isItem(r.line) {
		r.line, r.indent = r.line[2:], indent+2
		if r.line[0] == ' ' {
			return nil, false
		}
		var value any
		ok := true
		switch {
		case isItem(r.line):
			value, ok = r.list(indent+2, depth+1)
		case isKeyed(r.line) && r.line[0] != '"' && r.line[0] != '\'':
			value, ok = r.mapping(indent+2, depth+1)
		default:
			value, ok = r.scalar(r.line, indent)
		}
		if !ok {
			return nil, false
		}
		found = append(found, value)
	}
	return found, r.line == "" || r.indent <= indent
}

// scalar reads a value on the rest of a line, or the block that follows, and goes to the next line, which no value goes on to.
func (r *simpleReader) scalar(text string, indent int) (any, bool) {
	r.nodes++
	if text == "|" || text == "|-" {
		return r.block(indent, text == "|-")
	}
	r.nodes--
	value, ok := r.inline(text)
	if !ok || !r.next() && r.line != "" {
		return nil, false
	}
	return value, r.line == "" || r.indent <= indent
}

// inline reads a scalar, or a map or list in flow style on one line.
func (r *simpleReader) inline(text string) (any, bool) {
	if text[0] == '{' || text[0] == '[' {
		value, rest, ok := r.flow(text, 0)
		return value, ok && rest == ""
	}
	r.nodes++
	return simpleScalar(text)
}

// flow reads a map or list in flow style, and returns what follows it. Its scalars hold no character that means something
// there.
func (r *simpleReader) flow(text string, depth int) (value any, rest string, ok bool) {
	isMap, end := text[0] == '{', text[0]+2 // as ASCII has them
	if depth > maxSimpleDepth {
		return nil, "", false
	}
	r.nodes++
	entries, items := map[string]any{}, []any{}
	for rest = text[1:]; rest != "" && rest[0] != end; {
		key := ""
		if isMap {
			if key, rest, ok = strings.Cut(rest, ": "); !ok || !isSimpleKey(key) || rest == "" {
				return nil, "", false
			}
			if _, twice := entries[key]; twice {
				return nil, "", false
			}
			r.nodes++
		}
		if value, rest, ok = r.flowValue(rest, depth+1); !ok || rest == "" {
			return nil, "", false
		}
		if isMap {
			entries[key] = value
		} else {
			items = append(items, value)
		}
		if rest[0] == end {
			break
		}
		if rest, ok = strings.CutPrefix(rest, ", "); !ok || rest == "" || rest[0] == end {
			return nil, "", false
		}
	}
	switch {
	case rest == "":
		return nil, "", false
	case isMap:
		return entries, rest[1:], true
	}
	return items, rest[1:], true
}

func (r *simpleReader) flowValue(text string, depth int) (value any, rest string, ok bool) {
	if text[0] == '{' || text[0] == '[' {
		return r.flow(text, depth)
	}
	r.nodes++
	end := strings.IndexAny(text, ",]}")
	if text[0] == '"' || text[0] == '\'' {
		end = strings.IndexByte(text[1:], text[0]) + 2
	}
	if end < 1 || end > len(text) || text[end-1] == ' ' || text[0] != '"' && text[0] != '\'' && strings.ContainsAny(text[:end], "{[:\"'#") {
		return nil, "", false
	}
	value, ok = simpleScalar(text[:end])
	return value, text[end:], ok
}

// block reads a literal block: its lines are indented alike, or more.
func (r *simpleReader) block(indent int, strip bool) (any, bool) {
	width := len(r.text) - len(strings.TrimLeft(r.text, " "))
	if width <= indent || width == len(r.text) || r.text[width] == '\n' {
		return nil, false
	}
	var found strings.Builder
	empty := 0
	for r.text != "" {
		line, rest, _ := strings.Cut(r.text, "\n")
		if line == "" {
			empty++
			r.text = rest
			continue
		}
		inner := strings.TrimLeft(line, " ")
		if inner == "" || !isPrintable(inner) {
			return nil, false
		}
		if len(line)-len(inner) < width {
			if len(line)-len(inner) > indent || inner[0] == '#' {
				return nil, false
			}
			break
		}
		for ; empty > 0; empty-- {
			found.WriteByte('\n')
		}
		found.WriteString(line[width:])
		found.WriteByte('\n')
		r.text = rest
	}
	value := found.String()
	if strip {
		value = value[:len(value)-1]
	}
	return value, r.next() || r.line == ""
}

func isSimpleKey(key string) bool {
	if key == "" || len(key) > maxKey || !isLetter(key[0]) || isReserved(key) {
		return false
	}
	for at := range len(key) {
		char := key[at]
		if !isLetter(char) && (char < '0' || char > '9') && strings.IndexByte("_./-", char) < 0 {
			return false
		}
	}
	return true
}

func isLetter(char byte) bool { return char|0x20 >= 'a' && char|0x20 <= 'z' }

// isReserved says so of words that some reader takes for something else than a string.
func isReserved(word string) bool {
	if len(word) > len("false") {
		return false
	}
	switch strings.ToLower(word) {
	case "y", "n", "yes", "no", "on", "off", "true", "false", "null":
		return true
	}
	return false
}

func simpleScalar(text string) (any, bool) {
	switch first := text[0]; {
	case first == '"' || first == '\'':
		inner := text[1:]
		end := strings.IndexByte(inner, first)
		if end < 0 || end != len(inner)-1 || first == '"' && strings.IndexByte(inner, '\\') >= 0 {
			return nil, false
		}
		return inner[:end], true
	case strings.Contains(text, ": ") || strings.Contains(text, " #") || text[len(text)-1] == ':':
		return nil, false
	case isLetter(first):
		return simpleWord(text)
	case strings.IndexByte("/_$(", first) >= 0 || first == '-' && len(text) > 1 && (text[1] == '-' || isLetter(text[1])):
		return text, true
	case first >= '0' && first <= '9' || first == '-' && len(text) > 1 && text[1] >= '0' && text[1] <= '9':
		return simpleNumber(text)
	}
	return nil, false
}

func simpleWord(text string) (any, bool) {
	switch text {
	case "true", "false":
		return text == "true", true
	case "null":
		return nil, true
	}
	return text, !isReserved(text)
}

// simpleNumber reads a number, or a string that begins like one, as all of YAML is read.
func simpleNumber(text string) (value any, ok bool) {
	if yaml2.Unmarshal([]byte(text), &value) != nil {
		return nil, false
	}
	switch value.(type) {
	case string, int, float64:
		return value, true
	}
	return nil, false
}
