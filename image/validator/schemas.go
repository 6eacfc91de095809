package main

import (
	"bytes"
	"compress/gzip"
	_ "embed"
	"encoding/json"
	"strconv"
	"strings"
	"sync"

	"k8s.io/apimachinery/pkg/runtime/schema"
)

// pooled is written by pool-schemas: the kinds and fields of several minors.
//
//go:embed schemas.json.gz
var pooled []byte

// minorSchemas says which minor has which kinds and fields. Numbers are those of the minors: 34 for 1.34.
type minorSchemas struct {
	Oldest      int                             `json:"oldest"`
	Newest      int                             `json:"newest"`
	Kinds       map[string]*kindSchema          `json:"kinds"`
	Definitions map[string]map[string]fieldType `json:"definitions"`
}

type kindSchema struct {
	Definition string `json:"d"`
	Since      int    `json:"s"` // 0: since the oldest, or before
	Until      int    `json:"u"` // 0: still there
}

type fieldType struct {
	Type  string    `json:"t"` // see pool-schemas
	Since int       `json:"s"`
	Until int       `json:"u"`
	Keys  *[]string `json:"k"` // of a list whose items are unique; none for a set
}

var schemas = sync.OnceValue(func() *minorSchemas {
	found := &minorSchemas{}
	reader, err := gzip.NewReader(bytes.NewReader(pooled))
	if err == nil {
		err = json.NewDecoder(reader).Decode(found)
	}
	if err != nil {
		panic(err) // what is built in cannot be read: no input does that
	}
	return found
})

// minor returns the number of a minor (1.34), within those that are known; the newest where none is named.
func (s *minorSchemas) minor(version string) int {
	_, text, _ := strings.Cut(version, ".")
	number, err := strconv.Atoi(text)
	if err != nil {
		return s.Newest
	}
	return min(max(number, s.Oldest), s.Newest)
}

func (s *minorSchemas) kind(gvk schema.GroupVersionKind) *kindSchema {
	return s.Kinds[gvk.Group+"/"+gvk.Version+"/"+gvk.Kind]
}

// isThere says whether a minor has what came with one minor and went after another.
func isThere(since, until, minor int) bool {
	return minor >= since && (until == 0 || minor <= until)
}

// isOffByDefault says so of versions that a cluster has to switch on: all that are no release, but for those that were
// there before Kubernetes stopped switching them on (1.24) and are served in a known minor.
func isOffByDefault(gvk schema.GroupVersionKind) bool {
	old := gvk.Group == "flowcontrol.apiserver.k8s.io"
	return !old && (strings.Contains(gvk.Version, "alpha") || strings.Contains(gvk.Version, "beta"))
}
