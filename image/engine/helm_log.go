//go:build !reader

package main

import (
	"context"
	"fmt"
	"log/slog"
	"maps"
	"regexp"
	"slices"
	"strings"
)

// helmLog turns what Helm only logs into warnings of the request that is carried out: values that it passes over,
// conditions that are no booleans. Other messages are dropped.
type helmLog struct {
	heard map[string]bool // nil when nobody listens
}

var libraryLog = &helmLog{}

func init() {
	slog.SetDefault(slog.New(libraryLog)) // of package log, too
}

// listenToHelm collects warnings until the function that it returns is called.
func listenToHelm(out *result) (end func()) {
	libraryLog.heard = map[string]bool{}
	return func() {
		for _, message := range slices.Sorted(maps.Keys(libraryLog.heard)) {
			out.warnings = append(out.warnings, warning{Message: message})
		}
		libraryLog.heard = nil
	}
}

// What Helm prints behind some warnings is a value, which may be secret.
var loggedValue = regexp.MustCompile(`(?s) \(.*\)\s*$`)

func (l *helmLog) Enabled(_ context.Context, level slog.Level) bool {
	return l.heard != nil && level >= slog.LevelInfo // package log has no levels: all is info
}

func (l *helmLog) Handle(_ context.Context, record slog.Record) error {
	message := strings.TrimSpace(record.Message)
	text, isWarning := strings.CutPrefix(strings.ToLower(message), "warning: ")
	if record.Level < slog.LevelWarn && !isWarning || len(l.heard) > maxWarnings {
		return nil
	}
	message = loggedValue.ReplaceAllString(message[len(message)-len(text):], "")
	record.Attrs(func(attribute slog.Attr) bool {
		message += fmt.Sprintf(" %s=%s", attribute.Key, attribute.Value)
		return true
	})
	l.heard["Helm: "+clip(message, 500)] = true
	return nil
}

func (l *helmLog) WithAttrs([]slog.Attr) slog.Handler { return l }
func (l *helmLog) WithGroup(string) slog.Handler      { return l }
