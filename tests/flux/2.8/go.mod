// The types of Flux 2.8's objects, of which 'make flux-crds' makes the CRDs that tests apply to. No Go
// is here that imports them, so `go mod tidy` would empty this file.
module headgate/tests/flux/2.8

go 1.26.0

require (
	github.com/fluxcd/kustomize-controller/api v1.8.0
	github.com/fluxcd/notification-controller/api v1.8.0
	github.com/fluxcd/source-controller/api v1.8.0
)
