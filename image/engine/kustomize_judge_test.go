package main

import (
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// The judge is the kustomize command, on files of real projects: both are used where they are there.
func judge(t testing.TB) (kustomize, real string) {
	t.Helper()
	kustomize, real = orDefault("HEADGATE_KUSTOMIZE", "../../.tools/kustomize"), orDefault("HEADGATE_REAL", "../../../shared/real")
	for _, needed := range []string{kustomize, real} {
		if _, err := os.Stat(needed); err != nil {
			t.Skip(err)
		}
	}
	return kustomize, real
}

func orDefault(variable, value string) string {
	if set := os.Getenv(variable); set != "" {
		return set
	}
	absolute, err := filepath.Abs(value)
	if err != nil {
		panic(err)
	}
	return absolute
}

// treeOf reads a folder of the disk.
func treeOf(t testing.TB, folder string) tree {
	t.Helper()
	files := tree{}
	err := filepath.WalkDir(folder, func(name string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		inside, err := filepath.Rel(folder, name)
		if err != nil {
			return err
		}
		files[filepath.ToSlash(inside)], err = os.ReadFile(name)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return files
}

// builds the folder by the command and reads what it prints as the engine reads text.
func buildByCommand(t testing.TB, kustomize, folder string, arguments ...string) ([]string, error) {
	t.Helper()
	printed, err := exec.Command(kustomize, append([]string{"build", folder}, arguments...)...).Output()
	if err != nil {
		return nil, err
	}
	request := &objectsRequest{Files: []fileRequest{{Text: string(printed)}}}
	answers := answersTo(t, newState(), message{Request: 1, Objects: request})
	if failed := answers[len(answers)-1].Error; failed != nil {
		t.Fatalf("the engine cannot read what the command prints: %+v", failed)
	}
	return objectsIn(t, answers), nil
}

func objectsIn(t testing.TB, answers []answer) []string {
	t.Helper()
	var found []string
	for _, each := range answers {
		if each.Object != nil {
			found = append(found, string(each.Object))
		}
	}
	slices.Sort(found)
	return found
}

func TestBuildsEqualThoseOfTheCommand(t *testing.T) {
	kustomize, real := judge(t)
	files := treeOf(t, real)
	var roots []string
	for name := range files {
		if filepath.Base(name) == "kustomization.yaml" {
			roots = append(roots, filepath.Dir(name))
		}
	}
	slices.Sort(roots)
	state := newState()
	for _, root := range roots {
		t.Run(root, func(t *testing.T) {
			expected, commandFailed := buildByCommand(t, kustomize, filepath.Join(real, root))
			built, failed := buildTree(t, state, files, &kustomizeRequest{Root: root})
			if commandFailed != nil || failed != nil {
				if (commandFailed == nil) != (failed == nil) {
					t.Fatalf("the command: %v, the engine: %v", commandFailed, failed)
				}
				t.Log(failed)
				return
			}
			if !slices.Equal(built, expected) {
				t.Errorf("%d objects differ from the command's %d:\n%s\n---\n%s", len(built), len(expected),
					strings.Join(built, "\n"), strings.Join(expected, "\n"))
			}
		})
	}
}
