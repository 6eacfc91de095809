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
	if _, _, ok := readSimple("kind: A\n\n# b\nspec:\n- c: 'd'\n  e:\n    f: 1.5\n- |\n  g\n\n   h\n"); !ok {
		t.Error("not simple")
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

// Lines put together by chance: what is read simply is what is read.
func TestReadsSimplyWhatChanceIndents(t *testing.T) {
	lines := []string{
		"a: b", "b: 1", "c:", "d:", "- a", "- a: b", "- c:", "- - a", "- - a: 1", "-", "- ", "- |", "e: |", "f: |-", "text", "# x", "", "  ", "g: {}",
		"h: []", "- {}", "i: 'x y'", "j: \"x: y\"", "k: \"\\n\"", "- \"a\": b", "- 'a'", "- -x", "- --x=1", "l: a:b", "m: a #b", "n: x ", "o: a: b", "p: 0x1F", "q: 1.50",
		"r: 64Mi", "s: 10.0.0.1", "t: null", "u: True", "v: -1", "w: -", "x.y/z_1-a: 2001-01-01", "y: 1", "yes: 1", "1: a", "z:  a", "aa:a", "bb: a:", "cc: \"a\" b",
		"dd: 'it''s'", "ee: 1_000", "ff: 08", "gg: (a)", "hh: $a", "ii: a, b: c", "jj: [a", "kk: a]", "ll: 1e3", "mm: .5", "nn: >\n  a", "oo: |+", "a: c", "qq: {a: b, c: [d, 1]}", "rr: [a, 'b, c', \"d\"]",
		"ss: {a: }", "tt: [a,b]", "uu: [a, ]", "vv: {a: b, a: c}", "ww: [{}, []]", "xx: {a: b}x", "yy: [a: b]", "zz: {a, b}", "- [a, -1]", "- {a: 'b'}", "pp: \u00e9",
	}
	random := rand.New(rand.NewSource(2))
	simple := 0
	for range 100_000 {
		var text strings.Builder
		text.WriteString("a0: b\n")
		for range 1 + random.Intn(6) {
			text.WriteString(strings.Repeat(" ", []int{0, 0, 0, 1, 2, 2, 2, 4, 4, 6}[random.Intn(10)]) + lines[random.Intn(len(lines))] + "\n")
		}
		if _, _, ok := readSimple(text.String()); ok {
			simple++
		}
		checkQuick(t, text.String())
	}
	if simple < 2000 {
		t.Error("only ", simple)
	}
}

func FuzzReadsQuicklyWhatItReads(f *testing.F) {
	for _, text := range quickTexts {
		f.Add(text)
	}
	f.Fuzz(checkQuick)
}
