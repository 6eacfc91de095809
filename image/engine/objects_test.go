package main

import (
	"encoding/json"
	"fmt"
	"runtime"
	"slices"
	"strings"
	"testing"
)

// emit reads objects as a request for them does, with strings in the places of tokens.
func emit(text string, given limits, strings ...string) ([]answer, *failure) {
	collected := &collector{}
	out := &result{budget: newBudget(given), writer: collected}
	err := readObjects(&objectsRequest{Files: []fileRequest{{File: "web.yaml", Text: text}}, Strings: strings}, out)
	if err != nil {
		return collected.answers, asFailure(err)
	}
	return collected.answers, nil
}

func emits(t *testing.T, text string, objects ...string) {
	t.Helper()
	answers, why := emit(text, limits{})
	found := []string{}
	for _, one := range answers {
		found = append(found, string(one.Object))
	}
	if why != nil || !slices.Equal(found, objects) {
		t.Errorf("%q gives %s (%v)\nnot %s", text, found, why, objects)
	}
}

func refusesObject(t *testing.T, text, words string, strings_ ...string) {
	t.Helper()
	answers, why := emit(text, limits{}, strings_...)
	switch {
	case why == nil:
		t.Errorf("%q gives %s", text, answers[0].Object)
	case why.Kind != notObject || why.File != "web.yaml" || !strings.Contains(why.Message, words):
		t.Errorf("%q: %+v\nnot %s", text, why, words)
	}
}

func object(kind, name string) string {
	return fmt.Sprintf(`{"apiVersion":"v1","kind":"%s","metadata":{"name":"%s"}}`, kind, name)
}

func TestObjectsComeInOrderWithoutWhatIsEmpty(t *testing.T) {
	emits(t, "# a\n---\n"+object("Service", "a")+"\n---\n~\n---\n---\n"+object("Service", "b"), object("Service", "a"), object("Service", "b"))
	emits(t, "")
}

func TestWhatIsNoObjectIsRefused(t *testing.T) {
	for text, words := range map[string]string{
		"- a":                              `expected a Kubernetes object, found ["a"]`,
		"text":                             `expected a Kubernetes object, found "text"`,
		"8080":                             "expected a Kubernetes object, found 8080",
		"replicas: 3":                      "not a Kubernetes object: apiVersion nothing, kind nothing",
		"{apiVersion: 1, kind: {a: b}}":    `not a Kubernetes object: apiVersion 1, kind {"a":"b"}`,
		"{apiVersion: v1, kind: ~}":        `not a Kubernetes object: apiVersion "v1", kind null`,
		"{apiVersion: v1, kind: \"\"}":     `kind ""`,
		"{apiVersion: V1, kind: A}":        "apiVersion",
		"{apiVersion: a/v1/v2, kind: A}":   "apiVersion",
		"{apiVersion: ../v1, kind: A}":     "apiVersion",
		"{apiVersion: \"v1\\n\", kind: A}": "apiVersion",
		"{apiVersion: v1, kind: a}":        `kind "a"`,
		"{apiVersion: v1, kind: ../A}":     `kind "../A"`,
		"{apiVersion: v1, kind: \"A\\n\"}": `kind "A\n"`,
		strings.Repeat("a", 1000):          strings.Repeat("a", 50) + " ... (942 more bytes)",
	} {
		refusesObject(t, text, words)
	}
}

func TestListsAreUnfolded(t *testing.T) {
	list := `{apiVersion: v1, kind: List, items: [` + object("Service", "a") + `, {apiVersion: v1, kind: List, items: [` + object("Service", "b") + `]}, ` + object("Service", "c") + `]}`
	emits(t, list, object("Service", "a"), object("Service", "b"), object("Service", "c"))
	for _, items := range []string{"[]", "~", ""} {
		emits(t, "apiVersion: v1\nkind: List\nitems: "+items+"\n")
		emits(t, "apiVersion: v1\nkind: ServiceList\nitems: "+items+"\n")
	}
	refusesObject(t, "{apiVersion: v1, kind: List, items: [text]}", `expected a Kubernetes object, found "text"`)
	refusesObject(t, "{apiVersion: v1, kind: List, items: [~]}", "expected a Kubernetes object, found null")
	for _, items := range []string{"{a: b}", "text", "1", "{}"} {
		refusesObject(t, "{apiVersion: v1, kind: List, items: "+items+"}", "List: 'items' is no list")
	}
}

