//go:build !reader

package main

import (
	"crypto/sha256"
	"encoding/json"
	"errors"
	"path"
	"reflect"

	"sigs.k8s.io/kustomize/api/types"
)

// maxKustomizations is how many kustomizations one build may open, the same one counted each time.
const maxKustomizations = 1000

// kustomizeCache is what builds of one process share.
type kustomizeCache struct {
	folders map[string]map[string]bool // of a tree, by its id
	files   map[fileKey]*checkedFile
}

// fileKey identifies a text that was checked. Its limits are part of it, since they decided.
type fileKey struct {
	sum    [sha256.Size]byte
	use    use
	limits limits
}

// checkedFile is what a check found; it is the same for each file with this text.
type checkedFile struct {
	bytes, nodes  int
	kustomization *kustomization
	mentions      []mention // of a plugin's configuration
	objects       []objectID
}

// kustomizeBuild is one build. What Kustomize reads on the way is checked before Kustomize sees it; what it names and
// where that lies, too.
type kustomizeBuild struct {
	state   *state
	request *kustomizeRequest
	out     *result
	root    string
	files   *memoryFS

	uses    map[string]use    // of files that were named
	bases   map[string]string // of plugins' configurations: the folder from which their paths go
	pending []dependency      // kustomizations that Kustomize opens next, in its order
	opened  int
	sources map[objectID]string // files of objects; empty where two files have the same

	withValues  bool
	usesOpenAPI bool
	failed      error
}

// dependency is a kustomization that another one builds on.
type dependency struct {
	folder    string
	namespace string // which charts of it get
	ofPlugins bool   // gives configurations of plugins, whose paths go from base
	base      string
}

func (s *state) newBuild(request *kustomizeRequest, files tree, root string, out *result) *kustomizeBuild {
	cache := &s.kustomize
	if cache.files == nil {
		cache.folders, cache.files = map[string]map[string]bool{}, map[fileKey]*checkedFile{}
	}
	folders, ok := cache.folders[request.Tree]
	if !ok {
		folders = foldersOf(files)
		cache.folders[request.Tree] = folders
	}
	build := &kustomizeBuild{
		state: s, request: request, out: out, root: root,
		uses: map[string]use{}, bases: map[string]string{}, sources: map[objectID]string{},
	}
	build.files = &memoryFS{tree: files, folders: folders, added: tree{}, reader: build.read}
	return build
}

// read gives Kustomize a file, once it was checked. The first error ends the build: Kustomize takes one for a file that is
// not there, and goes on.
func (b *kustomizeBuild) read(name string, data []byte, asKustomization bool) ([]byte, error) {
	if b.failed != nil {
		return nil, b.failed
	}
	var err error
	if asKustomization {
		data, err = b.readKustomization(name, data)
	} else {
		err = b.readFile(name, data)
	}
	b.failed = inFile(err, name, 0)
	return data, b.failed
}

// readFile checks a file by what it is named for. One that nothing names is some plugin's, and YAML.
func (b *kustomizeBuild) readFile(name string, data []byte) error {
	as, ok := b.uses[name]
	if !ok {
		as = asYAML
	}
	switch as {
	case asGenerated:
		return nil
	case asText:
		return b.out.budget.takeBytes(len(data))
	}
	if (as == asPlugin || as == asReplacement) && !b.withValues && mentionsValues(data) {
		return errWantsValues
	}
	found, err := b.checked(data, as, func() (*checkedFile, error) { return b.check(name, string(data), as) })
	if err != nil {
		return err
	}
	b.noteSources(found.objects, name)
	for _, each := range found.mentions {
		target, err := b.locate(each, site{folder: b.bases[name], file: name})
		if err != nil {
			return err
		}
		b.note(target.path, each.use, "")
	}
	return nil
}

// noteSources remembers which file has an object, unless several have it.
func (b *kustomizeBuild) noteSources(objects []objectID, file string) {
	for _, id := range objects {
		if other, ok := b.sources[id]; ok && other != file {
			b.sources[id] = ""
		} else {
			b.sources[id] = file
		}
	}
}

