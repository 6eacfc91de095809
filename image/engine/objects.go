package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"

	yaml3 "go.yaml.in/yaml/v3"
)

// readObjects gives the Kubernetes objects of files, lists unfolded.
func readObjects(request *objectsRequest, out *result) error {
	for _, file := range request.Files {
		if err := emitStream(file.Text, file.File, request.Strings, request.Hooks, out); err != nil {
			return err
		}
	}
	return nil
}

// emitStream gives the objects in a text. Strings take the places of their tokens.
func emitStream(text, source string, tokens []string, hooks string, out *result) error {
	// Counted before anything is read, which takes long. Some documents may be empty.
	if err := within(strings.Count(text, "\n---"), 4*out.budget.limits.Objects, "documents", "objects"); err != nil {
		return inFile(err, source, 0)
	}
	documents, err := readQuickly(text, source, out)
	if err != nil {
		return explainRendered(err, text, tokens)
	}
	for _, found := range documents {
		if string(found.json) == "null" {
			continue
		}
		if err := checkBreaks(found); err != nil {
			return inFile(err, source, found.line)
		}
		if len(tokens) > 0 {
			if err := fill(&found, tokens, out); err != nil {
				return inFile(err, source, 0)
			}
		}
		if err := emitDocument(found, source, tokens, hooks, out); err != nil {
			return inFile(err, source, 0)
		}
	}
	return nil
}

// explainRendered shows the line of rendered text that is no YAML: nobody else sees that text.
func explainRendered(err error, text string, strings []string) error {
	found, ok := err.(*failure) //nolint:errorlint // readStream wraps nothing
	if !ok || len(strings) == 0 || found.Line == 0 {
		return err
	}
	placed := *found
	placed.Message += "\n    " + excerpt(text, found.Line, strings)
	placed.Line = 0 // of the rendered text, not of the template
	return &placed
}

func excerpt(text string, line int, tokens []string) string {
	lines := strings.Split(text, "\n")
	if line < 1 || line > len(lines) {
		return ""
	}
	const shownBytes = 120
	begin := clip(strings.TrimSpace(lines[line-1]), 10*shownBytes) // what follows may be many tokens of long strings
	filled := token.ReplaceAllStringFunc(begin, func(found string) string {
		value, ok := valueOf(found, tokens)
		if !ok {
			return found
		}
		return clip(value, shownBytes)
	})
	return fmt.Sprintf("line %d of the rendered text: %s", line, clip(filled, shownBytes))
}

// head is what all objects have. Raw keeps what has a wrong type.
type head struct {
	APIVersion string
	Kind       string
	Name       string
	Hook       []string
}

// emitDocument gives the object of a document, or those of a list.
func emitDocument(found document, source string, tokens []string, hooks string, out *result) error {
	return unfold(found.json, found.content(), nil, func(data json.RawMessage, fields map[string]any, inList bool) error {
		one, err := headOf(data, fields)
		if err != nil {
			return err
		}
		if found.events != nil {
			one.Hook = found.events
		}
		text, encrypted := "", isEncrypted(fields)
		read, err := readAnnotations(data, fields, one, encrypted)
		if read.warning != "" {
			out.warnings = append(out.warnings, warning{Message: read.warning, File: source})
		}
		if err != nil || read.isLeft {
			return err
		}
		data = read.data
		if encrypted {
			if inList {
				return &failure{
					Kind: notObject, Message: "a list holds encrypted objects, which cannot be taken out of it unchanged",
					Hint: "encrypt each object in a document of its own",
				}
			}
			if text, err = encryptedText(found, tokens, one, out); err != nil {
				return err
			}
		}
		return out.object(data, one, source, text, hooks)
	})
}

// object sends one object, unless it is a hook that has no place in the output.
func (r *result) object(data json.RawMessage, one head, source, text, hooks string) error {
	if dropsHook(one.Hook, hooks) {
		return nil
	}
	if err := checkPortable(data, one); err != nil {
		return err
	}
	if err := r.budget.takeObject(strings.TrimSpace(one.Kind + " " + one.Name)); err != nil {
		return err
	}
	if err := r.budget.takeOutput(len(data) + len(text)); err != nil {
		return err
	}
	return r.writer.line(answer{Request: r.request, Object: data, Source: source, Hook: one.Hook, Text: text})
}

