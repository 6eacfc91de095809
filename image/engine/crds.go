//go:build !reader

package main

import (
	"crypto/sha256"
	"fmt"

	"helm.sh/helm/v4/pkg/chart/common"
)

// crdFile is what a file of a crds/ folder holds. Such files are large, no template changes them, and charts bring the
// same again and again: they are read once in the life of the process.
type crdFile struct {
	objects []answer // Object is nil once it was sent
	used    limits   // what reading it took
}

// placedCRDs is a file of CRDs with where a chart has it.
type placedCRDs struct {
	*crdFile
	source string
}

// sendCRDs sends the CRDs of a rendering: each object once in the life of the process, afterwards its content id alone.
func (s *state) sendCRDs(from *rendering, out *result) error {
	files, err := s.readCRDs(from, out)
	if err != nil {
		return err
	}
	for _, file := range files {
		for number := range file.objects {
			object := file.objects[number]
			object.Request, object.Source = out.request, file.source
			if err := out.writer.line(object); err != nil {
				return err
			}
			file.objects[number].Object = nil
		}
	}
	return nil
}

// readCRDs reads what was not read before. The bytes of CRDs have a budget apart from that of the request, which each
// request is charged alike, whoever read them first.
func (s *state) readCRDs(from *rendering, out *result) ([]placedCRDs, error) {
	apart := newBudget(out.budget.limits)
	var files []placedCRDs
	for _, crd := range from.chart.CRDObjects() {
		source := from.source(crd.Filename)
		file, err := s.readCRDFile(crd.File, source, from.loaded, out.budget.limits)
		if err != nil {
			return nil, inFile(err, source, 0)
		}
		if err := apart.charge(file.used); err != nil {
			return nil, inFile(err, source, 0)
		}
		for range file.objects {
			if err := out.budget.takeObject("a CustomResourceDefinition of " + source); err != nil {
				return nil, inFile(err, source, 0)
			}
		}
		files = append(files, placedCRDs{file, source})
	}
	return files, nil
}

func (s *state) readCRDFile(file *common.File, source string, in *loadedChart, budget limits) (*crdFile, error) {
	if known, ok := in.crds[file]; ok {
		return known, nil
	}
	content := fmt.Sprintf("%x", sha256.Sum256(file.Data))
	if _, ok := s.crds[content]; !ok {
		found, err := crdsIn(string(file.Data), content, source, budget)
		if err != nil {
			return nil, err
		}
		s.crds[content] = found
	}
	in.crds[file] = s.crds[content]
	return in.crds[file], nil
}

func crdsIn(text, content, source string, budget limits) (*crdFile, error) {
	collected := &collector{}
	out := &result{budget: newBudget(budget), writer: collected}
	documents, err := readQuickly(text, source, out)
	if err != nil {
		return nil, err
	}
	for _, found := range documents {
		if string(found.json) == "null" {
			continue
		}
		found.events = []string{} // Helm takes nothing in crds/ for a hook
		if err := emitDocument(found, source, nil, "", out); err != nil {
			return nil, err
		}
	}
	for number := range collected.answers {
		collected.answers[number].Content = fmt.Sprintf("%s-%d", content, number)
	}
	return &crdFile{objects: collected.answers, used: out.budget.used}, nil
}
