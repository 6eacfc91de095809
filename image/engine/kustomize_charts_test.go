package main

import (
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

var smallChart = map[string]string{
	"Chart.yaml":  "apiVersion: v2\nname: small\nversion: 1.0.0\n",
	"values.yaml": "a: chart\nb: {c: chart, d: 1000000}\nlist: [x]\n",
	"templates/all.yaml": `apiVersion: v1
kind: ConfigMap
metadata: {name: {{ .Release.Name }}, namespace: {{ .Release.Namespace }}}
data:
  values: {{ toJson .Values | quote }}
  kube: {{ .Capabilities.KubeVersion.Version }}
  api: {{ .Capabilities.APIVersions.Has "example.com/v1" | quote }}
---
apiVersion: v1
kind: ServiceAccount
metadata: {name: {{ .Release.Name }}}
`,
	"templates/hook.yaml":       "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: hook, annotations: {helm.sh/hook: pre-install}}\n",
	"templates/tests/test.yaml": "apiVersion: v1\nkind: Pod\nmetadata: {name: test, annotations: {helm.sh/hook: test}}\n",
	"crds/widget.yaml":          "apiVersion: apiextensions.k8s.io/v1\nkind: CustomResourceDefinition\nmetadata: {name: widgets.example.com}\nspec: {group: example.com}\n",
}

func withChart(folder string, files map[string]string) tree {
	made := tree{}
	for name, text := range smallChart {
		made[folder+"/"+name] = []byte(text)
	}
	for name, text := range files {
		made[name] = []byte(text)
	}
	return made
}

var chartBuilds = map[string]tree{
	"values of the chart":  withChart("root/charts/small", map[string]string{"root/kustomization.yaml": "helmCharts: [{name: small, releaseName: r}]"}),
	"inline values":        withChart("root/charts/small", map[string]string{"root/kustomization.yaml": "helmCharts: [{name: small, releaseName: r, valuesInline: {a: 'yes', b: {c: null, e: 1.5}, list: [y]}}]"}),
	"inline values below":  withChart("root/charts/small", map[string]string{"root/kustomization.yaml": "helmCharts: [{name: small, releaseName: r, valuesMerge: merge, valuesInline: {a: inline, n: 2000000}}]"}),
	"inline values alone":  withChart("root/charts/small", map[string]string{"root/kustomization.yaml": "helmCharts: [{name: small, releaseName: r, valuesMerge: replace, valuesInline: {a: inline}}]"}),
	"values files":         withChart("root/charts/small", map[string]string{"root/kustomization.yaml": "helmCharts: [{name: small, releaseName: r, valuesFile: v.yaml, additionalValuesFiles: [w.yaml, more/x.yaml], valuesInline: {d: inline}}]", "root/v.yaml": "a: file\n", "root/w.yaml": "a: more\nb: null\n", "root/more/x.yaml": "list: []\n"}),
	"all objects":          withChart("root/charts/small", map[string]string{"root/kustomization.yaml": "helmCharts: [{name: small, releaseName: r, includeCRDs: true}]"}),
	"no hooks":             withChart("root/charts/small", map[string]string{"root/kustomization.yaml": "helmCharts: [{name: small, releaseName: r, skipHooks: true}]"}),
	"versions":             withChart("root/charts/small", map[string]string{"root/kustomization.yaml": "helmCharts: [{name: small, releaseName: r, kubeVersion: 1.31.2, apiVersions: [example.com/v1]}]"}),
	"a folder of versions": withChart("root/vendored/small-1.0.0/small", map[string]string{"root/kustomization.yaml": "helmGlobals: {chartHome: vendored}\nhelmCharts: [{name: small, version: 1.0.0, repo: 'https://charts.example.com', releaseName: r}]"}),
	"a namespace":          withChart("root/charts/small", map[string]string{"root/kustomization.yaml": "namespace: shop\nresources: [sa.yaml]\nhelmCharts: [{name: small, releaseName: r}, {name: small, releaseName: other, namespace: own, skipHooks: true}]", "root/sa.yaml": "apiVersion: v1\nkind: ServiceAccount\nmetadata: {name: s}\n"}),
	"namespaces from above": withChart("base/charts/small", map[string]string{
		"root/kustomization.yaml": "resources: [../a, ../b]", "a/kustomization.yaml": "namespace: ns-a\nresources: [../c]\nnamePrefix: a-\n",
		"b/kustomization.yaml": "namespace: ns-b\nresources: [../base]", "c/kustomization.yaml": "resources: [../base]",
		"base/kustomization.yaml": "helmCharts: [{name: small, releaseName: r}]",
	}),
	"transformers":  withChart("root/charts/small", map[string]string{"root/kustomization.yaml": "namePrefix: p-\ncommonAnnotations: {a: b}\nhelmCharts: [{name: small, releaseName: r}]\npatches: [{target: {kind: ServiceAccount}, patch: '[{\"op\": \"add\", \"path\": \"/metadata/labels\", \"value\": {\"c\": \"d\"}}]'}]"}),
	"a component":   withChart("c/charts/small", map[string]string{"root/kustomization.yaml": "namespace: shop\ncomponents: [../c]", "c/kustomization.yaml": "apiVersion: kustomize.config.k8s.io/v1alpha1\nkind: Component\nhelmCharts: [{name: small, releaseName: r}]\n"}),
	"the old field": withChart("root/my/small", map[string]string{"root/kustomization.yaml": "helmChartInflationGenerator: [{chartName: small, chartHome: my, releaseName: r, values: v.yaml, valuesLocal: {a: local}}]", "root/v.yaml": "b: null\n"}),
}

func TestChartsEqualThoseOfTheCommand(t *testing.T) {
	kustomize, _ := judge(t)
	helm := orDefault("HEADGATE_HELM", "../../.tools/helm")
	if _, err := os.Stat(helm); err != nil {
		t.Skip(err)
	}
	for name, files := range chartBuilds {
		t.Run(name, func(t *testing.T) {
			folder := t.TempDir()
			for file, data := range files {
				place := filepath.Join(folder, file)
				if err := os.MkdirAll(filepath.Dir(place), 0o700); err != nil {
					t.Fatal(err)
				}
				if err := os.WriteFile(place, data, 0o600); err != nil {
					t.Fatal(err)
				}
			}
			expected, err := buildByCommand(t, kustomize, filepath.Join(folder, "root"), "--enable-helm", "--helm-command", helm, "--helm-kube-version", "1.34")
			if err != nil {
				t.Fatal(err)
			}
			built, failed := buildTree(t, newState(), files, &kustomizeRequest{Root: "root", Kubernetes: "1.34"})
			if failed != nil {
				t.Fatalf("%+v", failed)
			}
			if !slices.Equal(built, expected) {
				t.Errorf("engine:\n%s\ncommand:\n%s", strings.Join(built, "\n"), strings.Join(expected, "\n"))
			}
		})
	}
}

func TestChartThatIsNotVendoredIsRefused(t *testing.T) {
	for kustomization, expected := range map[string]string{
		"helmCharts: [{name: gone, releaseName: r, repo: 'https://charts.example.com', version: 1.0.0}]": "the chart 'gone' is not in 'root/charts/gone-1.0.0', and charts are not fetched while hydrating",
		"helmCharts: [{name: small}]": "the chart 'small' has no releaseName",
		"helmCharts: [{name: small, releaseName: r, nameTemplate: '{{ randAlpha 5 }}'}]":        "the chart 'small' has no releaseName",
		"helmCharts: [{releaseName: r}]":                                                        "a chart has no name",
		"helmCharts: [{name: ../../../small, releaseName: r}]":                                  "the chart '../../../small' lies outside of the folder that may be read",
		"helmGlobals: {chartHome: /charts}\nhelmCharts: [{name: small, releaseName: r}]":        "the chart 'small' lies outside of the folder that may be read",
		"helmCharts: [{name: small, releaseName: r, valuesFile: gone.yaml}]":                    "'gone.yaml' is not there",
		"helmCharts: [{name: small, releaseName: r, valuesMerge: other, valuesInline: {a: b}}]": "'other' is no way to merge",
		"helmCharts: [{name: small, releaseName: r, ReleaseName: s}]":                           "unknown field 'helmCharts[0].ReleaseName'",
	} {
		files := maps.Clone(withChart("root/charts/small", map[string]string{"root/kustomization.yaml": kustomization}))
		_, failed := buildRoot(t, files)
		if failed == nil || !strings.Contains(failed.Message, expected) || failed.File != "root/kustomization.yaml" || failed.Line == 0 {
			t.Errorf("%s: %+v", kustomization, failed)
		}
	}
}