// unfold calls each for an object, or for every object of a list. value is what data holds; of has the kind and version that
// a typed list gives.
func unfold(data json.RawMessage, value any, of *head, each func(json.RawMessage, map[string]any, bool) error) error {
	fields, ok := value.(map[string]any)
	if !ok {
		return &failure{Kind: notObject, Message: "expected a Kubernetes object, found " + clip(string(data), 60)}
	}
	if err := checkSpelling(fields); err != nil {
		return err
	}
	inherited := false
	if of != nil && of.Kind != "" { // what a typed list leaves out of its items
		for key, value := range map[string]string{"apiVersion": of.APIVersion, "kind": of.Kind} {
			if _, ok := fields[key]; !ok {
				fields[key], inherited = value, true
			}
		}
	}
	items, hasItems := fields["items"]
	kind, version := text(fields["kind"]), text(fields["apiVersion"])
	if !hasItems {
		if inherited {
			data = encoded(fields)
		}
		return each(data, fields, of != nil)
	}
	if !strings.HasSuffix(kind, "List") {
		name := clip(strings.TrimSpace(kind+" "+text(metadata(fields)["name"])), 300)
		return &failure{
			Kind: notObject, Message: name + " has a top-level 'items', which makes it a list to Flux, kubectl and Argo CD",
			Hint: "move what it holds below another key, or into documents of its own",
		}
	}
	list, ok := items.([]any)
	if !ok && items != nil {
		return &failure{Kind: notObject, Message: fmt.Sprintf("%s: 'items' is no list", clip(kind, 100))}
	}
	if isEncrypted(fields) {
		return &failure{
			Kind: notObject, Message: clip(kind, 100) + " is encrypted as a whole",
			Hint: "encrypt each object in a document of its own",
		}
	}
	inner := &head{}
	if kind != "List" {
		inner = &head{APIVersion: version, Kind: strings.TrimSuffix(kind, "List")}
	}
	for _, item := range list {
		if err := unfold(encoded(item), item, inner, each); err != nil {
			return err
		}
	}
	return nil
}

// Readers of JSON in Go may take these names in any spelling that folds to them (case, but also the long s and the Kelvin
// sign), and the last of several counts.
var (
	spelled           = []string{"apiVersion", "kind", "metadata", "items"}
	spelledInMetadata = []string{"name", "namespace", "generateName", "labels", "annotations"}
)

func checkSpelling(fields map[string]any) error {
	if err := spelledAs(fields, "", spelled); err != nil {
		return err
	}
	return spelledAs(metadata(fields), "metadata.", spelledInMetadata)
}

func spelledAs(fields map[string]any, above string, names []string) error {
	for key := range fields {
		for _, right := range names {
			if key != right && strings.EqualFold(key, right) {
				return misspelled(above+key, above+right)
			}
		}
	}
	return nil
}

func misspelled(key, right string) error {
	return &failure{
		Kind: notObject, Message: fmt.Sprintf("the key '%s' is '%s' to some readers and another key to others", clip(key, 100), right),
		Hint: fmt.Sprintf("write '%s'", right),
	}
}

func metadata(fields map[string]any) map[string]any {
	found, _ := fields["metadata"].(map[string]any)
	return found
}

// text returns a string, or nothing for what is none.
func text(value any) string {
	found, _ := value.(string)
	return found
}

// encoded writes what was read.
func encoded(value any) json.RawMessage {
	data, err := json.Marshal(value)
	if err != nil {
		panic(err) // it was JSON
	}
	return data
}

// https://kubernetes.io/docs/reference/using-api/#api-groups
var (
	apiVersion = regexp.MustCompile(`^(?:[a-z0-9](?:[-a-z0-9.]*[a-z0-9])?/)?v[a-z0-9]+$`)
	kindName   = regexp.MustCompile(`^[A-Z][A-Za-z0-9]*$`)
)

func headOf(data json.RawMessage, fields map[string]any) (head, error) {
	one := head{APIVersion: text(fields["apiVersion"]), Kind: text(fields["kind"])}
	if !apiVersion.MatchString(one.APIVersion) || !kindName.MatchString(one.Kind) {
		return head{}, &failure{
			Kind: notObject,
			Message: fmt.Sprintf("not a Kubernetes object: apiVersion %s, kind %s",
				clip(shown(fields, "apiVersion"), 100), clip(shown(fields, "kind"), 100)),
			Hint: "the document begins with: " + clip(string(data), 60),
		}
	}
	meta := metadata(fields)
	one.Name = text(meta["name"])
	annotations, _ := meta["annotations"].(map[string]any)
	if hook, ok := annotations["helm.sh/hook"].(string); ok {
		one.Hook = hookEvents(hook)
	}
	return one, nil
}

func shown(fields map[string]any, key string) string {
	value, ok := fields[key]
	if !ok {
		return "nothing"
	}
	return string(encoded(value))
}

// hookEvents splits the annotation as Helm's own sort of manifests does (helm.sh/helm/v4/pkg/release/v1/util).
func hookEvents(annotation string) []string {
	events := []string{}
	for event := range strings.SplitSeq(annotation, ",") {
		events = append(events, strings.ToLower(strings.TrimSpace(event)))
	}
	return events
}

