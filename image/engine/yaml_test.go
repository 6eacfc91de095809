package main

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"runtime"
	"strings"
	"testing"

	yaml3 "go.yaml.in/yaml/v3"
	kyaml "sigs.k8s.io/yaml"
)

// readAll reads a text within limits and returns the JSON of its documents, or why it is refused.
func readAll(text string, given limits) ([]string, *result, *failure) {
	out := &result{budget: newBudget(given)}
	documents, err := readStream(text, "a.yaml", out, false)
	if err != nil {
		return nil, out, asFailure(err)
	}
	found := []string{}
	for _, one := range documents {
		found = append(found, string(one.json))
	}
	return found, out, nil
}

func readsAs(t *testing.T, text string, documents ...string) {
	t.Helper()
	found, _, why := readAll(text, limits{})
	if why != nil {
		t.Errorf("%q is refused: %s", text, why.Message)
	} else if strings.Join(found, "\n") != strings.Join(documents, "\n") {
		t.Errorf("%q is read as %s\nnot as %s", text, found, documents)
	}
}

func refusedAt(t *testing.T, text, kind string, line int, words string) {
	t.Helper()
	found, _, why := readAll(text, limits{})
	if why == nil {
		t.Errorf("%q is read as %s", clip(text, 200), found)
	} else if why.Kind != kind || why.Line != line || why.File != "a.yaml" || !strings.Contains(why.Message, words) {
		t.Errorf("%q is refused at %s:%d: %s: %s", clip(text, 200), why.File, why.Line, why.Kind, why.Message)
	}
}

func TestDocumentsAreToldApartAndEmptyOnesLeftOut(t *testing.T) {
	for text, documents := range map[string][]string{
		"":                                {},
		"# only a comment\n":              {},
		" \n\t\r\n":                       {},
		"---\n---\n--- # nothing\n":       {},
		"---\na: b\n---\n~\n":             {`{"a":"b"}`, "null"},
		"a: b\n---\nc: d\n":               {`{"a":"b"}`, `{"c":"d"}`},
		"a: b\n...\n---\nc: d\n...\n# e":  {`{"a":"b"}`, `{"c":"d"}`},
		"{}\n---\n[]\n":                   {"{}", "[]"},
		"text":                            {`"text"`},
		"a: |\n  ---\n  b\n":              {`{"a":"---\nb\n"}`},
		"\ufeffa: b\n":                    {`{"a":"b"}`},
		"a: b\r\n---\r\nc: |\r\n  d\r\n":  {`{"a":"b"}`, `{"c":"d\n"}`},
		"a: b\rc: d\r":                    {`{"a":"b","c":"d"}`},
		"# comment\ra: b":                 {`{"a":"b"}`},
		"# comment\u2028a: b":             {`{"a":"b"}`},
		"%YAML 1.1\n---\na: b\n":          {`{"a":"b"}`},
		"# c\n%YAML 1.2 # d\n\n---\na: b": {`{"a":"b"}`},
		"{\"a\": 1,\n\t\"b\": [true]}\n":  {`{"a":1,"b":[true]}`},
	} {
		readsAs(t, text, documents...)
	}
}

func TestDocumentKnowsItsTextAndTheLineThatItBeginsOn(t *testing.T) {
	documents, err := readStream("# c\r\n---\r\na: b\r\n---\n\nc:\n  d: e\n", "", &result{budget: newBudget(limits{})}, false)
	if err != nil || len(documents) != 2 {
		t.Fatal(documents, err)
	}
	for at, expected := range []string{"3 a: b\r\n", "5 \nc:\n  d: e\n"} {
		if found := fmt.Sprintf("%d %s", documents[at].line, documents[at].text); found != expected {
			t.Errorf("%q, not %q", found, expected)
		}
	}
}

