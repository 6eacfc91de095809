//go:build !reader

package main

import (
	"errors"
	"fmt"
	"io/fs"
	"path"
	"path/filepath"
	"strings"

	"sigs.k8s.io/kustomize/api/konfig"
	"sigs.k8s.io/kustomize/kyaml/filesys"
)

// treeRoot is where the files of a tree are to Kustomize. A path that leaves the tree by ".." leads nowhere.
const treeRoot = "/headgate-tree"

// memoryFS is a filesys.FileSystem of a tree's files. It has no links and is never written to. What Kustomize reads goes
// through its reader, which is told whether Kustomize reads it as the kustomization of a folder.
//
// It is not filesys.MakeFsInMemory, which refuses names with many characters, whether they are used or not.
type memoryFS struct {
	tree    tree
	folders map[string]bool
	added   tree // files that are not in the tree
	reader  func(name string, data []byte, asKustomization bool) ([]byte, error)
	opening opening
}

// opening is Kustomize's search for a kustomization: first it asks for the folder, and then for each name that the file
// may have. So a file of such a name that is read as something else is told from it.
type opening struct {
	folder string
	next   int    // of the names
	file   string // which is asked for
}

func (o *opening) asks(name string) {
	names := konfig.RecognizedKustomizationFileNames()
	o.file = ""
	if o.next < len(names) && name == path.Join(o.folder, names[o.next]) {
		o.file = name
		o.next++
	} else {
		o.next = len(names)
	}
}

var errNotSupported = errors.New("not supported: files are only read")

// foldersOf returns all folders of a tree, its root ("") too.
func foldersOf(files tree) map[string]bool {
	found := map[string]bool{"": true}
	for name := range files {
		for folder := parent(name); !found[folder]; folder = parent(folder) {
			found[folder] = true
		}
	}
	return found
}

// parent is path.Dir with "" for the root of a tree.
func parent(name string) string {
	return strings.TrimSuffix(name[:strings.LastIndexByte(name, '/')+1], "/")
}

func (m *memoryFS) file(name string) ([]byte, bool) {
	if data, ok := m.added[name]; ok {
		return data, true
	}
	data, ok := m.tree[name]
	return data, ok
}

func (m *memoryFS) isFolder(name string) bool {
	if m.folders[name] {
		return true
	}
	for added := range m.added {
		if parent(added) == name {
			return true
		}
	}
	return false
}

// kustomizationIn returns the path of a folder's kustomization file, or nothing.
func (m *memoryFS) kustomizationIn(folder string) string {
	for _, name := range konfig.RecognizedKustomizationFileNames() {
		if _, ok := m.file(path.Join(folder, name)); ok {
			return path.Join(folder, name)
		}
	}
	return ""
}

// inTree turns one of Kustomize's paths into one of the tree.
func inTree(name string) (string, bool) {
	name = path.Clean(name)
	if name == treeRoot {
		return "", true
	}
	return strings.CutPrefix(name, treeRoot+"/")
}

func notThere(operation, name string) error {
	return &fs.PathError{Op: operation, Path: name, Err: fs.ErrNotExist}
}

// CleanedAbs splits a path into its folder and its file, if it has one.
func (m *memoryFS) CleanedAbs(name string) (filesys.ConfirmedDir, string, error) {
	inside, ok := inTree(name)
	if !ok {
		return "", "", notThere("lstat", name)
	}
	if m.isFolder(inside) {
		m.opening = opening{folder: inside}
		return filesys.ConfirmedDir(path.Join(treeRoot, inside)), "", nil
	}
	m.opening.asks(inside)
	if _, ok := m.file(inside); !ok {
		return "", "", notThere("lstat", name)
	}
	return filesys.ConfirmedDir(path.Join(treeRoot, parent(inside))), path.Base(inside), nil
}

// ReadFile reads a file through the reader.
func (m *memoryFS) ReadFile(name string) ([]byte, error) {
	inside, ok := inTree(name)
	if !ok {
		return nil, notThere("open", name)
	}
	data, ok := m.file(inside)
	if !ok {
		return nil, notThere("open", name)
	}
	return m.reader(inside, data, inside == m.opening.file)
}

// IsDir says whether a path is a folder.
func (m *memoryFS) IsDir(name string) bool {
	inside, ok := inTree(name)
	return ok && m.isFolder(inside)
}

// Exists says whether a path is a file or a folder.
func (m *memoryFS) Exists(name string) bool {
	inside, ok := inTree(name)
	if !ok {
		return false
	}
	_, isFile := m.file(inside)
	return isFile || m.isFolder(inside)
}

// A build needs none of the following.

// Create is not supported.
func (m *memoryFS) Create(string) (filesys.File, error) { return nil, errNotSupported }

// Mkdir is not supported.
func (m *memoryFS) Mkdir(string) error { return errNotSupported }

// MkdirAll is not supported.
func (m *memoryFS) MkdirAll(string) error { return errNotSupported }

// RemoveAll is not supported.
func (m *memoryFS) RemoveAll(string) error { return errNotSupported }

// WriteFile is not supported.
func (m *memoryFS) WriteFile(string, []byte) error { return errNotSupported }

// Open is not supported.
func (m *memoryFS) Open(name string) (filesys.File, error) {
	return nil, fmt.Errorf("open %s: %w", name, errNotSupported)
}

// ReadDir is not supported.
func (m *memoryFS) ReadDir(string) ([]string, error) { return nil, errNotSupported }

// Glob is not supported.
func (m *memoryFS) Glob(string) ([]string, error) { return nil, errNotSupported }

// Walk is not supported.
func (m *memoryFS) Walk(string, filepath.WalkFunc) error { return errNotSupported }
