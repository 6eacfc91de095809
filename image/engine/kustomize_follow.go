//go:build !reader

package main

import (
	"fmt"
	"path"
	"strings"
)

// site is where a path is named, and the folder from which it goes.
type site struct {
	folder   string
	file     string
	document *document // for the line; may be nil
}

func (s site) fail(kind string, named mention, message, hint string) error {
	message = named.field() + ": " + message
	if s.document == nil {
		return &failure{Kind: kind, Message: message, File: s.file, Hint: hint}
	}
	return s.document.failAt(kind, named.place, s.file, message, hint)
}

// followAll looks for all that a kustomization names, and notes for what: Kustomize reads it next.
func (b *kustomizeBuild) followAll(from *kustomization, at site, as dependency) ([]fetchedEntry, error) {
	var fetched []fetchedEntry
	var needed []dependency
	for _, each := range from.mentions {
		found, err := b.locate(each, at)
		if err != nil {
			return nil, err
		}
		if found.fetched {
			relative := relativePath(at.folder, found.path)
			fetched = append(fetched, fetchedEntry{each.place, relative})
		}
		plugins, base := as.ofPlugins, as.base
		if each.use == asPlugin {
			plugins, base = true, at.folder
		}
		if found.isFolder {
			needed = append(needed, dependency{found.path, as.namespace, plugins, base})
			continue
		}
		if plugins && each.use == asResource {
			each.use = asPlugin
		}
		b.note(found.path, each.use, base)
	}
	b.pending = append(needed, b.pending...)
	return fetched, nil
}

func (b *kustomizeBuild) note(file string, as use, base string) {
	if before, ok := b.uses[file]; !ok || as > before {
		b.uses[file] = as
	}
	b.bases[file] = base
}

// target is a file or the folder of a kustomization in the tree.
type target struct {
	path     string
	isFolder bool
	fetched  bool // by a hand-off, from the address that is named
}

// locate finds what a path means, and refuses what Kustomize would fetch, what leaves the tree and what is not there.
func (b *kustomizeBuild) locate(named mention, at site) (target, error) {
	remote := fetchedOverHTTP
	if named.use.mayBeFolder() {
		remote = fetchedByKustomize
	}
	if remote.MatchString(named.path) {
		return b.locateFetched(named, at)
	}
	shown := clip(named.path, 300)
	place := path.Join(at.folder, named.path)
	if path.IsAbs(named.path) || place == ".." || strings.HasPrefix(place, "../") {
		return target{}, at.fail(notSafe, named, fmt.Sprintf("'%s' leaves the folder that may be read", shown), "copy what it names into that folder")
	}
	if place == "." {
		place = ""
	}
	_, isFile := b.files.file(place)
	switch {
	case named.path == "":
		return target{}, at.fail(notRendered, named, "an entry is empty", "delete it, or write what it names")
	case isFile:
		return target{path: place}, b.checkFile(place, named, at)
	case !b.files.isFolder(place):
	case !named.use.mayBeFolder():
		return target{}, at.fail(notRendered, named, fmt.Sprintf("'%s' is a folder, expected a file", shown), "")
	case b.files.kustomizationIn(place) == "":
		return target{}, at.fail(notRendered, named, fmt.Sprintf("the folder '%s' has no kustomization.yaml", shown), "name its files, or add a kustomization.yaml")
	default:
		return target{path: place, isFolder: true}, nil
	}
	if meantRemote.MatchString(named.path) {
		return b.locateFetched(named, at)
	}
	return target{}, at.fail(notRendered, named, fmt.Sprintf("'%s' is not there", shown), "")
}

// checkFile refuses a file where Kustomize takes none: https://kubectl.docs.kubernetes.io/faq/kustomize/#security-file-foo-is-not-in-or-below-bar
func (b *kustomizeBuild) checkFile(place string, named mention, at site) error {
	shown := clip(named.path, 300)
	if named.use == asComponent {
		return at.fail(notRendered, named, fmt.Sprintf("'%s' is a file, expected the folder of a component", shown), "")
	}
	if at.folder != "" && !strings.HasPrefix(place, at.folder+"/") {
		return at.fail(notRendered, named, fmt.Sprintf("the file '%s' is not below the kustomization's folder", shown),
			"add a kustomization.yaml beside the file and name that folder, or move the file")
	}
	return nil
}

// locateFetched finds a base where a hand-off put it.
func (b *kustomizeBuild) locateFetched(named mention, at site) (target, error) {
	hint := "copy it into the repository"
	if named.use == asResource || named.use == asComponent {
		base, err := parseBase(named.path)
		if err == nil && b.files.kustomizationIn(base.folder()) != "" {
			return target{path: base.folder(), isFolder: true, fetched: true}, nil
		}
		hint = "in an app's own config name a folder of a git repository at a commit (" + exampleBase +
			"), and a hand-off brings it along; or copy it into the repository"
	}
	return target{}, at.fail(notSafe, named,
		fmt.Sprintf("'%s' comes from another host, which is not read while hydrating", clip(named.path, 300)), hint)
}

// relativePath leads from one folder of a tree to another.
func relativePath(from, to string) string {
	if from == "" {
		return to
	}
	steps := strings.Split(from, "/")
	for len(steps) > 0 && (to == steps[0] || strings.HasPrefix(to, steps[0]+"/")) {
		to = strings.TrimPrefix(strings.TrimPrefix(to, steps[0]), "/")
		steps = steps[1:]
	}
	return path.Join(strings.Repeat("../", len(steps)), to)
}
