//go:build !reader

package main

import (
	"bytes"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strings"
	"time"

	"helm.sh/helm/v4/pkg/chart/loader/archive"
	chart "helm.sh/helm/v4/pkg/chart/v2"
	"helm.sh/helm/v4/pkg/chart/v2/util"
	"helm.sh/helm/v4/pkg/ignore"
)

const (
	localPrefix    = "file://"
	maxLocalCharts = 100
)

// folder loads a chart from a folder of the tree, with the charts that it takes by file://. Helm would package those into
// charts/ first ('helm dependency build').
func (l *chartLoader) folder(folder string, depth int) (*chart.Chart, error) {
	files, err := chartFiles(l.files, folder)
	if err != nil {
		return nil, err
	}
	loaded, err := l.load(files, folder, depth)
	if err != nil {
		return nil, err
	}
	return loaded, l.addLocal(loaded, folder, depth)
}

// chartFiles returns the files of a folder as Helm's LoadDir does: in the order of a walk, without what .helmignore
// names and without byte order marks.
func chartFiles(files tree, folder string) ([]*archive.BufferedFile, error) {
	rules := ignore.Empty()
	if text, ok := files[path.Join(folder, ignore.HelmIgnore)]; ok {
		parsed, err := ignore.Parse(bytes.NewReader(text))
		if err != nil {
			return nil, &failure{Kind: notRendered, Message: "Helm: " + err.Error(), File: path.Join(folder, ignore.HelmIgnore)}
		}
		rules = parsed
	}
	rules.AddDefaults()
	prefix := ""
	if folder != "" {
		prefix = folder + "/"
	}
	var found []*archive.BufferedFile
	for name, data := range files {
		if inner, ok := strings.CutPrefix(name, prefix); ok && !ignores(rules, inner) {
			data = bytes.TrimPrefix(data, []byte("\ufeff"))
			found = append(found, &archive.BufferedFile{Name: inner, Data: data})
		}
	}
	slices.SortFunc(found, func(a, b *archive.BufferedFile) int { return strings.Compare(walked(a.Name), walked(b.Name)) })
	return found, nil
}

// walked sorts as a walk of folders visits files: "a/b" before "a-b".
func walked(name string) string { return strings.ReplaceAll(name, "/", "\x00") }

// ignores says whether a file, or a folder that it is in, is ignored.
func ignores(rules *ignore.Rules, name string) bool {
	for at, character := range name {
		if character == '/' && rules.Ignore(name[:at], isFolder(true)) {
			return true
		}
	}
	return rules.Ignore(name, isFolder(false))
}

// isFolder is all that the rules of .helmignore want to know of a file.
type isFolder bool

func (f isFolder) IsDir() bool        { return bool(f) }
func (f isFolder) Name() string       { return "" }
func (f isFolder) Size() int64        { return 0 }
func (f isFolder) Mode() fs.FileMode  { return 0 }
func (f isFolder) ModTime() time.Time { return time.Time{} }
func (f isFolder) Sys() any           { return nil }

// addLocal adds the charts that a chart takes by file://, unless charts/ has them. Any other that charts/ lacks is an
// error: nothing is fetched.
func (l *chartLoader) addLocal(parent *chart.Chart, folder string, depth int) error {
	vendored := map[string]bool{}
	for _, sub := range parent.Dependencies() {
		vendored[sub.Name()] = true
	}
	local := map[string]*chart.Chart{} // by folder: several aliases may take the same chart
	for _, dependency := range parent.Metadata.Dependencies {
		if vendored[dependency.Name] {
			continue
		}
		target, err := localFolder(folder, dependency)
		if err != nil {
			return err
		}
		if _, ok := local[target]; !ok {
			if local[target], err = l.localChart(target, folder, dependency, depth); err != nil {
				return err
			}
			parent.AddDependency(local[target])
		}
		if err := l.checkLocal(dependency, local[target], parent, folder); err != nil {
			return err
		}
	}
	return nil
}