func TestWhatSomeReaderWouldDropIsRefused(t *testing.T) {
	for text, line := range map[string]int{
		"a: b\r---\rc: d\r":        2,
		"a: b\u2028---\u2028c: d":  2,
		"# b\n\r\n\r--- {}\r---\r": 5,
	} {
		refusedAt(t, text, notYAML, line, "content after the end of a document")
	}
	refusedAt(t, "a: b\n...\nc: d\n", notYAML, 3, "content after the end of a document, where only '---' may follow")
	refusedAt(t, "a: b\n# c\n...\n\n# d\nc: d\n", notYAML, 6, "content after the end of a document, where only '---' may follow")
	refusedAt(t, "a: b\n---\n\ufeffc: d\n", notYAML, 3, "byte order mark")
	refusedAt(t, "a: b\n---#c\nc: d", notYAML, 2, "'---' begins a document")
	refusedAt(t, "a: b\n--- c\n", notYAML, 2, "'---' begins a document")
	refusedAt(t, "a: b\n---c\n", notYAML, 2, "'---' begins a document")
	refusedAt(t, "a: |\n---- BEGIN\n", notYAML, 2, "'---' begins a document")
	refusedAt(t, `{"a":1}{"b":2}`, notYAML, 1, "content after the end of a document, where only '---' may follow")
	// Directives change what follows to some readers, and end a document to others.
	for _, text := range []string{
		"%TAG ! tag:example.com,2000:\n---\na: b\n", "%evil: true\n---\na: b\n", "%YAML 1.1\n", "%YAML 2.0\n---\na: b\n",
		"a: b\n---\n%YAML 1.1\n---\nc: d\n", "a: b\n---\n%c: d\n", "a: b\n---\n%c: d\n---\ne: f\n",
	} {
		if found, _, why := readAll(text, limits{}); why == nil {
			t.Errorf("%q is read as %s", text, found)
		}
	}
	// To YAML, a no-break space is no space, so what stands behind it is no comment.
	readsAs(t, "\u00a0# c\n---\na: b\n", "\"\u00a0# c\"", `{"a":"b"}`)
}

func TestValuesAreThoseOfKubernetesReader(t *testing.T) {
	for text, value := range map[string]string{
		"yes": "true", "Off": "false", "n": "false", "Null": "null", "~": "null", "": "null",
		"0644": "420", "0o17": "15", "0x1F": "31", "1_000": "1000", "08": "8", "1e3": "1000", "1.0": "1", ".5": "0.5",
		"1:30": `"1:30"`, "2026-01-01": `"2026-01-01"`, "1e400": `"1e400"`, "123456789012345678901234567890": "1.2345678901234568e+29",
		"18446744073709551615": "18446744073709551615", "'8080'": `"8080"`, "!!str 5": `"5"`, "!!int '5'": "5", "!!bool on": "true",
		"!!null ''": "null", "!!float 5": "5", "!!map {a: b}": `{"a":"b"}`, "!!seq [a]": `["a"]`, "&x b": `"b"`,
	} {
		readsAs(t, "a: "+text, `{"a":`+value+`}`)
	}
}

func TestMergeKeysAreThoseOfKubernetesReader(t *testing.T) {
	for text, value := range map[string]string{
		"{<<: [{a: 1, b: 1}, {b: 2, c: 2}], c: own}": `{"a":1,"b":1,"c":"own"}`,
		"{<<: {a: 1}, a: own}":                       `{"a":"own"}`,
		"{a: own, <<: {a: 1}}":                       `{"a":1}`, // later is stronger, here
		"{'<<': {a: 1}}":                             `{"\u003c\u003c":{"a":1}}`,
		"{<<: {a: {b: 1}}, a: {c: 2}}":               `{"a":{"c":2}}`,
		"{<<: {}, <<: {a: 1}}":                       `{"a":1}`,
	} {
		readsAs(t, text, value)
	}
	for _, value := range []string{"x", "[x]", "[{a: b}, x]", "~", "[[{a: b}]]", "&y [{a: b}]\nz: {<<: *y}"} {
		line := 2 + strings.Count(value, "\n")
		if strings.HasPrefix(value, "&y") {
			refusedAt(t, "a: b\nx: "+value+"\n", notYAML, line, "<< takes a mapping or a list of mappings")
		} else {
			refusedAt(t, "a: b\n<<: "+value+"\nc: d\n", notYAML, line, "<< takes a mapping or a list of mappings")
		}
	}
}

