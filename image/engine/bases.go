//go:build !reader

package main

import (
	"errors"
	"fmt"
	"net/url"
	"path"
	"regexp"
	"strings"
)

// fetchedBases is the folder of an app's config in a release that has all bases that a hand-off fetched.
const fetchedBases = "headgate-bases"

// remoteBase is a folder of a git repository at a commit. Path is empty for the repository's root.
type remoteBase struct {
	Address string `json:"address,omitempty"`
	Path    string `json:"path,omitempty"`
	Commit  string `json:"commit,omitempty"`
}

// folder is where the base lies in an app's config; a port's colon is no character for a path.
func (b remoteBase) folder() string {
	_, rest, _ := strings.Cut(b.Address, "://")
	host, repository, _ := strings.Cut(rest, "/")
	name := strings.TrimSuffix(repository, ".git")
	return path.Join(fetchedBases, strings.ReplaceAll(host, ":", "_"), name+"@"+b.Commit, b.Path)
}

var (
	// What Kustomize fetches, whatever lies at such a path (NewRepoSpecFromURL and IsRemoteFile of its api/internal), and a
	// little more: https://github.com/kubernetes-sigs/kustomize/blob/master/examples/remoteBuild.md
	fetchedByKustomize = regexp.MustCompile(`(?s)^(?i:git::|(?:ssh|file)://|https?:|github\.com[/:])|^[A-Za-z][A-Za-z0-9-]*@.*[/:].*(?:/|\.git)`)
	fetchedOverHTTP    = regexp.MustCompile(`^(?i:https?:)`)
	// What is meant to be fetched, though Kustomize looks for a folder.
	meantRemote = regexp.MustCompile(`://|\?ref=|^[A-Za-z0-9-]+(?:\.[A-Za-z0-9-]+)*\.[A-Za-z]{2,}(?::[0-9]+)?/|^[A-Za-z0-9-]+@`)

	fullCommit = regexp.MustCompile(`^[0-9a-f]{40}(?:[0-9a-f]{24})?$`)
	gitHost    = regexp.MustCompile(`^[a-z0-9](?:[a-z0-9.-]*[a-z0-9])?(?::[0-9]{1,5})?$`)
	gitPath    = regexp.MustCompile(`^[A-Za-z0-9_.~+-]+(?:/[A-Za-z0-9_.~+-]+)*$`)
)

const (
	exampleBase = "https://HOST/GROUP/REPOSITORY//FOLDER?ref=COMMIT"
	wayToBase   = "write " + exampleBase + ", or copy it into the repository"
)

// parseBase reads the address of a base as Kustomize does. One that is not pinned to a commit is an error.
func parseBase(entry string) (remoteBase, error) {
	scheme, rest, _ := strings.Cut(strings.TrimPrefix(entry, "git::"), "://")
	rest, _, _ = strings.Cut(rest, "#")
	rest, query, _ := strings.Cut(rest, "?")
	host, location, _ := strings.Cut(rest, "/")
	scheme, host = strings.ToLower(scheme), strings.ToLower(host)
	if scheme != "https" && scheme != "http" || !gitHost.MatchString(host) {
		return remoteBase{}, unusableBase(entry, "is no address that a base is read from", wayToBase)
	}
	commit := refOf(query)
	if commit == "" && isYAMLName(location) {
		return remoteBase{}, unusableBase(entry, "is a file that may change at any time",
			"put the file into the repository, or name a folder of a git repository at a commit")
	}
	if !fullCommit.MatchString(commit) {
		found := "no commit"
		if commit != "" {
			found = fmt.Sprintf("the branch, tag or short commit '%s', which may move", clip(commit, 100))
		}
		return remoteBase{}, unusableBase(entry, "names "+found+", and not a commit in full", wayToBase)
	}
	repository, folder := splitRepository(location)
	if !isGitPath(repository) || folder != "" && !isGitPath(folder) {
		return remoteBase{}, unusableBase(entry, "is no address of a folder in a git repository", wayToBase)
	}
	return remoteBase{scheme + "://" + host + "/" + repository, folder, commit}, nil
}

func unusableBase(entry, why, hint string) error {
	return &failure{Kind: notConfig, Message: fmt.Sprintf("'%s' %s", clip(entry, 300), why), Hint: hint}
}

func refOf(query string) string {
	values, err := url.ParseQuery(query)
	if err != nil {
		return ""
	}
	if ref := values.Get("ref"); ref != "" {
		return ref
	}
	return values.Get("version")
}

func isYAMLName(name string) bool {
	switch path.Ext(name) {
	case ".yaml", ".yml", ".json":
		return true
	}
	return false
}

func isGitPath(name string) bool {
	if !gitPath.MatchString(name) {
		return false
	}
	for part := range strings.SplitSeq(name, "/") {
		if part == "." || part == ".." {
			return false
		}
	}
	return true
}

// splitRepository tells a repository from the folder in it: by "_git/", "//" or ".git"; else it has two parts.
func splitRepository(location string) (repository, folder string) {
	if above, below, ok := strings.Cut(location, "_git/"); ok {
		name, folder, _ := strings.Cut(below, "/")
		return above + "_git/" + name, cleanFolder(folder)
	}
	if repository, folder, ok := strings.Cut(location, "//"); ok {
		return strings.Trim(repository, "/"), cleanFolder(folder)
	}
	if repository, folder, ok := strings.Cut(location, ".git/"); ok {
		return strings.Trim(repository, "/") + ".git", cleanFolder(folder)
	}
	if strings.HasSuffix(location, ".git") {
		return location, ""
	}
	parts := strings.SplitN(strings.Trim(location, "/"), "/", 3)
	if len(parts) < 3 {
		return strings.Join(parts, "/"), ""
	}
	return parts[0] + "/" + parts[1], cleanFolder(parts[2])
}

func cleanFolder(folder string) string {
	folder = path.Clean(strings.Trim(folder, "/"))
	if folder == "." {
		return ""
	}
	return folder
}

// remoteEntry is an entry of a kustomization that is meant to be fetched: its base, or why it cannot be.
type remoteEntry struct {
	Entry string `json:"entry"`
	remoteBase
	Problem string `json:"problem,omitempty"`
	Hint    string `json:"hint,omitempty"`
}

// appendRemote adds an entry that is, or looks, remote.
func appendRemote(all []remoteEntry, entry string) []remoteEntry {
	if !fetchedByKustomize.MatchString(entry) && !meantRemote.MatchString(entry) {
		return all
	}
	found := remoteEntry{Entry: entry}
	base, err := parseBase(entry)
	if why, ok := errors.AsType[*failure](err); ok {
		found.Problem, found.Hint = why.Message, why.Hint
	} else {
		found.remoteBase = base
	}
	return append(all, found)
}
