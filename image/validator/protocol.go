package main

import (
	"encoding/json"

	"headgate/lock"
)

// protocolVersion is the engine's: both speak to the same caller. docs/validation.md describes the messages.
const protocolVersion = 1

// hello is the first line that the validator writes, after it has locked itself in (or could not).
type hello struct {
	Protocol int `json:"protocol"`
	lock.Status
	Kubernetes string `json:"kubernetes"` // the version whose code judges
	Build      string `json:"build"`      // identifies the validator's sources
}

// message is one line of input: a tree of files with definitions (CRDs), or a request. A tree has no answer.
type message struct {
	Tree  string            `json:"tree,omitempty"`
	Files map[string]string `json:"files,omitempty"`

	Request  int            `json:"request,omitempty"`
	Budget   limits         `json:"budget"`
	Validate *judgeRequest  `json:"validate,omitempty"`
	Policies *policyRequest `json:"policies,omitempty"`
}

// limits is what one request may use; 0 is no limit.
type limits struct {
	Objects  int `json:"objects"`
	BytesOut int `json:"bytes_out"`
}

// judgeRequest asks what an API server would say of objects.
type judgeRequest struct {
	Kubernetes  string            `json:"kubernetes,omitempty"`  // the minor of the environment: 1.34
	Definitions string            `json:"definitions,omitempty"` // the tree with the CRDs of the cluster
	Objects     []json.RawMessage `json:"objects"`
	// Current has what is there now in the place of each object, or null.
	Current []json.RawMessage `json:"current,omitempty"`
	// Around are objects of others in the same namespaces, to which objects may refer. They are not judged.
	Around []json.RawMessage `json:"around,omitempty"`
	// Removed are objects that go. Policies alone are asked about them; their findings are counted after those of Objects.
	Removed []json.RawMessage `json:"removed,omitempty"`
	// Policies are ValidatingAdmissionPolicies; what they find has the rule policy/NAME and the field of the policy.
	Policies []json.RawMessage `json:"policies,omitempty"`
}

// policyRequest asks what is wrong with policies.
type policyRequest struct {
	Policies []json.RawMessage `json:"policies"`
}

// answer is one line of output: the end of a request.
type answer struct {
	Request int      `json:"request"`
	Done    bool     `json:"done"`
	Value   any      `json:"value,omitempty"`
	Error   *failure `json:"error,omitempty"`
}

// verdict is what was found in the objects of a request. Unchecked are kinds (Kind.group) that nobody defines.
type verdict struct {
	Findings  []finding `json:"findings"`
	Unchecked []string  `json:"unchecked"`
}

// finding is one thing that is wrong with an object, which is told by its place in the request.
type finding struct {
	Object  int    `json:"object"`
	Rule    string `json:"rule"`
	Field   string `json:"field,omitempty"`
	Message string `json:"message"`
	Hint    string `json:"hint,omitempty"`
}

// failure is why a request has no result.
type failure struct {
	Kind    string `json:"kind"`
	Message string `json:"message"`
}

// The rules. The caller gives each a level; docs/validation.md describes them.
const (
	ruleInvalid       = "invalid"             // a value that the server rejects
	ruleUnknownField  = "unknown-field"       // a field that no version knows
	ruleUnknownKind   = "unknown-kind"        // a kind that its group does not have
	ruleDuplicateKey  = "duplicate-key"       // two items of a list with one key, which server-side apply rejects
	ruleRemovedAPI    = "removed-api"         // an API version that the minor does not serve any more
	ruleDeprecatedAPI = "deprecated-api"      // one that a later minor does not serve
	ruleNewerField    = "newer-field"         // a field that came with a later minor
	ruleNewerKind     = "newer-kind"          // a kind that came with a later minor
	ruleOffByDefault  = "off-by-default"      // an alpha or beta kind, which a cluster has to switch on
	ruleImmutable     = "immutable"           // a change that the server rejects
	ruleWarning       = "server-warning"      // what the server warns of
	ruleSelectsNone   = "selects-nothing"     // a Service or budget whose selector finds no pods
	ruleUndefined     = "undefined-reference" // a name that nothing defines
	ruleBlocking      = "blocking-budget"     // a PodDisruptionBudget that lets no pod go
	policyRule        = "policy/"             // with a policy's name: what it finds
)
