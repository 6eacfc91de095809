package lock

import (
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"runtime"
	"runtime/debug"
)

// Status is what a program says of its lock in the first line that it writes.
type Status struct {
	Sandbox bool   `json:"sandbox"`
	Reason  string `json:"reason,omitempty"` // why there is no sandbox
}

// Run is the main function of a program that reads what nobody vouches for. It limits the process and locks it in, as the
// flags say, and then has serve answer what comes on standard input. With -version it only prints the versions.
func Run(name string, versions any, serve func(Status) error) {
	if err := run(versions, serve); err != nil {
		fmt.Fprintf(os.Stderr, "%s: %v\n", name, err)
		os.Exit(1)
	}
}

func run(versions any, serve func(Status) error) error {
	version := flag.Bool("version", false, "print the versions as JSON and exit")
	memory := flag.Uint64("memory", 0, "bytes of memory that the process may use; 0: no limit")
	seconds := flag.Uint64("cpu", 0, "seconds of processor time that the process may use; 0: no limit")
	sandbox := flag.Bool("sandbox", true, "lock the process in before it reads its input")
	flag.Parse()
	if *version {
		return json.NewEncoder(os.Stdout).Encode(versions)
	}
	// One worker: the caller starts as many processes as it wants to keep busy. Go would read cgroup files again later.
	runtime.GOMAXPROCS(1)
	debug.SetGCPercent(400)
	if *memory > 0 { // seldom collecting is quick, until it gets near the limit
		debug.SetMemoryLimit(int64(*memory / 2))
	}
	if !*sandbox {
		return serve(Status{Reason: "switched off"})
	}
	if err := Process(*memory, *seconds); err != nil {
		return serve(Status{Reason: err.Error()})
	}
	return serve(Status{Sandbox: true})
}