// Flux knows no hooks: these never run. https://helm.sh/docs/topics/charts_hooks/
var neverRuns = map[string]bool{
	"test": true, "test-success": true, "test-failure": true,
	"pre-delete": true, "post-delete": true, "pre-rollback": true, "post-rollback": true,
}

func dropsHook(events []string, hooks string) bool {
	if len(events) == 0 {
		return false
	}
	if hooks == "drop" {
		return true
	}
	for _, event := range events {
		if !neverRuns[event] {
			return false
		}
	}
	return true
}

// isEncrypted says whether an object carries SOPS's mark; whoever forges it gets an object that Flux cannot decrypt.
func isEncrypted(fields map[string]any) bool {
	sops, _ := fields["sops"].(map[string]any)
	return strings.HasPrefix(text(sops["mac"]), "ENC[")
}

var (
	boundary  = regexp.MustCompile(`(?m)^(?:---|\.\.\.)`)
	oddBreaks = regexp.MustCompile("\r(?:[^\n]|$)|[\x0b\x0c\x1c-\x1e\u0085\u2028\u2029\ufeff]")
)

// encryptedText returns the source of an encrypted object, which stays byte for byte as it is. So it must be one object,
// and the same, to every reader of YAML.
func encryptedText(found document, tokens []string, one head, out *result) (string, error) {
	name := clip(one.Kind+" "+one.Name, 300)
	filled, err := newFiller(tokens, out).text(found.text)
	if err != nil {
		return "", err
	}
	kept := withoutBlankEnds(filled)
	switch {
	case boundary.MatchString(kept):
		return "", ambiguous(name, "a line begins with '---' or '...', where others begin another document")
	case oddBreaks.MatchString(kept):
		return "", ambiguous(name, "it has a character that only some readers take for a line break")
	}
	var root yaml3.Node
	if err := yaml3.Unmarshal([]byte(kept), &root); err != nil || len(root.Content) != 1 {
		return "", ambiguous(name, "what its template put in changes its structure")
	}
	if why := readersDiffer(root.Content[0], false); why != "" {
		return "", ambiguous(name, why)
	}
	if strings.Count(kept, "\t") > tabsInBlocks(root.Content[0]) {
		return "", ambiguous(name, "it has a tab outside of block scalars, which not all readers take for white space")
	}
	again, err := readStream(kept, "", &result{budget: newBudget(out.budget.limits)}, false)
	if err != nil || len(again) != 1 || string(again[0].json) != string(found.json) {
		return "", ambiguous(name, "what its template put in changes its structure")
	}
	return kept, nil
}

// tabsInBlocks counts the tabs in literal block scalars: there they are text to all readers. SOPS writes them nowhere else.
func tabsInBlocks(node *yaml3.Node) int {
	found := 0
	if node.Style&yaml3.LiteralStyle != 0 {
		found = strings.Count(node.Value, "\t")
	}
	for _, inner := range node.Content {
		found += tabsInBlocks(inner)
	}
	return found
}

// withoutBlankEnds cuts off blank lines before and after a text, whose last line keeps its line break, or gets one.
func withoutBlankEnds(text string) string {
	kept := strings.Trim(text, "\r\n")
	if _, after, _ := strings.Cut(text, kept); strings.HasPrefix(after, "\r\n") {
		return kept + "\r\n"
	}
	return kept + "\n"
}

func ambiguous(name, why string) error {
	return &failure{
		Kind: notObject, Message: fmt.Sprintf("%s is encrypted, so it would stay as it is, but %s", name, why),
		Hint: "encrypt it again with sops, which writes plain YAML",
	}
}

// What every reader of YAML takes for the same: null, true, false, decimal numbers that no reader rounds or takes for
// whole, and strings that no reader takes for anything else. https://yaml.org/type/,
// https://yaml.org/spec/1.2.2/#103-core-schema, and go-yaml, which takes underscores out of numbers, and 0X, 0B, 0O for
// prefixes.
var (
	sameForAll = regexp.MustCompile(`^(?:null|true|false|0|-?[1-9][0-9]{0,17}|-?(?:0|[1-9][0-9]{0,8})\.[0-9]{0,5}[1-9])?$`)
	aWord      = regexp.MustCompile(`^(?:~|(?i:null|true|false|y|yes|n|no|on|off)|[-+]?\.(?i:inf|nan)|<<|=)$`)
	aNumber    = regexp.MustCompile(`^[-+]?(?:0[bB][-+]?[01]+|0[oO][-+]?[0-7]+|0[xX][0-9a-fA-F]+|(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][-+]?[0-9]+)?|[0-9]+(?::[0-9]+)+(?:\.[0-9]*)?)$`)
	aTime      = regexp.MustCompile(`^[0-9]{4}-[0-9]{1,2}-[0-9]{1,2}`)
)

