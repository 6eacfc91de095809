package main

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"sigs.k8s.io/kustomize/api/krusty"
	"sigs.k8s.io/kustomize/api/resource"
	"sigs.k8s.io/kustomize/kyaml/filesys"
)

func TestNotesAreThoseOfKustomize(t *testing.T) {
	if wanted := resource.BuildAnnotations; !slices.Equal(slices.Sorted(slices.Values(notes)), slices.Sorted(slices.Values(wanted))) {
		t.Errorf("notes are %q, Kustomize has %q", notes, wanted)
	}
}

func annotatedWith(annotations string) string {
	return `{"apiVersion":"v1","kind":"ConfigMap","metadata":{"annotations":{` + annotations + `},"name":"x"}}`
}

// builtByFlux gives what Flux applies of objects in one folder: it writes a kustomization of them and has it built.
func builtByFlux(t *testing.T, objects []string) []string {
	t.Helper()
	files := filesys.MakeFsInMemory()
	names := []string{}
	for number, text := range objects {
		names = append(names, fmt.Sprintf("%d.yaml", number))
		if err := files.WriteFile("/f/"+names[number], []byte(text)); err != nil {
			t.Fatal(err)
		}
	}
	if err := files.WriteFile("/f/kustomization.yaml", []byte("resources: ["+strings.Join(names, ", ")+"]")); err != nil {
		t.Fatal(err)
	}
	built, err := krusty.MakeKustomizer(krusty.MakeDefaultOptions()).Run(files, "/f")
	if err != nil {
		t.Fatal(err)
	}
	found := []string{}
	for _, object := range built.Resources() {
		data, err := object.MarshalJSON()
		if err != nil {
			t.Fatal(err)
		}
		found = append(found, string(data))
	}
	return found
}

func TestNoObjectIsRenamedByAnotherOfTheFolder(t *testing.T) {
	binding := `{"apiVersion":"rbac.authorization.k8s.io/v1","kind":"ClusterRoleBinding","metadata":{"name":"b"},` +
		`"roleRef":{"apiGroup":"rbac.authorization.k8s.io","kind":"ClusterRole","name":"cluster-admin"},` +
		`"subjects":[{"kind":"ServiceAccount","name":"good","namespace":"good"}]}`
	const note = "internal.config.kubernetes.io/"
	hostile := `{"apiVersion":"v1","kind":"ServiceAccount","metadata":{"annotations":{` +
		`"` + note + `previousNames":"good","` + note + `previousNamespaces":"good","` + note + `previousKinds":"ServiceAccount"},` +
		`"name":"evil","namespace":"evil"}}`
	if built := builtByFlux(t, []string{hostile, binding}); slices.Contains(built, binding) {
		t.Error("Kustomize believes no notes any more: leave them in", built)
	}
	answers, why := emit(hostile, limits{})
	if why != nil {
		t.Fatal(why)
	}
	if built := builtByFlux(t, []string{string(answers[0].Object), binding}); !slices.Contains(built, binding) {
		t.Error(built)
	}
}

func TestNotesOfKustomizeAreLeftOut(t *testing.T) {
	for _, note := range resource.BuildAnnotations {
		emits(t, annotatedWith(fmt.Sprintf(`"%s":"enabled"`, note)), object("ConfigMap", "x"))
		emits(t, annotatedWith(fmt.Sprintf(`"%s":"enabled","a":"b"`, note)), annotatedWith(`"a":"b"`))
	}
}

func TestAnnotationsAreTheSameToFlux(t *testing.T) {
	for _, annotations := range []string{
		``, `"a":null`, `"yes":"no","n":"y","on":"off"`, `"1/a":"1"`, `"config.kubernetes.io/local-config":"false"`,
		`"config.kubernetes.io/index":"1","a":"b"`, `"config.kubernetes.io/function":"container: {image: x}"`,
	} {
		answers, why := emit(annotatedWith(annotations), limits{})
		if why != nil {
			t.Fatal(annotations, why)
		}
		landed := string(answers[0].Object)
		if built := builtByFlux(t, []string{landed}); built[0] != strings.Replace(landed, `"annotations":{},`, "", 1) {
			t.Error(landed, built)
		}
	}
}

func TestWhatIsNotForTheClusterIsLeftOut(t *testing.T) {
	for _, value := range []string{`"true"`, `""`, `"yes"`, "true", "null"} {
		emits(t, annotatedWith(`"config.kubernetes.io/local-config":`+value))
	}
}

func TestAnnotationsThatKustomizeCannotWriteAreRefused(t *testing.T) {
	for _, key := range []string{"1", "true", "null", "1.5", "0x1f", "2001-01-01", "1e3", "017", "1_000", "0b1"} {
		refusesObject(t, annotatedWith(`"`+key+`":"a"`), "ConfigMap x has the annotation '"+key+"'")
	}
	refusesObject(t, annotatedWith(`"a":{"b":"c"}`), "the annotation 'a' that is no string")
	for _, wrong := range []string{`["a"]`, `"a"`, "1"} {
		text := `{"apiVersion":"v1","kind":"ConfigMap","metadata":{"annotations":` + wrong + `,"name":"x"}}`
		refusesObject(t, text, "ConfigMap x has annotations that are no map")
	}
}

func TestAnnotationsOfAnEncryptedObjectStayOrRefuseIt(t *testing.T) {
	text := "apiVersion: v1\nkind: Secret\nmetadata:\n  name: x\n  annotations:\n    %s: a\nsops:\n  mac: ENC[AES256_GCM,data:a]\n"
	refusesObject(t, fmt.Sprintf(text, "config.kubernetes.io/index"), "Secret x is encrypted, so it would stay as it is")
	if _, why := emit(fmt.Sprintf(text, "a"), limits{}); why != nil {
		t.Error(why)
	}
}
