package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"regexp"
	"strconv"
	"strings"
	"unicode/utf8"

	yaml2 "go.yaml.in/yaml/v2"
	yaml3 "go.yaml.in/yaml/v3"
	kyaml "sigs.k8s.io/yaml"
)

// maxDepth is how deep YAML may nest; readers written in other languages recurse.
const maxDepth = 100

// document is one YAML document, read as Kubernetes, Flux and Helm read it (sigs.k8s.io/yaml).
type document struct {
	json []byte      // null for an empty document
	text string      // as it stands
	line int         // of its first line in the whole text, from 1
	node *yaml3.Node // the same text with places; nil when it is empty
	// value is what json holds, once somebody asked for it (content).
	value any
	// events are those of a hook, where Helm said whether it is one; else its annotation says.
	events []string
}

// content returns what json holds, which is not to be changed but by who made the document.
func (d *document) content() any {
	if d.value == nil && decode(d.json, &d.value) != nil {
		return nil // what is no JSON holds nothing
	}
	return d.value
}

// readStream splits text into documents as Kubernetes does, at lines that begin with "---", and reads each.
//
// What readers of YAML do not agree on, or drop without a word, is refused: content after the end of a document, keys
// that become equal, tags beyond JSON's types. lenient takes the last of equal keys with a warning, as Helm does.
func readStream(text, file string, out *result, lenient bool) ([]document, error) {
	if err := out.budget.takeBytes(len(text)); err != nil {
		return nil, inFile(err, file, 0)
	}
	if !utf8.ValidString(text) {
		return nil, &failure{Kind: notYAML, Message: "not UTF-8 text", File: file}
	}
	pieces, err := split(text, file)
	if err != nil {
		return nil, err
	}
	var found []document
	size := 0 // of all documents, which are in memory together
	for _, piece := range pieces {
		read, err := readDocument(piece, file, out, lenient)
		if err != nil {
			return nil, err
		}
		if read == nil {
			continue
		}
		size += len(read.json)
		if err := within(size, out.budget.limits.BytesOut, expandedBytes, "output_mebibytes"); err != nil {
			return nil, inFile(err, file, piece.line)
		}
		found = append(found, *read)
	}
	return found, nil
}

const (
	expandedNodes = "nodes of YAML, once its aliases are followed"
	expandedBytes = "bytes of YAML, once its aliases are followed"
)

type piece struct {
	text string
	line int
}

// split does what k8s.io/apimachinery/pkg/util/yaml.YAMLReader does: a line that begins with "---" and has nothing but
// a comment behind it begins a document. "---#" does so too, and then fails there.
func split(text, file string) ([]piece, error) {
	text = terminated(strings.TrimPrefix(text, "\ufeff"))
	if !strings.Contains(text, "---") {
		return []piece{{text, 1}}, nil
	}
	var found []piece
	var current strings.Builder
	begin, number := 1, 0
	for line := range strings.Lines(text) {
		number++
		if !strings.HasPrefix(line, "---") {
			current.WriteString(line)
			continue
		}
		if rest := strings.TrimSpace(line[3:]); rest != "" && (rest[0] != '#' || line[3] == '#') {
			return nil, &failure{
				Kind: notYAML, File: file, Line: number,
				Message: "'---' begins a document, so nothing may follow it on its line",
				Hint:    "write what follows on the next line; in a block of text, indent the line",
			}
		}
		if len(found) > 0 || !isVersion.MatchString(current.String()) {
			found = append(found, piece{current.String(), begin})
		}
		current.Reset()
		begin = number + 1
	}
	return append(found, piece{current.String(), begin}), nil
}

// terminated ends the last line as Kubernetes' reader does: the text of a block depends on it.
func terminated(text string) string {
	if strings.HasSuffix(text, "\n") {
		return text
	}
	return text + "\n"
}

// comment ends where YAML 1.1 has a line end.
const comment = `(?:#[^\r\n\x{85}\x{2028}\x{2029}]*)?`

// isVersion matches what may stand before the first document without a meaning: comments and the version of YAML.
var isVersion = regexp.MustCompile(`^(?:[ \t]*` + comment + `\r?\n|%YAML[ \t]+1\.[0-9][ \t]*` + comment + `\r?\n)*$`)