func TestWhatIsNoYAMLIsRefusedWhereItIs(t *testing.T) {
	for text, place := range map[string]struct {
		line  int
		words string
	}{
		"a: b: c\n":                   {1, "mapping values are not allowed in this context"},
		"a: b\nc: d: e\n":             {2, "mapping values are not allowed in this context"},
		"a: 1\nb: [1\n":               {3, "did not find expected ',' or ']'"},
		"a: 1\nb:\n- c\n- d: e\n f\n": {5, "did not find expected key"},
		"a:\n  b: 1\n c: 2\n":         {3, "did not find expected key"},
		"a: !x!y 1\n":                 {1, "found undefined tag handle"},
		"a:\n\t- b\n":                 {2, "found character that cannot start any token"},
		"a: b\n---\na: b: c":          {3, "mapping values are not allowed in this context"},
		"a: b\nc: \x00\n":             {2, "control characters are not allowed"},
		"a: b\nc: \x1b\n":             {2, "control characters are not allowed"},
		"a: \uffff":                   {1, "control characters are not allowed"},
		"a: b\nc: *x\nd: *x":          {2, "unknown anchor 'x' referenced"},
		"a: &x b\n---\nc: *x":         {3, "unknown anchor 'x' referenced"},
		"a: &x [*x]\n":                {1, "the alias *x contains itself"},
		"a: &x {b: [*x]}":             {1, "the alias *x contains itself"},
		"? [a]\n: b\n":                {1, "a key must be a string"},
		"a: 1\n? {a: b}\n":            {2, "a key must be a string"},
		"a: 1\n? &x [a]\n":            {2, "a key must be a string"},
		"{{ .Values.a }}\n":           {1, "a key must be a string"},
		"a: 1\n~: b\n":                {2, "the key '~' is no string"},
		"a: 1\nnull: b\n":             {2, "the key 'null' is no string"},
		"a: 1\n? \n: b\n":             {2, "the key '' is no string"},
		"a: 1\n: b\n":                 {2, "did not find expected key"},
		"9999999999999999999: b":      {1, "the key '9999999999999999999' is no string"},
		"a: 1\nb: .inf\n":             {2, "infinity"},
		"a: 1\nb: [-.Inf]\n":          {2, "infinity"},
		"a: 1\nb: .NaN\n":             {2, "infinity"},
		"a: 1\nb: !!int x\n":          {2, "cannot decode !!str `x` as a !!int"},
	} {
		refusedAt(t, text, notYAML, place.line, place.words)
	}
	refusedAt(t, "a: \xff", notYAML, 0, "not UTF-8 text")
}

func TestTagsBeyondThoseOfJSONAreRefused(t *testing.T) {
	for _, tag := range []string{"!!binary aGk=", "!!set {a}", "!!timestamp 2026-01-01", "!!python/object:os.system [ls]", "!vault x", "!<x> y", "! 5", "!\n  5", "! [a]", "! {a: b}", "!", "&x ! 5", "!!merge x"} {
		for _, text := range []string{"a: b\nc: " + tag, "a: b\nc: [d, " + tag + " ]", "a: b\nc: [" + tag + " ]", "a: b\r\nc: " + tag + "\r\n", "a: \"! \u2028\"\nc: {d: " + tag + "\n}\n"} {
			name := strings.Fields(strings.TrimPrefix(tag, "&x "))[0]
			if found := strings.TrimPrefix(name, "!<"); found != name {
				name = strings.TrimSuffix(found, ">")
			}
			line := 2
			if strings.Contains(text, "\u2028") {
				line = 3
			}
			refusedAt(t, text, notYAML, line, "the tag "+name+" is not allowed")
		}
	}
	for _, key := range []string{"!!int 1", "!!int '1'", "!!bool yes", "!!float 1", "! 1", "! '<<'", "!!null ''"} {
		refusedAt(t, "a: b\n"+key+": c\n", notYAML, 2, "is not allowed")
	}
	readsAs(t, "!!str 1: a! b!\n", `{"1":"a! b!"}`)
	readsAs(t, "a: what! ! no\nb: \"!\"\nc: '! x'\n# ! comment\nd: [e !, f]\n", `{"a":"what! ! no","b":"!","c":"! x","d":["e !","f"]}`)
}

