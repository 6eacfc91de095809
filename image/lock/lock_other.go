//go:build !linux || !(amd64 || arm64)

// Package lock takes everything but computing away from a process that reads what nobody vouches for.
package lock

import (
	"errors"
	"runtime"
)

// Process cannot lock the process in: what it needs, only Linux has.
func Process(_, _ uint64) error {
	return errors.New("a program for " + runtime.GOOS + "/" + runtime.GOARCH +
		" cannot lock itself in; one for linux/amd64 or linux/arm64 can")
}

// limitResources does nothing, so that a laptop renders too. Whoever starts this process watches over its time.
func limitResources(_, _ uint64) error {
	return nil
}
