//go:build !reader

package main

import (
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"maps"
	"math/rand"
	randv2 "math/rand/v2"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"text/template"
	"time"
	_ "time/tzdata" // locked in, no file of the system can be read

	"github.com/Masterminds/goutils"
	"github.com/Masterminds/sprig/v3"
	"github.com/google/uuid"
	"github.com/huandu/xstrings"
)

// Helm's templates call the functions of sprig (3.3.0) and Helm's own. Those that draw random numbers or read the clock
// are replaced here by ones that get both from a `chance`; those that return the keys of a map in Go's random order, by
// ones that sort. A test goes over all functions and fails for one that is not known, as an upgrade may bring.
//
//	clock           now ago; date date_in_zone dateInZone htmlDate htmlDateInZone take now for what is no date;
//	                durationRound of a date
//	random numbers  randAlphaNum randAlpha randNumeric randAscii randBytes randInt shuffle uuidv4
//	salts and keys  bcrypt htpasswd encryptAES genPrivateKey genCA genCAWithKey genSelfSignedCert
//	                genSelfSignedCertWithKey genSignedCert genSignedCertWithKey
//	order           keys values
//	addresses       printf with %p
//
// Helm itself takes away env and expandenv, and lets getHostByName and lookup find nothing.

// The first rendering is at the first moment, the one that it is compared with at the other. Between the two lies
// whatever date a template may compare with, and they share neither year, month, day, weekday nor time of day.
var (
	firstMoment = time.Date(2001, time.February, 3, 4, 5, 6, 0, time.UTC)
	otherMoment = time.Date(2104, time.November, 28, 17, 48, 59, 123456789, time.UTC)
)

func init() {
	time.Local = time.UTC // dates are formatted in the zone of the machine
}

// chance is what the templates get in one rendering for random numbers and the clock. It is fixed: each call has a seed of
// its own, made of its number, so that the result is the same in every process. To see whether a call matters, another
// rendering varies it and repeats the others.
type chance struct {
	calls  []string // the functions that drew, in order
	files  files
	varies choice // which calls get something else than in the first rendering
	stop   int    // the number of a call that shall fail, to show where it stands; -1 for none
	drawn  results
}

func newChance(varies choice, drawn results) *chance {
	return &chance{files: newFiles(), varies: varies, stop: -1, drawn: drawn}
}

// restart forgets what was called.
func (c *chance) restart() { c.calls, c.files = nil, newFiles() }

// choice says which calls have other results than in the first rendering.
type choice func(number int, function string) bool

func everyCall(int, string) bool { return true }
func noCall(int, string) bool    { return false }

// results are those of functions that take their randomness from the system, where no seed could repeat them: keys, which
// take long, and salts. Renderings of one chart share them.
type results map[[sha256.Size]byte][]reflect.Value

const maxResults = 1000

// errDrawn is told by Helm with the place of the call.
var errDrawn = errors.New("headgate stops at this call")

// draw notes a call and returns what it may draw from.
func (c *chance) draw(function string) (*rand.Rand, time.Time) {
	number := len(c.calls)
	c.calls = append(c.calls, function)
	c.files.draws[c.files.current] = true
	if number == c.stop {
		panic(errDrawn)
	}
	if c.varies(number, function) {
		return newRandom(1, number), otherMoment
	}
	return newRandom(0, number), firstMoment
}

// functions returns what replaces the functions of sprig and Helm.
func (c *chance) functions() template.FuncMap {
	functions := template.FuncMap{
		"keys":   sortedKeys,
		"values": sortedValues,
		"printf": printf,
	}
	c.files.addFunctions(functions)
	c.addRandom(functions)
	c.addClock(functions)
	for name, function := range unseeded {
		functions[name] = c.repeated(name, function)
	}
	return functions
}

func (c *chance) addRandom(functions template.FuncMap) {
	text := func(name string, start, end int, letters, numbers bool) func(int) string {
		return func(count int) string {
			random, _ := c.draw(name)
			drawn, _ := goutils.RandomSeed(count, start, end, letters, numbers, nil, random) // sprig drops the error, too
			return drawn
		}
	}
	functions["randAlphaNum"] = text("randAlphaNum", 0, 0, true, true)
	functions["randAlpha"] = text("randAlpha", 0, 0, true, false)
	functions["randNumeric"] = text("randNumeric", 0, 0, false, true)
	functions["randAscii"] = text("randAscii", 32, 127, false, false)
	functions["randBytes"] = func(count int) (string, error) {
		random, _ := c.draw("randBytes")
		drawn := make([]byte, count)
		_, err := io.ReadFull(random, drawn)
		return base64.StdEncoding.EncodeToString(drawn), err
	}
	functions["randInt"] = func(low, high int) int {
		random, _ := c.draw("randInt")
		return random.Intn(high-low) + low
	}
	functions["shuffle"] = func(text string) string {
		random, _ := c.draw("shuffle")
		return xstrings.ShuffleSource(text, random)
	}
	functions["uuidv4"] = func() (string, error) {
		random, _ := c.draw("uuidv4")
		drawn, err := uuid.NewRandomFromReader(random)
		return drawn.String(), err
	}
}

