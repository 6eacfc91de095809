package main

import (
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// Not the lock alone keeps Kustomize from the network: here is none.
func TestNothingIsFetched(t *testing.T) {
	requests := 0
	server := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { requests++ }))
	defer server.Close()
	folder := t.TempDir()
	called := filepath.Join(folder, "called")
	if err := os.WriteFile(filepath.Join(folder, "git"), []byte("#!/bin/sh\necho \"$@\" >>"+called+"\n"), 0o700); err != nil {
		t.Fatal(err)
	}
	t.Setenv("PATH", folder)
	host := strings.TrimPrefix(server.URL, "http://")
	for _, address := range []string{
		server.URL + "/x.yaml", "HTTP://" + host + "/x.yaml", "http:/" + host + "/x.yaml", server.URL + "/a/b//c?ref=main", "git::" + server.URL + "/a/b",
		"ssh://git@" + host + "/a/b", "git@" + host + ":a/b.git", "me@" + host + "/a/b", "github.com/a/b", "GITHUB.com:a/b", "file://" + folder,
	} {
		for _, kustomization := range []string{
			"resources: [ADDRESS]", "bases: [ADDRESS]", "components: [ADDRESS]", "crds: [ADDRESS]", "configurations: [ADDRESS]",
			"generators: [ADDRESS]", "transformers: [ADDRESS]", "validators: [ADDRESS]", "openapi: {path: ADDRESS}",
			"patches: [{path: ADDRESS}]", "patchesStrategicMerge: [ADDRESS]", "patchesJson6902: [{path: ADDRESS, target: {kind: A, name: b}}]",
			"replacements: [{path: ADDRESS}]", "configMapGenerator: [{name: g, files: [ADDRESS]}]", "configMapGenerator: [{name: g, envs: [ADDRESS]}]",
			"secretGenerator: [{name: g, env: ADDRESS}]", "Resources: [ADDRESS]", "helmCharts: [{name: gone, releaseName: x, repo: ADDRESS}]",
			"helmCharts: [{name: x, releaseName: x, valuesFile: ADDRESS}]", "helmChartInflationGenerator: [{chartName: gone, releaseName: x, chartRepoUrl: ADDRESS}]",
			`transformers: ['{apiVersion: builtin, kind: ReplacementTransformer, metadata: {name: t}, replacements: [{path: "ADDRESS"}]}']`,
			`generators: ['{apiVersion: builtin, kind: SecretGenerator, metadata: {name: t}, envs: ["ADDRESS"]}']`,
		} {
			text := strings.ReplaceAll(strings.ReplaceAll(kustomization, "ADDRESS", "'"+address+"'"), "\"'"+address+"'\"", `"`+address+`"`)
			files := rootTree(text, map[string]string{"root/charts/x/Chart.yaml": "apiVersion: v2\nname: x\nversion: 1.0.0\n"})
			if objects, failed := buildRoot(t, files); failed == nil {
				t.Errorf("%s: built %s", text, objects)
			}
		}
	}
	if requests > 0 {
		t.Errorf("%d requests", requests)
	}
	if calls, err := os.ReadFile(called); err == nil {
		t.Errorf("git was called: %s", calls)
	}
}