func TestItemsOfATypedListGetWhatTheyLeaveOut(t *testing.T) {
	const list = "{apiVersion: apps/v1, kind: DeploymentList, items: [%s]}"
	whole := `{"apiVersion":"apps/v1","kind":"Deployment","metadata":{"name":"a"}}`
	emits(t, fmt.Sprintf(list, "{metadata: {name: a}}"), whole)
	emits(t, fmt.Sprintf(list, "{kind: Deployment, metadata: {name: a}}"), whole)
	emits(t, fmt.Sprintf(list, whole), whole)
	emits(t, fmt.Sprintf(list, object("Service", "b")), object("Service", "b"))
	refusesObject(t, fmt.Sprintf(list, "{kind: ~, metadata: {name: a}}"), "not a Kubernetes object")
	refusesObject(t, "{apiVersion: v1, kind: List, items: [{metadata: {name: a}}]}", "not a Kubernetes object")
	refusesObject(t, "{apiVersion: v1, kind: List, items: [{apiVersion: v1, kind: ServiceList, items: [{kind: A, items: []}]}]}", "A has a top-level 'items'")
	// "List" alone says nothing of its items, though it ends in List.
	refusesObject(t, "{apiVersion: v1, kind: ListList, items: [{metadata: {name: a}, items: ~, kind: Secret}]}", "Secret a has a top-level 'items'")
}

func TestItemsAtTheTopMakeAListOfNothingElse(t *testing.T) {
	for _, items := range []string{"[" + object("ClusterRoleBinding", "evil") + "]", "[]", "~", "{}", "text"} {
		for _, kind := range []string{"ConfigMap", "Secret", "Listing", "Lists"} {
			refusesObject(t, "apiVersion: v1\nkind: "+kind+"\nmetadata:\n  name: web\nitems: "+items+"\n",
				kind+" web has a top-level 'items', which makes it a list to Flux, kubectl and Argo CD")
			refusesObject(t, "apiVersion: v1\nkind: "+kind+"\nmetadata:\n  name: web\nitems: "+items+"\nsops: {mac: 'ENC[AES256_GCM,data:x]'}\n",
				kind+" web has a top-level 'items'")
		}
	}
	emits(t, "{apiVersion: a.b/v1, kind: AllowList, metadata: {name: a}, spec: {items: [x]}}",
		`{"apiVersion":"a.b/v1","kind":"AllowList","metadata":{"name":"a"},"spec":{"items":["x"]}}`)
}

// Go's JSON takes a field by its name in any case, and folds more than case.
func TestNamesThatGoTakesInAnyCaseAreSpelledInOneWay(t *testing.T) {
	for key, right := range map[string]string{
		"Items": "items", "ITEMS": "items", "item\u017f": "items", "KIND": "kind", "\u212aind": "kind", "Metadata": "metadata",
		"apiversion": "apiVersion", "APIVersion": "apiVersion", "ApiVer\u017fion": "apiVersion",
	} {
		refusesObject(t, object("Service", "a")[:1]+`"`+key+`": ~, `+object("Service", "a")[1:], fmt.Sprintf("the key '%s' is '%s' to some readers", key, right))
	}
	for key, right := range map[string]string{
		"Name": "name", "NAME": "name", "Namespace": "namespace", "name\u017fpace": "namespace", "GenerateName": "generateName",
		"Labels": "labels", "label\u017f": "labels", "Annotations": "annotations",
	} {
		refusesObject(t, "{apiVersion: v1, kind: Service, metadata: {name: a, "+key+": b}}",
			fmt.Sprintf("the key 'metadata.%s' is 'metadata.%s' to some readers", key, right))
		emits(t, "{apiVersion: v1, kind: Service, metadata: {name: a}, data: {"+key+": b}}",
			`{"apiVersion":"v1","data":{"`+key+`":"b"},"kind":"Service","metadata":{"name":"a"}}`)
	}
}

