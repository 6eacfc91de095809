// What locks a process in: shared by the engine and the validator, whose other modules must differ.
module headgate/lock

go 1.26.0

require golang.org/x/sys v0.49.0
