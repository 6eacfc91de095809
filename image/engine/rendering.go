//go:build !reader

package main

const programName = "headgate-engine"

// renderState is charts that were loaded, CRDs that were read, and what builds of kustomizations share.
type renderState struct {
	charts map[string]*loadedChart
	crds   map[string]*crdFile // by content

	kustomize kustomizeCache
}

func newRenderState() renderState {
	return renderState{charts: map[string]*loadedChart{}, crds: map[string]*crdFile{}}
}

func (s *state) render(told message, out *result) error {
	switch {
	case told.Helm != nil:
		return s.renderHelm(told.Helm, out)
	case told.Kustomize != nil:
		return s.renderKustomize(told.Kustomize, out)
	case told.Kustomization != nil:
		return readKustomization(told.Kustomization, out)
	}
	return unknownKind()
}