func TestHooksThatNeverRunAreLeftOut(t *testing.T) {
	const hook = "{apiVersion: v1, kind: Pod, metadata: {name: a, annotations: {helm.sh/hook: '%s'}}}"
	for events, kept := range map[string]map[string]bool{
		"test": {}, "pre-delete, post-rollback": {}, " Test-Success ": {},
		"pre-install":      {"": true, "keep": true},
		"pre-install,test": {"": true, "keep": true},
		"":                 {"": true, "keep": true},
	} {
		for _, hooks := range []string{"", "keep", "drop"} {
			collected := &collector{}
			out := &result{budget: newBudget(limits{}), writer: collected}
			if err := emitStream(fmt.Sprintf(hook, events), "", nil, hooks, out); err != nil {
				t.Fatal(err)
			}
			if found := len(collected.answers) == 1; found != kept[hooks] {
				t.Errorf("%q with %q: %v", events, hooks, collected.answers)
			}
		}
	}
}

func TestObjectsAndTheirBytesAreCounted(t *testing.T) {
	text := object("Service", "a") + "\n---\n" + object("Service", "b")
	for given, words := range map[limits]string{
		{Objects: 1}: "more than 1 objects",
		{BytesOut: 3 * len(object("Service", "a")) / 2}: "bytes of",
	} {
		answers, why := emit(text, given)
		if why == nil || why.Kind != overBudget || !strings.Contains(why.Message, words) || len(answers) > 1 {
			t.Errorf("%+v: %v %v", given, answers, why)
		}
	}
	if answers, why := emit(text, limits{Objects: 2, BytesOut: 1000}); why != nil || len(answers) != 2 {
		t.Error(answers, why)
	}
}

// Tokens of Jinja2

func tok(number int) string { return fmt.Sprintf("\ue000%d\ue001", number) }

const configMapOf = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\n"

func TestStringsTakeThePlacesOfTheirTokens(t *testing.T) {
	evil := "x\n---\napiVersion: v1\nkind: Secret # '\""
	for text, data := range map[string]string{
		"a: " + tok(0):                          `{"a":"yes"}`,
		"a: '" + tok(1) + "'":                   `{"a":` + string(encoded(evil)) + `}`,
		"a: \"<" + tok(0) + tok(0) + ">\"":      `{"a":"\u003cyesyes\u003e"}`,
		"a: |\n  " + tok(1) + "\n":              `{"a":` + string(encoded(evil+"\n")) + `}`,
		tok(0) + ": [" + tok(0) + ", 1, 1.0]":   `{"yes":["yes",1,1]}`,
		"a: " + tok(2) + " " + tok(999999999):   `{"a":"` + tok(2) + " " + tok(999999999) + `"}`,
		"a: " + tok(0)[:4] + " " + tok(0)[3:]:   `{"a":"` + tok(0)[:4] + " " + tok(0)[3:] + `"}`,
		`a: "\ue0000\ue001"`:                    `{"a":"yes"}`,
		"a: !!str " + tok(0):                    `{"a":"yes"}`,
		"a: 12345678901234567890\nb: " + tok(0): `{"a":12345678901234567890,"b":"yes"}`,
	} {
		answers, why := emit(configMapOf+"data:\n  "+strings.ReplaceAll(text, "\n", "\n  "), limits{}, "yes", evil)
		if why != nil {
			t.Errorf("%q: %v", text, why)
			continue
		}
		var found struct{ Data json.RawMessage }
		if err := json.Unmarshal(answers[0].Object, &found); err != nil || string(found.Data) != data {
			t.Errorf("%q gives %s\nnot %s", text, found.Data, data)
		}
	}
}

func TestTokensThatMakeTwoKeysOneAreRefused(t *testing.T) {
	for _, data := range []string{tok(0) + ": 1\n  " + tok(1) + ": 2", tok(0) + ": 1\n  same: 2", "x: {" + tok(1) + ": 1, same: 2}"} {
		_, why := emit(configMapOf+"data:\n  "+data, limits{}, "same", "same")
		if why == nil || why.Kind != notYAML || why.Message != "the key 'same' is set twice" {
			t.Errorf("%q: %v", data, why)
		}
	}
}

