//go:build reader

package main

const programName = "headgate-reader"

type renderState struct{}

func newRenderState() renderState { return renderState{} }

func (s *state) render(message, *result) error { return unknownKind() }
