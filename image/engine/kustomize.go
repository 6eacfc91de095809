//go:build !reader

package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"log"
	"net/http"
	"os"
	"path"
	"regexp"
	"runtime"
	"strings"

	"sigs.k8s.io/kustomize/api/krusty"
	"sigs.k8s.io/kustomize/api/resmap"
	"sigs.k8s.io/kustomize/api/resource"
	"sigs.k8s.io/kustomize/kyaml/openapi"
)

// renderKustomize gives the objects that `kustomize build` prints for a folder.
func (s *state) renderKustomize(request *kustomizeRequest, out *result) error {
	files, err := s.tree(request.Tree)
	if err != nil {
		return err
	}
	root := strings.TrimSuffix(strings.TrimPrefix(path.Clean("/"+request.Root), "/"), "/")
	built := s.newBuild(request, files, root, out)
	if built.files.kustomizationIn(root) == "" {
		return &failure{Kind: notRendered, Message: "no kustomization.yaml in this folder", File: root}
	}
	used := out.budget.used
	objects, err := built.run()
	if errors.Is(err, errWantsValues) {
		out.budget.used = used
		built = s.newBuild(request, files, root, out)
		built.withValues = true
		objects, err = built.run()
	}
	if err != nil {
		return err
	}
	for _, object := range objects.Resources() {
		if err := built.emit(object); err != nil {
			return err
		}
	}
	return nil
}

// run lets Kustomize build, as the command does.
func (b *kustomizeBuild) run() (objects resmap.ResMap, err error) {
	defer b.closeDoors()()
	defer func() {
		if found := recover(); found != nil {
			err = b.panicked(found)
		}
	}()
	options := krusty.MakeDefaultOptions()
	options.Reorder = krusty.ReorderOptionUnspecified
	objects, err = krusty.MakeKustomizer(options).Run(b.files, path.Join(treeRoot, b.root))
	if b.failed != nil { // Kustomize hides errors of its file system
		return nil, b.failed
	}
	if err != nil {
		return nil, b.explain(err)
	}
	return objects, nil
}

// panicked explains what Kustomize panics with: some errors, a schema that it cannot read among them, and bugs.
func (b *kustomizeBuild) panicked(found any) error {
	kind := notRendered
	if _, ok := found.(runtime.Error); ok {
		kind = notExplained
	}
	return &failure{Kind: kind, Message: fmt.Sprintf("Kustomize: %v", found), File: b.files.kustomizationIn(b.root)}
}

// closeDoors keeps Kustomize from the network, also where the process is not locked in, and from standard error, where
// it warns of old fields. It returns what to do after the build: Kustomize keeps an `openapi` for all later builds.
func (b *kustomizeBuild) closeDoors() func() {
	transport, stderr, logged := http.DefaultTransport, os.Stderr, log.Writer()
	http.DefaultTransport, os.Stderr = noNetwork{}, nil
	log.SetOutput(io.Discard)
	return func() {
		http.DefaultTransport, os.Stderr = transport, stderr
		log.SetOutput(logged)
		if b.usesOpenAPI {
			openapi.ResetOpenAPI()
		}
	}
}

// noNetwork answers for what a patched configuration of a plugin names.
type noNetwork struct{}

func (noNetwork) RoundTrip(request *http.Request) (*http.Response, error) {
	return nil, &failure{Kind: notSafe, Message: fmt.Sprintf("'%s' comes from another host, which is not read while hydrating", clip(request.URL.String(), 300))}
}

// emit sends an object, with the file that it comes from where that is certain.
func (b *kustomizeBuild) emit(object *resource.Resource) error {
	id := objectID{object.GetKind(), object.GetName()}
	source := b.sources[id]
	if source == "" {
		source = b.files.kustomizationIn(b.root)
	}
	found, err := builtDocument(object, b.out)
	if err == nil {
		err = emitDocument(found, source, nil, b.request.Hooks, b.out)
	}
	if why, ok := errors.AsType[*failure](err); ok {
		placed := *why
		placed.File, placed.Line = source, 0 // a line of what was built, which nobody sees
		return &placed
	}
	if err != nil {
		return &failure{Kind: notRendered, Message: fmt.Sprintf("%s: %v", id, err), File: source}
	}
	return nil
}