// checked checks a text, or counts what that took when the same was checked before.
func (b *kustomizeBuild) checked(data []byte, as use, check func() (*checkedFile, error)) (*checkedFile, error) {
	key := fileKey{sha256.Sum256(data), as, b.out.budget.limits}
	cache := b.state.kustomize.files
	if found, ok := cache[key]; ok {
		return found, firstOf(b.out.budget.takeBytes(found.bytes), b.out.budget.takeNodes(found.nodes))
	}
	before := b.out.budget.used
	found, err := check()
	if err != nil {
		return nil, err
	}
	found.bytes = b.out.budget.used.BytesIn - before.BytesIn
	found.nodes = b.out.budget.used.Nodes - before.Nodes
	cache[key] = found
	return found, nil
}

func (b *kustomizeBuild) check(name, text string, as use) (*checkedFile, error) {
	if as == asPlugin {
		found, err := loadPlugins(text, name, b.out)
		return &checkedFile{mentions: found}, err
	}
	if as == asYAML {
		_, err := readData(text, name, b.out)
		return &checkedFile{}, err
	}
	documents, err := readStream(text, name, b.out, false)
	if err != nil {
		return nil, err
	}
	found := &checkedFile{}
	for _, each := range documents {
		if as == asResource {
			found.objects = append(found.objects, each.objectID())
		} else if err := each.checkFields(replacementFields, name); err != nil {
			return nil, err
		}
	}
	return found, nil
}

var replacementFields = fieldsOf(reflect.TypeFor[types.Replacement]())

func (d *document) objectID() objectID {
	var head struct {
		Kind     string
		Metadata struct{ Name string }
	}
	if json.Unmarshal(d.json, &head) != nil {
		return objectID{}
	}
	return objectID{head.Kind, head.Metadata.Name}
}

var errWantsValues = errors.New("the values are wanted")

// readKustomization checks a kustomization and gives Kustomize what was checked, with fetched bases, charts and values in
// their places.
func (b *kustomizeBuild) readKustomization(name string, data []byte) ([]byte, error) {
	if b.opened++; b.opened > maxKustomizations {
		return nil, within(b.opened, maxKustomizations, "kustomizations", "")
	}
	read, err := b.checked(data, asKustomization, func() (*checkedFile, error) {
		loaded, err := loadKustomization(string(data), name, b.out)
		return &checkedFile{kustomization: loaded}, err
	})
	if err != nil {
		return nil, err
	}
	if mentionsValues(data) && !b.withValues {
		if b.opened > 1 { // the root is the first, and read already
			return nil, errWantsValues
		}
		b.withValues = true
	}
	from, as := read.kustomization, b.next(parent(name))
	b.usesOpenAPI = b.usesOpenAPI || len(from.fields.OpenAPI) > 0
	if from.fields.Namespace != "" {
		as.namespace = from.fields.Namespace
	}
	made, err := b.changesOf(from, site{parent(name), name, &from.document}, as)
	if err != nil {
		return nil, err
	}
	return made.applied(from)
}

func (b *kustomizeBuild) changesOf(from *kustomization, at site, as dependency) (made changes, err error) {
	if made.fetched, err = b.followAll(from, at, as); err != nil {
		return made, err
	}
	if made.components, err = b.addCharts(from, at, as.namespace); err != nil {
		return made, err
	}
	if b.opened == 1 && b.withValues {
		values, err := b.addValues()
		if err != nil {
			return made, err
		}
		made.resources = append(made.resources, path.Base(values))
	}
	return made, nil
}

// next takes a kustomization off those that are pending.
func (b *kustomizeBuild) next(folder string) dependency {
	for at, each := range b.pending {
		if each.folder == folder {
			b.pending = b.pending[at+1:]
			return each
		}
	}
	return dependency{folder: folder}
}
