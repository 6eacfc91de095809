package main

import "fmt"

// budget is what is left of a request's limits. Everything is counted, never timed, so that the verdict is the same on
// every machine; the caller limits time and memory of the process.
type budget struct {
	limits limits
	used   limits
}

func newBudget(given limits) *budget { return &budget{limits: given} }

func (b *budget) takeBytes(n int) error {
	b.used.BytesIn += n
	return within(b.used.BytesIn, b.limits.BytesIn, "bytes of YAML are read or rendered", "input_mebibytes")
}

func (b *budget) takeNodes(n int) error {
	b.used.Nodes = saturated(b.used.Nodes, n)
	return within(b.used.Nodes, b.limits.Nodes, "nodes of YAML, once its aliases are followed", "nodes")
}

// charge takes what something took that was done before, for another request.
func (b *budget) charge(used limits) error {
	if err := b.takeBytes(used.BytesIn); err != nil {
		return err
	}
	if err := b.takeNodes(used.Nodes); err != nil {
		return err
	}
	return b.takeOutput(used.BytesOut)
}

// takeObject counts an object, which is named when it is one too many.
func (b *budget) takeObject(name string) error {
	b.used.Objects++
	return within(b.used.Objects, b.limits.Objects, "objects, "+clip(name, 300)+" is one too many", "objects")
}

func (b *budget) takeOutput(n int) error {
	b.used.BytesOut += n
	return within(b.used.BytesOut, b.limits.BytesOut, "bytes of objects", "output_mebibytes")
}

// within refuses what is over a limit. The key is that of the limit in the caller's configuration, if it has one.
func within(used, limit int, what, key string) error {
	if limit == 0 || used <= limit {
		return nil
	}
	found := &failure{Kind: overBudget, Message: fmt.Sprintf("more than %d %s", limit, what)}
	if key != "" {
		found.Hint = fmt.Sprintf("check for a loop or an alias that multiplies; the limit is limits.%s of headgate.yaml", key)
	}
	return found
}

// saturated adds without going over what an int holds: aliases multiply.
func saturated(a, b int) int {
	const most = 1 << 40
	if a > most || b > most || a+b > most {
		return most
	}
	return a + b
}
