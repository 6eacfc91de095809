// Argo CD, of which 'make flux-crds' takes the CRD that tests apply the pages' Applications to. No Go is here that imports
// it, so `go mod tidy` would empty this file.
module headgate/tests/argocd

go 1.26.0

require (
	github.com/argoproj/argo-cd/v3 v3.4.13
)