// The spellings of keys that are one key in JSON, and the key.
var spellings = map[string][]string{
	"1":    {"1", "'1'", `"1"`, "0x1", "1.0", "+1", "0b1", "01", "1.00000001", "1_", "*one", "!!str 1", "? |-\n      1\n"},
	"true": {"true", "yes", "On", "'true'", "*yes"},
	".inf": {".inf", "+.INF", "'.inf'"},
	"a b":  {"a b", "'a b'", "a\n  b", "*ab"},
	"1 2":  {"1 2", "'1 2'", "1\n  2"},
	"---":  {"---", "'---'"},
	"<<":   {"'<<'", `"<<"`, "*merge"},
}

const anchors = "anchors: [&one 1, &yes yes, &ab 'a b', &merge <<]\n"

func entry(key, value string) string {
	if strings.HasPrefix(key, "? ") {
		return "  " + key + "  : " + value + "\n"
	}
	return "  ? " + strings.ReplaceAll(key, "\n", "\n  ") + "\n  : " + value + "\n"
}

func TestKeysThatBecomeOneAreRefusedInEverySpelling(t *testing.T) {
	for key, all := range spellings {
		quoted, _ := json.Marshal(key)
		for _, one := range all {
			alone := anchors + "b:\n" + entry(one, "v")
			if found, _, why := readAll(alone, limits{}); why != nil || !strings.Contains(found[0], `"b":{`+strings.ReplaceAll(string(quoted), "<", `\u003c`)+`:"v"}`) {
				t.Errorf("%q: %s %v", alone, found, why)
			}
			for _, other := range all {
				refusedAt(t, anchors+"kind: Service\nmetadata: {name: web}\nb:\n"+entry(one, "v")+entry(other, "w"), notYAML,
					4+strings.Count(entry(one, "v"), "\n")+1, "Service web: the key 'b."+dotted([]any{key})+"' is set twice")
			}
		}
	}
}

// A mapping may set what it merges; but not where the two are one key only in JSON, since Go's order of a map decides then.
func TestNoKeyIsLeftToChanceByAMerge(t *testing.T) {
	seen := map[bool]int{}
	for key, all := range spellings {
		for _, one := range all {
			for _, other := range all {
				for _, text := range []string{
					anchors + "base: &base\n" + entry(one, "v") + "b:\n  <<: *base\n" + entry(other, "w"),
					anchors + "base: &base\n" + entry(one, "v") + "more: &more\n" + entry(other, "w") + "b:\n  <<: [*base, *more]\n",
					anchors + "base: &base\n" + entry(one, "v") + "more: &more\n  <<: *base\nb:\n  <<: *more\n" + entry(other, "w"),
				} {
					_, _, why := readAll(text, limits{})
					seen[why == nil]++
					if why != nil {
						if why.Kind != notYAML || !strings.Contains(why.Message, "is set twice, with and without quotes or in two spellings") {
							t.Errorf("%q: %s", text, why.Message)
						}
						continue
					}
					for range 20 {
						again, err := kyaml.YAMLToJSON([]byte(text))
						if first, _, _ := readAll(text, limits{}); err != nil || string(again) != first[0] {
							t.Fatalf("%s: %q is read as %s and as %s", key, text, first[0], again)
						}
					}
				}
			}
		}
	}
	if seen[true] == 0 || seen[false] == 0 {
		t.Errorf("%d read, %d refused", seen[true], seen[false])
	}
}

func TestLastOfEqualKeysCountsWhereHelmTakesItSo(t *testing.T) {
	out := &result{budget: newBudget(limits{})}
	documents, err := readStream("a: 1\nb: {c: 1, c: 2}\na: 3\n", "values.yaml", out, true)
	if err != nil || string(documents[0].json) != `{"a":3,"b":{"c":2}}` {
		t.Fatal(documents, err)
	}
	expected := []warning{
		{Message: "the key 'b.c' is set twice, the last one counts", File: "values.yaml", Line: 2},
		{Message: "the key 'a' is set twice, the last one counts", File: "values.yaml", Line: 3},
	}
	if fmt.Sprint(out.warnings) != fmt.Sprint(expected) {
		t.Errorf("%v", out.warnings)
	}
	if _, err := readStream("1: a\n'1': b\n", "", &result{budget: newBudget(limits{})}, true); err == nil {
		t.Error("a key that chance decides on is taken")
	}
}

