//go:build !reader

package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"path"
	"slices"
	"strings"

	helmrelease "helm.sh/helm/v4/pkg/release/v1"
	releaseutil "helm.sh/helm/v4/pkg/release/v1/util"
)

const notesSuffix = "NOTES.txt"

// manifest is a document that a template printed, read as Kubernetes reads it.
type manifest struct {
	rendered
	document document
}

// read splits what templates printed into documents as Helm does, reads each, and brings them into Helm's order: the
// manifests, then the hooks.
func (r *release) read(files map[string]string, out *result) ([]manifest, error) {
	maps.DeleteFunc(files, func(name, text string) bool {
		return strings.HasSuffix(name, notesSuffix) || strings.TrimSpace(text) == ""
	})
	if err := checkSize(files, out.budget); err != nil {
		return nil, inFile(err, path.Join(r.request.Folder, "Chart.yaml"), 0)
	}
	var all []manifest
	names := []string{}
	for _, name := range slices.Sorted(maps.Keys(files)) {
		documents := releaseutil.SplitManifests(files[name])
		for number := range len(documents) {
			found, err := readManifest(documents[fmt.Sprintf("manifest-%d", number)], files[name], r.source(name), out)
			if err != nil {
				return nil, err
			}
			if found != nil {
				all, names = append(all, *found), append(names, name)
			}
		}
	}
	return r.sortManifests(all, names, out)
}

// checkSize bounds what is read before it is looked at more closely.
func checkSize(files map[string]string, left *budget) error {
	size, documents := left.used.BytesIn, 0
	for _, text := range files {
		size += len(text)
		documents += 1 + strings.Count(text, "\n---")
	}
	if err := within(size, left.limits.BytesIn, "bytes of YAML are read or rendered", "input_mebibytes"); err != nil {
		return err
	}
	return within(documents, left.limits.Objects, "documents", "objects")
}

// readManifest reads a document of a template's text. It returns nil for an empty one.
func readManifest(text, whole, source string, out *result) (*manifest, error) {
	documents, err := readQuickly(text, source, out)
	if err != nil {
		return nil, inRendered(err, text, whole)
	}
	if len(documents) == 0 || string(documents[0].json) == "null" {
		return nil, nil //nolint:nilnil // nothing there is no error
	}
	return &manifest{rendered: rendered{source: source, text: text}, document: documents[0]}, nil
}

// inRendered shows the line of a template's text that is wrong: its number says nothing to whoever sees the template.
func inRendered(err error, text, whole string) error {
	found, ok := errors.AsType[*failure](err)
	if !ok || found.Line == 0 {
		return err
	}
	placed := *found
	before, _, _ := strings.Cut(whole, text)
	if shown := excerpt(whole, strings.Count(before, "\n")+found.Line, nil); shown != "" && found.Kind == notYAML {
		placed.Message += "\n    " + shown
	}
	placed.Line = 0
	return &placed
}

// sortManifests has Helm's own code tell hooks from manifests and sort both. It gets no more of each document than it
// looks at, since it would read the whole text again. Helm leaves out hooks whose events it does not know.
func (r *release) sortManifests(all []manifest, names []string, out *result) ([]manifest, error) {
	texts, heads := map[string][]string{}, map[string]string{}
	var key strings.Builder
	for number, name := range names {
		head, kept := headText(number, all[number].document)
		texts[name] = append(texts[name], head)
		fmt.Fprintf(&key, "%q\n%s", name, kept)
	}
	if order, ok := r.loaded.orders[key.String()]; ok {
		return inOrder(all, order), nil
	}
	for name, parts := range texts {
		heads[name] = strings.Join(parts, "")
	}
	hooks, manifests, err := releaseutil.SortManifests(heads, nil, releaseutil.InstallOrder)
	if err != nil {
		return nil, r.unsorted(err, names)
	}
	order, known := make([]ranked, 0, len(all)), make([]bool, len(all))
	add := func(head string, events []string) {
		number := numberOf(head)
		known[number] = true
		order = append(order, ranked{number, events})
	}
	for _, found := range manifests {
		add(found.Content, []string{})
	}
	for _, found := range hooks {
		events := []string{}
		for _, event := range found.Events {
			events = append(events, event.String())
		}
		add(found.Manifest, events)
	}
	for number, one := range all {
		if !known[number] {
			out.warnings = append(out.warnings, unknownHook(one))
		}
	}
	if len(order) == len(all) && len(r.loaded.orders) < maxOrders {
		r.loaded.orders[key.String()] = order
	}
	return inOrder(all, order), nil
}