func readDocument(from piece, file string, out *result, lenient bool) (*document, error) {
	if strings.HasPrefix(from.text, "\ufeff") {
		return nil, &failure{
			Kind: notYAML, File: file, Line: from.line,
			Message: "a byte order mark inside of the text, which some readers take for a part of the first key", Hint: "delete it",
		}
	}
	if strings.Trim(from.text, " \t\r\n") == "" {
		return nil, nil //nolint:nilnil // nothing there is no error
	}
	decoder := yaml3.NewDecoder(strings.NewReader(from.text))
	var node yaml3.Node
	if err := decoder.Decode(&node); err != nil {
		if errors.Is(err, io.EOF) {
			return nil, nil //nolint:nilnil // comments alone
		}
		if _, other := kyaml.YAMLToJSON([]byte(from.text)); other != nil {
			err = other // it tells where the problem is, and not where what holds it begins
		}
		return nil, syntaxError(err, from, file)
	}
	var more yaml3.Node
	if err := decoder.Decode(&more); !errors.Is(err, io.EOF) {
		if err != nil {
			return nil, syntaxError(err, from, file)
		}
		return nil, &failure{
			Kind: notYAML, File: file, Line: from.line + more.Line - 1,
			Message: "content after the end of a document, which some readers drop",
			Hint:    "separate documents by a line that begins with '---'",
		}
	}
	root := &node
	if node.Kind == yaml3.DocumentNode && len(node.Content) == 1 {
		root = node.Content[0]
	}
	check := &nodeCheck{
		from: from, file: file, out: out, lenient: lenient, root: root,
		sizes: map[*yaml3.Node]size{}, keys: map[*yaml3.Node]map[string]any{},
	}
	if strings.Contains(from.text, "!") && maybeBareTag.MatchString(from.text) {
		check.lines = lineStarts(from.text)
	}
	measured, err := check.walk(root, nil, 0)
	if err != nil {
		return nil, err
	}
	if err := out.budget.takeNodes(measured.nodes); err != nil {
		return nil, inFile(err, file, from.line)
	}
	data, err := kyaml.YAMLToJSON([]byte(from.text))
	if err != nil {
		return nil, check.unreadable(err)
	}
	return &document{json: data, text: from.text, line: from.line, node: root}, nil
}

var errorLine = regexp.MustCompile(`(?:yaml: )?line (\d+): `)

func syntaxError(err error, from piece, file string) error {
	words := strings.TrimPrefix(err.Error(), "error converting YAML to JSON: ")
	line := 0
	if match := errorLine.FindStringSubmatchIndex(words); match != nil {
		line, _ = strconv.Atoi(words[match[2]:match[3]])
		line += from.line - 1
		words = words[:match[0]] + words[match[1]:]
	}
	words = strings.TrimPrefix(strings.TrimSpace(words), "yaml: ")
	if ofParser.MatchString(words) && line > 0 {
		line++ // go-yaml counts lines from 0 where its parser finds an error, and from 1 where its scanner does
	}
	hint := ""
	if strings.HasPrefix(words, "did not find expected <document start>") {
		words, hint = "content after the end of a document, where only '---' may follow", "separate documents by a line that begins with '---'"
	}
	switch {
	case strings.HasPrefix(words, "exceeded max depth"):
		return &failure{Kind: overBudget, Message: tooDeep, File: file, Line: from.line}
	case strings.HasPrefix(words, "control characters"):
		if at := control.FindStringIndex(from.text); at != nil {
			line = from.line + strings.Count(from.text[:at[0]], "\n")
		}
	case strings.HasPrefix(words, "unknown anchor '"):
		name, _, _ := strings.Cut(strings.TrimPrefix(words, "unknown anchor '"), "'")
		before, _, _ := strings.Cut(from.text, "*"+name)
		line = from.line + strings.Count(before, "\n")
	case line == 0:
		line = from.line // go-yaml leaves out the number of a first line
	}
	return &failure{Kind: notYAML, Message: "not YAML: " + words, File: file, Line: line, Hint: hint}
}

