package main

import (
	"encoding/json"

	"headgate/lock"
)

// protocolVersion is raised when an older caller or an older engine would misunderstand a message.
// docs/engine.md describes the messages.
const protocolVersion = 1

// hello is the first line that the engine writes, after it has locked itself in (or could not).
type hello struct {
	Protocol int `json:"protocol"`
	lock.Status
	Helm      string `json:"helm"`
	Kustomize string `json:"kustomize"`
	Build     string `json:"build"` // identifies the engine's sources
}

// message is one line of input: a tree of files, or a request with exactly one of its kinds.
type message struct {
	// Tree is the content id of Files and Binary, which requests then name. A tree has no answer.
	Tree   string            `json:"tree,omitempty"`
	Files  map[string]string `json:"files,omitempty"`
	Binary map[string][]byte `json:"binary,omitempty"` // what is not UTF-8, in base64

	Request int    `json:"request,omitempty"`
	Budget  limits `json:"budget"`

	Values        *valuesRequest        `json:"values,omitempty"`
	Documents     *fileRequest          `json:"documents,omitempty"`
	Locate        *locateRequest        `json:"locate,omitempty"`
	Objects       *objectsRequest       `json:"objects,omitempty"`
	Helm          *helmRequest          `json:"helm,omitempty"`
	Kustomize     *kustomizeRequest     `json:"kustomize,omitempty"`
	Kustomization *kustomizationRequest `json:"kustomization,omitempty"`
}

// limits is what one request may use; 0 is no limit.
type limits struct {
	BytesIn  int `json:"bytes_in"`  // of all text that is read, rendered text included
	Nodes    int `json:"nodes"`     // of YAML, once aliases are followed
	Objects  int `json:"objects"`   // of Kubernetes
	BytesOut int `json:"bytes_out"` // of all answers to the request
}

type fileRequest struct {
	File string `json:"file"` // its name in errors
	Text string `json:"text"`
}

// valuesRequest asks for a values file as Helm reads it.
type valuesRequest struct {
	File string `json:"file"`
	Text string `json:"text"`
	// Lenient takes the last of equal keys, as Helm does, with a warning; else they are an error.
	Lenient bool `json:"lenient,omitempty"`
}

// locateRequest asks on which line a key path stands, and how the scalar there is written.
type locateRequest struct {
	Text string `json:"text"`
	Path []any  `json:"path"` // strings and numbers
}

// objectsRequest asks for the Kubernetes objects in YAML text.
type objectsRequest struct {
	Files []fileRequest `json:"files"`
	// Strings take the places of their tokens (U+E000, number, U+E001) in the objects' strings.
	Strings []string `json:"strings,omitempty"`
	Hooks   string   `json:"hooks,omitempty"`
}

// helmRequest asks for the objects of a chart.
type helmRequest struct {
	Tree        string         `json:"tree"`   // what file:// dependencies may reach
	Folder      string         `json:"folder"` // of the chart in the tree; empty for its root
	Name        string         `json:"name"`   // of the release
	Namespace   string         `json:"namespace"`
	Kubernetes  string         `json:"kubernetes"` // version, as for --kube-version
	APIVersions []string       `json:"api_versions,omitempty"`
	Values      string         `json:"values"` // merged layers above the chart's own, as JSON text that Helm's loader reads
	Images      map[string]any `json:"images,omitempty"`
	// Hooks is "drop", "keep" or empty. Hooks of tests, deletion and rollback are always dropped; others only by "drop".
	Hooks string `json:"hooks,omitempty"`
}

// kustomizeRequest asks for the objects of a kustomization.
type kustomizeRequest struct {
	Tree        string   `json:"tree"` // all that may be read
	Root        string   `json:"root"` // the folder to build
	Name        string   `json:"name"` // of the app
	Namespace   string   `json:"namespace"`
	Kubernetes  string   `json:"kubernetes,omitempty"` // for helmCharts
	APIVersions []string `json:"api_versions,omitempty"`
	// Values are offered to replacements in a ConfigMap called headgate-values, which is not among the objects.
	Values map[string]string `json:"values,omitempty"`
	Hooks  string            `json:"hooks,omitempty"`
}

// kustomizationRequest asks what a kustomization file says and which paths it names.
type kustomizationRequest struct {
	File string `json:"file"`
	Text string `json:"text"`
	// Plugin says that the file configures generators or transformers (`generators`, `transformers`, `validators`).
	Plugin bool `json:"plugin,omitempty"`
}

// answer is one line of output: an object of a request, or its end.
type answer struct {
	Request int `json:"request"`

	// An object.
	Object json.RawMessage `json:"object,omitempty"`
	Source string          `json:"source,omitempty"` // file in the tree, or the name given to it
	Hook   []string        `json:"hook,omitempty"`   // Helm's events, when it is a hook
	Text   string          `json:"text,omitempty"`   // of an object that SOPS encrypted: its source, to be kept byte for byte
	// Content identifies an object that charts repeat (a CRD). The object itself is sent once in the engine's life.
	Content string `json:"content,omitempty"`

	// The end.
	Done     bool            `json:"done,omitempty"`
	Value    json.RawMessage `json:"value,omitempty"`
	Warnings []warning       `json:"warnings,omitempty"`
	Error    *failure        `json:"error,omitempty"`
}

// warning is something to look at that stops nothing.
type warning struct {
	Message string `json:"message"`
	File    string `json:"file,omitempty"`
	Line    int    `json:"line,omitempty"`
}

// failure is why a request has no result. It is an error.
type failure struct {
	Kind    string `json:"kind"` // one of the kinds below
	Message string `json:"message"`
	File    string `json:"file,omitempty"` // in the tree, or the name given to it
	Line    int    `json:"line,omitempty"`
	Hint    string `json:"hint,omitempty"`
	// Template is the text of a value that a chart put through tpl and that failed, or what called a random function.
	Template string `json:"template,omitempty"`
	// Functions are those that make a result differ from render to render.
	Functions []string `json:"functions,omitempty"`
	// Refused are values that a chart does not take.
	Refused []refusedValue `json:"refused,omitempty"`
}

// refusedValue is a value by its key path, items of lists by their numbers. Unknown says that nothing may stand there.
type refusedValue struct {
	Path    []string `json:"path"`
	Unknown bool     `json:"unknown,omitempty"`
}

// isGlobal says whether it is what Helm passes to each subchart.
func (r refusedValue) isGlobal() bool {
	return r.Unknown && len(r.Path) > 1 && r.Path[len(r.Path)-1] == "global"
}

// Kinds of failures. The caller gives each an exit code.
const (
	notYAML      = "yaml"     // text that is not YAML, or not YAML that all read alike
	notConfig    = "config"   // configuration that says what it must not
	notRendered  = "render"   // the template, chart or kustomization failed
	notObject    = "object"   // YAML that is no Kubernetes object
	notValid     = "schema"   // values that a chart's schema refuses
	notStable    = "unstable" // another result at each render
	notSafe      = "unsafe"   // something that reaches outside
	overBudget   = "budget"   // a limit
	notProtocol  = "protocol" // a message that the caller got wrong
	notExplained = "crash"    // a bug, of ours or of a library
)

func (f *failure) Error() string { return f.Message }
