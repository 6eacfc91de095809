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
	return within(b.used.BytesIn, b.limits.BytesIn, "bytes of YAML are read or rendered")
}

func (b *budget) takeNodes(n int) error {
	b.used.Nodes = saturated(b.used.Nodes, n)
	return within(b.used.Nodes, b.limits.Nodes, "nodes of YAML, once its aliases are followed")
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
	return within(b.used.Objects, b.limits.Objects, "objects, "+clip(name, 300)+" is one too many")
}

func (b *budget) takeOutput(n int) error {
	b.used.BytesOut += n
	return within(b.used.BytesOut, b.limits.BytesOut, "bytes of objects")
}

func within(used, limit int, what string) error {
	if limit == 0 || used <= limit {
		return nil
	}
	return &failure{Kind: overBudget, Message: fmt.Sprintf("more than %d %s", limit, what)}
}

// saturated adds without going over what an int holds: aliases multiply.
func saturated(a, b int) int {
	const most = 1 << 40
	if a > most || b > most || a+b > most {
		return most
	}
	return a + b
}
