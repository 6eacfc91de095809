// Command headgate-engine reads and renders all YAML that apps and charts bring: Helm charts, kustomizations, values,
// manifests. It is told by JSON lines on standard input and answers by JSON lines on standard output; before it reads the
// first byte it locks itself in, so that it can compute and nothing else. docs/engine.md tells the protocol.
//
// With the build tag reader it is headgate-reader, which reads and renders nothing: without the libraries of Helm and
// Kustomize it starts in a quarter of the time, and what an app owns takes a process of its own.
package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"time"

	"headgate/lock"
)

// Set when it is built (image/build-tools).
var (
	helmVersion      = "unknown"
	kustomizeVersion = "unknown"
	build            = "unknown"
)

func main() {
	greeting := hello{Protocol: protocolVersion, Helm: helmVersion, Kustomize: kustomizeVersion, Build: build}
	lock.Run(programName, greeting, func(status lock.Status) error {
		greeting.Status = status
		return serve(os.Stdin, os.Stdout, greeting)
	})
}

// serve answers messages until the input ends. The end of each answer is flushed: what is buffered is lost when a limit
// ends the process.
func serve(in io.Reader, out io.Writer, greeting hello) error {
	writer := &answerWriter{out: bufio.NewWriterSize(out, 64*1024)}
	if err := writer.line(greeting); err != nil {
		return err
	}
	state := newState()
	for line := range linesOf(in) {
		if line.err != nil {
			return line.err
		}
		var told message
		if err := json.Unmarshal(line.text, &told); err != nil {
			return fmt.Errorf("a message that is not JSON: %w", err)
		}
		if told.Tree != "" {
			state.keep(told)
			continue
		}
		if err := state.answer(told, writer); err != nil {
			return err
		}
	}
	return nil
}

// The caller sends few lines ahead, so that the end of the input is seen while a request is worked on.
const linesAhead = 64

// patience is how long the engine works on after its input has ended: nobody may be left who waits for an answer, and
// a chart may loop without end.
const patience = 60 * time.Second

type inputLine struct {
	text []byte
	err  error
}

// linesOf reads lines while others are worked on. The engine ends soon after its input does.
func linesOf(in io.Reader) <-chan inputLine {
	lines := make(chan inputLine, linesAhead)
	go func() {
		defer close(lines)
		reader := bufio.NewReaderSize(in, 64*1024)
		for {
			text, err := reader.ReadBytes('\n')
			if err == nil {
				lines <- inputLine{text: text}
				continue
			}
			time.AfterFunc(patience, func() { os.Exit(1) })
			if !errors.Is(err, io.EOF) {
				lines <- inputLine{err: err}
			} else if len(text) > 0 {
				lines <- inputLine{err: io.ErrUnexpectedEOF}
			}
			return
		}
	}()
	return lines
}

type lineWriter interface {
	line(value any) error
}

type answerWriter struct {
	out *bufio.Writer
}

func (w *answerWriter) line(value any) error {
	object, isAnswer := value.(answer)
	if isAnswer && object.Object != nil {
		return w.object(object)
	}
	encoder := json.NewEncoder(w.out)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(value); err != nil {
		return err
	}
	if isAnswer && !object.Done {
		return nil // of a request that never ends nothing counts
	}
	return w.out.Flush()
}

// object writes an object as it is: an encoder would look through its JSON once more.
func (w *answerWriter) object(one answer) error {
	data := one.Object
	one.Object = nil
	var rest bytes.Buffer
	encoder := json.NewEncoder(&rest)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(one); err != nil {
		return err
	}
	_, err := w.out.Write(slices.Concat([]byte(`{"object":`), data, []byte(","), rest.Bytes()[1:]))
	return err
}

// state is what lives as long as the process: trees, and what was made of them to render.
type state struct {
	trees map[string]tree
	renderState
}

func newState() *state { return &state{trees: map[string]tree{}, renderState: newRenderState()} }

// tree is files by path, without a leading slash.
type tree map[string][]byte

func (s *state) keep(told message) {
	files := make(tree, len(told.Files)+len(told.Binary))
	for path, text := range told.Files {
		files[path] = []byte(text)
	}
	for path, data := range told.Binary {
		files[path] = data
	}
	s.trees[told.Tree] = files
}

func (s *state) tree(id string) (tree, error) {
	found, ok := s.trees[id]
	if !ok {
		return nil, &failure{Kind: notProtocol, Message: "no tree " + id}
	}
	return found, nil
}

// result collects what a request gives; objects go out one by one.
type result struct {
	request  int
	budget   *budget
	writer   lineWriter
	state    *state
	value    json.RawMessage
	warnings []warning
}

// answer carries out one request and writes its answer. It returns an error only when the output is gone.
func (s *state) answer(told message, writer *answerWriter) error {
	out := &result{request: told.Request, budget: newBudget(told.Budget), writer: writer, state: s}
	end := answer{Request: told.Request, Done: true}
	if err := s.dispatch(told, out); err != nil {
		end.Error = asFailure(err)
	} else {
		end.Value = out.value
	}
	end.Warnings = bounded(out.warnings)
	return writer.line(end)
}

func (s *state) dispatch(told message, out *result) (err error) {
	defer func() {
		// Helm and Kustomize now and then panic on odd input: that is the input's error, and the next request goes on.
		if found := recover(); found != nil {
			err = &failure{Kind: notExplained, Message: fmt.Sprintf("%v", found)}
		}
	}()
	switch {
	case told.Values != nil:
		return readValues(told.Values, out)
	case told.Documents != nil:
		return readConfig(told.Documents, out)
	case told.Locate != nil:
		return locate(told.Locate, out)
	case told.Objects != nil:
		return readObjects(told.Objects, out)
	}
	return s.render(told, out)
}

func unknownKind() error { return &failure{Kind: notProtocol, Message: "a message of no known kind"} }

func asFailure(err error) *failure {
	found, ok := errors.AsType[*failure](err)
	if !ok {
		found = &failure{Kind: notRendered, Message: err.Error()}
	}
	short := *found
	short.Message = clip(short.Message, 8000)
	short.Template = clip(short.Template, 8000)
	return &short
}

// clip bounds text that input chooses.
func clip(text string, limit int) string {
	if len(text) <= limit {
		return text
	}
	cut := limit
	for cut > 0 && text[cut]&0xC0 == 0x80 { // not inside a character
		cut--
	}
	return fmt.Sprintf("%s ... (%d more bytes)", text[:cut], len(text)-cut)
}

const maxWarnings = 50

func bounded(all []warning) []warning {
	if len(all) <= maxWarnings {
		return all
	}
	more := warning{Message: fmt.Sprintf("and %d more warnings", len(all)-maxWarnings)}
	return append(all[:maxWarnings:maxWarnings], more)
}