func TestWarningsOfEqualKeysAreBounded(t *testing.T) {
	out := &result{budget: newBudget(limits{})}
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	text := "? " + strings.Repeat("x", 100_000) + "\n: {" + strings.Repeat("a: 1, ", 20_000) + "}"
	if _, err := readStream(text, "", out, true); err != nil {
		t.Fatal(err)
	}
	runtime.ReadMemStats(&after)
	if used := after.TotalAlloc - before.TotalAlloc; used > 500<<20 {
		t.Errorf("%d bytes of memory", used)
	}
	shown := bounded(out.warnings)
	if last := shown[len(shown)-1].Message; last != "and 19949 more warnings" {
		t.Errorf("%d warnings, the last one is %q", len(shown), last)
	}
	size := 0
	for _, one := range shown {
		size += len(one.Message)
	}
	if size > 100_000 {
		t.Errorf("%d bytes of warnings", size)
	}
}

func TestErrorsAboutHugeThingsAreShort(t *testing.T) {
	huge := strings.Repeat("x", 1_000_000)
	for _, text := range []string{
		"a: !" + huge + " 1", huge + ": 1\n" + huge + ": 2", "? !!int " + huge + "\n: 1", "kind: " + huge + "\na: 1\na: 2", "? [" + huge + "]\n: 1",
		"a: *" + huge, "a: &" + huge + " [*" + huge + "]", "--- " + huge, "1" + strings.Repeat("0", 1_000_000) + "x: {? [a]\n}",
	} {
		_, _, why := readAll(text, limits{})
		if why == nil || len(why.Message)+len(why.Hint) > 10_000 {
			t.Errorf("%s: %v", clip(text, 20), why)
		}
	}
}

func TestNestingHasALimit(t *testing.T) {
	deepest := strings.Repeat("[", maxDepth) + "1" + strings.Repeat("]", maxDepth)
	readsAs(t, deepest, deepest)
	readsAs(t, "[&a [[1]], "+strings.Repeat("[", maxDepth-3)+"*a"+strings.Repeat("]", maxDepth-3)+"]",
		"[[[1]],"+strings.Repeat("[", maxDepth-1)+"1"+strings.Repeat("]", maxDepth-1)+"]")
	refusedAt(t, "[&a [[1]], "+strings.Repeat("[", maxDepth-2)+"*a"+strings.Repeat("]", maxDepth-2)+"]", overBudget, 1, "nested deeper")
	refusedAt(t, "["+deepest+"]", overBudget, 1, "nested deeper")
	for _, text := range []string{
		strings.Repeat("[", 100_000), strings.Repeat("{a: ", 100_000), strings.Repeat("- ", 100_000), strings.Repeat("? ", 100_000),
	} {
		refusedAt(t, text, overBudget, 1, "nested deeper than 100 levels")
	}
	for _, levels := range []int{maxDepth + 3, 700, 20_000} {
		var lines strings.Builder
		lines.WriteString("- &a0 [x]\n")
		for level := 1; level < levels; level++ {
			fmt.Fprintf(&lines, "- &a%d [*a%d]\n", level, level-1)
		}
		refusedAt(t, lines.String(), overBudget, maxDepth, "nested deeper than 100 levels")
	}
}

func bomb(levels, width int, each string) string {
	var text strings.Builder
	fmt.Fprintf(&text, "a0: &a0 [%s]\n", strings.TrimSuffix(strings.Repeat(each+", ", width), ", "))
	for level := 1; level <= levels; level++ {
		aliases := strings.Repeat(fmt.Sprintf("*a%d, ", level-1), width)
		fmt.Fprintf(&text, "a%d: &a%d [%s]\n", level, level, strings.TrimSuffix(aliases, ", "))
	}
	return text.String()
}

