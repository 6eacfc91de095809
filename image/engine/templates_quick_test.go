package main

import (
	"go/ast"
	"go/parser"
	gotoken "go/token"
	"go/types"
	"maps"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"helm.sh/helm/v4/pkg/chart/common"
)

// What is linked by its name alone is linked whatever it takes: these are the signatures of Helm's sources.
func TestLinkedFunctionsOfHelmTakeWhatTheyAreGiven(t *testing.T) {
	folder, err := exec.Command("go", "list", "-mod=mod", "-m", "-f", "{{.Dir}}", "helm.sh/helm/v4").Output()
	if err != nil {
		t.Skip("Helm's sources are not here: ", err)
	}
	found := map[string]string{}
	for _, name := range []string{"engine.go", "funcs.go"} {
		path := filepath.Join(strings.TrimSpace(string(folder)), "pkg", "engine", name)
		file, err := parser.ParseFile(gotoken.NewFileSet(), path, nil, parser.SkipObjectResolution)
		if err != nil {
			t.Fatal(err)
		}
		ast.Inspect(file, func(node ast.Node) bool {
			switch node := node.(type) {
			case *ast.FuncDecl:
				if node.Recv == nil {
					found[node.Name.Name] = types.ExprString(node.Type)
				}
			case *ast.TypeSpec:
				if fields, ok := node.Type.(*ast.StructType); ok {
					found[node.Name.Name] = fieldsOfStruct(fields)
				}
			}
			return true
		})
	}
	for name, wanted := range map[string]string{
		"allTemplates":  "func(c ci.Charter, vals common.Values) map[string]renderable",
		"sortTemplates": "func(tpls map[string]renderable) []string",
		"funcMap":       "func() template.FuncMap",
		"includeFun":    "func(t *template.Template, includedNames map[string]int) func(string, any) (string, error)",
		"tplFun":        "func(parent *template.Template, includedNames map[string]int, strict bool) func(string, any) (string, error)",
		"renderable":    "tpl string; vals common.Values; basePath string; ",
	} {
		if found[name] != wanted {
			t.Errorf("%s is %s, expected %s", name, found[name], wanted)
		}
	}
}

func fieldsOfStruct(of *ast.StructType) (all string) {
	for _, field := range of.Fields.List {
		for _, each := range field.Names {
			all += each.Name + " " + types.ExprString(field.Type) + "; "
		}
	}
	return all
}

func releaseOf(t *testing.T, files tree, values string) *release {
	t.Helper()
	s := newState()
	s.trees["t"] = files
	request := &helmRequest{Tree: "t", Folder: "web", Name: "web", Namespace: "shop", Kubernetes: "1.34", Values: values}
	out := &result{request: 1, budget: newBudget(limits{}), writer: &collector{}, state: s}
	loaded, err := s.chart("t", "web", out)
	if err != nil {
		t.Fatal(err)
	}
	made, err := newRelease(loaded, request, 1)
	if err != nil {
		t.Fatal(err)
	}
	return made
}

func (r *release) quickly(t *testing.T) (map[string]string, bool) {
	t.Helper()
	top, err := r.top()
	if err != nil {
		t.Fatal(err)
	}
	return r.loaded.renderQuickly(r.chart, top, newChance(noCall, r.loaded.drawn).functions())
}

func (r *release) slowly(t *testing.T) (map[string]string, error) {
	t.Helper()
	return r.renderByHelm(&rendering{release: r, chance: newChance(noCall, r.loaded.drawn), values: common.Values{}})
}

var helpers = `{{ define "web.name" }}{{ .Release.Name }}-{{ .Chart.Name }}{{ end }}{{ define "empty" }}{{ end }}`