// A string may be one that no text could hold as it is: what an object is, is read after it is in its place.
func TestWhatTokensMakeOfAnObjectIsChecked(t *testing.T) {
	text := "apiVersion: v1\nkind: " + tok(0) + "\nmetadata: {name: a}\n" + tok(1) + ": []\n"
	refusesObject(t, text, "ConfigMap a has a top-level 'items'", "ConfigMap", "items")
	refusesObject(t, text, "the key 'Items' is 'items' to some readers", "ConfigMap", "Items")
	refusesObject(t, text, `kind "config\n"`, "config\n", "x")
	answers, why := emit(text, limits{}, "List", "items")
	if why != nil || len(answers) != 0 {
		t.Error(answers, why)
	}
}

func TestStringsAreCountedInEveryPlace(t *testing.T) {
	long := strings.Repeat("x", 1000)
	values, keys := "a: [", ""
	for number := range 1000 {
		values += tok(0) + ", "
		keys += fmt.Sprintf("  %s%d: 1\n", tok(0), number)
	}
	for _, text := range []string{"x: " + strings.Repeat(tok(0), 1000), values + "]", "x:\n" + keys} {
		_, why := emit(configMapOf+text, limits{BytesOut: 100_000}, long)
		if why == nil || why.Kind != overBudget || why.Message != "more than 100000 bytes of objects" {
			t.Errorf("%q: %v", clip(text, 30), why)
		}
	}
}

func TestErrorInRenderedTextShowsItsLineWithTheStringsInTheirPlaces(t *testing.T) {
	_, why := emit("a: b\nb: c: "+tok(0)+tok(5)+"\n", limits{}, "web")
	if why == nil || why.Line != 0 || !strings.HasSuffix(why.Message, "\n    line 2 of the rendered text: b: c: web"+tok(5)) {
		t.Errorf("%+v", why)
	}
	huge, text := strings.Repeat("x", 1<<20), "a: b: "+strings.Repeat(tok(0), 1<<16)+"\n"
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	_, why = emit(text, limits{}, huge)
	runtime.ReadMemStats(&after)
	if used := after.TotalAlloc - before.TotalAlloc; why == nil || len(why.Message) > 1000 || used > 15<<20 {
		t.Errorf("%d bytes of memory: %+v", used, why)
	}
}

// Objects that SOPS encrypted

const sops = `# made by sops  
kind:    Secret
apiVersion: v1
metadata: {  name: db,   namespace: shop}
stringData:
    password: ENC[AES256_GCM,data:Zm9v,iv:YmFy,tag:YmF6,type:str]
    # why
    'on': "0644"
    port: 8080
sops:
    age:
        - recipient: age1xyz
          enc: |
            -----BEGIN AGE ENCRYPTED FILE-----
            YWdl
            -----END AGE ENCRYPTED FILE-----
    lastmodified: "2026-01-01T00:00:00Z"
    mac: ENC[AES256_GCM,data:Zm9v,iv:YmFy,tag:YmF6,type:str]
    version: 3.9.0
`

func textOf(t *testing.T, text string, strings ...string) string {
	t.Helper()
	answers, why := emit(text, limits{}, strings...)
	if why != nil {
		t.Errorf("%q: %s", text, why.Message)
		return ""
	}
	found := ""
	for _, one := range answers {
		found += one.Text
	}
	return found
}

func TestEncryptedObjectStaysByteForByte(t *testing.T) {
	service := object("Service", "a")
	crlf := strings.ReplaceAll(sops, "\n", "\r\n")
	for _, kept := range []string{sops, crlf} {
		for _, stream := range []string{"%s", "---\n%s", "---\r\n\r\n%s", "%s---\n" + service, service + "\n---\n\n%s\n---\n", "\ufeff%s"} {
			if found := textOf(t, strings.Replace(stream, "%s", kept, 1)); found != kept {
				t.Errorf("%q is kept as %q", stream, found)
			}
		}
	}
	// A last line gets its line break.
	for _, kept := range []string{sops, crlf} {
		if found := textOf(t, strings.TrimRight(kept, "\r\n")); found != strings.TrimRight(kept, "\r\n")+"\n" {
			t.Errorf("kept as %q", found)
		}
	}
	if found := textOf(t, strings.ReplaceAll(sops, "name: db", "name: "+tok(0)), "db"); found != sops {
		t.Errorf("kept as %q", found)
	}
	if found := textOf(t, service); found != "" {
		t.Errorf("kept as %q", found)
	}
}

