//go:build !reader

package main

import (
	"context"
	"fmt"
	"path"
	"regexp"
	"slices"
	"strings"

	"helm.sh/helm/v4/pkg/chart/common"
	valuesutil "helm.sh/helm/v4/pkg/chart/common/util"
	chart "helm.sh/helm/v4/pkg/chart/v2"
	"helm.sh/helm/v4/pkg/chart/v2/loader"
	"helm.sh/helm/v4/pkg/chart/v2/util"
	"helm.sh/helm/v4/pkg/engine"
)

// rendered is text that a template printed.
type rendered struct {
	source string // the template's file in the tree
	text   string
	hook   []string // Helm's events, when it is a hook
	crd    bool     // from a crds/ folder
}

// renderHelm gives the objects that 'helm template --include-crds' prints.
func (s *state) renderHelm(request *helmRequest, out *result) error {
	defer listenToHelm(out)()
	loaded, err := s.chart(request.Tree, request.Folder, out)
	if err != nil {
		return err
	}
	found, err := renderStable(loaded, request, out, out.budget)
	if err != nil {
		return err
	}
	if err := s.sendCRDs(found, out); err != nil {
		return err
	}
	for _, object := range found.objects {
		if err := out.writer.line(object); err != nil {
			return err
		}
	}
	return nil
}

// chartText gives what 'helm template --include-crds' prints of a chart in a tree, piece by piece, for a kustomization
// that inflates it. The caller reads the text, on its own budget.
func (s *state) chartText(request *helmRequest, charts tree, folder string, out *result) ([]rendered, error) {
	defer listenToHelm(out)()
	loaded, err := loadChart(charts, folder, out)
	if err != nil {
		return nil, err
	}
	found, err := renderStable(loaded, request, out, newBudget(out.budget.limits))
	if err != nil {
		return nil, err
	}
	var pieces []rendered
	for _, crd := range found.chart.CRDObjects() {
		pieces = append(pieces, rendered{source: found.source(crd.Filename), text: string(crd.File.Data), crd: true})
	}
	for _, manifest := range found.manifests {
		pieces = append(pieces, manifest.rendered)
	}
	return pieces, nil
}

// release is a chart with what it is rendered with.
type release struct {
	loaded       *loadedChart
	chart        *chart.Chart // with its dependencies by their aliases, without those that are switched off
	request      *helmRequest
	values       map[string]any // above the chart's own
	capabilities *capabilities
	sources      map[string]string // folders in the tree, by what Helm calls them
	number       int               // of the request
}

// capabilities prints the same wherever it lies: within a map, a pointer alone is printed as its address.
type capabilities struct{ *common.Capabilities }

func (c *capabilities) String() string { return fmt.Sprintf("%v", c.Capabilities) }

func newRelease(loaded *loadedChart, request *helmRequest, number int) (*release, error) {
	r := &release{loaded: loaded, chart: clone(loaded.chart), request: request, sources: map[string]string{}, number: number}
	if err := util.ValidateReleaseName(request.Name); err != nil {
		return nil, &failure{Kind: notConfig, Message: fmt.Sprintf("Helm: release name %q: %v", clip(request.Name, 100), err)}
	}
	if err := r.readValues(); err != nil {
		return nil, err
	}
	if err := r.setCapabilities(); err != nil {
		return nil, err
	}
	if err := util.ProcessDependencies(r.chart, r.values); err != nil {
		return nil, r.unprocessed(err)
	}
	if err := loaded.checkNames(r.chart); err != nil {
		return nil, err
	}
	loaded.setMarks(r.chart, true)
	r.place(r.chart)
	return r, nil
}

// noMap is what Helm says of a subchart's values that are no map.
var noMap = regexp.MustCompile(`^type mismatch on (.+): .*%!t\(`)

func (r *release) unprocessed(err error) error {
	if match := noMap.FindStringSubmatch(err.Error()); match != nil {
		found := r.failed(fmt.Sprintf("the values of the subchart '%s' are no map", clip(match[1], 300)))
		found.Refused = []refusedValue{{Path: []string{match[1]}}}
		return found
	}
	return r.failed("chart dependencies processing failed: " + err.Error())
}

func (r *release) failed(message string) *failure {
	return &failure{Kind: notRendered, Message: "Helm: " + message, File: path.Join(r.request.Folder, "Chart.yaml")}
}

// readValues reads the merged layers. Images lie below them, where the chart has a map that they can go into.
func (r *release) readValues() error {
	values, err := loader.LoadValues(strings.NewReader(escaped(r.request.Values)))
	if err != nil {
		return &failure{Kind: notProtocol, Message: "values: " + err.Error()}
	}
	if _, ok := r.loaded.chart.Values["images"].(map[string]any); ok && len(r.request.Images) > 0 {
		values = loader.MergeMaps(map[string]any{"images": r.request.Images}, values)
	}
	r.values = values
	return nil
}

