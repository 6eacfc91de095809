package main

import (
	"crypto/sha256"
	"encoding/binary"
)

// recent keeps what was judged lately, by all that decides what is said of it: an app has most of its objects in common in
// all its environments. What was not asked for again for a while goes.
type recent struct {
	young, old map[[sha256.Size]byte]*judged
	size       int // of the texts in young
}

// maxRecent is how many bytes of text each of the two halves has. What is made of a text takes many times its room.
const maxRecent = 256 << 10

func (r *recent) find(content [sha256.Size]byte) *judged {
	if one, ok := r.young[content]; ok {
		return one
	}
	one := r.old[content]
	if one != nil {
		r.keep(content, one)
	}
	return one
}

func (r *recent) keep(content [sha256.Size]byte, one *judged) {
	size := len(one.data) + len(one.current)
	if r.young == nil || r.size+size > maxRecent {
		r.young, r.old, r.size = map[[sha256.Size]byte]*judged{}, r.young, 0
	}
	r.young[content] = one
	r.size += size
}

// contentOf identifies texts in their order.
func contentOf(texts ...[]byte) (content [sha256.Size]byte) {
	sum := sha256.New()
	for _, text := range texts {
		var length [8]byte
		binary.BigEndian.PutUint64(length[:], uint64(len(text)))
		sum.Write(length[:])
		sum.Write(text)
	}
	sum.Sum(content[:0])
	return content
}