// ofParser matches the errors of go-yaml's parser; all others are of its scanner.
var ofParser = regexp.MustCompile(`^(?:did not find expected (?:'|<|node|key)|found (?:undefined|incompatible|duplicate))`)

var tooDeep = fmt.Sprintf("nested deeper than %d levels", maxDepth)

// https://yaml.org/spec/1.1/#c-printable
var control = regexp.MustCompile("[^\t\n\r\x20-\x7e\u0085\u00a0-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")

func inFile(err error, file string, line int) error {
	if found, ok := errors.AsType[*failure](err); ok && found.File == "" {
		placed := *found
		placed.File, placed.Line = file, line
		return &placed
	}
	return err
}

// unreadable explains why Kubernetes' reader refuses what was taken apart without an error.
func (c *nodeCheck) unreadable(err error) error {
	words := err.Error()
	switch {
	case strings.Contains(words, "excessive aliasing"):
		return c.refuse(overBudget, c.root, "aliases multiply what is read too often", "")
	case strings.Contains(words, "unsupported value"):
		words = "infinity and 'not a number' have no form in JSON, which Kubernetes speaks"
	}
	found, ok := errors.AsType[*failure](syntaxError(errors.New(words), c.from, c.file))
	if ok && errorLine.FindStringIndex(err.Error()) == nil {
		found.Line = c.from.line + suspect(c.root).Line - 1
	}
	return found
}

var noJSON = regexp.MustCompile(`^[-+]?\.(?i:inf|nan)$`)

// suspect returns the first node that Kubernetes' reader may refuse although it is YAML, or the root.
func suspect(root *yaml3.Node) *yaml3.Node {
	var found *yaml3.Node
	var look func(*yaml3.Node)
	look = func(node *yaml3.Node) {
		if found == nil && (node.Style&yaml3.TaggedStyle != 0 || noJSON.MatchString(node.Value)) {
			found = node
		}
		for _, inner := range node.Content {
			look(inner)
		}
	}
	if look(root); found == nil {
		return root
	}
	return found
}

// size is what a node is once its aliases are followed.
type size struct {
	nodes, bytes, depth int // bytes of JSON
}

// nodeCheck walks the nodes of a document, each once, and refuses what not all readers read alike.
type nodeCheck struct {
	from    piece
	file    string
	out     *result
	lenient bool
	root    *yaml3.Node
	sizes   map[*yaml3.Node]size           // of nodes with an anchor
	keys    map[*yaml3.Node]map[string]any // of mappings with an anchor, or that << takes keys from
	open    []*yaml3.Node                  // anchored nodes that are being walked
	lines   []int                          // where each begins; nil when no tag "!" can be there
	last    position                       // that was looked up
}

func (c *nodeCheck) walk(node *yaml3.Node, path []any, depth int) (size, error) {
	if depth > maxDepth {
		return size{}, c.refuse(overBudget, node, tooDeep, "")
	}
	if err := c.checkTag(node); err != nil {
		return size{}, err
	}
	if node.Anchor != "" {
		c.open = append(c.open, node)
	}
	total := size{nodes: 1, depth: 1}
	var err error
	switch node.Kind {
	case yaml3.AliasNode:
		total, err = c.alias(node, depth)
	case yaml3.ScalarNode:
		total.bytes = sizeInJSON(node.Value)
	case yaml3.SequenceNode:
		for index, item := range node.Content {
			if err = c.add(&total, item, append(path, index), depth); err != nil {
				break
			}
		}
	case yaml3.MappingNode:
		err = c.mapping(&total, node, path, depth)
	default:
		err = c.refuse(notYAML, node, "not YAML", "")
	}
	if err != nil {
		return size{}, err
	}
	if node.Anchor != "" {
		c.open = c.open[:len(c.open)-1]
		c.sizes[node] = total
	}
	return total, nil
}

func (c *nodeCheck) add(total *size, node *yaml3.Node, path []any, depth int) error {
	inner, err := c.walk(node, path, depth+1)
	if err != nil {
		return err
	}
	total.nodes = saturated(total.nodes, inner.nodes)
	total.bytes = saturated(total.bytes, inner.bytes)
	total.depth = max(total.depth, inner.depth+1)
	given, used := c.out.budget.limits, c.out.budget.used
	err = within(saturated(used.Nodes, total.nodes), given.Nodes, expandedNodes, "nodes")
	if err == nil { // aliases of long texts multiply bytes without many nodes
		err = within(total.bytes, given.BytesOut, expandedBytes, "output_mebibytes")
	}
	if err != nil {
		return inFile(err, c.file, c.from.line+node.Line-1)
	}
	return nil
}

