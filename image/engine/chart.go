//go:build !reader

package main

import (
	"bytes"
	"compress/gzip"
	"fmt"
	"io"
	"maps"
	"path"
	"slices"
	"strings"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"helm.sh/helm/v4/pkg/chart/common"
	"helm.sh/helm/v4/pkg/chart/loader/archive"
	chart "helm.sh/helm/v4/pkg/chart/v2"
	"helm.sh/helm/v4/pkg/chart/v2/loader"
)

const (
	maxNesting  = 10   // how deep charts may lie in charts: in charts/, in archives, by file://
	maxCharts   = 1000 // each alias of a chart is one more
	maxUnpacked = 70 << 20
)

// loadedChart is a chart as Helm loads it, with all that it depends on. Requests share it, so nothing may change it.
type loadedChart struct {
	chart     *chart.Chart
	folders   map[*common.File]string // where each chart lies in the tree, by its first file, which copies share
	templates map[*common.File]templates
	parsed    map[string]*parsed // files of templates, by what Helm calls them
	schemas   map[*common.File]*jsonschema.Schema
	crds      map[*common.File]*crdFile
	orders    map[string][]ranked // of what the chart prints, by its heads
	drawn     results
	used      limits // what reading its YAML takes of a request's budget
	warnings  []warning
}

// chart loads a chart once in the life of the process. Each request pays for it, so that its verdict does not depend on
// the requests before it.
func (s *state) chart(id, folder string, out *result) (*loadedChart, error) {
	files, err := s.tree(id)
	if err != nil {
		return nil, err
	}
	key := id + "\x00" + folder
	if found, ok := s.charts[key]; ok {
		out.warnings = append(out.warnings, found.warnings...)
		return found, inFile(out.budget.charge(found.used), folder, 0)
	}
	loaded, err := loadChart(files, folder, out)
	if err == nil {
		s.charts[key] = loaded
	}
	return loaded, err
}

func loadChart(files tree, folder string, out *result) (*loadedChart, error) {
	before, known := out.budget.used, len(out.warnings)
	l := &chartLoader{files: files, out: out, folders: map[*common.File]string{}, templates: map[*common.File]templates{}}
	loaded, err := l.folder(folder, 0)
	if err != nil {
		return nil, err
	}
	if err := checkInstallable(loaded, path.Join(folder, "Chart.yaml"), out); err != nil {
		return nil, err
	}
	return &loadedChart{
		chart:     loaded,
		folders:   l.folders,
		templates: l.templates,
		parsed:    map[string]*parsed{},
		schemas:   map[*common.File]*jsonschema.Schema{},
		crds:      map[*common.File]*crdFile{},
		orders:    map[string][]ranked{},
		drawn:     results{},
		used: limits{
			BytesIn: out.budget.used.BytesIn - before.BytesIn,
			Nodes:   out.budget.used.Nodes - before.Nodes,
		},
		warnings: slices.Clone(out.warnings[known:]),
	}, nil
}

// checkInstallable does what the command line does before it renders (helm.sh/helm/v4/pkg/cmd/install.go).
func checkInstallable(loaded *chart.Chart, file string, out *result) error {
	switch loaded.Metadata.APIVersion {
	case chart.APIVersionV1, chart.APIVersionV2:
	default:
		return &failure{
			Kind: notRendered, Message: fmt.Sprintf("Helm: unsupported chart version '%s'", clip(loaded.Metadata.APIVersion, 100)),
			File: file, Hint: "apiVersion is v2, or v1",
		}
	}
	if loaded.Metadata.Type == "library" {
		return &failure{Kind: notRendered, Message: "Helm: library charts are not installable", File: file,
			Hint: "write 'type: application', or name the library among the dependencies of a chart"}
	}
	if loaded.Metadata.Deprecated {
		out.warnings = append(out.warnings, warning{Message: "this chart is deprecated", File: file})
	}
	if copies(loaded) > maxCharts {
		return &failure{
			Kind: overBudget, Message: fmt.Sprintf("more than %d charts, once each alias has a copy", maxCharts), File: file,
		}
	}
	return nil
}

// copies counts the charts that Helm makes of one: each alias gets a copy, with all that is below it.
func copies(of *chart.Chart) int {
	total := 1
	for _, sub := range of.Dependencies() {
		named := 0
		for _, dependency := range of.Metadata.Dependencies {
			if dependency.Name == sub.Name() {
				named++
			}
		}
		total = saturated(total, max(named, 1)*copies(sub))
	}
	return total
}

// clone copies what Helm changes when it renders: it renames charts by their alias, and drops those switched off.
func clone(original *chart.Chart) *chart.Chart {
	copied, metadata := *original, *original.Metadata
	metadata.Dependencies = make([]*chart.Dependency, len(original.Metadata.Dependencies))
	for at, dependency := range original.Metadata.Dependencies {
		same := *dependency
		metadata.Dependencies[at] = &same
	}
	copied.Metadata = &metadata
	copied.SetDependencies()
	for _, sub := range original.Dependencies() {
		copied.AddDependency(clone(sub))
	}
	return &copied
}