// ranked is the number of a manifest among those that the templates printed, and its events where it is a hook.
type ranked struct {
	number int
	events []string
}

func inOrder(all []manifest, order []ranked) []manifest {
	sorted := make([]manifest, len(order))
	for at, each := range order {
		sorted[at] = all[each.number]
		sorted[at].hook, sorted[at].document.events = each.events, each.events
	}
	return sorted
}

// maxOrders is how many orders of one chart are kept. Most releases of a chart print the same kinds in the same files.
const maxOrders = 100

// headText writes what Helm's sort looks at: the head of an object, and of its annotations the hook and those that are
// no strings, which are an error; and, as what the order is kept by, the same without names, which Helm only hands on. The
// number comes back from numberOf.
func headText(number int, of document) (head, kept string) {
	write := func(text []byte) string { return fmt.Sprintf("---\n# %d\n%s\n", number, escaped(string(text))) }
	fields, ok := of.content().(map[string]any)
	if !ok {
		head = write(of.json)
		return head, head
	}
	isHook := false
	found := keep(fields, "apiVersion", "kind", "metadata")
	metadata, ok := fields["metadata"].(map[string]any)
	if !ok {
		head = write(encoded(found))
		return head, head
	}
	own := keep(metadata, "name", "annotations")
	found["metadata"] = own
	if annotations, ok := metadata["annotations"].(map[string]any); ok {
		_, isHook = annotations[helmrelease.HookAnnotation]
		own["annotations"] = notStrings(annotations)
	}
	if isHook {
		head = write(encoded(found))
	}
	if _, isName := own["name"].(string); isName {
		delete(own, "name")
	}
	if kept = write(encoded(found)); !isHook {
		head = kept
	}
	return head, kept
}

func notStrings(annotations map[string]any) map[string]any {
	found := keep(annotations, helmrelease.HookAnnotation)
	for key, value := range annotations {
		switch value.(type) {
		case map[string]any, []any:
			found[key] = value
		}
	}
	return found
}

func keep(of map[string]any, keys ...string) map[string]any {
	found := map[string]any{}
	for _, key := range keys {
		if value, ok := of[key]; ok {
			found[key] = value
		}
	}
	return found
}

func numberOf(head string) (number int) {
	if _, err := fmt.Sscanf(head, "# %d", &number); err != nil {
		panic(err) // headText wrote it
	}
	return number
}

// unsorted places an error of Helm's sort, which names the template.
func (r *release) unsorted(err error, names []string) error {
	found := &failure{Kind: notObject, Message: "Helm: " + clip(err.Error(), 1000)}
	for _, name := range names {
		if _, words, ok := strings.Cut(err.Error(), "YAML parse error on "+name+": "); ok {
			found.File, found.Message = r.source(name), "Helm: YAML parse error: "+clip(words, 1000)
			if strings.HasSuffix(words, "into Go value of type util.SimpleHead") {
				found.Message = "printed something that is no Kubernetes object"
				found.Hint = "Helm renders all files in templates/: put texts elsewhere in the chart, or name them in .helmignore"
			}
			break
		}
	}
	return found
}

func unknownHook(one manifest) warning {
	var head struct {
		Kind     string
		Metadata struct {
			Name        string
			Annotations map[string]any
		}
	}
	_ = json.Unmarshal(one.document.json, &head)
	message := fmt.Sprintf("%s %s is left out: Helm does not know its hook '%v'",
		head.Kind, head.Metadata.Name, head.Metadata.Annotations[helmrelease.HookAnnotation])
	return warning{Message: clip(message, 500), File: one.source}
}