func TestTemplatesThatWereParsedPrintWhatHelmPrints(t *testing.T) {
	for name, text := range map[string]string{
		"names":                `{{ include "web.name" . }} {{ template "web.name" . }} {{ .Template.Name }} {{ .Template.BasePath }}`,
		"nothing":              `{{ .Values.no }} {{ .Values.no | default "x" }} {{ dict "a" .Values.no }} {{ index .Values "no" }} <no value>`,
		"tpl":                  `{{ tpl .Values.text . }} {{ tpl .Values.plain . }} {{ tpl "" . }} {{ tpl " \n" . }} {{ tpl "<no value>" . }}`,
		"tpl in tpl":           `{{ tpl .Values.nested . }}`,
		"tpl that defines":     `{{ tpl "{{ define \"web.name\" }}inner{{ end }}{{ include \"web.name\" . }}" . }} {{ include "web.name" . }}`,
		"tpl of braces":        `{{ tpl "a } }} b {" . }}`,
		"files":                `{{ .Files.Get "a.txt" }} {{ range $p, $_ := .Files.Glob "*.txt" }}{{ $p }}{{ end }} {{ (.Files.Glob "*.txt").AsConfig }}`,
		"changed values":       `{{ $_ := set .Values "plain" "changed" }}{{ .Values.plain }}`,
		"an alias":             `{{ .Subcharts.other.Values.key }} {{ .Subcharts.other.Chart.Name }}`,
		"defined in a file":    `{{ define "late" }}late{{ end }}{{ include "late" . }}{{ include "empty" . }}`,
		"required":             `{{ required "give it" .Values.plain }}`,
		"YAML and JSON":        `{{ toYaml .Values }} {{ toJson .Chart }} {{ fromYaml "a: 1" }} {{ toToml .Values }}`,
		"capabilities":         `{{ .Capabilities.KubeVersion }} {{ .Capabilities.APIVersions.Has "v1" }} {{ lookup "v1" "Pod" "" "" }}`,
		"a host":               `{{ getHostByName "example.com" }}.`,
		"required and missing": `{{ required "give it" .Values.no }}`,
		"required and empty":   `{{ required "give it" "" }}`,
		"fail":                 `{{ $_ := set .Values "plain" "" }}{{ fail "on purpose" }}`,
		"a function":           `{{ nosuch }}`,
		"an include":           `{{ include "nosuch" . }}`,
		"a nil pointer":        `{{ .Values.no.deeper }}`,
		"tpl that is wrong":    `{{ tpl "{{" . }}`,
		"endless":              `{{ define "loop" }}{{ include "loop" . }}{{ end }}{{ include "loop" . }}`,
		"a panic":              `{{ index (list 1) 5 }}`,
		"left open":            `{{ if true }}`,
	} {
		t.Run(name, func(t *testing.T) {
			files := chartOf(
				"web/Chart.yaml", needing("[{name: s, version: 1.0.0, alias: other}]"), "web/a.txt", "hello\n",
				"web/values.yaml", "text: 'x{{ .Release.Name }}'\nplain: as it is\nnested: '{{ tpl .Values.text . }}{{ tpl .Values.plain . }}'\nother: {key: v}\n",
				"web/charts/s/Chart.yaml", chartS, "web/charts/s/templates/a.yaml", `{{ .Values.key }} {{ .Template.Name }}`,
				"web/templates/_helpers.tpl", helpers, "web/templates/a.yaml", text, "web/templates/b.yaml", `{{ .Values.plain }}`,
			)
			made := releaseOf(t, files, "{}")
			wanted, err := made.slowly(t)
			for range 2 { // the second time all is parsed
				printed, ok := made.quickly(t)
				if ok != (err == nil) || ok && !maps.Equal(printed, wanted) {
					t.Errorf("%v %q, expected %q %v", ok, printed, wanted, err)
				}
			}
		})
	}
}

// What Helm repeats, for its words, begins with the values as they were.
func TestWhatFailsIsToldAsHelmTellsIt(t *testing.T) {
	found := ask(chartOf("web/templates/a.yaml", `{{ if .Values.done }}`+printedMap("a", "b")+`{{ end }}{{ $_ := set .Values "done" true }}{{ fail "on purpose" }}`), web)
	if found.err == nil || !strings.Contains(found.err.Message, "on purpose") || found.err.File != "web/templates/a.yaml" {
		t.Errorf("%+v", found.err)
	}
}