// folder returns where a chart lies in the tree, by whatever alias.
func (l *loadedChart) folder(of *chart.Chart) string { return l.folders[of.Raw[0]] }

// chartLoader loads one chart and all that it depends on.
type chartLoader struct {
	files     tree
	out       *result
	folders   map[*common.File]string
	templates map[*common.File]templates
	local     int   // charts loaded by file://
	unpacked  int64 // bytes that archives held
}

// load does what Helm's LoadFiles does, but takes what is in charts/ in order: Helm leaves it to chance which of two
// charts with one name it finds first. It reads YAML before Helm does, to charge the budget for it.
func (l *chartLoader) load(files []*archive.BufferedFile, place string, depth int) (*chart.Chart, error) {
	file := path.Join(place, "Chart.yaml")
	if depth > maxNesting {
		return nil, &failure{Kind: overBudget, Message: fmt.Sprintf("charts nested deeper than %d", maxNesting), File: file}
	}
	own, vendored := splitVendored(files)
	if err := l.readYAML(own, place); err != nil {
		return nil, err
	}
	loaded, err := loader.LoadFiles(own)
	if err != nil {
		return nil, &failure{Kind: notRendered, Message: "Helm: " + err.Error(), File: file, Hint: l.missingChart(err, place)}
	}
	l.folders[loaded.Raw[0]] = place
	l.templates[loaded.Raw[0]] = templates{plain: loaded.Templates, marked: marked(loaded.Templates, place)}
	for _, name := range slices.Sorted(maps.Keys(vendored)) {
		if strings.HasPrefix(name, "_") || strings.HasPrefix(name, ".") {
			continue
		}
		sub, err := l.vendored(name, vendored[name], path.Join(place, "charts", name), depth+1)
		if err != nil {
			return nil, err
		}
		loaded.AddDependency(sub)
	}
	return loaded, nil
}

// missingChart says why a folder in which Helm finds no Chart.yaml is taken for a chart.
func (l *chartLoader) missingChart(err error, place string) string {
	if !strings.Contains(err.Error(), "Chart.yaml file is missing") {
		return ""
	}
	if _, ok := l.files[path.Join(place, "Chart.yaml")]; ok {
		return "a pattern in .helmignore names it: patterns with '!' ignore all that does not match"
	}
	return "all in charts/ is a chart to Helm: move " + clip(path.Base(place), 100) + " elsewhere, or name it in .helmignore"
}

// splitVendored parts a chart's own files from those of each chart in charts/, as Helm does.
func splitVendored(files []*archive.BufferedFile) (own []*archive.BufferedFile, vendored map[string][]*archive.BufferedFile) {
	vendored = map[string][]*archive.BufferedFile{}
	for _, file := range files {
		inner, ok := strings.CutPrefix(file.Name, "charts/")
		if !ok || path.Ext(file.Name) == ".prov" {
			own = append(own, file)
			continue
		}
		name, _, _ := strings.Cut(inner, "/")
		vendored[name] = append(vendored[name], &archive.BufferedFile{Name: inner, Data: file.Data})
	}
	return own, vendored
}

// vendored loads a chart from charts/, where it is a folder or an archive.
func (l *chartLoader) vendored(name string, files []*archive.BufferedFile, place string, depth int) (*chart.Chart, error) {
	if path.Ext(name) == ".tgz" && files[0].Name == name {
		unpacked, err := l.unpack(files[0].Data, place)
		if err != nil {
			return nil, err
		}
		return l.load(unpacked, place, depth)
	}
	var inside []*archive.BufferedFile
	for _, file := range files {
		if _, inner, ok := strings.Cut(file.Name, "/"); ok {
			inside = append(inside, &archive.BufferedFile{Name: inner, Data: file.Data})
		}
	}
	return l.load(inside, place, depth)
}

// unpack reads an archive with Helm's own reader, which limits what its files hold, but neither their number nor the
// archives in archives.
func (l *chartLoader) unpack(data []byte, place string) ([]*archive.BufferedFile, error) {
	if unzipped, err := gzip.NewReader(bytes.NewReader(data)); err == nil {
		size, _ := io.Copy(io.Discard, io.LimitReader(unzipped, maxUnpacked-l.unpacked+1)) // Helm's reader tells errors
		if l.unpacked += size; l.unpacked > maxUnpacked {
			return nil, &failure{
				Kind: overBudget, Message: fmt.Sprintf("the archives unpack to more than %d bytes", maxUnpacked), File: place,
			}
		}
	}
	files, err := archive.LoadArchiveFiles(bytes.NewReader(data))
	if err != nil {
		return nil, &failure{Kind: notRendered, Message: "not a chart archive: " + err.Error(), File: place}
	}
	return files, nil
}

// What Helm reads of a chart when it loads it.
var chartYAML = map[string]bool{
	"Chart.yaml": true, "Chart.lock": true, "values.yaml": true, "requirements.yaml": true, "requirements.lock": true,
}

func (l *chartLoader) readYAML(files []*archive.BufferedFile, place string) error {
	for _, file := range files {
		if chartYAML[file.Name] {
			if _, err := readStream(string(file.Data), path.Join(place, file.Name), l.out, true); err != nil {
				return err
			}
		}
	}
	return nil
}
