//go:build !reader

package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"path"
	"slices"
	"strings"

	"sigs.k8s.io/kustomize/api/konfig"
	"sigs.k8s.io/kustomize/api/types"
	"sigs.k8s.io/kustomize/kyaml/kio"
	kyaml3 "sigs.k8s.io/kustomize/kyaml/yaml"
	"sigs.k8s.io/kustomize/kyaml/yaml/merge2"
)

// chartFields are what a kustomization says of charts.
var chartFields = []string{"helmCharts", "helmChartInflationGenerator", "helmGlobals"}

// addCharts renders the charts of a kustomization by the engine's own Helm, as Kustomize's generator does by starting it
// (HelmChartInflationGenerator.go of its api/internal/builtins). Each becomes a component: components are built after
// the generators, where Kustomize renders charts. It returns their folders, from the kustomization's own.
func (b *kustomizeBuild) addCharts(from *kustomization, at site, namespace string) ([]string, error) {
	var components []string
	for number, chart := range from.fields.HelmCharts {
		named := chartSite{at, number, chartHome(&from.fields, &chart)}
		if chart.Namespace == "" {
			chart.Namespace = namespace
		}
		text, err := b.renderChart(&chart, named)
		if err != nil {
			return nil, inFile(err, at.file, 0)
		}
		folder := b.freeName(path.Join(at.folder, fmt.Sprintf("headgate-chart-%d", number)))
		b.addFile(path.Join(folder, "kustomization.yaml"), []byte(chartComponent))
		b.addFile(path.Join(folder, "objects.yaml"), text)
		components = append(components, path.Base(folder))
	}
	return components, nil
}

const chartComponent = "apiVersion: kustomize.config.k8s.io/v1alpha1\nkind: Component\nresources: [objects.yaml]\n"

// chartSite is where a chart is named, and the folder that has it.
type chartSite struct {
	site
	number int
	home   string
}

func (s chartSite) fail(kind, field, message, hint string) error {
	named := mention{place: []any{"helmCharts", s.number, field}}
	return s.site.fail(kind, named, message, hint)
}

// chartHome is where a chart's folder lies, from the folder of its kustomization.
func chartHome(fields *types.Kustomization, chart *types.HelmChart) string {
	home := types.HelmDefaultHome
	if fields.HelmGlobals != nil && fields.HelmGlobals.ChartHome != "" {
		home = fields.HelmGlobals.ChartHome
	}
	if chart.Version != "" && chart.Repo != "" {
		return path.Join(home, chart.Name+"-"+chart.Version)
	}
	return home
}

// chartMentions are the folders of charts and their values files.
func chartMentions(fields *types.Kustomization) []mention {
	var found mentions
	for at, chart := range fields.HelmCharts {
		found.optional(asText, path.Join(chartHome(fields, &chart), chart.Name), "helmCharts", at, "name")
		found.optional(asText, chart.ValuesFile, "helmCharts", at, "valuesFile")
		for number, file := range chart.AdditionalValuesFiles {
			found.optional(asText, file, "helmCharts", at, "additionalValuesFiles", number)
		}
	}
	return found
}

// renderChart returns the text that `helm template` prints, with the mark that Kustomize gives each object of a chart.
func (b *kustomizeBuild) renderChart(chart *types.HelmChart, at chartSite) ([]byte, error) {
	folder, err := b.chartFolder(chart, at)
	if err != nil {
		return nil, err
	}
	values, err := b.chartValues(chart, folder, at)
	if err != nil {
		return nil, err
	}
	request := &helmRequest{
		Tree: b.request.Tree, Folder: folder, Name: chart.ReleaseName, Namespace: chart.Namespace,
		Kubernetes: chart.KubeVersion, APIVersions: chart.ApiVersions, Values: values,
	}
	if request.Namespace == "" {
		request.Namespace = "default"
	}
	if request.Kubernetes == "" {
		request.Kubernetes = b.request.Kubernetes
	}
	if len(request.APIVersions) == 0 {
		request.APIVersions = b.request.APIVersions
	}
	texts, err := b.state.chartText(request, b.files.tree, folder, b.out)
	if err != nil {
		return nil, err
	}
	var printed strings.Builder
	for _, each := range texts {
		if each.crd && !chart.IncludeCRDs || len(each.hook) > 0 && chart.SkipHooks || isTest(each.hook) && chart.SkipTests {
			continue
		}
		documents, err := readStream(each.text, each.source, b.out, false)
		if err != nil {
			return nil, err
		}
		for _, document := range documents {
			b.noteSources([]objectID{document.objectID()}, each.source)
		}
		fmt.Fprintf(&printed, "---\n%s\n", each.text)
	}
	return markCharts(printed.String())
}

