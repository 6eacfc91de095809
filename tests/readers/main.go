// Command yaml-readers tells what the readers of Kubernetes' world see in YAML. Tests compare the engine with them.
//
// It reads JSON lines, {"text": ..., "readers": [NAME, ...]}, and answers each with one: {NAME: {"objects": [...]}, ...},
// or {"error": ...} in the place of objects.
package main

import (
	"bufio"
	"encoding/json"
	"flag"
	"fmt"
	"os"
)

// Set when it is built (image/build-tools).
var build = "unknown"

type question struct {
	Text    string   `json:"text"`
	Readers []string `json:"readers"`
}

// view is what one reader sees.
type view struct {
	Objects []json.RawMessage `json:"objects"`
	Error   string            `json:"error,omitempty"`
}

var readers = map[string]func(string) ([]json.RawMessage, error){
	"kubectl":   kubectl,
	"flux":      flux,
	"kustomize": kustomize,
	"kyaml":     kyaml,
	"yaml.v3":   yamlV3,
}

func main() {
	version := flag.Bool("version", false, "print what it was built of and exit")
	flag.Parse()
	if *version {
		fmt.Println(build)
		return
	}
	if err := serve(); err != nil {
		fmt.Fprintln(os.Stderr, "yaml-readers:", err)
		os.Exit(1)
	}
}

func serve() error {
	in := json.NewDecoder(bufio.NewReader(os.Stdin))
	out := json.NewEncoder(os.Stdout)
	for in.More() {
		var asked question
		if err := in.Decode(&asked); err != nil {
			return err
		}
		views := make(map[string]view, len(asked.Readers))
		for _, name := range asked.Readers {
			views[name] = look(name, asked.Text)
		}
		if err := out.Encode(views); err != nil {
			return err
		}
	}
	return nil
}

func look(name, text string) (seen view) {
	defer func() {
		if found := recover(); found != nil {
			seen = view{Error: fmt.Sprintf("panic: %v", found)}
		}
	}()
	read, ok := readers[name]
	if !ok {
		return view{Error: "no such reader"}
	}
	objects, err := read(text)
	if err != nil {
		return view{Error: err.Error()}
	}
	return view{Objects: objects}
}