// What two readers could take for different objects.
func TestEncryptedObjectThatIsAmbiguousIsRefused(t *testing.T) {
	for added, why := range map[string]string{
		"---#: {kind: Evil}\n":         "'---' begins a document",
		"---x: {kind: Evil}\n":         "'---' begins a document",
		"...\n":                        "a line begins with '---' or '...'",
		"more: \"\n...\"\n":            "", // no YAML to some, and another document to others
		"more: a\rx: b\n":              "a character that only some readers take for a line break",
		"more: a # \u0085\n":           "a character that only some readers take for a line break",
		"more: a # \u2028\n":           "a character that only some readers take for a line break",
		"more: a # \u2029\n":           "a character that only some readers take for a line break",
		"more: 'a \ufeff'\n":           "a character that only some readers take for a line break",
		"more: \"a\\\r  b\"\n":         "a character that only some readers take for a line break",
		"more: &a 1\n":                 "an anchor or alias",
		"more: [&a x, *a]\n":           "an anchor or alias",
		"<<: {more: 1}\n":              "not all readers take '<<'",
		"more: =\n":                    "not all readers take '='",
		"more: !!str 1\n":              "the tag !!str",
		"more: !!map {a: b}\n":         "the tag !!map",
		"more: ! a\n":                  "the tag !",
		"more: [yes, 1]\n":             "not all readers take 'yes'",
		"on: 1\n":                      "not all readers take 'on'",
		"1: 1\n":                       "not all readers take '1'",
		"1.5: 1\n":                     "not all readers take '1.5'",
		"more: 1234567890123456789\n":  "not all readers take '1234567890123456789'",
		"more: 2026-01-01\n":           "not all readers take '2026-01-01'",
		"more: 2026-1-1 10:00:00 +1\n": "not all readers take '2026-1-1 10:00:00 +1'",
		"more: 1:30\n":                 "not all readers take '1:30'",
		"more: 'x'\t# why\n":           "a tab outside of block scalars",
		"more: {a: x,\tb: x}\n":        "a tab outside of block scalars",
		"more:\t|\n  a\tb\n":           "a tab outside of block scalars",
	} {
		answers, found := emit(sops+added, limits{})
		if found == nil || !strings.Contains(found.Message, why) {
			t.Errorf("%q: %d taken, %+v", added, len(answers), found)
		} else if found.Kind == notObject && !strings.HasPrefix(found.Message, "Secret db is encrypted, so it would stay as it is, but ") {
			t.Errorf("%q: %+v", added, found)
		}
	}
}

func TestTabsOfABlockScalarStay(t *testing.T) {
	for _, added := range []string{"more: |\n  all:\n  \tgo build\n", "more: \"a\\tb\"\n"} {
		if found := textOf(t, sops+added); found != sops+added {
			t.Errorf("%q is kept as %q", added, found)
		}
	}
}

func TestNumberThatSomeReaderTakesForNoneIsAmbiguous(t *testing.T) {
	for _, plain := range []string{
		"0644", "-0", "+1", "08", "0o17", "0O17", "0b1", "0B1", "0x1F", "0X1F", "+_1", "-_0x1", "0_x1", "0_b1", "1_000", "1e3", "1E-3", "1e_3", "1.", ".5", "-.5", "1.5e3",
		"1:30:00", "1:30.5", "~", "Null", "TRUE", "True", "y", "N", "off", "1.0000000000000000001", "123456789012345678901234567890",
	} {
		refusesObject(t, sops+"more: "+plain+"\n", fmt.Sprintf("not all readers take '%s' for the same without quotes", plain))
		for _, quoted := range []string{"'" + plain + "'", `"` + plain + `"`} {
			if found := textOf(t, sops+"more: "+quoted+"\n"); found != sops+"more: "+quoted+"\n" {
				t.Errorf("%s is kept as %q", quoted, found)
			}
		}
	}
	for _, plain := range []string{
		"1", "-17", "8080", "0", "1.5", "-0.25", "null", "true", "false", "text", "1.2.3", "1a", "v1", "10Gi", "0xZZ", "_1", "a_1", "-x", "1-2", "e5", "1.2.3-4",
		"registry.example.com/acme/shop:1.0", "2026-01", "-_", "+_", "._1x",
	} {
		if found := textOf(t, sops+"more: "+plain+"\n"); found != sops+"more: "+plain+"\n" {
			t.Errorf("%s is kept as %q", plain, found)
		}
	}
}