// builtDocument is what `kustomize build` prints of an object, as it is read from there: Kustomize, too, makes YAML of
// this JSON. The YAML itself counts for an encrypted object, which stays as it is.
func builtDocument(object *resource.Resource, out *result) (document, error) {
	data, err := object.MarshalJSON()
	if err != nil && strings.Contains(err.Error(), "map[interface {}]") {
		return document{}, &failure{
			Kind: notObject, Message: fmt.Sprintf("%s %s has a key that Kustomize takes for no string, such as 1, n or y",
				clip(object.GetKind(), 100), clip(object.GetName(), 300)),
			Hint: "give the label, annotation or key of data another name",
		}
	}
	if err != nil {
		return document{}, err
	}
	if bytes.Contains(data, []byte(`"sops"`)) {
		text, err := object.AsYAML()
		if err != nil {
			return document{}, err
		}
		documents, err := readStream(string(text), "", out, false)
		if err != nil {
			return document{}, err
		}
		return documents[0], nil
	}
	return document{json: data, line: 1}, takeJSON(data, out)
}

// takeJSON counts JSON as readStream counts YAML.
func takeJSON(data []byte, out *result) error {
	measured := sizeOfJSON(data)
	if measured.depth > maxDepth {
		return &failure{Kind: overBudget, Message: fmt.Sprintf("nested deeper than %d levels", maxDepth)}
	}
	return firstOf(out.budget.takeBytes(len(data)), out.budget.takeNodes(measured.nodes))
}

// sizeOfJSON counts keys and values, and how deep they nest.
func sizeOfJSON(data []byte) (measured size) {
	depth, inString := 0, false
	measured.nodes = 1
	for at := 0; at < len(data); at++ {
		switch char := data[at]; {
		case inString && char == '\\':
			at++
		case char == '"':
			inString = !inString
		case inString:
		case char == '{' || char == '[':
			depth++
			measured.depth = max(measured.depth, depth)
			if next := data[at+1]; next != '}' && next != ']' {
				measured.nodes++
			}
		case char == '}' || char == ']':
			depth--
		case char == ',' || char == ':':
			measured.nodes++
		}
	}
	return measured
}

// objectID is what an object has in common with its source, unless Kustomize renamed it.
type objectID struct{ kind, name string }

func (id objectID) String() string { return clip(id.kind+" "+id.name, 300) }

var (
	// What Kustomize says of each folder on the way to an error, that it is no file, and of each wrong file, that it is no
	// folder.
	isNoFile   = regexp.MustCompile(`accumulation err='accumulating resources from '[^']*': '[^']*' must resolve to a file': `)
	isNoFolder = regexp.MustCompile(`(?s)accumulation err='accumulating resources from ('[^']*': .*)': must build at directory: '[^']*': file is not directory`)
	recursion  = regexp.MustCompile(`recursed accumulation of path '([^']*)': `)
	atRoot     = regexp.MustCompile(`(^|[^A-Za-z0-9_./-])` + treeRoot + `($|[^A-Za-z0-9_./-])`)
	inRoot     = regexp.MustCompile(`(^|[^A-Za-z0-9_./-])` + treeRoot + `(?:/|\b)`)
)

// explain is Kustomize's error in the words of the tree, placed at the innermost kustomization that it names.
func (b *kustomizeBuild) explain(err error) error {
	if found, ok := errors.AsType[*failure](err); ok {
		return inFile(found, b.files.kustomizationIn(b.root), 0)
	}
	words := isNoFile.ReplaceAllString(err.Error(), "")
	words = isNoFolder.ReplaceAllString(words, "$1")
	folder := b.root
	if steps := recursion.FindAllStringSubmatch(words, -1); len(steps) > 0 {
		if inside, ok := inTree(steps[len(steps)-1][1]); ok {
			folder = inside
		}
	}
	words = recursion.ReplaceAllString(words, "")
	for strings.Contains(words, "accumulating resources: accumulating resources: ") {
		words = strings.ReplaceAll(words, "accumulating resources: accumulating resources: ", "accumulating resources: ")
	}
	words = atRoot.ReplaceAllString(words, "$1.$2")
	words = inRoot.ReplaceAllString(words, "$1")
	return &failure{Kind: notRendered, Message: "Kustomize: " + clip(strings.TrimSpace(words), 2000), File: b.files.kustomizationIn(folder)}
}

func mentionsValues(data []byte) bool { return bytes.Contains(data, []byte(valuesName)) }