// sizeInJSON is at least what encoding/json writes for a scalar.
func sizeInJSON(text string) int {
	size := len(text) + len(`"",`)
	for at := range len(text) {
		if char := text[at]; char < 0x20 || char == '<' || char == '>' || char == '&' || char == 0xE2 { // U+2028 begins so
			size += len(`\u0000`) - 1
		} else if char == '"' || char == '\\' {
			size++
		}
	}
	return size
}

func (c *nodeCheck) alias(node *yaml3.Node, depth int) (size, error) {
	for _, open := range c.open {
		if open == node.Alias {
			return size{}, c.refuse(notYAML, node, fmt.Sprintf("the alias *%s contains itself", node.Value), "")
		}
	}
	known, ok := c.sizes[node.Alias]
	if !ok {
		return size{}, c.refuse(notYAML, node, fmt.Sprintf("the alias *%s has no anchor before it", node.Value), "")
	}
	if depth+known.depth-1 > maxDepth {
		return size{}, c.refuse(overBudget, node, tooDeep, "")
	}
	return known, nil
}

func (c *nodeCheck) mapping(total *size, node *yaml3.Node, path []any, depth int) error {
	seen := make(map[string]any, len(node.Content)/2)
	if _, wanted := c.keys[node]; wanted || node.Anchor != "" {
		c.keys[node] = seen
	}
	var merged []*yaml3.Node
	for at := 0; at+1 < len(node.Content); at += 2 {
		key, value := node.Content[at], node.Content[at+1]
		name, read, err := c.key(key)
		if err != nil {
			return err
		}
		if err := c.add(total, key, path, depth); err != nil {
			return err
		}
		inner := append(path[:len(path):len(path)], name)
		if isMerge(key) {
			from, err := c.merges(value)
			if err != nil {
				return err
			}
			merged = append(merged, from...)
		} else if other, ok := seen[name]; ok {
			if err := c.twice(key, inner, other == read); err != nil {
				return err
			}
		} else {
			seen[name] = read
		}
		if err := c.add(total, value, inner, depth); err != nil {
			return err
		}
	}
	return c.merge(seen, merged, path)
}

func isMerge(key *yaml3.Node) bool {
	return key.Kind == yaml3.ScalarNode && key.Value == "<<" && key.Style&(quotedStyle|yaml3.TaggedStyle) == 0
}

const quotedStyle = yaml3.DoubleQuotedStyle | yaml3.SingleQuotedStyle | yaml3.LiteralStyle | yaml3.FoldedStyle

// merges returns what << takes keys from, each a mapping or its alias, and has the keys of these remembered.
func (c *nodeCheck) merges(value *yaml3.Node) ([]*yaml3.Node, error) {
	from := []*yaml3.Node{value}
	if value.Kind == yaml3.SequenceNode {
		from = value.Content
	}
	for _, each := range from {
		if mapping := resolved(each); mapping.Kind != yaml3.MappingNode {
			return nil, c.refuse(notYAML, each, "<< takes a mapping or a list of mappings", "")
		} else if _, known := c.keys[mapping]; !known {
			c.keys[mapping] = nil
		}
	}
	return from, nil
}

// merge adds the keys that a mapping takes from others, which it may set itself. But where 1 and "1" come together, chance
// decides which of the two stays.
func (c *nodeCheck) merge(seen map[string]any, merged []*yaml3.Node, path []any) error {
	for _, each := range merged {
		for name, read := range c.keys[resolved(each)] {
			if other, ok := seen[name]; ok && other != read {
				return c.twice(each, append(path[:len(path):len(path)], name), false)
			}
			seen[name] = read
		}
	}
	return nil
}

func resolved(node *yaml3.Node) *yaml3.Node {
	if node.Kind == yaml3.AliasNode && node.Alias != nil {
		return node.Alias
	}
	return node
}

