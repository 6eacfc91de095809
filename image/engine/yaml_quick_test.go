package main

import (
	"math/rand"
	"strings"
	"testing"
)

// What is read quickly is what readStream reads, at the same price.
func checkQuick(t *testing.T, text string) {
	t.Helper()
	data, _, nodes, ok := readPlain(text)
	if !ok {
		return
	}
	out := &result{budget: newBudget(limits{})}
	documents, err := readStream(text, "x", out, false)
	if err != nil {
		t.Fatalf("refused: %v\n%q", err, text)
	}
	if len(documents) != 1 || string(documents[0].json) != string(data) {
		t.Fatalf("%s\nread as %s\n%q", documents[0].json, data, text)
	}
	if documents[0].text != text || documents[0].line != 1 || out.budget.used.Nodes != nodes {
		t.Fatalf("%d nodes, not %d\n%q", out.budget.used.Nodes, nodes, text)
	}
}

var quickTexts = []string{
	"a: 1\nb: [x, 2.5, ~, null, true, 1e3, 0x10, 010, 12345678901234567890, 2001-01-01]\n", "{a: {b: c}}", "a: |\n  x\n  y\n",
	"a: >-\n  x\n\n  y\nb: \"\\u00e9\\n\"\nc: 'it''s'\n", "a:\n- b\n- - c\n", "? a\n: b\n", "a: yes\nb: no\n", "# only\n", "a: .inf\n",
	"1: a\n", "yes: a\n", "a: 1\na: 2\n", "a: &x 1\nb: *x\n", "a: 1\n...\nb: 2\n", "{\"a\":1}{\"b\":2}", "a: !!str 1\n", "<<: {a: 1}\n",
	"a: b\n c: d\n", "\ta: b\n", "[a]", "a", "", "a:\n  - b:\n    c\n", "a: b #c\n", "a: 'b\n  c'\n", "a: 1__0\nb: 1:30\nc: 0o7\n",
}

func TestReadsQuicklyWhatItReads(t *testing.T) {
	for _, text := range quickTexts {
		checkQuick(t, text)
	}
	for _, quick := range []string{printedMap("a", "b"), "a: 1\nb:\n- c: [d]\n"} {
		if _, _, _, ok := readPlain(quick); !ok {
			t.Errorf("not quick: %q", quick)
		}
	}
}

// Pieces of YAML, put together by chance: each text is read quickly as it is read, or not quickly.
func TestReadsQuicklyWhatChanceWrites(t *testing.T) {
	pieces := []string{
		"a", "b", "\"a\"", "'a'", "1", "2.5", "0x1F", "017", "1e3", "1_000", "1:30", "2001-01-01", "~", "null", "true", "yes", "on", "=", ".inf",
		": ", ":", "- ", "-", "? ", ", ", ",", "[", "]", "{", "}", "\n", "\nc: ", "\nd: ", "\ne:\n  ", "\n  ", "\n- ", "\n    ", " ", "\t", " #c", "#", "|\n", "|-\n", "|+\n",
		">\n", ">2-\n", "&x ", "*x", "!!str ", "!", "<<", "%A", "---", "...", "\\n", "\\", "\"", "'", "@", "`", "\u00e9", "\u0085", "\u2028", "\ufeff", "\r", "\x7f", "\x01",
	}
	random := rand.New(rand.NewSource(1))
	quick := 0
	for range 20_000 {
		var text strings.Builder
		text.WriteString([]string{"", "a: ", "a:\n  "}[random.Intn(3)])
		for range 1 + random.Intn(12) {
			text.WriteString(pieces[random.Intn(len(pieces))])
		}
		text.WriteByte('\n')
		if _, _, _, ok := readPlain(text.String()); ok {
			quick++
		}
		checkQuick(t, text.String())
	}
	if quick < 500 {
		t.Error("only ", quick)
	}
}

func FuzzReadsQuicklyWhatItReads(f *testing.F) {
	for _, text := range quickTexts {
		f.Add(text)
	}
	f.Fuzz(checkQuick)
}