// escaped writes characters that JSON takes as they are, and YAML for line breaks or for none, as escapes.
func escaped(text string) string {
	odd := func(c rune) bool {
		return c >= 0x7f && c <= 0x9f || c == 0x2028 || c == 0x2029 || c == 0xfeff || c == 0xfffe || c == 0xffff
	}
	if strings.IndexFunc(text, odd) < 0 {
		return text
	}
	var safe strings.Builder
	for _, c := range text {
		if odd(c) {
			fmt.Fprintf(&safe, `\u%04x`, c)
		} else {
			safe.WriteRune(c)
		}
	}
	return safe.String()
}

func (r *release) setCapabilities() error {
	known := common.DefaultCapabilities.Copy()
	if r.request.Kubernetes != "" {
		version, err := common.ParseKubeVersion(r.request.Kubernetes)
		if err != nil {
			return &failure{Kind: notConfig, Message: fmt.Sprintf("Helm: invalid kube version '%s': %v", clip(r.request.Kubernetes, 100), err)}
		}
		known.KubeVersion = *version
	}
	known.APIVersions = slices.Concat(known.APIVersions, common.VersionSet(r.request.APIVersions))
	r.capabilities = &capabilities{known}
	return nil
}

// place notes where the templates of a chart, and of those below it, lie in the tree.
func (r *release) place(of *chart.Chart) {
	r.sources[of.ChartFullPath()] = r.loaded.folder(of)
	for _, sub := range of.Dependencies() {
		r.place(sub)
	}
}

// source returns the file in the tree of what Helm calls, for example, web/charts/redis/templates/service.yaml.
func (r *release) source(name string) string {
	for parent := name; parent != "."; parent = path.Dir(parent) {
		if folder, ok := r.sources[parent]; ok {
			return path.Join(folder, strings.TrimPrefix(name, parent+"/"))
		}
	}
	return name
}

// rendering is what templates gave once.
type rendering struct {
	*release
	chance    *chance
	values    common.Values
	manifests []manifest
	objects   []answer // what the caller gets, CRDs aside
	warnings  []warning
}

// render renders the chart, as pkg/action/install.go of Helm does.
func (r *release) render(with *chance, on *budget) (*rendering, error) {
	top, err := r.top()
	if err != nil {
		return nil, err
	}
	found := &rendering{release: r, chance: with, values: top["Values"].(common.Values)}
	if err := r.check(found.values); err != nil {
		return nil, err
	}
	files, ok := r.loaded.renderQuickly(r.chart, top, with.functions())
	if !ok {
		if files, err = r.renderByHelm(found); err != nil {
			return nil, r.explain(err)
		}
	}
	collected := &collector{}
	shadow := &result{request: r.number, budget: on, writer: collected}
	if found.manifests, err = r.read(files, shadow); err != nil {
		return nil, err
	}
	for _, manifest := range found.manifests {
		if err := emitDocument(manifest.document, manifest.source, nil, r.request.Hooks, shadow); err != nil {
			return nil, inFile(err, manifest.source, 0)
		}
	}
	found.objects, found.warnings = collected.answers, shadow.warnings
	return found, nil
}

// top is what the templates of the chart see. They may change it.
func (r *release) top() (common.Values, error) {
	options := common.ReleaseOptions{Name: r.request.Name, Namespace: r.request.Namespace, Revision: 1, IsInstall: true}
	top, err := valuesutil.ToRenderValuesWithSchemaValidation(r.chart, r.values, options, r.capabilities.Capabilities, true)
	if err != nil {
		return nil, r.failed(err.Error())
	}
	top["Capabilities"] = r.capabilities
	return top, nil
}

// renderByHelm has Helm's engine do all over again, which has the words for what is wrong.
func (r *release) renderByHelm(found *rendering) (map[string]string, error) {
	render := func() (map[string]string, error) {
		top, err := r.top()
		if err != nil {
			return nil, err
		}
		found.values = top["Values"].(common.Values)
		found.chance.restart()
		return engine.Engine{CustomTemplateFuncs: found.chance.functions()}.RenderWithContext(context.Background(), r.chart, top)
	}
	files, err := render()
	if err != nil && strings.HasPrefix(err.Error(), "parse error") {
		r.loaded.setMarks(r.chart, false) // an action that is left open would go on into the mark
		files, err = render()
	}
	return files, err
}

// check asks the chart whether it takes its values and the version of Kubernetes.
func (r *release) check(values common.Values) error {
	if err := r.loaded.validate(r.chart, values); err != nil {
		return err
	}
	version := r.capabilities.KubeVersion
	if wanted := r.chart.Metadata.KubeVersion; wanted != "" && !util.IsCompatibleRange(wanted, version.String()) {
		found := r.failed(fmt.Sprintf("chart requires kubeVersion: %s which is incompatible with Kubernetes %s", clip(wanted, 100), version.Version))
		found.Hint = "'kubernetes' of the environment in headgate.yaml is the version; else take another version of the chart"
		return found
	}
	return nil
}

// collector keeps answers until all of them are known to be right.
type collector struct{ answers []answer }

func (c *collector) line(value any) error {
	c.answers = append(c.answers, value.(answer))
	return nil
}
