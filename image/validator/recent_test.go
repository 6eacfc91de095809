package main

import (
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
)

// What was judged lately is not judged again, and what decides otherwise is.
func TestJudgeThatRemembersSaysTheSame(t *testing.T) {
	other := strings.Replace(deploymentYAML, "matchLabels: {app: web}", "matchLabels: {app: web, tier: a}", 1)
	other = strings.Replace(other, "labels: {app: web}}", "labels: {app: web, tier: a}}", 1)
	deployment, moved := objectsOf(t, deploymentYAML)[0], objectsOf(t, other)[0]
	custom, colored := objectsOf(t, widget)[0], objectsOf(t, strings.Replace(widget, "low: 1, color: red", "low: 11, color: blue", 1))[0]
	crd, none := objectsOf(t, widgets)[0], json.RawMessage("null")
	files := map[string]map[string]string{"crd": {"crd.yaml": widgets}, "none": {}}
	policy := objectsOf(t, `
apiVersion: admissionregistration.k8s.io/v1
kind: ValidatingAdmissionPolicy
metadata: {name: no-blue}
spec:
  matchConstraints: {resourceRules: [{apiGroups: ["*"], apiVersions: ["*"], operations: ["*"], resources: ["*"]}]}
  validations: [{expression: "!has(object.spec.color) || object.spec.color != 'blue'"}]
`)
	requests := []*judgeRequest{}
	for _, tree := range []string{"crd", "none"} {
		for _, objects := range [][]json.RawMessage{
			{deployment, custom}, {moved, deployment}, {colored, colored, custom}, {colored, crd}, {colored, deployment},
		} {
			for _, current := range [][]json.RawMessage{nil, {deployment, none}, {custom, custom}, {none, deployment}} {
				for _, policies := range [][]json.RawMessage{nil, policy} {
					requests = append(requests, &judgeRequest{
						Definitions: tree, Objects: objects, Current: current, Policies: policies, Around: objects[:1],
					})
				}
			}
		}
	}
	remembers := newJudge()
	for round := range 2 {
		for number, request := range requests {
			found, _ := json.Marshal(remembers.verdict(request, files[request.Definitions]))
			expected, _ := json.Marshal(newJudge().verdict(request, files[request.Definitions]))
			if string(found) != string(expected) {
				t.Errorf("round %d, request %d: %s, expected %s", round, number, found, expected)
			}
		}
	}
}

func TestRecentForgetsWhatIsNotAskedForAgain(t *testing.T) {
	all := recent{}
	content := func(number int) [sha256.Size]byte { return contentOf([]byte(fmt.Sprint(number))) }
	for number := range 100 {
		all.keep(content(number), &judged{data: slices.Repeat([]byte("x"), maxRecent/10)})
		if all.find(content(0)) == nil {
			t.Fatalf("what is asked for again is forgotten after %d others", number)
		}
	}
	if all.find(content(1)) != nil || len(all.young)+len(all.old) > 20 {
		t.Error("nothing is forgotten")
	}
}

func TestTextsAreToldApartByWhereTheyEnd(t *testing.T) {
	if contentOf([]byte("a"), []byte("bc")) == contentOf([]byte("ab"), []byte("c")) {
		t.Error("two pairs of texts have the same content")
	}
}