// key returns what a key is in JSON, and what it is before it becomes a string.
func (c *nodeCheck) key(node *yaml3.Node) (name string, read any, err error) {
	if node = resolved(node); node.Kind != yaml3.ScalarNode {
		return "", nil, c.refuse(notYAML, node, "a key must be a string", "")
	}
	if node.Style&yaml3.TaggedStyle != 0 && node.Tag != "!!str" {
		return "", nil, c.refuse(notYAML, node, fmt.Sprintf("the tag %s is not allowed", clip(node.Tag, 100)), "write the key without a tag")
	}
	if node.Style&(quotedStyle|yaml3.TaggedStyle) != 0 {
		return node.Value, node.Value, nil
	}
	read, ok := plainKey(node.Value)
	if !ok {
		message := fmt.Sprintf("the key '%s' is no string", clip(node.Value, 100))
		return "", nil, c.refuse(notYAML, node, message, "put it in quotes")
	}
	return keyText(read), read, nil
}

// What go-yaml v2 may take for something else than a string looks like one of these, and begins with one of “begins“.
const begins = "-+.0123456789~yYnNoOtTfF"

var (
	decimal     = regexp.MustCompile(`^(?:0|-?[1-9][0-9]{0,17})$`)
	maybeNumber = regexp.MustCompile(`^[-+.0-9][-+.0-9A-Za-z_]*$`)
	maybeWord   = regexp.MustCompile(`^(?i:~|y|yes|n|no|on|off|true|false|null)$`)
)

// plainKey returns what go-yaml v2 makes of a plain scalar as a key; false when it makes a key of it that has no JSON form.
func plainKey(text string) (any, bool) {
	if text != "" && strings.IndexByte(begins, text[0]) < 0 {
		return text, true
	}
	if decimal.MatchString(text) {
		number, err := strconv.Atoi(text)
		return number, err == nil
	}
	if text == "" {
		return nil, false
	}
	if !maybeNumber.MatchString(text) && !maybeWord.MatchString(text) {
		return text, true
	}
	var read []any
	if err := yaml2.Unmarshal([]byte("["+text+"]"), &read); err != nil || len(read) != 1 {
		return text, true
	}
	switch read[0].(type) {
	case string, bool, int, float64:
		return read[0], true
	}
	return nil, false
}

// keyText does what sigs.k8s.io/yaml does to keys: 1, 0x1 and 1.0 become "1", yes becomes "true".
func keyText(read any) string {
	switch value := read.(type) {
	case string:
		return value
	case bool:
		return strconv.FormatBool(value)
	case int:
		return strconv.Itoa(value)
	case float64:
		switch text := strconv.FormatFloat(value, 'g', -1, 32); text {
		case "+Inf":
			return ".inf"
		case "-Inf":
			return "-.inf"
		case "NaN":
			return ".nan"
		default:
			return text
		}
	}
	panic(fmt.Sprintf("a key that is a %T", read))
}

// twice tells of a key that stands there already: the same, so that the last one counts, or another that becomes the same,
// so that chance decides.
func (c *nodeCheck) twice(key *yaml3.Node, path []any, same bool) error {
	if c.lenient && same && len(c.out.warnings) > maxWarnings {
		c.out.warnings = append(c.out.warnings, warning{}) // only counted
		return nil
	}
	message := fmt.Sprintf("the key '%s' is set twice", dotted(path))
	if name := objectName(c.root); name != "" {
		message = name + ": " + message
	}
	switch {
	case !same:
		return c.refuse(notYAML, key, message+", with and without quotes or in two spellings", "delete one of the two")
	case c.lenient:
		c.out.warnings = append(c.out.warnings, warning{Message: message + ", the last one counts", File: c.file, Line: c.from.line + key.Line - 1})
		return nil
	}
	hint := "delete one of the two"
	if objectName(c.root) != "" {
		hint += "; in a template, a value usually repeats what the template sets already"
	}
	return c.refuse(notYAML, key, message, hint)
}

// JSON has these types; others are read differently, or not at all.
var knownTags = map[string]bool{
	"!!str": true, "!!int": true, "!!float": true, "!!bool": true, "!!null": true, "!!map": true, "!!seq": true,
}

