// Command headgate-validator says of objects what a Kubernetes API server would say of them, with that server's own code.
// It is asked by JSON lines on standard input and answers by JSON lines on standard output; before it reads the first byte
// it locks itself in, so that it can compute and nothing else. docs/validation.md describes what it judges.
package main

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	_ "time/tzdata" // a CronJob's time zones, since no files can be read

	"headgate/lock"
)

// Set when it is built (image/build-tools).
var (
	kubernetesVersion = "unknown"
	build             = "unknown"
)

func main() {
	silenceLogs()
	greeting := hello{Protocol: protocolVersion, Kubernetes: kubernetesVersion, Build: build}
	lock.Run("headgate-validator", greeting, func(status lock.Status) error {
		greeting.Status = status
		return serve(os.Stdin, os.Stdout, greeting)
	})
}

// serve answers messages until the input ends.
func serve(in io.Reader, out io.Writer, greeting hello) error {
	writer := bufio.NewWriterSize(out, 64*1024)
	if err := writeLine(writer, greeting); err != nil {
		return err
	}
	trees := map[string]map[string]string{}
	judge := newJudge()
	reader := bufio.NewReaderSize(in, 64*1024)
	for {
		line, err := reader.ReadBytes('\n')
		if errors.Is(err, io.EOF) && len(line) == 0 {
			return nil
		}
		if err != nil {
			return err
		}
		var given message
		if err := json.Unmarshal(line, &given); err != nil {
			return fmt.Errorf("a message that is not JSON: %w", err)
		}
		if given.Tree != "" {
			trees[given.Tree] = given.Files
			continue
		}
		if err := writeLine(writer, reply(judge, trees, given)); err != nil {
			return err
		}
	}
}

func writeLine(writer *bufio.Writer, value any) error {
	encoder := json.NewEncoder(writer)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(value); err != nil {
		return err
	}
	return writer.Flush()
}

// reply carries out one request.
func reply(judge *judge, trees map[string]map[string]string, given message) (end answer) {
	end = answer{Request: given.Request, Done: true}
	defer func() { // odd input may make the server's code panic, too: the next request goes on
		if found := recover(); found != nil {
			end.Value, end.Error = nil, &failure{Kind: "render", Message: clip(fmt.Sprint(found), 2000)}
		}
	}()
	switch request := given.Validate; {
	case given.Policies != nil:
		end.Value = judge.problemsOf(given.Policies)
	case request == nil:
		end.Error = &failure{Kind: "protocol", Message: "a message of no known kind"}
	case given.Budget.Objects > 0 && len(request.Objects) > given.Budget.Objects:
		end.Error = &failure{Kind: "budget", Message: fmt.Sprintf("more than %d objects", given.Budget.Objects)}
	default:
		end.Value = judge.verdict(request, trees[request.Definitions])
	}
	return end
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