func (l *chartLoader) localChart(target, folder string, dependency *chart.Dependency, depth int) (*chart.Chart, error) {
	if _, ok := l.files[path.Join(target, "Chart.yaml")]; !ok {
		return nil, missing(folder, dependency)
	}
	if l.local++; l.local > maxLocalCharts {
		return nil, &failure{
			Kind: overBudget, Message: fmt.Sprintf("more than %d charts by file://", maxLocalCharts), File: path.Join(folder, "Chart.yaml"),
		}
	}
	return l.folder(target, depth+1)
}

// localFolder returns the folder in the tree that a dependency names.
func localFolder(folder string, dependency *chart.Dependency) (string, error) {
	inner, ok := strings.CutPrefix(dependency.Repository, localPrefix)
	if !ok {
		return "", missing(folder, dependency)
	}
	target := path.Join(folder, inner)
	if path.IsAbs(inner) || target == "." || target == "" || target == ".." || strings.HasPrefix(target, "../") {
		return "", &failure{
			Kind: notSafe, Message: fmt.Sprintf("the dependency %s leaves the folder that may be read", clip(dependency.Repository, 300)),
			File: path.Join(folder, "Chart.yaml"), Hint: "put the chart into charts/ of this one",
		}
	}
	return target, nil
}

func missing(folder string, dependency *chart.Dependency) error {
	origin := ""
	if dependency.Repository != "" {
		origin = fmt.Sprintf(" (from %s)", clip(dependency.Repository, 300))
	}
	return &failure{
		Kind: notRendered, Message: fmt.Sprintf("the dependency '%s'%s is not in charts/", clip(dependency.Name, 300), origin),
		File: path.Join(folder, "Chart.yaml"),
		Hint: "hydration reads no network: run 'helm dependency build' and commit charts/; of an app's own config a " +
			"hand-off fetches what Chart.lock names",
	}
}

// checkLocal makes sure that Helm, which looks for a dependency by its name and version, finds the chart that is meant.
func (l *chartLoader) checkLocal(dependency *chart.Dependency, meant, parent *chart.Chart, folder string) error {
	problem, hint := "", ""
	switch first := findDependency(parent, dependency); {
	case meant.Name() != dependency.Name:
		problem, hint = fmt.Sprintf("is a chart called '%s'", meant.Name()), "write that name"
	case dependency.Version == "" || first == meant:
		return nil
	case first == nil:
		problem, hint = fmt.Sprintf("is version %s, not %s", meant.Metadata.Version, dependency.Version), "change one of the two versions"
	default:
		problem = fmt.Sprintf("has a version that the chart of that name in %s fits, too", l.folders[first.Raw[0]])
		hint = "give the two charts different versions, and ask for exactly these"
	}
	return &failure{
		Kind: notRendered, File: path.Join(folder, "Chart.yaml"), Hint: hint,
		Message: clip(fmt.Sprintf("the dependency '%s' (from %s) %s", dependency.Name, dependency.Repository, problem), 1000),
	}
}

func findDependency(parent *chart.Chart, dependency *chart.Dependency) *chart.Chart {
	for _, sub := range parent.Dependencies() {
		if sub.Name() == dependency.Name && util.IsCompatibleRange(dependency.Version, sub.Metadata.Version) {
			return sub
		}
	}
	return nil
}

// checkNames refuses charts side by side that have one name: Helm gives them the same values, and lets chance decide whose
// template counts where both have one of a name.
func (l *loadedChart) checkNames(parent *chart.Chart) error {
	known := map[string]*chart.Chart{}
	for _, sub := range parent.Dependencies() {
		if other, ok := known[sub.Name()]; ok {
			return &failure{
				Kind:    notRendered,
				Message: fmt.Sprintf("two charts are called '%s': %s and %s", clip(sub.Name(), 300), l.folder(other), l.folder(sub)),
				File:    path.Join(l.folder(parent), "Chart.yaml"),
				Hint:    "delete one of them, or give each an alias and its exact version",
			}
		}
		known[sub.Name()] = sub
		if err := l.checkNames(sub); err != nil {
			return err
		}
	}
	return nil
}
