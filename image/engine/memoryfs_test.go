package main

import (
	"errors"
	"io/fs"
	"path/filepath"
	"testing"

	"sigs.k8s.io/kustomize/kyaml/filesys"
)

var _ filesys.FileSystem = &memoryFS{}

func newMemoryFS(files tree) *memoryFS {
	reader := func(name string, data []byte, asKustomization bool) ([]byte, error) {
		if asKustomization {
			return []byte("kustomization " + name), nil
		}
		return data, nil
	}
	return &memoryFS{tree: files, folders: foldersOf(files), added: tree{}, reader: reader}
}

func TestFilesOfAnyNameAreRead(t *testing.T) {
	for _, name := range []string{"a.yaml", "a b/ü#%?*.yaml", "...", "a/ b", "-", "a\\b", "\u2028"} {
		data, err := newMemoryFS(tree{name: []byte("x")}).ReadFile(treeRoot + "/" + name)
		if err != nil || string(data) != "x" {
			t.Errorf("%q: %q, %v", name, data, err)
		}
	}
}

func TestNothingOutsideOfTheTreeIsThere(t *testing.T) {
	files := newMemoryFS(tree{"a/x": nil, "etc/passwd": nil})
	for _, name := range []string{"/etc/passwd", "/", treeRoot + "/../etc/passwd", treeRoot + "x", "a/x", "", ".."} {
		if _, err := files.ReadFile(name); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("%s: %v", name, err)
		}
		if _, _, err := files.CleanedAbs(name); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("%s: %v", name, err)
		}
		if files.Exists(name) || files.IsDir(name) {
			t.Errorf("%s exists", name)
		}
	}
}

func TestPathsAreSplitIntoFolderAndFile(t *testing.T) {
	files := newMemoryFS(tree{"a/b/x": nil})
	for name, expected := range map[string][2]string{
		"":              {"", ""},
		"/a":            {"/a", ""},
		"/a/b/":         {"/a/b", ""},
		"/a/../a/b/./x": {"/a/b", "x"},
	} {
		folder, file, err := files.CleanedAbs(treeRoot + name)
		if err != nil || folder.String() != treeRoot+expected[0] || file != expected[1] {
			t.Errorf("%s: %s, %s, %v", name, folder, file, err)
		}
	}
}

func TestNothingIsWritten(t *testing.T) {
	files := newMemoryFS(tree{})
	_, create := files.Create("/x")
	_, open := files.Open("/x")
	_, list := files.ReadDir("/")
	_, glob := files.Glob("*")
	for _, err := range []error{
		create, open, list, glob, files.Mkdir("/x"), files.MkdirAll("/x"), files.RemoveAll("/"), files.WriteFile("/x", nil),
		files.Walk("/", filepath.WalkFunc(nil)),
	} {
		if !errors.Is(err, errNotSupported) {
			t.Error(err)
		}
	}
}

// A file is a kustomization only where Kustomize looks for one in its folder.
func TestKustomizationIsToldFromOtherFilesOfItsName(t *testing.T) {
	files := newMemoryFS(tree{"a/kustomization.yaml": []byte("text"), "a/Kustomization": []byte("text")})
	ask := func(name string) string {
		if _, _, err := files.CleanedAbs(treeRoot + name); err != nil {
			return err.Error()
		}
		data, err := files.ReadFile(treeRoot + name)
		if err != nil {
			return ""
		}
		return string(data)
	}
	ask("/a")
	for _, step := range [][2]string{
		{"/a/kustomization.yaml", "kustomization a/kustomization.yaml"},
		{"/a/kustomization.yml", "lstat " + treeRoot + "/a/kustomization.yml: file does not exist"},
		{"/a/Kustomization", "kustomization a/Kustomization"},
		{"/a/Kustomization", "text"},
		{"/a/kustomization.yaml", "text"},
	} {
		if found := ask(step[0]); found != step[1] {
			t.Errorf("%s: %s", step[0], found)
		}
	}
}