func (c *nodeCheck) checkTag(node *yaml3.Node) error {
	tag := node.Tag
	switch {
	case node.Kind == yaml3.AliasNode:
		return nil
	case node.Style&yaml3.TaggedStyle != 0:
		if knownTags[tag] {
			return nil
		}
	case c.lines != nil && bareTag.MatchString(c.textFrom(node)):
		tag = "!"
	default:
		return nil
	}
	return c.refuse(notYAML, node, fmt.Sprintf("the tag %s is not allowed", clip(tag, 100)), "write the value without a tag")
}

// The tag "!" makes a string of 1 to some readers, and go-yaml v3 does not tell of it.
var (
	maybeBareTag = regexp.MustCompile(`(?:^|[^!-~])!(?:[^!-~]|$)|[\[{,]!|![\]},]`)
	bareTag      = regexp.MustCompile(`^(?:&[^\s\x{85}\x{2028}\x{2029}]+(?:[\s\x{85}\x{2028}\x{2029}]|#.*)*)?!(?:[\s\x{85}\x{2028}\x{2029},\]}]|$)`)
)

// lineStarts returns where the lines of a text begin, as YAML counts them.
func lineStarts(text string) []int {
	starts := []int{0}
	for at, char := range text {
		switch char {
		case '\r', '\n', '\u0085', '\u2028', '\u2029':
			if end := at + utf8.RuneLen(char); char != '\r' || !strings.HasPrefix(text[end:], "\n") {
				starts = append(starts, end)
			}
		}
	}
	return starts
}

// textFrom returns the text from where a node begins, which is its anchor or tag if it has one. It is asked for nodes in
// their order, and goes on from the last one: a line may hold all of them.
func (c *nodeCheck) textFrom(node *yaml3.Node) string {
	if node.Line > len(c.lines) {
		return "" // nothing, at the end of the text
	}
	last := &c.last
	if node.Line != last.line || node.Column < last.column {
		*last = position{node.Line, 1, c.lines[node.Line-1]}
	}
	for ; last.column < node.Column; last.column++ {
		_, width := utf8.DecodeRuneInString(c.from.text[last.offset:])
		last.offset += width
	}
	return c.from.text[last.offset:]
}

// position is one in a text: line and column in characters, both from 1, and bytes before it.
type position struct {
	line, column, offset int
}

func (c *nodeCheck) refuse(kind string, node *yaml3.Node, message, hint string) error {
	return &failure{Kind: kind, Message: message, File: c.file, Line: c.from.line + node.Line - 1, Hint: hint}
}

var simpleStep = regexp.MustCompile(`^[^.\[\]"*\\\s]+$`)

// dotted writes a key path as people do: spec.containers[0]."a.b".
func dotted(path []any) string {
	var text strings.Builder
	for _, step := range path {
		switch step := step.(type) {
		case int:
			fmt.Fprintf(&text, "[%d]", step)
		case string:
			if text.Len() > 0 {
				text.WriteByte('.')
			}
			if simpleStep.MatchString(step) {
				text.WriteString(step)
			} else {
				text.WriteString(strconv.Quote(step))
			}
		}
	}
	return clip(text.String(), 500)
}

// objectName names the Kubernetes object that a document seems to be, for an error about its text.
func objectName(root *yaml3.Node) string {
	kind := scalarAt(root, "kind")
	name := scalarAt(child(root, "metadata"), "name")
	if kind == "" {
		return ""
	}
	return clip(strings.TrimSpace(kind+" "+name), 300)
}

func child(node *yaml3.Node, key string) *yaml3.Node {
	if node == nil || node.Kind != yaml3.MappingNode {
		return nil
	}
	for at := 0; at+1 < len(node.Content); at += 2 {
		if node.Content[at].Value == key {
			return node.Content[at+1]
		}
	}
	return nil
}

func scalarAt(node *yaml3.Node, key string) string {
	if found := child(node, key); found != nil && found.Kind == yaml3.ScalarNode {
		return found.Value
	}
	return ""
}

// decode reads JSON without changing numbers.
func decode(data []byte, into any) error {
	decoder := newNumberDecoder(bytes.NewReader(data))
	return decoder.Decode(into)
}