var (
	sprigFunctions = sprig.TxtFuncMap()
	dateInZone     = sprigFunctions["dateInZone"].(func(string, any, string) string)
	durationRound  = sprigFunctions["durationRound"].(func(any) string)
)

func (c *chance) addClock(functions template.FuncMap) {
	now := func(name string) time.Time {
		_, moment := c.draw(name)
		return moment
	}
	inZone := func(name, format string, date any, zone string) string {
		switch date.(type) {
		case time.Time, *time.Time, int64, int, int32:
		default:
			date = now(name)
		}
		return dateInZone(format, date, zone)
	}
	functions["now"] = func() time.Time { return now("now") }
	functions["date"] = func(format string, date any) string { return inZone("date", format, date, "Local") }
	functions["dateInZone"] = func(format string, date any, zone string) string { return inZone("dateInZone", format, date, zone) }
	functions["date_in_zone"] = func(format string, date any, zone string) string { return inZone("date_in_zone", format, date, zone) }
	functions["htmlDate"] = func(date any) string { return inZone("htmlDate", time.DateOnly, date, "Local") }
	functions["htmlDateInZone"] = func(date any, zone string) string { return inZone("htmlDateInZone", time.DateOnly, date, zone) }
	functions["ago"] = func(date any) string {
		moment := now("ago")
		then := moment
		switch date := date.(type) {
		case time.Time:
			then = date
		case int64:
			then = time.Unix(date, 0)
		case int:
			then = time.Unix(int64(date), 0)
		}
		return moment.Sub(then).Round(time.Second).String()
	}
	functions["durationRound"] = func(duration any) string {
		if date, ok := duration.(time.Time); ok {
			duration = int64(now("durationRound").Sub(date))
		}
		return durationRound(duration)
	}
}

// unseeded are functions that take their randomness from the system.
var unseeded = func() template.FuncMap {
	found := template.FuncMap{}
	for _, name := range []string{
		"bcrypt", "htpasswd", "encryptAES", "genPrivateKey", "genCA", "genCAWithKey", "genSelfSignedCert",
		"genSelfSignedCertWithKey", "genSignedCert", "genSignedCertWithKey",
	} {
		found[name] = sprigFunctions[name]
	}
	return found
}()

// repeated makes a function give the same results again for the same call.
func (c *chance) repeated(name string, function any) any {
	value := reflect.ValueOf(function)
	return reflect.MakeFunc(value.Type(), func(arguments []reflect.Value) []reflect.Value {
		number := len(c.calls)
		c.draw(name)
		call := sha256.New()
		fmt.Fprintf(call, "%t %d %s", c.varies(number, name), number, name)
		for _, argument := range arguments {
			fmt.Fprintf(call, " %#v", argument)
		}
		key := [sha256.Size]byte(call.Sum(nil))
		found, ok := c.drawn[key]
		if !ok {
			if found = value.Call(arguments); len(c.drawn) < maxResults {
				c.drawn[key] = found
			}
		}
		return found
	}).Interface()
}

// newRandom returns the randomness of one call: of another rendering another one, by its seed.
func newRandom(seed, number int) *rand.Rand {
	return rand.New(source{randv2.NewPCG(uint64(seed), uint64(number))})
}

// source is math/rand's, which the libraries want, with the generator of math/rand/v2, which is quick to set up.
type source struct{ generator *randv2.PCG }

func (s source) Int63() int64   { return int64(s.generator.Uint64() >> 1) }
func (s source) Uint64() uint64 { return s.generator.Uint64() }
func (s source) Seed(int64)     {}

func sortedKeys(all ...map[string]any) []string {
	found := []string{}
	for _, of := range all {
		found = append(found, slices.Sorted(maps.Keys(of))...)
	}
	return found
}

func sortedValues(of map[string]any) []any {
	found := []any{}
	for _, key := range slices.Sorted(maps.Keys(of)) {
		found = append(found, of[key])
	}
	return found
}

var addressVerb = regexp.MustCompile(`%[-+# 0-9.*\[\]]*p`)

func printf(format string, arguments ...any) (string, error) {
	if addressVerb.MatchString(strings.ReplaceAll(format, "%%", "")) {
		return "", errors.New("%p prints where something lies in memory, which nobody can repeat")
	}
	return fmt.Sprintf(format, arguments...), nil
}