func isTest(events []string) bool {
	return slices.ContainsFunc(events, func(event string) bool { return event == "test" || event == "test-success" })
}

// markCharts marks objects as a chart's, to which Kustomize then gives no namespace.
func markCharts(text string) ([]byte, error) {
	nodes, err := kio.FromBytes([]byte(text))
	if err != nil {
		return nil, err
	}
	var marked bytes.Buffer
	for _, node := range nodes {
		if err := node.PipeE(kyaml3.SetAnnotation(konfig.HelmGeneratedAnnotation, "true")); err != nil {
			return nil, err
		}
	}
	err = kio.ByteWriter{Writer: &marked, KeepReaderAnnotations: true}.Write(nodes)
	return marked.Bytes(), err
}

// chartFolder finds a vendored chart.
func (b *kustomizeBuild) chartFolder(chart *types.HelmChart, at chartSite) (string, error) {
	switch {
	case chart.Name == "":
		return "", at.fail(notConfig, "name", "a chart has no name", "write 'name'")
	case chart.ReleaseName == "" || chart.NameTemplate != "":
		return "", at.fail(notConfig, "releaseName", fmt.Sprintf("the chart '%s' has no releaseName", clip(chart.Name, 100)),
			"write 'releaseName', and no 'nameTemplate': a name that Helm makes up is another one each time")
	}
	folder := path.Join(at.folder, at.home, chart.Name)
	if path.IsAbs(at.home) || path.IsAbs(chart.Name) || folder == ".." || strings.HasPrefix(folder, "../") {
		return "", at.fail(notSafe, "name", fmt.Sprintf("the chart '%s' lies outside of the folder that may be read", clip(chart.Name, 100)), "")
	}
	if !b.files.isFolder(folder) {
		return "", at.fail(notSafe, "name", fmt.Sprintf("the chart '%s' is not in '%s', and charts are not fetched while hydrating",
			clip(chart.Name, 100), clip(path.Join(at.folder, at.home), 200)),
			"put it there: helm pull --untar --untardir "+clip(at.home, 200))
	}
	return folder, nil
}

// chartValues returns the values above the chart's own, as JSON, merged as Kustomize and then Helm merge them.
func (b *kustomizeBuild) chartValues(chart *types.HelmChart, folder string, at chartSite) (string, error) {
	var text string
	var err error
	file := path.Join(folder, "values.yaml")
	if chart.ValuesFile != "" {
		if file, err = b.valuesFile(chart.ValuesFile, at, "valuesFile"); err != nil {
			return "", err
		}
	}
	if data, ok := b.files.file(file); ok {
		text = string(data)
	}
	values, err := valuesIn(text, file, b.out, true)
	if err == nil && len(chart.ValuesInline) > 0 {
		values, err = inlineValues(chart, text, at)
	}
	if err != nil {
		return "", err
	}
	for _, name := range chart.AdditionalValuesFiles {
		if file, err = b.valuesFile(name, at, "additionalValuesFiles"); err != nil {
			return "", err
		}
		data, _ := b.files.file(file)
		layer, err := valuesIn(string(data), file, b.out, true)
		if err != nil {
			return "", err
		}
		values = mergeMaps(values, layer)
	}
	merged, err := json.Marshal(values)
	return string(merged), err
}

func (b *kustomizeBuild) valuesFile(name string, at chartSite, field string) (string, error) {
	found, err := b.locate(mention{asText, []any{"helmCharts", at.number, field}, name, neverInline}, at.site)
	return found.path, err
}

// inlineValues merges `valuesInline` with a values file (replaceValuesInline of Kustomize's generator).
func inlineValues(chart *types.HelmChart, text string, at chartSite) (map[string]any, error) {
	if chart.ValuesMerge == "replace" {
		return chart.ValuesInline, nil
	}
	if strings.TrimSpace(text) == "" {
		text = "{}"
	}
	file, err := kyaml3.Parse(text)
	if err != nil {
		return nil, err
	}
	inline, err := kyaml3.FromMap(chart.ValuesInline)
	if err != nil {
		return nil, err
	}
	var merged *kyaml3.RNode
	switch chart.ValuesMerge {
	case "", "override":
		merged, err = merge2.Merge(inline, file, kyaml3.MergeOptions{})
	case "merge":
		merged, err = merge2.Merge(file, inline, kyaml3.MergeOptions{})
	default:
		return nil, at.fail(notConfig, "valuesMerge", fmt.Sprintf("'%s' is no way to merge", clip(chart.ValuesMerge, 100)), "write override, merge or replace")
	}
	if err != nil {
		return nil, err
	}
	return merged.Map()
}