func TestStringInAnEncryptedObjectCannotLeaveItsPlace(t *testing.T) {
	for _, place := range []string{"'" + tok(0) + "'", `"` + tok(0) + `"`, tok(0), "[" + tok(0) + "]", "x # " + tok(0), "|-\n  " + tok(0)} {
		for _, evil := range []string{"b', c: 'd", `b", "c": "d`, "b\nc: d", "b, c: d", "b # c", "- b", "&b c", "*b", "!b c", "yes", "1", "b: c", "{b: c}", "b\\", "b: ", " b", "b ", "b\n", "'b", "%", "b\n---\nkind: Evil", "b\n...\n", "|", "\t"} {
			text := strings.Replace(sops, "stringData:", "more: "+place+"\nstringData:", 1)
			answers, why := emit(text, limits{}, evil)
			if why != nil {
				if why.Kind != notObject || !strings.Contains(why.Message, "is encrypted, so it would stay as it is, but ") {
					t.Errorf("%q in %q: %+v", evil, place, why)
				}
				continue
			}
			// It was taken: then what stays reads as the object with the string in its place.
			again, why := emit(answers[0].Text, limits{})
			if why != nil || string(again[0].Object) != string(answers[0].Object) {
				t.Errorf("%q in %q: %s, %+v", evil, place, answers[0].Text, why)
			}
			var more struct{ More any }
			if err := json.Unmarshal(answers[0].Object, &more); err != nil || !strings.Contains(place, "#") && !strings.Contains(fmt.Sprint(more.More), evil) {
				t.Errorf("%q in %q became %v", evil, place, more.More)
			}
		}
	}
}

func TestEncryptedObjectsInListsAreRefused(t *testing.T) {
	item := "- " + strings.TrimPrefix(strings.ReplaceAll(strings.TrimSuffix(sops, "\n"), "\n", "\n  "), "# made by sops  \n  ")
	refusesObject(t, "apiVersion: v1\nkind: List\nitems:\n"+item+"\n", "a list holds encrypted objects")
	refusesObject(t, "apiVersion: v1\nkind: SecretList\nitems:\n"+item+"\n", "a list holds encrypted objects")
	refusesObject(t, "apiVersion: v1\nkind: List\nitems: ["+object("Secret", "a")+"]\nsops: {mac: 'ENC[x]'}\n", "List is encrypted as a whole")
}

func TestOnlyTheMarkOfSOPSMakesAnObjectEncrypted(t *testing.T) {
	for _, mark := range []string{"sops: {mac: x}", "sops: {mac: [ENC]}", "sops: {mac: ~}", "sops: 'ENC[x]'", "sops: [{mac: 'ENC[x]'}]", "SOPS: {mac: 'ENC[x]'}", "x: {sops: {mac: 'ENC[x]'}}"} {
		if found := textOf(t, configMapOf+mark+"\n"); found != "" {
			t.Errorf("%s is kept as %q", mark, found)
		}
	}
	if found := textOf(t, configMapOf+"sops: {mac: 'ENC[x]'}\n"); found == "" {
		t.Error("no text is kept")
	}
}

func TestTextOfEncryptedObjectsCounts(t *testing.T) {
	size := len(sops)
	for limit, taken := range map[int]bool{size + size/2: false, 3 * size: true} {
		if _, why := emit(sops, limits{BytesOut: limit}); (why == nil) != taken || why != nil && why.Kind != overBudget {
			t.Errorf("%d: %+v", limit, why)
		}
	}
}