// notAString says whether some reader may take a scalar without quotes for something else than a string.
func notAString(plain string) bool {
	number := plain
	if !strings.HasPrefix(plain, "_") {
		number = strings.ReplaceAll(plain, "_", "")
	}
	return aWord.MatchString(plain) || aNumber.MatchString(number) || aTime.MatchString(plain)
}

func readersDiffer(node *yaml3.Node, isKey bool) string {
	plain := node.Kind == yaml3.ScalarNode && node.Style&quotedStyle == 0
	switch {
	case node.Kind == yaml3.AliasNode || node.Anchor != "":
		return "it has an anchor or alias, which SOPS never writes"
	case node.Style&yaml3.TaggedStyle != 0:
		return fmt.Sprintf("it has the tag %s, which SOPS never writes", clip(node.Tag, 100))
	case plain && node.Value == "":
		return "it has a value that is left out, where SOPS writes null"
	case plain && (strings.HasSuffix(node.Value, ":") || notAString(node.Value) && (isKey || !sameForAll.MatchString(node.Value))):
		return fmt.Sprintf("not all readers take '%s' for the same without quotes", clip(node.Value, 100))
	case node.Style&yaml3.FoldedStyle != 0, node.Style&yaml3.LiteralStyle != 0 && strings.TrimLeft(node.Value, " \t\n") != node.Value:
		return fmt.Sprintf("Kustomize does not write the text on line %d again as it is", node.Line)
	}
	for at, inner := range node.Content {
		if why := readersDiffer(inner, node.Kind == yaml3.MappingNode && at%2 == 0); why != "" {
			return why
		}
	}
	return ""
}

// token stands in a text for a string by its number; both ends are of Unicode's private use area.
var token = regexp.MustCompile("\ue000([0-9]{1,9})\ue001")

// valueOf returns the string of a token. A number that no string has is no token: escapes can write one.
func valueOf(found string, all []string) (string, bool) {
	number, err := strconv.Atoi(strings.Trim(found, "\ue000\ue001"))
	if err != nil || number >= len(all) {
		return "", false
	}
	return all[number], true
}

// filler puts strings in the places of their tokens, and counts what it writes.
type filler struct {
	strings     []string
	limit, left int
}

func newFiller(strings []string, out *result) *filler {
	limit := out.budget.limits.BytesOut
	return &filler{strings: strings, limit: limit, left: limit - out.budget.used.BytesOut}
}

func (f *filler) text(value string) (string, error) {
	if !strings.Contains(value, "\ue000") {
		return value, f.take(len(value))
	}
	var filled strings.Builder
	at := 0
	for _, match := range token.FindAllStringIndex(value, -1) {
		found, ok := valueOf(value[match[0]:match[1]], f.strings)
		if !ok {
			continue
		}
		if err := f.take(match[0] - at + len(found)); err != nil {
			return "", err
		}
		filled.WriteString(value[at:match[0]])
		filled.WriteString(found)
		at = match[1]
	}
	filled.WriteString(value[at:])
	return filled.String(), f.take(len(value) - at)
}

func (f *filler) take(bytes int) error {
	f.left -= bytes
	if f.limit == 0 || f.left >= 0 {
		return nil
	}
	return within(f.limit+1, f.limit, "bytes of objects", "output_mebibytes")
}

// fill puts strings in the places of their tokens in all strings of a document, keys too.
func fill(found *document, strings []string, out *result) error {
	if !bytes.Contains(found.json, []byte("\ue000")) {
		return nil
	}
	filled, err := newFiller(strings, out).value(found.content())
	if err != nil {
		return err
	}
	found.json, found.value = encoded(filled), filled
	return nil
}

func (f *filler) value(value any) (any, error) {
	switch value := value.(type) {
	case string:
		return f.text(value)
	case []any:
		for at, item := range value {
			filled, err := f.value(item)
			if err != nil {
				return nil, err
			}
			value[at] = filled
		}
	case map[string]any:
		return f.mapping(value)
	}
	return value, nil
}

func (f *filler) mapping(value map[string]any) (any, error) {
	filled := make(map[string]any, len(value))
	for _, key := range slices.Sorted(maps.Keys(value)) {
		name, err := f.text(key)
		if err != nil {
			return nil, err
		}
		if _, ok := filled[name]; ok {
			return nil, &failure{Kind: notYAML, Message: fmt.Sprintf("the key '%s' is set twice", clip(name, 300))}
		}
		if filled[name], err = f.value(value[key]); err != nil {
			return nil, err
		}
	}
	return filled, nil
}
