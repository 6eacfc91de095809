package main

import (
	"errors"
	"strings"
	"testing"
)

const pinned = "3f786850e387550fdab836ed7e6dc881de23001b"

func TestBaseIsReadAsKustomizeReadsItsAddress(t *testing.T) {
	for entry, expected := range map[string]remoteBase{
		"https://git.example.com/acme/platform//web?ref=COMMIT":                {"https://git.example.com/acme/platform", "web", pinned},
		"https://git.example.com/acme/platform//web/base/?ref=COMMIT":          {"https://git.example.com/acme/platform", "web/base", pinned},
		"https://git.example.com/a/b/c/platform.git//web?ref=COMMIT":           {"https://git.example.com/a/b/c/platform.git", "web", pinned},
		"https://git.example.com/a/b/platform.git/web?ref=COMMIT":              {"https://git.example.com/a/b/platform.git", "web", pinned},
		"https://git.example.com/acme/platform.git?ref=COMMIT":                 {"https://git.example.com/acme/platform.git", "", pinned},
		"https://git.example.com/acme/platform?ref=COMMIT":                     {"https://git.example.com/acme/platform", "", pinned},
		"https://git.example.com/acme/platform/web/base?ref=COMMIT":            {"https://git.example.com/acme/platform", "web/base", pinned},
		"https://dev.example.com/org/project/_git/repo/web?ref=COMMIT":         {"https://dev.example.com/org/project/_git/repo", "web", pinned},
		"git::https://git.example.com/acme/platform//web?ref=COMMIT":           {"https://git.example.com/acme/platform", "web", pinned},
		"HTTPS://GIT.example.com/acme/Platform//web?ref=COMMIT":                {"https://git.example.com/acme/Platform", "web", pinned},
		"http://127.0.0.1:8080/acme/platform//web?timeout=90s&ref=COMMIT":      {"http://127.0.0.1:8080/acme/platform", "web", pinned},
		"https://git.example.com/acme/platform//web?version=COMMIT&submodules": {"https://git.example.com/acme/platform", "web", pinned},
		"https://git.example.com/acme/platform//a/../web?ref=COMMIT":           {"https://git.example.com/acme/platform", "web", pinned},
	} {
		base, err := parseBase(strings.ReplaceAll(entry, "COMMIT", pinned))
		if err != nil || base != expected {
			t.Errorf("%s: %+v, %v", entry, base, err)
		}
	}
}

func TestBaseThatIsNotPinnedIsRefused(t *testing.T) {
	for entry, expected := range map[string]string{
		"https://git.example.com/acme/platform//web?ref=main":             "names the branch, tag or short commit 'main', which may move, and not a commit in full",
		"https://git.example.com/acme/platform//web?ref=3f786850e387":     "names the branch, tag or short commit '3f786850e387', which may move",
		"https://git.example.com/acme/platform//web":                      "names no commit, and not a commit in full",
		"https://git.example.com/acme/platform/raw/main/crds.yaml":        "is a file that may change at any time",
		"ssh://git@example.com/acme/platform.git//web?ref=COMMIT":         "is no address that a base is read from",
		"git@example.com:acme/platform.git?ref=COMMIT":                    "is no address that a base is read from",
		"github.com/acme/platform//web?ref=COMMIT":                        "is no address that a base is read from",
		"https://me:secret@example.com/acme/platform.git?ref=COMMIT":      "is no address that a base is read from",
		"https://../acme/platform//web?ref=COMMIT":                        "is no address that a base is read from",
		"file:///acme/platform//web?ref=COMMIT":                           "is no address that a base is read from",
		"https://git.example.com/acme/platform.git//../web?ref=COMMIT":    "is no address of a folder in a git repository",
		"https://git.example.com/acme/../platform.git//web?ref=COMMIT":    "is no address of a folder in a git repository",
		"https://git.example.com/acme/plat form//web?ref=COMMIT":          "is no address of a folder in a git repository",
		"https://git.example.com/acme/platform//web%2f..%2f..?ref=COMMIT": "is no address of a folder in a git repository",
		"https://git.example.com/?ref=COMMIT":                             "is no address of a folder in a git repository",
	} {
		_, err := parseBase(strings.ReplaceAll(entry, "COMMIT", pinned))
		found, ok := errors.AsType[*failure](err)
		if !ok || !strings.Contains(found.Message, expected) || found.Hint == "" || found.Kind != notConfig {
			t.Errorf("%s: %+v", entry, found)
		}
	}
}

func TestBaseLiesInAFolderOfItsOwn(t *testing.T) {
	base := remoteBase{"https://git.example.com:8443/acme/platform.git", "web", pinned}
	if folder := base.folder(); folder != "headgate-bases/git.example.com_8443/acme/platform@"+pinned+"/web" {
		t.Error(folder)
	}
}

func TestWhatKustomizeWouldFetchIsRecognized(t *testing.T) {
	for _, entry := range []string{
		"http://x/y.yaml", "https:/x/y", "HTTPS://x", "http:x", "git::https://x/y", "GIT::x", "ssh://git@x/y/z", "file:///etc/x",
		"git@example.com:acme/x.git", "git@example.com/acme/x", "a@b/c/d", "github.com/a/b", "GitHub.com:a/b", "user@host:x.git",
	} {
		if !fetchedByKustomize.MatchString(entry) {
			t.Errorf("%s is fetched", entry)
		}
	}
	for _, entry := range []string{"base", "../base", "./github.com/a/b", "a.b/c", "web@1", "../web@1/base", "httpd", "ssh/x", "x.yaml"} {
		if fetchedByKustomize.MatchString(entry) {
			t.Errorf("%s is not fetched", entry)
		}
	}
}
