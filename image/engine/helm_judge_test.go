package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"k8s.io/apimachinery/pkg/util/yaml"
)

// Charts that people use, with each values file that they bring as a test, give the objects that 'helm template' prints.
// HEADGATE_HELM is the program, HEADGATE_REAL a folder with charts/NAME and podinfo/charts/podinfo.
func TestRealChartsAreEqualToTheirCommandLine(t *testing.T) {
	helm, real := helmJudge(t)
	for _, chart := range append(matching(t, real, "charts", "*"), matching(t, real, "podinfo", "charts", "*")...) {
		values := matching(t, chart, "ci", "*.yaml")
		files := treeFrom(t, chart)
		for _, file := range append(values, "") {
			t.Run(filepath.Base(chart)+"/"+filepath.Base(file), func(t *testing.T) {
				compareWithHelm(t, helm, chart, file, files)
			})
		}
	}
}

func helmJudge(t testing.TB) (helm, real string) {
	t.Helper()
	helm, real = os.Getenv("HEADGATE_HELM"), os.Getenv("HEADGATE_REAL")
	if helm == "" {
		helm = "../../.tools/helm"
	}
	if real == "" {
		real = "../../../shared/real"
	}
	for _, needed := range []string{helm, real} {
		if _, err := os.Stat(needed); err != nil {
			t.Skip("there is no ", needed)
		}
	}
	return helm, real
}

func matching(t *testing.T, pattern ...string) []string {
	t.Helper()
	found, err := filepath.Glob(filepath.Join(pattern...))
	if err != nil {
		t.Fatal(err)
	}
	return found
}

func treeFrom(t testing.TB, folder string) tree {
	t.Helper()
	files := tree{}
	err := filepath.WalkDir(folder, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		data, err := os.ReadFile(path)
		files["web/"+filepath.ToSlash(strings.TrimPrefix(path, folder+string(filepath.Separator)))] = data
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return files
}

func compareWithHelm(t *testing.T, helm, chart, values string, files tree) {
	t.Helper()
	text := "{}"
	arguments := []string{
		"template", "web", chart, "--namespace", "shop", "--include-crds", "--kube-version", "1.34",
		"--api-versions", "monitoring.coreos.com/v1",
	}
	if values != "" {
		data, err := os.ReadFile(values)
		if err != nil {
			t.Fatal(err)
		}
		text = string(data) // Helm's loader reads YAML as well
		arguments = append(arguments, "--values", values)
	}
	printed, err := runHelm(helm, arguments)
	again, _ := runHelm(helm, arguments)
	got := ask(files, &helmRequest{
		Folder: "web", Name: "web", Namespace: "shop", Kubernetes: "1.34", Values: text,
		APIVersions: []string{"monitoring.coreos.com/v1"},
	})
	switch {
	case err != nil:
		if got.err == nil {
			t.Fatal("rendered, but not by the command line: ", err)
		}
		t.Logf("%v\n%+v", err, *got.err)
		return
	case got.err == nil && !bytes.Equal(printed, again):
		t.Log("random in the command line's output")
	case got.err != nil && got.err.Kind == notStable:
		if slices.Equal(sortedTexts(t, objectsOf(t, printed)), sortedTexts(t, objectsOf(t, again))) {
			t.Fatalf("refused, and the command line gives the same twice: %v", got.err)
		}
		t.Logf("%+v", *got.err)
		return
	}
	if got.err != nil {
		t.Fatalf("%+v", *got.err)
	}
	want := sortedTexts(t, objectsOf(t, printed))
	have := sortedTexts(t, decodedAnswers(t, got.objects))
	if !slices.Equal(want, have) {
		t.Errorf("%d objects, want %d", len(have), len(want))
		for at := range min(len(want), len(have)) {
			if want[at] != have[at] {
				t.Fatalf("have %.1000s\nwant %.1000s", have[at], want[at])
			}
		}
	}
}

func runHelm(program string, arguments []string) ([]byte, error) {
	var words bytes.Buffer
	command := exec.Command(program, arguments...)
	command.Stderr = &words
	printed, err := command.Output()
	if err != nil {
		return nil, fmt.Errorf("%w: %s", err, words.String())
	}
	return printed, nil
}

// objectsOf reads text as kubectl and Flux do, without hooks that never run.
func objectsOf(t *testing.T, text []byte) []map[string]any {
	t.Helper()
	decoder := yaml.NewYAMLOrJSONDecoder(bytes.NewReader(text), 4096)
	var found []map[string]any
	for {
		var object map[string]any
		err := decoder.Decode(&object)
		if errors.Is(err, io.EOF) {
			return found
		}
		if err != nil {
			t.Fatal(err)
		}
		metadata, _ := object["metadata"].(map[string]any)
		annotations, _ := metadata["annotations"].(map[string]any)
		hook, isHook := annotations["helm.sh/hook"].(string)
		if object != nil && (!isHook || !dropsHook(hookEvents(hook), "")) {
			found = append(found, object)
		}
	}
}

func decodedAnswers(t *testing.T, objects []answer) []map[string]any {
	t.Helper()
	found := make([]map[string]any, len(objects))
	for at, object := range objects {
		if err := yaml.Unmarshal(object.Object, &found[at]); err != nil {
			t.Fatal(err)
		}
	}
	return found
}

func sortedTexts(t *testing.T, objects []map[string]any) []string {
	t.Helper()
	texts := make([]string, len(objects))
	for at, object := range objects {
		data, err := json.Marshal(object)
		if err != nil {
			t.Fatal(err)
		}
		texts[at] = string(data)
	}
	slices.Sort(texts)
	return texts
}

func BenchmarkPodinfo(b *testing.B) { benchmarkChart(b, "podinfo/charts/podinfo") }

func BenchmarkIngressNginx(b *testing.B) { benchmarkChart(b, "charts/ingress-nginx") }

// benchmarkChart measures renderings in a process that goes on.
func benchmarkChart(b *testing.B, folder string) {
	_, real := helmJudge(b)
	s := newState()
	s.trees["t"] = treeFrom(b, filepath.Join(real, folder))
	for b.Loop() {
		out := &result{budget: newBudget(limits{}), writer: &answerWriter{out: bufio.NewWriter(io.Discard)}, state: s}
		err := s.dispatch(message{Helm: &helmRequest{
			Tree: "t", Folder: "web", Name: "web", Namespace: "shop", Kubernetes: "1.34", Values: `{"replicaCount": 2}`,
		}}, out)
		if err != nil {
			b.Fatal(err)
		}
	}
}