func TestWhatAliasesMultiplyIsCountedBeforeItIsDone(t *testing.T) {
	given := limits{Nodes: 100_000, BytesOut: 1 << 20}
	merges := "a0: &a0 {x: 1}\n"
	for level := 1; level < 10; level++ {
		merges += fmt.Sprintf("a%d: &a%d {k: {<<: [%s]}}\n", level, level, strings.TrimSuffix(strings.Repeat(fmt.Sprintf("*a%d, ", level-1), 12), ", "))
	}
	long := "'" + strings.Repeat("x", 2000) + "'"
	for name, one := range map[string]struct {
		text  string
		line  int
		words string
	}{
		"nodes":                   {bomb(30, 10, "x"), 5, "more than 100000 nodes of YAML, once its aliases are followed"},
		"merged":                  {merges, 6, "more than 100000 nodes of YAML, once its aliases are followed"},
		"long text":               {"a: &a " + long + "\nb: [" + strings.Repeat("*a, ", 600) + "]\n", 2, "more than 1048576 bytes of YAML, once its aliases are followed"},
		"long key":                {"a: &a " + long + "\nb: [" + strings.Repeat("{*a : 1}, ", 600) + "]\n", 2, "more than 1048576 bytes of YAML"},
		"escaped in JSON":         {"a: &a '" + strings.Repeat("<", 2000) + "'\nb: [" + strings.Repeat("*a, ", 100) + "]\n", 2, "more than 1048576 bytes of YAML"},
		"many documents":          {strings.Repeat("a: &a "+long+"\nb: ["+strings.Repeat("*a, ", 60)+"]\n---\n", 20), 25, "more than 1048576 bytes of YAML"},
		"nodes of many documents": {strings.Repeat("a: ["+strings.Repeat("0,", 5000)+"]\n---\n", 30), 39, "more than 100000 nodes of YAML"},
	} {
		_, _, why := readAll(one.text, given)
		if why == nil || why.Kind != overBudget || why.Line != one.line || !strings.Contains(why.Message, one.words) {
			t.Errorf("%s: %+v", name, why)
		}
	}
	// go-yaml has a guard of its own, which no limit of ours lifts
	if _, _, why := readAll(bomb(6, 10, "x"), limits{}); why == nil || why.Kind != overBudget || !strings.Contains(why.Message, "aliases multiply") {
		t.Errorf("%v", why)
	}
}

func TestBytesAndNodesOfAllTextsOfARequestCount(t *testing.T) {
	out := &result{budget: newBudget(limits{BytesIn: 100, Nodes: 20})}
	for range 3 {
		if _, err := readStream("a: [b, c]\n", "", out, false); err != nil {
			t.Fatal(err)
		}
	}
	if out.budget.used.BytesIn != 30 || out.budget.used.Nodes != 15 {
		t.Errorf("%+v", out.budget.used)
	}
	for _, one := range []struct{ text, words string }{
		{"a: [b, c, d]\n", "more than 20 nodes"},
		{"#" + strings.Repeat(" ", 100), "more than 100 bytes of YAML"},
	} {
		if _, err := readStream(one.text, "b.yaml", out, false); err == nil || !strings.Contains(err.Error(), one.words) {
			t.Errorf("%q: %v", one.text, err)
		}
	}
}

// sizeInJSON may count too much, and never too little by more than what separates items.
func TestSizeInJSONIsAtLeastTheSize(t *testing.T) {
	for _, text := range []string{"", "a", "é", "\u2028\u2029", "<>&", "\"\\", "\x00\x1f\n", "\U0001f600", "\ufffd"} {
		data, err := json.Marshal(text)
		if err != nil || sizeInJSON(text) < len(data) {
			t.Errorf("%q: %d, and it has %d", text, sizeInJSON(text), len(data))
		}
	}
}

func FuzzAnyText(f *testing.F) {
	for _, text := range []string{
		"a: &x {b: [1, 'c']}\n<<: *x\n", "? |\n  a\n: >-\n b\n", "- - !!str 1\n- \"\\u00e9\"\n", "%YAML 1.1\n---\n{a: [b, c]}\n", "a: ! b\n", "a\r\n: b\u2028",
		anchors + "b: {*one : 1}\n", "1: a\n0x1: b\n", "a: b # c\n\t\n", "---\n...\n",
	} {
		f.Add(text)
	}
	f.Fuzz(checkAnyText)
}

