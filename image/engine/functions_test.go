package main

import (
	"go/ast"
	"go/parser"
	gotoken "go/token"
	"maps"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// Functions that give the same for the same arguments in every process.
var stableFunctions = strings.Fields(`
	hello date_modify dateModify duration must_date_modify mustDateModify mustToDate toDate unixEpoch

	abbrev abbrevboth trunc trim upper lower title untitle substr repeat trimall trimAll trimSuffix trimPrefix nospace
	initials swapcase snakecase camelcase kebabcase wrap wrapWith contains hasPrefix hasSuffix quote squote cat indent nindent
	replace plural sha1sum sha256sum sha512sum adler32sum toString

	atoi int64 int float64 seq toDecimal split splitList splitn toStrings until untilStep add1 add sub div mod mul add1f addf
	subf divf mulf biggest max min maxf minf ceil floor round join

	default empty coalesce all any compact mustCompact fromJson toJson toPrettyJson toRawJson mustFromJson mustToJson
	mustToPrettyJson mustToRawJson ternary deepCopy mustDeepCopy typeOf typeIs typeIsLike kindOf kindIs deepEqual

	base dir clean ext isAbs osBase osClean osDir osExt osIsAbs b64enc b64dec b32enc b32dec

	tuple list dict get hasKey pluck pick omit append push mustAppend mustPush prepend mustPrepend first mustFirst rest
	mustRest last mustLast initial mustInitial reverse mustReverse uniq mustUniq without mustWithout has mustHas slice
	mustSlice concat dig chunk mustChunk

	derivePassword buildCustomCert decryptAES semver semverCompare fail

	regexMatch mustRegexMatch regexFindAll mustRegexFindAll regexFind mustRegexFind regexReplaceAll mustRegexReplaceAll
	regexReplaceAllLiteral mustRegexReplaceAllLiteral regexSplit mustRegexSplit regexQuoteMeta urlParse urlJoin

	toToml mustToToml fromToml toYaml mustToYaml toYamlPretty fromYaml fromYamlArray fromJsonArray mustToDuration
	durationSeconds durationMilliseconds durationMicroseconds durationNanoseconds durationMinutes durationHours durationDays
	durationWeeks durationRoundTo durationTruncateTo include tpl required
`)

// Functions that Helm takes away, or that find nothing without a network.
var absentFunctions = []string{"env", "expandenv", "getHostByName"}

func TestKnowsAllFunctionsOfTemplates(t *testing.T) {
	replaced := newChance(noCall, results{}).functions()
	for name := range sprigFunctions {
		if _, ok := replaced[name]; !ok && !slices.Contains(stableFunctions, name) && !slices.Contains(absentFunctions, name) {
			t.Errorf("sprig's '%s' is not known: does it give the same each time?", name)
		}
	}
	for _, name := range helmFunctions(t) {
		if _, ok := replaced[name]; !ok && !slices.Contains(stableFunctions, name) && !slices.Contains(absentFunctions, name) {
			t.Errorf("Helm's '%s' is not known: does it give the same each time?", name)
		}
	}
	for name := range replaced {
		if slices.Contains(stableFunctions, name) {
			t.Errorf("'%s' is replaced", name)
		}
	}
}

// helmFunctions returns the keys of the maps of functions in Helm's sources, which no package tells.
func helmFunctions(t *testing.T) []string {
	t.Helper()
	folder, err := exec.Command("go", "list", "-mod=mod", "-m", "-f", "{{.Dir}}", "helm.sh/helm/v4").Output()
	if err != nil {
		t.Skip("Helm's sources are not here: ", err)
	}
	sources := filepath.Join(strings.TrimSpace(string(folder)), "pkg", "engine")
	found := map[string]bool{}
	for _, name := range []string{"funcs.go", "engine.go", "lookup_func.go"} {
		file, err := parser.ParseFile(gotoken.NewFileSet(), filepath.Join(sources, name), nil, parser.SkipObjectResolution)
		if err != nil {
			t.Fatal(err)
		}
		ast.Inspect(file, func(node ast.Node) bool {
			addFunctionName(found, node)
			return true
		})
	}
	if len(found) < 25 {
		t.Errorf("only %v", found)
	}
	return slices.Sorted(maps.Keys(found))
}

// addFunctionName knows template.FuncMap{"name": ...} and funcMap["name"] = ...
func addFunctionName(found map[string]bool, node ast.Node) {
	add := func(expression ast.Expr) {
		if literal, ok := expression.(*ast.BasicLit); ok && literal.Kind == gotoken.STRING {
			if name, err := strconv.Unquote(literal.Value); err == nil {
				found[name] = true
			}
		}
	}
	switch node := node.(type) {
	case *ast.CompositeLit:
		if kind, ok := node.Type.(*ast.SelectorExpr); ok && kind.Sel.Name == "FuncMap" {
			for _, element := range node.Elts {
				add(element.(*ast.KeyValueExpr).Key)
			}
		}
	case *ast.IndexExpr:
		if of, ok := node.X.(*ast.Ident); ok && of.Name == "funcMap" {
			add(node.Index)
		}
	}
}