// checkAnyText holds what is read by go-yaml v2, and becomes JSON, against the nodes of go-yaml v3, on which the checks are
// made: if they were not the same, then something else would be checked than what counts.
func checkAnyText(t *testing.T, text string) {
	t.Helper()
	out := &result{budget: newBudget(limits{Nodes: 10_000, BytesOut: 1 << 20})}
	documents, err := readStream(text, "", out, false)
	if err != nil {
		return
	}
	for _, one := range documents {
		again, err := kyaml.YAMLToJSON([]byte(one.text))
		if err != nil || string(again) != string(one.json) {
			t.Fatalf("%q is read as %s and as %s", text, one.json, again)
		}
		var read any
		if err := json.Unmarshal(one.json, &read); err != nil {
			t.Fatal(err)
		}
		if why := differsFrom(one.node, read); why != "" {
			t.Fatalf("%q: %s", text, why)
		}
	}
}

func differsFrom(node *yaml3.Node, read any) string {
	switch node = resolved(node); node.Kind {
	case yaml3.MappingNode:
		return mappingDiffers(node, read)
	case yaml3.SequenceNode:
		list, ok := read.([]any)
		if !ok || len(list) != len(node.Content) {
			return fmt.Sprintf("%v is no list of %d", read, len(node.Content))
		}
		for at, item := range node.Content {
			if why := differsFrom(item, list[at]); why != "" {
				return why
			}
		}
	case yaml3.ScalarNode:
		switch read := read.(type) {
		case string:
			if read != node.Value {
				return fmt.Sprintf("%q is %q", node.Value, read)
			}
		case map[string]any, []any:
			return fmt.Sprintf("%q is %v", node.Value, read)
		default:
			if node.Style&quotedStyle != 0 && node.Style&yaml3.TaggedStyle == 0 {
				return fmt.Sprintf("%q in quotes is %v", node.Value, read)
			}
		}
	}
	return ""
}

func mappingDiffers(node *yaml3.Node, read any) string {
	fields, ok := read.(map[string]any)
	if !ok {
		return fmt.Sprintf("%v is no mapping", read)
	}
	merges := false
	for at := 0; at < len(node.Content); at += 2 {
		if isMerge(node.Content[at]) {
			merges = true
			continue
		}
		name, _, err := (&nodeCheck{}).key(node.Content[at])
		if err != nil {
			return err.Error()
		}
		value, ok := fields[name]
		if !ok {
			return fmt.Sprintf("no key %q in %v", name, read)
		}
		if !merges && !hasMerge(node) {
			if why := differsFrom(node.Content[at+1], value); why != "" {
				return why
			}
		}
	}
	if !merges && len(fields) != len(node.Content)/2 {
		return fmt.Sprintf("%v has not %d keys", read, len(node.Content)/2)
	}
	return ""
}

func hasMerge(node *yaml3.Node) bool {
	for at := 0; at < len(node.Content); at += 2 {
		if isMerge(node.Content[at]) {
			return true
		}
	}
	return false
}

var pieces = []string{
	"a", "b", "1", "'1'", "\"1\"", "yes", "true", "null", "~", "0x1", "1.0", "1e3", "<<", "'<<'", "*x", "&x ", "!!str ", "!!int ", "! ", "!foo ",
	": ", ":", ":\n", "\n", "\n", "\n  ", "\n    ", "- ", "-", "? ", "{", "}", "[", "]", ", ", ",", "# c", " # c\n", "#", "|\n", "|-\n ", ">\n  ",
	">+\n", "'", "\"", "\t", " ", "  ", "\r", "\r\n", "\u0085", "\u2028", "\u2029", "\ufeff", "...\n", "---\n", "--- ", "%YAML 1.1\n", "%x\n", "\\n",
	"\\\n", "@", "`", "=", "k: v\n", "- v\n", "  k: v\n", "\u00a0", "''", "\"\"", "x: &x {a: 1}\n", "<<: *x\n", "<<: {b: 1}\n", "2\n\n 2", "\ue0001\ue001",
}

func TestTextsOfPiecesOfYAML(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	for range 30_000 {
		var text strings.Builder
		for range 1 + random.IntN(14) {
			text.WriteString(pieces[random.IntN(len(pieces))])
		}
		checkAnyText(t, text.String())
	}
}
